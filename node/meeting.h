/* The rows that a joining node's database has already meet those of the fleet (DESIGN
 * section 8, "Joining"): equal ones are one, without conflict; those that the fleet has
 * not are left for capture to find, as new writes; any that differ are refused. */
#ifndef NODE_MEETING_H
#define NODE_MEETING_H

#include "node/node_private.h"

/* Compare, and let the store say that the database holds the equal rows. The caller holds
 * all locks and a write transaction on the database, so that neither side moves; it has
 * begun none on the store. again: an
 * earlier call may have done so and then was cut off: what it said is taken back first.
 * said: meta value to be set before the first row is said to be held, so that the next
 * call knows. REFUSED: rows differ, how many in each table; or it is not clear which of
 * the fleet's tables one is; nothing was changed. */
MUST_CHECK enum status meeting_hold(struct node *node, bool again, struct bytes said,
                                    struct error *err);

/* Compare only, for a node whose join is pending: which rows differ. Reads, in
 * transactions of its own. visit may be NULL; counts and failures are node_diff's.
 * REFUSED: nothing of the fleet is here; or the first sync was cut off where what differs
 * is this node's own. */
MUST_CHECK enum status meeting_diff(struct node *node, diff_row_cb visit, void *data,
                                    struct diff_counts *counts, struct error *err);

#endif
