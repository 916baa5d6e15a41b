#include "tests/support/segment_file.h"

#include "log/segment_reader.h"
#include "log/signing.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static struct error error;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", error.text)

/* ---- stores */

static void get_vector(struct log_node *node, struct version_vector *vector)
{
    struct store_txn *txn;

    OK(store_begin(node->store, TXN_READ, &txn, &error));
    OK(meta_get_vector(txn, META_VECTOR, vector, &error));
    store_abort(txn);
}

struct buffer segment_of(struct log_node *from, struct log_node *to, uint64_t most)
{
    struct version_vector held, after;
    struct segment_counts counts;
    struct buffer segment = {0};
    char *data = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&data, &size);

    cr_assert_not_null(file);
    version_vector_init(&held);
    version_vector_init(&after);
    if (to != NULL)
        get_vector(to, &held);
    OK(segment_write(from->store, &held, most, file, &after, &counts, &error));
    cr_assert_eq(fclose(file), 0);
    cr_expect_eq(counts.bytes, size);
    cr_expect_eq(counts.entries == 0, size == 0);
    cr_expect_eq(counts.entries == 0, version_vector_equal(&held, &after));
    buffer_put_bytes(&segment, (struct bytes){(const uint8_t *)data, size});
    version_vector_release(&held);
    version_vector_release(&after);
    free(data);
    return segment;
}

enum status segment_into(struct log_node *node, struct bytes segment,
                         struct segment_counts *counts, struct error *err)
{
    FILE *file = tmpfile();
    enum status status;

    cr_assert_not_null(file);
    cr_assert_eq(fwrite(segment.data, 1, segment.size, file), segment.size);
    rewind(file);
    OK(store_lock(node->store, LOCK_IMPORT, &error));
    status = segment_import(node->store, file, "x", counts, err);
    store_unlock(node->store, LOCK_IMPORT);
    cr_assert_eq(fclose(file), 0);
    return status;
}

uint64_t segment_take(struct log_node *node, struct bytes segment)
{
    struct segment_counts counts;

    OK(segment_into(node, segment, &counts, &error));
    cr_expect_eq(counts.refusal, REFUSAL_NONE);
    cr_expect_eq(counts.bytes, segment.size);
    return counts.entries;
}

void segment_refuse(struct log_node *node, struct bytes segment, enum refusal refusal,
                    const char *text)
{
    struct version_vector before, after;
    struct segment_counts counts;
    uint64_t last = log_last(node);
    struct error err = {{0}};

    version_vector_init(&before);
    version_vector_init(&after);
    get_vector(node, &before);
    cr_expect_eq(segment_into(node, segment, &counts, &err), STATUS_REFUSED, "%s: %s",
                 text, err.text);
    cr_expect_eq(counts.refusal, refusal, "%d instead of %d: %s", (int)counts.refusal,
                 (int)refusal, err.text);
    cr_expect_not_null(strstr(err.text, text), "\"%s\" is not in \"%s\"", text, err.text);
    cr_expect_null(strchr(err.text, '\n'));
    cr_expect_eq(counts.entries, 0);
    get_vector(node, &after);
    cr_expect(version_vector_equal(&before, &after), "the store was changed");
    cr_expect_eq(log_last(node), last);
    version_vector_release(&before);
    version_vector_release(&after);
}

/* The hash of an origin's entry here; zeroes when it is not here. */
static void get_hash(struct log_node *node, uint64_t origin, uint64_t origin_seq,
                     uint8_t hash[HASH_SIZE])
{
    struct store_txn *txn;
    struct log_entry entry;
    uint64_t seq;

    memset(hash, 0, HASH_SIZE);
    OK(store_begin(node->store, TXN_READ, &txn, &error));
    if (log_find(txn, origin, origin_seq, &seq, &error) == STATUS_OK) {
        OK(log_get(txn, seq, &entry, &error));
        memcpy(hash, entry.hash, HASH_SIZE);
    }
    store_abort(txn);
}

bool logs_equal(struct log_node *a, struct log_node *b)
{
    struct version_vector left, right;
    bool equal;

    version_vector_init(&left);
    version_vector_init(&right);
    get_vector(a, &left);
    get_vector(b, &right);
    equal = version_vector_equal(&left, &right);
    for (size_t i = 0; equal && i < left.count; i++) {
        uint8_t one[HASH_SIZE], other[HASH_SIZE];

        get_hash(a, left.slots[i].origin, left.slots[i].seq, one);
        get_hash(b, left.slots[i].origin, left.slots[i].seq, other);
        equal = memcmp(one, other, HASH_SIZE) == 0;
    }
    version_vector_release(&left);
    version_vector_release(&right);
    return equal;
}

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    char block[4096];
    size_t got;

    cr_assert_not_null(in);
    cr_assert_not_null(out);
    while ((got = fread(block, 1, sizeof block, in)) > 0)
        cr_assert_eq(fwrite(block, 1, got, out), got);
    (void)fclose(in);
    cr_assert_eq(fclose(out), 0);
}

void log_node_copy(struct log_node *from, struct log_node *to)
{
    DIR *files = opendir(from->folder);
    struct dirent *entry;

    cr_assert_not_null(files);
    store_close(from->store);
    store_close(to->store);
    from->store = to->store = NULL;
    while ((entry = readdir(files)) != NULL) {
        char source[2 * LOG_PATH_MAX + 256], copy[2 * LOG_PATH_MAX + 256];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(source, sizeof source, "%s/%s", from->folder, entry->d_name);
        (void)snprintf(copy, sizeof copy, "%s/%s", to->folder, entry->d_name);
        copy_file(source, copy);
    }
    (void)closedir(files);
    to->identity = from->identity;
    log_node_reopen(from);
    log_node_reopen(to);
}

