/* A target: the database that the log is applied to. A new kind of database is one of
 * these. */
#ifndef APPLY_TARGET_H
#define APPLY_TARGET_H

#include "log/store.h"

struct target {
    const struct target_ops *ops;
};

/* What one call did. */
struct apply_counts {
    uint64_t entries;
    uint64_t rows;    /* written or deleted */
    uint64_t removed; /* of these: the database had them, and by the log it should not */
    uint64_t parked;  /* newly parked, evicted ones included */
    uint64_t evicted; /* of these: rows that were shown before */
    uint64_t released;
    uint64_t quarantined;
    uint64_t retried; /* rows that left the quarantine */
    uint64_t parked_by_parent;
    uint64_t orphaned; /* rows of tables that are not replicated: their parent is gone */
    uint64_t captured; /* local changes found under the lock */
    uint64_t kept; /* rows written that keep values in columns that their image lacks */
};

void apply_counts_add(struct apply_counts *to, const struct apply_counts *more);

struct target_ops {
    /* Bring store and target to one position (fold or drop an intent). Blocks.
     * REFUSED: a restored database or store. */
    enum status (*settle)(struct target *target, struct error *err);

    /* Apply the next batch of entries in one transaction, record the position in it,
     * fold. Blocks: called on a worker, never twice at once. counts are added to.
     * NOT_FOUND: nothing new. BUSY, IO: nothing was applied, worth a retry. Else final.
     */
    enum status (*apply_batch)(struct target *target, struct apply_counts *counts,
                               struct error *err);

    /* Try parked and quarantined rows again after something outside changed (the schema,
     * a local write). Called when there is nothing new. NOT_FOUND: nothing to do. */
    enum status (*retry)(struct target *target, struct apply_counts *counts,
                         struct error *err);
    void (*close)(struct target *target);
};

#endif
