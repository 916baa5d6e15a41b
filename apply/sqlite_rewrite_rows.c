#include "apply/sqlite_rewrite_private.h"

enum status rewrite_refuse(const struct sqlite_table *table, struct error *err)
{
    return error_set(
        err, STATUS_REFUSED,
        "rows of %s are not as the log has them, and can't be rewritten here "
        "(%s): take resync --prefer database",
        table->definition->local_name, table->lacks);
}

void rewrite_watch(struct rewrite *rewrite, const char *step)
{
    struct sqlite_batch *batch = rewrite->batch;
    const struct sqlite_table *table = rewrite->table;
    const char *name = table != NULL ? table->definition->name : NULL;

    progress_begin(
        batch->progress, store_progress(batch->store),
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
                                      rewrite->table->definition, err)
               : status;
}

void rewrite_release(struct rewrite *rewrite)
{
    sqlite_comparer_close(rewrite->comparer);
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
                              rewrite->table->definition, key, err)
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
    sql_put_key_columns(&sql, table->definition, NULL);
    sql_put(&sql, " FROM ");
    sql_put_table(&sql, SCHEMA_MAIN, table->definition);
    status = sql_prepare(batch->database, &sql, &keys, err);
    buffer_release(&sql);
    while (status == STATUS_OK && (rc = sqlite3_step(keys)) == SQLITE_ROW) {
        bool it_goes = false;

        progress_add(batch->progress, 1);
        buffer_clear(&batch->key);
        status = sql_take_key(&batch->key, keys, 0, table->definition, err);
        if (status == STATUS_REFUSED) { /* a row with NULL in its key: not replicated */
            status = STATUS_OK;
            continue;
        }
        if (status == STATUS_OK)
            status = goes(rewrite, buffer_view(&batch->key), &it_goes, err);
        if (status == STATUS_OK && it_goes) {
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
            sqlite_suspects_after(batch->moved, table->group, &first, &stranger, err);
        if (status == STATUS_OK && table->lacks != NULL)
            status = rewrite_refuse(table, err);
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
