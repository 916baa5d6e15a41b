#include "apply/sqlite_schema.h"

#include "apply/sqlite_counters.h"
#include "apply/sqlite_other.h"
#include "apply/sqlite_outsiders.h"
#include "apply/sqlite_triggers.h"
#include "apply/sqlite_unique.h"
#include "engine/sqlite_catalog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "schema: out of memory");
}

static struct sqlite_table *find_named(const struct sqlite_schema *schema,
                                       const char *name)
{
    for (size_t i = 0; i < schema->count; i++)
        if (strcmp(schema->tables[i].definition->name, name) == 0)
            return &schema->tables[i];
    return NULL;
}

struct sqlite_table *sqlite_schema_find(const struct sqlite_schema *schema, uint32_t id)
{
    return id < schema->id_count ? schema->by_id[id] : NULL;
}

/* ---- numbers */

/* The number under which this node logged a definition whose images are the table's. */
static enum status find_number(struct sqlite_table *table, struct store_txn *txn,
                               struct error *err)
{
    struct table logged;
    enum status status =
        tables_newest(txn, store_identity(store_of(txn))->node, table->id, &logged, err);

    if (status == STATUS_OK &&
        definition_same_image(logged.definition, table->definition))
        table->number = logged.definition->number;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Find what the store calls the tables. */
static enum status find_ids(struct sqlite_schema *schema, struct store_txn *txn,
                            struct error *err)
{
    uint32_t count = 0;
    enum status status = tables_count(txn, &count, err);

