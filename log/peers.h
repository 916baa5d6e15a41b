/* What this store knows of other nodes: their newest acknowledgement, and when it came;
 * and of segments that were found without a list that names them. */
#ifndef LOG_PEERS_H
#define LOG_PEERS_H

#include "log/acknowledgement.h"
#include "log/segment_ranges.h"

struct peer {
    struct acknowledgement ack; /* owned */
    uint64_t heard_us;          /* when it reached this store */
};

void peer_init(struct peer *peer);
void peer_release(struct peer *peer);

/* Keep ack if its signature is right and it is newer (larger) than what is kept; *newer
 * tells. In a read transaction it only tells. This node's own is never newer. REFUSED: a
 * wrong signature. NOT_FOUND: no such member is known yet (a plain answer). */
MUST_CHECK enum status peers_learn(struct store_txn *txn,
                                   const struct acknowledgement *ack, bool *newer,
                                   struct error *err);

/* peer is initialised by the caller and replaced. NOT_FOUND is a plain answer. */
MUST_CHECK enum status peers_get(struct store_txn *txn, uint64_t node, struct peer *out,
                                 struct error *err);

/* Every peer that has been heard of, by node id. Return false to end the walk early; the
 * visitor must not write. */
typedef bool (*peer_visit_cb)(void *data, const struct peer *peer);
MUST_CHECK enum status peers_visit(struct store_txn *txn, peer_visit_cb visit, void *data,
                                   struct error *err);

/* Segments that no state file lists, by file name: what was in them when they were
 * opened, so that they are opened once. get: NOT_FOUND (also for a file of another size)
 * is a plain answer; ranges are initialised by the caller and replaced. */
MUST_CHECK enum status peers_segment_get(struct store_txn *txn, const char *name,
                                         uint64_t size, struct segment_ranges *ranges,
                                         struct error *err);
MUST_CHECK enum status peers_segment_mark(struct store_txn *txn, const char *name,
                                          uint64_t size,
                                          const struct segment_ranges *ranges,
                                          struct error *err);

#endif
