/* What a SQLite database holds: its tables as definitions, and those that rowferry can't
 * replicate, with the reason. */
#ifndef ENGINE_SQLITE_CATALOG_H
#define ENGINE_SQLITE_CATALOG_H

#include "engine/sqlite_database.h"
#include "log/definition.h"

struct catalog_skipped {
    char *name;
    char *why; /* "no primary key", "virtual table", "the key column x may be NULL and is
                  in 3 rows" */
};

struct sqlite_catalog {
    struct definition **definitions; /* owned; ascending by name; number 0 */
    size_t count;
    struct catalog_skipped *skipped; /* owned */
    size_t skipped_count;
    bool
        foreign_keys_clean; /* PRAGMA foreign_key_check found nothing (only when asked) */
    int64_t schema_version;
};

/* Read the schema within the caller's read or write transaction. only: comma-separated
 * table names (--tables), NULL for all; a name that is not there: REFUSED. Tables named
 * rowferry_state, rowferry_outbox and sqlite_* are left out silently. */
MUST_CHECK enum status sqlite_catalog_read(struct sqlite_database *database,
                                           const char *only, struct sqlite_catalog *out,
                                           struct error *err);
/* Whether a table is among those of only. */
MUST_CHECK enum status sqlite_catalog_wants(const char *only, const char *table,
                                            bool *wanted, struct error *err);

void sqlite_catalog_release(struct sqlite_catalog *catalog);

/* PRAGMA foreign_key_check: whether every reference holds. */
MUST_CHECK enum status sqlite_foreign_keys_clean(struct sqlite_database *database,
                                                 bool *clean, struct error *err);

/* Statements that make the definition's table in an empty SQLite database (its own DDL).
 */
MUST_CHECK enum status sqlite_create_table(struct sqlite_database *database,
                                           const struct definition *definition,
                                           struct error *err);

/* Groups of tables for parking: order[i] is the group number of definitions[i]; parents
 * have smaller numbers than children; tables in a circle of references share one. */
MUST_CHECK enum status foreign_key_groups(const struct definition *const *definitions,
                                          size_t count, uint32_t *group,
                                          struct error *err);

#endif
