#include "capture/scan_schema.h"

#include "capture/schema_log.h"
#include "engine/sqlite_catalog.h"

#include <assert.h>
#include <stdlib.h>

static void close_tables(struct scan_schema *schema)
{
    for (size_t i = 0; i < schema->count; i++)
        scan_table_close(schema->tables[i]);
    free((void *)schema->tables);
    free(schema->old_columns);
    schema->old_columns = NULL;
    schema->tables = NULL;
    schema->count = 0;
    schema->known = false;
}

void scan_schema_release(struct scan_schema *schema)
{
    close_tables(schema);
    catalog_release(&schema->catalog);
}

enum status scan_schema_read(struct scan_schema *schema, struct sqlite_database *database,
                             const struct table_rules *rules, bool foreign_keys,
                             struct appender *appender, struct error *err)
{
    struct store_txn *txn;
    uint64_t generation = 0;
    int64_t version = 0;
    enum status status = sqlite_schema_version(database, &version, err);

    if (status == STATUS_OK)
        status = appender_txn(appender, &txn, err);
    if (status == STATUS_OK)
        status = tables_generation(txn, &generation, err);
    if (status != STATUS_OK)
        return status;
    if (schema->known && schema->catalog.schema_version == version &&
        schema->generation == generation) {
        for (size_t i = 0; i < schema->count; i++)
            schema->old_columns[i] = schema->catalog.definitions[i]->column_count;
        return STATUS_OK;
    }
    scan_schema_release(schema);
    schema->generation = generation;
    status = sqlite_catalog_read(database, rules, txn, &schema->catalog, err);
    catalog_count_foreign_keys(&schema->catalog, foreign_keys);
    if (status != STATUS_OK)
        return status;
    schema->old_columns = calloc(schema->catalog.count + 1, sizeof *schema->old_columns);
    if (schema->old_columns == NULL)
        return error_set(err, STATUS_NO_MEMORY, "scan: out of memory");
    return schema_log_put(&schema->catalog, schema->old_columns, appender, err);
}

enum status scan_schema_open(struct scan_schema *schema, struct sqlite_database *database,
                             const struct table_rules *rules, struct appender *appender,
                             struct error *err)
{
    enum status status = STATUS_OK;

    if (schema->known)
        return STATUS_OK;
    assert(schema->count == 0);
    schema->tables = (struct scan_table **)calloc(schema->catalog.count + 1,
                                                  sizeof(struct scan_table *));
    if (schema->tables == NULL)
        return error_set(err, STATUS_NO_MEMORY, "scan: out of memory");
    for (size_t i = 0; i < schema->catalog.count && status == STATUS_OK; i++) {
        const struct definition *definition = schema->catalog.definitions[i];
        struct store_txn *txn;
        struct table table;

        status = appender_txn(appender, &txn, err);
        if (status == STATUS_OK)
            status = schema_log_find(txn, definition, &table, err);
        if (status == STATUS_OK &&
            table_rules_direction(rules, definition->local_name) != TABLE_IN)
            status = scan_table_open(&schema->tables[i], database, txn, &table, err);
        schema->count += status == STATUS_OK;
    }
    schema->known = status == STATUS_OK;
    return status;
}
