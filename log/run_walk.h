/* A walk over several sorted runs, and the tree if wanted, as if they were one: each key
 * once, with its newest record. Private to log/. */
#ifndef LOG_RUN_WALK_H
#define LOG_RUN_WALK_H

#include "log/runs.h"

struct run_walk;

/* Which records: of everything, or of the generation that is being merged. */
enum walk_what { WALK_ALL, WALK_MERGING };

/* The walk belongs to the transaction: close it first. With WALK_ALL nothing of the layer
 * may be written while it is open, with WALK_MERGING only the tree. */
MUST_CHECK enum status run_walk_open(struct run_walk **out, struct store_txn *txn,
                                     const struct runs *runs, enum walk_what what,
                                     struct error *err);

/* Begin at the first key that is not below start, or behind it. Call it once, first. */
MUST_CHECK enum status run_walk_seek(struct run_walk *walk, struct bytes start,
                                     bool behind, struct error *err);

/* The next key; an empty record: a tombstone. Views live until the next call.
 * NOT_FOUND: there is none. */
MUST_CHECK enum status run_walk_next(struct run_walk *walk, struct bytes *key,
                                     struct bytes *record, struct error *err);
void run_walk_close(struct run_walk *walk);

#endif
