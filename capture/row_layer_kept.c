/* Columns that one node has first, then others.
 *
 * A winner from a node without a column leaves the column's value as it is here, and the
 * log says nothing of it: what is shown is this database's own affair while nobody else
 * has the column. Once another node has it too, both must show the same (promise 2). So a
 * value that was kept so, and is not the default, is logged then as this node's write: it
 * has seen the winner, so it wins over it, and on the other node over the default that
 * the column began with. But nobody made that write just now: its time is the next after
 * the last that is known here, so that it wins over what it stands on, and over nothing
 * that was written since. Two nodes that kept different values are concurrent, and the
 * log decides as ever. What is logged has the column: nothing is logged twice. */
#include "capture/row_layer_private.h"

#include <stdlib.h>

static bool mark_shared(void *data, const struct table *other)
{
    struct row_layer *layer = data;
    const struct definition *own = layer->table.definition;
    uint32_t place = 0;

    for (uint32_t i = 0; i < own->column_count; i++) {
        int32_t column;

        if (own->columns[i].generated != GENERATED_NO)
            continue;
        column = definition_map_column(own, i, other->definition);
        if (column >= 0 && other->definition->columns[column].generated == GENERATED_NO)
            layer->shared[place] = true;
        place++;
    }
    return true;
}

enum status row_layer_find_shared(struct row_layer *layer, struct store_txn *txn,
                                  struct error *err)
{
    layer->shared = calloc(layer->table.definition->stored_count, sizeof *layer->shared);
    if (layer->shared == NULL)
        return error_set(err, STATUS_NO_MEMORY, "capture: out of memory");
    return tables_others_visit(txn, layer->table.id, mark_shared, layer, err);
}

/* ---- rows */

/* Rows that are looked at in one snapshot, and keys of so many bytes. */
enum { WALK_ROWS = 4096, WALK_BYTES = 1 << 20 };

/* Whether a held row can have what its winner lacks: it is that winner, as this database
 * holds it. */
static enum status is_candidate(struct row_layer *layer, struct store_txn *txn,
                                const struct row *held, bool *yes, struct error *err)
{
    struct row winner;
    enum status status = rows_get(txn, layer->table.id, held->key, &winner, err);

    *yes = status == STATUS_OK && held->live && winner.live &&
           version_compare(&winner.version, &held->version) == 0 &&
           (winner.definition_origin != held->definition_origin ||
            winner.definition != held->definition);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Copy the keys of some candidates into run->gone, from run->after on. No change is added
 * meanwhile: that would end the transaction under the cursor. */
static enum status find_some(struct row_layer *layer, struct layer_run *run, bool *ended,
                             struct error *err)
{
    struct row_cursor *cursor = NULL;
    struct store_txn *txn;
    struct row held = {0};
    bool candidate;
    enum status status = appender_txn(run->appender, &txn, err);

    if (status == STATUS_OK)
        status = row_cursor_open(&cursor, txn, layer->table.id, true, err);
    if (status == STATUS_OK && run->after.size > 0)
        status = row_cursor_seek_after(cursor, buffer_view(&run->after), err);
    for (int i = 0; status == STATUS_OK && i < WALK_ROWS && run->gone.size < WALK_BYTES;
         i++) {
        status = row_cursor_next(cursor, &held, err);
        if (status == STATUS_OK)
            status = is_candidate(layer, txn, &held, &candidate, err);
        if (status == STATUS_OK && candidate)
            buffer_put_sized(&run->gone, held.key);
    }
    row_cursor_close(cursor);
    *ended = status == STATUS_NOT_FOUND;
    if (*ended)
        return buffer_check(&run->gone, err);
    buffer_clear(&run->after);
    buffer_put_bytes(&run->after, held.key);
    if (status == STATUS_OK)
        status = buffer_check(&run->after, err);
    return status == STATUS_OK ? buffer_check(&run->gone, err) : status;
}

/* The row as it is held, in the own definition's columns. NOT_FOUND, a plain answer: not
 * all of it is known. */
static enum status take_held(struct row_layer *layer, struct bytes key,
                             const struct row *holding, const struct definition *held,
                             struct error *err)
{
    for (uint32_t i = 0; i < layer->table.definition->stored_count; i++)
        layer->values[i] = (struct value){.type = VALUE_ABSENT};
    return row_compare_fill(layer->comparer, key, holding->image, held, layer->values,
                            err);
}

static enum status add_kept(struct row_layer *layer, struct layer_run *run,
                            struct bytes key, struct error *err)
{
    const struct definition *held = NULL;
    struct store_txn *txn;
    struct row holding, winner;
    struct table written;
    bool from_held, kept = false;
    enum status status = appender_txn(run->appender, &txn, err);

    if (status == STATUS_OK)
        status = rows_get(txn, layer->table.id, key, &winner, err);
    if (status == STATUS_OK)
        status =
            tables_find(txn, winner.definition_origin, winner.definition, &written, err);
    if (status == STATUS_OK)
        status = rows_holding(txn, layer->table.id, key, &holding, &from_held, err);
    if (status == STATUS_OK)
        status = row_layer_held_definition(layer, txn, &holding, &held, err);
    if (status == STATUS_OK)
        status = take_held(layer, key, &holding, held, err);
    if (status == STATUS_OK) {
        status = row_compare_kept(layer->comparer, key, holding.image, held,
                                  written.definition, layer->values, layer->shared, &kept,
                                  &run->image, &run->before, err);
    }
    if (status == STATUS_OK && kept) {
        struct change change = {
            .op = CHANGE_UPDATE,
            .key = key,
            .image = buffer_view(&run->image),
            .before = buffer_view(&run->before),
        };

        status = row_layer_add(layer, run, txn, &change, &holding, err);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status row_layer_kept(struct row_layer *layer, struct layer_run *run,
                           struct error *err)
{
    enum status status = STATUS_OK;
    bool ended = false;

    buffer_clear(&run->after);
    while (status == STATUS_OK && !ended) {
        struct bytes keys, key;

        status = find_some(layer, run, &ended, err);
        keys = buffer_view(&run->gone);
        while (status == STATUS_OK && bytes_take_sized(&keys, &key))
            status = add_kept(layer, run, key, err);
        buffer_clear(&run->gone);
    }
    return status == STATUS_OK ? status
                               : error_wrap(err, status, layer->table.definition->name);
}
