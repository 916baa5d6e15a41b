#include "log/plan.h"

#include "log/plan_row.h"
#include "log/plan_rows.h"

#include <assert.h>
#include <stdlib.h>

struct plan_cursor {
    struct store_txn *txn;
    struct plan_range range;
    struct change_cursor *changes;
    uint64_t seq;   /* the entry that changes stands in, or the last one before it */
    uint32_t first; /* where to begin in the next entry */
    bool in_entry;
    plan_wants_cb wants;
    void *wants_data;
    struct table table; /* the last one asked for */
    uint64_t table_origin;
    uint32_t table_number;
    struct plan_rows rows; /* of the stretch at hand */
    size_t next;           /* of them */
    bool in_log_order;
    bool has_rows; /* a stretch is at hand */
    bool whole;    /* and is all of the range */
};

/* ---- tables that take nothing */

enum { OUT_ID_SIZE = 4 };

bool plan_out_has(struct bytes out, uint32_t table)
{
    size_t low = 0, high = out.size / OUT_ID_SIZE;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t id = bytes_get(out.data + middle * OUT_ID_SIZE, OUT_ID_SIZE);

        if (id == table)
            return true;
        if (id < table)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void plan_out_put(struct buffer *out, uint32_t table)
{
    assert(out->failed || out->size == 0 ||
           bytes_get(out->data + out->size - OUT_ID_SIZE, OUT_ID_SIZE) < table);
    buffer_put(out, table, OUT_ID_SIZE);
}

/* ---- walking */

enum status plan_open(struct plan_cursor **out, struct store_txn *txn,
                      struct plan_range range, struct error *err)
{
    struct plan_cursor *cursor = calloc(1, sizeof *cursor);
    enum status status;

    assert(range.from <= range.to);
    assert(range.written <= range.from);
    *out = NULL;
    if (cursor == NULL)
        return error_set(err, STATUS_NO_MEMORY, "plan: out of memory");
    cursor->txn = txn;
    cursor->range = range;
    cursor->seq = range.from;
    plan_rows_init(&cursor->rows, PLAN_ROWS_MAX);
    status = change_cursor_open(&cursor->changes, txn, err);
    if (status != STATUS_OK) {
        plan_close(cursor);
        return status;
    }
    *out = cursor;
    return STATUS_OK;
}

void plan_filter(struct plan_cursor *cursor, plan_wants_cb wants, void *data)
{
    cursor->wants = wants;
    cursor->wants_data = data;
}

enum status plan_seek_after(struct plan_cursor *cursor, struct place place,
                            struct error *err)
{
    (void)err;
    assert(place.seq > cursor->range.from);
    assert(place.seq <= cursor->range.to);
    cursor->seq = place.seq - 1;
    cursor->first = place.index + 1;
    cursor->in_entry = false;
    return STATUS_OK;
}

void plan_close(struct plan_cursor *cursor)
{
    if (cursor == NULL)
        return;
    plan_rows_release(&cursor->rows);
    change_cursor_close(cursor->changes);
    free(cursor);
}

void plan_stretch(struct plan_cursor *cursor, size_t rows)
{
    assert(!cursor->has_rows);
    plan_rows_init(&cursor->rows, rows);
}

void plan_restart(struct plan_cursor *cursor, bool in_log_order)
{
    if (cursor->has_rows && cursor->whole && in_log_order != cursor->in_log_order)
        plan_rows_arrange(&cursor->rows, in_log_order);
    cursor->in_log_order = in_log_order;
    cursor->next = 0;
    if (cursor->whole)
        return;
    cursor->seq = cursor->range.from;
    cursor->first = 0;
    cursor->in_entry = false;
    cursor->has_rows = false;
}

/* Go to the next entry that may plan something. NOT_FOUND: there is none. */
static enum status next_entry(struct plan_cursor *cursor, struct error *err)
{
    while (cursor->seq < cursor->range.to) {
        struct log_entry entry;
        uint32_t first = cursor->first;
        enum status status = log_get(cursor->txn, cursor->seq + 1, &entry, err);

        if (status == STATUS_NOT_FOUND)
            return error_set(err, STATUS_CORRUPT, "entry %llu is missing",
                             (unsigned long long)cursor->seq + 1);
        if (status != STATUS_OK)
            return status;
        cursor->seq++;
        cursor->first = 0;
        if (entry.local || entry.header.kind != ENTRY_CHANGES)
            continue;
        cursor->in_entry = true;
        return change_cursor_enter(cursor->changes, &entry, first, err);
    }
    return STATUS_NOT_FOUND;
}

/* The next change of foreign entries. NOT_FOUND: the end of the range. */
static enum status next_change(struct plan_cursor *cursor, struct log_change *out,
                               struct error *err)
{
    enum status status = STATUS_NOT_FOUND;

    for (;;) {
        if (cursor->in_entry)
            status = change_cursor_next(cursor->changes, out, err);
        if (status != STATUS_NOT_FOUND)
            return status;
        cursor->in_entry = false;
        status = next_entry(cursor, err);
        if (status != STATUS_OK)
            return status;
        status = STATUS_NOT_FOUND;
    }
}

static enum status find_table(struct plan_cursor *cursor, const struct log_change *change,
                              struct error *err)
{
    enum status status;

    if (change->version.origin == cursor->table_origin &&
        change->change.definition == cursor->table_number)
        return STATUS_OK;
    status = tables_find(cursor->txn, change->version.origin, change->change.definition,
                         &cursor->table, err);
    cursor->table_origin = status == STATUS_OK ? change->version.origin : 0;
    cursor->table_number = change->change.definition;
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "entry %llu: its table is not defined",
                         (unsigned long long)change->seq);
    return status;
}

