#include "capture/row_layer_private.h"

#include <assert.h>
#include <stdlib.h>

void layer_run_release(struct layer_run *run)
{
    buffer_release(&run->key);
    buffer_release(&run->image);
    buffer_release(&run->before);
    buffer_release(&run->gone);
    buffer_release(&run->after);
}

enum status row_layer_open(struct row_layer **out, struct row_comparer *comparer,
                           struct store_txn *txn, const struct table *table,
                           struct error *err)
{
    struct row_layer *layer = calloc(1, sizeof *layer);
    enum status status;

    *out = NULL;
    if (layer == NULL) {
        row_comparer_close(comparer);
        return error_set(err, STATUS_NO_MEMORY, "capture: out of memory");
    }
    layer->table = *table;
    layer->comparer = comparer;
    layer->values = calloc(table->definition->stored_count, sizeof *layer->values);
    if (layer->values == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "capture: out of memory");
    else
        status = row_layer_find_shared(layer, txn, err);
    if (status != STATUS_OK) {
        row_layer_close(layer);
        return status;
    }
    *out = layer;
    return STATUS_OK;
}

void row_layer_close(struct row_layer *layer)
{
    if (layer == NULL)
        return;
    row_comparer_close(layer->comparer);
    free(layer->shared);
    free(layer->values);
    free(layer);
}

/* ---- what the database holds, as the store says */

/* The definition of a holding's image; of rows in a row it is mostly the same. */
enum status row_layer_held_definition(struct row_layer *layer, struct store_txn *txn,
                                      const struct row *holding,
                                      const struct definition **out, struct error *err)
{
    struct table found;
    enum status status;

    if (layer->held_definition == NULL ||
        layer->held_origin != holding->definition_origin ||
        layer->held_number != holding->definition) {
        status = tables_find(txn, holding->definition_origin, holding->definition, &found,
                             err);
        if (status != STATUS_OK)
            return status;
        layer->held_definition = found.definition;
        layer->held_origin = holding->definition_origin;
        layer->held_number = holding->definition;
    }
    *out = layer->held_definition;
    return STATUS_OK;
}

/* Whether the database has been given the row's winner and does not show it: parked,
 * quarantined, or of a table that takes nothing. */
