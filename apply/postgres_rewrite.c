/* resync --prefer log: the database becomes what row index and schema say, whatever it
 * holds.
 *
 * All its tables are locked against other writers. What differs from what it should be is
 * found first; then rows that the log does not have go, the others are written, and
 * constraints are resolved over everything. What the store believes of the database
 * counts for nothing here, and is replaced by the fold of a repair (log/intent.h), at
 * once after the commit: no slot tells of this batch. Before the commit the store forgets
 * where capture stood, so that whoever is killed from there on has to do it all again. */
#include "apply/postgres_rewrite_private.h"
#include "apply/postgres_target_private.h"

#include "apply/parking.h"
#include "apply/postgres_row.h"
#include "apply/postgres_sequences.h"
#include "engine/sqlite_database.h"

enum { LOCK_TRIES_MAX = 3 }; /* of 900 ms each */

/* ---- a row as the database has it */

/* Encode the row of this key into rewrite->image, under the own definition. */
static enum status read_present(struct postgres_rewrite *rewrite, struct bytes key,
                                bool *there, struct error *err)
{
    struct batch *batch = &rewrite->batch->base;
    enum status status = batch->ops->key(batch, &rewrite->table->base, key, err);

    *there = false;
    return status == STATUS_OK
               ? postgres_row_image(rewrite->table, there, &rewrite->image, err)
               : status;
}

/* Whether the row has columns here that its image says nothing of. */
static bool lacks(const struct definition *from, const struct definition *own)
{
    for (uint32_t i = 0; i < own->column_count; i++) {
        if (own->columns[i].generated == GENERATED_NO &&
            definition_map_column(own, i, from) < 0)
            return true;
    }
    return false;
}

/* ---- writing */

/* It was refused, and the row stays as it is: the store learns what that is. */
static enum status keep_refused(struct postgres_rewrite *rewrite, uint32_t id,
                                const struct row *wanted, struct error *err)
{
    struct batch *batch = &rewrite->batch->base;
    struct error message = *err;
    struct row stays = {.key = wanted->key,
                        .definition_origin = store_identity(batch->store)->node};
    bool there = false;
    enum status status = STATUS_OK;

    batch->counts->quarantined--;
    if (rewrite->table != NULL && rewrite->table->base.number != 0)
        status = read_present(rewrite, wanted->key, &there, err);
    if (status != STATUS_OK)
        return status;
    *err = message;
    if (!there)
        return batch_note_refused(batch, id, wanted->key, &wanted->version, false, true,
                                  err);
    stays.definition = rewrite->table->base.number;
    stays.image = buffer_view(&rewrite->image);
    return batch_note_stays(batch, id, wanted, &stays, err);
}

/* What columns that only this table has are now. */
static enum status note_kept(struct postgres_rewrite *rewrite, const struct row *wanted,
                             struct error *err)
{
    struct intent_item item = {.kind = INTENT_KEPT,
                               .table = rewrite->table->base.id,
                               .key = wanted->key,
                               .definition = rewrite->table->base.number};
    bool there = false;
    enum status status = read_present(rewrite, wanted->key, &there, err);

    if (status != STATUS_OK || !there) /* it meets another: parking has it in hand */
        return status;
    item.image = buffer_view(&rewrite->image);
    rewrite->batch->base.counts->kept++;
    return items_put(rewrite->batch->base.items, &item, false, err);
}

/* What the store must learn of a row that was written, or was not. */
static enum status note(struct postgres_rewrite *rewrite, const struct batch_row *row,
                        const struct row *wanted, struct error *err)
{
    struct batch *batch = &rewrite->batch->base;
    struct error message = *err;
    enum intent_item_kind kind = INTENT_SHOWN;
    bool beyond;
    enum status status =
        items_find(batch->items, row->table_id, wanted->key, &kind, &beyond, err);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    *err = message;
    if (status == STATUS_OK && kind == INTENT_QUARANTINED)
        return keep_refused(rewrite, row->table_id, wanted, err);
    /* What a table that takes nothing held, it holds again. */
    if (plan_out_has(batch->range.out, row->table_id))
        return items_remove(batch->items, row->table_id, wanted->key, err);
    return row->table != NULL && row->table->number != 0 &&
                   lacks(row->from, row->table->definition)
               ? note_kept(rewrite, wanted, err)
               : STATUS_OK;
}

