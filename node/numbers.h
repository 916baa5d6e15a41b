/* Numbers of this node's own in tables with INTEGER PRIMARY KEY AUTOINCREMENT, or an
 * integer key that a sequence of Postgres feeds
 * (rowferry.ini, ids = range; engine/number_range.h says how). Apply keeps them in its
 * own transactions; here is what remains: at init, and after a capture, when the node has
 * given many, has new tables, or the setting is new. */
#ifndef NODE_NUMBERS_H
#define NODE_NUMBERS_H

#include "node/config.h"
#include "node/database.h"
#include "node/node.h"

struct numbers {
    struct sqlite_database *database; /* NULL: of another kind */
    struct postgres *postgres;        /* the same */
    struct store *store;
    const struct config *config;
    const struct catalog *catalog; /* the database's; NULL: not read yet */
    node_notice_cb notice;         /* of a table that has none left; may be NULL */
    void *notice_data;
};

/* This node's slot among the members that the store knows. */
MUST_CHECK enum status numbers_slot(struct store_txn *txn, uint32_t *slot,
                                    struct error *err);

/* Say of a table's rule whether its numbers are the node's own, or others may give them
 * too; neither without a database (NULL). */
MUST_CHECK enum status numbers_rule(struct database *database,
                                    const struct definition *definition,
                                    enum ids_mode ids, struct init_rule *rule,
                                    struct error *err);

/* Set the counters, where the node has numbers of its own: at init, with nothing open on
 * the database. */
MUST_CHECK enum status numbers_begin(const struct numbers *numbers, struct error *err);

/* The same with a node that has joined, when one of them is not where it must be. The
 * caller holds LOCK_APPLY. A database that is in use is left alone. */
MUST_CHECK enum status numbers_keep(const struct numbers *numbers, struct error *err);

#endif
