/* The part of node/numbers.h that is about sequences of Postgres. */
#ifndef NODE_NUMBERS_POSTGRES_H
#define NODE_NUMBERS_POSTGRES_H

#include "node/numbers.h"

/* Move the sequences that are not where they must be, each by itself; one that can't be
 * is told, and left. Nothing is open on the connection. */
MUST_CHECK enum status numbers_postgres_keep(const struct numbers *numbers, uint32_t slot,
                                             struct error *err);

/* As numbers_rule(), where ids are IDS_RANGE. */
MUST_CHECK enum status numbers_postgres_rule(struct postgres *postgres,
                                             const struct definition *definition,
                                             struct init_rule *rule, struct error *err);

#endif
