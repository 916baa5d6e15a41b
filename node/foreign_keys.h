/* Whether foreign keys count on this node, and which members have it otherwise: nodes of
 * one schema show equal rows only where they agree (DESIGN section 7).
 *
 * rowferry.ini decides; without a line there what the founder's init found, which a
 * joiner takes over at its first sync. Each node's definitions say it to the others. */
#ifndef NODE_FOREIGN_KEYS_H
#define NODE_FOREIGN_KEYS_H

#include "log/tables.h"
#include "node/config.h"

MUST_CHECK enum status foreign_keys_count(struct store_txn *txn,
                                          const struct config *config, bool *count,
                                          struct error *err);

/* Remember what holds without a line in rowferry.ini; durable on return. */
MUST_CHECK enum status foreign_keys_remember(struct store *store, bool count,
                                             struct error *err);

/* What the founder's definitions say, or, where it has no foreign keys, those of all.
 * *any: some have one. */
MUST_CHECK enum status foreign_keys_of_fleet(struct store_txn *txn, uint64_t founder,
                                             bool *count, bool *any, struct error *err);

/* A member whose newest definitions say otherwise of a key that this node has too. */
struct foreign_keys_member {
    uint64_t node;
    const char *table; /* the first of them; lives as long as the store */
    bool known;        /* its definitions are as they were at foreign_keys_watch() */
};

struct foreign_keys_elsewhere {
    struct foreign_keys_member *list; /* owned */
    size_t count;
};

/* count: whether they count here. On success the caller releases *out; also after a
 * failure. before: what foreign_keys_watch() saw, or NULL: then none is known. */
struct foreign_keys_watch;
MUST_CHECK enum status
foreign_keys_elsewhere_read(struct foreign_keys_elsewhere *out, struct store_txn *txn,
                            bool count, const struct foreign_keys_watch *before,
                            struct error *err);
void foreign_keys_elsewhere_release(struct foreign_keys_elsewhere *elsewhere);

/* The highest definition of each member now. On success *out is the caller's, for
 * foreign_keys_watch_close(). */
MUST_CHECK enum status foreign_keys_watch_open(struct foreign_keys_watch **out,
                                               struct store_txn *txn, struct error *err);
void foreign_keys_watch_close(struct foreign_keys_watch *watch);

#endif
