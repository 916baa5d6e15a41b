/* The merge: one change of an entry against the row index, once, when the entry enters
 * the log (DESIGN section 5). A maximum over a total order; conflicts are told by causal
 * contexts.
 *
 * Every pair of concurrent writes of a row with other content gives its smaller one a
 * conflict record, whatever the order of arrival: an incoming change is held not only
 * against the winner but against each earlier change of the row that it had not seen,
 * which the row's history (a chain of places) finds.
 *
 * A node that joins with rows of its own and lets the fleet's win logs those that differ
 * as base rows, each with the fleet's winner as `unseen`: by its version it loses to
 * every other write (to the fleet's base rows, too: log/identity.h), by `unseen` it is
 * concurrent. So this merge records it as a conflict on every node, and needs to be told
 * nothing. Private to log/. */
#ifndef LOG_MERGE_H
#define LOG_MERGE_H

#include "log/conflicts.h"
#include "log/image.h"
#include "log/log_record.h"
#include "log/row_record.h"
#include "log/walks.h"

struct merge {
    struct store_txn *txn;
    uint64_t seq; /* of the entry in this store's log */
    const struct entry_header *header;
    const struct version_vector *context; /* cumulative, at the entry */
    bool local;
    uint64_t now_us;
    uint64_t window;      /* every entry below this seq was seen by the context */
    uint32_t notes_first; /* index of the first change that notes is about */
    uint64_t conflicts;   /* counted up */
    struct walks *walks;  /* of whoever appends */
    struct buffer scratch, memory, co;
    struct version_vector held; /* of the log */
};

void merge_release(struct merge *merge);

/* Find the window from the contexts: the lowest seq of an entry that the context lacks.
 */
MUST_CHECK enum status merge_start(struct merge *merge, struct error *err);

/* Merge the change at index; note what became of it in notes. */
MUST_CHECK enum status merge_change(struct merge *merge, const struct change *change,
                                    uint32_t index, struct notes *notes,
                                    struct error *err);

#endif
