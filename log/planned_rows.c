/* Each: table varint, key sized, held record sized. */
#include "log/planned_rows.h"

#include "log/row_record.h"

void planned_rows_release(struct planned_rows *rows)
{
    buffer_release(&rows->rows);
    buffer_release(&rows->record);
    *rows = (struct planned_rows){0};
}

enum status planned_rows_begin(struct planned_rows *rows, struct store_txn *txn,
                               struct error *err)
{
    buffer_clear(&rows->rows);
    rows->overflow = false;
    rows->whole = false;
    return meta_get(txn, META_LAST_SEQ, &rows->last_seq, err);
}

static void put_record(struct buffer *record, const struct planned *planned)
{
    const struct row row = {
        .version = planned->version,
        .born = planned->born,
        .winner = planned->place,
        .live = planned->live,
        .definition_origin = planned->definition_origin,
        .definition = planned->definition,
        .image = planned->image,
        .key = planned->key,
    };

    row_record_encode(record, &row);
}

void planned_rows_add(struct planned_rows *rows, const struct planned *planned)
{
    if (rows->overflow)
        return;
    buffer_clear(&rows->record);
    if (!planned->is_winner)
        put_record(&rows->record, planned);
    buffer_put_varint(&rows->rows, planned->table.id);
    buffer_put_sized(&rows->rows, planned->key);
    buffer_put_sized(&rows->rows, buffer_view(&rows->record));
    rows->overflow =
        rows->rows.failed || rows->record.failed || rows->rows.size > PLANNED_ROWS_BYTES;
    if (rows->overflow)
        buffer_release(&rows->rows);
}

void planned_rows_end(struct planned_rows *rows)
{
    rows->whole = !rows->overflow;
}

enum status planned_rows_hold(const struct planned_rows *rows, struct store_txn *txn,
                              bool *hold, struct error *err)
{
    uint64_t last = 0;
    enum status status = STATUS_OK;

    if (rows != NULL && rows->whole)
        status = meta_get(txn, META_LAST_SEQ, &last, err);
    *hold = rows != NULL && rows->whole && last == rows->last_seq;
    return status;
}

bool planned_rows_take(struct bytes *rest, uint32_t *table, struct bytes *key,
                       struct bytes *held)
{
    uint64_t number;

    if (!bytes_take_varint(rest, &number) || !bytes_take_sized(rest, key) ||
        !bytes_take_sized(rest, held))
        return false;
    *table = (uint32_t)number;
    return true;
}
