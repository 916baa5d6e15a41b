#include "apply/sqlite_rewrite_private.h"

#include "engine/sqlite_stored.h"

void rewrite_watch(struct rewrite *rewrite, const char *step)
{
    struct sqlite_batch *batch = rewrite->batch;
    const struct sqlite_table *table = rewrite->table;
    const char *name = table != NULL ? table->base.definition->name : NULL;

    progress_begin(
        batch->base.progress, store_progress(batch->base.store),
        &(struct progress_state){.step = step, .part = name, .unit = PROGRESS_ROWS});
}

enum status rewrite_init(struct rewrite *rewrite, struct error *err)
{
    enum status status = STATUS_OK;

    image_init(&rewrite->image);
    if (rewrite->table == NULL)
        return STATUS_OK;
    status = sqlite_schema_writer(rewrite->batch->schema, rewrite->table, err);
    return status == STATUS_OK
               ? sqlite_comparer_open(&rewrite->comparer, rewrite->batch->database,
                                      rewrite->table->base.definition, err)
               : status;
}

void rewrite_release(struct rewrite *rewrite)
{
    row_comparer_close(rewrite->comparer);
    image_release(&rewrite->image);
    buffer_release(&rewrite->present);
    buffer_release(&rewrite->changed);
    buffer_release(&rewrite->before);
}

enum status rewrite_read(struct rewrite *rewrite, struct bytes key, bool *there,
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
                              rewrite->table->base.definition, key, err)
               : status;
}

/* Note the keys of rows that have to go. They wait among the suspects, since a table is
 * not to be changed while it is read. */
static enum status note(struct rewrite *rewrite, rewrite_goes_cb goes, struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    struct sqlite_table *table = rewrite->table;
    sqlite3_stmt *keys = NULL;
    struct buffer sql = {0};
    enum status status;
    int rc = SQLITE_DONE;

    rewrite_watch(rewrite, "compare");
    sql_put(&sql, "SELECT ");
    sql_put_key_columns(&sql, table->base.definition, NULL);
    sql_put(&sql, " FROM ");
    sql_put_table(&sql, SCHEMA_MAIN, table->base.definition);
    status = sql_prepare(batch->database, &sql, &keys, err);
    buffer_release(&sql);
    while (status == STATUS_OK && (rc = sqlite3_step(keys)) == SQLITE_ROW) {
        bool it_goes = false;

        progress_add(batch->base.progress, 1);
        buffer_clear(&batch->base.key);
        status = sql_take_key(&batch->base.key, keys, 0, table->base.definition, err);
        if (status == STATUS_REFUSED) { /* a row with NULL in its key: not replicated */
            status = STATUS_OK;
            continue;
        }
        if (status == STATUS_OK)
            status = goes(rewrite, buffer_view(&batch->base.key), &it_goes, err);
        if (status == STATUS_OK && it_goes) {
            status = suspects_add(
                batch->base.moved, table->base.group,
                &(struct suspect){table->base.id, buffer_view(&batch->base.key)}, err);
        }
    }
    if (status == STATUS_OK && rc != SQLITE_DONE)
        status = sqlite_failed(batch->database, table->base.definition->local_name, err);
    (void)sqlite3_finalize(keys);
    return status;
}

/* What the database has of the row at hand, under the own definition; or, when that is
 * not logged yet, under the winner's, without what only this table has. */
static enum status take_present(struct rewrite *rewrite, const struct row *winner,
                                struct row *present, struct error *err)
{
    const struct sqlite_table *table = rewrite->table;
    struct table defined;
    bool lacking;
    enum status status;

    if (table->base.number != 0 || !winner->live) {
        present->definition_origin = store_identity(rewrite->batch->base.store)->node;
        present->definition = table->base.number;
        present->image = buffer_view(&rewrite->present);
        return STATUS_OK;
    }
    status = tables_find(rewrite->batch->base.txn, winner->definition_origin,
                         winner->definition, &defined, err);
    if (status == STATUS_OK) {
        status = row_compare_lacking(rewrite->comparer, winner->key, winner->image,
                                     defined.definition, rewrite->image.values, &lacking,
                                     &rewrite->changed, err);
    }
    present->definition_origin = winner->definition_origin;
    present->definition = winner->definition;
    present->image = buffer_view(&rewrite->changed);
    return status;
}

