/* Each: seq varint, 0 for the winner's; index varint, unless it is; table varint; key
 * sized. */
#include "log/planned_rows.h"

void planned_rows_release(struct planned_rows *rows)
{
    buffer_release(&rows->rows);
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

void planned_rows_add(struct planned_rows *rows, const struct planned *planned)
{
    if (rows->overflow)
        return;
    if (planned->is_winner) {
        buffer_put_varint(&rows->rows, 0);
    } else {
        buffer_put_varint(&rows->rows, planned->place.seq);
        buffer_put_varint(&rows->rows, planned->place.index);
    }
    buffer_put_varint(&rows->rows, planned->table.id);
    buffer_put_sized(&rows->rows, planned->key);
    rows->overflow = rows->rows.failed || rows->rows.size > PLANNED_ROWS_BYTES;
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
                       struct place *place)
{
    uint64_t seq, index = 0, number;

    if (!bytes_take_varint(rest, &seq) ||
        (seq != 0 && !bytes_take_varint(rest, &index)) ||
        !bytes_take_varint(rest, &number) || !bytes_take_sized(rest, key))
        return false;
    *place = (struct place){seq, (uint32_t)index};
    *table = (uint32_t)number;
    return true;
}
