#include "log/sealing.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static_assert(SEAL_NONCE_SIZE == crypto_secretstream_xchacha20poly1305_HEADERBYTES,
              "a stream's header");
static_assert(SEAL_NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
              "a message's nonce");
static_assert((int)SEAL_KEY_SIZE == (int)crypto_secretstream_xchacha20poly1305_KEYBYTES,
              "a stream's key");
static_assert((int)SEAL_KEY_SIZE == (int)crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
              "a message's key");
static_assert((int)FLEET_KEY_SIZE == (int)crypto_kdf_KEYBYTES, "the fleet's key");

enum { MAGIC_SIZE = 4, CHECKED_SIZE = SEAL_HEADER_SIZE - SEAL_CHECK_SIZE };

struct kind {
    char magic[MAGIC_SIZE + 1];
    unsigned format;  /* the newest that is read and written */
    const char *noun; /* "segment x is cut" */
};

static const struct kind *kind_of(enum seal_kind kind)
{
    static const struct kind kinds[] = {
        [SEAL_SEGMENT] = {"RFSG", 1, "segment"   },
        [SEAL_STATE] = {"RFST", 1, "state file"},
    };

    assert(kind == SEAL_SEGMENT || kind == SEAL_STATE);
    return &kinds[kind];
}

/* Without a key: it tells accidents, the seal tells the rest. */
static void put_check(uint8_t out[SEAL_CHECK_SIZE], const uint8_t *header)
{
    crypto_generichash(out, SEAL_CHECK_SIZE, header, CHECKED_SIZE, NULL, 0);
}

/* The clear header. Integers are big-endian. Every format begins so.
 *
 *  offset  size  field
 *       0  4     magic           "RFSG" a segment, "RFST" a state file
 *       4  2     format          1
 *       6  16    fleet id
 *      22  4     key generation  of the fleet key under which it is sealed, at least 1
 *      26  24    nonce           random; of a segment: the secretstream's header
 *      50  16    checksum        BLAKE2b-128 of the 50 bytes before
 */
void seal_header_encode(uint8_t out[SEAL_HEADER_SIZE], enum seal_kind kind,
                        const struct identity *identity,
                        const uint8_t nonce[SEAL_NONCE_SIZE])
{
    uint8_t *at = out;

    assert(identity->key_generation > 0);
    memcpy(at, kind_of(kind)->magic, MAGIC_SIZE);
    at = bytes_put(at + MAGIC_SIZE, kind_of(kind)->format, 2);
    memcpy(at, identity->fleet, FLEET_ID_SIZE);
    at = bytes_put(at + FLEET_ID_SIZE, identity->key_generation, 4);
    memcpy(at, nonce, SEAL_NONCE_SIZE);
    at += SEAL_NONCE_SIZE;
    assert(at - out == CHECKED_SIZE);
    put_check(at, out);
}

static enum status refuse(struct error *err, enum refusal *refusal, enum refusal why,
                          enum seal_kind kind, const char *name, const char *what)
{
    *refusal = why;
    return error_set(err, STATUS_REFUSED, "%s %s %s", kind_of(kind)->noun, name, what);
}

static enum status refuse_foreign(struct error *err, enum refusal *refusal,
                                  enum seal_kind kind, const char *name,
                                  const uint8_t *fleet, const struct identity *identity)
{
    char theirs[2 * FLEET_ID_SIZE + 1];
    char ours[2 * FLEET_ID_SIZE + 1];

    sodium_bin2hex(theirs, sizeof theirs, fleet, FLEET_ID_SIZE);
    sodium_bin2hex(ours, sizeof ours, identity->fleet, FLEET_ID_SIZE);
    *refusal = REFUSAL_FOREIGN;
    return error_set(
        err, STATUS_REFUSED,
        "%s %s is of another fleet (%s, this node's is %s): take it to a node "
        "of that fleet",
        kind_of(kind)->noun, name, theirs, ours);
}

/* Of bytes whose checksum is right. */
static enum status check_fields(const uint8_t *header, enum seal_kind kind,
                                const struct identity *identity, const char *name,
                                enum refusal *refusal, struct error *err)
{
    const struct kind *known = kind_of(kind);
    unsigned format = (unsigned)bytes_get(header + 4, 2);
    uint32_t generation = (uint32_t)bytes_get(header + 22, 4);

    if (format > known->format) {
        *refusal = REFUSAL_NEWER;
        return error_set(err, STATUS_REFUSED,
                         "%s %s has format %u, this rowferry reads up to %u: update "
                         "rowferry here",
                         known->noun, name, format, known->format);
    }
    if (format == 0)
        return refuse(err, refusal, REFUSAL_ALTERED, kind, name,
                      "has format 0, which no rowferry writes: copy it again");
    if (memcmp(header + 6, identity->fleet, FLEET_ID_SIZE) != 0)
        return refuse_foreign(err, refusal, kind, name, header + 6, identity);
    if (generation != identity->key_generation) {
        *refusal = REFUSAL_FOREIGN;
        return error_set(
            err, STATUS_REFUSED,
            "%s %s is sealed under key generation %u, this node has %u: give "
            "the older side a new token",
            known->noun, name, generation, identity->key_generation);
    }
    return STATUS_OK;
}

enum status seal_header_decode(struct bytes in, enum seal_kind kind,
                               const struct identity *identity, const char *name,
                               uint8_t nonce[SEAL_NONCE_SIZE], enum refusal *refusal,
                               struct error *err)
{
    static const uint8_t zeros[MAGIC_SIZE];
    size_t begun = in.size < MAGIC_SIZE ? in.size : MAGIC_SIZE;
    uint8_t check[SEAL_CHECK_SIZE];
    enum status status;

