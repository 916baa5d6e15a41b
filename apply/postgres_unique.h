/* Who stands in a row's way: rows of the user's table that have one of its unique values,
 * or that an exclusion forbids beside it, as the index itself compares them: its
 * operators, collations, expressions and condition. */
#ifndef APPLY_POSTGRES_UNIQUE_H
#define APPLY_POSTGRES_UNIQUE_H

#include "apply/postgres_schema.h"

/* Read them, when that was not yet; sets base.exclusions. The table's copy
 * (apply/postgres_other.h) has done it when it is made. */
MUST_CHECK enum status postgres_claims_open(struct postgres_table *table,
                                            struct postgres *postgres, struct error *err);
void postgres_claims_close(struct postgres_table *table);

/* Find who meets claim number `at` (a unique constraint of the definition, behind them
 * the exclusions) of the one row in the table's copy; the one after `skip` such rows.
 * NOT_FOUND, a plain answer: nobody. *key: cleared, then the holder's. */
MUST_CHECK enum status postgres_unique_holder(struct postgres_schema *schema,
                                              struct postgres_table *table, uint32_t at,
                                              uint32_t skip, struct buffer *key,
                                              struct error *err);

/* Of a row in the copy, with this key: whether another one meets a claim that the server
 * does not check in the role of a replica, since it may be checked late. */
MUST_CHECK enum status postgres_unique_probe(struct postgres_schema *schema,
                                             struct postgres_table *table,
                                             struct bytes key, bool *met,
                                             struct error *err);

#endif
