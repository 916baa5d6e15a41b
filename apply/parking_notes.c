/* What the resolution came to, for the store. */
#include "apply/parking.h"

#include <assert.h>

static bool is_same(const struct parked *a, const struct parked *b)
{
    return a->kind == b->kind && a->blocker_table == b->blocker_table &&
           bytes_equal(a->constraint, b->constraint) &&
           bytes_equal(a->blocker_key, b->blocker_key);
}

/* Whoever tells the store of each row that was written must not tell it this one. */
static enum status note_same(struct batch *batch, const struct moved_row *moved,
                             struct error *err)
{
    struct intent_item item = {
        .kind = INTENT_SAME, .table = moved->table, .key = moved->key};

    return batch->echoed ? items_put(batch->items, &item, true, err) : STATUS_OK;
}

/* A row that ended in its table: is anything new about it? */
static enum status note_placed(struct batch *batch, const struct moved_row *moved,
                               struct error *err)
{
    struct batch_row row = {
        .table_id = moved->table,
        .table = batch_schema_find(batch->schema, moved->table),
        .key = moved->key,
        .live = true,
        .beyond = moved->origin == MOVED_BEYOND,
    };
    struct planned planned;
    struct table defined;
    struct row at;
    bool is_winner;
    enum status status;

    if (moved->origin == MOVED_EVICTED) /* out and in again */
        return note_same(batch, moved, err);
    status = plan_find(batch->txn, batch->range, moved->table, moved->key, &planned, err);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = plan_row_at(batch->txn, batch->range.to, moved->table, moved->key, &at,
                             &is_winner, err);
    if (status == STATUS_OK)
        status =
            tables_find(batch->txn, at.definition_origin, at.definition, &defined, err);
    if (status != STATUS_OK)
        return status;
    row.from = defined.definition;
    row.image = at.image;
    if (batch->repair) /* own columns are read back from what was written */
        planned.holding = (struct row){.key = moved->key};
    row.holding = &planned.holding;
    batch->counts->rows++;
    batch->counts->released += moved->was == WAS_PARKED;
    return batch->ops->placed(batch, &row, err);
}

static enum status note_parked(struct batch *batch, const struct moved_row *moved,
                               struct error *err)
{
    struct apply_counts *counts = batch->counts;
    /* The fast path may have noted it as written. */
    enum status status = items_remove(batch->items, moved->table, moved->key, err);

    if (status != STATUS_OK)
        return status;
    if (!batch->repair && moved->was == WAS_PARKED && moved->origin == MOVED_BEYOND &&
        is_same(&moved->before, &moved->parked))
        return moved_set(batch->moved, moved->id, MOVED_AS_BEFORE, NULL, err);
    if (moved->was != WAS_PARKED) {
        counts->parked++;
        counts->evicted += moved->was == WAS_SHOWN;
        counts->parked_by_parent += moved->parked.kind != PARKED_UNIQUE;
    }
    batch->parks = true;
    return STATUS_OK;
}

enum status parking_conclude(struct batch *batch, struct error *err)
{
    struct moved_row moved = {0};
    enum status status;

    while ((status = moved_after(batch->moved, moved.id, &moved, err)) == STATUS_OK) {
        assert(moved.state != MOVED_QUEUED);
        if (moved.state == MOVED_PLACED)
            status = note_placed(batch, &moved, err);
        else if (moved.state == MOVED_PARKED)
            status = note_parked(batch, &moved, err);
        if (status != STATUS_OK)
            return status;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Keep the row as it was shown, for the columns that only this database has: whoever
 * writes the row while it is parked may not send them. */
static enum status keep_shown(struct batch *batch, const struct moved_row *moved,
                              struct parked *parked, struct error *err)
{
    struct batch_table *table = batch_schema_find(batch->schema, moved->table);
    enum status status;

    if (moved->was != WAS_SHOWN || table->number == 0)
        return STATUS_OK;
    buffer_clear(&batch->image);
    status = batch->ops->image(batch, table, moved->id, &batch->image, err);
    parked->shown = buffer_view(&batch->image);
    parked->shown_origin = store_identity(batch->store)->node;
    parked->shown_definition = table->number;
    return status;
}

static enum status write_parked(struct batch *batch, const struct moved_row *moved,
                                struct intent_writer *writer, struct error *err)
{
    struct intent_item item = {
        .kind = INTENT_PARKED,
        .table = moved->table,
        .key = moved->key,
        .parked = moved->parked,
    };
    enum status status;

    item.parked.key = moved->key;
    item.parked.born = moved->born;
    item.parked.since_us =
        moved->was == WAS_PARKED ? moved->before.since_us : batch->now_us;
    status = keep_shown(batch, moved, &item.parked, err);
    return status == STATUS_OK ? intent_writer_add(writer, &item, err) : status;
}

enum status parking_write(struct batch *batch, struct intent_writer *writer,
                          struct error *err)
{
    struct moved_row moved = {0};
    enum status status;

    if (!batch->parks)
        return STATUS_OK;
    while ((status = moved_after(batch->moved, moved.id, &moved, err)) == STATUS_OK) {
        if (moved.state != MOVED_PARKED)
            continue;
        status = write_parked(batch, &moved, writer, err);
        if (status != STATUS_OK)
            return status;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
