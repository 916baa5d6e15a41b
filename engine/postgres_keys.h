/* What binds a Postgres table's rows together: its key, unique constraints and foreign
 * keys. */
#ifndef ENGINE_POSTGRES_KEYS_H
#define ENGINE_POSTGRES_KEYS_H

#include "engine/postgres_table.h"

/* A unique index that is valid. */
struct postgres_index {
    struct unique_key unique;
    bool is_primary;  /* the table's primary key */
    bool is_identity; /* its replica identity */
    bool is_exact;    /* its values are equal when, and only when, their bytes are */
};

struct postgres_indexes {
    struct postgres_index *list; /* the arena's */
    uint32_t count;
};

/* Of a query about tables ($1): what postgres_indexes_read() reads; version: the
 * server's. */
MUST_CHECK enum status postgres_indexes_query(struct postgres *postgres, const char *oids,
                                              struct postgres_rows *out,
                                              struct error *err);
extern const char postgres_foreign_keys_sql[];

/* Take all of a table's indexes: the primary key first, then by name. exact: for each
 * column whether its values are equal when their bytes are. */
MUST_CHECK enum status postgres_indexes_read(struct postgres_rows *rows, size_t place,
                                             const struct definition *definition,
                                             const bool *exact, struct arena *arena,
                                             struct postgres_indexes *out,
                                             struct error *err);

/* Settle by which columns the table, whose columns are known, takes part, and fill in
 * definition->uniques: those of its replica identity's index; its primary key; its
 * rule's; the fleet's key of it. *why, for free(): it can't take part. REFUSED: the rule
 * can't be followed; says why. */
MUST_CHECK enum status postgres_key_choose(struct definition *definition,
                                           const struct postgres_indexes *indexes,
                                           const struct postgres_table *table,
                                           struct arena *arena, char **why,
                                           struct error *err);

/* Fill in definition->foreign_keys by name, with the fleet's names of the parents. Those
 * to partitions are left out. */
MUST_CHECK enum status
postgres_foreign_keys_read(struct postgres_rows *rows, size_t place,
                           const struct table_names *names, struct arena *arena,
                           struct definition *definition, struct error *err);

#endif
