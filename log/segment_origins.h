/* What a segment's verification knows of each origin in it: where its chain stands, what
 * is held here already, and how far it may enter. */
#ifndef LOG_SEGMENT_ORIGINS_H
#define LOG_SEGMENT_ORIGINS_H

#include "log/log_reader.h"
#include "log/segment.h"
#include "log/tables.h"

struct segment_origin {
    uint64_t origin;
    uint64_t from; /* the segment's range */
    uint64_t to;
    uint64_t held;           /* this store's head */
    uint64_t at;             /* last entry verified */
    uint64_t accepted;       /* the last one that may enter: held or more */
    uint8_t hash[HASH_SIZE]; /* of the chain at `at` */
    bool is_signed;          /* `at` has a HEAD */
    bool is_cut; /* an entry was left for the next visit: all later ones too */
    bool has_key;
    uint8_t public_key[PUBLIC_KEY_SIZE];
    char name[NODE_NAME_MAX + 1]; /* "" while unknown */
    /* Of the entries after `held`, once there is one: */
    bool is_loaded;
    struct version_vector context;   /* cumulative, at `at` */
    uint64_t stamp_us;               /* newest that is not a base entry's */
    uint32_t stored_definitions;     /* how many this store has */
    struct definition **definitions; /* the following ones, from this segment; owned */
    uint32_t definition_count;
    uint32_t definition_capacity;
};

struct segment_origins {
    struct segment_origin *items; /* owned; ascending by origin */
    size_t count;
    struct version_vector vector; /* this store's */
};

enum { NODE_LABEL_SIZE = NODE_ID_TEXT_SIZE + NODE_NAME_MAX + 16 };

/* Compare the ranges with what the store holds. origins is all zero, and is to be
 * released whatever comes back. REFUSED with *refusal: a range must come first, or a
 * fork. */
MUST_CHECK enum status segment_origins_init(struct segment_origins *origins,
                                            struct store_txn *txn,
                                            const struct segment_ranges *ranges,
                                            const char *name, enum refusal *refusal,
                                            struct error *err);
void segment_origins_release(struct segment_origins *origins);

/* NULL when the segment has none of it. */
struct segment_origin *segment_origins_find(const struct segment_origins *origins,
                                            uint64_t origin);

/* Read what new entries of the origin are checked against, once. */
MUST_CHECK enum status segment_origins_load(struct segment_origin *origin,
                                            struct store_txn *txn, struct error *err);

/* Highest origin_seq that is held or was verified in this segment so far; that may enter.
 */
uint64_t segment_origins_available(const struct segment_origins *origins,
                                   uint64_t origin);
uint64_t segment_origins_accepted(const struct segment_origins *origins, uint64_t origin);

/* "node 00000000000000a1 (boat)", by what segment and store know. */
void segment_origins_label(const struct segment_origins *origins, struct store_txn *txn,
                           uint64_t node, char out[NODE_LABEL_SIZE]);

/* Entries first..last of a node must come first: REFUSED, one line. name: the segment's.
 */
enum status segment_missing(const char *name, const char *label, uint64_t first,
                            uint64_t last, enum refusal *refusal, struct error *err);

/* The node has two histories: REFUSED, one line. own: it is this node. */
enum status segment_fork(const char *name, const char *label, uint64_t origin_seq,
                         bool own, enum refusal *refusal, struct error *err);

#endif
