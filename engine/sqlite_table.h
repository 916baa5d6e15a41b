/* One SQLite table as a definition. */
#ifndef ENGINE_SQLITE_TABLE_H
#define ENGINE_SQLITE_TABLE_H

#include "engine/sqlite_database.h"
#include "engine/table_names.h"
#include "log/arena.h"

struct sqlite_table_flags {
    bool without_rowid;
    bool strict;
};

/* Read columns, key, constraints and DDL of a table of schema main. names: of all tables;
 * name: this one's among them, which is decided; rule: for it, or NULL. On success *out
 * is the caller's, for definition_close(); its number is 0. NOT_FOUND: it can't be
 * replicated, *why (a constant) says why. REFUSED: it has not the key of its rule. */
MUST_CHECK enum status
sqlite_table_read(struct sqlite_database *database, const struct table_names *names,
                  const struct table_name *name, const struct table_rule *rule,
                  struct sqlite_table_flags flags, struct definition **out,
                  const char **why, struct error *err);

/* Only the columns and foreign keys of any table, in memory of the arena's, with the
 * database's names of parents: no key is needed. name must live as long. */
MUST_CHECK enum status sqlite_table_read_references(struct sqlite_database *database,
                                                    const char *name, struct arena *arena,
                                                    struct definition *out,
                                                    struct error *err);

/* How many rows have NULL in the key: rowid tables allow it. */
MUST_CHECK enum status sqlite_table_null_keys(struct sqlite_database *database,
                                              const struct definition *definition,
                                              int64_t *rows, struct error *err);

#endif