/* ---- records */

void forged_add(struct forged *forged, enum segment_record_type type,
                struct bytes payload)
{
    cr_assert_lt(forged->count, FORGED_RECORDS_MAX);
    forged->records[forged->count].type = type;
    buffer_init(&forged->records[forged->count].payload);
    buffer_put_bytes(&forged->records[forged->count++].payload, payload);
}

void forged_read(struct forged *forged, const struct identity *identity,
                 struct bytes segment)
{
    FILE *file = tmpfile();
    struct segment_reader *reader;
    struct segment_record record;
    enum refusal refusal;
    enum status status;

    *forged = (struct forged){.identity = *identity};
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(segment.data, 1, segment.size, file), segment.size);
    rewind(file);
    OK(segment_reader_open(&reader, identity, file, "x", &refusal, &error));
    while ((status = segment_reader_next(reader, &record, &refusal, &error)) == STATUS_OK)
        forged_add(forged, record.type, record.payload);
    cr_assert_eq(status, STATUS_NOT_FOUND, "%s", error.text);
    segment_reader_close(reader);
    cr_assert_eq(fclose(file), 0);
}

void forged_release(struct forged *forged)
{
    for (size_t i = 0; i < forged->count; i++)
        buffer_release(&forged->records[i].payload);
    forged->count = 0;
}

void forged_swap(struct forged *forged, size_t a, size_t b)
{
    const struct forged copy = *forged;

    forged->records[a] = copy.records[b];
    forged->records[b] = copy.records[a];
}

void forged_remove(struct forged *forged, size_t place)
{
    buffer_release(&forged->records[place].payload);
    for (size_t i = place + 1; i < forged->count; i++)
        forged->records[i - 1] = forged->records[i];
    forged->count--;
}

size_t forged_find(const struct forged *forged, enum segment_record_type type, size_t nth)
{
    for (size_t i = 0; i < forged->count; i++)
        if (forged->records[i].type == type && nth-- == 0)
            return i;
    cr_assert_fail("no such record");
    return 0;
}

/* One frame for each record: small segments only. */
struct buffer forged_write(const struct forged *forged)
{
    crypto_secretstream_xchacha20poly1305_state stream;
    uint8_t header[SEAL_HEADER_SIZE];
    uint8_t nonce[SEAL_NONCE_SIZE];
    uint8_t key[SEAL_KEY_SIZE];
    struct buffer out = {0};

    seal_key(key, SEAL_SEGMENT, &forged->identity);
    crypto_secretstream_xchacha20poly1305_init_push(&stream, nonce, key);
    seal_header_encode(header, SEAL_SEGMENT, &forged->identity, nonce);
    buffer_put_bytes(&out, (struct bytes){header, sizeof header});
    for (size_t i = 0; i < forged->count; i++) {
        struct buffer raw = {0};
        static uint8_t packed[FRAME_PACKED_MAX], sealed[FRAME_SEALED_MAX];
        unsigned long long sealed_size;
        size_t packed_size;

        buffer_put(&raw, forged->records[i].type, 1);
        buffer_put_sized(&raw, buffer_view(&forged->records[i].payload));
        cr_assert_leq(raw.size, FRAME_RAW_MAX);
        packed_size = ZSTD_compress(packed, sizeof packed, raw.data, raw.size, 1);
        cr_assert(!ZSTD_isError(packed_size));
        crypto_secretstream_xchacha20poly1305_push(
            &stream, sealed, &sealed_size, packed, packed_size, header, sizeof header,
            i + 1 == forged->count ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
                                   : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
        buffer_put(&out, sealed_size, 4);
        buffer_put_bytes(&out, (struct bytes){sealed, (size_t)sealed_size});
        buffer_release(&raw);
    }
    return out;
}

void forged_entry(struct forged *forged, const struct identity *identity,
                  const struct entry_header *header, struct bytes body,
                  const uint8_t previous[HASH_SIZE])
{
    struct segment_range range = {
        .origin = header->origin,
        .from = header->origin_seq - 1,
        .to = header->origin_seq,
    };
    struct segment_ranges ranges = {0};
    struct buffer payload = {0}, header_bytes = {0};
    uint8_t body_hash[HASH_SIZE], hash[HASH_SIZE], signature[SIGNATURE_SIZE];

    *forged = (struct forged){.identity = *identity};
    memcpy(range.hash, previous, HASH_SIZE);
    OK(segment_ranges_add(&ranges, &range, &error));
    buffer_put(&payload, identity->node, 8);
    segment_ranges_put(&payload, &ranges, true);
    forged_add(forged, RECORD_BEGIN, buffer_view(&payload));

    entry_header_encode(&header_bytes, header);
    crypto_generichash(body_hash, sizeof body_hash, body.data, body.size, NULL, 0);
    entry_hash(hash, previous, buffer_view(&header_bytes), body_hash);
    buffer_clear(&payload);
    buffer_put_bytes(&payload, (struct bytes){hash, sizeof hash});
    buffer_put_bytes(&payload, buffer_view(&header_bytes));
    forged_add(forged, RECORD_ENTRY, buffer_view(&payload));
    if (body.size > 0)
        forged_add(forged, RECORD_BODY, body);
    signing_head(signature, identity, header->origin_seq, hash);
    forged_add(forged, RECORD_HEAD, (struct bytes){signature, sizeof signature});

    buffer_clear(&payload);
    buffer_put_varint(&payload, 1);
    buffer_put_varint(&payload, header->item_count);
    forged_add(forged, RECORD_END, buffer_view(&payload));
    segment_ranges_release(&ranges);
    buffer_release(&payload);
    buffer_release(&header_bytes);
}
