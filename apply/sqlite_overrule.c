#include "apply/sqlite_overrule.h"

#include "apply/parking.h"

#include <assert.h>

/* Whether the row at hand is in the table, and otherwise than it should be. */
static enum status look(struct sqlite_batch *batch, const struct batch_row *row,
                        bool *there, bool *differs, struct error *err)
{
    struct sqlite_writer *writer = sqlite_table_of(row->table)->writer;
    enum write_result result;
    bool carried;
    enum status status = sqlite_writer_key(writer, row->from, row->key, &result, err);

    *differs = false;
    if (status == STATUS_OK)
        status = sqlite_writer_find(writer, there, err);
    if (status != STATUS_OK || !row->live) {
        *differs = *there;
        return status;
    }
    status = sqlite_writer_map(writer, row->from, row->image, row->key, &result, err);
    assert(status != STATUS_OK || result == WRITE_DONE); /* it was written */
    if (status == STATUS_OK && *there)
        return sqlite_writer_differ_present(writer, differs, err);
    *differs = true;
    return status == STATUS_OK ? batch_carry(&batch->base, row, &carried, err) : status;
}

enum status sqlite_overrule_row(struct sqlite_batch *batch, const struct batch_row *row,
                                struct error *err)
{
    struct sqlite_writer *writer = sqlite_table_of(row->table)->writer;
    enum write_result result = WRITE_DONE;
    bool there = false, differs = false;
    enum status status = look(batch, row, &there, &differs, err);

    if (status == STATUS_OK && differs) {
        sqlite_schema_fire(batch->schema, false);
        status = !row->live ? sqlite_writer_delete(writer, &result, err)
                 : there    ? sqlite_writer_update(writer, &result, err)
                            : sqlite_writer_insert(writer, SCHEMA_MAIN, &result, err);
        there = there || result == WRITE_DONE;
    }
    if (status == STATUS_OK && result == WRITE_ENDED)
        return sqlite_batch_end(batch, row->table_id, row->key, err);
    if (status != STATUS_OK || (row->live && !there))
        return status;
    return sqlite_batch_note_written(batch, row, err);
}

/* Whether the row is not in its table as the plan has it, and why is noted. */
static enum status is_excepted(struct sqlite_batch *batch, const struct planned *planned,
                               bool *excepted, struct error *err)
{
    enum intent_item_kind kind;
    struct moved_row moved;
    bool beyond;
    enum status status = items_find(batch->base.items, planned->table.id, planned->key,
                                    &kind, &beyond, err);

    *excepted = status == STATUS_OK && kind == INTENT_QUARANTINED;
    if ((status != STATUS_OK && status != STATUS_NOT_FOUND) || *excepted)
        return status;
    status = moved_find(batch->base.moved, planned->table.id, planned->key, &moved, err);
    *excepted = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status overrule(struct sqlite_batch *batch, const struct planned *planned,
                            struct error *err)
{
    struct batch_row row = {
        .table_id = planned->table.id,
        .table = batch_schema_find(batch->base.schema, planned->table.id),
        .from = planned->table.definition,
        .key = planned->key,
        .image = planned->image,
        .version = planned->version,
        .born = planned->born,
        .live = planned->live,
        .holding = &planned->holding,
    };
    bool excepted = false;
    enum status status = is_excepted(batch, planned, &excepted, err);

    if (status != STATUS_OK || excepted || row.table == NULL)
        return status;
    status = sqlite_schema_writer(batch->schema, sqlite_table_of(row.table), err);
    return status == STATUS_OK ? sqlite_overrule_row(batch, &row, err) : status;
}

static bool wants(void *data, const struct table *table, bool live)
{
    const bool *wanted = data;

    (void)table;
    return live == *wanted;
}

/* Deletes first, as when they were written: what comes back may need their values. */
static enum status overrule_plan(struct sqlite_batch *batch, struct error *err)
{
    enum status status = STATUS_OK;

    if (batch->base.range.from == batch->base.range.to)
        return STATUS_OK;
    sqlite_schema_fire(batch->schema, false);
    for (int live = 0; live <= 1 && status == STATUS_OK; live++) {
        struct plan_cursor *cursor = NULL;
        struct planned planned;
        bool wanted = live != 0;

        status = plan_open(&cursor, batch->base.txn, batch->base.range, err);
        if (status == STATUS_OK)
            plan_filter(cursor, wants, &wanted);
        while (status == STATUS_OK) {
            status = plan_next(cursor, &planned, err);
            if (status == STATUS_OK)
                status = overrule(batch, &planned, err);
        }
        plan_close(cursor);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

enum status sqlite_overrule_resolve(struct sqlite_batch *batch, struct error *err)
{
    bool writes = batch->schema->triggers_write;
    enum status status = writes ? overrule_plan(batch, err) : STATUS_OK;

    if (status == STATUS_OK)
        status = parking_resolve(&batch->base, err);
    return status == STATUS_OK && writes && moved_any(batch->base.moved)
               ? overrule_plan(batch, err)
               : status;
}
