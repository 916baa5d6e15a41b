/* resync --prefer log: the database becomes what row index and schema say, whatever it
 * holds.
 *
 * Rows that have no winner go; winners that differ from what stands there are written;
 * then constraints are resolved over everything. What the store believes of the database
 * counts for nothing here, and is replaced by the fold of a repair (log/intent.h). */
#include "apply/sqlite_outsiders.h"
#include "apply/sqlite_parking.h"
#include "apply/sqlite_target_private.h"

#include <assert.h>

struct rewrite {
    struct sqlite_batch *batch;
    struct sqlite_table *table;
    struct sqlite_comparer *comparer;
    struct image image;    /* of the database's row */
    struct buffer present; /* its bytes */
    struct buffer changed, before;
};

/* Count the rows of one table under what is done with them. */
static void watch_table(struct rewrite *rewrite, const char *step)
{
    struct sqlite_batch *batch = rewrite->batch;
    const struct sqlite_table *table = rewrite->table;
    const char *name = table != NULL ? table->definition->name : NULL;

    progress_begin(
        batch->progress, store_progress(batch->store),
        &(struct progress_state){.step = step, .part = name, .unit = PROGRESS_ROWS});
}

/* ---- rows without a winner */

/* Note the keys of rows that are not to be there. They wait among the suspects, since a
 * table is not to be changed while it is read. */
static enum status find_strangers(struct rewrite *rewrite, struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    struct sqlite_table *table = rewrite->table;
    sqlite3_stmt *keys = NULL;
    struct buffer sql = {0};
    enum status status;
    int rc = SQLITE_DONE;

    watch_table(rewrite, "compare");
    sql_put(&sql, "SELECT ");
    sql_put_key_columns(&sql, table->definition, NULL);
    sql_put(&sql, " FROM ");
    sql_put_table(&sql, SCHEMA_MAIN, table->definition);
    status = sql_prepare(batch->database, &sql, &keys, err);
    buffer_release(&sql);
    while (status == STATUS_OK && (rc = sqlite3_step(keys)) == SQLITE_ROW) {
        struct row row;

        progress_add(batch->progress, 1);
        buffer_clear(&batch->key);
        status = sql_take_key(&batch->key, keys, 0, table->definition, err);
        if (status == STATUS_REFUSED) { /* a row with NULL in its key: not replicated */
            status = STATUS_OK;
            continue;
        }
        if (status == STATUS_OK)
            status = rows_get(batch->txn, table->id, buffer_view(&batch->key), &row, err);
        if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !row.live)) {
            status = sqlite_suspects_add(
                batch->moved, table->group,
                &(struct suspect){table->id, buffer_view(&batch->key)}, err);
        }
    }
    if (status == STATUS_OK && rc != SQLITE_DONE)
        status = sqlite_failed(batch->database, table->definition->local_name, err);
    (void)sqlite3_finalize(keys);
    return status;
}

/* A row that must change, of a table that can't be written as it should be. */
static enum status refuse_lacking(const struct sqlite_table *table, struct error *err)
{
    return error_set(
        err, STATUS_REFUSED,
        "rows of %s are not as the log has them, and can't be rewritten here "
        "(%s): take resync --prefer database",
        table->definition->local_name, table->lacks);
}

static enum status remove_strangers(struct rewrite *rewrite, struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    struct sqlite_table *table = rewrite->table;
    static const struct suspect first = {0};
    struct suspect stranger;
    enum status status = find_strangers(rewrite, err);

    while (status == STATUS_OK) {
        enum write_result result;

        status =
            sqlite_suspects_after(batch->moved, table->group, &first, &stranger, err);
        if (status == STATUS_OK && table->lacks != NULL)
            status = refuse_lacking(table, err);
        if (status != STATUS_OK)
            break;
        buffer_clear(&batch->key);
        buffer_put_bytes(&batch->key, stranger.key);
        stranger.key = buffer_view(&batch->key);
        status = sqlite_suspects_remove(batch->moved, table->group, &stranger, err);
        if (status == STATUS_OK)
            status = sqlite_writer_key(table->writer, NULL, stranger.key, &result, err);
        if (status == STATUS_OK)
            status = sqlite_batch_remove(batch, table, err);
        batch->counts->rows++;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- winners */

/* Read the database's row: *there, its values and bytes under the own definition. */
static enum status read_present(struct rewrite *rewrite, struct bytes key, bool *there,
                                struct error *err)
{
    struct sqlite_writer *writer = rewrite->table->writer;
    enum write_result result;
    enum status status = sqlite_writer_key(writer, NULL, key, &result, err);

    if (status == STATUS_OK)
        status = sqlite_writer_find(writer, there, err);
    if (status != STATUS_OK || !*there)
        return status;
    buffer_clear(&rewrite->present);
    status = sqlite_writer_complete(writer, &rewrite->present, err);
    return status == STATUS_OK
               ? image_decode(&rewrite->image, buffer_view(&rewrite->present),
                              rewrite->table->definition, key, err)
               : status;
}

/* The old row of one that is refused goes: the store could not say what it was. */
static enum status drop_refused(struct rewrite *rewrite, const struct batch_row *row,
                                struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    struct error message;
    enum intent_item_kind kind;
    enum write_result result;
    bool beyond;
    enum status status =
        sqlite_items_find(batch->items, row->table_id, row->key, &kind, &beyond, err);

    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && kind != INTENT_QUARANTINED))
        return STATUS_OK;
    message = *err;
    if (status == STATUS_OK && row->table != NULL && row->holding->live) {
        status = sqlite_writer_key(row->table->writer, NULL, row->key, &result, err);
        if (status == STATUS_OK)
            status = sqlite_batch_remove(batch, row->table, err);
    }
    if (status != STATUS_OK)
        return status;
    *err = message;
    batch->counts->quarantined--;
    return sqlite_batch_note_refused(batch, row->table_id, row->key, &row->version, false,
                                     true, err);
}

