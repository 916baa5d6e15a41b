/* Tables and definitions as the store knows them: the fleet's names have a dense number
 * in each store (a table id), and each origin's numbered definitions are kept for ever.
 */
#ifndef LOG_TABLES_H
#define LOG_TABLES_H

#include "log/store.h"

struct table {
    uint32_t id; /* this store's, from 1 */
    const struct definition *definition;
};

/* The definition that an origin numbered so, and the table it describes. Cached: the
 * views live as long as the store. NOT_FOUND. */
MUST_CHECK enum status tables_find(struct store_txn *txn, uint64_t origin,
                                   uint32_t number, struct table *out, struct error *err);

/* The table id of a fleet name. NOT_FOUND. */
MUST_CHECK enum status tables_id(struct store_txn *txn, const char *name, uint32_t *id,
                                 struct error *err);

/* The newest definition that origin gave the table with this id. NOT_FOUND. */
MUST_CHECK enum status tables_newest(struct store_txn *txn, uint64_t origin, uint32_t id,
                                     struct table *out, struct error *err);

/* Number of table ids in use: they are 1..count. */
MUST_CHECK enum status tables_count(struct store_txn *txn, uint32_t *count,
                                    struct error *err);

/* Highest definition number of origin; 0 when none. */
MUST_CHECK enum status tables_highest(struct store_txn *txn, uint64_t origin,
                                      uint32_t *number, struct error *err);

/* The fleet name of a table id. Lives as long as the store. NOT_FOUND. */
MUST_CHECK enum status tables_name(struct store_txn *txn, uint32_t id, const char **name,
                                   struct error *err);

/* Some definition of the table: this node's newest, else the founder's or any origin's.
 */
MUST_CHECK enum status tables_any(struct store_txn *txn, uint32_t id, struct table *out,
                                  struct error *err);

/* Some definition of the table by another node. NOT_FOUND, a plain answer: nobody else
 * has one. */
MUST_CHECK enum status tables_others(struct store_txn *txn, uint32_t id,
                                     struct table *out, struct error *err);

/* Visit the newest definition of the table by each other node that has one. Return false
 * from visit to end early. The visitor must not write. */
typedef bool (*table_visit_cb)(void *data, const struct table *table);
MUST_CHECK enum status tables_others_visit(struct store_txn *txn, uint32_t id,
                                           table_visit_cb visit, void *data,
                                           struct error *err);

/* A number that is another one after any definition was added. */
MUST_CHECK enum status tables_generation(struct store_txn *txn, uint64_t *generation,
                                         struct error *err);

#endif
