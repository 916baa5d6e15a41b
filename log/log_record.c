/* A record of `log`:
 *
 *  size    field
 *  1       form        1: items inside; 2: items in the parts of a run
 *  1       flags       bit 0: captured here, by this incarnation
 *  8       arrived_us
 *  32      hash
 *  sized   header
 *  form 1: sized body, then the notes; form 2: run 8
 *  8       checksum
 *
 * A record of `part`: count varint, then the items or the notes; checksum 8. Its key
 * names the first item's index in the entry. */
#include "log/log_record.h"

#include "log/late_records.h"

#include <assert.h>
#include <string.h>

enum { FORM_INLINE = 1, FORM_PARTS = 2, FLAG_LOCAL = 1 };

struct bytes seq_key(uint8_t out[SEQ_KEY_SIZE], uint64_t seq)
{
    bytes_put(out, seq, 8);
    return (struct bytes){out, SEQ_KEY_SIZE};
}

struct bytes origin_key(uint8_t out[ORIGIN_KEY_SIZE], uint64_t origin,
                        uint64_t origin_seq)
{
    bytes_put(bytes_put(out, origin, 8), origin_seq, 8);
    return (struct bytes){out, ORIGIN_KEY_SIZE};
}

struct bytes part_key(uint8_t out[PART_KEY_SIZE], uint64_t run, uint32_t first,
                      enum part_kind kind)
{
    bytes_put(bytes_put(bytes_put(out, run, 8), first, 4), kind, 1);
    return (struct bytes){out, PART_KEY_SIZE};
}

uint64_t log_record_name(uint64_t seq)
{
    return seq << 1 | 1;
}

/* Runs begin at 1, and end long before 2^30. */
uint64_t part_record_name(uint64_t run, uint32_t first, enum part_kind kind)
{
    return (run << 34) + ((uint64_t)first << 2) + (kind == PART_NOTES ? 2 : 0);
}

void log_record_encode(struct buffer *out, const struct log_entry *entry)
{
    assert(entry->in_parts == (entry->run != 0));
    buffer_put(out, entry->in_parts ? FORM_PARTS : FORM_INLINE, 1);
    buffer_put(out, entry->local ? FLAG_LOCAL : 0, 1);
    buffer_put(out, entry->arrived_us, 8);
    buffer_put_bytes(out, (struct bytes){entry->hash, HASH_SIZE});
    buffer_put_sized(out, entry->header_bytes);
    if (entry->in_parts) {
        buffer_put(out, entry->run, 8);
    } else {
        buffer_put_sized(out, entry->body);
        buffer_put_bytes(out, entry->notes);
    }
    record_seal(out);
}

/* What comes before the body. */
static bool take_head(struct bytes *record, struct log_entry *out, struct bytes *hash)
{
    uint64_t form, flags;

    if (!bytes_take(record, 1, &form) || (form != FORM_INLINE && form != FORM_PARTS) ||
        !bytes_take(record, 1, &flags) || flags > FLAG_LOCAL ||
        !bytes_take(record, 8, &out->arrived_us) ||
        !bytes_take_view(record, HASH_SIZE, hash) ||
        !bytes_take_sized(record, &out->header_bytes))
        return false;
    out->local = flags == FLAG_LOCAL;
    out->in_parts = form == FORM_PARTS;
    return true;
}

enum status log_record_peek(uint64_t seq, struct bytes record, struct log_entry *out,
                            struct error *err)
{
    struct bytes hash;

    *out = (struct log_entry){.seq = seq};
    if (!take_head(&record, out, &hash) ||
        !entry_header_peek(out->header_bytes, &out->header))
        return error_set(err, STATUS_CORRUPT, "its record does not decode");
    return STATUS_OK;
}

enum status log_record_decode(struct store_txn *txn, uint64_t seq, struct bytes record,
                              struct log_entry *out, struct error *err)
{
    struct bytes hash = {NULL, 0};
    enum status status = txn == NULL ? record_check(&record, "its record", err)
                                     : record_check_entry(txn, seq, &record, err);

    if (status != STATUS_OK)
        return status;
    *out = (struct log_entry){.seq = seq};
    if (!take_head(&record, out, &hash))
        return error_set(err, STATUS_CORRUPT, "its record does not decode");
    memcpy(out->hash, hash.data, HASH_SIZE);
    if (out->in_parts ? !bytes_take(&record, 8, &out->run) || record.size != 0
                      : !bytes_take_sized(&record, &out->body))
        return error_set(err, STATUS_CORRUPT, "its record is cut short");
    out->notes = record;
    return entry_header_decode(out->header_bytes, &out->header, err);
}

void part_encode(struct buffer *out, uint32_t count, struct bytes items)
{
    buffer_put_varint(out, count);
    buffer_put_bytes(out, items);
    record_seal(out);
}

enum status part_decode(struct store_txn *txn, uint64_t name, struct bytes record,
                        uint32_t *count, struct bytes *items, struct error *err)
{
    uint64_t number;
    enum status status = record_check_once(txn, name, &record, "one of its parts", err);
    if (status != STATUS_OK)
        return status;
    if (!bytes_take_varint(&record, &number) || number > UINT32_MAX)
        return error_set(err, STATUS_CORRUPT, "one of its parts does not decode");
    *count = (uint32_t)number;
    *items = record;
    return STATUS_OK;
}

