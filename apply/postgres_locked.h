/* A batch whose tables are locked against all other writers, and before which capture has
 * passed all that they wrote: the store says what the database holds, rows are written
 * one by one, and constraints are decided (apply/parking.h).
 *
 * postgres_batch_ops is what parking asks of Postgres; batch->base.ops is that. */
#ifndef APPLY_POSTGRES_LOCKED_H
#define APPLY_POSTGRES_LOCKED_H

#include "apply/postgres_batch.h"

extern const struct batch_ops postgres_batch_ops;

/* Begin: once in a batch, in its transaction. Write what the plan says, deletes first.
 * Rows that meet a unique value are left to parking_resolve(), refused ones are noted. */
MUST_CHECK enum status postgres_locked_write_plan(struct postgres_batch *batch,
                                                  struct error *err);

/* Write one row. As above. */
MUST_CHECK enum status postgres_locked_write(struct postgres_batch *batch,
                                             const struct batch_row *row,
                                             struct error *err);

#endif
