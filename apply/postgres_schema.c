#include "apply/postgres_schema.h"

#include "apply/postgres_checks.h"
#include "apply/postgres_foreign.h"
#include "apply/postgres_numbers.h"
#include "apply/postgres_unique.h"
#include "engine/postgres_catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { SETS_MAX = 24 };

struct postgres_table *postgres_schema_find(const struct postgres_schema *schema,
                                            uint32_t id)
{
    return postgres_table_of(batch_schema_find(&schema->base, id));
}

static void close_sets(struct postgres_table *table)
{
    while (table->sets != NULL) {
        struct postgres_set *next = table->sets->next;

        postgres_set_close(table->sets);
        table->sets = next;
    }
    table->set_count = 0;
}

/* Constraints that may be checked late: unique ones, which the definition has, and
 * exclusions. */
static enum status find_probed(struct postgres_schema *schema, struct error *err)
{
    PGresult *late = NULL;
    enum status status =
        postgres_query(schema->postgres,
                       "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint"
                       " WHERE contype = 'x' AND condeferrable AND conparentid = 0",
                       0, NULL, &late, err);

    for (size_t i = 0; status == STATUS_OK && i < schema->base.count; i++) {
        struct postgres_table *table = &schema->tables[i];
        const struct definition *definition = table->base.definition;

        for (uint32_t k = 0; k < definition->unique_count; k++)
            table->probed = table->probed || definition->uniques[k].deferrable;
        for (int k = 0; k < PQntuples(late); k++)
            table->probed = table->probed ||
                            strcmp(PQgetvalue(late, k, 0), definition->local_name) == 0;
    }
    PQclear(late);
    return status;
}

/* Triggers that fire, rules, and functions beyond the server's own that checks, defaults,
 * indexes and policies call, may name things as the application's sessions do. */
static const char own_paths_sql[] =
    "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind IN ('r', 'p')"
    " AND c.oid >= 16384 AND (EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid"
    " AND NOT g.tgisinternal AND g.tgenabled IN ('A', CASE"
    "  current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END))"
    " OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid)"
    " OR EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass"
    " AND (d.classid, d.objid) IN (SELECT 'pg_constraint'::regclass, x.oid"
    "  FROM pg_constraint x WHERE x.conrelid = c.oid UNION ALL"
    "  SELECT 'pg_attrdef'::regclass, f.oid FROM pg_attrdef f WHERE f.adrelid = c.oid"
    "  UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i"
    "  WHERE i.indrelid = c.oid UNION ALL SELECT 'pg_policy'::regclass, p.oid"
    "  FROM pg_policy p WHERE p.polrelid = c.oid UNION ALL"
    "  SELECT 'pg_constraint'::regclass, x.oid FROM pg_constraint x JOIN pg_attribute a"
    "  ON a.atttypid = x.contypid AND x.contypid <> 0 WHERE a.attrelid = c.oid)))";

static enum status find_own_paths(struct postgres_schema *schema, struct error *err)
{
    PGresult *found = NULL;
    enum status status =
        postgres_query(schema->postgres, own_paths_sql, 0, NULL, &found, err);

    for (int k = 0; status == STATUS_OK && k < PQntuples(found); k++) {
        for (size_t i = 0; i < schema->base.count; i++) {
            struct postgres_table *table = &schema->tables[i];

            if (strcmp(PQgetvalue(found, k, 0), table->base.definition->local_name) == 0)
                table->own_path = schema->own_paths = true;
        }
    }
    PQclear(found);
    return status;
}

/* Each takes the smaller number of two that refer to each other, until none has to. */
static void number_components(struct postgres_schema *schema)
{
    bool moved = true;

    for (size_t i = 0; i < schema->base.count; i++)
        schema->tables[i].component = (uint32_t)i;
    while (moved) {
        moved = false;
        for (uint32_t i = 0; i < schema->base.foreign_count; i++) {
            struct postgres_table *child =
                postgres_table_of(schema->foreigns[i].base.child);
            struct postgres_table *parent =
                postgres_table_of(schema->foreigns[i].base.parent);
            uint32_t least = child->component < parent->component ? child->component
                                                                  : parent->component;

            moved = moved || child->component != parent->component;
            child->component = parent->component = least;
        }
    }
}

enum status postgres_schema_load(struct postgres_schema *schema,
                                 struct postgres *postgres, struct store_txn *txn,
                                 const struct table_rules *rules, bool foreign_keys,
                                 struct error *err)
{
    struct batch_schema_source source = {
        .catalog = &schema->catalog,
        .rules = rules,
        .table_size = sizeof(struct postgres_table),
        .foreign_size = sizeof(struct postgres_foreign),
    };
    enum status status;

