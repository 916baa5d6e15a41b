#include "apply/sqlite_batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows that ended a transaction */

void refused_rows_release(struct refused_rows *refused)
{
    for (size_t i = 0; i < refused->count; i++) {
        free((void *)(uintptr_t)refused->rows[i].key.data);
        free((void *)(uintptr_t)refused->rows[i].message.data);
    }
    free(refused->rows);
    *refused = (struct refused_rows){0};
}

static bool copy_bytes(struct bytes from, struct bytes *out)
{
    uint8_t *copy = malloc(from.size + 1);

    *out = (struct bytes){copy, from.size};
    if (copy != NULL && from.size > 0)
        memcpy(copy, from.data, from.size);
    return copy != NULL;
}

enum status sqlite_batch_end(struct sqlite_batch *batch, uint32_t table, struct bytes key,
                             struct error *err)
{
    struct refused_rows *refused = batch->refused;
    struct refused_row *rows;

    if (refused->count == REFUSED_MAX) {
        return error_set(err, STATUS_IO,
                         "triggers have rolled back more than %d rows of one batch: "
                         "set triggers = off",
                         REFUSED_MAX);
    }
    rows = realloc(refused->rows, (refused->count + 1) * sizeof *rows);
    if (rows == NULL)
        return error_set(err, STATUS_NO_MEMORY, "batch: out of memory");
    refused->rows = rows;
    rows[refused->count] = (struct refused_row){.table = table};
    if (!copy_bytes(key, &rows[refused->count].key))
        return error_set(err, STATUS_NO_MEMORY, "batch: out of memory");
    if (!copy_bytes(bytes_of_text(err->text), &rows[refused->count].message)) {
        free((void *)(uintptr_t)rows[refused->count].key.data);
        return error_set(err, STATUS_NO_MEMORY, "batch: out of memory");
    }
    refused->count++;
    batch->ended = true;
    return STATUS_CONSTRAINT;
}

/* ---- notes */

enum status sqlite_batch_note_refused(struct sqlite_batch *batch, uint32_t table,
                                      struct bytes key, const struct version *version,
                                      bool beyond, bool absent, struct error *err)
{
    struct error message = *err;
    struct intent_item item = {
        .kind = INTENT_QUARANTINED,
        .table = table,
        .key = key,
        .quarantined = {.version = *version,
                        .since_us = batch->now_us,
                        .message = bytes_of_text(message.text)},
        .absent = absent,
    };

    batch->counts->quarantined++;
    return sqlite_items_put(batch->items, &item, beyond, err);
}

enum status sqlite_batch_note_stays(struct sqlite_batch *batch, uint32_t table,
                                    const struct row *winner, const struct row *stays,
                                    struct error *err)
{
    struct error message = *err;
    struct intent_item item = {
        .kind = INTENT_QUARANTINED,
        .table = table,
        .key = winner->key,
        .quarantined = {.version = winner->version,
                        .since_us = batch->now_us,
                        .message = bytes_of_text(message.text)},
        .image = stays->image,
        .definition = stays->definition,
        .definition_origin = stays->definition_origin,
    };

    batch->counts->quarantined++;
    return sqlite_items_put(batch->items, &item, false, err);
}

enum status sqlite_batch_note_again(struct sqlite_batch *batch,
                                    const struct batch_row *row, struct error *err)
{
    struct bytes message = bytes_of_text(err->text);
    struct intent_item item = {
        .kind = INTENT_QUARANTINED, .table = row->table_id, .key = row->key};
    enum status status =
        quarantine_get(batch->txn, row->table_id, row->key, &item.quarantined, err);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK || bytes_equal(item.quarantined.message, message))
        return status;
    item.quarantined.message = message;
    return sqlite_items_put(batch->items, &item, true, err);
}

/* ---- columns that only this table has */

enum status sqlite_batch_carry_parked(struct sqlite_batch *batch,
                                      struct sqlite_table *table,
                                      const struct parked *parked, struct bytes key,
                                      bool *carried, struct error *err)
{
    struct table shown;
    enum status status;

    *carried = false;
    if (parked->shown.size == 0)
        return STATUS_OK;
    status = tables_find(batch->txn, parked->shown_origin, parked->shown_definition,
                         &shown, err);
    return status == STATUS_OK ? sqlite_writer_carry(table->writer, shown.definition,
                                                     parked->shown, key, carried, err)
                               : status;
}

