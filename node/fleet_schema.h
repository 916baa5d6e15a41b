/* The fleet's tables as statements for one engine: this node's newest definition of each,
 * else another member's. Reads only. */
#ifndef NODE_FLEET_SCHEMA_H
#define NODE_FLEET_SCHEMA_H

#include "engine/schema.h"
#include "log/store.h"

/* Append the statements of the tables that are named by the fleet's names; of all, in
 * alphabetical order, when name_count is 0. NOT_FOUND: no such table (named). REFUSED: of
 * schema_put(). */
MUST_CHECK enum status fleet_schema_put(struct schema_text *text, struct store_txn *txn,
                                        enum dialect to, const char *const *names,
                                        size_t name_count, struct error *err);

#endif
