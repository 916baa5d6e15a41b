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

struct sqlite_table *sqlite_schema_find(const struct sqlite_schema *schema, uint32_t id)
{
    return sqlite_table_of(batch_schema_find(&schema->base, id));
}

void sqlite_schema_rolled_back(struct sqlite_schema *schema)
{
    for (size_t i = 0; i < schema->base.count; i++)
        schema->tables[i].other_made = false;
    for (uint32_t i = 0; i < schema->base.foreign_count; i++) {
        schema->foreigns[i].gone_made = false;
        schema->foreigns[i].base.gone = 0;
    }
    for (uint32_t i = 0; i < schema->outer_count; i++) {
        schema->outer[i].gone_made = false;
        schema->outer[i].base.gone = 0;
    }
}

/* ---- life */

static enum status open_foreigns(struct sqlite_schema *schema, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < schema->base.foreign_count && status == STATUS_OK; i++) {
        schema->foreigns[i].database = schema->database;
        status = sqlite_foreign_open(&schema->foreigns[i], err);
    }
    return status;
}

static enum status open_tables(struct sqlite_schema *schema, enum trigger_mode triggers,
                               struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < schema->base.count && status == STATUS_OK; i++) {
        struct sqlite_table *table = &schema->tables[i];

        status = sqlite_triggers_classify(schema, table, triggers, err);
        schema->any_fires = schema->any_fires || table->base.fires;
        if (status == STATUS_OK)
            status = sqlite_counters_find(schema->database, table->base.definition,
                                          &table->counter, err);
    }
    schema->triggers_write = schema->any_fires && triggers == TRIGGERS_ON;
    return status;
}

enum status sqlite_schema_load(struct sqlite_schema *schema,
                               struct sqlite_database *database, struct store_txn *txn,
                               const struct sqlite_target_options *options,
                               struct error *err)
{
    struct batch_schema_source source = {
        .catalog = &schema->catalog,
        .rules = options->rules,
        .table_size = sizeof(struct sqlite_table),
        .foreign_size = sizeof(struct sqlite_foreign),
    };
    enum status status;

    assert(!schema->loaded);
    schema->database = database;
    schema->slot = options->slot;
    status = sqlite_catalog_read(database, options->rules, txn, &schema->catalog, err);
    if (status != STATUS_OK)
        return status;
    schema->loaded = true;
    catalog_count_foreign_keys(&schema->catalog, options->foreign_keys);
    status = batch_schema_load(&schema->base, txn, &source, err);
    schema->tables = schema->base.table_memory;
    schema->foreigns = schema->base.foreign_memory;
    if (status == STATUS_OK)
        status = open_foreigns(schema, err);
    if (status == STATUS_OK)
        status = sqlite_outsiders_open(schema, err);
    if (status == STATUS_OK)
        status = open_tables(schema, options->triggers, err);
    if (status != STATUS_OK)
        sqlite_schema_unload(schema);
    return status;
}

void sqlite_schema_unload(struct sqlite_schema *schema)
{
    if (!schema->loaded)
        return;
    for (size_t i = 0; i < schema->base.count; i++) {
        sqlite_writer_close(schema->tables[i].writer);
        sqlite_uniques_close(&schema->tables[i]);
        sqlite_other_forget(&schema->tables[i]);
    }
    for (uint32_t i = 0; i < schema->base.foreign_count; i++)
        sqlite_foreign_release(&schema->foreigns[i]);
    sqlite_outsiders_close(schema);
    batch_schema_release(&schema->base);
    catalog_release(&schema->catalog);
    *schema = (struct sqlite_schema){0};
}

enum status sqlite_schema_writer(struct sqlite_schema *schema, struct sqlite_table *table,
                                 struct error *err)
{
    if (table->writer != NULL)
        return STATUS_OK;
    return sqlite_writer_open(&table->writer, schema->database, table->base.definition,
                              table->base.fires, err);
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
    const char *name = table_names_here(schema->base.rules, fleet);
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
