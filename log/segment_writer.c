#include "log/peers.h"
#include "log/segment_format.h"
#include "log/segment_plan.h"
#include "log/signing.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* Where an origin's clock jumps by more, the entry before gets a signed head: a reader
 * that refuses what comes after can pass on what came before. */
#define JUMP_US (UINT64_C(60) * 1000000)

enum { COMPRESSION_LEVEL = 3 };

static_assert(FRAME_PACKED_MAX >= ZSTD_COMPRESSBOUND(FRAME_RAW_MAX), "zstd's own bound");

struct writer {
    struct store_txn *txn;
    const struct identity *identity;
    FILE *file;
    uint8_t header[SEAL_HEADER_SIZE];
    crypto_secretstream_xchacha20poly1305_state stream; /* secret */
    ZSTD_CCtx *packer;
    uint8_t *raw;    /* FRAME_RAW_MAX, raw_size of them filled */
    uint8_t *packed; /* FRAME_PACKED_MAX */
    uint8_t *sealed; /* FRAME_SEALED_MAX */
    size_t raw_size;
    struct segment_ranges ranges;
    struct buffer scratch;
    struct segment_counts counts;
    uint64_t items;
    struct progress_step progress;
};

static void writer_release(struct writer *writer)
{
    ZSTD_freeCCtx(writer->packer);
    free(writer->raw);
    free(writer->packed);
    free(writer->sealed);
    segment_ranges_release(&writer->ranges);
    buffer_release(&writer->scratch);
    sodium_memzero(&writer->stream, sizeof writer->stream);
}

static enum status write_failed(struct error *err)
{
    int code = errno;

    if (error_is_no_room(code)) {
        return error_set(err, STATUS_FULL,
                         "no room for the segment: free some disk space (%s)",
                         strerror(code));
    }
    return error_set(err, STATUS_IO, "cannot write the segment: %s",
                     code == 0 ? "output error" : strerror(code));
}

static enum status write_bytes(struct writer *writer, const uint8_t *data, size_t size,
                               struct error *err)
{
    errno = 0;
    if (fwrite(data, 1, size, writer->file) != size)
        return write_failed(err);
    writer->counts.bytes += size;
    return STATUS_OK;
}

/* Pack, seal and write what stands in raw. */
static enum status write_frame(struct writer *writer, bool is_final, struct error *err)
{
    unsigned long long size = 0;
    uint8_t prefix[4];
    enum status status;
    size_t packed = ZSTD_compressCCtx(writer->packer, writer->packed, FRAME_PACKED_MAX,
                                      writer->raw, writer->raw_size, COMPRESSION_LEVEL);

    assert(writer->raw_size > 0);
    if (ZSTD_isError(packed))
        return error_set(err, STATUS_NO_MEMORY, "zstd: %s", ZSTD_getErrorName(packed));
    crypto_secretstream_xchacha20poly1305_push(
        &writer->stream, writer->sealed, &size, writer->packed, packed, writer->header,
        sizeof writer->header,
        is_final ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
                 : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
    writer->raw_size = 0;
    bytes_put(prefix, size, sizeof prefix);
    status = write_bytes(writer, prefix, sizeof prefix, err);
    if (status == STATUS_OK)
        status = write_bytes(writer, writer->sealed, (size_t)size, err);
    return status;
}

/* A full frame is written when more comes, so that the last one is never empty. */
static enum status put_content(struct writer *writer, struct bytes content,
                               struct error *err)
{
    enum status status = STATUS_OK;

    while (content.size > 0 && status == STATUS_OK) {
        struct bytes part;
        size_t size;

        if (writer->raw_size == FRAME_RAW_MAX)
            status = write_frame(writer, false, err);
        size = FRAME_RAW_MAX - writer->raw_size;
        if (size > content.size)
            size = content.size;
        if (status == STATUS_OK && bytes_take_view(&content, size, &part)) {
            memcpy(writer->raw + writer->raw_size, part.data, part.size);
            writer->raw_size += part.size;
        }
    }
    return status;
}

/* A record whose payload is two views, one after the other. */
static enum status put_record(struct writer *writer, enum segment_record_type type,
                              struct bytes first, struct bytes second, struct error *err)
{
    uint8_t head[1 + VARINT_SIZE_MAX];
    uint8_t *end = varint_put(bytes_put(head, type, 1), first.size + second.size);
    uint64_t size = (uint64_t)first.size + second.size;
    enum status status;

