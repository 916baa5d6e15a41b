/* The first pass over a segment: verify every byte, hash, signature, context and item of
 * it against itself and the store, and decide how much of it may enter. Writes nothing.
 */
#ifndef LOG_SEGMENT_CHECK_H
#define LOG_SEGMENT_CHECK_H

#include "log/segment_items.h"
#include "log/segment_reader.h"

struct segment_signature {
    uint64_t origin;
    uint64_t origin_seq;
    uint8_t signature[SIGNATURE_SIZE];
};

struct segment_check {
    struct store *store;
    const char *name;
    enum refusal refusal; /* why, when REFUSED */
    /* What it found. */
    struct segment_origins origins;
    uint8_t nonce[SEAL_NONCE_SIZE];
    uint64_t size; /* of the file from where it stood; 0: unknown */
    uint64_t bytes;
    uint64_t entries; /* in the segment */
    uint64_t items;
    uint64_t fresh;   /* entries that may enter and are not held yet */
    uint64_t waiting; /* entries left for the next visit */
    bool is_skewed;   /* the first of them is stamped so far ahead: */
    uint64_t skewed_origin;
    uint64_t skew_us;
    struct segment_signature *signatures; /* right, and not in the store yet; owned */
    size_t signature_count;
    size_t signature_capacity;
    struct acknowledgement *acks; /* right; owned */
    size_t ack_count;
    size_t ack_capacity;
    /* Private: where the pass stands. */
    struct store_txn *txn;
    uint64_t txn_bytes; /* of the segment when txn began */
    struct segment_items decoder;
    enum segment_record_type last;
    uint32_t item_count;
    bool is_repeat;                /* held already */
    struct segment_origin *origin; /* of the entry at hand */
    struct buffer header_bytes;
    struct entry_header header; /* views into header_bytes */
    uint8_t hash[HASH_SIZE];    /* that the entry should have */
    uint64_t body_left;
    crypto_generichash_state body;
};

/* Check what stands in file from here to its end. check is all zero but for store and
 * name, and is to be released whatever comes back. REFUSED: check->refusal says why. */
MUST_CHECK enum status segment_check_run(struct segment_check *check, FILE *file,
                                         struct error *err);
void segment_check_release(struct segment_check *check);

#endif
