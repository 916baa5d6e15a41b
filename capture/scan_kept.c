/* Columns that one node has first, then others.
 *
 * A winner from a node without a column leaves the column's value as it is here, and the
 * log says nothing of it: what is shown is this database's own affair while nobody else
 * has the column. Once another node has it too, both must show the same (promise 2). So a
 * value that was kept so, and is not the default, is logged then as this node's write: it
 * has seen the winner, so it wins over it, and on the other node over the default that
 * the column began with. Two nodes that kept different values are concurrent, and the log
 * decides as ever. What is logged has the column: nothing is logged twice. */
#include "capture/scan_table_private.h"

#include <stdlib.h>

static bool mark_shared(void *data, const struct table *other)
{
    struct scan_table *table = data;
    const struct definition *own = table->table.definition;
    uint32_t place = 0;

    for (uint32_t i = 0; i < own->column_count; i++) {
        int32_t column;

        if (own->columns[i].generated != GENERATED_NO)
            continue;
        column = definition_map_column(own, i, other->definition);
        if (column >= 0 && other->definition->columns[column].generated == GENERATED_NO)
            table->shared[place] = true;
        place++;
    }
    return true;
}

enum status scan_kept_open(struct scan_table *table, struct store_txn *txn,
                           struct error *err)
{
    table->shared = calloc(table->table.definition->stored_count, sizeof *table->shared);
    if (table->shared == NULL)
        return error_set(err, STATUS_NO_MEMORY, "scan: out of memory");
    return tables_others_visit(txn, table->table.id, mark_shared, table, err);
}

/* Add the change. */
static enum status add_kept(struct scan_table *table, struct scan_run *run,
                            struct store_txn *txn, const struct row *holding,
                            const struct row *winner, struct error *err)
{
    const struct definition *held = NULL;
    struct table written;
    bool kept = false;
    struct bytes key = buffer_view(&run->key);
    enum status status =
        tables_find(txn, winner->definition_origin, winner->definition, &written, err);

    if (status == STATUS_OK)
        status = scan_held_definition(table, txn, holding, &held, err);
    if (status == STATUS_OK) {
        status = sqlite_compare_kept(table->comparer, key, holding->image, held,
                                     written.definition, table->values, table->shared,
                                     &kept, &run->image, &run->before, err);
    }
    if (status == STATUS_OK && kept) {
        struct change change = {
            .op = CHANGE_UPDATE,
            .key = key,
            .image = buffer_view(&run->image),
            .before = buffer_view(&run->before),
        };

        status = scan_add(table, run, txn, &change, holding, err);
    }
    return status;
}

enum status scan_kept(struct scan_table *table, struct scan_run *run,
                      struct store_txn *txn, const struct row *holding, struct error *err)
{
    struct row winner;
    enum status status =
        rows_get(txn, table->table.id, buffer_view(&run->key), &winner, err);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK || !winner.live ||
        version_compare(&winner.version, &holding->version) != 0 ||
        (winner.definition_origin == holding->definition_origin &&
         winner.definition == holding->definition))
        return status;
    return add_kept(table, run, txn, holding, &winner, err);
}
