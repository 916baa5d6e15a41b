/* What nodes sign with their Ed25519 keys: the heads of their chains, and what they say
 * of themselves. Signatures are deterministic. Pure. */
#ifndef LOG_SIGNING_H
#define LOG_SIGNING_H

#include "log/store.h"

/* Sign this node's entry origin_seq, whose chain hash is hash. */
void signing_head(uint8_t out[SIGNATURE_SIZE], const struct identity *identity,
                  uint64_t origin_seq, const uint8_t hash[HASH_SIZE]);

bool signing_head_is_right(const uint8_t signature[SIGNATURE_SIZE],
                           const uint8_t fleet[FLEET_ID_SIZE],
                           const uint8_t public_key[PUBLIC_KEY_SIZE], uint64_t origin,
                           uint64_t origin_seq, const uint8_t hash[HASH_SIZE]);

/* The same for an acknowledgement's bytes without its signature. */
void signing_acknowledgement(uint8_t out[SIGNATURE_SIZE], const struct identity *identity,
                             struct bytes content);
bool signing_acknowledgement_is_right(const uint8_t signature[SIGNATURE_SIZE],
                                      const uint8_t fleet[FLEET_ID_SIZE],
                                      const uint8_t public_key[PUBLIC_KEY_SIZE],
                                      struct bytes content);

#endif
