/* A walk over the rows of a table that the store says the database holds: to count them,
 * or to add deletes of those that it has not. */
#include "capture/row_layer_private.h"

#include <assert.h>

/* A walk over the store stops after so many rows, and keys of so many bytes, to go on in
 * a new snapshot. */
enum { WALK_ROWS = 4096, WALK_BYTES = 1 << 20 };

struct gone_walk {
    struct row_layer *layer;
    struct layer_run *run;
    bool count;         /* only that */
    row_there_cb there; /* NULL: none is */
    void *data;
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
    enum status status = row_cursor_open(&cursor, txn, walk->layer->table.id, true, err);

    if (status == STATUS_OK)
        status = row_cursor_next(cursor, &row, err);
    row_cursor_close(cursor);
    walk->any_held = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* One row of the index. */
static enum status take_row(struct gone_walk *walk, struct store_txn *txn,
                            const struct row *row, struct error *err)
{
    enum status status = STATUS_OK;
    bool live = row->live;
    bool there = walk->count;
    struct row held;

    if (walk->any_held) {
        status = held_get(txn, walk->layer->table.id, row->key, &held, err);
        if (status == STATUS_OK)
            live = held.live;
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    if (status != STATUS_OK || !live)
        return status;
    walk->live++;
    if (!walk->count && walk->there != NULL)
        status = walk->there(walk->data, row->key, &there, err);
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
        status = row_cursor_open(&cursor, txn, walk->layer->table.id, false, err);
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
    enum status status =
        row_layer_holding(walk->layer, walk->run, key, &txn, &holding, err);

    /* The entry itself may have deleted it before. */
    if (status == STATUS_OK && holding.live)
        status = row_layer_add_delete(walk->layer, walk->run, txn, key, &holding, err);
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

static enum status walk_all(struct gone_walk *walk, struct error *err)
{
    enum status status = STATUS_OK;

    buffer_clear(&walk->run->after);
    while (status == STATUS_OK && !walk->ended) {
        status = walk_some(walk, err);
        if (status == STATUS_OK)
            status = add_deletes(walk, err);
    }
    return status;
}

/* Rows that the store knows nothing of yet. */
static enum status delete_pending(struct gone_walk *walk, struct error *err)
{
    struct buffer *after = &walk->run->after;
    struct bytes key;
    enum status status = STATUS_OK;

    buffer_clear(after);
    while (status == STATUS_OK) {
        status = pending_next(walk->run->pending, walk->layer->table.id,
                              buffer_view(after), &key, err);
        if (status != STATUS_OK)
            break;
        buffer_clear(after);
        buffer_put_bytes(after, key);
        status = buffer_check(after, err);
        if (status == STATUS_OK)
            status = add_delete(walk, buffer_view(after), err);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status row_layer_count(struct row_layer *layer, struct layer_run *run,
                            uint64_t *count, struct error *err)
{
    struct gone_walk walk = {.layer = layer, .run = run, .count = true};
    enum status status = walk_all(&walk, err);

    *count = walk.live;
    return status;
}

enum status row_layer_gone(struct row_layer *layer, struct layer_run *run,
                           row_there_cb there, void *data, struct error *err)
{
    struct gone_walk walk = {.layer = layer, .run = run, .there = there, .data = data};
    enum status status = walk_all(&walk, err);

    if (status == STATUS_OK && there == NULL && run->pending != NULL)
        status = delete_pending(&walk, err);
    return status;
}
