/* Sorted runs: what many-row transactions have written of the row index and of the held
 * images, and what is not in the trees `row` and `held` yet (log/layered.h; O'Neil et
 * al.: The log-structured merge-tree, 1996).
 *
 * Each layer (DBI_ROW, DBI_HELD) has two generations of at most RUNS_MAX runs, numbered
 * in the order in which they came. New ones go to the active generation; when it is full,
 * it is merged into the tree, while the other, empty by then, becomes the active one. Of
 * the records of one key that of the newest run counts, then the tree's. An empty record
 * is a tombstone: the key is not there. Private to log/. */
#ifndef LOG_RUNS_H
#define LOG_RUNS_H

#include "log/memtable.h"
#include "log/store_private.h"

enum { RUNS_MAX = 16, RUN_GENERATIONS = 2, RUN_KEY_MAX = 4 + 511 };

struct run {
    unsigned generation;
    uint32_t number;
    uint64_t rows;
    struct bytes filter; /* see log/run_filter.h */
};

/* What there is of one layer. Views live until the transaction ends, or runs of either
 * layer change. */
struct runs {
    enum store_dbi layer;
    uint32_t last_number;
    unsigned active;
    bool merging; /* the generation that is not active goes into the tree */
    uint8_t position[RUN_KEY_MAX]; /* merging: the last key that is there; */
    size_t position_size;          /* 0: none */
    size_t count;
    struct run list[RUN_GENERATIONS * RUNS_MAX]; /* the newest first */
};

/* CORRUPT. */
MUST_CHECK enum status runs_load(struct runs *runs, struct store_txn *txn,
                                 enum store_dbi layer, struct error *err);

/* Where a generation's records are: run number 4, the tree's key. */
enum store_dbi runs_dbi(enum store_dbi layer, unsigned generation);

struct bytes run_key(uint8_t out[RUN_KEY_MAX], uint32_t number, struct bytes key);

/* The newest record of a key. NOT_FOUND, a plain answer: no run has one. */
MUST_CHECK enum status runs_find(const struct runs *runs, struct store_txn *txn,
                                 struct bytes key, uint64_t hash,
                                 const struct run **found, struct bytes *record,
                                 struct error *err);

/* Another record for a key that this run has. */
MUST_CHECK enum status runs_replace(const struct runs *runs, struct store_txn *txn,
                                    const struct run *run, struct bytes key,
                                    struct bytes record, struct error *err);

/* Whether one more run has a place. */
bool runs_have_room(const struct runs *runs);

/* Write these rows, in the order of their keys, as the newest run: count of them, those
 * whose `skip` is set left out. There is room. Load again after it. */
struct run_rows {
    const struct memtable_row *rows;
    const bool *skip;
    size_t count;
    size_t left; /* without those that are left out; not 0 */
};
MUST_CHECK enum status runs_add(struct runs *runs, struct store_txn *txn,
                                const struct run_rows *rows, struct error *err);

/* How far the merge has come; at its end the generation is dropped. Load again after
 * either. */
MUST_CHECK enum status runs_set_position(struct runs *runs, struct store_txn *txn,
                                         struct bytes position, struct error *err);
MUST_CHECK enum status runs_end_merge(struct runs *runs, struct store_txn *txn,
                                      struct error *err);

/* Drop all runs of the layer. Load again after it. */
MUST_CHECK enum status runs_drop(struct runs *runs, struct store_txn *txn,
                                 struct error *err);

#endif
