#include "log/version.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int version_compare(const struct version *a, const struct version *b)
{
    int order = compare_u64(a->stamp_us, b->stamp_us);

    if (order == 0)
        order = compare_u64(a->origin, b->origin);
    if (order == 0)
        order = compare_u64(a->origin_seq, b->origin_seq);
    if (order == 0)
        order = compare_u64(a->place, b->place);
    return order;
}

bool version_is_nothing(const struct version *version)
{
    static const struct version nothing;

    return version_compare(version, &nothing) == 0;
}

/* A version names an entry of a node, or it is the version of nothing. */
static bool is_whole(const struct version *version)
{
    return version_is_nothing(version) ||
           (version->origin != 0 && version->origin_seq != 0);
}

/* A version's bytes.
 *
 *  size    field
 *  varint  stamp_us
 *  8       origin      0 only when all four are
 *  varint  origin_seq  the same
 *  varint  place       at most 32 bits
 */
void version_put(struct buffer *out, const struct version *version)
{
    assert(is_whole(version));
    buffer_put_varint(out, version->stamp_us);
    buffer_put(out, version->origin, 8);
    buffer_put_varint(out, version->origin_seq);
    buffer_put_varint(out, version->place);
}

bool version_take(struct bytes *in, struct version *out)
{
    struct bytes rest = *in;
    struct version version;
    uint64_t place;

    if (!bytes_take_varint(&rest, &version.stamp_us) ||
        !bytes_take(&rest, 8, &version.origin) ||
        !bytes_take_varint(&rest, &version.origin_seq) ||
        !bytes_take_varint(&rest, &place) || place > UINT32_MAX)
        return false;
    version.place = (uint32_t)place;
    if (!is_whole(&version))
        return false;
    *in = rest;
    *out = version;
    return true;
}

void version_text(const struct version *version, char out[VERSION_TEXT_SIZE])
{
    int size = snprintf(
        out, VERSION_TEXT_SIZE, "%" PRIu64 ".%016" PRIx64 ".%" PRIu64 ".%" PRIu32,
        version->stamp_us, version->origin, version->origin_seq, version->place);

    assert(size > 0);
    assert(size < VERSION_TEXT_SIZE);
}

void node_id_text(uint64_t node, char out[NODE_ID_TEXT_SIZE])
{
    int size = snprintf(out, NODE_ID_TEXT_SIZE, "%016" PRIx64, node);

    assert(size == NODE_ID_TEXT_SIZE - 1);
}
