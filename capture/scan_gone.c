/* The second pass over a table: rows that the store says the database holds, and that it
 * has not. Their number tells whether there are any; only then is each looked for. */
#include "capture/scan_table_private.h"

#include "engine/sqlite_row.h"

#include <assert.h>

/* A walk over the store stops after so many rows, and keys of so many bytes, to go on in
 * a new snapshot. */
enum { WALK_ROWS = 4096, WALK_BYTES = 1 << 20 };

struct gone_walk {
    struct scan_table *table;
    struct scan_run *run;
    bool look;     /* for each row in the database; else only count */
    bool any_held; /* whether the table has held images at all */
    bool ended;
    uint64_t live; /* holdings that are rows */
};

/* Whether the held images of this table are none, as mostly. */
static enum status find_held(struct gone_walk *walk, struct store_txn *txn,
                             struct error *err)
{
    struct row_cursor *cursor = NULL;
    struct row row;
    enum status status = row_cursor_open(&cursor, txn, walk->table->table.id, true, err);

    if (status == STATUS_OK)
        status = row_cursor_next(cursor, &row, err);
    row_cursor_close(cursor);
    walk->any_held = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Bind the key's columns to the probe; *fits: false when the key is of another shape (the
 * table's primary key was changed since). */
static enum status bind_key(struct gone_walk *walk, struct bytes key, bool *fits,
                            struct error *err)
{
    struct scan_table *table = walk->table;

    for (uint32_t i = 0; i < table->table.definition->key_count; i++) {
        struct value value;
        enum status status = STATUS_CORRUPT;

        buffer_clear(&table->scratch[i]);
        if (key.size > 0)
            status = row_key_take(&key, &value, &table->scratch[i], err);
        *fits = status == STATUS_OK;
        if (status == STATUS_CORRUPT)
            return STATUS_OK;
        if (status == STATUS_OK)
            status = sqlite_bind_value(walk->run->database, table->probe, (int)i + 1,
                                       &value, err);
        if (status != STATUS_OK)
            return status;
    }
    *fits = key.size == 0;
    return STATUS_OK;
}

/* Whether the probe's current row has exactly this key. What the engine takes for equal
 * (another case, another type) may be another row. */
static enum status is_key_of_row(struct gone_walk *walk, struct bytes key, bool *same,
                                 struct error *err)
{
    struct scan_table *table = walk->table;
    struct buffer *found = &walk->run->key;
    enum status status = STATUS_OK;

    buffer_clear(found);
    for (uint32_t i = 0; i < table->table.definition->key_count; i++) {
        struct value value;

        status = sqlite_column_value(table->probe, (int)i, &value, err);
        if (status != STATUS_OK)
            return status;
        assert(value.type != VALUE_NULL); /* it was equal to something */
        status = row_key_put(found, &value, err);
        if (status != STATUS_OK)
            return status;
    }
    *same = bytes_equal(buffer_view(found), key);
    return buffer_check(found, err);
}

static enum status is_there(struct gone_walk *walk, struct bytes key, bool *there,
                            struct error *err)
{
    sqlite3_stmt *probe = walk->table->probe;
    bool fits = false;
    int rc = SQLITE_DONE;
    enum status status = bind_key(walk, key, &fits, err);

    *there = false;
    while (status == STATUS_OK && fits && !*there &&
           (rc = sqlite3_step(probe)) == SQLITE_ROW)
        status = is_key_of_row(walk, key, there, err);
    if (status == STATUS_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
        status = sqlite_failed(walk->run->database, "look for a row", err);
    (void)sqlite3_reset(probe);
    (void)sqlite3_clear_bindings(probe);
    return status;
}

/* One row of the index. */
static enum status take_row(struct gone_walk *walk, struct store_txn *txn,
                            const struct row *row, struct error *err)
{
    enum status status = STATUS_OK;
    bool live = row->live;
    bool there = true;
    struct row held;

    if (walk->any_held) {
        status = held_get(txn, walk->table->table.id, row->key, &held, err);
        if (status == STATUS_OK)
            live = held.live;
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    if (status != STATUS_OK || !live)
        return status;
    walk->live++;
    if (walk->look)
        status = is_there(walk, row->key, &there, err);
    if (status == STATUS_OK && !there) {
        buffer_put_sized(&walk->run->gone, row->key);
        status = buffer_check(&walk->run->gone, err);
    }
    return status;
}

/* Walk on from run->after, for a while. No change is added meanwhile: that would end the
 * transaction under the cursor. */
static enum status walk_some(struct gone_walk *walk, struct error *err)
{
    struct buffer *after = &walk->run->after;
    struct row_cursor *cursor = NULL;
    struct store_txn *txn;
    struct row row;
    enum status status = appender_txn(walk->run->appender, &txn, err);

    if (status == STATUS_OK)
        status = find_held(walk, txn, err);
    if (status == STATUS_OK)
        status = row_cursor_open(&cursor, txn, walk->table->table.id, false, err);
    if (status == STATUS_OK && after->size > 0)
        status = row_cursor_seek_after(cursor, buffer_view(after), err);
    for (int i = 0; status == STATUS_OK && i < WALK_ROWS; i++) {
        status = row_cursor_next(cursor, &row, err);
        if (status == STATUS_OK)
            status = take_row(walk, txn, &row, err);
        if (status != STATUS_OK ||
            (i + 1 < WALK_ROWS && walk->run->gone.size < WALK_BYTES))
            continue;
        buffer_clear(after);
        buffer_put_bytes(after, row.key);
        status = buffer_check(after, err);
        break;
    }
    row_cursor_close(cursor);
    walk->ended = status == STATUS_NOT_FOUND;
    return walk->ended ? STATUS_OK : status;
}

static enum status add_delete(struct gone_walk *walk, struct bytes key, struct error *err)
{
    struct store_txn *txn;
    struct row holding;
    enum status status = scan_holding(walk->table, walk->run, key, &txn, &holding, err);

    if (status == STATUS_OK)
        status = scan_add_delete(walk->table, walk->run, txn, key, &holding, err);
    return status;
}

static enum status add_deletes(struct gone_walk *walk, struct error *err)
{
    struct bytes keys = buffer_view(&walk->run->gone);
    enum status status = STATUS_OK;
    struct bytes key;

    while (status == STATUS_OK && keys.size > 0) {
        bool taken = bytes_take_sized(&keys, &key);

        assert(taken); /* our own */
        status = add_delete(walk, key, err);
    }
    buffer_clear(&walk->run->gone);
    return status;
}

static enum status walk_all(struct gone_walk *walk, bool look, struct error *err)
{
    enum status status = STATUS_OK;

    walk->look = look;
    walk->ended = false;
    walk->live = 0;
    buffer_clear(&walk->run->after);
    while (status == STATUS_OK && !walk->ended) {
        status = walk_some(walk, err);
        if (status == STATUS_OK)
            status = add_deletes(walk, err);
    }
    return status;
}

enum status scan_gone(struct scan_table *table, struct scan_run *run, struct error *err)
{
    struct gone_walk walk = {.table = table, .run = run};
    enum status status = walk_all(&walk, false, err);

    if (status != STATUS_OK || walk.live == table->matched)
        return status;
    return walk_all(&walk, true, err);
}
