#include "log/segment_check.h"

#include "log/signing.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The read view is renewed after so much of a segment, so that it pins no old pages for
 * long. */
enum { TXN_BYTES_MAX = 16 << 20 };

void segment_check_release(struct segment_check *check)
{
    for (size_t i = 0; i < check->ack_count; i++)
        acknowledgement_release(&check->acks[i]);
    free(check->acks);
    free(check->signatures);
    store_abort(check->txn);
    segment_items_release(&check->decoder);
    segment_origins_release(&check->origins);
    buffer_release(&check->header_bytes);
    *check = (struct segment_check){0};
}

/* ---- refusals */

static enum status refuse(struct segment_check *check, const char *what,
                          struct error *err)
{
    check->refusal = REFUSAL_INVALID;
    return error_set(err, STATUS_REFUSED, "segment %s: %s: its writer is at fault",
                     check->name, what);
}

/* Say which entry it is about; what does not decode is refused. */
static enum status in_entry(struct segment_check *check, enum status status,
                            struct error *err)
{
    char label[NODE_LABEL_SIZE];
    struct error callee = *err;

    if (status != STATUS_CORRUPT && status != STATUS_UNAVAILABLE)
        return status;
    check->refusal = status == STATUS_CORRUPT ? REFUSAL_INVALID : REFUSAL_NEWER;
    segment_origins_label(&check->origins, check->txn, check->header.origin, label);
    return error_set(err, STATUS_REFUSED, "segment %s: entry %" PRIu64 " of %s: %s",
                     check->name, check->header.origin_seq, label, callee.text);
}

static enum status refuse_entry(struct segment_check *check, const char *what,
                                struct error *err)
{
    return in_entry(check, error_set(err, STATUS_CORRUPT, "%s", what), err);
}

/* ---- contexts and clocks */

/* What the entry had seen must be here or stand before it; and goes only forward. */
static enum status check_context(struct segment_check *check,
                                 const struct version_vector *delta, struct error *err)
{
    char label[NODE_LABEL_SIZE];
    enum status status = STATUS_OK;

    for (size_t i = 0; i < delta->count && status == STATUS_OK; i++) {
        const struct vector_slot *slot = &delta->slots[i];
        uint64_t available = segment_origins_available(&check->origins, slot->origin);

        if (available < slot->seq) {
            segment_origins_label(&check->origins, check->txn, slot->origin, label);
            return segment_missing(check->name, label, available + 1, slot->seq,
                                   &check->refusal, err);
        }
        if (slot->seq <= version_vector_get(&check->origin->context, slot->origin))
            return refuse_entry(check, "it forgets what its node had seen", err);
        status =
            version_vector_set(&check->origin->context, slot->origin, slot->seq, err);
    }
    return status;
}

/* Whether it may enter now: the entry before does, so does all that it had seen, and its
 * clock is not too far ahead. */
static void decide(struct segment_check *check, const struct version_vector *delta)
{
    struct segment_origin *origin = check->origin;
    uint64_t stamp_us = check->header.stamp_us;
    uint64_t now_us = store_now_us(check->store);
    bool is_skewed = clock_is_skewed(stamp_us, now_us, store_max_skew_us(check->store));

    if (is_skewed && !check->is_skewed) {
        check->is_skewed = true;
        check->skewed_origin = origin->origin;
        check->skew_us = stamp_us - now_us;
    }
    origin->is_cut = origin->is_cut || is_skewed;
    for (size_t i = 0; i < delta->count; i++) {
        if (segment_origins_accepted(&check->origins, delta->slots[i].origin) <
            delta->slots[i].seq)
            origin->is_cut = true;
    }
    if (origin->is_cut) {
        check->waiting++;
        return;
    }
    assert(origin->accepted == check->header.origin_seq - 1);
    origin->accepted = check->header.origin_seq;
    check->fresh++;
}

static enum status check_fresh(struct segment_check *check, struct error *err)
{
    struct segment_origin *origin = check->origin;
    struct bytes context = check->header.context;
    struct version_vector delta;
    enum status status = segment_origins_load(origin, check->txn, err);

    if (status != STATUS_OK)
        return status;
    if ((check->header.flags & ENTRY_BASE) == 0) {
        if (check->header.stamp_us <= origin->stamp_us)
            return refuse_entry(check, "its clock went backward", err);
        origin->stamp_us = check->header.stamp_us;
    }
    if (check->header.origin_seq == 1 && check->header.kind != ENTRY_MEMBER)
        return refuse_entry(check, "a node's first entry is its joining", err);
    version_vector_init(&delta);
    if (context.size > 0)
        status = version_vector_take(&context, &delta, err);
    if (status == STATUS_OK)
        status = check_context(check, &delta, err);
    if (status == STATUS_OK)
        decide(check, &delta);
    version_vector_release(&delta);
    return status;
}

