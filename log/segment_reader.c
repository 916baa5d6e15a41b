#include "log/segment_reader.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* So many zeros in a row are no accident. */
enum { ZEROS_SIZE = 16 };

struct segment_reader {
    FILE *file;
    const char *name;
    uint8_t header[SEAL_HEADER_SIZE];
    uint8_t nonce[SEAL_NONCE_SIZE];
    crypto_secretstream_xchacha20poly1305_state stream; /* secret */
    ZSTD_DCtx *unpacker;
    uint8_t *sealed;   /* FRAME_SEALED_MAX */
    uint8_t *packed;   /* FRAME_PACKED_MAX */
    uint8_t *raw;      /* FRAME_RAW_MAX */
    struct bytes left; /* of raw: not yet taken */
    bool is_final;     /* the last frame has been read */
    uint64_t bytes;
    uint64_t frames;
    struct buffer record;
    struct progress_step progress;
};

uint64_t segment_reader_bytes(const struct segment_reader *reader)
{
    return reader->bytes;
}

void segment_reader_watch(struct segment_reader *reader, const struct store *store,
                          const char *step, uint64_t size)
{
    const char *slash = strrchr(reader->name, '/');

    progress_begin(
        &reader->progress, store_progress(store),
        &(struct progress_state){.step = step,
                                 .part = slash != NULL ? slash + 1 : reader->name,
                                 .unit = PROGRESS_BYTES,
                                 .all = size});
}

const uint8_t *segment_reader_nonce(const struct segment_reader *reader)
{
    return reader->nonce;
}

void segment_reader_close(struct segment_reader *reader)
{
    if (reader == NULL)
        return;
    ZSTD_freeDCtx(reader->unpacker);
    free(reader->sealed);
    free(reader->packed);
    free(reader->raw);
    buffer_release(&reader->record);
    sodium_memzero(&reader->stream, sizeof reader->stream);
    free(reader);
}

static enum status refuse(struct segment_reader *reader, enum refusal *refusal,
                          enum refusal why, const char *what, struct error *err)
{
    *refusal = why;
    return error_set(err, STATUS_REFUSED, "segment %s %s", reader->name, what);
}

static enum status refuse_cut(struct segment_reader *reader, enum refusal *refusal,
                              struct error *err)
{
    *refusal = REFUSAL_CUT;
    return error_set(err, STATUS_REFUSED,
                     "segment %s is cut: it ends at byte %" PRIu64
                     ", before its final mark; copy it again, or wait for the rest",
                     reader->name, reader->bytes);
}

/* Its size is clear, so nothing tells a size that was altered from a file that was cut.
 */
static enum status refuse_short(struct segment_reader *reader, size_t size,
                                enum refusal *refusal, struct error *err)
{
    *refusal = REFUSAL_CUT;
    return error_set(err, STATUS_REFUSED,
                     "segment %s is cut or altered: it ends at byte %" PRIu64
                     ", inside of frame %" PRIu64 " that says it has %zu bytes; copy it "
                     "again, or wait for the rest",
                     reader->name, reader->bytes, reader->frames + 1, size);
}

static enum status refuse_blank(struct segment_reader *reader, enum refusal *refusal,
                                struct error *err)
{
    *refusal = REFUSAL_BLANK;
    return error_set(
        err, STATUS_REFUSED,
        "segment %s is not whole: zeros stand in frame %" PRIu64
        ", where its content is to come; copy it again, or wait for the rest",
        reader->name, reader->frames + 1);
}

static enum status refuse_altered(struct segment_reader *reader, enum refusal *refusal,
                                  struct error *err)
{
    *refusal = REFUSAL_ALTERED;
    return error_set(err, STATUS_REFUSED,
                     "segment %s was altered: frame %" PRIu64
                     " is not what its writer sealed; copy it again",
                     reader->name, reader->frames + 1);
}

/* Read up to size bytes; *got is less only at the end of the file. */
static enum status read_bytes(struct segment_reader *reader, uint8_t *out, size_t size,
                              size_t *got, struct error *err)
{
    errno = 0;
    *got = fread(out, 1, size, reader->file);
    reader->bytes += *got;
    if (*got < size && ferror(reader->file))
        return error_set(err, STATUS_IO, "cannot read segment %s: %s", reader->name,
                         errno == 0 ? "input error" : strerror(errno));
    return STATUS_OK;
}

static enum status allocate(struct segment_reader **out, struct error *err)
{
    struct segment_reader *reader = calloc(1, sizeof *reader);

    *out = reader;
    if (reader != NULL) {
        reader->unpacker = ZSTD_createDCtx();
        reader->sealed = malloc(FRAME_SEALED_MAX);
        reader->packed = malloc(FRAME_PACKED_MAX);
        reader->raw = malloc(FRAME_RAW_MAX);
    }
    if (reader == NULL || reader->unpacker == NULL || reader->sealed == NULL ||
        reader->packed == NULL || reader->raw == NULL)
        return error_set(err, STATUS_NO_MEMORY, "read a segment: out of memory");
    return STATUS_OK;
}

