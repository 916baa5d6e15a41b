#include "capture/postgres_order.h"

#include <stdlib.h>
#include <string.h>

enum status postgres_order_open(struct postgres_order *order,
                                const struct catalog *catalog, struct error *err)
{
    order->catalog = catalog;
    order->group = calloc(catalog->count + 1, sizeof *order->group);
    if (order->group == NULL)
        return error_set(err, STATUS_NO_MEMORY, "tables: out of memory");
    return foreign_key_groups((const struct definition *const *)catalog->definitions,
                              catalog->count, order->group, err);
}

void postgres_order_close(struct postgres_order *order)
{
    free(order->group);
    *order = (struct postgres_order){0};
}

uint32_t postgres_order_of(const struct postgres_order *order, const char *local_name)
{
    for (size_t i = 0; order->group != NULL && i < order->catalog->count; i++)
        if (strcmp(order->catalog->definitions[i]->local_name, local_name) == 0)
            return order->group[i];
    return UINT32_MAX;
}
