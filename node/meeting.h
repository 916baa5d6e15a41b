/* The rows that a joining node's database has already meet those of the fleet (DESIGN
 * section 8, "Joining"): equal ones are one, without conflict; those that the fleet has
 * not are left for capture to find, as new writes; any that differ are refused.
 *
 * The caller holds all locks and a write transaction on the database, so that neither
 * side moves; it has begun none on the store. */
#ifndef NODE_MEETING_H
#define NODE_MEETING_H

#include "node/node_private.h"

/* Compare, and let the store say that the database holds the equal rows. again: an
 * earlier call may have done so and then was cut off: what it said is taken back first.
 * said: meta value to be set before the first row is said to be held, so that the next
 * call knows. REFUSED: rows differ, how many in each table; or it is not clear which of
 * the fleet's tables one is; nothing was changed. */
MUST_CHECK enum status meeting_hold(struct node *node, bool again, struct bytes said,
                                    struct error *err);

#endif