    *refusal = REFUSAL_NONE;
    /* A file whose name and size came before its content. */
    if (begun == 0 || memcmp(in.data, zeros, begun) == 0) {
        return refuse(
            err, refusal, REFUSAL_BLANK, kind, name,
            "is not whole: its content is missing; copy it again, or wait for it");
    }
    if (memcmp(in.data, kind_of(kind)->magic, begun) != 0) {
        *refusal = REFUSAL_ALIEN;
        return error_set(err, STATUS_REFUSED,
                         "%s is not a %s of rowferry: nothing to read", name,
                         kind_of(kind)->noun);
    }
    if (in.size < SEAL_HEADER_SIZE)
        return refuse(err, refusal, REFUSAL_CUT, kind, name,
                      "is cut inside of its header: copy it again, or wait for the rest");
    put_check(check, in.data);
    if (memcmp(check, in.data + CHECKED_SIZE, SEAL_CHECK_SIZE) != 0)
        return refuse(err, refusal, REFUSAL_ALTERED, kind, name,
                      "was altered (its header's checksum is wrong): copy it again");
    status = check_fields(in.data, kind, identity, name, refusal, err);
    if (status == STATUS_OK)
        memcpy(nonce, in.data + CHECKED_SIZE - SEAL_NONCE_SIZE, SEAL_NONCE_SIZE);
    return status;
}

void seal_key(uint8_t out[SEAL_KEY_SIZE], enum seal_kind kind,
              const struct identity *identity)
{
    int rc = crypto_kdf_derive_from_key(out, SEAL_KEY_SIZE, (uint64_t)kind, "rowferry",
                                        identity->fleet_key);

    assert(rc == 0); /* fails on wrong sizes only */
}

/* Content that is sealed whole.
 *
 *  offset  size  field
 *       0  66    the clear header
 *      66  8     size of all that follows, so that a cut file is told from an altered one
 *      74  size  XChaCha20-Poly1305 of the content, the 74 bytes before as additional
 * data
 */
enum { WHOLE_SIZE = SEAL_HEADER_SIZE + 8 };

enum status seal_put(struct buffer *out, enum seal_kind kind,
                     const struct identity *identity, struct bytes content,
                     struct error *err)
{
    size_t sealed = content.size + crypto_aead_xchacha20poly1305_ietf_ABYTES;
    size_t size = WHOLE_SIZE + sealed;
    uint8_t *at = buffer_reserve(out, size);
    uint8_t nonce[SEAL_NONCE_SIZE];
    uint8_t key[SEAL_KEY_SIZE];

    if (at == NULL)
        return buffer_check(out, err);
    randombytes_buf(nonce, sizeof nonce);
    seal_header_encode(at, kind, identity, nonce);
    bytes_put(at + SEAL_HEADER_SIZE, sealed, 8);
    seal_key(key, kind, identity);
    crypto_aead_xchacha20poly1305_ietf_encrypt(at + WHOLE_SIZE, NULL, content.data,
                                               content.size, at, WHOLE_SIZE, NULL, nonce,
                                               key);
    sodium_memzero(key, sizeof key);
    out->size += size;
    return STATUS_OK;
}

/* The file is shorter than it says. */
static enum status refuse_short(struct error *err, enum refusal *refusal,
                                enum seal_kind kind, const char *name, struct bytes in)
{
    *refusal = REFUSAL_CUT;
    return error_set(err, STATUS_REFUSED,
                     "%s %s is cut or altered: %zu bytes are here, behind its header it "
                     "says %" PRIu64 " more: copy it again, or wait for the rest",
                     kind_of(kind)->noun, name, in.size,
                     bytes_get(in.data + SEAL_HEADER_SIZE, 8) - (in.size - WHOLE_SIZE));
}

enum status seal_take(struct bytes in, enum seal_kind kind,
                      const struct identity *identity, const char *name,
                      struct buffer *out, enum refusal *refusal, struct error *err)
{
    uint8_t nonce[SEAL_NONCE_SIZE];
    uint8_t key[SEAL_KEY_SIZE];
    size_t size;
    uint8_t *content;
    enum status status =
        seal_header_decode(in, kind, identity, name, nonce, refusal, err);
    int rc;

    if (status != STATUS_OK)
        return status;
    if (in.size < WHOLE_SIZE)
        return refuse(err, refusal, REFUSAL_CUT, kind, name,
                      "is cut behind its header: copy it again, or wait for the rest");
    if (in.size - WHOLE_SIZE < bytes_get(in.data + SEAL_HEADER_SIZE, 8))
        return refuse_short(err, refusal, kind, name, in);
    size = in.size - WHOLE_SIZE;
    if (size != bytes_get(in.data + SEAL_HEADER_SIZE, 8) ||
        size < crypto_aead_xchacha20poly1305_ietf_ABYTES)
        return refuse(err, refusal, REFUSAL_ALTERED, kind, name,
                      "was altered (its size is wrong): copy it again");
    buffer_clear(out);
    content = buffer_reserve(out, size);
    if (content == NULL)
        return buffer_check(out, err);
    seal_key(key, kind, identity);
    rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
        content, NULL, NULL, in.data + WHOLE_SIZE, size, in.data, WHOLE_SIZE, nonce, key);
    sodium_memzero(key, sizeof key);
    if (rc != 0)
        return refuse(err, refusal, REFUSAL_ALTERED, kind, name,
                      "was altered (its seal is broken): copy it again");
    out->size += size - crypto_aead_xchacha20poly1305_ietf_ABYTES;
    return STATUS_OK;
}
