#include "apply/row_map.h"

#include <assert.h>
#include <stdlib.h>

static int32_t own_place(const struct definition *own, const struct definition *from,
                         uint32_t i)
{
    int32_t column = definition_map_column(from, i, own);

    if (column < 0)
        return ROW_MAP_MISSING;
    if (own->columns[column].generated != GENERATED_NO)
        return ROW_MAP_GENERATED;
    return definition_image_place(own, (uint32_t)column);
}

static bool key_differs(const struct definition *own, const struct definition *from)
{
    if (from->key_count != own->key_count)
        return true;
    for (uint32_t i = 0; i < from->column_count; i++) {
        int32_t column;

        if (from->columns[i].key_position == 0)
            continue;
        column = definition_map_column(from, i, own);
        if (column < 0 ||
            own->columns[column].key_position != from->columns[i].key_position)
            return true;
    }
    return false;
}

static enum status make_map(const struct definition *own, const struct definition *from,
                            struct row_map **out, struct error *err)
{
    struct row_map *map = calloc(1, sizeof *map);
    uint32_t place = 0, mapped = 0;

    if (map != NULL)
        map->own = calloc((size_t)from->stored_count + 1, sizeof *map->own);
    if (map == NULL || map->own == NULL) {
        free(map);
        return error_set(err, STATUS_NO_MEMORY, "write rows: out of memory");
    }
    map->from = from;
    for (uint32_t i = 0; i < from->column_count; i++) {
        if (from->columns[i].generated != GENERATED_NO)
            continue;
        map->own[place] = own_place(own, from, i);
        mapped += map->own[place] >= 0;
        place++;
    }
    map->key_differs = key_differs(own, from);
    map->lacks = mapped < own->stored_count;
    *out = map;
    return STATUS_OK;
}

enum status row_map_find(struct row_map **list, const struct definition *own,
                         const struct definition *from, struct row_map **out,
                         struct error *err)
{
    enum status status = STATUS_OK;
    struct row_map *map = NULL;

    for (struct row_map **at = list; *at != NULL && map == NULL; at = &(*at)->next) {
        if ((*at)->from != from)
            continue;
        map = *at;
        *at = map->next;
        break;
    }
    if (map == NULL)
        status = make_map(own, from, &map, err);
    if (status != STATUS_OK)
        return status;
    assert(map != NULL);
    map->next = *list;
    *list = *out = map;
    return STATUS_OK;
}

void row_maps_release(struct row_map **list)
{
    while (*list != NULL) {
        struct row_map *next = (*list)->next;

        free((*list)->own);
        free(*list);
        *list = next;
    }
}
