/* What rowferry seals under the fleet's key (segments, state files) begins with one clear
 * header, the same in every format, so that a foreign file, an altered one and one of a
 * newer rowferry are told apart before anything is decrypted. Pure. */
#ifndef LOG_SEALING_H
#define LOG_SEALING_H

#include "log/store.h"

enum {
    SEAL_NONCE_SIZE = 24,
    SEAL_CHECK_SIZE = 16,
    SEAL_HEADER_SIZE = 4 + 2 + FLEET_ID_SIZE + 4 + SEAL_NONCE_SIZE + SEAL_CHECK_SIZE,
    SEAL_KEY_SIZE = 32,
};

enum seal_kind { SEAL_SEGMENT = 1, SEAL_STATE = 2 };

/* Why bytes are refused, for code; the text is in the error. */
enum refusal {
    REFUSAL_NONE = 0,
    REFUSAL_CUT,     /* not whole, or not whole yet; or a size in it is altered */
    REFUSAL_BLANK,   /* zeros where a copy at work has not come to yet */
    REFUSAL_ALTERED, /* wrong bytes: not what its writer wrote */
    REFUSAL_ALIEN,   /* something else altogether */
    REFUSAL_FOREIGN, /* another fleet's, or under another key */
    REFUSAL_NEWER,   /* of a format that this rowferry does not read */
    REFUSAL_FORK,    /* two histories of one node */
    REFUSAL_MISSING, /* other entries must come first */
    REFUSAL_SKEWED,  /* stamped too far ahead; what came before is in */
    REFUSAL_INVALID, /* sealed by a member, and still not what a node writes */
};

void seal_header_encode(uint8_t out[SEAL_HEADER_SIZE], enum seal_kind kind,
                        const struct identity *identity,
                        const uint8_t nonce[SEAL_NONCE_SIZE]);

/* Check the first bytes (at most SEAL_HEADER_SIZE of them) of what is called name. On
 * success nonce is filled. REFUSED: with *refusal and one line. */
MUST_CHECK enum status seal_header_decode(struct bytes in, enum seal_kind kind,
                                          const struct identity *identity,
                                          const char *name,
                                          uint8_t nonce[SEAL_NONCE_SIZE],
                                          enum refusal *refusal, struct error *err);

/* The key of this kind of thing, from the fleet's; wipe it after use. */
void seal_key(uint8_t out[SEAL_KEY_SIZE], enum seal_kind kind,
              const struct identity *identity);

/* Seal content whole behind a header with a new nonce; open it again into out (cleared
 * first). REFUSED as above. */
MUST_CHECK enum status seal_put(struct buffer *out, enum seal_kind kind,
                                const struct identity *identity, struct bytes content,
                                struct error *err);
MUST_CHECK enum status seal_take(struct bytes in, enum seal_kind kind,
                                 const struct identity *identity, const char *name,
                                 struct buffer *out, enum refusal *refusal,
                                 struct error *err);

#endif