enum status sqlite_batch_carry(struct sqlite_batch *batch, const struct batch_row *row,
                               bool *carried, struct error *err)
{
    struct parked parked;
    struct table held;
    enum status status = STATUS_NOT_FOUND;

    *carried = false;
    if (row->holding->live) {
        status = tables_find(batch->txn, row->holding->definition_origin,
                             row->holding->definition, &held, err);
        return status == STATUS_OK
                   ? sqlite_writer_carry(row->table->writer, held.definition,
                                         row->holding->image, row->key, carried, err)
                   : status;
    }
    if (batch->parked > 0)
        status = parked_get(batch->txn, row->table_id, row->key, &parked, err);
    if (status == STATUS_OK)
        return sqlite_batch_carry_parked(batch, row->table, &parked, row->key, carried,
                                         err);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Whether held must be a composite of the row and columns that only this table has; then
 * the row at hand is complete, and encoded in batch->image. */
static enum status compose(struct sqlite_batch *batch, const struct batch_row *row,
                           bool *composed, struct error *err)
{
    struct sqlite_writer *writer = row->table->writer;
    enum write_result result;
    bool needed = false;
    enum status status =
        sqlite_writer_map(writer, row->from, row->image, row->key, &result, err);

    *composed = false;
    if (status != STATUS_OK)
        return status;
    assert(result == WRITE_DONE);
    /* Where local writes are not captured, and where triggers write, only the table
     * itself can tell. */
    needed = row->table->direction == TABLE_IN || batch->schema->triggers_write;
    if (!needed)
        status = sqlite_batch_carry(batch, row, &needed, err);
    /* Of a row that stays, a column that the store knows nothing of has its default. */
    /* A repair believes nothing of what the store says that the database holds. */
    needed = needed || batch->repair;
    if (status == STATUS_OK && !needed && !row->holding->live)
        status = sqlite_writer_volatile(writer, &needed, err);
    if (status != STATUS_OK || !needed)
        return status;
    buffer_clear(&batch->image);
    *composed = true;
    return sqlite_writer_complete(writer, &batch->image, err);
}

enum status sqlite_batch_note_written(struct sqlite_batch *batch,
                                      const struct batch_row *row, struct error *err)
{
    struct intent_item item = {
        .kind = INTENT_SHOWN, .table = row->table_id, .key = row->key};
    enum status status = STATUS_OK;
    bool lacks = false, composed = false;

    if (row->live && row->table->number != 0)
        status = sqlite_writer_lacks(row->table->writer, row->from, &lacks, err);
    if (status == STATUS_OK && lacks)
        status = compose(batch, row, &composed, err);
    if (status != STATUS_OK || (!composed && !row->beyond))
        return status;
    if (composed) {
        item.kind = INTENT_KEPT;
        item.definition = row->table->number;
        item.image = buffer_view(&batch->image);
        batch->counts->kept++;
    }
    return sqlite_items_put(batch->items, &item, row->beyond, err);
}

enum status sqlite_batch_note_gone(struct sqlite_batch *batch, struct sqlite_table *table,
                                   struct error *err)
{
    enum status status = STATUS_OK;

    (void)batch;
    for (struct sqlite_foreign *at = table->as_parent; at != NULL && status == STATUS_OK;
         at = at->next_of_parent)
        status = sqlite_foreign_note_gone(at, err);
    return status;
}

/* ---- describing */

enum status sqlite_batch_was(struct sqlite_batch *batch, uint32_t table, struct bytes key,
                             bool shown, struct moved_row *out, struct error *err)
{
    enum status status = STATUS_NOT_FOUND;

    out->was = shown ? WAS_SHOWN : WAS_NOTHING;
    if (!shown)
        status = parked_get(batch->txn, table, key, &out->before, err);
    if (status == STATUS_OK)
        out->was = WAS_PARKED;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status sqlite_batch_describe(struct sqlite_batch *batch, struct sqlite_table *table,
                                  struct bytes key, struct moved_row *out,
                                  struct error *err)
{
    enum intent_item_kind kind = INTENT_SHOWN;
    struct planned planned;
    struct row row;
    bool beyond = false, is_winner;
    enum status status =
        sqlite_items_find(batch->items, table->id, key, &kind, &beyond, err);
    bool refused = status == STATUS_OK && kind == INTENT_QUARANTINED;

    *out = (struct moved_row){.table = table->id, .group = table->group, .key = key};
    /* Of a table that takes nothing a repair writes what the store says was there. */
    beyond = (status == STATUS_OK && beyond && !refused) ||
             (batch->repair && !plan_out_has(batch->range.out, table->id));
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = plan_find(batch->txn, batch->range, table->id, key, &planned, err);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    out->origin = MOVED_EVICTED;
    out->born = planned.holding.born;
    if (status == STATUS_OK && !refused) {
        out->origin = MOVED_PLANNED;
        out->born = planned.born;
    }
    if (beyond) {
        status = plan_row_at(batch->txn, batch->range.to, table->id, key, &row,
                             &is_winner, err);
        if (status == STATUS_NOT_FOUND)
            return error_set(err, STATUS_IO, "%s: a row that was written is not known",
                             table->definition->local_name);
        if (status != STATUS_OK)
            return status;
        out->origin = MOVED_BEYOND;
        out->born = row.born;
    }
    return sqlite_batch_was(batch, table->id, key, planned.holding.live, out, err);
}