static enum status not_indexed(uint64_t seq, struct error *err)
{
    return error_set(err, STATUS_CORRUPT,
                     "entry %llu: a row that it wrote is not in the row index",
                     (unsigned long long)seq);
}

/* The next foreign change that won, of a table that takes; cursor->table is its own. */
static enum status next_won(struct plan_cursor *cursor, struct log_change *change,
                            struct error *err)
{
    for (;;) {
        enum status status = next_change(cursor, change, err);

        if (status != STATUS_OK)
            return status;
        if (!change->won)
            continue;
        status = find_table(cursor, change, err);
        if (status != STATUS_OK || !plan_out_has(cursor->range.out, cursor->table.id))
            return status;
    }
}

/* ---- the plan */

/* Gather the rows of the next stretch. NOT_FOUND: there is none. */
static enum status next_stretch(struct plan_cursor *cursor, struct error *err)
{
    bool is_first = !cursor->has_rows;
    enum status status = STATUS_OK;

    if (cursor->whole)
        return STATUS_NOT_FOUND;
    plan_rows_clear(&cursor->rows);
    cursor->next = 0;
    while (status == STATUS_OK && !plan_rows_are_full(&cursor->rows)) {
        struct log_change change;

        status = next_won(cursor, &change, err);
        if (status == STATUS_OK)
            status = plan_rows_add(&cursor->rows, &cursor->table, &change, err);
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    cursor->has_rows = true;
    cursor->whole = is_first && status == STATUS_NOT_FOUND;
    plan_rows_arrange(&cursor->rows, cursor->in_log_order);
    return cursor->rows.count > 0 ? STATUS_OK : STATUS_NOT_FOUND;
}

/* out->holding is what is held by the store: of a row that the batch before, which is not
 * folded yet, has written, it is what that has made of it. at: the row's newest change,
 * or that before its first one in this batch. As plan_find() finds it. */
static enum status look_before(struct plan_cursor *cursor, struct bytes key,
                               struct place at, struct planned *out, struct error *err)
{
    const struct plan_range *range = &cursor->range;
    struct row row = {0};
    enum status status;

    if (at.seq <= range->from - range->written)
        return STATUS_OK;
    status = plan_walk_back(cursor->txn, range->from, at, &row, err);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    if (row.local || row.winner.seq <= range->from - range->written ||
        version_compare(&row.version, &out->holding.version) <= 0)
        return STATUS_OK;
    row.key = key;
    out->holding = row;
    return STATUS_OK;
}

/* Whether the database is to get what the item's change made of a row that was written
 * again. */
static enum status plan_passed(struct plan_cursor *cursor, const struct plan_item *item,
                               const struct log_change *change, bool *planned,
                               struct planned *out, struct error *err)
{
    struct row row;
    bool is_winner;
    enum status status = rows_get(cursor->txn, item->table.id, item->key, &row, err);

