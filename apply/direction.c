#include "apply/direction.h"

#include <assert.h>

/* Whether --tables leaves out a table that is not here. */
static enum status is_left_out(const struct batch_schema *schema, struct store_txn *txn,
                               uint32_t id, bool *left_out, struct error *err)
{
    const char *name = NULL;
    bool wanted = true;
    enum status status = tables_name(txn, id, &name, err);

    if (status == STATUS_OK && name != NULL)
        status = table_rules_wants(schema->rules, table_names_here(schema->rules, name),
                                   &wanted, err);
    *left_out = !wanted;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status direction_out(const struct batch_schema *schema, struct store_txn *txn,
                          struct buffer *out, struct error *err)
{
    struct bytes before = {0};
    enum status status = meta_get_bytes(txn, META_OUT, &before, err);

    for (uint32_t id = 1; id < schema->id_count && status == STATUS_OK; id++) {
        const struct batch_table *table = schema->by_id[id];
        bool takes_nothing;

        if (table != NULL)
            takes_nothing = table->direction == TABLE_OUT;
        else
            takes_nothing = plan_out_has(before, id);
        if (table == NULL && !takes_nothing)
            status = is_left_out(schema, txn, id, &takes_nothing, err);
        if (takes_nothing)
            plan_out_put(out, id);
    }
    return status == STATUS_OK ? buffer_check(out, err) : status;
}

static enum status bring_table(struct batch *batch, uint32_t id, struct error *err)
{
    struct row_cursor *cursor = NULL;
    enum status status = row_cursor_open(&cursor, batch->txn, id, true, err);

    while (status == STATUS_OK) {
        struct row held;

        status = row_cursor_next(cursor, &held, err);
        if (status == STATUS_OK)
            status = batch_try(batch, id, held.key, true, err);
    }
    row_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status direction_bring(struct batch *batch, struct error *err)
{
    struct bytes before = {0};
    uint64_t id;
    enum status status = meta_get_bytes(batch->txn, META_OUT, &before, err);

    while (status == STATUS_OK && bytes_take(&before, 4, &id))
        if (!plan_out_has(batch->range.out, (uint32_t)id))
            status = bring_table(batch, (uint32_t)id, err);
    return status;
}

enum status direction_remember(struct store *store, uint64_t rules, struct bytes out,
                               struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = meta_put(txn, META_SCHEMA_VERSION, rules, err);
    if (status == STATUS_OK)
        status = meta_put_bytes(txn, META_OUT, out, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}