    if (status != STATUS_OK)
        return status;
    schema->by_id = calloc((size_t)count + 1, sizeof(struct sqlite_table *));
    if (schema->by_id == NULL)
        return no_memory(err);
    schema->id_count = count + 1;
    for (size_t i = 0; i < schema->count && status == STATUS_OK; i++) {
        struct sqlite_table *table = &schema->tables[i];

        status = tables_id(txn, table->definition->name, &table->id, err);
        if (status == STATUS_OK)
            status = find_number(table, txn, err);
        if (status == STATUS_OK)
            schema->by_id[table->id] = table;
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

void sqlite_schema_rolled_back(struct sqlite_schema *schema)
{
    for (size_t i = 0; i < schema->count; i++)
        schema->tables[i].other_made = false;
    for (uint32_t i = 0; i < schema->foreign_count; i++) {
        schema->foreigns[i].gone_made = false;
        schema->foreigns[i].gone = 0;
    }
    for (uint32_t i = 0; i < schema->outer_count; i++) {
        schema->outer[i].gone_made = false;
        schema->outer[i].gone = 0;
    }
}

/* ---- foreign keys and groups */

/* List the tables group by group. */
static enum status order_groups(struct sqlite_schema *schema, struct error *err)
{
    uint32_t *at;

    schema->by_group = calloc(schema->count + 1, sizeof(struct sqlite_table *));
    schema->group_start = calloc(schema->group_count + 2, sizeof *schema->group_start);
    if (schema->by_group == NULL || schema->group_start == NULL)
        return no_memory(err);
    /* Counted two places on, summed, then each start moves to its own end. */
    at = schema->group_start + 1;
    for (size_t i = 0; i < schema->count; i++)
        at[schema->tables[i].group + 1]++;
    for (uint32_t i = 1; i <= schema->group_count; i++)
        at[i] += at[i - 1];
    for (size_t i = 0; i < schema->count; i++)
        schema->by_group[at[schema->tables[i].group]++] = &schema->tables[i];
    return STATUS_OK;
}

static enum status find_groups(struct sqlite_schema *schema, struct error *err)
{
    uint32_t *groups = calloc(schema->count + 1, sizeof *groups);
    enum status status;

    if (groups == NULL)
        return no_memory(err);
    status =
        foreign_key_groups((const struct definition *const *)schema->catalog.definitions,
                           schema->count, groups, err);
    for (size_t i = 0; i < schema->count && status == STATUS_OK; i++) {
        schema->tables[i].group = groups[i];
        if (groups[i] >= schema->group_count)
            schema->group_count = groups[i] + 1;
    }
    free(groups);
    return status == STATUS_OK ? order_groups(schema, err) : status;
}

static enum status add_foreign(struct sqlite_schema *schema, struct sqlite_table *child,
                               const struct foreign_key *key, struct error *err)
{
    struct sqlite_table *parent = find_named(schema, key->parent);
    struct sqlite_foreign *foreign = &schema->foreigns[schema->foreign_count];

    if (parent == NULL) /* not replicated: nobody knows its rows */
        return STATUS_OK;
    *foreign = (struct sqlite_foreign){
        .database = schema->database,
        .key = key,
        .child = child,
        .parent = parent,
        .number = schema->foreign_count++,
        .inner = child->group == parent->group,
        .next_of_child = child->as_child,
        .next_of_parent = parent->as_parent,
    };
    child->as_child = foreign;
    parent->as_parent = foreign;
    return sqlite_foreign_open(foreign, err);
}

static enum status find_foreigns(struct sqlite_schema *schema, struct error *err)
{
    enum status status = STATUS_OK;
    size_t count = 0;

    for (size_t i = 0; i < schema->count; i++)
        count += schema->tables[i].definition->foreign_key_count;
    schema->foreigns = calloc(count + 1, sizeof *schema->foreigns);
    if (schema->foreigns == NULL)
        return no_memory(err);
    for (size_t i = 0; i < schema->count; i++) {
        const struct definition *definition = schema->tables[i].definition;

        if (schema->tables[i].lacks != NULL) /* its rows could not be put back */
            continue;
        for (uint32_t k = 0; k < definition->foreign_key_count && status == STATUS_OK;
             k++)
            status = add_foreign(schema, &schema->tables[i], &definition->foreign_keys[k],
                                 err);
    }
    return status;
}

/* ---- life */

enum status sqlite_schema_load(struct sqlite_schema *schema,
                               struct sqlite_database *database, struct store_txn *txn,
                               const struct sqlite_target_options *options,
                               struct error *err)
{
    enum status status;

    assert(!schema->loaded);
    schema->database = database;
    schema->rules = options->rules;
    schema->slot = options->slot;
    status = sqlite_catalog_read(database, options->rules, txn, &schema->catalog, err);
    if (status != STATUS_OK)
        return status;
    schema->loaded = true;
    schema->count = schema->catalog.count;
    schema->tables = calloc(schema->count + 1, sizeof *schema->tables);
    if (schema->tables == NULL) {
        catalog_release(&schema->catalog);
        *schema = (struct sqlite_schema){0};
        return no_memory(err);
    }
    for (size_t i = 0; i < schema->count && status == STATUS_OK; i++) {
        schema->tables[i].definition = schema->catalog.definitions[i];
        schema->tables[i].lacks = schema->catalog.lacks[i];
        schema->tables[i].index = (uint32_t)i;
        schema->tables[i].direction = table_rules_direction(
            options->rules, schema->catalog.definitions[i]->local_name);
        schema->any_in = schema->any_in || schema->tables[i].direction == TABLE_IN;
    }
    if (status == STATUS_OK)
        status = find_groups(schema, err);
    if (status == STATUS_OK && options->foreign_keys)
        status = find_foreigns(schema, err);
    if (status == STATUS_OK)
        status = sqlite_outsiders_open(schema, err);
    for (size_t i = 0; i < schema->count && status == STATUS_OK; i++) {
        status =
            sqlite_triggers_classify(schema, &schema->tables[i], options->triggers, err);
        schema->any_fires = schema->any_fires || schema->tables[i].fires;
        if (status == STATUS_OK)
            status = sqlite_counters_find(database, schema->tables[i].definition,
                                          &schema->tables[i].counter, err);
    }
    schema->triggers_write = schema->any_fires && options->triggers == TRIGGERS_ON;
    if (status == STATUS_OK)
        status = find_ids(schema, txn, err);
    if (status != STATUS_OK)
        sqlite_schema_unload(schema);
    return status;
}

void sqlite_schema_unload(struct sqlite_schema *schema)
{
    if (!schema->loaded)
        return;
    for (size_t i = 0; i < schema->count && schema->tables != NULL; i++) {
        sqlite_writer_close(schema->tables[i].writer);
        sqlite_uniques_close(&schema->tables[i]);
        sqlite_other_forget(&schema->tables[i]);
    }
    for (uint32_t i = 0; i < schema->foreign_count; i++)
        sqlite_foreign_release(&schema->foreigns[i]);
    sqlite_outsiders_close(schema);
    free(schema->foreigns);
    free(schema->by_id);
    free(schema->by_group);
    free(schema->group_start);
    free(schema->tables);
    catalog_release(&schema->catalog);
    *schema = (struct sqlite_schema){0};
}

enum status sqlite_schema_writer(struct sqlite_schema *schema, struct sqlite_table *table,
                                 struct error *err)
{
    if (table->writer != NULL)
        return STATUS_OK;
    return sqlite_writer_open(&table->writer, schema->database, table->definition,
                              table->fires, err);
}

void sqlite_schema_fire(struct sqlite_schema *schema, bool fire)
{
    sqlite3 *handle = sqlite_database_handle(schema->database);
    int fires = 0;

    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, -1, &fires);
    if ((fires != 0) != fire)
        (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, fire ? 1 : 0,
                                NULL);
}

void sqlite_schema_refuse(const struct sqlite_schema *schema, const char *fleet,
                          struct error *err)
{
    const char *name = table_names_here(schema->rules, fleet);
    sqlite3 *handle = sqlite_database_handle(schema->database);
    sqlite3_stmt *statement = NULL;
    struct buffer sql = {0};

    for (size_t i = 0; i < schema->catalog.skipped_count; i++) {
        if (sqlite3_stricmp(schema->catalog.skipped[i].name, name) != 0)
            continue;
        (void)error_set(err, STATUS_CONSTRAINT, "table %s is not replicated here: %s",
                        name, schema->catalog.skipped[i].why);
        return;
    }
    sql_put(&sql, "SELECT 1 FROM ");
    sqlite_put_quoted(&sql, name);
    buffer_put(&sql, 0, 1);
    if (!sql.failed && sqlite3_prepare_v2(handle, (const char *)sql.data, -1, &statement,
                                          NULL) != SQLITE_OK)
        (void)error_set(err, STATUS_CONSTRAINT, "%s", sqlite3_errmsg(handle));
    else
        (void)error_set(err, STATUS_CONSTRAINT, "table %s is not replicated here", name);
    (void)sqlite3_finalize(statement);
    buffer_release(&sql);
}
