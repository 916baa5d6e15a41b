/* Making a table from a definition that came with the log. */
#include "engine/schema.h"
#include "engine/sqlite_catalog.h"

#include <assert.h>
#include <string.h>

static bool is_schema_table(const char *table)
{
    return table != NULL &&
           (strcmp(table, "sqlite_master") == 0 || strcmp(table, "sqlite_schema") == 0);
}

/* Whether a statement that makes a table, an index or a trigger does this. The text comes
 * from another node: whatever else it asks for is not carried out. */
static int allow_create(void *data, int action, const char *third, const char *fourth,
                        const char *database, const char *trigger)
{
    (void)data, (void)fourth, (void)trigger;
    switch (action) {
    case SQLITE_CREATE_TABLE:
    case SQLITE_CREATE_INDEX:
    case SQLITE_CREATE_TRIGGER:
    case SQLITE_REINDEX:
        return database == NULL || strcmp(database, "main") == 0 ? SQLITE_OK
                                                                 : SQLITE_DENY;
    case SQLITE_FUNCTION: /* what an index, a CHECK or a generated column is made of */
    case SQLITE_READ:
    case SQLITE_SELECT:
        return SQLITE_OK;
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return is_schema_table(third) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

bool sqlite_is_lacking(const char *message)
{
    static const char *const words[] = {"no such function", "unknown function",
                                        "no such collation", "no such module"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(message, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static enum status failed(struct sqlite_database *database, struct error *err)
{
    const char *message = sqlite3_errmsg(sqlite_database_handle(database));
    enum status status = sqlite_failed(database, "its statements", err);

    if (status == STATUS_IO && sqlite_is_lacking(message))
        return error_set(err, STATUS_NOT_FOUND, "%s", message);
    return status;
}

/* Run the first statement of *sql and move *sql behind it. */
static enum status run_first(struct sqlite_database *database, const char **sql,
                             struct error *err)
{
    sqlite3 *handle = sqlite_database_handle(database);
    sqlite3_stmt *statement = NULL;
    enum status status = STATUS_OK;

    if (sqlite3_prepare_v2(handle, *sql, -1, &statement, sql) != SQLITE_OK)
        return failed(database, err);
    /* NULL: only white space was left. */
    if (statement != NULL && sqlite3_step(statement) != SQLITE_DONE) {
        status = sqlite3_errcode(handle) == SQLITE_ROW
                     ? error_set(err, STATUS_REFUSED, "its statements give rows")
                     : failed(database, err);
    }
    (void)sqlite3_finalize(statement);
    return status;
}

enum status sqlite_create_table(struct sqlite_database *database,
                                const struct definition *definition, struct error *err)
{
    sqlite3 *handle = sqlite_database_handle(database);
    struct schema_text text = {0};
    const char *sql;
    enum status status = schema_put(&text, definition, DIALECT_SQLITE, err);

    buffer_put(&text.tables, 0, 1);
    if (status == STATUS_OK)
        status = buffer_check(&text.tables, err);
    if (status != STATUS_OK) {
        schema_text_release(&text);
        return status;
    }
    sql = (const char *)text.tables.data;
    (void)sqlite3_set_authorizer(handle, allow_create, NULL);
    while (status == STATUS_OK && *sql != '\0')
        status = run_first(database, &sql, err);
    (void)sqlite3_set_authorizer(handle, NULL, NULL);
    schema_text_release(&text);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        return status;
    return error_wrap(err, status, definition->name);
}
