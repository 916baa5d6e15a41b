#include "log/plan_rows.h"

#include <assert.h>
#include <stdlib.h>

enum { CAPACITY_FIRST = 1024, PREFIX_FROM = 1, PREFIX_SIZE = 8 };

void plan_rows_init(struct plan_rows *rows, size_t most)
{
    assert(most > 0);
    assert(most <= PLAN_ROWS_MAX);
    *rows = (struct plan_rows){.most = most};
    plan_rows_clear(rows);
}

void plan_rows_clear(struct plan_rows *rows)
{
    rows->count = 0;
    rows->entry_count = 0;
    rows->added = 0;
    rows->ascending = true;
}

void plan_rows_release(struct plan_rows *rows)
{
    free(rows->items);
    free(rows->entries);
    *rows = (struct plan_rows){0};
}

bool plan_rows_are_full(const struct plan_rows *rows)
{
    return rows->count == rows->most || rows->added == UINT32_MAX;
}

/* ---- order */

/* The key's bytes after the first, which says the type: all of an integer. */
static uint64_t prefix_of(struct bytes key)
{
    uint64_t prefix = 0;

    for (size_t i = PREFIX_FROM; i < PREFIX_FROM + PREFIX_SIZE; i++)
        prefix = prefix << 8 | (i < key.size ? key.data[i] : 0);
    return prefix;
}

/* Nearly the order of LMDB and of the database: exactly, where a key column has values of
 * one type. */
static int compare_keys(const struct plan_item *a, const struct plan_item *b)
{
    if (a->table.id != b->table.id)
        return a->table.id < b->table.id ? -1 : 1;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return bytes_compare(a->key, b->key);
}

static int by_order(const void *left, const void *right)
{
    const struct plan_item *a = left, *b = right;

    return (a->order > b->order) - (a->order < b->order);
}

static int by_key(const void *left, const void *right)
{
    const struct plan_item *a = left, *b = right;
    int order = compare_keys(a, b);

    if (order != 0)
        return order;
    if (a->place.seq != b->place.seq)
        return a->place.seq < b->place.seq ? -1 : 1;
    return (a->place.index > b->place.index) - (a->place.index < b->place.index);
}

static int by_turn(const void *left, const void *right)
{
    const struct plan_item *a = left, *b = right;

    if (a->has_insert != b->has_insert)
        return a->has_insert ? 1 : -1;
    return a->has_insert ? by_order(a, b) : by_key(a, b);
}

/* ---- the rows */

static enum status grow(struct plan_rows *rows, struct error *err)
{
    size_t capacity = rows->capacity == 0 ? CAPACITY_FIRST : rows->capacity * 2;
    struct plan_item *items = realloc(rows->items, capacity * sizeof *items);

    if (items == NULL)
        return error_set(err, STATUS_NO_MEMORY, "plan: out of memory");
    rows->items = items;
    rows->capacity = capacity;
    return STATUS_OK;
}

/* Note the entry that the change stands in. */
static enum status note_entry(struct plan_rows *rows, const struct log_change *change,
                              struct error *err)
{
    const struct version *version = &change->version;

    if (rows->entry_count > 0 && rows->entries[rows->entry_count - 1].seq == change->seq)
        return STATUS_OK;
    if (rows->entry_count == rows->entry_capacity) {
        size_t capacity =
            rows->entry_capacity == 0 ? CAPACITY_FIRST : rows->entry_capacity * 2;
        struct plan_entry *entries = realloc(rows->entries, capacity * sizeof *entries);

        if (entries == NULL)
            return error_set(err, STATUS_NO_MEMORY, "plan: out of memory");
        rows->entries = entries;
        rows->entry_capacity = capacity;
    }
    rows->entries[rows->entry_count++] = (struct plan_entry){
        change->seq, version->stamp_us, version->origin, version->origin_seq};
    return STATUS_OK;
}

/* Let the later of two items of one row be the row's. */
static void merge_items(struct plan_item *into, const struct plan_item *later)
{
    uint32_t order = into->order;
    struct place previous = into->previous;
    bool has_insert = into->has_insert || later->has_insert;

    *into = *later;
    into->order = order;
    into->previous = previous;
    into->has_insert = has_insert;
}

enum status plan_rows_add(struct plan_rows *rows, const struct table *table,
                          const struct log_change *change, struct error *err)
{
    struct plan_item item = {
        .table = *table,
        .place = {change->seq, change->index},
        .previous = change->previous,
        .key = change->change.key,
        .bytes = change->bytes,
        .prefix = prefix_of(change->change.key),
        .order = rows->added,
        .live = change->change.op != CHANGE_DELETE,
        .has_insert = change->change.op == CHANGE_INSERT,
    };
    int order = -1;
    enum status status = note_entry(rows, change, err);

    assert(!plan_rows_are_full(rows));
    if (status != STATUS_OK)
        return status;
    item.entry = (uint32_t)rows->entry_count - 1;
    rows->added++;
    if (rows->count > 0 && rows->ascending)
        order = compare_keys(&rows->items[rows->count - 1], &item);
    if (order == 0) {
        merge_items(&rows->items[rows->count - 1], &item);
        return STATUS_OK;
    }
    rows->ascending = rows->ascending && order < 0;
    if (rows->count == rows->capacity)
        status = grow(rows, err);
    if (status == STATUS_OK)
        rows->items[rows->count++] = item;
    return status;
}

enum status plan_rows_change(const struct plan_rows *rows, const struct plan_item *item,
                             struct log_change *out, struct error *err)
{
    const struct plan_entry *entry = &rows->entries[item->entry];
    struct bytes bytes = item->bytes;

    assert(entry->seq == item->place.seq);
    *out = (struct log_change){
        .seq = item->place.seq,
        .index = item->place.index,
        .version = {entry->stamp_us, entry->origin, entry->origin_seq, item->place.index},
        .won = true,
        .bytes = bytes,
    };
    return change_take(&bytes, &out->change, err);
}

static void keep_last(struct plan_rows *rows)
{
    size_t kept = 0;

    qsort(rows->items, rows->count, sizeof *rows->items, by_key);
    for (size_t i = 0; i < rows->count; i++) {
        if (kept > 0 && compare_keys(&rows->items[kept - 1], &rows->items[i]) == 0)
            merge_items(&rows->items[kept - 1], &rows->items[i]);
        else
            rows->items[kept++] = rows->items[i];
    }
    rows->count = kept;
}

void plan_rows_arrange(struct plan_rows *rows, bool in_log_order)
{
    bool has_insert = false;

    if (rows->ascending) /* both orders at once */
        return;
    keep_last(rows);
    for (size_t i = 0; i < rows->count && !has_insert; i++)
        has_insert = rows->items[i].has_insert;
    if (in_log_order)
        qsort(rows->items, rows->count, sizeof *rows->items, by_order);
    else if (has_insert)
        qsort(rows->items, rows->count, sizeof *rows->items, by_turn);
}