/* ---- entries */

/* The hash that this store has for a repeated entry. */
static enum status compare_held(struct segment_check *check, struct error *err)
{
    const struct entry_header *header = &check->header;
    uint64_t own = store_identity(check->store)->node;
    char label[NODE_LABEL_SIZE];
    struct log_entry entry;
    uint64_t seq;
    enum status status =
        log_find(check->txn, header->origin, header->origin_seq, &seq, err);

    if (status == STATUS_OK)
        status = log_get(check->txn, seq, &entry, err);
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_CORRUPT,
                         "store: an entry of an origin is not in the log: run "
                         "`rowferry verify`");
    }
    if (status != STATUS_OK || memcmp(entry.hash, check->hash, HASH_SIZE) == 0)
        return status;
    segment_origins_label(&check->origins, check->txn, header->origin, label);
    return segment_fork(check->name, label, header->origin_seq, header->origin == own,
                        &check->refusal, err);
}

static enum status end_entry(struct segment_check *check, struct error *err)
{
    struct segment_origin *origin = check->origin;
    uint8_t body[HASH_SIZE];
    uint8_t hash[HASH_SIZE];

    if (!check->is_repeat && check->item_count != check->header.item_count)
        return refuse_entry(check, "it has fewer items than it says", err);
    crypto_generichash_final(&check->body, body, sizeof body);
    entry_hash(hash, origin->hash, buffer_view(&check->header_bytes), body);
    if (memcmp(hash, check->hash, HASH_SIZE) != 0)
        return refuse_entry(check, "its hash does not follow from the one before", err);
    memcpy(origin->hash, hash, HASH_SIZE);
    origin->at = check->header.origin_seq;
    origin->is_signed = false;
    check->entries++;
    check->items += check->header.item_count;
    return check->is_repeat ? compare_held(check, err) : STATUS_OK;
}

static enum status begin_entry(struct segment_check *check, struct bytes payload,
                               struct error *err)
{
    struct bytes hash;
    enum status status;

    if (!bytes_take_view(&payload, HASH_SIZE, &hash))
        return refuse(check, "an entry is cut", err);
    memcpy(check->hash, hash.data, HASH_SIZE);
    buffer_clear(&check->header_bytes);
    buffer_put_bytes(&check->header_bytes, payload);
    status = buffer_check(&check->header_bytes, err);
    if (status != STATUS_OK)
        return status;
    check->header = (struct entry_header){0};
    status = entry_header_decode(buffer_view(&check->header_bytes), &check->header, err);
    if (status != STATUS_OK)
        return in_entry(check, status, err);
    check->origin = segment_origins_find(&check->origins, check->header.origin);
    if (check->origin == NULL || check->header.origin_seq != check->origin->at + 1 ||
        check->header.origin_seq > check->origin->to)
        return refuse_entry(check, "it is not the next of the segment's range", err);

    check->is_repeat = check->header.origin_seq <= check->origin->held;
    check->body_left = check->header.body_size;
    check->item_count = 0;
    crypto_generichash_init(&check->body, NULL, 0, HASH_SIZE);
    if (!check->is_repeat)
        status = check_fresh(check, err);
    if (status == STATUS_OK && check->body_left == 0)
        status = end_entry(check, err);
    return status;
}

static enum status check_body(struct segment_check *check, struct bytes piece,
                              struct error *err)
{
    uint32_t count = 0;
    enum status status = STATUS_OK;

    if (piece.size == 0 || piece.size > check->body_left)
        return refuse_entry(check, "its body is not as long as it says", err);
    crypto_generichash_update(&check->body, piece.data, piece.size);
    if (!check->is_repeat)
        status = segment_items_check(&check->decoder, check->txn, &check->header, piece,
                                     check->item_count, &count, err);
    if (status != STATUS_OK)
        return in_entry(check, status, err);
    check->item_count += count;
    check->body_left -= piece.size;
    return check->body_left == 0 ? end_entry(check, err) : STATUS_OK;
}

/* ---- signatures and acknowledgements */

/* Keep it for the end of the import unless the store has it. */
static enum status keep_signature(struct segment_check *check,
                                  const uint8_t signature[SIGNATURE_SIZE],
                                  struct error *err)
{
    struct segment_origin *origin = check->origin;
    size_t capacity = check->signature_capacity == 0 ? 16 : check->signature_capacity * 2;
    uint8_t kept[SIGNATURE_SIZE];
    uint64_t kept_seq = 0;
    enum status status = STATUS_OK;

