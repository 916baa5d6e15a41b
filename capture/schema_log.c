#include "capture/schema_log.h"

#include <string.h>

/* This node's newest definition of the table. NOT_FOUND is a plain answer. */
static enum status find_logged(struct store_txn *txn, const char *name, struct table *out,
                               struct error *err)
{
    uint32_t id = 0;
    enum status status = tables_id(txn, name, &id, err);

    if (status == STATUS_OK)
        status = tables_newest(txn, store_identity(store_of(txn))->node, id, out, err);
    return status;
}

/* How many columns there were when those behind them were added, each at the end; 0:
 * something else was done to them. */
static uint32_t count_old(const struct definition *definition,
                          const struct definition *logged)
{
    if (logged->column_count > definition->column_count)
        return 0;
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];
        const struct column *old = &logged->columns[i];

        if (i >= logged->column_count ? column->key_position != 0
                                      : column->key_position != old->key_position ||
                                            column->generated != old->generated ||
                                            strcmp(column->name, old->name) != 0)
            return 0;
    }
    return logged->column_count;
}

enum status schema_log_put(struct catalog *catalog, uint32_t *old_columns,
                           struct appender *appender, struct error *err)
{
    struct store_txn *txn;
    uint32_t highest = 0;
    enum status status = appender_txn(appender, &txn, err);

    if (status == STATUS_OK)
        status = tables_highest(txn, store_identity(store_of(txn))->node, &highest, err);
    for (size_t i = 0; i < catalog->count && status == STATUS_OK; i++) {
        struct definition *definition = catalog->definitions[i];
        struct table logged;

        status = appender_txn(appender, &txn, err);
        if (status == STATUS_OK)
            status = find_logged(txn, definition->name, &logged, err);
        old_columns[i] =
            status == STATUS_OK ? count_old(definition, logged.definition) : 0;
        if (status == STATUS_OK && definition_equal(definition, logged.definition)) {
            definition->number = logged.definition->number;
            continue;
        }
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            break;
        definition->number = ++highest;
        status = appender_add_definition(appender, definition, err);
    }
    return status;
}

enum status schema_log_add(struct definition *definition, struct appender *appender,
                           struct error *err)
{
    struct store_txn *txn;
    uint32_t highest = 0;
    enum status status = appender_txn(appender, &txn, err);

    if (status == STATUS_OK)
        status = tables_highest(txn, store_identity(store_of(txn))->node, &highest, err);
    definition->number = highest + 1;
    return status == STATUS_OK ? appender_add_definition(appender, definition, err)
                               : status;
}

enum status schema_log_find(struct store_txn *txn, const struct definition *definition,
                            struct table *out, struct error *err)
{
    return tables_find(txn, store_identity(store_of(txn))->node, definition->number, out,
                       err);
}
