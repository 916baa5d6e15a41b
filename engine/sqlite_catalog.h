/* What a SQLite database holds: its tables as definitions, and those that rowferry can't
 * replicate, with the reason. */
#ifndef ENGINE_SQLITE_CATALOG_H
#define ENGINE_SQLITE_CATALOG_H

#include "engine/sqlite_database.h"
#include "engine/table_names.h"

struct catalog_skipped {
    char *name;     /* the database's */
    bool ambiguous; /* which of the fleet's tables it is must be said */
    char *why; /* "no primary key", "virtual table", "the key column x may be NULL and is
                  in 3 rows" */
};

struct sqlite_catalog {
    struct definition **definitions; /* owned; ascending by name; number 0 */
    size_t count;
    char **lacks; /* owned; of each definition: what a CHECK, an index or a generated
                     column needs and SQLite has not here ("no such function: f"); NULL:
                     nothing */
    struct catalog_skipped *skipped; /* owned */
    size_t skipped_count;
    int64_t schema_version;
};

/* Read the schema within the caller's read or write transaction, with the fleet's names
 * of tables as far as rules and txn's store tell; either may be NULL. Tables named
 * rowferry_state, rowferry_outbox and sqlite_* are left out silently. REFUSED: a rule
 * can't be followed, or names a table (--tables) that is not there. */
MUST_CHECK enum status sqlite_catalog_read(struct sqlite_database *database,
                                           const struct table_rules *rules,
                                           struct store_txn *txn,
                                           struct sqlite_catalog *out, struct error *err);

/* Whether the database has a table (or, views: a view) of this name. */
MUST_CHECK enum status sqlite_has_table(struct sqlite_database *database,
                                        const char *table, bool views, bool *has,
                                        struct error *err);

void sqlite_catalog_release(struct sqlite_catalog *catalog);

/* Whether the table's key is its rowid, which SQLite counts up in each database by
 * itself: nodes may give one number to two rows. */
bool sqlite_numbers_rows(const struct definition *definition);

/* PRAGMA foreign_key_check among the catalog's tables, in a transaction of the caller's:
 * what is broken ("c has 3 rows without a parent in p"), for free(); *why is NULL when
 * every reference holds. Keys of or to tables that are not replicated count nowhere. */
MUST_CHECK enum status sqlite_foreign_keys_broken(struct sqlite_database *database,
                                                  const struct sqlite_catalog *catalog,
                                                  char **why, struct error *err);

/* Tables that are not replicated and refer to some that are: nobody deletes their rows
 * when a parent is deleted elsewhere. */
struct sqlite_outsiders {
    struct definition *tables; /* columns, and the foreign keys to replicated tables */
    size_t count;
    void *memory; /* Private. */
};

/* Read them, in a transaction of the caller's; afterwards sqlite_outsiders_release(),
 * also after a failure. */
MUST_CHECK enum status sqlite_outsiders_read(struct sqlite_database *database,
                                             const struct sqlite_catalog *catalog,
                                             struct sqlite_outsiders *out,
                                             struct error *err);
void sqlite_outsiders_release(struct sqlite_outsiders *outsiders);

/* Make each foreign key of the catalog say whether it counts here. */
void sqlite_catalog_count_foreign_keys(struct sqlite_catalog *catalog, bool count);

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

/* Groups of tables for parking: order[i] is the group number of definitions[i]; parents
 * have smaller numbers than children; tables in a circle of references share one. */
MUST_CHECK enum status foreign_key_groups(const struct definition *const *definitions,
                                          size_t count, uint32_t *group,
                                          struct error *err);

#endif
