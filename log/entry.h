/* Entries: one source transaction each. A header, then a body of items: changes, table
 * definitions or one member record. The layouts stand above the encoders in entry.c and
 * change.c; both are the same bytes in the log, in a segment and on every node. */
#ifndef LOG_ENTRY_H
#define LOG_ENTRY_H

#include "log/version.h"
#include "log/version_vector.h"

enum { ENTRY_FORMAT = 1, HASH_SIZE = 32, SIGNATURE_SIZE = 64, PUBLIC_KEY_SIZE = 32 };

enum entry_kind { ENTRY_CHANGES = 1, ENTRY_TABLES = 2, ENTRY_MEMBER = 3 };

enum entry_flag {
    ENTRY_PARTIAL = 1, /* for a filtered peer: changes were left out */
    ENTRY_BASE = 2, /* rows that were there when the fleet was founded, or when this node
                       joined and let the fleet's win (log/merge.h) */
};

enum entry_field {
    FIELD_NOTE = 1,
    FIELD_USER = 2,
    FIELD_SOURCE_POSITION = 3,
};

struct entry_header {
    enum entry_kind kind;
    uint8_t flags;
    uint64_t origin;
    uint64_t origin_seq;
    uint64_t stamp_us;  /* hybrid timestamp */
    uint64_t commit_us; /* the source's own commit time; 0 when it has none */
    uint32_t item_count;
    uint64_t body_size;   /* bytes of all items with their size prefixes */
    struct bytes context; /* encoded version vector: what changed since the origin's
                             previous entry; without the origin's own slot; {NULL, 0} and
                             an encoded vector of none are the same */
    struct bytes fields;  /* as entry_field_put() wrote them, one after another, unknown
                             tags  too; {NULL, 0} when there is none */
};

void entry_header_encode(struct buffer *out, const struct entry_header *header);

/* Take what stands at fixed places in a header that is decoded elsewhere: context and
 * fields are empty, nothing else is checked. False: it is no header of a known format. */
bool entry_header_peek(struct bytes in, struct entry_header *out);

/* in is exactly the header. Views point into in. CORRUPT. UNAVAILABLE: a newer format. */
MUST_CHECK enum status entry_header_decode(struct bytes in, struct entry_header *out,
                                           struct error *err);

/* Tagged fields: append one, its tag larger than the last one's; find one (false when it
 * is not there). */
void entry_field_put(struct buffer *fields, enum entry_field tag, struct bytes value);
bool entry_field_find(struct bytes fields, enum entry_field tag, struct bytes *value);

/* hash = BLAKE2b-256(previous hash, header bytes, BLAKE2b-256(body bytes)). */
void entry_hash(uint8_t out[HASH_SIZE], const uint8_t previous[HASH_SIZE],
                struct bytes header, const uint8_t body_hash[HASH_SIZE]);

/* A member record: the one item of an entry of kind member. */
enum member_event { MEMBER_JOINED = 1, MEMBER_FORGOTTEN = 2 };

struct member {
    enum member_event event;
    uint64_t node;
    struct bytes name;                   /* UTF-8, 1 to 255 bytes */
    uint8_t public_key[PUBLIC_KEY_SIZE]; /* Ed25519; of the joined node */
    enum { MEMBER_SQLITE = 1, MEMBER_POSTGRES = 2 } engine;
    uint8_t formats_max; /* newest entry and segment format it reads */
};

void member_encode(struct buffer *out, const struct member *member);
MUST_CHECK enum status member_decode(struct bytes in, struct member *out,
                                     struct error *err);

#endif