static enum status write_row(struct postgres_rewrite *rewrite, uint32_t id,
                             struct bytes key, struct error *err)
{
    struct batch *batch = &rewrite->batch->base;
    struct row wanted, holding = {.key = key};
    struct table from;
    struct batch_row row = {.table_id = id, .holding = &holding, .whole = true};
    bool there = false;
    enum status status = postgres_rewrite_wanted(rewrite, id, key, &wanted, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_IO, "resync: a row that was compared is not known");
    if (status == STATUS_OK)
        status = tables_find(batch->txn, wanted.definition_origin, wanted.definition,
                             &from, err);
    if (status != STATUS_OK)
        return status;
    rewrite->table = postgres_schema_find(rewrite->batch->schema, id);
    row.table = rewrite->table != NULL ? &rewrite->table->base : NULL;
    row.from = from.definition;
    row.key = wanted.key;
    row.image = wanted.image;
    row.version = wanted.version;
    row.born = wanted.born;
    row.live = true;
    if (row.table != NULL && row.table->number != 0 &&
        lacks(row.from, row.table->definition))
        status = read_present(rewrite, key, &there, err);
    if (status == STATUS_OK && there) { /* its own columns go with it where it goes */
        row.whole = false;
        holding.live = true;
        holding.definition_origin = store_identity(batch->store)->node;
        holding.definition = row.table->number;
        buffer_clear(&rewrite->before);
        buffer_put_bytes(&rewrite->before, buffer_view(&rewrite->image));
        status = buffer_check(&rewrite->before, err);
        holding.image = buffer_view(&rewrite->before);
    }
    if (status == STATUS_OK)
        status = postgres_locked_write(rewrite->batch, &row, err);
    return status == STATUS_OK ? note(rewrite, &row, &wanted, err) : status;
}

static enum status remove_row(struct postgres_rewrite *rewrite, uint32_t id,
                              struct bytes key, struct error *err)
{
    struct batch *batch = &rewrite->batch->base;
    struct batch_table *table = batch_schema_find(batch->schema, id);
    enum status status = batch->ops->key(batch, table, key, err);

    if (status == STATUS_OK)
        status = batch->ops->remove(batch, table, err);
    batch->counts->rows++;
    batch->counts->removed++;
    return status;
}

static enum status write_found(struct postgres_rewrite *rewrite, enum rewrite_found what,
                               struct error *err)
{
    struct batch *batch = &rewrite->batch->base;
    struct suspect at = {0};
    enum status status = STATUS_OK;

    progress_begin(
        batch->progress, store_progress(batch->store),
        &(struct progress_state){.step = what == FOUND_STRANGE ? "remove" : "rewrite",
                                 .unit = PROGRESS_ROWS});
    while (status == STATUS_OK) {
        struct suspect found;

        status = suspects_after(rewrite->found, what, &at, &found, err);
        if (status != STATUS_OK)
            break;
        buffer_clear(&rewrite->key);
        buffer_put_bytes(&rewrite->key, found.key);
        status = buffer_check(&rewrite->key, err);
        at = (struct suspect){found.table, buffer_view(&rewrite->key)};
        if (status == STATUS_OK)
            status = what == FOUND_STRANGE ? remove_row(rewrite, at.table, at.key, err)
                                           : write_row(rewrite, at.table, at.key, err);
        if (status == STATUS_NOT_FOUND)
            return error_wrap(err, STATUS_IO, "resync");
        progress_add(batch->progress, 1);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Rows of tables that the database does not have wait until it does. */
static enum status refuse_missing(struct postgres_rewrite *rewrite, uint32_t id,
                                  struct error *err)
{
    struct row_cursor *cursor = NULL;
    struct row row;
    enum status status =
        row_cursor_open(&cursor, rewrite->batch->base.txn, id, false, err);

    while (status == STATUS_OK) {
        status = row_cursor_next(cursor, &row, err);
        if (status == STATUS_OK && row.live)
            status = write_row(rewrite, id, row.key, err);
    }
    row_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status write_all(struct postgres_rewrite *rewrite, struct error *err)
{
    struct batch *batch = &rewrite->batch->base;
    uint32_t count = 0;
    enum status status = tables_count(batch->txn, &count, err);

    for (uint32_t i = 0; i < batch->schema->group_count; i++)
        batch->changed[i] = true;
    if (status == STATUS_OK)
        status = write_found(rewrite, FOUND_STRANGE, err);
    if (status == STATUS_OK)
        status = write_found(rewrite, FOUND_DIFFERS, err);
    for (uint32_t id = 1; id <= count && status == STATUS_OK; id++) {
        if (batch_schema_find(batch->schema, id) == NULL &&
            !plan_out_has(batch->range.out, id))
            status = refuse_missing(rewrite, id, err);
    }
    if (status == STATUS_OK)
        status = parking_resolve(batch, err);
    return status == STATUS_OK ? postgres_sequences_move(rewrite->batch->schema, err)
                               : status;
}

/* ---- the batch */

/* Everything, with all tables locked. */
static enum status begin(struct postgres_target *target, struct postgres_batch *batch,
                         struct intent *intent, struct error *err)
{
    struct plan_extent extent = {0};
    enum status status = postgres_begin(target->postgres, err);

    if (status == STATUS_OK)
        status = postgres_target_prepare(target, batch, err);
    if (status == STATUS_OK)
        status = postgres_lock_all(batch, err);
    postgres_target_forget(batch);
    if (status == STATUS_OK)
        status = postgres_target_prepare(target, batch, err);
    batch->base.echoed = false;
    if (status == STATUS_OK) /* of nothing: it only begins */
        status = postgres_locked_write_plan(batch, err);
    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_APPLIED, &batch->base.range.from, err);
    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_LAST_SEQ, &batch->base.range.to, err);
    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_SEEN, &intent->counter, err);
    if (status == STATUS_OK)
        status = plan_extent(batch->base.txn, batch->base.range.from, UINT64_MAX, &extent,
                             err);
    intent->from = batch->base.range.from;
    intent->to = batch->base.range.to;
    intent->max_stamp_us = extent.max_stamp_us;
    intent->counter++;
    return status;
}

