/* Capture of rowferry_outbox: transactions as recorders (extension/) stored them, one
 * entry each, with the time of its commit (DESIGN section 6).
 *
 * A recorded changeset is laid over what the store says the database holds, and what
 * differs is logged: so a change that the log has already, by a scan or by another
 * recorder's call, is not logged twice. From the first transaction that can't be told
 * whole (its rows are damaged or ask for a scan; they are of a table whose columns have
 * changed since in another way than by added ones; it updates a row that the log does not
 * have) nothing is logged: the scan that follows in the same snapshot finds what it and
 * those after it changed, as one entry. Memory stays bounded by one part. */
#ifndef CAPTURE_SQLITE_OUTBOX_H
#define CAPTURE_SQLITE_OUTBOX_H

#include "capture/scan_schema.h"
#include "capture/source.h"

struct sqlite_outbox_order {
    uint64_t counter;       /* of rowferry_state, as read in this transaction */
    int64_t schema_version; /* of the database, as read in this transaction */
};

struct sqlite_outbox_result {
    uint64_t taken; /* id of the last row that is in the log or passed over; 0: none */
    bool scan;      /* something of what was taken was passed over */
};

/* Log what is in the outbox and not yet in the log, in the transaction that is open on
 * the database; durable on return. schema: as it is logged. Nothing is removed.
 * CORRUPT: never for what a row holds, that is passed over. */
MUST_CHECK enum status
sqlite_outbox_drain(struct sqlite_database *database, struct scan_schema *schema,
                    struct layer_run *run, const struct sqlite_outbox_order *order,
                    struct sqlite_outbox_result *result, struct error *err);

/* Id of the newest row; 0: there is none, or no outbox. What is there when a node is made
 * or a database was restored is not to be logged: META_OUTBOX begins with this. */
MUST_CHECK enum status sqlite_outbox_newest(struct sqlite_database *database,
                                            uint64_t *id, struct error *err);

/* Remove the rows up to id, but for the last of all: ids never come back. Within the
 * caller's write transaction. */
MUST_CHECK enum status sqlite_outbox_forget(struct sqlite_database *database, uint64_t id,
                                            struct error *err);

#endif
