/* Which side is right where rows of a joining database are not as the fleet has them, and
 * what is said of it. */
#ifndef NODE_MEETING_SIDE_H
#define NODE_MEETING_SIDE_H

#include "node/meeting.h"

enum { DIFFERING_TEXT_SIZE = 400 }; /* of a line of 1,024 */

/* How many rows differ, table by table. All zero before. */
struct differing {
    char text[DIFFERING_TEXT_SIZE]; /* "item 3, part 1" */
    size_t left_out;                /* tables for which there was no room */
};

/* count: of rows, at least 1. */
void differing_add(struct differing *differing, const char *table, uint64_t count);

/* Rows differ: say how many, and go on by the side that is preferred. REFUSED: neither
 * is, with what to type; or the fleet's rows can't win over this node's. */
MUST_CHECK enum status meeting_take_side(struct node *node,
                                         const struct meeting_terms *terms,
                                         const struct differing *differing,
                                         struct error *err);

#endif
