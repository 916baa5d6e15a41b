/* What a SQLite database holds, as a catalog; and what else its schema tells. */
#ifndef ENGINE_SQLITE_CATALOG_H
#define ENGINE_SQLITE_CATALOG_H

#include "engine/catalog.h"
#include "engine/sqlite_database.h"
#include "engine/table_names.h"

/* Read the schema within the caller's read or write transaction, with the fleet's names
 * of tables as far as rules and txn's store tell; either may be NULL. Tables named
 * rowferry_state, rowferry_outbox and sqlite_* are left out silently. REFUSED: a rule
 * can't be followed, or names a table (--tables) that is not there. */
MUST_CHECK enum status sqlite_catalog_read(struct sqlite_database *database,
                                           const struct table_rules *rules,
                                           struct store_txn *txn, struct catalog *out,
                                           struct error *err);

/* Whether the database has a table (or, views: a view) of this name. */
MUST_CHECK enum status sqlite_has_table(struct sqlite_database *database,
                                        const char *table, bool views, bool *has,
                                        struct error *err);

/* Whether the table's key is its rowid, which SQLite counts up in each database by
 * itself: nodes may give one number to two rows. */
bool sqlite_numbers_rows(const struct definition *definition);

/* PRAGMA foreign_key_check among the catalog's tables, in a transaction of the caller's:
 * what is broken ("c has 3 rows without a parent in p"), for free(); *why is NULL when
 * every reference holds. Keys of or to tables that are not replicated count nowhere. */
MUST_CHECK enum status sqlite_foreign_keys_broken(struct sqlite_database *database,
                                                  const struct catalog *catalog,
                                                  char **why, struct error *err);

/* Read the outsiders, in a transaction of the caller's; afterwards outsiders_release(),
 * also after a failure. */
MUST_CHECK enum status sqlite_outsiders_read(struct sqlite_database *database,
                                             const struct catalog *catalog,
                                             struct outsiders *out, struct error *err);

/* Make the definition's table by its own statements. NOT_FOUND: they need a function, a
 * collation or a module that is not here, err says which; some of them may have been run:
 * ROLLBACK TO is the caller's. REFUSED: they are not SQLite's, or do more than make it.
 */
MUST_CHECK enum status sqlite_create_table(struct sqlite_database *database,
                                           const struct definition *definition,
                                           struct error *err);

/* Whether SQLite's message is about a function, a collation or a module that a program
 * registers: only its words say so. */
bool sqlite_is_lacking(const char *message);

#endif
