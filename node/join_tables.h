/* The tables of a fleet that a node joins: which they are, and their making in its
 * database (`--create-tables`). */
#ifndef NODE_JOIN_TABLES_H
#define NODE_JOIN_TABLES_H

#include "node/node_private.h"

/* Definitions of all fleet tables, the founder's where it has one; the store's views. */
struct fleet_tables {
    const struct definition **definitions; /* owned */
    uint32_t count;
    uint64_t founder;
};

/* REFUSED: nothing of the fleet is in the log. The caller releases out, after any
 * outcome. */
MUST_CHECK enum status fleet_tables_find(struct fleet_tables *out, struct store_txn *txn,
                                         struct error *err);
void fleet_tables_release(struct fleet_tables *tables);

/* Make those that this node wants and its database lacks, within the write transaction
 * that is open on it; what the fleet calls them are rules of the node's from now on.
 * Tells what is left out. */
MUST_CHECK enum status fleet_tables_make(const struct fleet_tables *tables,
                                         struct node *node, struct error *err);

#endif
