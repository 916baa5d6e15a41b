#include "engine/sqlite_query.h"

#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
}

const char *sqlite_arena_text(struct arena *arena, const void *text, size_t size)
{
    char *copy = arena_take(arena, size + 1, 1); /* zeroed */

    if (copy != NULL && size > 0)
        memcpy(copy, text, size);
    return copy;
}

enum status sqlite_copy_text(struct arena *arena, sqlite3_stmt *statement, int column,
                             const char **out, struct error *err)
{
    const void *text = sqlite3_column_text(statement, column);
    size_t size = (size_t)sqlite3_column_bytes(statement, column);

    *out = NULL;
    if (text == NULL)
        return sqlite3_column_type(statement, column) == SQLITE_NULL ? STATUS_OK
                                                                     : no_memory(err);
    *out = sqlite_arena_text(arena, text, size);
    return *out != NULL ? STATUS_OK : no_memory(err);
}

enum status sqlite_query(struct sqlite_database *database, const char *sql,
                         const char *name, sqlite3_stmt **out, struct error *err)
{
    enum status status = sqlite_prepare(database, sql, out, err);

    if (status != STATUS_OK)
        return status;
    if (name == NULL || sqlite3_bind_text(*out, 1, name, -1, SQLITE_STATIC) == SQLITE_OK)
        return STATUS_OK;
    status = sqlite_failed(database, name, err);
    (void)sqlite3_finalize(*out);
    *out = NULL;
    return status;
}

enum status sqlite_next_row(struct sqlite_database *database, sqlite3_stmt *statement,
                            struct error *err)
{
    int rc = sqlite3_step(statement);

    if (rc == SQLITE_ROW)
        return STATUS_OK;
    return rc == SQLITE_DONE ? STATUS_NOT_FOUND
                             : sqlite_failed(database, "read the schema", err);
}