static enum status is_hidden(struct store_txn *txn, uint32_t table, struct bytes key,
                             bool *hidden, struct error *err)
{
    struct parked parked;
    struct quarantined quarantined;
    struct row winner, held;
    enum status status = parked_get(txn, table, key, &parked, err);

    if (status == STATUS_NOT_FOUND)
        status = quarantine_get(txn, table, key, &quarantined, err);
    *hidden = status == STATUS_OK;
    if (status != STATUS_NOT_FOUND)
        return status;
    status = held_get(txn, table, key, &held, err);
    if (status == STATUS_OK)
        status = rows_get(txn, table, key, &winner, err);
    *hidden = status == STATUS_OK && version_compare(&held.version, &winner.version) < 0;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* A write over a row whose winner the database does not show has not seen that winner,
 * whatever the entry's context says of its origin. One that the database has not been
 * given yet is beyond the context anyway. */
static enum status find_unseen(struct layer_run *run, struct store_txn *txn,
                               uint32_t table, struct bytes key, struct change *change,
                               struct error *err)
{
    struct row winner;
    bool hidden = false;
    enum status status = is_hidden(txn, table, key, &hidden, err);

    if (status != STATUS_OK || !hidden)
        return status;
    status = rows_get(txn, table, key, &winner, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK && (winner.local || winner.winner.seq <= run->applied)) {
        change->has_unseen = true;
        change->unseen_origin = winner.version.origin;
        change->unseen_seq = winner.version.origin_seq;
    }
    return status;
}

enum status row_layer_holding(struct row_layer *layer, struct layer_run *run,
                              struct bytes key, struct store_txn **txn, struct row *out,
                              struct error *err)
{
    bool from_held = false;
    enum status status = appender_txn(run->appender, txn, err);

    if (status == STATUS_OK && run->pending != NULL) {
        status = pending_get(run->pending, layer->table.id, key, out, err);
        if (status != STATUS_NOT_FOUND)
            return status;
        status = STATUS_OK;
    }
    if (status == STATUS_OK)
        status = rows_holding(*txn, layer->table.id, key, out, &from_held, err);
    return status;
}

enum status row_layer_add(struct row_layer *layer, struct layer_run *run,
                          struct store_txn *txn, struct change *change,
                          const struct row *holding, struct error *err)
{
    enum status status = find_unseen(run, txn, layer->table.id, change->key, change, err);

    if (status != STATUS_OK)
        return status;
    change->definition = layer->table.definition->number;
    /* A row that this very entry made has no version yet to be born of. */
    if (holding->live && holding->born.origin_seq != 0) {
        change->has_born = true;
        change->born = holding->born;
    }
    if (change->op == CHANGE_UPDATE && !change->has_born) {
        change->op = CHANGE_INSERT;
        change->before = (struct bytes){NULL, 0};
    }
    status = appender_add_change(run->appender, change, err);
    if (status == STATUS_OK && run->pending != NULL)
        status = pending_put(run->pending, &layer->table, change, err);
    return status;
}

enum status row_layer_add_delete(struct row_layer *layer, struct layer_run *run,
                                 struct store_txn *txn, struct bytes key,
                                 const struct row *holding, struct error *err)
{
    struct change change = {.op = CHANGE_DELETE, .key = key};
    const struct definition *definition = NULL;
    enum status status = row_layer_held_definition(layer, txn, holding, &definition, err);

    assert(holding->live);
    if (status == STATUS_OK)
        status = row_compare_gone(layer->comparer, key, holding->image, definition,
                                  &run->before, err);
    change.before = buffer_view(&run->before);
    if (status == STATUS_OK)
        status = row_layer_add(layer, run, txn, &change, holding, err);
    return status;
}

/* Whether the source did not tell all of the row. */
static bool is_partial(const struct row_layer *layer)
{
    for (uint32_t i = 0; i < layer->table.definition->stored_count; i++)
        if (layer->values[i].type == VALUE_ABSENT)
            return true;
    return false;
}

static enum status fill_row(struct row_layer *layer, struct bytes key, struct bytes image,
                            const struct definition *definition, struct error *err)
{
    if (!is_partial(layer))
        return STATUS_OK;
    return row_compare_fill(layer->comparer, key, image, definition, layer->values, err);
}

/* Compare the row in layer->values with its holding, both of the key in run->key. */
static enum status compare_with(struct row_layer *layer, struct layer_run *run,
                                struct store_txn *txn, const struct row *holding,
                                struct error *err)
{
    const struct definition *definition = NULL;
    struct bytes key = buffer_view(&run->key);
    struct bytes image = holding->live ? holding->image : (struct bytes){NULL, 0};
    bool changed = false;
    enum status status = STATUS_OK;

    if (holding->live)
        status = row_layer_held_definition(layer, txn, holding, &definition, err);
    if (status == STATUS_OK && holding->live)
        status = fill_row(layer, key, image, definition, err);
    if (status == STATUS_OK) {
        status = row_compare_held(layer->comparer, key, image, definition, layer->values,
                                  &changed, &run->image, &run->before, err);
    }
    if (status == STATUS_OK && changed) {
        struct change change = {
            .op = holding->live ? CHANGE_UPDATE : CHANGE_INSERT,
            .key = key,
            .image = buffer_view(&run->image),
            .before = buffer_view(&run->before),
        };

        if (run->yields)
            status = row_layer_yield(layer, txn, &change, &changed, err);
        if (status == STATUS_OK && changed)
            status = row_layer_add(layer, run, txn, &change, holding, err);
    }
    return status;
}

static enum status put_key(struct row_layer *layer, struct layer_run *run,
                           struct error *err)
{
    enum status status;

    buffer_clear(&run->key);
    status = image_key(&run->key, layer->values, layer->table.definition, err);
    return status == STATUS_OK ? buffer_check(&run->key, err) : status;
}

/* Find the holding of the row in layer->values; its key is left in run->key. */
static enum status find_holding(struct row_layer *layer, struct layer_run *run,
                                struct store_txn **txn, struct row *holding,
                                struct error *err)
{
    enum status status = put_key(layer, run, err);

    return status == STATUS_OK
               ? row_layer_holding(layer, run, buffer_view(&run->key), txn, holding, err)
               : status;
}

const struct definition *row_layer_definition(const struct row_layer *layer)
{
    return layer->table.definition;
}

struct value *row_layer_values(struct row_layer *layer)
{
    return layer->values;
}

enum status row_layer_begin(struct row_layer *layer, uint32_t place, struct error *err)
{
    enum status status = STATUS_OK;

    for (; status == STATUS_OK && place < layer->table.definition->stored_count; place++)
        status = row_compare_default(layer->comparer, place, &layer->values[place], err);
    return status;
}

enum status row_layer_put(struct row_layer *layer, struct layer_run *run, bool *held,
                          struct error *err)
{
    struct store_txn *txn;
    struct row holding;
    enum status status = find_holding(layer, run, &txn, &holding, err);

    if (status != STATUS_OK)
        return status;
    *held = holding.live;
    if (!holding.live && is_partial(layer))
        return STATUS_NOT_FOUND;
    return compare_with(layer, run, txn, &holding, err);
}

enum status row_layer_fill(struct row_layer *layer, struct layer_run *run,
                           struct bytes key, struct error *err)
{
    const struct definition *definition = NULL;
    struct store_txn *txn;
    struct row holding;
    enum status status = row_layer_holding(layer, run, key, &txn, &holding, err);

    if (status == STATUS_OK && !holding.live)
        return STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = row_layer_held_definition(layer, txn, &holding, &definition, err);
    return status == STATUS_OK ? fill_row(layer, key, holding.image, definition, err)
                               : status;
}

enum status row_layer_delete(struct row_layer *layer, struct layer_run *run,
                             struct error *err)
{
    struct store_txn *txn;
    struct row holding;
    enum status status = find_holding(layer, run, &txn, &holding, err);

    if (status == STATUS_OK && holding.live)
        status =
            row_layer_add_delete(layer, run, txn, buffer_view(&run->key), &holding, err);
    return status;
}
