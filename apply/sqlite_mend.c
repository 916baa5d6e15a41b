/* All rows that differ go before any comes back, so that nothing is in the way of it but
 * what has come since. */
#include "apply/sqlite_mend.h"

#include "apply/sqlite_rewrite_private.h"

static enum status differs(struct rewrite *rewrite, struct bytes key, bool *goes,
                           struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    struct row holding;
    struct table defined;
    bool from_held, there = false;
    enum status status = rows_holding(batch->base.txn, rewrite->table->base.id, key,
                                      &holding, &from_held, err);

    *goes = status == STATUS_OK && !holding.live;
    if (status != STATUS_OK || *goes)
        return status;
    status = tables_find(batch->base.txn, holding.definition_origin, holding.definition,
                         &defined, err);
    if (status == STATUS_OK)
        status = rewrite_read(rewrite, key, &there, err);
    if (status != STATUS_OK || !there)
        return status;
    buffer_clear(&rewrite->changed);
    buffer_clear(&rewrite->before);
    return row_compare_held(rewrite->comparer, key, holding.image, defined.definition,
                            rewrite->image.values, goes, &rewrite->changed,
                            &rewrite->before, err);
}

/* What was held does not fit beside what else was: a row came while a local write had
 * made room for it. The constraints decide now, unless the plan writes the row anyway.
 * The message is in err. */
static enum status decide(struct rewrite *rewrite, const struct row *held,
                          const struct definition *from, enum write_result result,
                          struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    uint32_t id = rewrite->table->base.id;
    struct error message = *err;
    struct row nothing = {.key = held->key}, at;
    struct batch_row row = {
        .table_id = id,
        .table = &rewrite->table->base,
        .from = from,
        .key = held->key,
        .image = held->image,
        .version = held->version,
        .born = held->born,
        .live = true,
        .beyond = true,
        .brought = true,
        .holding = &nothing,
    };
    struct planned planned;
    bool is_winner;
    enum status status =
        plan_find(batch->base.txn, batch->base.range, id, held->key, &planned, err);

    if (status != STATUS_NOT_FOUND)
        return status;
    status = plan_row_at(batch->base.txn, batch->base.range.to, id, held->key, &at,
                         &is_winner, err);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    if (status == STATUS_OK && result == WRITE_UNIQUE &&
        version_compare(&at.version, &held->version) == 0)
        return sqlite_batch_write(batch, &row, err);
    *err = message;
    return batch_note_refused(&batch->base, id, held->key,
                              status == STATUS_OK ? &at.version : &held->version, true,
                              true, err);
}

static enum status bring_back(struct rewrite *rewrite, struct bytes key,
                              struct error *err)
{
    struct sqlite_batch *batch = rewrite->batch;
    struct sqlite_writer *writer = rewrite->table->writer;
    enum write_result result = WRITE_DONE;
    struct row holding;
    struct table defined;
    bool from_held, there = false;
    enum status status = rows_holding(batch->base.txn, rewrite->table->base.id, key,
                                      &holding, &from_held, err);

    if (status != STATUS_OK || !holding.live)
        return status;
    status = sqlite_writer_key(writer, NULL, key, &result, err);
    if (status == STATUS_OK)
        status = sqlite_writer_find(writer, &there, err);
    if (status != STATUS_OK || there)
        return status;
    status = tables_find(batch->base.txn, holding.definition_origin, holding.definition,
                         &defined, err);
    if (status == STATUS_OK)
        status = sqlite_writer_map(writer, defined.definition, holding.image, key,
                                   &result, err);
    if (status == STATUS_OK && result == WRITE_DONE)
        status = sqlite_writer_insert(writer, SCHEMA_MAIN, &result, err);
    if (status != STATUS_OK)
        return status;
    batch->base.counts->rows++;
    return result == WRITE_DONE
               ? STATUS_OK
               : decide(rewrite, &holding, defined.definition, result, err);
}

static enum status bring_back_all(struct rewrite *rewrite, struct error *err)
{
    struct row_cursor *cursor = NULL;
    enum status status = row_cursor_open(&cursor, rewrite->batch->base.txn,
                                         rewrite->table->base.id, false, err);

    while (status == STATUS_OK) {
        struct row winner;

        status = row_cursor_next(cursor, &winner, err);
        if (status == STATUS_OK)
            status = bring_back(rewrite, winner.key, err);
    }
    row_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status sqlite_mend_table(struct sqlite_batch *batch, struct sqlite_table *table,
                              struct error *err)
{
    struct rewrite rewrite = {.batch = batch, .table = table, .mends = true};
    enum status status = rewrite_init(&rewrite, err);

    sqlite_schema_fire(batch->schema, false);
    if (status == STATUS_OK)
        status = rewrite_remove(&rewrite, differs, err);
    if (status == STATUS_OK)
        status = bring_back_all(&rewrite, err);
    rewrite_release(&rewrite);
    return status;
}

enum status sqlite_mend_all(struct sqlite_batch *batch, struct error *err)
{
    struct sqlite_schema *schema = batch->schema;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < schema->base.count && status == STATUS_OK; i++) {
        struct sqlite_table *table = &schema->tables[i];

        if (table->base.direction == TABLE_IN && table->base.id != 0 &&
            table->base.lacks == NULL)
            status = sqlite_mend_table(batch, table, err);
    }
    return status;
}

enum status sqlite_mend_first(struct sqlite_batch *batch, struct error *err)
{
    if (!batch->schema->base.any_in || batch->mend || batch->base.repair)
        return STATUS_OK;
    batch->wants_mend = true;
    batch->ended = true;
    return error_set(err, STATUS_CONSTRAINT, "local writes are in the way");
}
