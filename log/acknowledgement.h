/* What a node says of itself: its own last entry, the causal context at its capture
 * position, what it holds, the formats it reads. Signed by the node, passed on by others,
 * never an entry of the log. */
#ifndef LOG_ACKNOWLEDGEMENT_H
#define LOG_ACKNOWLEDGEMENT_H

#include "log/store.h"

struct acknowledgement {
    uint64_t node;
    uint64_t last_own_seq;
    struct version_vector context; /* at its capture position */
    struct version_vector holds;
    uint8_t formats_max;
    uint8_t signature[SIGNATURE_SIZE];
};

void acknowledgement_init(struct acknowledgement *ack);
void acknowledgement_release(struct acknowledgement *ack);
MUST_CHECK enum status acknowledgement_copy(struct acknowledgement *out,
                                            const struct acknowledgement *from,
                                            struct error *err);

void acknowledgement_put(struct buffer *out, const struct acknowledgement *ack);

/* out is initialised by the caller and replaced. The signature is not checked. CORRUPT:
 * it does not decode, or does not agree with itself. NO_MEMORY. */
MUST_CHECK enum status acknowledgement_take(struct bytes *in, struct acknowledgement *out,
                                            struct error *err);

/* This node's own, signed. out is initialised by the caller and replaced. */
MUST_CHECK enum status acknowledgement_make(struct store_txn *txn,
                                            struct acknowledgement *out,
                                            struct error *err);

/* Whether its node has signed it. NO_MEMORY. */
MUST_CHECK enum status acknowledgement_check(const struct acknowledgement *ack,
                                             const uint8_t fleet[FLEET_ID_SIZE],
                                             const uint8_t public_key[PUBLIC_KEY_SIZE],
                                             bool *right, struct error *err);

/* Whether a was said later than b, by what they say. */
bool acknowledgement_is_newer(const struct acknowledgement *a,
                              const struct acknowledgement *b);

#endif
