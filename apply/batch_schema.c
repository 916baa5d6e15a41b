#include "apply/batch_schema.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "schema: out of memory");
}

static struct batch_table *table_at(const struct batch_schema *schema, size_t i)
{
    assert(schema->tables[i] != NULL);
    return schema->tables[i];
}

static struct batch_table *find_named(const struct batch_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->count; i++)
        if (strcmp(table_at(schema, i)->definition->name, name) == 0)
            return table_at(schema, i);
    return NULL;
}

struct batch_table *batch_schema_find(const struct batch_schema *schema, uint32_t id)
{
    return id < schema->id_count ? schema->by_id[id] : NULL;
}

/* ---- numbers */

/* The number under which this node logged a definition whose images are the table's. */
static enum status find_number(struct batch_table *table, struct store_txn *txn,
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
static enum status find_ids(struct batch_schema *schema, struct store_txn *txn,
                            struct error *err)
{
    uint32_t count = 0;
    enum status status = tables_count(txn, &count, err);

    if (status != STATUS_OK)
        return status;
    schema->by_id = calloc((size_t)count + 1, sizeof(struct batch_table *));
    if (schema->by_id == NULL)
        return no_memory(err);
    schema->id_count = count + 1;
    for (size_t i = 0; i < schema->count && status == STATUS_OK; i++) {
        struct batch_table *table = table_at(schema, i);

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

/* ---- groups */

/* List the tables group by group. */
static enum status order_groups(struct batch_schema *schema, struct error *err)
{
    uint32_t *at;

    schema->by_group = calloc(schema->count + 1, sizeof(struct batch_table *));
    schema->group_start = calloc(schema->group_count + 2, sizeof *schema->group_start);
    if (schema->by_group == NULL || schema->group_start == NULL)
        return no_memory(err);
    /* Counted two places on, summed, then each start moves to its own end. */
    at = schema->group_start + 1;
    for (size_t i = 0; i < schema->count; i++)
        at[table_at(schema, i)->group + 1]++;
    for (uint32_t i = 1; i <= schema->group_count; i++)
        at[i] += at[i - 1];
    for (size_t i = 0; i < schema->count; i++)
        schema->by_group[at[table_at(schema, i)->group]++] = table_at(schema, i);
    return STATUS_OK;
}

static enum status find_groups(struct batch_schema *schema, const struct catalog *catalog,
                               struct error *err)
{
    uint32_t *groups = calloc(schema->count + 1, sizeof *groups);
    enum status status;

    if (groups == NULL)
        return no_memory(err);
    status = foreign_key_groups((const struct definition *const *)catalog->definitions,
                                schema->count, groups, err);
    for (size_t i = 0; i < schema->count && status == STATUS_OK; i++) {
        table_at(schema, i)->group = groups[i];
        if (groups[i] >= schema->group_count)
            schema->group_count = groups[i] + 1;
    }
    free(groups);
    return status == STATUS_OK ? order_groups(schema, err) : status;
}

/* ---- foreign keys */

static void add_foreign(struct batch_schema *schema, struct batch_table *child,
                        const struct foreign_key *key)
{
    struct batch_table *parent = find_named(schema, key->parent);
    struct batch_foreign *foreign = schema->foreigns[schema->foreign_count];

    if (parent == NULL) /* not replicated: nobody knows its rows */
        return;
    *foreign = (struct batch_foreign){
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
}

static enum status find_foreigns(struct batch_schema *schema, size_t size,
                                 struct error *err)
{
    size_t count = 0;

    for (size_t i = 0; i < schema->count; i++)
        count += table_at(schema, i)->definition->foreign_key_count;
    schema->foreigns = calloc(count + 1, sizeof(struct batch_foreign *));
    schema->foreign_memory = calloc(count + 1, size);
    if (schema->foreigns == NULL || schema->foreign_memory == NULL)
        return no_memory(err);
    for (size_t i = 0; i <= count; i++)
        schema->foreigns[i] = (void *)((char *)schema->foreign_memory + i * size);
    for (size_t i = 0; i < schema->count; i++) {
        struct batch_table *table = table_at(schema, i);

        if (table->lacks != NULL) /* its rows could not be put back */
            continue;
        for (uint32_t k = 0; k < table->definition->foreign_key_count; k++)
            if (table->definition->foreign_keys[k].counts)
                add_foreign(schema, table, &table->definition->foreign_keys[k]);
    }
    return STATUS_OK;
}

/* ---- life */

static enum status make_tables(struct batch_schema *schema,
                               const struct batch_schema_source *source,
                               struct error *err)
{
    const struct catalog *catalog = source->catalog;

    schema->tables = calloc(catalog->count + 1, sizeof(struct batch_table *));
    schema->table_memory = calloc(catalog->count + 1, source->table_size);
    if (schema->tables == NULL || schema->table_memory == NULL)
        return no_memory(err);
    schema->count = catalog->count;
    for (size_t i = 0; i < schema->count; i++) {
        struct batch_table *table =
            (void *)((char *)schema->table_memory + i * source->table_size);

        *table = (struct batch_table){
            .definition = catalog->definitions[i],
            .lacks = catalog->lacks[i],
            .index = (uint32_t)i,
            .direction =
                table_rules_direction(source->rules, catalog->definitions[i]->local_name),
        };
        schema->any_in = schema->any_in || table->direction == TABLE_IN;
        schema->tables[i] = table;
    }
    return STATUS_OK;
}

enum status batch_schema_load(struct batch_schema *schema, struct store_txn *txn,
                              const struct batch_schema_source *source, struct error *err)
{
    enum status status;

    assert(schema->tables == NULL);
    assert(source->table_size >= sizeof(struct batch_table));
    assert(source->foreign_size >= sizeof(struct batch_foreign));
    schema->rules = source->rules;
    status = make_tables(schema, source, err);
    if (status == STATUS_OK)
        status = find_groups(schema, source->catalog, err);
    if (status == STATUS_OK)
        status = find_foreigns(schema, source->foreign_size, err);
    return status == STATUS_OK ? find_ids(schema, txn, err) : status;
}

void batch_schema_release(struct batch_schema *schema)
{
    free(schema->tables);
    free(schema->table_memory);
    free(schema->by_id);
    free(schema->foreigns);
    free(schema->foreign_memory);
    free(schema->by_group);
    free(schema->group_start);
    *schema = (struct batch_schema){0};
}
