/* How a node's replication slot stands, for people. Reads only. */
#ifndef NODE_SLOT_STATE_H
#define NODE_SLOT_STATE_H

#include "engine/lsn.h"
#include "engine/postgres_slot.h"
#include "log/store.h"

struct slot_state {
    char name[POSTGRES_NAME_SIZE];
    bool known;   /* the server has answered */
    bool missing; /* known: there is no such slot */
    struct postgres_slot slot;
    struct lsn_text position; /* that is confirmed */
    bool is_timed;            /* something was written since capture last looked: */
    uint64_t left_seconds;    /* until the limit, when it goes on so; of a limited slot */
    struct error trouble; /* why it can't be used, or why it is not known; "": it can */
};

/* Ask the server of a node's database, by its URL. given: the slot of its administrator;
 * NULL: its own. A server that does not answer is no failure but trouble. NOT_FOUND, a
 * plain answer: the node has no slot: its database is not one of Postgres, or it has not
 * joined yet. */
MUST_CHECK enum status slot_state_read(struct slot_state *out, struct store_txn *txn,
                                       const char *url, const char *given,
                                       struct error *err);

#endif
