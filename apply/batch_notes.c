#include "apply/batch.h"

enum status batch_note_refused(struct batch *batch, uint32_t table, struct bytes key,
                               const struct version *version, bool beyond, bool absent,
                               struct error *err)
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
    return items_put(batch->items, &item, beyond, err);
}

enum status batch_note_stays(struct batch *batch, uint32_t table,
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
    return items_put(batch->items, &item, false, err);
}

enum status batch_note_gone(struct batch *batch, struct batch_table *table,
                            struct error *err)
{
    enum status status = STATUS_OK;

    for (struct batch_foreign *at = table->as_parent; at != NULL && status == STATUS_OK;
         at = at->next_of_parent)
        status = batch->ops->note_gone(batch, at, err);
    return status;
}

enum status batch_note_changing(struct batch *batch, struct batch_table *table,
                                struct error *err)
{
    enum status status = STATUS_OK;

    for (struct batch_foreign *at = table->as_parent; at != NULL && status == STATUS_OK;
         at = at->next_of_parent)
        if (at->beyond_key)
            status = batch->ops->note_gone(batch, at, err);
    return status;
}

/* ---- what the store says */

enum status batch_carry_parked(struct batch *batch, struct batch_table *table,
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
    return status == STATUS_OK ? batch->ops->carry(batch, table, shown.definition,
                                                   parked->shown, key, carried, err)
                               : status;
}

enum status batch_carry(struct batch *batch, const struct batch_row *row, bool *carried,
                        struct error *err)
{
    struct parked parked;
    struct table held;
    enum status status = STATUS_NOT_FOUND;

    *carried = false;
    if (row->holding->live) {
        status = tables_find(batch->txn, row->holding->definition_origin,
                             row->holding->definition, &held, err);
        return status == STATUS_OK
                   ? batch->ops->carry(batch, row->table, held.definition,
                                       row->holding->image, row->key, carried, err)
                   : status;
    }
    if (batch->parked > 0)
        status = parked_get(batch->txn, row->table_id, row->key, &parked, err);
    if (status == STATUS_OK)
        return batch_carry_parked(batch, row->table, &parked, row->key, carried, err);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- describing */

enum status batch_was(struct batch *batch, uint32_t table, struct bytes key, bool shown,
                      struct moved_row *out, struct error *err)
{
    enum status status = STATUS_NOT_FOUND;

    out->was = shown ? WAS_SHOWN : WAS_NOTHING;
    if (!shown)
        status = parked_get(batch->txn, table, key, &out->before, err);
    if (status == STATUS_OK)
        out->was = WAS_PARKED;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status batch_describe(struct batch *batch, struct batch_table *table,
                           struct bytes key, struct moved_row *out, struct error *err)
{
    enum intent_item_kind kind = INTENT_SHOWN;
    struct planned planned;
    struct row row;
    bool beyond = false, is_winner;
    enum status status = items_find(batch->items, table->id, key, &kind, &beyond, err);
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
    return batch_was(batch, table->id, key, planned.holding.live, out, err);
}
