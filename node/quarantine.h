/* What people decide about rows that this database refuses: try now, or keep what the
 * database has. */
#ifndef NODE_QUARANTINE_H
#define NODE_QUARANTINE_H

#include "node/write_back.h"

struct retry_report {
    uint64_t tried;        /* rows that were in the quarantine */
    uint64_t refused;      /* of these, still there */
    bool parked;           /* the one asked for is now */
    uint32_t table;        /* the one asked for */
    struct buffer key;     /* owned: its key */
    struct buffer message; /* owned: why it is still refused; empty: it is not */
    struct write_back_counts counts;
};

/* All zero before; also after a failure. */
void retry_report_release(struct retry_report *report);

/* Capture and apply what waits, then try the row with this number (0: all of them) again.
 * NOT_FOUND: there is no such row. */
MUST_CHECK enum status node_quarantine_retry(struct node *node, uint64_t number,
                                             struct retry_report *report,
                                             struct error *err);

enum drop_result {
    DROP_KEPT,    /* the row that this database has is a new change */
    DROP_DELETED, /* it has none: the new change is a delete */
    DROP_LEFT,    /* apply had it leave the quarantine: nothing to drop */
};

struct drop_report {
    enum drop_result result;
    uint32_t table;
    struct buffer key; /* owned */
    uint64_t seq;      /* of the new change; 0: none */
    struct write_back_counts counts;
};
void drop_report_release(struct drop_report *report);

/* "I accept what my database has": after capture and apply, log the row as the database
 * shows it, or its absence, as a change of this node's that has seen the refused one and
 * wins over it on every node. The database itself is not changed. NOT_FOUND: there is no
 * such row. REFUSED: this database has no such table, so it says nothing of the row. */
MUST_CHECK enum status node_quarantine_drop(struct node *node, uint64_t number,
                                            struct drop_report *report,
                                            struct error *err);

#endif