    assert(!schema->loaded);
    schema->postgres = postgres;
    status = postgres_catalog_read(postgres, rules, txn, &schema->catalog, err);
    if (status != STATUS_OK)
        return status;
    schema->loaded = true;
    if (!foreign_keys)
        catalog_count_foreign_keys(&schema->catalog, false);
    status = batch_schema_load(&schema->base, txn, &source, err);
    schema->tables = schema->base.table_memory;
    schema->foreigns = schema->base.foreign_memory;
    if (status == STATUS_OK)
        status = find_probed(schema, err);
    if (status == STATUS_OK)
        status = find_own_paths(schema, err);
    if (status == STATUS_OK)
        number_components(schema);
    for (uint32_t i = 0; status == STATUS_OK && i < schema->base.foreign_count; i++)
        status = postgres_checks_open(&schema->foreigns[i], postgres, err);
    if (status != STATUS_OK)
        postgres_schema_unload(schema);
    return status;
}

void postgres_schema_unload(struct postgres_schema *schema)
{
    if (!schema->loaded)
        return;
    for (size_t i = 0; schema->tables != NULL && i < schema->base.count; i++) {
        close_sets(&schema->tables[i]);
        postgres_writer_close(schema->tables[i].writer);
        postgres_claims_close(&schema->tables[i]);
    }
    for (uint32_t i = 0; schema->foreigns != NULL && i < schema->base.foreign_count;
         i++) {
        postgres_checks_close(&schema->foreigns[i]);
        postgres_foreign_close(&schema->foreigns[i]);
    }
    batch_schema_release(&schema->base);
    catalog_release(&schema->catalog);
    *schema = (struct postgres_schema){0};
}

void postgres_schema_forget(struct postgres_schema *schema)
{
    for (size_t i = 0; i < schema->base.count; i++)
        schema->tables[i].other_made = false;
    for (uint32_t i = 0; i < schema->base.foreign_count; i++)
        postgres_foreign_forget(&schema->foreigns[i]);
}

/* Which of its key's columns are fed by a sequence that stays among this node's own. */
static enum status find_own_numbers(struct postgres_schema *schema,
                                    struct postgres_writer *writer, struct error *err)
{
    PGresult *found = NULL;
    enum status status = postgres_numbers_read(
        schema->postgres, writer->definition->local_name, &found, err);

    for (int k = 0; status == STATUS_OK && k < PQntuples(found); k++) {
        struct postgres_numbers numbers = postgres_numbers_at(found, k);

        for (uint32_t i = 0; i < writer->definition->stored_count; i++) {
            struct postgres_column *own = &writer->columns[i];

            if (own->column->key_position > 0 && postgres_numbers_fit(&numbers) &&
                strcmp(own->column->name, numbers.column) == 0)
                own->slot = schema->slot;
        }
    }
    PQclear(found);
    return status;
}

enum status postgres_schema_writer(struct postgres_schema *schema,
                                   struct postgres_table *table, struct error *err)
{
    enum status status;

    if (table->writer != NULL)
        return STATUS_OK;
    status = postgres_writer_open(&table->writer, schema->postgres,
                                  table->base.definition, err);
    if (status == STATUS_OK && schema->slot != NULL) {
        status = find_own_numbers(schema, table->writer, err);
        if (status != STATUS_OK) {
            postgres_writer_close(table->writer);
            table->writer = NULL;
        }
    }
    return status == STATUS_NOT_FOUND ? error_wrap(err, STATUS_BUSY, "apply") : status;
}

void postgres_schema_shrink(struct postgres_table *table)
{
    close_sets(table);
}

enum status postgres_schema_set(struct postgres_table *table, enum set_kind kind,
                                const bool *columns, const struct postgres_guard *guard,
                                struct postgres_set **out, struct error *err)
{
    struct postgres_set *set = NULL;
    enum status status;

    for (struct postgres_set **at = &table->sets; *at != NULL; at = &(*at)->next) {
        if (!postgres_set_is(*at, kind, columns, guard))
            continue;
        set = *at;
        *at = set->next;
        set->next = table->sets;
        *out = table->sets = set;
        return STATUS_OK;
    }
    *out = NULL;
    if (table->set_count >= SETS_MAX)
        return STATUS_NOT_FOUND; /* the caller empties them */
    status = postgres_set_open(&set, table->writer, kind, columns, guard, err);
    if (status != STATUS_OK)
        return status;
    set->next = table->sets;
    *out = table->sets = set;
    table->set_count++;
    return STATUS_OK;
}
