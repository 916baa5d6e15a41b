/* resync --prefer log: the database becomes what row index and schema say, whatever it
 * holds.
 *
 * Rows that have no winner go; winners that differ from what stands there are written;
 * then constraints are resolved over everything. What the store believes of the database
 * counts for nothing here, and is replaced by the fold of a repair (log/intent.h). */
#include "apply/parking.h"
#include "apply/sqlite_counters.h"
#include "apply/sqlite_mend.h"
#include "apply/sqlite_outsiders.h"
#include "apply/sqlite_rewrite_private.h"
#include "apply/sqlite_target_private.h"

#include <assert.h>

/* ---- rows without a winner */

static enum status is_stranger(struct rewrite *rewrite, struct bytes key, bool *goes,
                               struct error *err)
{
    struct row row;
    enum status status =
        rows_get(rewrite->batch->base.txn, rewrite->table->base.id, key, &row, err);

    *goes = status == STATUS_NOT_FOUND || (status == STATUS_OK && !row.live);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- winners */

/* What was refused waits, and the row stays as it was: the store learns what that is. */
static enum status keep_refused(struct rewrite *rewrite, uint32_t id,
                                const struct row *winner, struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    enum intent_item_kind kind;
    bool beyond;
    enum status status =
        items_find(batch->base.items, id, winner->key, &kind, &beyond, err);

    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && kind != INTENT_QUARANTINED))
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    batch->base.counts->quarantined--;
    return rewrite->table != NULL
               ? rewrite_stays(rewrite, winner, err)
               : batch_note_refused(&batch->base, id, winner->key, &winner->version,
                                    false, true, err);
}

static enum status write_winner(struct rewrite *rewrite, uint32_t id,
                                const struct row *winner, struct error *err)
{
    struct row holding = {.key = winner->key};
    struct batch_row row = {
        .table_id = id,
        .table = rewrite->table != NULL ? &rewrite->table->base : NULL,
        .key = winner->key,
        .image = winner->image,
        .version = winner->version,
        .born = winner->born,
        .live = true,
        .holding = &holding,
    };
    struct table defined;
    bool there = false, changed = true;
    enum status status = tables_find(rewrite->batch->base.txn, winner->definition_origin,
                                     winner->definition, &defined, err);

    row.from = defined.definition;
    if (status == STATUS_OK && row.table != NULL)
        status = rewrite_read(rewrite, winner->key, &there, err);
    if (status == STATUS_OK && there) {
        buffer_clear(&rewrite->changed);
        buffer_clear(&rewrite->before);
        status = row_compare_held(rewrite->comparer, winner->key, winner->image,
                                  defined.definition, rewrite->image.values, &changed,
                                  &rewrite->changed, &rewrite->before, err);
        /* A value for a column that is not here: to be refused, as it is by a batch. */
        if (status == STATUS_OK && !changed) {
            status = row_compare_lacking(rewrite->comparer, winner->key, winner->image,
                                         defined.definition, NULL, &changed,
                                         &rewrite->changed, err);
        }
        holding.live = true;
        holding.definition_origin = store_identity(rewrite->batch->base.store)->node;
        holding.definition = row.table->number;
        holding.image = buffer_view(&rewrite->present);
        row.whole = holding.definition == 0;
        if (row.whole) { /* nothing to carry over then */
            holding.definition_origin = winner->definition_origin;
            holding.definition = winner->definition;
            holding.image = winner->image;
        }
    }
    if (status != STATUS_OK || !changed)
        return status;
    status = sqlite_batch_write(rewrite->batch, &row, err);
    return status == STATUS_OK ? keep_refused(rewrite, id, winner, err) : status;
}

static enum status write_winners(struct rewrite *rewrite, uint32_t id, struct error *err)
{
    struct row_cursor *cursor = NULL;
    enum status status =
        row_cursor_open(&cursor, rewrite->batch->base.txn, id, false, err);

    rewrite_watch(rewrite, "rewrite");
    while (status == STATUS_OK) {
        struct row winner;

        status = row_cursor_next(cursor, &winner, err);
        if (status == STATUS_OK && rewrite->table != NULL)
            status = sqlite_counters_note(rewrite->table, winner.key, err);
        if (status == STATUS_OK && winner.live)
            status = write_winner(rewrite, id, &winner, err);
        progress_add(rewrite->batch->base.progress, 1);
    }
    row_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- all tables */

static enum status rewrite_table(struct sqlite_batch *batch, uint32_t id, bool remove,
                                 struct error *err)
{
    struct rewrite rewrite = {.batch = batch,
                              .table = sqlite_schema_find(batch->schema, id)};
    bool takes_nothing = plan_out_has(batch->base.range.out, id);
    enum status status = STATUS_OK;

