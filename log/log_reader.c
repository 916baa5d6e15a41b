#include "log/log_record.h"
#include "log/piece_marks.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Name the entry in an error about its record. */
static enum status in_entry(uint64_t seq, enum status status, struct error *err)
{
    char what[40];

    (void)snprintf(what, sizeof what, "entry %llu", (unsigned long long)seq);
    return error_wrap(err, status, what);
}

static enum status get_record(struct store_txn *txn, uint64_t seq, struct bytes *record,
                              struct error *err)
{
    uint8_t key[SEQ_KEY_SIZE];

    return store_get(txn, DBI_LOG, seq_key(key, seq), record, err);
}

enum status log_get(struct store_txn *txn, uint64_t seq, struct log_entry *out,
                    struct error *err)
{
    struct bytes record;
    enum status status = get_record(txn, seq, &record, err);

    if (status != STATUS_OK)
        return status;
    status = log_record_decode(txn, seq, record, out, err);
    return status == STATUS_OK ? STATUS_OK : in_entry(seq, status, err);
}

enum status log_peek(struct store_txn *txn, uint64_t seq, struct log_entry *out,
                     struct error *err)
{
    struct bytes record;
    enum status status = get_record(txn, seq, &record, err);

    if (status != STATUS_OK)
        return status;
    status = log_record_peek(seq, record, out, err);
    return status == STATUS_OK ? STATUS_OK : in_entry(seq, status, err);
}

enum status log_find(struct store_txn *txn, uint64_t origin, uint64_t origin_seq,
                     uint64_t *seq, struct error *err)
{
    uint8_t key[ORIGIN_KEY_SIZE];
    struct bytes record;
    enum status status;

    if (origin_seq == 0)
        return STATUS_NOT_FOUND;
    status =
        store_get(txn, DBI_ORIGIN, origin_key(key, origin, origin_seq), &record, err);
    if (status == STATUS_OK && !bytes_take(&record, 8, seq))
        status = error_set(err, STATUS_CORRUPT, "an origin's record is cut short");
    return status;
}

/* ---- parts */

/* The part of a run that holds the item at index, with its first item's index. */
static enum status find_part(struct store_txn *txn, uint64_t run, uint32_t index,
                             uint32_t *first, uint32_t *count, struct bytes *items,
                             struct error *err)
{
    uint8_t wanted[PART_KEY_SIZE];
    struct bytes start = part_key(wanted, run, index, PART_ITEMS);
    MDB_val key = {start.size, (void *)(uintptr_t)start.data}, value;
    MDB_cursor *cursor;
    enum status status = STATUS_OK;
    int rc = mdb_cursor_open(txn->txn, txn->store->dbi[DBI_PART], &cursor);

    *first = 0;
    *count = 0;
    if (rc != 0)
        return from_lmdb(txn->store, err, rc, "mdb_cursor_open");
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND)
        rc = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    else if (rc == 0 && !bytes_equal((struct bytes){key.mv_data, key.mv_size}, start))
        rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
    while (rc == 0 && key.mv_size == PART_KEY_SIZE &&
           ((const uint8_t *)key.mv_data)[12] != PART_ITEMS)
        rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        status = from_lmdb(txn->store, err, rc, "part");
    } else if (rc == MDB_NOTFOUND || key.mv_size != PART_KEY_SIZE ||
               bytes_get(key.mv_data, 8) != run) {
        status = STATUS_NOT_FOUND;
    } else {
        *first = (uint32_t)bytes_get((const uint8_t *)key.mv_data + 8, 4);
        status =
            part_decode(txn, part_record_name(run, *first, PART_ITEMS),
                        (struct bytes){value.mv_data, value.mv_size}, count, items, err);
    }
    mdb_cursor_close(cursor);
    if (status == STATUS_OK && index - *first >= *count)
        status = STATUS_NOT_FOUND;
    return status;
}

