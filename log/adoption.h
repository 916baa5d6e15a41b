/* How an entry whose items are complete enters the log: merged at once when it is small,
 * else adopted and merged part by part (DESIGN section 5, "Large transactions"). Private
 * to log/. */
#ifndef LOG_ADOPTION_H
#define LOG_ADOPTION_H

#include "log/appender.h"
#include "log/merge.h"

/* A complete entry. Its seq is the log's next. */
struct admission {
    struct entry_header header;
    struct bytes header_bytes;
    uint8_t hash[HASH_SIZE];
    const struct version_vector *context; /* cumulative, without the origin's own slot */
    bool local;
    uint64_t run;      /* where the items are; 0: in body */
    struct bytes body; /* not LMDB's memory */
    const struct meta_update *updates;
    size_t update_count;
};

/* What admitting takes of memory, kept from one entry to the next. All zeroes at first.
 */
struct admit_memory {
    struct merge merge;
    struct walks walks; /* walks_init() first; nothing that was not committed */
    struct notes notes;
    struct buffer noted, record;
    struct version_vector vector;
};
void admit_memory_release(struct admit_memory *memory);

/* Merge a small entry inside txn: afterwards it is visible there. conflicts is added to.
 */
MUST_CHECK enum status admit_whole(struct store_txn *txn,
                                   const struct admission *admission,
                                   struct admit_memory *memory, uint64_t *seq,
                                   uint64_t *conflicts, struct error *err);

/* Fix the place of an entry in parts inside txn; adoption_settle() merges it. */
MUST_CHECK enum status admit_parts(struct store_txn *txn,
                                   const struct admission *admission, uint64_t *seq,
                                   struct error *err);

/* Do the steps that a pending adoption lacks, each in a transaction of its own. */
MUST_CHECK enum status adoption_settle(struct store *store, uint64_t *conflicts,
                                       struct error *err);

#endif