    if (origin->at > origin->accepted)
        return STATUS_OK;
    if (origin->at <= origin->held)
        status = log_signature_find(check->txn, origin->origin, origin->at, &kept_seq,
                                    kept, err);
    if (status == STATUS_NOT_FOUND)
        status = STATUS_OK;
    if (status != STATUS_OK || kept_seq == origin->at)
        return status;
    if (check->signature_count == check->signature_capacity) {
        void *signatures =
            realloc(check->signatures, capacity * sizeof *check->signatures);

        if (signatures == NULL)
            return error_set(err, STATUS_NO_MEMORY, "signatures: out of memory");
        check->signatures = signatures;
        check->signature_capacity = capacity;
    }
    check->signatures[check->signature_count] =
        (struct segment_signature){.origin = origin->origin, .origin_seq = origin->at};
    memcpy(check->signatures[check->signature_count++].signature, signature,
           SIGNATURE_SIZE);
    return STATUS_OK;
}

static enum status check_head(struct segment_check *check, struct bytes payload,
                              struct error *err)
{
    const struct identity *identity = store_identity(check->store);
    struct segment_origin *origin = check->origin;

    if (origin == NULL || payload.size != SIGNATURE_SIZE ||
        (check->last != RECORD_ENTRY && check->last != RECORD_BODY))
        return refuse(check, "a signature is out of place", err);
    if (!origin->has_key ||
        !signing_head_is_right(payload.data, identity->fleet, origin->public_key,
                               origin->origin, origin->at, origin->hash)) {
        return refuse_entry(check,
                            "its signature is wrong: somebody else wrote it; don't take "
                            "segments from where this one came from",
                            err);
    }
    origin->is_signed = true;
    return keep_signature(check, payload.data, err);
}

static enum status keep_ack(struct segment_check *check,
                            const struct acknowledgement *ack, struct error *err)
{
    size_t capacity = check->ack_capacity == 0 ? 4 : check->ack_capacity * 2;

    if (check->ack_count == check->ack_capacity) {
        void *acks = realloc(check->acks, capacity * sizeof *check->acks);

        if (acks == NULL)
            return error_set(err, STATUS_NO_MEMORY, "acknowledgements: out of memory");
        check->acks = acks;
        check->ack_capacity = capacity;
    }
    acknowledgement_init(&check->acks[check->ack_count++]);
    return acknowledgement_copy(&check->acks[check->ack_count - 1], ack, err);
}

/* Of a node that nobody here knows yet: not kept, since nothing says whether it is right.
 */
static enum status verify_ack(struct segment_check *check,
                              const struct acknowledgement *ack, struct error *err)
{
    const struct identity *identity = store_identity(check->store);
    const struct segment_origin *origin =
        segment_origins_find(&check->origins, ack->node);
    uint64_t own = version_vector_get(&check->origins.vector, identity->node);
    char label[NODE_LABEL_SIZE];
    struct member_record member;
    const uint8_t *key = NULL;
    bool right = false;
    enum status status = STATUS_OK;

    if (origin != NULL && origin->has_key) {
        key = origin->public_key;
    } else {
        status = member_find(check->txn, ack->node, &member, err);
        key = status == STATUS_OK ? member.member.public_key : NULL;
    }
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && key == NULL))
        return STATUS_OK;
    if (status == STATUS_OK)
        status = acknowledgement_check(ack, identity->fleet, key, &right, err);
    if (status != STATUS_OK)
        return status;
    segment_origins_label(&check->origins, check->txn, ack->node, label);
    if (!right) {
        check->refusal = REFUSAL_INVALID;
        return error_set(err, STATUS_REFUSED,
                         "segment %s: an acknowledgement of %s has a wrong signature: "
                         "somebody else wrote it",
                         check->name, label);
    }
    if (version_vector_get(&ack->holds, identity->node) > own)
        return segment_fork(check->name, label, own + 1, true, &check->refusal, err);
    return ack->node == identity->node ? STATUS_OK : keep_ack(check, ack, err);
}

static enum status check_ack(struct segment_check *check, struct bytes payload,
                             struct error *err)
{
    struct acknowledgement ack;
    enum status status;