static enum status find_notes(struct store_txn *txn, uint64_t run, uint32_t first,
                              uint32_t count, struct notes_view *view, struct error *err)
{
    uint8_t key[PART_KEY_SIZE];
    struct bytes record, notes;
    uint32_t noted;
    enum status status =
        store_get(txn, DBI_PART, part_key(key, run, first, PART_NOTES), &record, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "the notes on its changes are missing");
    if (status == STATUS_OK)
        status = part_decode(txn, part_record_name(run, first, PART_NOTES), record,
                             &noted, &notes, err);
    if (status == STATUS_OK && noted != count)
        status = error_set(err, STATUS_CORRUPT, "the notes on its changes are cut short");
    return status == STATUS_OK ? notes_open(view, notes, count, err) : status;
}

/* ---- walking an entry's changes */

struct change_cursor {
    struct store_txn *txn;
    struct log_entry entry;
    struct bytes items; /* what is left of the piece at hand */
    struct notes_view notes;
    uint32_t index;     /* of the next change */
    uint32_t piece_end; /* index after the piece */
};

enum status change_cursor_open(struct change_cursor **out, struct store_txn *txn,
                               struct error *err)
{
    struct change_cursor *cursor = calloc(1, sizeof *cursor);

    *out = NULL;
    if (cursor == NULL)
        return error_set(err, STATUS_NO_MEMORY, "walk changes: out of memory");
    cursor->txn = txn;
    *out = cursor;
    return STATUS_OK;
}

void change_cursor_close(struct change_cursor *cursor)
{
    free(cursor);
}

/* Open the piece of the entry that holds cursor->index; its first item is *first. */
static enum status open_piece(struct change_cursor *cursor, uint32_t *first,
                              struct error *err)
{
    const struct log_entry *entry = &cursor->entry;
    uint32_t count = entry->header.item_count;
    enum status status;

    *first = 0;
    if (!entry->in_parts) {
        cursor->items = entry->body;
        status = notes_open(&cursor->notes, entry->notes, count, err);
    } else {
        status = find_part(cursor->txn, entry->run, cursor->index, first, &count,
                           &cursor->items, err);
        if (status == STATUS_NOT_FOUND)
            status = error_set(err, STATUS_CORRUPT, "one of its parts is missing");
        if (status == STATUS_OK)
            status =
                find_notes(cursor->txn, entry->run, *first, count, &cursor->notes, err);
    }
    cursor->piece_end = *first + count;
    return status;
}

/* Take the next change and its note from the open piece. */
static enum status take(struct change_cursor *cursor, struct log_change *out,
                        struct error *err)
{
    const struct entry_header *header = &cursor->entry.header;
    struct bytes items = cursor->items;
    enum status status = change_take(&cursor->items, &out->change, err);

    out->bytes = (struct bytes){items.data, items.size - cursor->items.size};
    out->seq = cursor->entry.seq;
    out->index = cursor->index;
    out->local = cursor->entry.local;
    out->version = (struct version){header->stamp_us, header->origin, header->origin_seq,
                                    cursor->index};
    if (status == STATUS_OK)
        status = notes_next(&cursor->notes, out->seq, &out->won, &out->previous, err);
    cursor->index++;
    return status;
}

/* Pass over the changes of the open piece that stand before one. */
static enum status seek(struct change_cursor *cursor, uint32_t piece_first,
                        uint32_t wanted, struct error *err)
{
    const struct log_entry *entry = &cursor->entry;
    uint64_t name = entry->in_parts
                        ? part_record_name(entry->run, piece_first, PART_ITEMS)
                        : log_record_name(entry->seq);
    uint32_t passed = 0;
    enum status status = piece_marks_seek(cursor->txn, name, wanted - piece_first,
                                          &cursor->items, &cursor->notes, &passed, err);

    for (cursor->index = piece_first + passed;
         status == STATUS_OK && cursor->index < wanted; cursor->index++)
        status = piece_skip(&cursor->items, &cursor->notes, err);
    return status;
}

enum status change_cursor_start(struct change_cursor *cursor, uint64_t seq,
                                uint32_t first, struct error *err)
{
    struct log_entry entry;
    enum status status = log_get(cursor->txn, seq, &entry, err);

    return status == STATUS_OK ? change_cursor_enter(cursor, &entry, first, err) : status;
}

