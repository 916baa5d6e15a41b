/* Small queries about the schema. Internal to engine/. */
#ifndef ENGINE_SQLITE_QUERY_H
#define ENGINE_SQLITE_QUERY_H

#include "engine/sqlite_database.h"
#include "log/arena.h"

/* Prepare a query whose first parameter is a name, if not NULL; it must outlive the
 * query. On success the caller finalizes it. */
MUST_CHECK enum status sqlite_query(struct sqlite_database *database, const char *sql,
                                    const char *name, sqlite3_stmt **out,
                                    struct error *err);

/* Step to the next row. NOT_FOUND, a plain answer: there is none. */
MUST_CHECK enum status sqlite_next_row(struct sqlite_database *database,
                                       sqlite3_stmt *statement, struct error *err);

/* A copy with a NUL at its end; NULL when there is no memory. */
const char *sqlite_arena_text(struct arena *arena, const void *text, size_t size);

/* The text in the current row, copied; *out is NULL for NULL. */
MUST_CHECK enum status sqlite_copy_text(struct arena *arena, sqlite3_stmt *statement,
                                        int column, const char **out, struct error *err);

#endif
