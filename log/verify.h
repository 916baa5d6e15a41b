/* Whether a store is what its entries say: records and their checksums, every origin's
 * hash chain and signatures, dense numbers, and the row index against the log. Reads
 * only.
 *
 * Memory: one hash an origin. Time: the whole log is read once, in order. */
#ifndef LOG_VERIFY_H
#define LOG_VERIFY_H

#include "log/store.h"

struct verify_report {
    uint64_t entries;
    uint64_t changes;
    uint64_t rows;
    uint64_t signatures;
    uint64_t bad_seq; /* the first bad entry by this store's numbers; 0: none */
};

/* OK: all is right. DIFFERENT: err names the first bad entry and what is wrong with it.
 * Any other: the store could not be read. */
MUST_CHECK enum status verify_store(struct store *store, struct verify_report *report,
                                    struct error *err);

#endif
