/* Which entries a segment will carry: what the reader lacks, as far as it is signed, and
 * of that only what does not depend on something that is not. */
#ifndef LOG_SEGMENT_PLAN_H
#define LOG_SEGMENT_PLAN_H

#include "log/log_reader.h"
#include "log/segment.h"

/* As segment_plan(), in a transaction of the caller's. *first_seq: the lowest seq of
 * them; 0 when there are none. *last_seq: the log's. */
MUST_CHECK enum status
segment_plan_make(struct store_txn *txn, const struct version_vector *from,
                  uint64_t entries_max, struct segment_ranges *ranges,
                  uint64_t *first_seq, uint64_t *last_seq, struct error *err);

/* The newest of an origin's entries up to at_most that its node has signed; own ones can
 * be signed at any time. 0: none. */
MUST_CHECK enum status segment_plan_signed(struct store_txn *txn, uint64_t origin,
                                           uint64_t at_most, uint64_t *origin_seq,
                                           struct error *err);

#endif
