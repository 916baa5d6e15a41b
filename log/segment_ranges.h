/* Which entries a segment holds: of each origin a run from+1 .. to. Pure. */
#ifndef LOG_SEGMENT_RANGES_H
#define LOG_SEGMENT_RANGES_H

#include "log/entry.h"

struct segment_range {
    uint64_t origin;
    uint64_t from;           /* what the reader must hold already */
    uint64_t to;             /* larger than from */
    uint8_t hash[HASH_SIZE]; /* of the chain at from; zeroes when from is 0. Only in a
                                segment itself: lists of segments leave it out. */
};

struct segment_ranges {
    struct segment_range *items; /* owned; ascending by origin */
    size_t count;
    size_t capacity;
};

void segment_ranges_init(struct segment_ranges *ranges);
void segment_ranges_release(struct segment_ranges *ranges);

/* Append one; its origin is larger than the last one's. NO_MEMORY. */
MUST_CHECK enum status segment_ranges_add(struct segment_ranges *ranges,
                                          const struct segment_range *range,
                                          struct error *err);

/* NULL when the origin is not in it. */
struct segment_range *segment_ranges_find(const struct segment_ranges *ranges,
                                          uint64_t origin);

MUST_CHECK enum status segment_ranges_copy(struct segment_ranges *out,
                                           const struct segment_ranges *from,
                                           struct error *err);

/* Entries in all of them. */
uint64_t segment_ranges_entries(const struct segment_ranges *ranges);

/* Whether a store that holds vector gains nothing from it; whether it could take it in.
 */
bool segment_ranges_known(const struct segment_ranges *ranges,
                          const struct version_vector *vector);
bool segment_ranges_ready(const struct segment_ranges *ranges,
                          const struct version_vector *vector);

/* Raise vector to what it holds after the segment. */
MUST_CHECK enum status segment_ranges_raise(const struct segment_ranges *ranges,
                                            struct version_vector *vector,
                                            struct error *err);

/* with_hashes: as a segment has it; else as a list of segments has it. */
void segment_ranges_put(struct buffer *out, const struct segment_ranges *ranges,
                        bool with_hashes);

/* out is initialised by the caller and replaced. CORRUPT. NO_MEMORY. */
MUST_CHECK enum status segment_ranges_take(struct bytes *in, struct segment_ranges *out,
                                           bool with_hashes, struct error *err);

#endif
