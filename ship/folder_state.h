/* A node's state file in a folder: who it is, what it holds, and what its segments there
 * contain, so that a visit with nothing new opens no segment. Sealed (log/sealing.h).
 * Pure. */
#ifndef SHIP_FOLDER_STATE_H
#define SHIP_FOLDER_STATE_H

#include "log/acknowledgement.h"
#include "log/segment_ranges.h"

enum { FOLDER_SEGMENTS_MAX = 10 * 1000 * 1000 };

struct folder_listed {
    uint64_t number;
    uint64_t size;                /* bytes of the whole file */
    struct segment_ranges ranges; /* owned */
};

struct folder_state {
    uint64_t node;
    char name[NODE_NAME_MAX + 1];
    struct acknowledgement
        ack; /* owned; of the same node; its signature is not checked */
    struct folder_listed *listed; /* owned; ascending by number */
    size_t listed_count;
    size_t listed_capacity;
};

void folder_state_init(struct folder_state *state);
void folder_state_release(struct folder_state *state);

/* Append a segment, its number larger than the last one's. ranges are copied. NO_MEMORY.
 */
MUST_CHECK enum status folder_state_list(struct folder_state *state, uint64_t number,
                                         uint64_t size,
                                         const struct segment_ranges *ranges,
                                         struct error *err);

/* The content that is sealed. */
void folder_state_encode(struct buffer *out, const struct folder_state *state);

/* out is initialised by the caller and replaced. CORRUPT. NO_MEMORY. */
MUST_CHECK enum status folder_state_decode(struct bytes in, struct folder_state *out,
                                           struct error *err);

#endif
