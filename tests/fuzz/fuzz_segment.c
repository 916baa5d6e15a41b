/* Segments. First byte even: the file as it comes. Odd: the rest are records that a
 * member who has the key seals (type, size varint, payload …), so that what lies behind
 * the seal is reached. Nothing may crash; ranges that are read say something. */
#include "log/segment.h"
#include "log/segment_format.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct identity identity = {.node = 1, .key_generation = 1};

static void seal(struct bytes records, struct buffer *out)
{
    static uint8_t packed[FRAME_PACKED_MAX], sealed[FRAME_SEALED_MAX];
    crypto_secretstream_xchacha20poly1305_state stream;
    uint8_t header[SEAL_HEADER_SIZE], nonce[SEAL_NONCE_SIZE], key[SEAL_KEY_SIZE];
    unsigned long long sealed_size;
    size_t packed_size;

    seal_key(key, SEAL_SEGMENT, &identity);
    crypto_secretstream_xchacha20poly1305_init_push(&stream, nonce, key);
    seal_header_encode(header, SEAL_SEGMENT, &identity, nonce);
    packed_size = ZSTD_compress(packed, sizeof packed, records.data, records.size, 1);
    if (ZSTD_isError(packed_size))
        abort();
    crypto_secretstream_xchacha20poly1305_push(
        &stream, sealed, &sealed_size, packed, packed_size, header, sizeof header,
        crypto_secretstream_xchacha20poly1305_TAG_FINAL);
    buffer_put_bytes(out, (struct bytes){header, sizeof header});
    buffer_put(out, sealed_size, 4);
    buffer_put_bytes(out, (struct bytes){sealed, (size_t)sealed_size});
}

static struct store *store;
static char folder[] = "/tmp/rowferry-fuzz-XXXXXX";

static int remove_one(const char *path, const struct stat *stat, int type,
                      struct FTW *walk)
{
    (void)stat;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_store(void)
{
    if (store != NULL)
        (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    store_close(store);
    store = NULL;
}

/* A store that holds nothing, made once. */
static void make_store(void)
{
    static const struct identity importer = {
        .node = 2, .name = "fuzz", .key_generation = 1};
    static bool is_registered;
    struct error err;

    if (store != NULL)
        return;
    if (!is_registered && atexit(remove_store) != 0)
        abort();
    is_registered = true;
    if (mkdtemp(folder) == NULL || store_create(folder, &importer, &err) != STATUS_OK ||
        store_open(&store, folder, STORE_READ_WRITE, &err) != STATUS_OK)
        abort();
}

static uint64_t last_seq(void)
{
    struct store_txn *txn;
    struct error err;
    uint64_t last;

    if (store_begin(store, TXN_READ, &txn, &err) != STATUS_OK ||
        meta_get(txn, META_LAST_SEQ, &last, &err) != STATUS_OK)
        abort();
    store_abort(txn);
    return last;
}

static void import(struct buffer *segment)
{
    FILE *file = fmemopen(segment->data, segment->size, "rb");
    struct segment_counts counts;
    struct error err;
    enum status status;

    if (file == NULL)
        abort();
    status = segment_import(store, file, "x", &counts, &err);
    if (status != STATUS_OK &&
        (status != STATUS_REFUSED || counts.refusal == REFUSAL_NONE || last_seq() != 0))
        abort();
    (void)fclose(file);
    if (last_seq() == 0)
        return;
    /* The fuzzer has signed an entry: begin anew. */
    remove_store();
    memset(folder + sizeof folder - 7, 'X', 6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer segment = {0};
    struct bytes rest;

    if (size < 2 || sodium_init() < 0)
        return 0;
    make_store();
    rest = (struct bytes){data + 1, size - 1};
    if (data[0] % 2 == 0)
        buffer_put_bytes(&segment, rest);
    else
        seal(rest, &segment);
    import(&segment);
    buffer_release(&segment);
    return 0;
}
