/* What walks through rows' histories found, kept for the next change of the same row from
 * the same origin.
 *
 * A change is held against each earlier one of its row that it had not seen
 * (log/merge.h). Contexts of an origin only grow: what one of its changes had seen, its
 * next has, too. So the next walk ends where the last one began, and of what is behind
 * that only those writes are looked at again that may still need a record. Thousands of
 * changes of one row beside a write of another node so cost what they and it are, not
 * their square.
 *
 * It is an appender's memory only: who does not have it walks the whole way once. Private
 * to log/. */
#ifndef LOG_WALKS_H
#define LOG_WALKS_H

#include "log/log_reader.h"
#include "log/version_vector.h"

enum { WALKS_SLOTS = 512, UNSEEN_CLASS_SIZE = 16 };

/* A write that a change had not seen. */
struct unseen {
    struct version version;
    struct place place;
    uint8_t class[UNSEEN_CLASS_SIZE]; /* equal: of equal content */
};

/* All zeroes is an empty list. */
struct unseen_list {
    struct unseen *items; /* owned; from first on by rising version */
    size_t first, count, capacity;
};
MUST_CHECK enum status unseen_add(struct unseen_list *list, const struct unseen *unseen,
                                  struct error *err);
void unseen_release(struct unseen_list *list);

/* One row, as the changes of one origin meet it. */
struct walk {
    uint64_t origin; /* 0: an empty slot */
    uint32_t table;
    struct buffer key;
    struct place upto;             /* the last change, where the next walk ends */
    struct version version;        /* of the last change: those after it are larger */
    struct unseen_list open;       /* those that may still need a record */
    struct version_vector settled; /* the newest of each origin that need no more */
};

struct walks {
    struct walk *slots;       /* owned; WALKS_SLOTS, or NULL */
    struct unseen_list found; /* by the walk that goes on, the newest first */
    uint8_t hash_key[UNSEEN_CLASS_SIZE];
};

/* It knows nothing then. */
void walks_init(struct walks *walks);
void walks_release(struct walks *walks);

/* Forget everything: after a transaction that did not commit. */
void walks_clear(struct walks *walks);

/* NULL: nothing is known. The walk is good until the next call. */
struct walk *walks_find(struct walks *walks, uint32_t table, struct bytes key,
                        uint64_t origin);

/* A walk of which nothing is known yet, perhaps in the place of another's. */
MUST_CHECK enum status walks_claim(struct walks *walks, uint32_t table, struct bytes key,
                                   uint64_t origin, struct walk **out, struct error *err);
void walk_forget(struct walk *walk);

/* Add what was found, which then is empty, to what is open. When it is more than is kept
 * of all rows together, everything is forgotten. */
MUST_CHECK enum status walks_keep_found(struct walks *walks, struct walk *walk,
                                        struct error *err);

/* Say that a write needs no further record. */
MUST_CHECK enum status walk_settle(struct walk *walk, const struct version *version,
                                   struct error *err);

/* What all writes of equal content under one definition have in common. */
void walks_class(const struct walks *walks, uint64_t definition_origin,
                 uint32_t definition, bool live, struct bytes image,
                 uint8_t out[UNSEEN_CLASS_SIZE]);

#endif
