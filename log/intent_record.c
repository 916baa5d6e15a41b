/* The sub-database `intent`: the header under the key 00, an item under 01, table 4, the
 * row key's LMDB form. docs/FORMAT.md, "Intent".
 *
 *  header                             item
 *  size  field                        size    field
 *  1     format        1              1       kind   1 parked, 2 shown, 3 quarantined,
 *  1     flags         bit 0 repair,                  4 kept, 5 repaired, 6 same
 *                      bit 1 out,     4       table
 *                      bit 2 echoed,
 *                      bit 3 whole    sized   row key, whole
 *  8     from
 *  8     to                           ...     by kind
 *  8     counter                      8       checksum
 *  8     max_stamp_us
 *  sized out           with bit 1: tables, 4 each, ascending; not empty
 *  8     checksum
 *
 *  parked       the fields of log/parked_record.c
 *  shown        nothing
 *  quarantined  flags 1 (bit 0 absent, bit 1 image; not both), version, since_us 8,
 *               message sized; with bit 1 the image's definition: origin 8, number
 *               varint; image sized, not empty
 *  kept         definition varint, image sized
 *  repaired     seq 8, index 4: the change's place
 */
#include "log/intent_record.h"

#include "log/parked_record.h"

#include <assert.h>
#include <string.h>

enum {
    INTENT_REPAIR = 1,
    INTENT_OUT = 2,
    INTENT_ECHOED = 4,
    INTENT_WHOLE = 8,
    INTENT_FLAGS = INTENT_REPAIR | INTENT_OUT | INTENT_ECHOED | INTENT_WHOLE
};
enum { QUARANTINED_ABSENT = 1, QUARANTINED_IMAGE = 2 };

static bool is_ascending(struct bytes out)
{
    uint64_t last = 0, id;

    while (bytes_take(&out, 4, &id)) {
        if (id <= last)
            return false;
        last = id;
    }
    return out.size == 0;
}

void intent_encode(struct buffer *out, const struct intent *intent)
{
    assert(intent->from <= intent->to);
    assert(intent->counter > 0);
    buffer_put(out, INTENT_FORMAT, 1);
    assert(is_ascending(intent->out));
    buffer_put(
        out,
        (intent->repair ? INTENT_REPAIR : 0U) | (intent->out.size > 0 ? INTENT_OUT : 0U) |
            (intent->echoed ? INTENT_ECHOED : 0U) | (intent->whole ? INTENT_WHOLE : 0U),
        1);
    buffer_put(out, intent->from, 8);
    buffer_put(out, intent->to, 8);
    buffer_put(out, intent->counter, 8);
    buffer_put(out, intent->max_stamp_us, 8);
    if (intent->out.size > 0)
        buffer_put_sized(out, intent->out);
    record_seal(out);
}

enum status intent_decode(struct bytes record, struct intent *out, struct error *err)
{
    uint64_t format, flags;
    struct intent intent = {0};
    enum status status = record_check(&record, "the intent", err);

    if (status != STATUS_OK)
        return status;
    if (!bytes_take(&record, 1, &format) || format != INTENT_FORMAT)
        return error_set(err, STATUS_CORRUPT, "the intent's format is unknown");
    if (!bytes_take(&record, 1, &flags) || flags > INTENT_FLAGS ||
        !bytes_take(&record, 8, &intent.from) || !bytes_take(&record, 8, &intent.to) ||
        !bytes_take(&record, 8, &intent.counter) ||
        !bytes_take(&record, 8, &intent.max_stamp_us) ||
        ((flags & INTENT_OUT) != 0 &&
         (!bytes_take_sized(&record, &intent.out) || intent.out.size == 0)) ||
        record.size != 0 || !is_ascending(intent.out) || intent.from > intent.to ||
        intent.counter == 0 || (flags & (INTENT_ECHOED | INTENT_WHOLE)) == INTENT_WHOLE)
        return error_set(err, STATUS_CORRUPT, "the intent does not decode");
    intent.repair = (flags & INTENT_REPAIR) != 0;
    intent.echoed = (flags & INTENT_ECHOED) != 0;
    intent.whole = (flags & INTENT_WHOLE) != 0;
    *out = intent;
    return STATUS_OK;
}

