/* What one capture of Postgres needs, and the tables as they are now. */
#include "capture/postgres_source_private.h"

#include "capture/schema_log.h"
#include "engine/postgres_catalog.h"
#include "engine/postgres_slot.h"

#include <stdlib.h>
#include <string.h>

static enum status open_appender(struct postgres_source *self, struct error *err)
{
    struct store_txn *txn;
    enum status status =
        appender_open(&self->run.appender, self->store, APPENDER_CAPTURE, err);

    if (status == STATUS_OK)
        status = appender_txn(self->run.appender, &txn, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &self->run.applied, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_LSN, &self->kept, err);
    return status;
}

static void close_appender(struct postgres_source *self)
{
    struct append_counts logged;

    if (self->run.appender == NULL)
        return;
    logged = appender_counts(self->run.appender);
    self->counts.entries += logged.entries;
    self->counts.changes += logged.changes;
    appender_close(self->run.appender);
    self->run.appender = NULL;
}

enum status postgres_run_open(struct postgres_source *self, struct error *err)
{
    enum status status = open_appender(self, err);

    self->waiting = false;
    self->counts = (struct capture_counts){0};
    if (status == STATUS_OK && self->pending == NULL)
        status = pending_open(&self->pending, store_identity(self->store)->node, err);
    return status == STATUS_OK ? postgres_run_forget(self, err) : status;
}

void postgres_run_close(struct postgres_source *self, struct capture_counts *counts)
{
    close_appender(self);
    counts->entries += self->counts.entries;
    counts->changes += self->counts.changes;
}

static enum status put(struct postgres_source *self, const struct meta_update *updates,
                       size_t count, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(self->store, TXN_WRITE, &txn, err);

    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = meta_put(txn, updates[i].key, updates[i].value, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

enum status postgres_run_keep(struct postgres_source *self,
                              const struct meta_update *updates, size_t count,
                              struct error *err)
{
    enum status status = postgres_run_yield(self, err);

    if (status == STATUS_OK)
        status = put(self, updates, count, err);
    return status == STATUS_OK ? postgres_run_resume(self, err) : status;
}

enum status postgres_run_keep_taken(struct postgres_source *self, size_t counting,
                                    struct error *err)
{
    enum status status = postgres_run_yield(self, err);

    if (status == STATUS_OK)
        status = postgres_taken_write(&self->taken, counting, self->store, err);
    return status == STATUS_OK ? postgres_run_resume(self, err) : status;
}

enum status postgres_run_yield(struct postgres_source *self, struct error *err)
{
    enum status status = appender_commit(self->run.appender, err);

    close_appender(self);
    self->waiting = false;
    return status;
}

enum status postgres_run_resume(struct postgres_source *self, struct error *err)
{
    return open_appender(self, err);
}

enum status postgres_run_forget(struct postgres_source *self, struct error *err)
{
    self->run.pending = NULL;
    return pending_clear(self->pending, err);
}

static const struct column *key_column(const struct definition *definition,
                                       uint32_t position)
{
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (definition->columns[i].key_position == position)
            return &definition->columns[i];
    return NULL;
}

/* Whether rows keep their keys: each key column is the one that it was, under its name
 * or, where that is gone, another. */
static bool keeps_key(const struct definition *was, const struct definition *now)
{
    bool keeps = was->key_count == now->key_count;

    for (uint32_t position = 1; keeps && position <= was->key_count; position++) {
        const struct column *old = key_column(was, position);
        const struct column *column = key_column(now, position);

        keeps = strcmp(old->name, column->name) == 0 ||
                (definition_find_column(now, old->name) < 0 &&
                 strcmp(old->declared_type, column->declared_type) == 0);
    }
    return keeps;
}

/* Under another key every row would be one that the log does not know, beside the one
 * that it does. */
static enum status check_keys(struct postgres_source *self, struct error *err)
{
    uint64_t node = store_identity(self->store)->node;
    struct store_txn *txn;
    enum status status = appender_txn(self->run.appender, &txn, err);

    for (size_t i = 0; status == STATUS_OK && i < self->catalog.count; i++) {
        const struct definition *now = self->catalog.definitions[i];
        struct table logged;
        uint32_t id = 0;

        status = tables_id(txn, now->name, &id, err);
        if (status == STATUS_OK)
            status = tables_newest(txn, node, id, &logged, err);
        if (status == STATUS_OK && !keeps_key(logged.definition, now)) {
            return error_set(err, STATUS_REFUSED,
                             "%s: its key has other columns than before: give it the old "
                             "one back, or: " POSTGRES_BEGIN_ANEW,
                             now->local_name);
        }
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

/* Those that send nothing are logged, too: they say what this node takes. */
static enum status log_catalog(struct postgres_source *self, struct error *err)
{
    struct local_entry entry = {.kind = ENTRY_TABLES};
    uint32_t *old_columns = calloc(self->catalog.count + 1, sizeof *old_columns);
    uint64_t seq;
    enum status status;

    if (old_columns == NULL)
        return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
    status = schema_log_put(&self->catalog, old_columns, self->run.appender, err);
    free(old_columns);
    if (status != STATUS_OK || appender_item_count(self->run.appender) == 0)
        return status;
    status = appender_end_local(self->run.appender, &entry, &seq, err);
    return status == STATUS_OK ? appender_commit(self->run.appender, err) : status;
}

enum status postgres_source_schema(struct postgres_source *self, struct error *err)
{
    struct store_txn *txn;
    enum status status = postgres_execute(
        self->postgres, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);

    if (status == STATUS_OK)
        status = appender_txn(self->run.appender, &txn, err);
    catalog_release(&self->catalog);
    self->catalog = (struct catalog){0};
    if (status == STATUS_OK)
        status = postgres_catalog_read(self->postgres, self->options.rules, txn,
                                       &self->catalog, err);
    postgres_rollback(self->postgres);
    if (self->relations != NULL)
        postgres_relations_set_catalog(self->relations, &self->catalog);
    if (status == STATUS_OK)
        status = check_keys(self, err);
    return status == STATUS_OK ? log_catalog(self, err) : status;
}
