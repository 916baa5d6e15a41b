/* Triggers that came with a table and need what is not here: a table that is not
 * replicated, say. Whatever fires one of them fails, also the application's own writes.
 */
#ifndef ENGINE_SQLITE_DANGLING_H
#define ENGINE_SQLITE_DANGLING_H

#include "engine/sqlite_database.h"
#include "log/definition.h"

/* why: SQLite's message. All views end with the call. */
typedef void (*sqlite_dangling_cb)(void *data, const char *trigger, const char *table,
                                   const char *why);

/* Drop those of the tables named by the definitions (local names), each told to `left`. A
 * function, a collation or a module that this program lacks is no reason: the application
 * may have it. Within the caller's write transaction; leaves triggers off. */
MUST_CHECK enum status sqlite_dangling_drop(struct sqlite_database *database,
                                            const struct definition *const *definitions,
                                            uint32_t count, sqlite_dangling_cb left,
                                            void *data, struct error *err);

#endif
