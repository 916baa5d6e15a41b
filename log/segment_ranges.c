#include "log/segment_ranges.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { RANGES_MIN = 4, RANGE_SIZE_MIN = 10 };

void segment_ranges_init(struct segment_ranges *ranges)
{
    *ranges = (struct segment_ranges){0};
}

void segment_ranges_release(struct segment_ranges *ranges)
{
    free(ranges->items);
    segment_ranges_init(ranges);
}

static enum status reserve(struct segment_ranges *ranges, size_t count, struct error *err)
{
    size_t capacity = ranges->capacity < RANGES_MIN ? RANGES_MIN : ranges->capacity;
    struct segment_range *items;

    assert(count <= VERSION_VECTOR_ORIGINS_MAX);
    if (count <= ranges->capacity)
        return STATUS_OK;
    while (capacity < count)
        capacity *= 2;
    items = realloc(ranges->items, capacity * sizeof *items);
    if (items == NULL)
        return error_set(err, STATUS_NO_MEMORY, "ranges of a segment: out of memory");
    ranges->items = items;
    ranges->capacity = capacity;
    return STATUS_OK;
}

enum status segment_ranges_add(struct segment_ranges *ranges,
                               const struct segment_range *range, struct error *err)
{
    enum status status = reserve(ranges, ranges->count + 1, err);

    if (status != STATUS_OK)
        return status;
    assert(range->to > range->from);
    assert(range->origin >
           (ranges->count == 0 ? 0 : ranges->items[ranges->count - 1].origin));
    ranges->items[ranges->count++] = *range;
    return STATUS_OK;
}

struct segment_range *segment_ranges_find(const struct segment_ranges *ranges,
                                          uint64_t origin)
{
    size_t low = 0;
    size_t high = ranges->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ranges->items[middle].origin < origin)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == ranges->count || ranges->items[low].origin != origin)
        return NULL;
    return &ranges->items[low];
}

enum status segment_ranges_copy(struct segment_ranges *out,
                                const struct segment_ranges *from, struct error *err)
{
    enum status status = reserve(out, from->count, err);

    if (status != STATUS_OK)
        return status;
    if (from->count > 0)
        memmove(out->items, from->items, from->count * sizeof *out->items);
    out->count = from->count;
    return STATUS_OK;
}

uint64_t segment_ranges_entries(const struct segment_ranges *ranges)
{
    uint64_t entries = 0;

    for (size_t i = 0; i < ranges->count; i++)
        entries += ranges->items[i].to - ranges->items[i].from;
    return entries;
}

bool segment_ranges_known(const struct segment_ranges *ranges,
                          const struct version_vector *vector)
{
    for (size_t i = 0; i < ranges->count; i++)
        if (version_vector_get(vector, ranges->items[i].origin) < ranges->items[i].to)
            return false;
    return true;
}

bool segment_ranges_ready(const struct segment_ranges *ranges,
                          const struct version_vector *vector)
{
    for (size_t i = 0; i < ranges->count; i++)
        if (version_vector_get(vector, ranges->items[i].origin) < ranges->items[i].from)
            return false;
    return true;
}

enum status segment_ranges_raise(const struct segment_ranges *ranges,
                                 struct version_vector *vector, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < ranges->count && status == STATUS_OK; i++) {
        if (version_vector_get(vector, ranges->items[i].origin) < ranges->items[i].to)
            status = version_vector_set(vector, ranges->items[i].origin,
                                        ranges->items[i].to, err);
    }
    return status;
}

/* Ranges' bytes.
 *
 *  size    field
 *  varint  count   at most 65536
 *          then for each origin, ascending:
 *  8       origin  at least 1
 *  varint  from
 *  varint  entries to - from, at least 1
 *  32      hash    of the chain at from; in a segment, when from is not 0
 */
void segment_ranges_put(struct buffer *out, const struct segment_ranges *ranges,
                        bool with_hashes)
{
    assert(ranges->count <= VERSION_VECTOR_ORIGINS_MAX);
    buffer_put_varint(out, ranges->count);
    for (size_t i = 0; i < ranges->count; i++) {
        const struct segment_range *range = &ranges->items[i];

        assert(range->to > range->from);
        buffer_put(out, range->origin, 8);
        buffer_put_varint(out, range->from);
        buffer_put_varint(out, range->to - range->from);
        if (with_hashes && range->from > 0)
            buffer_put_bytes(out, (struct bytes){range->hash, HASH_SIZE});
    }
}

static bool take_range(struct bytes *in, struct segment_range *out, bool with_hashes)
{
    struct bytes hash;
    uint64_t entries;

    *out = (struct segment_range){0};
    if (!bytes_take(in, 8, &out->origin) || !bytes_take_varint(in, &out->from) ||
        !bytes_take_varint(in, &entries) || entries == 0 ||
        entries > UINT64_MAX - out->from)
        return false;
    out->to = out->from + entries;
    if (!with_hashes || out->from == 0)
        return true;
    if (!bytes_take_view(in, HASH_SIZE, &hash))
        return false;
    memcpy(out->hash, hash.data, HASH_SIZE);
    return true;
}

enum status segment_ranges_take(struct bytes *in, struct segment_ranges *out,
                                bool with_hashes, struct error *err)
{
    struct bytes rest = *in;
    struct segment_range range = {0};
    uint64_t count;
    enum status status = STATUS_OK;

    if (!bytes_take_varint(&rest, &count) || count > VERSION_VECTOR_ORIGINS_MAX ||
        count > rest.size / RANGE_SIZE_MIN)
        return error_set(err, STATUS_CORRUPT, "ranges do not decode");
    out->count = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t last = range.origin;

        if (!take_range(&rest, &range, with_hashes) || range.origin <= last)
            return error_set(err, STATUS_CORRUPT, "a range does not decode");
        status = segment_ranges_add(out, &range, err);
        if (status != STATUS_OK)
            return status;
    }
    *in = rest;
    return STATUS_OK;
}
