/* Postgres's tables as definitions: many tables by few queries, then one after another.
 */
#ifndef ENGINE_POSTGRES_TABLE_H
#define ENGINE_POSTGRES_TABLE_H

#include "engine/postgres_rows.h"
#include "engine/table_names.h"
#include "log/arena.h"

/* What Postgres says of some tables. All zeroes is nothing. */
struct postgres_tables {
    struct postgres_rows columns, indexes, foreign_keys, statements;
};

/* oids: "{1,2,3}", each an ordinary or partitioned table's. In the caller's transaction;
 * the session's search_path has pg_catalog only. Release out also after a failure. */
MUST_CHECK enum status postgres_tables_query(struct postgres *postgres, const char *oids,
                                             struct postgres_tables *out,
                                             struct error *err);
void postgres_tables_release(struct postgres_tables *tables);

/* One of the tables. */
struct postgres_table {
    size_t place;  /* among the oids, from 1 */
    char identity; /* relreplident: d default, i index, f full, n nothing */
    const struct table_name *name; /* which is decided */
    const struct table_rule *rule; /* or NULL */
};

/* Make its definition, in ascending order of places; names: of all tables. On success
 * *out is the caller's, for definition_close(); its number is 0. NOT_FOUND: it can't be
 * replicated, *why, for free(), says why. REFUSED: it has not the key of its rule. */
MUST_CHECK enum status postgres_table_read(struct postgres_tables *tables,
                                           const struct table_names *names,
                                           const struct postgres_table *table,
                                           struct definition **out, char **why,
                                           struct error *err);

#endif
