/* Which tables a batch has to itself, where constraints are to be decided. */
#include "apply/postgres_batch.h"

#include <stdlib.h>

/* Shorter than deadlock_timeout's default: who waits for us is not the one to be ended.
 */
static const char lock_timeout_sql[] = "SET LOCAL lock_timeout = '900ms'";

struct wanted {
    const struct postgres_schema *schema;
    bool *components; /* by component */
};

static void want(const struct wanted *wanted, uint32_t table)
{
    const struct postgres_table *own = postgres_schema_find(wanted->schema, table);

    if (own != NULL)
        wanted->components[own->component] = true;
}

static bool want_parked(void *data, uint32_t table, const struct parked *parked)
{
    (void)parked;
    want(data, table);
    return true;
}

static bool want_quarantined(void *data, uint32_t table, const struct quarantined *row)
{
    (void)row;
    want(data, table);
    return true;
}

static bool want_repaired(void *data, uint32_t table, struct bytes key)
{
    (void)key;
    want(data, table);
    return true;
}

static enum status want_planned(struct postgres_batch *batch, const struct wanted *wanted,
                                struct error *err)
{
    struct plan_cursor *cursor = NULL;
    struct planned planned;
    enum status status = plan_open(&cursor, batch->base.txn, batch->base.range, err);

    while (status == STATUS_OK) {
        status = plan_next(cursor, &planned, err);
        if (status == STATUS_OK)
            want(wanted, planned.table.id);
    }
    plan_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status run_lock(struct postgres_batch *batch, const struct wanted *wanted,
                            struct error *err)
{
    const struct postgres_schema *schema = batch->schema;
    struct buffer sql = {0};
    bool any = false;
    enum status status = postgres_execute(batch->postgres, lock_timeout_sql, err);

    buffer_put_bytes(&sql, bytes_of_text("LOCK TABLE "));
    for (size_t i = 0; i < schema->base.count; i++) {
        if (!wanted->components[schema->tables[i].component])
            continue;
        buffer_put_bytes(&sql, bytes_of_text(any ? ", " : ""));
        buffer_put_bytes(&sql,
                         bytes_of_text(schema->tables[i].base.definition->local_name));
        any = true;
    }
    buffer_put_bytes(&sql, bytes_of_text(" IN EXCLUSIVE MODE"));
    buffer_put(&sql, 0, 1);
    if (status == STATUS_OK)
        status = buffer_check(&sql, err);
    if (status == STATUS_OK && any)
        status = postgres_execute(batch->postgres, (const char *)sql.data, err);
    buffer_release(&sql);
    return status;
}

enum status postgres_lock_tables(struct postgres_batch *batch, struct error *err)
{
    struct wanted wanted = {
        .schema = batch->schema,
        .components = calloc(batch->schema->base.count + 1, sizeof(bool)),
    };
    enum status status = STATUS_OK;

    if (wanted.components == NULL)
        return error_set(err, STATUS_NO_MEMORY, "lock tables: out of memory");
    status = want_planned(batch, &wanted, err);
    if (status == STATUS_OK)
        status = parked_visit(batch->base.txn, 0, want_parked, &wanted, err);
    if (status == STATUS_OK)
        status = quarantine_visit(batch->base.txn, 0, want_quarantined, &wanted, err);
    if (status == STATUS_OK)
        status = repair_visit(batch->base.txn, want_repaired, &wanted, err);
    if (status == STATUS_OK)
        status = run_lock(batch, &wanted, err);
    free(wanted.components);
    return status;
}

enum status postgres_lock_all(struct postgres_batch *batch, struct error *err)
{
    size_t count = batch->schema->base.count + 1;
    struct wanted wanted = {.schema = batch->schema,
                            .components = calloc(count, sizeof(bool))};
    enum status status;

    if (wanted.components == NULL)
        return error_set(err, STATUS_NO_MEMORY, "lock tables: out of memory");
    for (size_t i = 0; i < count; i++)
        wanted.components[i] = true;
    status = run_lock(batch, &wanted, err);
    free(wanted.components);
    return status;
}
