/* What a Postgres database holds: its tables as definitions, and those that rowferry
 * can't replicate, with the reason. */
#ifndef ENGINE_POSTGRES_CATALOG_H
#define ENGINE_POSTGRES_CATALOG_H

#include "engine/catalog.h"
#include "engine/postgres_connection.h"
#include "engine/table_names.h"

/* Read the schema within the caller's transaction, with the fleet's names of tables as
 * far as rules and txn's store tell; either may be NULL. Ordinary tables and the roots of
 * partitioned ones, in all schemas but Postgres's own and `rowferry`; temporary tables
 * and those of extensions are left out silently. The session's search_path has pg_catalog
 * only. REFUSED: a rule can't be followed, or names a table (--tables) that is not there.
 */
MUST_CHECK enum status postgres_catalog_read(struct postgres *postgres,
                                             const struct table_rules *rules,
                                             struct store_txn *txn, struct catalog *out,
                                             struct error *err);

/* Another number when the schema may be another, as catalog.schema_version has it. It
 * looks at the catalogs of user tables only; data, VACUUM and ANALYZE change nothing. */
MUST_CHECK enum status postgres_schema_version(struct postgres *postgres,
                                               int64_t *version, struct error *err);

/* Whether the database has a table (ordinary, partitioned or foreign; views: or a view)
 * of this name, as people write it or as the database spells it. */
MUST_CHECK enum status postgres_has_table(struct postgres *postgres, const char *table,
                                          bool views, bool *has, struct error *err);

/* How many rows a table has, by its local name, partitions too: counted; or (estimate)
 * what ANALYZE found last, -1 when it never ran. */
MUST_CHECK enum status postgres_count_rows(struct postgres *postgres,
                                           const char *local_name, bool estimate,
                                           int64_t *rows, struct error *err);

/* Foreign keys among the catalog's tables that nobody has validated: ("c_p_fkey of c to p
 * is NOT VALID"), for free(); *why is NULL when there is none. Postgres keeps to all
 * others by itself. */
MUST_CHECK enum status postgres_foreign_keys_broken(const struct catalog *catalog,
                                                    char **why, struct error *err);

#endif
