/* Which tables a batch has to itself, where constraints are to be decided. */
#include "apply/postgres_held.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shorter than deadlock_timeout's default: who waits for us is not the one to be ended.
 */
enum { LOCK_WAIT_MS = 900 };

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

/* Nobody may write into a table that was not locked. */
static void leave(struct postgres_batch *batch, size_t component)
{
    const struct postgres_schema *schema = batch->schema;

    for (size_t i = 0; i < schema->base.count; i++) {
        if (schema->tables[i].component == component)
            schema->tables[i].base.left = true;
    }
    batch->left++;
}

/* Lock one component, waiting for wait_ms, 0: not at all. */
static enum status lock_component(struct postgres_batch *batch, bool *components,
                                  size_t component, unsigned wait_ms, bool *held,
                                  struct error *err)
{
    struct buffer sql = {0}, lock = {0};
    char timeout[64];
    enum status status;

    memset(components, 0, batch->schema->base.count * sizeof *components);
    components[component] = true;
    (void)postgres_held_put_lock(&lock, batch->schema, components,
                                 wait_ms == 0 ? "EXCLUSIVE MODE NOWAIT"
                                              : "EXCLUSIVE MODE");
    (void)snprintf(timeout, sizeof timeout, "SET LOCAL lock_timeout = '%ums'; ", wait_ms);
    buffer_put_bytes(&sql, bytes_of_text(wait_ms == 0 ? "" : timeout));
    buffer_put_bytes(&sql, buffer_view(&lock));
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = postgres_held_try(batch, (const char *)sql.data, held, err);
    buffer_release(&lock);
    buffer_release(&sql);
    return status;
}

/* Somebody holds some of them. First what is free, then those that are not, with shorter
 * and shorter waits, as each of them stops writers behind it. components, missing: room
 * for one of each table. */
static enum status lock_each(struct postgres_batch *batch, const struct wanted *wanted,
                             bool *components, bool *missing, struct error *err)
{
    size_t count = batch->schema->base.count;
    unsigned wait_ms = LOCK_WAIT_MS;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        if (wanted->components[i])
            status = lock_component(batch, components, i, 0, &missing[i], err);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        if (!missing[i])
            continue;
        status = lock_component(batch, components, i, wait_ms, &missing[i], err);
        if (missing[i])
            leave(batch, i);
        wait_ms /= 2;
    }
    return status;
}

static enum status lock_apart(struct postgres_batch *batch, const struct wanted *wanted,
                              struct error *err)
{
    size_t count = batch->schema->base.count + 1;
    bool *components = calloc(count, sizeof *components);
    bool *missing = calloc(count, sizeof *missing);
    enum status status;

    if (components == NULL || missing == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "lock tables: out of memory");
    else
        status = lock_each(batch, wanted, components, missing, err);
    free(components);
    free(missing);
    return status;
}

static enum status run_lock(struct postgres_batch *batch, const struct wanted *wanted,
                            struct error *err)
{
    struct buffer sql = {0};
    bool held = false;
    enum status status = STATUS_OK;

    if (postgres_held_put_lock(&sql, batch->schema, wanted->components,
                               "EXCLUSIVE MODE NOWAIT")) {
        status = buffer_check(&sql, err);
        if (status == STATUS_OK)
            status = postgres_held_try(batch, (const char *)sql.data, &held, err);
    }
    buffer_release(&sql);
    return status == STATUS_OK && held ? lock_apart(batch, wanted, err) : status;
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
    bool *components = malloc(count * sizeof *components);
    struct buffer sql = {0};
    char timeout[64];
    enum status status = STATUS_OK;

    if (components == NULL)
        return error_set(err, STATUS_NO_MEMORY, "lock tables: out of memory");
    for (size_t i = 0; i < count; i++)
        components[i] = true;
    (void)snprintf(timeout, sizeof timeout, "SET LOCAL lock_timeout = '%dms'",
                   LOCK_WAIT_MS);
    if (postgres_held_put_lock(&sql, batch->schema, components, "EXCLUSIVE MODE")) {
        status = buffer_check(&sql, err);
        if (status == STATUS_OK)
            status = postgres_execute(batch->postgres, timeout, err);
        if (status == STATUS_OK)
            status = postgres_execute(batch->postgres, (const char *)sql.data, err);
    }
    buffer_release(&sql);
    free(components);
    return status;
}