    if (rewrite.table != NULL)
        batch->base.changed[rewrite.table->base.group] = true;
    if (takes_nothing && (rewrite.table == NULL || !remove))
        return STATUS_OK;
    if (takes_nothing && rewrite.table->base.lacks != NULL)
        return STATUS_OK;
    if (takes_nothing)
        return sqlite_mend_table(batch, rewrite.table, err);
    status = rewrite_init(&rewrite, err);
    if (rewrite.table != NULL)
        sqlite_schema_fire(batch->schema, rewrite.table->base.fires);
    if (status == STATUS_OK && remove && rewrite.table != NULL)
        status = rewrite_remove(&rewrite, is_stranger, err);
    if (status == STATUS_OK && !remove)
        status = write_winners(&rewrite, id, err);
    rewrite_release(&rewrite);
    return status;
}

static enum status rewrite_all(struct sqlite_batch *batch, struct error *err)
{
    uint32_t count = 0;
    enum status status = tables_count(batch->base.txn, &count, err);

    for (int remove = 1; remove >= 0; remove--)
        for (uint32_t id = 1; id <= count && status == STATUS_OK; id++)
            status = rewrite_table(batch, id, remove != 0, err);
    if (status == STATUS_OK)
        status = parking_resolve(&batch->base, err);
    if (status == STATUS_OK)
        status = sqlite_outsiders_count(batch, err);
    if (status == STATUS_OK)
        status = sqlite_counters_move(batch, err);
    sqlite_schema_fire(batch->schema, false);
    return status;
}

/* The largest timestamp of the entries after the batch's `from`. */
static enum status find_stamp(struct sqlite_batch *batch, uint64_t *max_stamp_us,
                              struct error *err)
{
    struct plan_extent extent;
    enum status status =
        plan_extent(batch->base.txn, batch->base.range.from, UINT64_MAX, &extent, err);

    *max_stamp_us = status == STATUS_OK ? extent.max_stamp_us : 0;
    return status;
}

/* The database's transaction is open. */
static enum status run(struct sqlite_target *target, struct sqlite_batch *batch,
                       uint64_t incarnation, struct error *err)
{
    struct sqlite_state state = {store_identity(target->store)->node, incarnation, 0, 0};
    struct intent intent = {.repair = true};
    struct sqlite_own_write own;
    enum status status = sqlite_target_prepare(target, batch, err);

    if (status == STATUS_OK)
        status = sqlite_own_write_before(target->database, batch->base.txn, &own, err);
    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_APPLIED, &batch->base.range.from, err);
    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_LAST_SEQ, &batch->base.range.to, err);
    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_SEEN, &state.counter, err);
    if (status == STATUS_OK)
        status = find_stamp(batch, &intent.max_stamp_us, err);
    if (status == STATUS_OK)
        status = rewrite_all(batch, err);
    store_abort(batch->base.txn);
    batch->base.txn = NULL;
    if (status == STATUS_OK)
        status = store_reincarnate(target->store, incarnation, err);
    if (status != STATUS_OK)
        return status;
    state.applied = batch->base.range.to;
    state.counter++;
    intent.from = batch->base.range.from;
    intent.to = batch->base.range.to;
    intent.counter = state.counter;
    intent.out = batch->base.range.out;
    return sqlite_target_finish(target, batch, &state, &intent, &own, err);
}

enum status sqlite_target_rewrite(struct target *base, uint64_t incarnation,
                                  struct apply_counts *counts, struct error *err)
{
    struct sqlite_target *target = (struct sqlite_target *)base;
    enum status status;
    bool again = true;

    while (again) {
        struct apply_counts done = {0};
        struct sqlite_batch batch = {
            .base = {.counts = &done, .all = true, .repair = true}
        };

        target->loaded_here = false;
        status = sqlite_begin_write(target->database, err);
        if (status != STATUS_OK)
            break;
        status = run(target, &batch, incarnation, err);
        again = status == STATUS_CONSTRAINT && batch.ended;
        sqlite_target_release(target, &batch);
        if (status != STATUS_OK)
            sqlite_target_forget(target);
        else
            apply_counts_add(counts, &done);
    }
    refused_rows_release(&target->refused);
    return status;
}
