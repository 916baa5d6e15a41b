/* A batch that is written while capture still reads the echo of the one before. The
 * server decodes a batch for our slot only after its commit, and row by row: that takes
 * as long as writing it.
 *
 * Only where the store can do without that echo: the batch before was written in whole
 * and left nothing to say but "as planned", so what the database holds of its rows is in
 * the log (plan_range.written); nothing is parked, or waits for a repair. The guard stays
 * that of the batch before: whatever others have written since then is not touched. The
 * intent is written when the echo has passed, so there is never more than one.
 *
 * Whatever else may be the matter, of the database, the store or the server, ends such a
 * batch before it has become anything, and an ordinary one follows, which finds out. */
#ifndef APPLY_POSTGRES_AHEAD_H
#define APPLY_POSTGRES_AHEAD_H

#include "apply/postgres_target_private.h"

/* A batch was committed: note whether another may follow on it. */
void postgres_ahead_remember(struct postgres_target *target,
                             const struct postgres_batch *batch,
                             const struct intent *intent);

/* Make a batch ahead, if there is one to make. false: none was made, and counts are as
 * they were, but for what capture found. */
MUST_CHECK bool postgres_ahead_try(struct postgres_target *target,
                                   struct apply_counts *counts);

#endif
