/* The members of the fleet as this log knows them: a copy, for names and look-ups. */
#ifndef NODE_MEMBERS_H
#define NODE_MEMBERS_H

#include "log/log_reader.h"

struct member_name {
    uint64_t node;
    char name[NODE_NAME_MAX + 1];
    bool forgotten;
    bool is_postgres;
    uint64_t seq; /* of the entry that says so */
};

struct members {
    struct member_name *list; /* owned; ascending by node */
    size_t count;
};

/* On success the caller gives it back with members_release(); also after a failure. */
MUST_CHECK enum status members_read(struct members *members, struct store_txn *txn,
                                    struct error *err);
void members_release(struct members *members);

/* NULL: not a member. */
const struct member_name *members_get(const struct members *members, uint64_t node);

/* The node with this id (16 hex digits) or name. what: the option, for messages.
 * NOT_FOUND: none. USAGE: several have this name. */
MUST_CHECK enum status members_find(const struct members *members, const char *what,
                                    const char *text, uint64_t *node, struct error *err);

#endif