static void put_quarantined(struct buffer *out, const struct intent_item *item)
{
    unsigned flags = (item->absent ? QUARANTINED_ABSENT : 0U) |
                     (item->image.size > 0 ? QUARANTINED_IMAGE : 0U);

    assert(flags <= QUARANTINED_IMAGE);
    buffer_put(out, flags, 1);
    version_put(out, &item->quarantined.version);
    buffer_put(out, item->quarantined.since_us, 8);
    buffer_put_sized(out, item->quarantined.message);
    if (item->image.size == 0)
        return;
    buffer_put(out, item->definition_origin, 8);
    buffer_put_varint(out, item->definition);
    buffer_put_sized(out, item->image);
}

void intent_item_encode(struct buffer *out, const struct intent_item *item)
{
    assert(item->key.size > 0);
    assert(item->table > 0);
    buffer_put(out, item->kind, 1);
    buffer_put(out, item->table, 4);
    buffer_put_sized(out, item->key);
    switch (item->kind) {
    case INTENT_PARKED:
        parked_fields_put(out, &item->parked);
        break;
    case INTENT_SHOWN:
    case INTENT_SAME:
        break;
    case INTENT_QUARANTINED:
        put_quarantined(out, item);
        break;
    case INTENT_KEPT:
        assert(item->image.size > 0);
        buffer_put_varint(out, item->definition);
        buffer_put_sized(out, item->image);
        break;
    case INTENT_REPAIRED:
        buffer_put(out, item->place.seq, 8);
        buffer_put(out, item->place.index, 4);
        break;
    }
    record_seal(out);
}

static bool take_image(struct bytes *in, struct intent_item *out)
{
    uint64_t definition;

    if (!bytes_take_varint(in, &definition) || definition > UINT32_MAX ||
        !bytes_take_sized(in, &out->image) || out->image.size == 0)
        return false;
    out->definition = (uint32_t)definition;
    return true;
}

static bool take_quarantined(struct bytes *in, struct intent_item *out)
{
    uint64_t flags;

    if (!bytes_take(in, 1, &flags) || flags > QUARANTINED_IMAGE ||
        !version_take(in, &out->quarantined.version) ||
        !bytes_take(in, 8, &out->quarantined.since_us) ||
        !bytes_take_sized(in, &out->quarantined.message))
        return false;
    out->absent = flags == QUARANTINED_ABSENT;
    return flags != QUARANTINED_IMAGE ||
           (bytes_take(in, 8, &out->definition_origin) && take_image(in, out));
}

static bool take_place(struct bytes *in, struct place *out)
{
    uint64_t index = 0;
    bool whole = bytes_take(in, 8, &out->seq) && bytes_take(in, 4, &index);

    out->index = (uint32_t)index;
    return whole && out->seq > 0;
}

enum status intent_item_decode(struct bytes record, struct intent_item *out,
                               struct error *err)
{
    struct intent_item item = {0};
    uint64_t kind, table;
    bool whole = false;
    enum status status = record_check(&record, "an item of the intent", err);

    if (status != STATUS_OK)
        return status;
    if (!bytes_take(&record, 1, &kind) || !bytes_take(&record, 4, &table) || table == 0 ||
        !bytes_take_sized(&record, &item.key) || item.key.size == 0)
        return error_set(err, STATUS_CORRUPT, "an item of the intent does not decode");
    item.kind = (enum intent_item_kind)kind;
    item.table = (uint32_t)table;
    switch (kind) {
    case INTENT_PARKED:
        whole = parked_fields_take(&record, &item.parked);
        item.parked.key = item.key;
        break;
    case INTENT_SHOWN:
    case INTENT_SAME:
        whole = true;
        break;
    case INTENT_QUARANTINED:
        whole = take_quarantined(&record, &item);
        item.quarantined.key = item.key;
        break;
    case INTENT_KEPT:
        whole = take_image(&record, &item);
        break;
    case INTENT_REPAIRED:
        whole = take_place(&record, &item.place);
        break;
    default:
        break;
    }
    if (!whole || record.size != 0)
        return error_set(err, STATUS_CORRUPT, "an item of the intent does not decode");
    *out = item;
    return STATUS_OK;
}

struct bytes intent_header_key(void)
{
    static const uint8_t key[] = {0};

    return (struct bytes){key, sizeof key};
}

struct bytes intent_item_key(uint8_t out[INTENT_ITEM_KEY_MAX], uint32_t table,
                             struct bytes key)
{
    uint8_t row[ROW_LMDB_KEY_MAX];
    struct bytes form = row_lmdb_key(row, table, key);

    out[0] = 1;
    memcpy(out + 1, form.data, form.size);
    return (struct bytes){out, 1 + form.size};
}
