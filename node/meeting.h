/* The rows that a joining node's database has already meet those of the fleet (DESIGN
 * section 8, "Joining"): equal ones are one, without conflict; those that the fleet has
 * not are left for capture to find, as new writes; any that differ are refused, unless
 * the user has said which side is right. */
#ifndef NODE_MEETING_H
#define NODE_MEETING_H

#include "node/node_private.h"

struct meeting_terms {
    enum join_prefer prefer;
    bool again;        /* an earlier call held rows and then was cut off: what it said is
                          taken back first */
    uint64_t founder;  /* of the fleet */
    struct bytes said; /* META_JOIN, to be set before the first row is said to be held, so
                          that the next call knows */
};

/* Compare, and let the store say that the database holds the equal rows, and with
 * PREFER_LOCAL those that differ as well: then capture finds what of them is new. Says
 * how many differ in each table. The caller holds all locks and a write transaction on
 * the database, so that neither side moves; it has begun none on the store. REFUSED: rows
 * differ and neither side is preferred; or it is not clear which of the fleet's tables
 * one is; or the fleet's rows can't win over this node's; nothing was changed. */
MUST_CHECK enum status meeting_hold(struct node *node, const struct meeting_terms *terms,
                                    struct error *err);

/* Compare only, for a node whose join is pending: which rows differ. Reads, in
 * transactions of its own. visit may be NULL; counts and failures are node_diff's.
 * REFUSED: nothing of the fleet is here; or the first sync was cut off where what differs
 * is this node's own. */
MUST_CHECK enum status meeting_diff(struct node *node, diff_row_cb visit, void *data,
                                    struct diff_counts *counts, struct error *err);

#endif
