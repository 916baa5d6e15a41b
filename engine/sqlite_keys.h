/* What binds a SQLite table's rows together: its unique constraints and foreign keys. */
#ifndef ENGINE_SQLITE_KEYS_H
#define ENGINE_SQLITE_KEYS_H

#include "engine/sqlite_database.h"
#include "engine/table_names.h"
#include "log/arena.h"

/* Settle by which key the table, whose columns are known, takes part: told's columns, or
 * its primary key, or without one the columns that the fleet's definitions of it have as
 * their key; *chosen says that it is not the primary key. Such columns are NOT NULL and
 * exactly those of a unique index that is not partial. told: NULL, or a list of names.
 * REFUSED: told's columns are not such; says why. */
MUST_CHECK enum status sqlite_key_choose(struct sqlite_database *database,
                                         struct definition *definition, const char *told,
                                         const struct table_name *name, bool *chosen,
                                         struct error *err);

/* Fill in definition->uniques of the table, whose columns and key are known: all unique
 * indexes, and the key's where the engine compares it otherwise than as bytes. chosen: as
 * above. Ordered by their kind and name, so that equal schemas list them equally. Memory
 * is the arena's. */
MUST_CHECK enum status sqlite_uniques_read(struct sqlite_database *database,
                                           struct arena *arena, bool chosen,
                                           struct definition *definition,
                                           struct error *err);

/* Fill in definition->foreign_keys, in the order in which they were declared, with the
 * fleet's names of the parents (names: NULL, with the database's). One that SQLite itself
 * could not check (no such parent key) is left out. */
MUST_CHECK enum status sqlite_foreign_keys_read(struct sqlite_database *database,
                                                struct arena *arena,
                                                const struct table_names *names,
                                                struct definition *definition,
                                                struct error *err);

#endif