static enum status write_winner(struct rewrite *rewrite, uint32_t id,
                                const struct row *winner, struct error *err)
{
    struct row holding = {.key = winner->key};
    struct batch_row row = {
        .table_id = id,
        .table = rewrite->table,
        .key = winner->key,
        .image = winner->image,
        .version = winner->version,
        .born = winner->born,
        .live = true,
        .holding = &holding,
    };
    struct table defined;
    bool there = false, changed = true;
    enum status status = tables_find(rewrite->batch->txn, winner->definition_origin,
                                     winner->definition, &defined, err);

    row.from = defined.definition;
    if (status == STATUS_OK && row.table != NULL)
        status = read_present(rewrite, winner->key, &there, err);
    if (status == STATUS_OK && there) {
        buffer_clear(&rewrite->changed);
        buffer_clear(&rewrite->before);
        status = sqlite_compare_row(rewrite->comparer, winner->key, winner->image,
                                    defined.definition, rewrite->image.values, &changed,
                                    &rewrite->changed, &rewrite->before, err);
        holding.live = true;
        holding.definition_origin = store_identity(rewrite->batch->store)->node;
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
    if (row.table != NULL && row.table->lacks != NULL)
        return refuse_lacking(row.table, err);
    status = sqlite_batch_write(rewrite->batch, &row, err);
    return status == STATUS_OK ? drop_refused(rewrite, &row, err) : status;
}

static enum status write_winners(struct rewrite *rewrite, uint32_t id, struct error *err)
{
    struct row_cursor *cursor = NULL;
    enum status status = row_cursor_open(&cursor, rewrite->batch->txn, id, false, err);

    watch_table(rewrite, "rewrite");
    while (status == STATUS_OK) {
        struct row winner;

        status = row_cursor_next(cursor, &winner, err);
        if (status == STATUS_OK && winner.live)
            status = write_winner(rewrite, id, &winner, err);
        progress_add(rewrite->batch->progress, 1);
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
    enum status status = STATUS_OK;

    image_init(&rewrite.image);
    if (rewrite.table != NULL) {
        status = sqlite_schema_writer(batch->schema, rewrite.table, err);
        sqlite_schema_fire(batch->schema, rewrite.table->fires);
        batch->changed[rewrite.table->group] = true;
    }
    if (status == STATUS_OK && rewrite.table != NULL && !remove)
        status = sqlite_comparer_open(&rewrite.comparer, batch->database,
                                      rewrite.table->definition, err);
    if (status == STATUS_OK && remove && rewrite.table != NULL)
        status = remove_strangers(&rewrite, err);
    if (status == STATUS_OK && !remove)
        status = write_winners(&rewrite, id, err);
    sqlite_comparer_close(rewrite.comparer);
    image_release(&rewrite.image);
    buffer_release(&rewrite.present);
    buffer_release(&rewrite.changed);
    buffer_release(&rewrite.before);
    return status;
}

static enum status rewrite_all(struct sqlite_batch *batch, struct error *err)
{
    uint32_t count = 0;
    enum status status = tables_count(batch->txn, &count, err);

    for (int remove = 1; remove >= 0; remove--)
        for (uint32_t id = 1; id <= count && status == STATUS_OK; id++)
            status = rewrite_table(batch, id, remove != 0, err);
    if (status == STATUS_OK)
        status = sqlite_parking_resolve(batch, err);
    if (status == STATUS_OK)
        status = sqlite_outsiders_count(batch, err);
    sqlite_schema_fire(batch->schema, false);
    return status;
}

/* The database's transaction is open. */
static enum status run(struct sqlite_target *target, struct sqlite_batch *batch,
                       struct error *err)
{
    const struct identity *identity = store_identity(target->store);
    struct sqlite_state state = {identity->node, identity->incarnation, 0, 0};
    struct intent intent = {.repair = true};
    struct sqlite_own_write own;
    enum status status = sqlite_target_prepare(target, batch, err);

    if (status == STATUS_OK)
        status = sqlite_own_write_before(target->database, batch->txn, &own, err);
    if (status == STATUS_OK)
        status = meta_get(batch->txn, META_APPLIED, &batch->range.from, err);
    if (status == STATUS_OK)
        status = meta_get(batch->txn, META_LAST_SEQ, &batch->range.to, err);
    if (status == STATUS_OK)
        status = meta_get(batch->txn, META_SEEN, &state.counter, err);
    if (status == STATUS_OK)
        status = sqlite_target_stamp(batch, &intent.max_stamp_us, err);
    if (status == STATUS_OK)
        status = rewrite_all(batch, err);
    if (status != STATUS_OK)
        return status;
    state.applied = batch->range.to;
    state.counter++;
    intent.from = batch->range.from;
    intent.to = batch->range.to;
    intent.counter = state.counter;
    return sqlite_target_finish(target, batch, &state, &intent, &own, err);
}

enum status sqlite_target_rewrite(struct target *base, struct apply_counts *counts,
                                  struct error *err)
{
    struct sqlite_target *target = (struct sqlite_target *)base;
    enum status status;
    bool again = true;

    while (again) {
        struct apply_counts done = {0};
        struct sqlite_batch batch = {.counts = &done, .all = true, .repair = true};

        target->loaded_here = false;
        status = sqlite_begin_write(target->database, err);
        if (status != STATUS_OK)
            break;
        status = run(target, &batch, err);
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