/* *is_held: the store says already that the database has this row. */
static enum status compare_held(struct rewrite *rewrite, struct bytes key, bool *is_held,
                                struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    struct row held;
    struct table defined;
    bool changed = true, lacking = false;
    enum status status =
        held_get(batch->base.txn, rewrite->table->base.id, key, &held, err);

    *is_held = false;
    if (status != STATUS_OK || !held.live)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    status = tables_find(batch->base.txn, held.definition_origin, held.definition,
                         &defined, err);
    if (status == STATUS_OK) {
        status = row_compare_held(rewrite->comparer, key, held.image, defined.definition,
                                  rewrite->image.values, &changed, &rewrite->changed,
                                  &rewrite->before, err);
    }
    if (status == STATUS_OK && !changed) {
        status =
            row_compare_lacking(rewrite->comparer, key, held.image, defined.definition,
                                NULL, &lacking, &rewrite->changed, err);
    }
    *is_held = status == STATUS_OK && !changed && !lacking;
    return status;
}

enum status rewrite_stays(struct rewrite *rewrite, const struct row *winner,
                          struct error *err)
{
    struct error message = *err;
    struct row stays = {.key = winner->key};
    bool there = false, is_held = false;
    enum status status = rewrite_read(rewrite, winner->key, &there, err);

    if (status == STATUS_OK && there)
        status = compare_held(rewrite, winner->key, &is_held, err);
    if (status == STATUS_OK && there && !is_held)
        status = take_present(rewrite, winner, &stays, err);
    if (status != STATUS_OK)
        return status;
    *err = message;
    return there ? batch_note_stays(&rewrite->batch->base, rewrite->table->base.id,
                                    winner, &stays, err)
                 : batch_note_refused(&rewrite->batch->base, rewrite->table->base.id,
                                      winner->key, &winner->version, false, true, err);
}

static enum status count_removed(struct rewrite *rewrite, struct bytes key,
                                 struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    struct row holding = {0};
    bool from_held;
    enum status status = STATUS_OK;

    if (rewrite->mends)
        status = rows_holding(batch->base.txn, rewrite->table->base.id, key, &holding,
                              &from_held, err);
    batch->base.counts->rows++;
    batch->base.counts->removed += !holding.live;
    return status;
}

/* A row without a winner, of a table that may not be writable here (table->lacks): one
 * that the log knows as deleted waits, any other is a write of this node that capture
 * will find. */
static enum status remove_or_keep(struct rewrite *rewrite, struct bytes key,
                                  struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    enum write_result result;
    struct error message;
    struct row row;
    enum status status;

    sqlite_schema_fire(batch->schema, false);
    status = sqlite_writer_delete(rewrite->table->writer, &result, err);
    if (status != STATUS_OK || result == WRITE_DONE) {
        return status == STATUS_OK ? count_removed(rewrite, key, err) : status;
    }
    message = *err;
    status = rows_get(batch->base.txn, rewrite->table->base.id, key, &row, err);
    if (status == STATUS_NOT_FOUND ||
        (status == STATUS_OK && rewrite->table->base.number == 0))
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    *err = message;
    return rewrite_stays(rewrite, &row, err);
}

enum status rewrite_remove(struct rewrite *rewrite, rewrite_goes_cb goes,
                           struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    struct sqlite_table *table = rewrite->table;
    static const struct suspect first = {0};
    struct suspect stranger;
    enum status status = note(rewrite, goes, err);

    while (status == STATUS_OK) {
        enum write_result result;

        status =
            suspects_after(batch->base.moved, table->base.group, &first, &stranger, err);
        if (status != STATUS_OK)
            break;
        buffer_clear(&batch->base.key);
        buffer_put_bytes(&batch->base.key, stranger.key);
        stranger.key = buffer_view(&batch->base.key);
        status = suspects_remove(batch->base.moved, table->base.group, &stranger, err);
        if (status == STATUS_OK)
            status = sqlite_writer_key(table->writer, NULL, stranger.key, &result, err);
        if (status == STATUS_OK && table->base.lacks != NULL) {
            status = remove_or_keep(rewrite, stranger.key, err);
            continue;
        }
        if (status == STATUS_OK)
            status = sqlite_batch_remove(batch, table, err);
        if (status == STATUS_OK)
            status = count_removed(rewrite, stranger.key, err);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
