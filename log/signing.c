#include "log/signing.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static_assert((int)SIGNATURE_SIZE == (int)crypto_sign_BYTES, "Ed25519");
static_assert((int)PUBLIC_KEY_SIZE == (int)crypto_sign_PUBLICKEYBYTES, "Ed25519");

static const char head_domain[] = "rowferry-head-1";
static const char acknowledgement_domain[] = "rowferry-ack-1";

/* What is signed is BLAKE2b-256 of these bytes, one after another:
 *
 *  size  field of a head          size      field of an acknowledgement
 *  15    "rowferry-head-1"        14        "rowferry-ack-1"
 *  16    fleet id                 16        fleet id
 *  8     origin                   the rest  its bytes without the signature
 *  8     origin_seq
 *  32    chain hash
 */
static void digest(uint8_t out[HASH_SIZE], const char *domain,
                   const uint8_t fleet[FLEET_ID_SIZE], struct bytes content)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, HASH_SIZE);
    crypto_generichash_update(&state, (const uint8_t *)domain, strlen(domain));
    crypto_generichash_update(&state, fleet, FLEET_ID_SIZE);
    crypto_generichash_update(&state, content.data, content.size);
    crypto_generichash_final(&state, out, HASH_SIZE);
}

enum { HEAD_SIZE = 8 + 8 + HASH_SIZE };

static struct bytes put_head(uint8_t out[HEAD_SIZE], uint64_t origin, uint64_t origin_seq,
                             const uint8_t hash[HASH_SIZE])
{
    uint8_t *at = bytes_put(bytes_put(out, origin, 8), origin_seq, 8);

    memcpy(at, hash, HASH_SIZE);
    return (struct bytes){out, HEAD_SIZE};
}

static void sign(uint8_t out[SIGNATURE_SIZE], const char *domain,
                 const struct identity *identity, struct bytes content)
{
    uint8_t message[HASH_SIZE];

    digest(message, domain, identity->fleet, content);
    crypto_sign_detached(out, NULL, message, sizeof message, identity->secret_key);
}

static bool is_right(const uint8_t signature[SIGNATURE_SIZE], const char *domain,
                     const uint8_t fleet[FLEET_ID_SIZE],
                     const uint8_t public_key[PUBLIC_KEY_SIZE], struct bytes content)
{
    uint8_t message[HASH_SIZE];

    digest(message, domain, fleet, content);
    return crypto_sign_verify_detached(signature, message, sizeof message, public_key) ==
           0;
}

void signing_head(uint8_t out[SIGNATURE_SIZE], const struct identity *identity,
                  uint64_t origin_seq, const uint8_t hash[HASH_SIZE])
{
    uint8_t head[HEAD_SIZE];

    assert(origin_seq > 0);
    sign(out, head_domain, identity, put_head(head, identity->node, origin_seq, hash));
}

bool signing_head_is_right(const uint8_t signature[SIGNATURE_SIZE],
                           const uint8_t fleet[FLEET_ID_SIZE],
                           const uint8_t public_key[PUBLIC_KEY_SIZE], uint64_t origin,
                           uint64_t origin_seq, const uint8_t hash[HASH_SIZE])
{
    uint8_t head[HEAD_SIZE];

    return is_right(signature, head_domain, fleet, public_key,
                    put_head(head, origin, origin_seq, hash));
}

void signing_acknowledgement(uint8_t out[SIGNATURE_SIZE], const struct identity *identity,
                             struct bytes content)
{
    sign(out, acknowledgement_domain, identity, content);
}

bool signing_acknowledgement_is_right(const uint8_t signature[SIGNATURE_SIZE],
                                      const uint8_t fleet[FLEET_ID_SIZE],
                                      const uint8_t public_key[PUBLIC_KEY_SIZE],
                                      struct bytes content)
{
    return is_right(signature, acknowledgement_domain, fleet, public_key, content);
}
