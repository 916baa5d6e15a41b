/* The fields of a parked row:
 *
 *  size    field
 *  1       kind       1 unique, 2 parent in another group, 3 parent in its group; bit 7:
 *                     the row as it was shown here follows
 *  8       since_us
 *  varies  born       version
 *  sized   constraint
 *  varint  blocker's table
 *  sized   blocker's key
 *
 * when bit 7:
 *  8       definition's origin
 *  varint  definition's number, at least 1
 *  sized   image      not empty
 */
#include "log/parked_record.h"

#include <assert.h>

enum { FLAG_SHOWN = 0x80 };

void parked_fields_put(struct buffer *out, const struct parked *parked)
{
    bool shown = parked->shown.size > 0;

    assert(parked->kind >= PARKED_UNIQUE);
    assert(parked->kind <= PARKED_PARENT_INNER);
    buffer_put(out, parked->kind | (shown ? (unsigned)FLAG_SHOWN : 0), 1);
    buffer_put(out, parked->since_us, 8);
    version_put(out, &parked->born);
    buffer_put_sized(out, parked->constraint);
    buffer_put_varint(out, parked->blocker_table);
    buffer_put_sized(out, parked->blocker_key);
    if (!shown)
        return;
    assert(parked->shown_definition > 0);
    buffer_put(out, parked->shown_origin, 8);
    buffer_put_varint(out, parked->shown_definition);
    buffer_put_sized(out, parked->shown);
}

static bool take_shown(struct bytes *in, struct parked *out)
{
    uint64_t definition;

    if (!bytes_take(in, 8, &out->shown_origin) || !bytes_take_varint(in, &definition) ||
        definition == 0 || definition > UINT32_MAX ||
        !bytes_take_sized(in, &out->shown) || out->shown.size == 0)
        return false;
    out->shown_definition = (uint32_t)definition;
    return true;
}

bool parked_fields_take(struct bytes *in, struct parked *out)
{
    uint64_t flags, kind, blocker;

    if (!bytes_take(in, 1, &flags) || !bytes_take(in, 8, &out->since_us) ||
        !version_take(in, &out->born) || !bytes_take_sized(in, &out->constraint) ||
        !bytes_take_varint(in, &blocker) || blocker > UINT32_MAX ||
        !bytes_take_sized(in, &out->blocker_key))
        return false;
    kind = flags & ~(uint64_t)FLAG_SHOWN;
    if (kind < PARKED_UNIQUE || kind > PARKED_PARENT_INNER)
        return false;
    out->kind = (enum parked_kind)kind;
    out->blocker_table = (uint32_t)blocker;
    return (flags & FLAG_SHOWN) == 0 || take_shown(in, out);
}
