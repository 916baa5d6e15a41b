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

/* ---- sets (apply/postgres_batch.c), in which most rows go
 *
 * planned: write a row of the plan alone; again: the same of one that a set had, and that
 * the server did not take with it. before, after: what parking must know of the set's
 * rows, of the table: parents that go, children that may lack theirs. */

/* Whether each row of the table goes alone: its key is not exact to the server, or it has
 * constraints that the server leaves for later, or local writes that are not captured. */
bool postgres_locked_is_single(const struct postgres_table *table);

MUST_CHECK enum status postgres_locked_planned(struct postgres_batch *batch,
                                               const struct planned *planned,
                                               struct error *err);
MUST_CHECK enum status postgres_locked_again(struct postgres_batch *batch,
                                             struct postgres_table *table,
                                             struct bytes key, struct error *err);
MUST_CHECK enum status postgres_locked_before(struct postgres_table *table,
                                              const struct postgres_set *set,
                                              struct error *err);
MUST_CHECK enum status postgres_locked_after(struct postgres_batch *batch,
                                             struct postgres_table *table,
                                             const struct postgres_set *set,
                                             struct error *err);

#endif
