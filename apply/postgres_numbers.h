/* Sequences of Postgres that feed integer keys (serial, identity, DEFAULT nextval), for
 * numbers of a node's own (engine/number_range.h). A sequence stays where it is when
 * larger numbers arrive: so it need not leave its block until that is half used, and
 * what nodes on SQLite do does not use up an integer's few rounds. Calls block. */
#ifndef APPLY_POSTGRES_NUMBERS_H
#define APPLY_POSTGRES_NUMBERS_H

#include "engine/postgres_connection.h"

#include <stdbool.h>

/* A sequence and what it feeds; views of the result that it is taken from. */
struct postgres_numbers {
    const char *table, *column;
    const char *sequence; /* as SQL */
    int64_t increment;
    int64_t largest; /* that sequence and column can have */
};

/* Those of one table, by its local name, or of all (NULL), integer columns that are no
 * keys among them: a row each, for postgres_numbers_at(). On success *out is the
 * caller's, for PQclear(). */
MUST_CHECK enum status postgres_numbers_read(struct postgres *postgres, const char *table,
                                             PGresult **out, struct error *err);
struct postgres_numbers postgres_numbers_at(const PGresult *found, int row);

/* Whether it can give a node's own numbers, whichever the node: it counts up, not too
 * fast, and its first round is whole. */
bool postgres_numbers_fit(const struct postgres_numbers *numbers);

/* Where the counter must stand after known; false: no block is left below its end. */
bool postgres_numbers_counter(const struct postgres_numbers *numbers, uint32_t slot,
                              int64_t known, int64_t *counter);

/* Whether the sequence stands where it must; else *counter: where it must stand, in a
 * block that no row is in, and *left: there is such a block. It fits. */
MUST_CHECK enum status postgres_numbers_look(struct postgres *postgres,
                                             const struct postgres_numbers *numbers,
                                             uint32_t slot, bool *right, bool *left,
                                             int64_t *counter, struct error *err);

/* Let the next number be one after counter. It stays when the transaction does not. */
MUST_CHECK enum status postgres_numbers_set(struct postgres *postgres,
                                            const struct postgres_numbers *numbers,
                                            int64_t counter, struct error *err);

#endif