enum status change_cursor_enter(struct change_cursor *cursor,
                                const struct log_entry *entry, uint32_t first,
                                struct error *err)
{
    uint32_t piece_first;
    enum status status;

    cursor->entry = *entry;
    cursor->index = first;
    cursor->piece_end = 0;
    cursor->items = (struct bytes){NULL, 0};
    if (cursor->entry.header.kind != ENTRY_CHANGES ||
        first >= cursor->entry.header.item_count) {
        cursor->index = cursor->entry.header.item_count;
        return STATUS_OK;
    }
    status = open_piece(cursor, &piece_first, err);
    if (status == STATUS_OK)
        status = seek(cursor, piece_first, first, err);
    return status == STATUS_OK ? STATUS_OK : in_entry(entry->seq, status, err);
}

enum status change_cursor_next(struct change_cursor *cursor, struct log_change *out,
                               struct error *err)
{
    enum status status = STATUS_OK;
    uint32_t first;

    if (cursor->index >= cursor->entry.header.item_count)
        return STATUS_NOT_FOUND;
    if (cursor->index >= cursor->piece_end)
        status = open_piece(cursor, &first, err);
    if (status == STATUS_OK)
        status = take(cursor, out, err);
    return status == STATUS_OK ? STATUS_OK : in_entry(cursor->entry.seq, status, err);
}

enum status log_change_at(struct store_txn *txn, struct place place,
                          struct log_change *out, struct error *err)
{
    struct change_cursor cursor = {.txn = txn};
    enum status status = change_cursor_start(&cursor, place.seq, place.index, err);

    if (status != STATUS_OK)
        return status;
    status = change_cursor_next(&cursor, out, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "entry %llu has no change %u",
                         (unsigned long long)place.seq, place.index);
    return status;
}

enum status log_body_piece(struct store_txn *txn, const struct log_entry *entry,
                           uint32_t *next_index, struct bytes *piece, struct error *err)
{
    uint32_t first = 0, count = 0;
    enum status status;

    if (*next_index >= entry->header.item_count)
        return STATUS_NOT_FOUND;
    if (!entry->in_parts) {
        *piece = entry->body;
        *next_index = entry->header.item_count;
        return STATUS_OK;
    }
    status = find_part(txn, entry->run, *next_index, &first, &count, piece, err);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && first != *next_index))
        status = error_set(err, STATUS_CORRUPT, "one of its parts is missing");
    if (status != STATUS_OK)
        return in_entry(entry->seq, status, err);
    *next_index += count;
    return STATUS_OK;
}

/* ---- heads and signatures */

enum status log_head(struct store_txn *txn, uint64_t origin, struct origin_head *out,
                     struct error *err)
{
    struct bytes context;

    return head_get(txn, origin, out, &context, err);
}

enum status log_head_context(struct store_txn *txn, uint64_t origin,
                             struct version_vector *context, struct error *err)
{
    struct version_vector empty;
    struct origin_head head;
    struct bytes bytes;
    enum status status = head_get(txn, origin, &head, &bytes, err);

    version_vector_init(&empty);
    if (status == STATUS_OK)
        status = bytes.size > 0 ? version_vector_take(&bytes, context, err)
                                : version_vector_copy(context, &empty, err);
    if (status == STATUS_OK && head.seq > 0)
        status = version_vector_set(context, origin, head.seq, err);
    return status;
}

/* The number of an origin's last entry up to seq `to`: not below low, not above high. The
 * numbers grow with seq, so halving finds it without reading an entry. */
static enum status last_number(struct store_txn *txn, uint64_t origin, uint64_t to,
                               uint64_t low, uint64_t high, uint64_t *out,
                               struct error *err)
{
    uint64_t tried = high; /* mostly `to` is the log's end */

    while (low < high) {
        uint64_t seq = 0;
        enum status status = log_find(txn, origin, tried, &seq, err);

        if (status == STATUS_NOT_FOUND) {
            return error_set(err, STATUS_CORRUPT,
                             "entry %llu of node %016llx is not indexed",
                             (unsigned long long)tried, (unsigned long long)origin);
        }
        if (status != STATUS_OK)
            return status;
        if (seq <= to)
            low = tried;
        else
            high = tried - 1;
        tried = high - (high - low) / 2;
    }
    *out = low;
    return STATUS_OK;
}