/* ---- notes */

void notes_release(struct notes *notes)
{
    buffer_release(&notes->won);
    buffer_release(&notes->places);
}

void notes_clear(struct notes *notes)
{
    buffer_clear(&notes->won);
    buffer_clear(&notes->places);
    notes->count = 0;
}

void notes_add(struct notes *notes, uint64_t seq, bool won, struct place previous)
{
    assert(previous.seq <= seq);
    if (notes->count % 8 == 0)
        buffer_put(&notes->won, 0, 1);
    if (won && !notes->won.failed)
        notes->won.data[notes->count / 8] |= (uint8_t)(0x80U >> (notes->count % 8));
    notes->count++;
    buffer_put_varint(&notes->places, previous.seq == 0 ? 0 : seq - previous.seq + 1);
    if (previous.seq != 0)
        buffer_put_varint(&notes->places, previous.index);
}

enum status notes_check(const struct notes *notes, struct error *err)
{
    enum status status = buffer_check(&notes->won, err);

    return status == STATUS_OK ? buffer_check(&notes->places, err) : status;
}

void notes_encode(struct buffer *out, const struct notes *notes)
{
    buffer_put_bytes(out, buffer_view(&notes->won));
    buffer_put_bytes(out, buffer_view(&notes->places));
}

enum status notes_open(struct notes_view *view, struct bytes notes, uint32_t count,
                       struct error *err)
{
    *view = (struct notes_view){.count = count};
    if (!bytes_take_view(&notes, (count + 7) / 8, &view->won))
        return error_set(err, STATUS_CORRUPT, "the notes on its changes are cut short");
    view->places = notes;
    return STATUS_OK;
}

enum status notes_next(struct notes_view *view, uint64_t seq, bool *won,
                       struct place *previous, struct error *err)
{
    uint64_t distance, index = 0;

    assert(view->next < view->count);
    *won = view->won.data[view->next / 8] & (0x80U >> (view->next % 8));
    view->next++;
    if (!bytes_take_varint(&view->places, &distance) || distance > seq ||
        (distance != 0 && !bytes_take_varint(&view->places, &index)) ||
        index > UINT32_MAX)
        return error_set(err, STATUS_CORRUPT, "the notes on its changes do not decode");
    *previous = (struct place){distance == 0 ? 0 : seq + 1 - distance, (uint32_t)index};
    return STATUS_OK;
}

/* As next, without looking. */
enum status notes_skip(struct notes_view *view, struct error *err)
{
    uint64_t distance, index;

    assert(view->next < view->count);
    view->next++;
    if (!bytes_take_varint(&view->places, &distance) ||
        (distance != 0 && !bytes_take_varint(&view->places, &index)))
        return error_set(err, STATUS_CORRUPT, "the notes on its changes do not decode");
    return STATUS_OK;
}

enum status notes_previous(const struct notes *notes, uint64_t seq, uint32_t nth,
                           struct place *previous, struct error *err)
{
    struct notes_view view = {
        .won = buffer_view(&notes->won),
        .places = buffer_view(&notes->places),
        .count = notes->count,
    };
    enum status status = STATUS_OK;
    bool won;

    assert(nth < notes->count);
    while (status == STATUS_OK && view.next <= nth)
        status = notes_next(&view, seq, &won, previous, err);
    return status;
}

/* ---- heads */

enum status head_get(struct store_txn *txn, uint64_t origin, struct origin_head *head,
                     struct bytes *context, struct error *err)
{
    uint8_t key[ORIGIN_KEY_SIZE];
    struct bytes record = {NULL, 0}, hash = {NULL, 0};
    enum status status =
        late_get(txn, DBI_ORIGIN, origin_key(key, origin, 0), &record, err);

    *head = (struct origin_head){0};
    *context = (struct bytes){NULL, 0};
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK && (!bytes_take(&record, 8, &head->seq) ||
                                !bytes_take_view(&record, HASH_SIZE, &hash))) {
        status =
            error_set(err, STATUS_CORRUPT, "the head of node %016llx does not decode",
                      (unsigned long long)origin);
    }
    if (status != STATUS_OK)
        return status;
    assert(hash.data != NULL);
    memcpy(head->hash, hash.data, HASH_SIZE);
    *context = record;
    return STATUS_OK;
}

enum status head_put(struct store_txn *txn, uint64_t origin,
                     const struct origin_head *head, const struct version_vector *context,
                     struct error *err)
{
    uint8_t key[ORIGIN_KEY_SIZE];
    struct buffer record = {0};
    enum status status;

    assert(version_vector_get(context, origin) == 0);
    buffer_put(&record, head->seq, 8);
    buffer_put_bytes(&record, (struct bytes){head->hash, HASH_SIZE});
    version_vector_put(&record, context);
    status = buffer_check(&record, err);
    if (status == STATUS_OK)
        status = late_put(txn, DBI_ORIGIN, origin_key(key, origin, 0),
                          buffer_view(&record), err);
    buffer_release(&record);
    return status;
}
