/* What is shown when constraints forbid some rows: DESIGN section 7, exactly. The rule is
 * drawn above the code; model/parking.py is the same from scratch. */
#ifndef APPLY_PARKING_H
#define APPLY_PARKING_H

#include "apply/batch.h"

/* After the plan was written: decide what stands against what, group by group, parents
 * before children. Afterwards the database shows what it should, and batch->items,
 * batch->moved hold what the store must learn. CONSTRAINT: the batch begins anew
 * (batch_ops.mend_first, end). */
MUST_CHECK enum status parking_resolve(struct batch *batch, struct error *err);

/* The end of it: note what became of each row in hand, and count. Part of resolve. */
MUST_CHECK enum status parking_conclude(struct batch *batch, struct error *err);

/* Hand the parked rows of which something changed to the writer. */
MUST_CHECK enum status parking_write(struct batch *batch, struct intent_writer *writer,
                                     struct error *err);

#endif
