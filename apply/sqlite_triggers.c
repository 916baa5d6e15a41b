#include "apply/sqlite_triggers.h"

#include "engine/sqlite_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { TRIGGERS_MAX = 64 }; /* a table with more stays silent */

/* One trigger of the table, as the authorizer sees it at work. */
struct trigger {
    char name[128];
    bool writes;
};

struct watch {
    const struct sqlite_schema *schema;
    struct trigger triggers[TRIGGERS_MAX];
    uint32_t count;
    bool writes_replicated;
};

static bool is_replicated(const struct sqlite_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->base.count; i++)
        if (sqlite3_stricmp(schema->tables[i].base.definition->local_name, name) == 0)
            return true;
    return false;
}

/* Called while a statement is prepared, for all that it and the triggers under it do. */
static int authorize(void *data, int action, const char *table, const char *column,
                     const char *schema, const char *trigger)
{
    struct watch *watch = data;

    (void)column;
    if (trigger == NULL || table == NULL ||
        (action != SQLITE_INSERT && action != SQLITE_UPDATE && action != SQLITE_DELETE))
        return SQLITE_OK;
    if ((schema == NULL || strcmp(schema, "main") == 0) &&
        is_replicated(watch->schema, table))
        watch->writes_replicated = true;
    for (uint32_t i = 0; i < watch->count; i++)
        if (strcmp(watch->triggers[i].name, trigger) == 0)
            watch->triggers[i].writes = true;
    return SQLITE_OK;
}

/* *few: their names are all in watch. */
static enum status list_triggers(struct watch *watch, const struct definition *definition,
                                 bool *few, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_query(watch->schema->database,
                     "SELECT name FROM main.sqlite_schema WHERE type = 'trigger'"
                     " AND tbl_name = ?1 COLLATE NOCASE",
                     definition->local_name, &statement, err);

    *few = true;
    while (*few && status == STATUS_OK) {
        const char *name;

        status = sqlite_next_row(watch->schema->database, statement, err);
        if (status != STATUS_OK)
            break;
        name = (const char *)sqlite3_column_text(statement, 0);
        if (name == NULL) {
            status = sqlite_failed(watch->schema->database, definition->local_name, err);
            break;
        }
        *few =
            watch->count < TRIGGERS_MAX && strlen(name) < sizeof watch->triggers[0].name;
        if (*few)
            memcpy(watch->triggers[watch->count++].name, name, strlen(name) + 1);
    }
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Prepare one statement of each kind, so that every trigger of the table comes by. */
static enum status prepare_all(struct sqlite_schema *schema,
                               const struct definition *definition, struct error *err)
{
    static const char *const starts[] = {"INSERT INTO ", "UPDATE ", "DELETE FROM "};
    struct buffer sql = {0};
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sizeof starts / sizeof *starts && status == STATUS_OK; i++) {
        sqlite3_stmt *statement = NULL;
        const char *between = " SET ";

        sql_put(&sql, starts[i]);
        sql_put_table(&sql, SCHEMA_MAIN, definition);
        if (i == 0)
            sql_put(&sql, " DEFAULT VALUES");
        for (uint32_t c = 0; i == 1 && c < definition->column_count; c++) {
            if (definition->columns[c].generated != GENERATED_NO)
                continue;
            sql_put(&sql, between);
            sqlite_put_quoted(&sql, definition->columns[c].name);
            sql_put(&sql, " = NULL");
            between = ", ";
        }
        status = sql_prepare(schema->database, &sql, &statement, err);
        (void)sqlite3_finalize(statement);
    }
    buffer_release(&sql);
    return status;
}

enum status sqlite_triggers_classify(struct sqlite_schema *schema,
                                     struct sqlite_table *table, enum trigger_mode mode,
                                     struct error *err)
{
    struct watch watch = {.schema = schema};
    sqlite3 *handle = sqlite_database_handle(schema->database);
    struct error ignored;
    bool few = true;
    enum status status;

    table->base.fires = false;
    if (mode == TRIGGERS_OFF)
        return STATUS_OK;
    status = list_triggers(&watch, table->base.definition, &few, err);
    if (status != STATUS_OK || watch.count == 0)
        return status;
    if (mode == TRIGGERS_ON) {
        table->base.fires = true;
        return STATUS_OK;
    }
    sqlite_schema_fire(schema, true);
    (void)sqlite3_set_authorizer(handle, authorize, &watch);
    /* A trigger that does not even prepare stays silent, rather than refuse every row. */
    status = prepare_all(schema, table->base.definition, &ignored);
    (void)sqlite3_set_authorizer(handle, NULL, NULL);
    sqlite_schema_fire(schema, false);
    table->base.fires = status == STATUS_OK && few && !watch.writes_replicated;
    for (uint32_t i = 0; i < watch.count; i++)
        table->base.fires = table->base.fires && watch.triggers[i].writes;
    return status == STATUS_NO_MEMORY ? error_set(err, status, "triggers: out of memory")
                                      : STATUS_OK;
}

enum status sqlite_triggers_silent(struct sqlite_database *database,
                                   const struct catalog *catalog, enum trigger_mode mode,
                                   bool *silent, struct error *err)
{
    struct sqlite_schema schema = {.database = database,
                                   .base = {.count = catalog->count}};
    enum status status = STATUS_OK;

    schema.tables = calloc(catalog->count + 1, sizeof *schema.tables);
    if (schema.tables == NULL)
        return error_set(err, STATUS_NO_MEMORY, "triggers: out of memory");
    for (size_t i = 0; i < catalog->count; i++)
        schema.tables[i].base.definition = catalog->definitions[i];
    for (size_t i = 0; i < catalog->count && status == STATUS_OK; i++) {
        struct watch watch = {.schema = &schema};
        bool few = true;

        status = list_triggers(&watch, catalog->definitions[i], &few, err);
        if (status == STATUS_OK)
            status = sqlite_triggers_classify(&schema, &schema.tables[i], mode, err);
        silent[i] = watch.count > 0 && !schema.tables[i].base.fires;
    }
    free(schema.tables);
    return status;
}