    acknowledgement_init(&ack);
    status = acknowledgement_take(&payload, &ack, err);
    if (status == STATUS_CORRUPT || (status == STATUS_OK && payload.size > 0))
        status = refuse(check, "an acknowledgement does not decode", err);
    if (status == STATUS_OK)
        status = verify_ack(check, &ack, err);
    acknowledgement_release(&ack);
    return status;
}

/* ---- the pass */

static enum status begin(struct segment_check *check, struct bytes payload,
                         struct error *err)
{
    struct segment_ranges ranges;
    uint64_t sender;
    enum status status = STATUS_CORRUPT;

    segment_ranges_init(&ranges);
    if (bytes_take(&payload, 8, &sender) && sender != 0)
        status = segment_ranges_take(&payload, &ranges, true, err);
    if (status == STATUS_CORRUPT || (status == STATUS_OK && payload.size > 0))
        status = refuse(check, "its beginning does not decode", err);
    if (status == STATUS_OK)
        status = segment_origins_init(&check->origins, check->txn, &ranges, check->name,
                                      &check->refusal, err);
    segment_ranges_release(&ranges);
    return status;
}

static enum status end(struct segment_check *check, struct bytes payload,
                       struct error *err)
{
    uint64_t entries;
    uint64_t items;

    if (!bytes_take_varint(&payload, &entries) || !bytes_take_varint(&payload, &items) ||
        payload.size > 0 || entries != check->entries || items != check->items)
        return refuse(check, "its counts are not right", err);
    for (size_t i = 0; i < check->origins.count; i++) {
        if (check->origins.items[i].at != check->origins.items[i].to ||
            !check->origins.items[i].is_signed)
            return refuse(check, "an origin does not end at a signed head", err);
    }
    return STATUS_OK;
}

/* What may follow what; the rest is for each record to say. */
static bool may_follow(const struct segment_check *check, enum segment_record_type type)
{
    switch (type) {
    case RECORD_BEGIN:
        return check->last == 0;
    case RECORD_BODY:
        return check->body_left > 0;
    case RECORD_ENTRY:
    case RECORD_HEAD:
        return check->body_left == 0 && check->last != 0 && check->last < RECORD_ACK;
    case RECORD_ACK:
    case RECORD_END:
        return check->body_left == 0 && check->last != 0 && check->last != RECORD_END;
    }
    return false;
}

static enum status check_record(struct segment_check *check,
                                const struct segment_record *record, struct error *err)
{
    enum status status = STATUS_OK;

    if (!may_follow(check, record->type))
        return refuse(check, "a record is out of place", err);
    switch (record->type) {
    case RECORD_BEGIN:
        status = begin(check, record->payload, err);
        break;
    case RECORD_ENTRY:
        status = begin_entry(check, record->payload, err);
        break;
    case RECORD_BODY:
        status = check_body(check, record->payload, err);
        break;
    case RECORD_HEAD:
        status = check_head(check, record->payload, err);
        break;
    case RECORD_ACK:
        status = check_ack(check, record->payload, err);
        break;
    case RECORD_END:
        status = end(check, record->payload, err);
        break;
    }
    check->last = record->type;
    return status;
}

static enum status renew_txn(struct segment_check *check, uint64_t bytes,
                             struct error *err)
{
    if (check->txn != NULL && bytes - check->txn_bytes < TXN_BYTES_MAX)
        return STATUS_OK;
    store_abort(check->txn);
    check->txn = NULL;
    check->txn_bytes = bytes;
    return store_begin(check->store, TXN_READ, &check->txn, err);
}

enum status segment_check_run(struct segment_check *check, FILE *file, struct error *err)
{
    struct segment_reader *reader = NULL;
    struct segment_record record;
    enum status status = segment_reader_open(&reader, store_identity(check->store), file,
                                             check->name, &check->refusal, err);

    if (status == STATUS_OK)
        segment_reader_watch(reader, check->store, "check", check->size);
    check->decoder.origins = &check->origins;
    while (status == STATUS_OK) {
        status = renew_txn(check, segment_reader_bytes(reader), err);
        if (status == STATUS_OK)
            status = segment_reader_next(reader, &record, &check->refusal, err);
        if (status == STATUS_OK)
            status = check_record(check, &record, err);
    }
    if (status == STATUS_NOT_FOUND)
        status =
            check->last == RECORD_END ? STATUS_OK : refuse(check, "it has no end", err);
    if (status == STATUS_OK) {
        check->bytes = segment_reader_bytes(reader);
        memcpy(check->nonce, segment_reader_nonce(reader), sizeof check->nonce);
    }
    segment_reader_close(reader);
    store_abort(check->txn);
    check->txn = NULL;
    return status;
}
