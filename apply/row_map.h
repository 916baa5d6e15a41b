/* How images under another node's definition meet a table's own columns: by name, see
 * definition_map_column(). Generated columns are left out. Pure. */
#ifndef APPLY_ROW_MAP_H
#define APPLY_ROW_MAP_H

#include "log/definition.h"
#include "log/error.h"

enum { ROW_MAP_MISSING = -1, ROW_MAP_GENERATED = -2 };

struct row_map {
    const struct definition *from;
    int32_t *own; /* owned; by the image's place: the own place, or one of the above */
    bool key_differs; /* other key columns, or in another order */
    bool lacks;       /* the own table stores columns that these images lack */
    struct row_map *next;
};

/* The map of images under from, out of a list (all NULL begins one) to which it is added;
 * the last used is the first. from must outlive the list. NO_MEMORY. */
MUST_CHECK enum status row_map_find(struct row_map **list, const struct definition *own,
                                    const struct definition *from, struct row_map **out,
                                    struct error *err);
void row_maps_release(struct row_map **list);

#endif
