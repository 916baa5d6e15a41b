/* Decodes every item of an imported entry before it may enter: changes under their
 * definitions, definitions, member records. */
#ifndef LOG_SEGMENT_ITEMS_H
#define LOG_SEGMENT_ITEMS_H

#include "log/change.h"
#include "log/image.h"
#include "log/segment_origins.h"

struct segment_items {
    struct segment_origins *origins;
    struct image image; /* private: reused from row to row */
};

void segment_items_release(struct segment_items *items);

/* Check the items in a piece of the body of header's entry, the first of them being
 * number index of the entry; *count is how many there were. What they bring (definitions,
 * the node's key and name) is known from then on. CORRUPT: the text says what of it.
 * UNAVAILABLE: of a newer format. */
MUST_CHECK enum status segment_items_check(struct segment_items *items,
                                           struct store_txn *txn,
                                           const struct entry_header *header,
                                           struct bytes piece, uint32_t index,
                                           uint32_t *count, struct error *err);

#endif
