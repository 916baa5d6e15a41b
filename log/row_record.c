/* A record of `row` or `held`.
 *
 *  size      field
 *  1         flags       bit 0 live, 1 local, 2 long key, 3 absorbed versions,
 *                        4 definition of another origin than the version's,
 *                        5 born is the version, 6 linear
 *  varies    version     stamp varint, origin 8, origin_seq varint, place varint
 *  varint    seq         of the winning change in this store's log, 0 for none; its index
 *                        is the version's place
 *  varint    last seq    of the row's newest change, won or lost; 0 in `held`
 *  varint    last index  of that change
 *  varint    definition  the number; 0 in a held record of "absent" without a version
 *  8         definition's origin, when bit 4
 *  varies    born        when live and not bit 5
 *  sized     absorbed    when bit 3: count varint, then versions
 *  sized     key         the whole key, when bit 2
 *  the rest  image       empty if and only if not live
 *  8         checksum
 */
#include "log/row_record.h"

#include <assert.h>
#include <string.h>

enum row_flag {
    FLAG_LIVE = 1,
    FLAG_LOCAL = 2,
    FLAG_LONG_KEY = 4,
    FLAG_CO = 8,
    FLAG_OTHER_DEFINITION = 16,
    FLAG_BORN_HERE = 32,
    FLAG_LINEAR = 64,
    FLAGS_ALL = 127,
};

struct bytes row_lmdb_key(uint8_t out[ROW_LMDB_KEY_MAX], uint32_t table, struct bytes key)
{
    uint8_t *at = bytes_put(out, table, 4);
    uint8_t hashed[ROW_KEY_LMDB_MAX];
    struct bytes form = row_key_lmdb(key, hashed);

    assert(form.size <= ROW_KEY_LMDB_MAX);
    memcpy(at, form.data, form.size);
    return (struct bytes){out, 4 + form.size};
}

static uint8_t flags_of(const struct row *row)
{
    unsigned flags = 0;

    if (row->live)
        flags |= FLAG_LIVE;
    if (row->local)
        flags |= FLAG_LOCAL;
    if (row->key.size > ROW_KEY_PLAIN_MAX)
        flags |= FLAG_LONG_KEY;
    if (row->co_count > 0)
        flags |= FLAG_CO;
    if (row->definition_origin != row->version.origin)
        flags |= FLAG_OTHER_DEFINITION;
    if (row->live && version_compare(&row->born, &row->version) == 0)
        flags |= FLAG_BORN_HERE;
    if (row->linear)
        flags |= FLAG_LINEAR;
    return (uint8_t)flags;
}

void row_record_encode(struct buffer *out, const struct row *row)
{
    uint8_t flags = flags_of(row);

    assert(row->live == (row->image.size > 0));
    assert(row->key.size > 0);
    buffer_put(out, flags, 1);
    version_put(out, &row->version);
    buffer_put_varint(out, row->winner.seq);
    buffer_put_varint(out, row->last.seq);
    buffer_put_varint(out, row->last.index);
    buffer_put_varint(out, row->definition);
    if (flags & FLAG_OTHER_DEFINITION)
        buffer_put(out, row->definition_origin, 8);
    if ((flags & FLAG_LIVE) && !(flags & FLAG_BORN_HERE))
        version_put(out, &row->born);
    if (flags & FLAG_CO) {
        buffer_put_varint(out, row->co_count);
        buffer_put_sized(out, row->co);
    }
    if (flags & FLAG_LONG_KEY)
        buffer_put_sized(out, row->key);
    buffer_put_bytes(out, row->image);
    record_seal(out);
}

/* What follows the definition: born, absorbed versions, key. */
static bool take_optional(struct bytes *in, uint64_t flags, struct row *out)
{
    uint64_t count = 0;

    if (flags & FLAG_BORN_HERE)
        out->born = out->version;
    else if ((flags & FLAG_LIVE) && !version_take(in, &out->born))
        return false;
    if (flags & FLAG_CO) {
        if (!bytes_take_varint(in, &count) || count == 0 || count > ROW_CO_MAX ||
            !bytes_take_sized(in, &out->co))
            return false;
        out->co_count = (uint32_t)count;
    }
    return !(flags & FLAG_LONG_KEY) || bytes_take_sized(in, &out->key);
}

enum status row_record_winner(struct bytes record, struct version *version, uint64_t *seq,
                              bool *local, struct error *err)
{
    uint64_t flags;

    if (!bytes_take(&record, 1, &flags) || !version_take(&record, version) ||
        !bytes_take_varint(&record, seq))
        return error_set(err, STATUS_CORRUPT, "a row's record does not decode");
    *local = flags & FLAG_LOCAL;
    return STATUS_OK;
}

enum status row_record_decode(struct bytes lmdb_key, struct bytes record, struct row *out,
                              struct error *err)
{
    uint64_t flags, seq, last_seq, last_index, definition, origin;
    enum status status = record_check(&record, "a row's record", err);

    if (status != STATUS_OK)
        return status;
    *out = (struct row){0};
    if (lmdb_key.size <= 4 || !bytes_take(&record, 1, &flags) || flags > FLAGS_ALL ||
        !version_take(&record, &out->version) || !bytes_take_varint(&record, &seq) ||
        !bytes_take_varint(&record, &last_seq) ||
        !bytes_take_varint(&record, &last_index) ||
        !bytes_take_varint(&record, &definition) || last_index > UINT32_MAX ||
        definition > UINT32_MAX)
        return error_set(err, STATUS_CORRUPT, "a row's record does not decode");
    origin = out->version.origin;
    if ((flags & FLAG_OTHER_DEFINITION) && !bytes_take(&record, 8, &origin))
        return error_set(err, STATUS_CORRUPT, "a row's record has no definition");
    out->key = (struct bytes){lmdb_key.data + 4, lmdb_key.size - 4};
    if (!take_optional(&record, flags, out))
        return error_set(err, STATUS_CORRUPT, "a row's record is cut short");
    out->live = flags & FLAG_LIVE;
    out->local = flags & FLAG_LOCAL;
    out->linear = flags & FLAG_LINEAR;
    out->winner = (struct place){seq, out->version.place};
    out->last = (struct place){last_seq, (uint32_t)last_index};
    out->definition_origin = origin;
    out->definition = (uint32_t)definition;
    out->image = record;
    if (out->live != (record.size > 0))
        return error_set(err, STATUS_CORRUPT, "a row's record has a wrong image");
    return STATUS_OK;
}

bool row_co_take(struct bytes *co, struct version *out)
{
    return co->size > 0 && version_take(co, out);
}