enum status log_vector_raise(struct store_txn *txn, uint64_t to,
                             struct version_vector *vector, struct error *err)
{
    struct version_vector all;
    enum status status;

    version_vector_init(&all);
    status = meta_get_vector(txn, META_VECTOR, &all, err);
    for (size_t i = 0; i < all.count && status == STATUS_OK; i++) {
        const struct vector_slot *slot = &all.slots[i];
        uint64_t had = version_vector_get(vector, slot->origin), has = had;

        status = last_number(txn, slot->origin, to, had, slot->seq, &has, err);
        if (status == STATUS_OK && has > had)
            status = version_vector_set(vector, slot->origin, has, err);
    }
    version_vector_release(&all);
    return status;
}

enum status log_signature_put(struct store_txn *txn, uint64_t origin, uint64_t origin_seq,
                              const uint8_t signature[SIGNATURE_SIZE], struct error *err)
{
    uint8_t key[ORIGIN_KEY_SIZE], value[8 + SIGNATURE_SIZE];
    uint64_t seq = 0;
    enum status status = log_find(txn, origin, origin_seq, &seq, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_NOT_FOUND, "no entry %llu of node %016llx to sign",
                         (unsigned long long)origin_seq, (unsigned long long)origin);
    if (status != STATUS_OK)
        return status;
    memcpy(bytes_put(value, seq, 8), signature, SIGNATURE_SIZE);
    return store_put(txn, DBI_ORIGIN, origin_key(key, origin, origin_seq),
                     (struct bytes){value, sizeof value}, err);
}

enum status log_signature_find(struct store_txn *txn, uint64_t origin, uint64_t at_most,
                               uint64_t *origin_seq, uint8_t signature[SIGNATURE_SIZE],
                               struct error *err)
{
    for (uint64_t at = at_most; at > 0; at--) {
        uint8_t key[ORIGIN_KEY_SIZE];
        struct bytes record;
        enum status status =
            store_get(txn, DBI_ORIGIN, origin_key(key, origin, at), &record, err);

        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
        if (status == STATUS_OK && record.size == 8 + SIGNATURE_SIZE) {
            memcpy(signature, record.data + 8, SIGNATURE_SIZE);
            *origin_seq = at;
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

/* ---- members: seq 8, then the member's own bytes */

static enum status member_of_record(struct bytes record, struct member_record *out,
                                    struct error *err)
{
    if (!bytes_take(&record, 8, &out->seq))
        return error_set(err, STATUS_CORRUPT, "a member's record is cut short");
    return member_decode(record, &out->member, err);
}

enum status member_find(struct store_txn *txn, uint64_t node, struct member_record *out,
                        struct error *err)
{
    uint8_t key[8];
    struct bytes record;
    enum status status;

    bytes_put(key, node, 8);
    status = store_get(txn, DBI_MEMBER, (struct bytes){key, sizeof key}, &record, err);
    return status == STATUS_OK ? member_of_record(record, out, err) : status;
}

enum status members_visit(struct store_txn *txn, member_visit_cb visit, void *data,
                          struct error *err)
{
    enum status status = STATUS_OK;
    MDB_val key, value;
    MDB_cursor *cursor;
    bool go_on = true;
    int rc = mdb_cursor_open(txn->txn, txn->store->dbi[DBI_MEMBER], &cursor);

    if (rc != 0)
        return from_lmdb(txn->store, err, rc, "mdb_cursor_open");
    rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    while (rc == 0 && status == STATUS_OK && go_on) {
        struct member_record record;

        status =
            member_of_record((struct bytes){value.mv_data, value.mv_size}, &record, err);
        if (status == STATUS_OK)
            go_on = visit(data, &record);
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (status == STATUS_OK && rc != 0 && rc != MDB_NOTFOUND)
        status = from_lmdb(txn->store, err, rc, "member");
    return status;
}
