#include "node/fleet_schema.h"

#include "log/tables.h"

#include <stdlib.h>
#include <string.h>

static enum status put_table(struct schema_text *text, struct store_txn *txn,
                             enum dialect to, uint32_t id, struct error *err)
{
    struct table table;
    enum status status = tables_any(txn, id, &table, err);

    return status == STATUS_OK ? schema_put(text, table.definition, to, err) : status;
}

static int by_name(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;

    return strcmp(*left, *right);
}

static enum status put_named(struct schema_text *text, struct store_txn *txn,
                             enum dialect to, const char *const *names, size_t count,
                             struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        uint32_t id = 0;

        status = tables_id(txn, names[i], &id, err);
        if (status == STATUS_NOT_FOUND)
            return error_set(err, status, "the fleet has no table %s", names[i]);
        if (status == STATUS_OK)
            status = put_table(text, txn, to, id, err);
    }
    return status;
}

enum status fleet_schema_put(struct schema_text *text, struct store_txn *txn,
                             enum dialect to, const char *const *names, size_t name_count,
                             struct error *err)
{
    uint32_t count = 0;
    const char **all;
    enum status status;

    if (name_count > 0)
        return put_named(text, txn, to, names, name_count, err);
    status = tables_count(txn, &count, err);
    if (status != STATUS_OK)
        return status;
    all = (const char **)calloc((size_t)count + 1, sizeof(char *));
    if (all == NULL)
        return error_set(err, STATUS_NO_MEMORY, "schema: out of memory");
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        status = tables_name(txn, i + 1, &all[i], err);
    if (status == STATUS_OK) {
        qsort((void *)all, count, sizeof *all, by_name);
        status = put_named(text, txn, to, all, count, err);
    }
    free((void *)all);
    return status;
}
