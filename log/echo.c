#include "log/echo.h"

#include "log/intent_row.h"

/* The row's largest foreign change of the batch that won: mostly its winner, which the
 * row says without a look into the log. */
static enum status find_written(struct store_txn *txn, const struct intent *intent,
                                const struct row *winner, struct place *at,
                                struct error *err)
{
    *at = winner->last;
    if (!winner->local && winner->winner.seq > intent->from &&
        winner->winner.seq <= intent->to) {
        *at = winner->winner;
        return STATUS_OK;
    }
    while (at->seq > intent->from) {
        struct log_change change;
        enum status status = log_change_at(txn, *at, &change, err);

        if (status == STATUS_NOT_FOUND) {
            return error_set(err, STATUS_CORRUPT,
                             "entry %llu: a row's history ends in nothing",
                             (unsigned long long)at->seq);
        }
        if (status != STATUS_OK || (change.won && !change.local && at->seq <= intent->to))
            return status;
        *at = change.previous;
    }
    return STATUS_NOT_FOUND;
}

enum status echo_find(struct store_txn *txn, const struct intent *intent, uint32_t table,
                      struct bytes key, struct echo_row *out, struct error *err)
{
    struct intent_item item;
    struct row winner;
    struct place at;
    enum status status = intent_item_find(txn, table, key, &item, err);

    *out = (struct echo_row){.table = table};
    if (status == STATUS_OK && item.kind != INTENT_REPAIRED) {
        out->settled = true;
        return STATUS_OK;
    }
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    at = status == STATUS_OK ? item.place : (struct place){0, 0};
    status = rows_get(txn, table, key, &winner, err);
    if (status == STATUS_OK && at.seq == 0)
        status = find_written(txn, intent, &winner, &at, err);
    if (status != STATUS_OK)
        return status;
    out->is_winner = winner.winner.seq == at.seq && winner.winner.index == at.index;
    out->row = winner;
    return out->is_winner ? STATUS_OK : plan_row_of(txn, at, key, &out->row, err);
}

/* Whether the fold would pass over a row that has to be written again. */
static enum status needs_repair(struct store_txn *txn, const struct intent *intent,
                                const struct echo_row *row, bool *needs,
                                struct error *err)
{
    uint64_t seq = 0;
    bool local = false;
    enum status status = rows_winner(txn, row->table, row->row.key, &seq, &local, err);

    *needs = status == STATUS_OK && !row->is_winner && (local || seq <= intent->to);
    return status;
}

enum status echo_hold(struct store_txn *txn, const struct intent *intent,
                      const struct echo_row *row, struct bytes image, uint32_t definition,
                      struct buffer *scratch, struct error *err)
{
    struct intent_fold_txn fold = {txn, intent, scratch};
    struct row held = row->row;
    bool needs = false;
    enum status status = needs_repair(txn, intent, row, &needs, err);

    buffer_clear(scratch);
    buffer_put_sized(scratch, held.key);
    buffer_put_bytes(scratch, image.size > 0 ? image : held.image);
    if (status == STATUS_OK)
        status = buffer_check(scratch, err);
    if (status != STATUS_OK)
        return status;
    held.image = buffer_view(scratch);
    (void)bytes_take_sized(&held.image, &held.key);
    if (image.size > 0) {
        held.definition_origin = store_identity(store_of(txn))->node;
        held.definition = definition;
    }
    if (row->is_winner && image.size == 0)
        status = held_delete(txn, row->table, held.key, err);
    else
        status = held_put(txn, row->table, &held, err);
    if (status == STATUS_OK)
        status = needs ? repair_put(txn, row->table, held.key, err)
                       : repair_delete(txn, row->table, held.key, err);
    return status == STATUS_OK ? intent_row_freed(&fold, row->table, held.key, err)
                               : status;
}

enum status echo_gone(struct store_txn *txn, const struct echo_row *row,
                      struct error *err)
{
    struct row absent = {.key = row->row.key};

    return held_put(txn, row->table, &absent, err);
}
