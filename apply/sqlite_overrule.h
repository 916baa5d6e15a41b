/* Triggers that fire in a batch (triggers = on) may write rows of the batch itself. The
 * fleet's write of such a row came with what the triggers of its own node made of it, so
 * it is written once more, with triggers silent: every node shows the same, and nobody
 * tells it as a write of its own. What triggers write elsewhere stays, as local writes.
 */
#ifndef APPLY_SQLITE_OVERRULE_H
#define APPLY_SQLITE_OVERRULE_H

#include "apply/sqlite_batch.h"

/* Let a row, which was written, be as it was written; and note what the store must learn
 * of it. What a constraint then forbids stays as the triggers left it, a local write.
 * Overwrites the writer's row at hand. */
MUST_CHECK enum status sqlite_overrule_row(struct sqlite_batch *batch,
                                           const struct batch_row *row,
                                           struct error *err);

/* Do so with all rows that the plan wrote, those aside that were refused or wait for
 * constraints; decide these (apply/parking.h); and once more, since that may fire
 * triggers too. Only decides where triggers write nothing that is replicated. */
MUST_CHECK enum status sqlite_overrule_resolve(struct sqlite_batch *batch,
                                               struct error *err);

#endif
