/* Tables that take nothing (direction = out, or left out by --tables), and those that
 * take again.
 *
 * The rows of others are in the row index, and held images say what the database has
 * instead. The store knows such tables (META_OUT) as of its applied position: a batch
 * plans nothing of theirs, and one in which a table takes again brings whatever it has
 * missed, once. */
#ifndef APPLY_DIRECTION_H
#define APPLY_DIRECTION_H

#include "apply/batch.h"

/* Append the tables of which the database takes nothing now, for plan_range.out. One that
 * the database has lost stays as it was. */
MUST_CHECK enum status direction_out(const struct batch_schema *schema,
                                     struct store_txn *txn, struct buffer *out,
                                     struct error *err);

/* After the plan: write the rows that tables have missed which take again. CONSTRAINT: as
 * of parking_resolve(). */
MUST_CHECK enum status direction_bring(struct batch *batch, struct error *err);

/* Without a batch: keep META_SCHEMA_VERSION and META_OUT. */
MUST_CHECK enum status direction_remember(struct store *store, uint64_t rules,
                                          struct bytes out, struct error *err);

#endif
