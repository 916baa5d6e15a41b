/* Conflict records: each change that lost to a concurrent one with other content, once,
 * with both images. Numbered from 1 in the order in which this node met them. */
#ifndef LOG_CONFLICTS_H
#define LOG_CONFLICTS_H

#include "log/rows.h"

enum conflict_rule {
    RULE_LATER = 1,  /* the larger timestamp won */
    RULE_ORIGIN = 2, /* equal timestamps: the larger node id */
    RULE_JOINED = 3, /* the loser's node joined so that the fleet's rows win */
};

struct conflict_side {
    struct version version;
    struct place place; /* in this store's log; may be trimmed */
    bool live;          /* else a delete */
    uint64_t definition_origin;
    uint32_t definition;
    struct bytes image;
};

struct conflict {
    uint64_t number;
    uint32_t table;
    struct bytes key;
    uint64_t noticed_us;
    enum conflict_rule rule;
    bool two_inserts; /* "two rows, one key": both began a life */
    bool kept_both;   /* the loser was inserted here under another key */
    struct conflict_side loser;
    struct conflict_side winner;
};

MUST_CHECK enum status conflict_get(struct store_txn *txn, uint64_t number,
                                    struct conflict *out, struct error *err);

/* The record in which this version lost; NOT_FOUND is a plain answer. */
MUST_CHECK enum status conflict_of_loser(struct store_txn *txn,
                                         const struct version *loser, uint64_t *number,
                                         struct error *err);

/* Add one unless this loser has one already (*added false then). */
MUST_CHECK enum status conflict_add(struct store_txn *txn,
                                    const struct conflict *conflict, bool *added,
                                    struct error *err);

/* Remember that the loser of a record was inserted under another key. NOT_FOUND. */
MUST_CHECK enum status conflict_mark_kept(struct store_txn *txn, uint64_t number,
                                          struct error *err);
MUST_CHECK enum status conflict_count(struct store_txn *txn, uint64_t *count,
                                      struct error *err);

#endif
