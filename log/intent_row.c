#include "log/intent_row.h"

static enum status put_absent(struct store_txn *txn, uint32_t table, struct bytes key,
                              const struct version *version, struct place winner,
                              struct error *err)
{
    struct row absent = {
        .version = *version,
        .winner = winner,
        .definition_origin = version->origin,
        .key = key,
    };

    return held_put(txn, table, &absent, err);
}

/* Hold a row whose views a write would move. */
static enum status hold(const struct intent_fold_txn *fold, uint32_t table,
                        struct row *row, struct error *err)
{
    enum status status;

    buffer_clear(fold->scratch);
    buffer_put_bytes(fold->scratch, row->image);
    status = buffer_check(fold->scratch, err);
    row->image = buffer_view(fold->scratch);
    return status == STATUS_OK ? held_put(fold->txn, table, row, err) : status;
}

enum status intent_row_placed(const struct intent_fold_txn *fold, uint32_t table,
                              struct bytes key, struct place place, struct error *err)
{
    struct row row;
    enum status status = plan_row_of(fold->txn, place, key, &row, err);

    return status == STATUS_OK ? hold(fold, table, &row, err) : status;
}

enum status intent_row_written(const struct intent_fold_txn *fold, uint32_t table,
                               struct bytes key, struct error *err)
{
    struct row row;
    bool is_winner;
    enum status status =
        plan_row_at(fold->txn, fold->intent->to, table, key, &row, &is_winner, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "the intent names a row that is not known");
    if (status != STATUS_OK)
        return status;
    if (is_winner)
        return held_delete(fold->txn, table, key, err);
    return hold(fold, table, &row, err);
}

enum status intent_row_freed(const struct intent_fold_txn *fold, uint32_t table,
                             struct bytes key, struct error *err)
{
    enum status status = parked_delete(fold->txn, table, key, err);

    return status == STATUS_OK ? quarantine_delete(fold->txn, table, key, err) : status;
}

/* A row that was parked before was shown before that: what was kept of it then stays. */
static enum status keep_shown(const struct intent_fold_txn *fold, uint32_t table,
                              struct parked *parked, struct error *err)
{
    struct parked before;
    enum status status = STATUS_NOT_FOUND;

    if (parked->shown.size == 0)
        status = parked_get(fold->txn, table, parked->key, &before, err);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    buffer_clear(fold->scratch);
    buffer_put_bytes(fold->scratch, before.shown);
    parked->shown = buffer_view(fold->scratch);
    parked->shown_origin = before.shown_origin;
    parked->shown_definition = before.shown_definition;
    return buffer_check(fold->scratch, err);
}

static enum status fold_parked(const struct intent_fold_txn *fold,
                               const struct intent_item *item, struct error *err)
{
    struct plan_range range = {
        .from = fold->intent->from, .to = fold->intent->to, .out = fold->intent->out};
    struct parked parked = item->parked;
    struct planned planned;
    enum status status =
        plan_find(fold->txn, range, item->table, item->key, &planned, err);
    bool is_planned = status == STATUS_OK;

    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = keep_shown(fold, item->table, &parked, err);
    if (status != STATUS_OK)
        return status;
    status = put_absent(fold->txn, item->table, item->key,
                        is_planned ? &planned.version : &planned.holding.version,
                        is_planned ? planned.place : planned.holding.winner, err);
    if (status == STATUS_OK)
        status = quarantine_delete(fold->txn, item->table, item->key, err);
    return status == STATUS_OK ? parked_put(fold->txn, item->table, &parked, err)
                               : status;
}

/* The database has this, whatever version it was: of none, as above. The row goes on with
 * the life that the log knows. */
static enum status hold_image(const struct intent_fold_txn *fold,
                              const struct intent_item *item, struct error *err)
{
    struct row row;
    enum status status = rows_get(fold->txn, item->table, item->key, &row, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "the intent names a row that is not known");
    if (status != STATUS_OK)
        return status;
    row = (struct row){
        .born = row.live ? row.born : row.version,
        .live = true,
        .definition_origin = item->definition_origin,
        .definition = item->definition,
        .image = item->image,
        .key = item->key,
    };
    return held_put(fold->txn, item->table, &row, err);
}