static enum status intend(struct postgres_target *target, struct postgres_batch *batch,
                          struct intent *intent, struct error *err)
{
    struct intent_writer *writer = NULL;
    struct store_txn *txn = NULL;
    enum status status;

    intent->out = batch->base.range.out;
    store_abort(batch->base.txn);
    batch->base.txn = NULL;
    status = store_begin(target->store, TXN_WRITE, &txn, err);
    if (status == STATUS_OK)
        status = meta_put(txn, META_LSN, 0, err);
    if (status == STATUS_OK)
        status = store_commit(txn, err);
    else
        store_abort(txn);
    if (status == STATUS_OK)
        status = intent_writer_open(&writer, target->store, err);
    if (status == STATUS_OK)
        status = items_write(batch->base.items, writer, err);
    if (status == STATUS_OK)
        status = parking_write(&batch->base, writer, err);
    if (status == STATUS_OK)
        status = intent_writer_end(writer, intent, err);
    intent_writer_close(writer);
    return status;
}

static enum status run(struct postgres_target *target, struct postgres_rewrite *rewrite,
                       struct error *err)
{
    struct intent intent = {.repair = true};
    enum status status = begin(target, rewrite->batch, &intent, err);

    if (status == STATUS_OK)
        status = postgres_rewrite_compare(rewrite, err);
    if (status == STATUS_OK)
        status = write_all(rewrite, err);
    if (status == STATUS_OK)
        status = intend(target, rewrite->batch, &intent, err);
    if (status == STATUS_OK)
        status = postgres_commit(target->postgres, err);
    return status == STATUS_OK ? intent_fold(target->store, NULL, NULL, 0, err) : status;
}

static enum status try_rewrite(struct postgres_target *target,
                               struct postgres_rewrite *rewrite,
                               struct apply_counts *counts, struct error *err)
{
    struct apply_counts done = {0};
    struct postgres_batch batch = {
        .mode = BATCH_LOCKED,
        .base = {.counts = &done, .all = true, .repair = true},
    };
    enum status status = moved_clear(rewrite->found, err);

    rewrite->batch = &batch;
    if (status == STATUS_OK)
        status = run(target, rewrite, err);
    postgres_rewrite_release(rewrite);
    store_abort(batch.base.txn);
    if (target->postgres != NULL && status != STATUS_OK)
        postgres_rollback(target->postgres);
    if (target->schema.loaded)
        postgres_batch_release(&batch);
    if (status == STATUS_OK)
        apply_counts_add(counts, &done);
    else
        postgres_schema_unload(&target->schema);
    return status;
}

static enum status rewrite_now(struct postgres_target *target,
                               struct apply_counts *counts, struct error *err)
{
    struct postgres_rewrite rewrite = {0};
    struct sqlite_database *scratch = NULL;
    enum status status = sqlite_scratch_open(&scratch, err);

    if (status == STATUS_OK)
        status = moved_open(&rewrite.found, scratch, err);
    if (status == STATUS_OK)
        status = postgres_open(&rewrite.asked, target->options.url, POSTGRES_READ, err);
    if (status == STATUS_OK) {
        status = STATUS_BUSY;
        for (int i = 0; i < LOCK_TRIES_MAX && status == STATUS_BUSY; i++)
            status = try_rewrite(target, &rewrite, counts, err);
    }
    if (status == STATUS_BUSY)
        status = error_wrap(err, status, "resync needs all tables to itself");
    postgres_close(rewrite.asked);
    moved_close(rewrite.found);
    sqlite_database_close(scratch);
    return status;
}

enum status postgres_target_rewrite(struct target *base, struct apply_counts *counts,
                                    struct error *err)
{
    struct postgres_target *target = (struct postgres_target *)base;
    enum status status = postgres_target_connect(target, err);

    target->unseen = false; /* what the old slot would tell is of no account */
    return status == STATUS_OK ? rewrite_now(target, counts, err) : status;
}
