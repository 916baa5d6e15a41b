/* How far a node is: what it has to tell others. */
#ifndef NODE_LOG_STATE_H
#define NODE_LOG_STATE_H

#include "log/store.h"

struct log_state {
    uint64_t last_seq; /* of the log */
    uint64_t applied;  /* that the database has taken: it is told, too */
};

MUST_CHECK enum status log_state_read(struct store *store, struct log_state *state,
                                      struct error *err);
bool log_state_same(const struct log_state *a, const struct log_state *b);

#endif
