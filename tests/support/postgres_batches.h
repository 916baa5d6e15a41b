/* Batches into a real Postgres database, with their tables to themselves, from the store
 * of an apply node whose own SQLite database only lends its store: for tests of how
 * constraints are decided there. Nobody else writes to that database. */
#ifndef TESTS_SUPPORT_POSTGRES_BATCHES_H
#define TESTS_SUPPORT_POSTGRES_BATCHES_H

#include "apply/postgres_locked.h"
#include "tests/support/apply_fixture.h"
#include "tests/support/postgres_fixture.h"

struct batches {
    struct apply_node *node;
    struct postgres *postgres;
    struct sqlite_database *scratch;
    struct items *items;
    struct moved *moved;
    struct postgres_schema schema;
    uint64_t generation;        /* of the store's definitions, when it was read */
    struct apply_counts counts; /* of all batches */
};

/* node: its store; entries come by apply_carry(). */
void batches_open(struct batches *batches, struct cluster *cluster,
                  struct apply_node *node);
void batches_close(struct batches *batches);

/* Apply what is new, so many changes in a batch; or one batch of nothing. all: look at
 * everything. */
void batches_run(struct batches *batches, uint64_t changes_max, bool all);

/* What the first column of a query gives, rows joined by ';', NULL as "NULL". Valid until
 * the next call. */
const char *batches_text(struct batches *batches, const char *sql);
void batches_expect(struct batches *batches, const char *sql, const char *text);

#endif