static enum status fold_quarantined(const struct intent_fold_txn *fold,
                                    const struct intent_item *item, struct error *err)
{
    static const struct version nothing = {0};
    enum status status = STATUS_OK;

    /* Of no version, so that a retry finds the refused one newer. */
    if (item->absent) {
        status = put_absent(fold->txn, item->table, item->key, &nothing,
                            (struct place){0, 0}, err);
    } else if (item->image.size > 0) {
        status = hold_image(fold, item, err);
    }
    if (status == STATUS_OK)
        status = parked_delete(fold->txn, item->table, item->key, err);
    return status == STATUS_OK
               ? quarantine_put(fold->txn, item->table, &item->quarantined, err)
               : status;
}

static enum status fold_kept(const struct intent_fold_txn *fold,
                             const struct intent_item *item, struct error *err)
{
    struct row row;
    bool is_winner;
    enum status status = plan_row_at(fold->txn, fold->intent->to, item->table, item->key,
                                     &row, &is_winner, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "the intent names a row that is not known");
    if (status != STATUS_OK)
        return status;
    row.definition_origin = store_identity(store_of(fold->txn))->node;
    row.definition = item->definition;
    row.image = item->image;
    status = held_put(fold->txn, item->table, &row, err);
    return status == STATUS_OK ? intent_row_freed(fold, item->table, item->key, err)
                               : status;
}

/* What is parked or quarantined has a way back of its own. */
static enum status is_excepted(struct store_txn *txn, uint32_t table, struct bytes key,
                               bool *excepted, struct error *err)
{
    struct quarantined quarantined;
    struct parked parked;
    enum status status = parked_get(txn, table, key, &parked, err);

    if (status == STATUS_NOT_FOUND)
        status = quarantine_get(txn, table, key, &quarantined, err);
    *excepted = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status intent_row_left(const struct intent_fold_txn *fold, uint32_t table,
                            struct bytes key, struct error *err)
{
    struct row held, row;
    bool is_winner, shows, excepted = false;
    enum status status = held_get(fold->txn, table, key, &held, err);

    if (status == STATUS_NOT_FOUND)
        return repair_delete(fold->txn, table, key, err);
    if (status == STATUS_OK)
        status =
            plan_row_at(fold->txn, fold->intent->to, table, key, &row, &is_winner, err);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    shows = version_compare(&held.version, &row.version) >= 0;
    if (!shows && (held.live || row.live)) {
        status = is_excepted(fold->txn, table, key, &excepted, err);
        if (status == STATUS_OK && !excepted)
            return repair_put(fold->txn, table, key, err);
        return status == STATUS_OK ? repair_delete(fold->txn, table, key, err) : status;
    }
    if (!shows && is_winner)
        status = held_delete(fold->txn, table, key, err);
    else if (!shows)
        status = put_absent(fold->txn, table, key, &row.version, row.winner, err);
    if (status == STATUS_OK && !shows)
        status = intent_row_freed(fold, table, key, err);
    return status == STATUS_OK ? repair_delete(fold->txn, table, key, err) : status;
}

enum status intent_row_item(const struct intent_fold_txn *fold,
                            const struct intent_item *item, struct error *err)
{
    enum status status;

    switch (item->kind) {
    case INTENT_PARKED:
        return fold_parked(fold, item, err);
    case INTENT_QUARANTINED:
        return fold_quarantined(fold, item, err);
    case INTENT_KEPT:
        return fold_kept(fold, item, err);
    case INTENT_REPAIRED:
        return intent_row_left(fold, item->table, item->key, err);
    case INTENT_SAME:
        return STATUS_OK;
    case INTENT_SHOWN:
        break;
    }
    status = intent_row_written(fold, item->table, item->key, err);
    return status == STATUS_OK ? intent_row_freed(fold, item->table, item->key, err)
                               : status;
}
