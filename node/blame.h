/* Which change set each column of a row, as its winner has them.
 *
 * A row is written whole, so the winner carries columns that it did not change: from what
 * its writer's database held then, which is the largest version that the writer had seen,
 * and not always the one before it in this log. */
#ifndef NODE_BLAME_H
#define NODE_BLAME_H

#include "log/image.h"
#include "log/log_reader.h"

struct blame_cell {
    const struct column *column;
    const struct value *value;
    bool known;         /* else older than this log */
    struct place place; /* of the change that set it, when known */
};

/* Views live until the transaction ends. */
struct blame {
    struct row row;           /* a tombstone has no cells */
    struct blame_cell *cells; /* owned: one a stored column that the writer has */
    uint32_t count;
    struct image image; /* Private: the cells' values. */
};

void blame_init(struct blame *blame);
void blame_release(struct blame *blame);

/* NOT_FOUND: no such row. */
MUST_CHECK enum status blame_read(struct blame *blame, struct store_txn *txn,
                                  uint32_t table, struct bytes key, struct error *err);

#endif