static enum status read_header(struct segment_reader *reader,
                               const struct identity *identity, enum refusal *refusal,
                               struct error *err)
{
    uint8_t key[SEAL_KEY_SIZE];
    size_t got;
    int rc;
    enum status status =
        read_bytes(reader, reader->header, sizeof reader->header, &got, err);

    if (status == STATUS_OK)
        status = seal_header_decode((struct bytes){reader->header, got}, SEAL_SEGMENT,
                                    identity, reader->name, reader->nonce, refusal, err);
    if (status != STATUS_OK)
        return status;
    seal_key(key, SEAL_SEGMENT, identity);
    rc = crypto_secretstream_xchacha20poly1305_init_pull(&reader->stream, reader->nonce,
                                                         key);
    sodium_memzero(key, sizeof key);
    assert(rc == 0); /* fails on no input */
    return STATUS_OK;
}

enum status segment_reader_open(struct segment_reader **out,
                                const struct identity *identity, FILE *file,
                                const char *name, enum refusal *refusal,
                                struct error *err)
{
    struct segment_reader *reader = NULL;
    enum status status;

    *out = NULL;
    *refusal = REFUSAL_NONE;
    if (sodium_init() < 0)
        return error_set(err, STATUS_UNAVAILABLE, "libsodium does not start");
    status = allocate(&reader, err);
    if (status == STATUS_OK) {
        reader->file = file;
        reader->name = name;
        status = read_header(reader, identity, refusal, err);
    }
    if (status == STATUS_OK) {
        *out = reader;
        reader = NULL;
    }
    segment_reader_close(reader);
    return status;
}

/* Fill reader->sealed with one message of *size bytes. */
static enum status read_sealed(struct segment_reader *reader, size_t *size,
                               enum refusal *refusal, struct error *err)
{
    uint8_t prefix[4];
    size_t got;
    enum status status = read_bytes(reader, prefix, sizeof prefix, &got, err);

    if (status != STATUS_OK)
        return status;
    if (got < sizeof prefix)
        return refuse_cut(reader, refusal, err);
    *size = (size_t)bytes_get(prefix, 4);
    if (*size == 0)
        return refuse_blank(reader, refusal, err);
    if (*size < FRAME_SEALED_MIN || *size > FRAME_SEALED_MAX)
        return refuse_altered(reader, refusal, err);
    status = read_bytes(reader, reader->sealed, *size, &got, err);
    if (status == STATUS_OK && got < *size)
        return refuse_short(reader, *size, refusal, err);
    return status;
}

static enum status check_end(struct segment_reader *reader, enum refusal *refusal,
                             struct error *err)
{
    uint8_t byte;
    size_t got;
    enum status status = read_bytes(reader, &byte, 1, &got, err);

    if (status == STATUS_OK && got > 0)
        return refuse(reader, refusal, REFUSAL_ALTERED,
                      "was altered: bytes follow its end; copy it again", err);
    return status;
}

/* Whether zeros begin in this frame, and go on: no accident of its seal, but a copy at
 * work. What stands behind the frame is read, since it is refused in either case. */
static bool ends_in_zeros(struct segment_reader *reader, size_t size)
{
    struct error ignored;
    uint8_t byte = 0;
    size_t zeros = 0, got = 1;

    while (zeros < ZEROS_SIZE && zeros < size && reader->sealed[size - 1 - zeros] == 0)
        zeros++;
    for (; zeros > 0 && zeros < ZEROS_SIZE && byte == 0 && got == 1; zeros++) {
        if (read_bytes(reader, &byte, 1, &got, &ignored) != STATUS_OK)
            return false;
    }
    return zeros == ZEROS_SIZE && byte == 0 && got == 1;
}

static enum status next_frame(struct segment_reader *reader, enum refusal *refusal,
                              struct error *err)
{
    unsigned long long packed_size = 0;
    unsigned char tag = 0;
    size_t size = 0;
    size_t raw_size;
    enum status status = read_sealed(reader, &size, refusal, err);

    if (status != STATUS_OK)
        return status;
    if (crypto_secretstream_xchacha20poly1305_pull(
            &reader->stream, reader->packed, &packed_size, &tag, reader->sealed, size,
            reader->header, sizeof reader->header) != 0)
        return ends_in_zeros(reader, size) ? refuse_blank(reader, refusal, err)
                                           : refuse_altered(reader, refusal, err);
    raw_size = ZSTD_decompressDCtx(reader->unpacker, reader->raw, FRAME_RAW_MAX,
                                   reader->packed, (size_t)packed_size);
    if (ZSTD_isError(raw_size) || raw_size == 0 ||
        (tag != crypto_secretstream_xchacha20poly1305_TAG_FINAL &&
         tag != crypto_secretstream_xchacha20poly1305_TAG_MESSAGE))
        return refuse(reader, refusal, REFUSAL_INVALID,
                      "holds a frame that does not unpack: its writer is at fault", err);
    reader->frames++;
    progress_reach(&reader->progress, reader->bytes);
    reader->left = (struct bytes){reader->raw, raw_size};
    reader->is_final = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    return reader->is_final ? check_end(reader, refusal, err) : STATUS_OK;
}