    if (status == STATUS_NOT_FOUND)
        return not_indexed(item->place.seq, err);
    if (status == STATUS_OK)
        status = plan_holding_of(cursor->txn, item->table.id, &row, out, err);
    if (status == STATUS_OK && cursor->range.written > 0)
        status = look_before(cursor, item->key, row.last, out, err);
    if (status != STATUS_OK || row.local || row.winner.seq <= cursor->range.to ||
        version_compare(&change->version, &out->holding.version) <= 0)
        return status;
    /* It is the batch's last. A local change that won after it would be what is held, or
     * something newer: whoever won over that has saved it. Only what is held of no
     * version, being refused or never there, does not tell. */
    *planned = cursor->whole && !version_is_nothing(&out->holding.version);
    if (*planned)
        return STATUS_OK;
    status = plan_row_at_position(cursor->txn, cursor->range.to, &row, &is_winner, err);
    *planned = status == STATUS_OK && row.winner.seq == item->place.seq &&
               row.winner.index == item->place.index;
    return status;
}

/* Whether the row is to be written; then *out is it. */
static enum status plan_item(struct plan_cursor *cursor, const struct plan_item *item,
                             bool *planned, struct planned *out, struct error *err)
{
    struct log_change change;
    struct row row;
    enum status status = plan_rows_change(&cursor->rows, item, &change, err);

    *planned = false;
    if (status == STATUS_OK)
        status = rows_is_winner(cursor->txn, item->table.id, item->key, item->place.seq,
                                &change.version, &out->is_winner, err);
    if (status == STATUS_NOT_FOUND)
        return not_indexed(item->place.seq, err);
    if (status == STATUS_OK && !out->is_winner) {
        status = plan_passed(cursor, item, &change, planned, out, err);
    } else if (status == STATUS_OK) {
        status = held_get(cursor->txn, item->table.id, item->key, &out->holding, err);
        if (status == STATUS_NOT_FOUND) /* the database has the winner */
            return STATUS_OK;
        out->holding_from_held = true;
        if (status == STATUS_OK && cursor->range.written > 0)
            status = look_before(cursor, item->key, item->previous, out, err);
        *planned = status == STATUS_OK &&
                   version_compare(&change.version, &out->holding.version) > 0;
    }
    if (status != STATUS_OK || !*planned)
        return status;
    plan_row_of_change(&change, false, &row);
    plan_take_row(out, &row);
    out->table = item->table;
    out->key = item->key;
    return STATUS_OK;
}

enum status plan_next(struct plan_cursor *cursor, struct planned *out, struct error *err)
{
    bool planned = false;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && !planned) {
        const struct plan_item *item;

        if (!cursor->has_rows || cursor->next == cursor->rows.count) {
            status = next_stretch(cursor, err);
            continue;
        }
        item = &cursor->rows.items[cursor->next++];
        if (cursor->wants == NULL ||
            cursor->wants(cursor->wants_data, &item->table, item->live))
            status = plan_item(cursor, item, &planned, out, err);
    }
    return status;
}

/* ---- what the fold asks */

static enum status find_shown(struct plan_cursor *cursor, const struct log_change *change,
                              bool *shown, struct planned *out, struct error *err)
{
    struct row held;
    uint64_t seq = 0;
    bool local = false;
    enum status status =
        rows_winner(cursor->txn, cursor->table.id, change->change.key, &seq, &local, err);

    *shown = false;
    if (status == STATUS_NOT_FOUND)
        return not_indexed(change->seq, err);
    if (status != STATUS_OK)
        return status;
    *out = (struct planned){
        .table = cursor->table,
        .place = {change->seq, change->index},
        .key = change->change.key,
        .is_winner = seq <= cursor->range.to,
    };
    if (local) /* not the batch's doing, and maybe parked long since */
        return STATUS_OK;
    *shown = out->is_winner;
    if (*shown)
        return STATUS_OK;
    /* The waiting winner has saved what the database held before it. */
    status = held_get(cursor->txn, cursor->table.id, change->change.key, &held, err);
    *shown = status == STATUS_OK && version_compare(&change->version, &held.version) > 0;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status plan_next_shown(struct plan_cursor *cursor, struct planned *out,
                            struct error *err)
{
    bool shown = false;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && !shown) {
        struct log_change change;

        status = next_won(cursor, &change, err);
        if (status == STATUS_OK)
            status = find_shown(cursor, &change, &shown, out, err);
    }
    return status;
}
