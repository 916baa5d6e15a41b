/* The row index and the held images as the rest of log/ sees them: one record a key,
 * wherever it is kept.
 *
 * Each is a tree (`row`, `held`) with sorted runs before it (log/runs.h). What a write
 * transaction puts is kept in a memtable until it commits. Then rows of which several
 * share a page of the tree go there; if many are left, each of which would cost a page of
 * its own, they are written as one sorted run, and later merged into the tree together
 * with those of other transactions. Few rows go to the tree, or to the run that has them.
 *
 * dbi: DBI_ROW or DBI_HELD. Views live until the transaction ends or writes. */
#ifndef LOG_LAYERED_H
#define LOG_LAYERED_H

#include "log/run_walk.h"

/* NOT_FOUND leaves err untouched. */
MUST_CHECK enum status layered_get(struct store_txn *txn, enum store_dbi dbi,
                                   struct bytes key, struct bytes *record,
                                   struct error *err);
MUST_CHECK enum status layered_put(struct store_txn *txn, enum store_dbi dbi,
                                   struct bytes key, struct bytes record,
                                   struct error *err);
/* Removing what is not there is no error. */
MUST_CHECK enum status layered_delete(struct store_txn *txn, enum store_dbi dbi,
                                      struct bytes key, struct error *err);

/* How many keys have a record. */
MUST_CHECK enum status layered_count(struct store_txn *txn, enum store_dbi dbi,
                                     uint64_t *count, struct error *err);

/* A walk over all of it; see run_walk_open(). Until layered_walk_end() nothing of the
 * layer may be put or deleted. */
MUST_CHECK enum status layered_walk(struct store_txn *txn, enum store_dbi dbi,
                                    struct run_walk **out, struct error *err);
void layered_walk_end(struct store_txn *txn, enum store_dbi dbi, struct run_walk *walk);

/* Before the commit: bring to disk what the transaction has put. */
MUST_CHECK enum status layered_commit(struct store_txn *txn, struct error *err);
void layered_release(struct store_txn *txn);

#endif