    if (size > (type == RECORD_BODY ? RECORD_BODY_MAX : RECORD_OTHER_MAX)) {
        return error_set(err, STATUS_REFUSED,
                         "one change of %" PRIu64 " bytes is more than a segment carries",
                         size);
    }
    status = put_content(writer, (struct bytes){head, (size_t)(end - head)}, err);
    if (status == STATUS_OK)
        status = put_content(writer, first, err);
    if (status == STATUS_OK)
        status = put_content(writer, second, err);
    return status;
}

/* A record whose payload stands in scratch. */
static enum status put_scratch(struct writer *writer, enum segment_record_type type,
                               struct error *err)
{
    enum status status = buffer_check(&writer->scratch, err);

    if (status != STATUS_OK)
        return status;
    return put_record(writer, type, buffer_view(&writer->scratch), (struct bytes){0},
                      err);
}

static enum status begin(struct writer *writer, struct error *err)
{
    uint8_t nonce[SEAL_NONCE_SIZE];
    uint8_t key[SEAL_KEY_SIZE];
    enum status status;

    seal_key(key, SEAL_SEGMENT, writer->identity);
    crypto_secretstream_xchacha20poly1305_init_push(&writer->stream, nonce, key);
    sodium_memzero(key, sizeof key);
    seal_header_encode(writer->header, SEAL_SEGMENT, writer->identity, nonce);
    status = write_bytes(writer, writer->header, sizeof writer->header, err);
    buffer_clear(&writer->scratch);
    buffer_put(&writer->scratch, writer->identity->node, 8);
    segment_ranges_put(&writer->scratch, &writer->ranges, true);
    if (status == STATUS_OK)
        status = put_scratch(writer, RECORD_BEGIN, err);
    /* A frame of its own: who asks for the ranges reads no more. */
    if (status == STATUS_OK)
        status = write_frame(writer, false, err);
    return status;
}

/* Whether the origin's next entry in this log is stamped a jump later. */
static enum status jumps_after(struct writer *writer, const struct log_entry *entry,
                               bool *jumps, struct error *err)
{
    struct log_entry next;
    uint64_t seq;
    enum status status = log_find(writer->txn, entry->header.origin,
                                  entry->header.origin_seq + 1, &seq, err);

    *jumps = false;
    if (status == STATUS_OK)
        status = log_get(writer->txn, seq, &next, err);
    if (status == STATUS_OK && next.header.stamp_us > entry->header.stamp_us)
        *jumps = next.header.stamp_us - entry->header.stamp_us > JUMP_US;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The entry's own signature, when there is one: own ones are made now. */
static enum status find_signature(struct writer *writer, const struct log_entry *entry,
                                  uint8_t out[SIGNATURE_SIZE], bool *found,
                                  struct error *err)
{
    uint64_t origin_seq = entry->header.origin_seq;
    uint64_t signed_seq = 0;
    enum status status;

    if (entry->header.origin == writer->identity->node) {
        signing_head(out, writer->identity, origin_seq, entry->hash);
        *found = true;
        return STATUS_OK;
    }
    status = log_signature_find(writer->txn, entry->header.origin, origin_seq,
                                &signed_seq, out, err);
    *found = status == STATUS_OK && signed_seq == origin_seq;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status put_head(struct writer *writer, const struct log_entry *entry,
                            bool is_last, struct error *err)
{
    uint8_t signature[SIGNATURE_SIZE];
    bool wanted = is_last;
    bool found = false;
    enum status status = STATUS_OK;

    if (!is_last)
        status = jumps_after(writer, entry, &wanted, err);
    if (status == STATUS_OK && wanted)
        status = find_signature(writer, entry, signature, &found, err);
    if (status != STATUS_OK)
        return status;
    assert(found || !is_last); /* the plan ends at signed heads */
    if (!found)
        return STATUS_OK;
    return put_record(writer, RECORD_HEAD, (struct bytes){signature, sizeof signature},
                      (struct bytes){0}, err);
}

static enum status put_entry(struct writer *writer, const struct log_entry *entry,
                             bool is_last, struct error *err)
{
    uint32_t index = 0;
    enum status status =
        put_record(writer, RECORD_ENTRY, (struct bytes){entry->hash, HASH_SIZE},
                   entry->header_bytes, err);

    while (status == STATUS_OK) {
        struct bytes piece;

        status = log_body_piece(writer->txn, entry, &index, &piece, err);
        if (status == STATUS_OK)
            status = put_record(writer, RECORD_BODY, piece, (struct bytes){0}, err);
        progress_reach(&writer->progress, writer->items + index);
    }
    if (status != STATUS_NOT_FOUND)
        return status;
    writer->counts.entries++;
    writer->items += entry->header.item_count;
    if (entry->header.kind == ENTRY_CHANGES)
        writer->counts.changes += entry->header.item_count;
    return put_head(writer, entry, is_last, err);
}

/* The range of an entry that the segment is to hold; NULL: it is not. */
static const struct segment_range *range_of(const struct writer *writer,
                                            const struct entry_header *header)
{
    const struct segment_range *range =
        segment_ranges_find(&writer->ranges, header->origin);

    return range != NULL && header->origin_seq > range->from &&
                   header->origin_seq <= range->to
               ? range
               : NULL;
}

/* Somebody watches: count what there is to write. What can't be read, writing names. */
static void watch_entries(struct writer *writer, uint64_t first_seq, uint64_t last_seq)
{
    struct progress_state state = {.step = "export", .unit = PROGRESS_ROWS};
    struct log_entry entry;
    struct error ignored;

    if (store_progress(store_of(writer->txn)) == NULL)
        return;
    for (uint64_t seq = first_seq; seq <= last_seq; seq++) {
        if (log_get(writer->txn, seq, &entry, &ignored) == STATUS_OK &&
            range_of(writer, &entry.header) != NULL)
            state.all += entry.header.item_count;
    }
    progress_begin(&writer->progress, store_progress(store_of(writer->txn)), &state);
}

static enum status put_entries(struct writer *writer, uint64_t first_seq,
                               uint64_t last_seq, struct error *err)
{
    uint64_t left = segment_ranges_entries(&writer->ranges);
    enum status status = STATUS_OK;

    watch_entries(writer, first_seq, last_seq);
    for (uint64_t seq = first_seq; seq <= last_seq && left > 0; seq++) {
        const struct segment_range *range;
        struct log_entry entry;

        status = log_get(writer->txn, seq, &entry, err);
        if (status != STATUS_OK)
            return status;
        range = range_of(writer, &entry.header);
        if (range == NULL)
            continue;
        status = put_entry(writer, &entry, entry.header.origin_seq == range->to, err);
        if (status != STATUS_OK)
            return status;
        left--;
    }
    if (left > 0) {
        return error_set(err, STATUS_CORRUPT,
                         "store: the log lacks %" PRIu64
                         " entries of its vector: run `rowferry verify`",
                         left);
    }
    return STATUS_OK;
}

struct ack_visit {
    struct writer *writer;
    struct error *err;
    enum status status;
};

static bool put_peer_ack(void *data, const struct peer *peer)
{
    struct ack_visit *visit = data;

    buffer_clear(&visit->writer->scratch);
    acknowledgement_put(&visit->writer->scratch, &peer->ack);
    visit->status = put_scratch(visit->writer, RECORD_ACK, visit->err);
    return visit->status == STATUS_OK;
}

static enum status put_acks(struct writer *writer, struct error *err)
{
    struct ack_visit visit = {writer, err, STATUS_OK};
    struct acknowledgement own;
    enum status status;

    acknowledgement_init(&own);
    status = acknowledgement_make(writer->txn, &own, err);
    if (status == STATUS_OK) {
        buffer_clear(&writer->scratch);
        acknowledgement_put(&writer->scratch, &own);
        status = put_scratch(writer, RECORD_ACK, err);
    }
    acknowledgement_release(&own);
    if (status == STATUS_OK)
        status = peers_visit(writer->txn, put_peer_ack, &visit, err);
    return status == STATUS_OK ? visit.status : status;
}

static enum status end(struct writer *writer, struct error *err)
{
    enum status status;

    buffer_clear(&writer->scratch);
    buffer_put_varint(&writer->scratch, writer->counts.entries);
    buffer_put_varint(&writer->scratch, writer->items);
    status = put_scratch(writer, RECORD_END, err);
    if (status == STATUS_OK)
        status = write_frame(writer, true, err);
    errno = 0;
    if (status == STATUS_OK && fflush(writer->file) != 0)
        status = write_failed(err);
    return status;
}

static enum status write_all(struct writer *writer, uint64_t first_seq, uint64_t last_seq,
                             struct error *err)
{
    enum status status = STATUS_OK;

    writer->packer = ZSTD_createCCtx();
    writer->raw = malloc(FRAME_RAW_MAX);
    writer->packed = malloc(FRAME_PACKED_MAX);
    writer->sealed = malloc(FRAME_SEALED_MAX);
    if (writer->packer == NULL || writer->raw == NULL || writer->packed == NULL ||
        writer->sealed == NULL)
        return error_set(err, STATUS_NO_MEMORY, "write a segment: out of memory");
    status = begin(writer, err);
    if (status == STATUS_OK)
        status = put_entries(writer, first_seq, last_seq, err);
    if (status == STATUS_OK)
        status = put_acks(writer, err);
    if (status == STATUS_OK)
        status = end(writer, err);
    return status;
}

enum status segment_write_ranges(struct store *store, const struct version_vector *from,
                                 uint64_t entries_max, FILE *file,
                                 struct segment_ranges *ranges,
                                 struct segment_counts *counts, struct error *err)
{
    struct writer writer = {.identity = store_identity(store), .file = file};
    uint64_t first_seq;
    uint64_t last_seq;
    enum status status;

    if (sodium_init() < 0)
        return error_set(err, STATUS_UNAVAILABLE, "libsodium does not start");
    status = store_begin(store, TXN_READ, &writer.txn, err);
    if (status == STATUS_OK)
        status = segment_plan_make(writer.txn, from, entries_max, &writer.ranges,
                                   &first_seq, &last_seq, err);
    if (status == STATUS_OK && writer.ranges.count > 0)
        status = write_all(&writer, first_seq, last_seq, err);
    if (status == STATUS_OK)
        status = segment_ranges_copy(ranges, &writer.ranges, err);
    if (status == STATUS_OK)
        *counts = writer.counts;
    store_abort(writer.txn);
    writer_release(&writer);
    return status;
}

enum status segment_write(struct store *store, const struct version_vector *from,
                          uint64_t entries_max, FILE *file, struct version_vector *to,
                          struct segment_counts *counts, struct error *err)
{
    struct segment_ranges ranges;
    enum status status;

    segment_ranges_init(&ranges);
    status = segment_write_ranges(store, from, entries_max, file, &ranges, counts, err);
    if (status == STATUS_OK)
        status = version_vector_copy(to, from, err);
    if (status == STATUS_OK)
        status = segment_ranges_raise(&ranges, to, err);
    segment_ranges_release(&ranges);
    return status;
}

enum status segment_sign_head(struct store *store, struct error *err)
{
    const struct identity *identity = store_identity(store);
    uint8_t signature[SIGNATURE_SIZE];
    struct origin_head head = {0};
    struct store_txn *txn = NULL;
    uint64_t signed_seq = 0;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = log_head(txn, identity->node, &head, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_SIGNED_SEQ, &signed_seq, err);
    store_abort(txn);
    txn = NULL;
    if (status != STATUS_OK || head.seq == signed_seq || head.seq == 0)
        return status;

    signing_head(signature, identity, head.seq, head.hash);
    status = store_begin(store, TXN_WRITE, &txn, err);
    if (status == STATUS_OK)
        status = log_signature_put(txn, identity->node, head.seq, signature, err);
    if (status == STATUS_OK)
        status = meta_put(txn, META_SIGNED_SEQ, head.seq, err);
    if (status != STATUS_OK) {
        store_abort(txn);
        return status;
    }
    return store_commit(txn, err);
}
