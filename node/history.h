/* Every version of a row, in the order in which this log met them, losers too. */
#ifndef NODE_HISTORY_H
#define NODE_HISTORY_H

#include "log/log_reader.h"

struct history_step {
    const struct log_change *change;
    const struct log_entry *entry;
    bool current;          /* the winner of today */
    bool beaten;           /* lost: when it came, or to a concurrent one later */
    struct version beater; /* when beaten */
    uint64_t
        conflict; /* number of its record; 0: none (it was the same, or had been seen) */
};

/* Return false to end the walk early. Views live until the callback returns. */
typedef bool (*history_visit_cb)(void *data, const struct history_step *step);

/* Newest last. NOT_FOUND: no such row. */
MUST_CHECK enum status history_walk(struct store_txn *txn, uint32_t table,
                                    struct bytes key, history_visit_cb visit, void *data,
                                    struct error *err);

#endif
