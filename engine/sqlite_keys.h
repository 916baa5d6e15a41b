/* What binds a SQLite table's rows together: its unique constraints and foreign keys. */
#ifndef ENGINE_SQLITE_KEYS_H
#define ENGINE_SQLITE_KEYS_H

#include "engine/sqlite_database.h"
#include "log/arena.h"
#include "log/definition.h"

/* Fill in definition->uniques of the table, whose columns are known: all unique indexes,
 * and the primary key where the engine compares it otherwise than as bytes. Ordered by
 * their kind and name, so that equal schemas list them equally. Memory is the arena's. */
MUST_CHECK enum status sqlite_uniques_read(struct sqlite_database *database,
                                           struct arena *arena,
                                           struct definition *definition,
                                           struct error *err);

/* Fill in definition->foreign_keys, in the order in which they were declared. One that
 * SQLite itself could not check (no such parent key) is left out. */
MUST_CHECK enum status sqlite_foreign_keys_read(struct sqlite_database *database,
                                                struct arena *arena,
                                                struct definition *definition,
                                                struct error *err);

#endif
