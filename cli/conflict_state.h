/* What became of a conflict's row since, told from the row as the log has it now, so that
 * it is the same on every node; but which node kept both rows only that one knows. */
#ifndef CLI_CONFLICT_STATE_H
#define CLI_CONFLICT_STATE_H

#include "cli/view.h"
#include "log/conflicts.h"

enum conflict_state {
    CONFLICT_OPEN,      /* the row still is what the winner made it */
    CONFLICT_RESTORED,  /* it is again what the loser had made it */
    CONFLICT_KEPT_BOTH, /* the loser was inserted here under another key */
    CONFLICT_WRITTEN,   /* it was written again otherwise */
};

MUST_CHECK enum status conflict_state(struct view *view, const struct conflict *conflict,
                                      enum conflict_state *state, struct error *err);

/* For JSON; and for people, "" for an open one. */
const char *conflict_state_word(enum conflict_state state);
const char *conflict_state_sentence(enum conflict_state state);

#endif
