/* Capture of changesets that applications made themselves: each file is one transaction
 * that is in the database already, and becomes one entry.
 *
 * What the scan has found, or is to find, is not told apart by a position as in the
 * outbox, so a file is taken whole or not at all: when each of its rows was, before it,
 * what the store says the database holds, and no capture came after it. What is left out
 * is the next scan's: it logs what really changed. */
#ifndef CAPTURE_CHANGESET_LAY_H
#define CAPTURE_CHANGESET_LAY_H

#include "capture/changeset_file.h"
#include "capture/scan_schema.h"
#include "capture/source.h"

typedef void (*changeset_notice_cb)(void *data, const char *line);

struct changeset_order {
    const struct changeset_file *files; /* in the order of commits */
    size_t count;
    uint64_t counter;           /* of rowferry_state, as read in this transaction */
    uint64_t outbox;            /* of the outbox: id of the last row that is in the log */
    uint64_t floor_us;          /* what is older was captured, see changeset_floor() */
    changeset_notice_cb notice; /* may be NULL */
    void *notice_data;
};

/* The commit time of the newest own entry: a scan that came after a transaction has it.
 * Before the definitions of this capture are logged. */
MUST_CHECK enum status changeset_floor(struct store_txn *txn, uint64_t *floor_us,
                                       struct error *err);

/* Log the files, in the transaction that is open on the database; durable on return.
 * schema: as it is logged. A line for each file that was not logged,
 * and for each that has rows of tables which are not replicated. */
MUST_CHECK enum status changeset_lay(struct scan_schema *schema, struct layer_run *run,
                                     const struct changeset_order *order,
                                     struct error *err);

#endif
