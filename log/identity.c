#include "log/identity.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>

static enum status start_sodium(struct error *err)
{
    if (sodium_init() < 0)
        return error_set(err, STATUS_UNAVAILABLE, "libsodium does not start");
    return STATUS_OK;
}

static uint64_t random_id(void)
{
    uint64_t id = 0;

    while (id == 0)
        randombytes_buf(&id, sizeof id);
    return id;
}

/* Names are printed in lines of text: none may break or fake one. */
static const char *find_name_fault(const char *name)
{
    size_t size = strlen(name);

    if (size == 0)
        return "is empty";
    if (size > NODE_NAME_MAX)
        return "is longer than 255 bytes";
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return "has a control character";
    if (!bytes_are_utf8(bytes_of_text(name)))
        return "is not UTF-8";
    return NULL;
}

enum status identity_make(struct identity *out, const char *name, struct error *err)
{
    const char *fault = find_name_fault(name);
    enum status status;

    if (fault != NULL)
        return error_set(err, STATUS_USAGE, "the node's name %s: give another by --name",
                         fault);
    status = start_sodium(err);
    if (status != STATUS_OK)
        return status;
    *out = (struct identity){
        .node = random_id(),
        .incarnation = random_id(),
        .key_generation = 1,
    };
    memcpy(out->name, name, strlen(name) + 1);
    randombytes_buf(out->fleet, sizeof out->fleet);
    randombytes_buf(out->fleet_key, sizeof out->fleet_key);
    crypto_sign_keypair(out->public_key, out->secret_key);
    return STATUS_OK;
}

void identity_rank(struct identity *identity, bool founds)
{
    const uint64_t highest = UINT64_C(1) << 63;

    identity->node = founds ? identity->node | highest : identity->node & ~highest;
    if (identity->node == 0)
        identity->node = 1;
}

/* A token, one line of printable ASCII.
 *
 *  "rowferry-join-1:"
 *  70 characters  base64 (the URL's alphabet, no padding) of:
 *                 fleet id 16, key generation 4 (at least 1), fleet key 32
 *  ":"
 *  8 characters   hex of BLAKE2b-128's first 4 bytes over all that stands before this ":"
 */
static const char token_family[] = "rowferry-join-";
static const char token_prefix[] = "rowferry-join-1:";

enum {
    TOKEN_SECRET_SIZE = FLEET_ID_SIZE + 4 + FLEET_KEY_SIZE,
    TOKEN_BASE64_SIZE = 70,
    TOKEN_CHECK_SIZE = 8,
    TOKEN_BODY_SIZE = sizeof token_prefix - 1 + TOKEN_BASE64_SIZE,
    TOKEN_SIZE = TOKEN_BODY_SIZE + 1 + TOKEN_CHECK_SIZE,
};

static_assert((int)TOKEN_SIZE < (int)TOKEN_TEXT_SIZE, "a token has room");

static void put_check(char out[TOKEN_CHECK_SIZE + 1], const char *body)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];

    crypto_generichash(hash, sizeof hash, (const uint8_t *)body, TOKEN_BODY_SIZE, NULL,
                       0);
    sodium_bin2hex(out, TOKEN_CHECK_SIZE + 1, hash, TOKEN_CHECK_SIZE / 2);
}

void token_text(const struct identity *identity, char text[TOKEN_TEXT_SIZE])
{
    uint8_t secret[TOKEN_SECRET_SIZE];
    uint8_t *end = secret;

    assert(identity->key_generation > 0);
    memcpy(end, identity->fleet, FLEET_ID_SIZE);
    end = bytes_put(end + FLEET_ID_SIZE, identity->key_generation, 4);
    memcpy(end, identity->fleet_key, FLEET_KEY_SIZE);

    memcpy(text, token_prefix, sizeof token_prefix);
    sodium_bin2base64(text + sizeof token_prefix - 1, TOKEN_BASE64_SIZE + 1, secret,
                      sizeof secret, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    assert(strlen(text) == TOKEN_BODY_SIZE);
    text[TOKEN_BODY_SIZE] = ':';
    put_check(text + TOKEN_BODY_SIZE + 1, text);
    sodium_memzero(secret, sizeof secret);
}

static enum status read_secret(struct identity *identity, const char *body,
                               struct error *err)
{
    uint8_t secret[TOKEN_SECRET_SIZE];
    const uint8_t *at = secret + FLEET_ID_SIZE;
    size_t size = 0;
    enum status status = STATUS_OK;

    if (sodium_base642bin(secret, sizeof secret, body + sizeof token_prefix - 1,
                          TOKEN_BASE64_SIZE, NULL, &size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        size != sizeof secret || bytes_get(at, 4) == 0) {
        status = error_set(err, STATUS_REFUSED,
                           "the token is damaged: copy it again from `rowferry token`");
    } else {
        memcpy(identity->fleet, secret, FLEET_ID_SIZE);
        identity->key_generation = (uint32_t)bytes_get(at, 4);
        memcpy(identity->fleet_key, at + 4, FLEET_KEY_SIZE);
    }
    sodium_memzero(secret, sizeof secret);
    return status;
}

/* The number after the family's name, to be named in the message; 0 when there is none.
 */
static unsigned find_version(const char *text)
{
    unsigned version = 0;

    text += sizeof token_family - 1;
    for (size_t i = 0; i < 6 && isdigit((unsigned char)text[i]); i++)
        version = version * 10 + (unsigned)(text[i] - '0');
    return version;
}

enum status token_read(struct identity *identity, const char *text, struct error *err)
{
    char check[TOKEN_CHECK_SIZE + 1];
    size_t size;
    enum status status = start_sodium(err);

    if (status != STATUS_OK)
        return status;
    while (isspace((unsigned char)*text))
        text++;
    size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        size--;
    if (strncmp(text, token_family, sizeof token_family - 1) != 0) {
        return error_set(
            err, STATUS_REFUSED,
            "not a token: one is a line that begins with %s and is printed by "
            "`rowferry token`",
            token_prefix);
    }
    if (strncmp(text, token_prefix, sizeof token_prefix - 1) != 0) {
        return error_set(
            err, STATUS_REFUSED,
            "the token is of version %u, this rowferry reads version 1: update "
            "the older rowferry of the two",
            find_version(text));
    }
    if (size != TOKEN_SIZE || text[TOKEN_BODY_SIZE] != ':') {
        return error_set(err, STATUS_REFUSED,
                         "the token is cut or longer than one (%zu characters instead of "
                         "%d): copy it again from `rowferry token`",
                         size, TOKEN_SIZE);
    }
    put_check(check, text);
    if (memcmp(check, text + TOKEN_BODY_SIZE + 1, TOKEN_CHECK_SIZE) != 0) {
        return error_set(err, STATUS_REFUSED,
                         "the token's checksum is wrong: copy it again from "
                         "`rowferry token`");
    }
    return read_secret(identity, text, err);
}