/* Make at least one byte of content stand in reader->left. NOT_FOUND: there is none. */
static enum status need_content(struct segment_reader *reader, enum refusal *refusal,
                                struct error *err)
{
    if (reader->left.size > 0)
        return STATUS_OK;
    if (reader->is_final)
        return STATUS_NOT_FOUND;
    return next_frame(reader, refusal, err);
}

static enum status refuse_record(struct segment_reader *reader, enum refusal *refusal,
                                 struct error *err)
{
    return refuse(reader, refusal, REFUSAL_INVALID,
                  "holds a record that does not decode: its writer is at fault", err);
}

/* The record's size, whose bytes may stand in two frames. */
static enum status take_size(struct segment_reader *reader, uint64_t *size,
                             enum refusal *refusal, struct error *err)
{
    uint8_t bytes[VARINT_SIZE_MAX];
    struct bytes in;
    uint64_t byte;
    size_t count = 0;

    do {
        enum status status = need_content(reader, refusal, err);

        if (status == STATUS_NOT_FOUND || (status == STATUS_OK && count == sizeof bytes))
            return refuse_record(reader, refusal, err);
        if (status != STATUS_OK)
            return status;
        if (!bytes_take(&reader->left, 1, &byte))
            return refuse_record(reader, refusal, err);
        bytes[count++] = (uint8_t)byte;
    } while ((bytes[count - 1] & 0x80) != 0);
    in = (struct bytes){bytes, count};
    if (!bytes_take_varint(&in, size))
        return refuse_record(reader, refusal, err);
    return STATUS_OK;
}

/* The payload grows as it comes: a size that lies costs no memory. */
static enum status take_payload(struct segment_reader *reader, uint64_t size,
                                enum refusal *refusal, struct error *err)
{
    buffer_clear(&reader->record);
    while (reader->record.size < size) {
        enum status status = need_content(reader, refusal, err);
        uint64_t missing = size - reader->record.size;
        struct bytes part;

        if (status == STATUS_NOT_FOUND)
            return refuse_record(reader, refusal, err);
        if (status != STATUS_OK)
            return status;
        if (missing > reader->left.size)
            missing = reader->left.size;
        if (!bytes_take_view(&reader->left, missing, &part))
            return refuse_record(reader, refusal, err);
        buffer_put_bytes(&reader->record, part);
        status = buffer_check(&reader->record, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status segment_reader_next(struct segment_reader *reader, struct segment_record *out,
                                enum refusal *refusal, struct error *err)
{
    uint64_t type = 0;
    uint64_t size = 0;
    enum status status = need_content(reader, refusal, err);

    if (status != STATUS_OK)
        return status;
    if (!bytes_take(&reader->left, 1, &type) || type < RECORD_BEGIN || type > RECORD_END)
        return refuse_record(reader, refusal, err);
    status = take_size(reader, &size, refusal, err);
    if (status != STATUS_OK)
        return status;
    if (size > (type == RECORD_BODY ? RECORD_BODY_MAX : RECORD_OTHER_MAX))
        return refuse_record(reader, refusal, err);
    status = take_payload(reader, size, refusal, err);
    if (status != STATUS_OK)
        return status;
    *out = (struct segment_record){(enum segment_record_type)type,
                                   buffer_view(&reader->record)};
    return STATUS_OK;
}

/* ---- what a segment says it holds */

static enum status read_begin(struct segment_reader *reader,
                              struct segment_ranges *ranges, enum refusal *refusal,
                              struct error *err)
{
    struct segment_record record = {0};
    uint64_t sender;
    enum status status;

    assert(reader != NULL);
    status = segment_reader_next(reader, &record, refusal, err);

    if (status == STATUS_NOT_FOUND ||
        (status == STATUS_OK &&
         (record.type != RECORD_BEGIN || !bytes_take(&record.payload, 8, &sender))))
        return refuse_record(reader, refusal, err);
    if (status != STATUS_OK)
        return status;
    status = segment_ranges_take(&record.payload, ranges, true, err);
    if (status == STATUS_CORRUPT || (status == STATUS_OK && record.payload.size > 0))
        return refuse_record(reader, refusal, err);
    return status;
}

enum status segment_read_ranges(const struct identity *identity, FILE *file,
                                const char *name, struct segment_ranges *ranges,
                                enum refusal *refusal, struct error *err)
{
    struct segment_reader *reader = NULL;
    enum status status = segment_reader_open(&reader, identity, file, name, refusal, err);

    if (status == STATUS_OK)
        status = read_begin(reader, ranges, refusal, err);
    segment_reader_close(reader);
    return status;
}

enum status segment_read_whole(const struct identity *identity, FILE *file,
                               const char *name, struct segment_ranges *ranges,
                               enum refusal *refusal, struct error *err)
{
    struct segment_reader *reader = NULL;
    struct segment_record record;
    enum status status = segment_reader_open(&reader, identity, file, name, refusal, err);

    if (status == STATUS_OK)
        status = read_begin(reader, ranges, refusal, err);
    while (status == STATUS_OK)
        status = segment_reader_next(reader, &record, refusal, err);
    segment_reader_close(reader);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
