/* What layered.c and layered_commit.c share. */
#ifndef LOG_LAYERED_PRIVATE_H
#define LOG_LAYERED_PRIVATE_H

#include "log/layered.h"
#include "log/row_record.h"

/* What the last look for a key has found, for the put that mostly follows. */
struct looked {
    uint8_t key[ROW_LMDB_KEY_MAX];
    size_t key_size; /* 0: nothing */
    uint64_t hash;   /* of the key, with has_hash */
    bool has_hash;
    bool found;               /* there is a record */
    struct memtable_row *row; /* it is in the memtable, or NULL */
    const struct run *run;    /* it is in this one below that, or NULL */
    uintptr_t leaf;
};

enum { NO_LEAF = 1, PAGE_BITS = 12 };

/* The page, by its address, that a record or a key is in. */
static inline uintptr_t layered_leaf(const void *in_page)
{
    return (uintptr_t)in_page >> PAGE_BITS << PAGE_BITS;
}

struct layer {
    enum store_dbi dbi;
    struct runs runs;
    bool loaded; /* runs are as the transaction sees them now */
    bool counted;
    uint32_t last_number; /* of the runs when the transaction began */
    unsigned walks;
    struct looked looked;
    uintptr_t last_leaf; /* of the row that was put last; NO_LEAF: none yet */
    uint64_t keys;       /* that have a record, when the transaction began; */
    int64_t more;        /* and those that have come since, less those that have gone */
    struct memtable memtable;
};

/* Bring the memtable's rows to disk: to the tree, to a new run, in place. Load again
 * after it. */
MUST_CHECK enum status layered_flush(struct store_txn *txn, struct layer *layer,
                                     struct error *err);

/* Runs and count, if the transaction has not got them. */
MUST_CHECK enum status layered_load(struct store_txn *txn, struct layer *layer,
                                    struct error *err);
MUST_CHECK enum status layered_put_count(struct store_txn *txn, enum store_dbi layer,
                                         uint64_t keys, struct error *err);

#endif
