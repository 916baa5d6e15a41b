/* In which order tables are laid, each with entries of its own: parents before their
 * children, which wait where they arrive for parents that they have not seen. */
#ifndef CAPTURE_POSTGRES_ORDER_H
#define CAPTURE_POSTGRES_ORDER_H

#include "engine/catalog.h"

/* All zeroes knows no table. */
struct postgres_order {
    const struct catalog *catalog; /* the caller's, outlives it */
    uint32_t *group;               /* owned; by its definitions */
};

/* NO_MEMORY. */
MUST_CHECK enum status postgres_order_open(struct postgres_order *order,
                                           const struct catalog *catalog,
                                           struct error *err);
void postgres_order_close(struct postgres_order *order);

/* The place of a table by its local name: that of a parent is smaller than its child's,
 * and that of tables in a circle of references is the same. Last: it is not known. */
uint32_t postgres_order_of(const struct postgres_order *order, const char *local_name);

#endif
