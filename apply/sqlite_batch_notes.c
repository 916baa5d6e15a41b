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

/* ---- columns that only this table has */

/* Whether held must be a composite of the row and columns that only this table has; then
 * the row at hand is complete, and encoded in base.image. */
static enum status compose(struct sqlite_batch *batch, const struct batch_row *row,
                           bool *composed, struct error *err)
{
    struct sqlite_writer *writer = sqlite_table_of(row->table)->writer;
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
        status = batch_carry(&batch->base, row, &needed, err);
    /* Of a row that stays, a column that the store knows nothing of has its default. */
    /* A repair believes nothing of what the store says that the database holds. */
    needed = needed || batch->base.repair;
    if (status == STATUS_OK && !needed && !row->holding->live)
        status = sqlite_writer_volatile(writer, &needed, err);
    if (status != STATUS_OK || !needed)
        return status;
    buffer_clear(&batch->base.image);
    *composed = true;
    return sqlite_writer_complete(writer, &batch->base.image, err);
}

enum status sqlite_batch_note_written(struct sqlite_batch *batch,
                                      const struct batch_row *row, struct error *err)
{
    struct intent_item item = {
        .kind = INTENT_SHOWN, .table = row->table_id, .key = row->key};
    enum status status = STATUS_OK;
    bool lacks = false, composed = false;

    if (row->live && row->table->number != 0)
        status = sqlite_writer_lacks(sqlite_table_of(row->table)->writer, row->from,
                                     &lacks, err);
    if (status == STATUS_OK && lacks)
        status = compose(batch, row, &composed, err);
    if (status != STATUS_OK || (!composed && !row->beyond))
        return status;
    if (composed) {
        item.kind = INTENT_KEPT;
        item.definition = row->table->number;
        item.image = buffer_view(&batch->base.image);
        batch->base.counts->kept++;
    }
    return items_put(batch->base.items, &item, row->beyond, err);
}
