#include "log/plan_row.h"

void plan_row_of_change(const struct log_change *from, bool local, struct row *out)
{
    const struct change *change = &from->change;
    bool live = change->op != CHANGE_DELETE;

    *out = (struct row){
        .version = from->version,
        .winner = {from->seq, from->index},
        .live = live,
        .local = local,
        .definition_origin = from->version.origin,
        .definition = change->definition,
        .image = change->image,
        .key = change->key,
    };
    if (live)
        out->born = change->has_born ? change->born : from->version;
}

enum status plan_walk_back(struct store_txn *txn, uint64_t to, struct place at,
                           struct row *out, struct error *err)
{
    while (at.seq != 0) {
        struct log_change change;
        enum status status = log_change_at(txn, at, &change, err);

        if (status == STATUS_NOT_FOUND) {
            return error_set(err, STATUS_CORRUPT,
                             "entry %llu: a row's history ends in nothing",
                             (unsigned long long)at.seq);
        }
        if (status != STATUS_OK)
            return status;
        if (change.won && (at.seq <= to || change.local)) {
            plan_row_of_change(&change, change.local, out);
            return STATUS_OK;
        }
        at = change.previous;
    }
    return STATUS_NOT_FOUND;
}

enum status plan_row_at_position(struct store_txn *txn, uint64_t to, struct row *row,
                                 bool *is_winner, struct error *err)
{
    struct bytes key = row->key;
    enum status status = STATUS_OK;

    *is_winner = row->local || row->winner.seq <= to;
    if (!*is_winner)
        status = plan_walk_back(txn, to, row->last, row, err);
    row->key = key;
    return status;
}

enum status plan_row_at(struct store_txn *txn, uint64_t to, uint32_t table,
                        struct bytes key, struct row *out, bool *is_winner,
                        struct error *err)
{
    enum status status = rows_get(txn, table, key, out, err);

    return status == STATUS_OK ? plan_row_at_position(txn, to, out, is_winner, err)
                               : status;
}

enum status plan_holding_of(struct store_txn *txn, uint32_t table,
                            const struct row *winner, struct planned *out,
                            struct error *err)
{
    enum status status = held_get(txn, table, winner->key, &out->holding, err);

    out->holding_from_held = status == STATUS_OK;
    if (status != STATUS_NOT_FOUND)
        return status;
    out->holding = *winner;
    return STATUS_OK;
}

void plan_take_row(struct planned *out, const struct row *row)
{
    out->place = row->winner;
    out->definition_origin = row->definition_origin;
    out->definition = row->definition;
    out->version = row->version;
    out->born = row->born;
    out->live = row->live;
    out->image = row->image;
}

enum status plan_find(struct store_txn *txn, struct plan_range range, uint32_t table,
                      struct bytes key, struct planned *out, struct error *err)
{
    struct row row;
    enum status status = rows_get(txn, table, key, &row, err);

    *out = (struct planned){.table.id = table, .key = key, .holding.key = key};
    if (status == STATUS_OK)
        status = plan_holding_of(txn, table, &row, out, err);
    if (status == STATUS_OK)
        status = plan_row_at_position(txn, range.to, &row, &out->is_winner, err);
    if (status != STATUS_OK)
        return status;
    if (row.local || row.winner.seq <= range.from || plan_out_has(range.out, table) ||
        version_compare(&row.version, &out->holding.version) <= 0)
        return STATUS_NOT_FOUND;
    plan_take_row(out, &row);
    return tables_find(txn, row.definition_origin, row.definition, &out->table, err);
}

enum status plan_row_of(struct store_txn *txn, struct place place, struct bytes key,
                        struct row *out, struct error *err)
{
    struct log_change change;
    enum status status = log_change_at(txn, place, &change, err);

    if (status != STATUS_OK)
        return status;
    plan_row_of_change(&change, change.local, out);
    out->key = key;
    return STATUS_OK;
}
