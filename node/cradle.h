/* The cradle: a directory beside the place of a store (STORE.init), in which the store is
 * made and from which one rename moves it into place.
 *
 *   STORE.init/id      node id of the store being made, 16 hex digits; its maker's flock
 *   STORE.init/store   the store
 *
 * A dead init leaves its cradle behind. The next one takes it over and its node id with
 * it: a rowferry_state in the database that names this id is its own. */
#ifndef NODE_CRADLE_H
#define NODE_CRADLE_H

#include "log/error.h"

#include <stdbool.h>
#include <stdint.h>

struct cradle;

/* The node id that a dead init left beside store; 0 when there is none. */
uint64_t cradle_left_id(const char *store);

/* Whether a dead init left anything beside store, were it only the empty directory: then
 * a store in place is its own, and it died before it could say so. */
bool cradle_is_left(const char *store);

/* Make the cradle of store, or take over a dead one's, with its half-made store. On
 * success *out is the caller's, for cradle_close(). REFUSED: another init is at work.
 * UNAVAILABLE: no such directory, or not writable. FULL, IO, NO_MEMORY: nothing is left.
 */
MUST_CHECK enum status cradle_open(struct cradle **out, const char *store,
                                   struct error *err);

/* Where to make the store, and where a dead init has left its own until it is removed. */
const char *cradle_folder(const struct cradle *cradle);
void cradle_empty(struct cradle *cradle);

/* Keep the node id, durably. */
MUST_CHECK enum status cradle_keep_id(struct cradle *cradle, uint64_t node,
                                      struct error *err);

/* Move the store into place, durably. On failure it is not there. */
MUST_CHECK enum status cradle_place(struct cradle *cradle, struct error *err);

/* What becomes of the id. */
enum cradle_end {
    CRADLE_AS_FOUND, /* what it had at open stays */
    CRADLE_FORGET,   /* the store is in place */
    CRADLE_KEEP,     /* rowferry_state names it: the same init may go on */
    CRADLE_KEEP_ALL, /* the half-made store, too: the same init goes on with it */
};

/* Remove what is not to stay, and itself when it keeps no id. NULL is allowed. */
void cradle_close(struct cradle *cradle, enum cradle_end end);

#endif
