#include "apply/sqlite_batch.h"

#include "apply/sqlite_counters.h"
#include "apply/sqlite_mend.h"
#include "apply/sqlite_other.h"
#include "apply/sqlite_overrule.h"
#include "apply/sqlite_unique.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool was_refused(const struct sqlite_batch *batch, const struct batch_row *row,
                        struct error *err)
{
    for (size_t i = 0; i < batch->refused->count; i++) {
        const struct refused_row *refused = &batch->refused->rows[i];

        if (refused->table != row->table_id || !bytes_equal(refused->key, row->key))
            continue;
        (void)error_set(err, STATUS_CONSTRAINT, "%.*s", (int)refused->message.size,
                        (const char *)refused->message.data);
        return true;
    }
    return false;
}

/* ---- writing */

enum status sqlite_batch_remove(struct sqlite_batch *batch, struct sqlite_table *table,
                                struct error *err)
{
    enum write_result result;
    enum status status;

    sqlite_schema_fire(batch->schema, table->base.fires);
    status = sqlite_writer_delete(table->writer, &result, err);
    if (status == STATUS_OK && result == WRITE_REFUSED) {
        /* A trigger does not want it gone; the constraint does. */
        sqlite_schema_fire(batch->schema, false);
        status = sqlite_writer_delete(table->writer, &result, err);
    }
    if (status == STATUS_OK && result != WRITE_DONE) {
        return error_set(err, STATUS_IO,
                         "%s: a row can't be deleted: a trigger rolls back",
                         table->base.definition->local_name);
    }
    return status;
}

/* Note a row that is as it should be. Where triggers write what is replicated, the plan's
 * rows are looked at once more at the end. */
static enum status note_written(struct sqlite_batch *batch, const struct batch_row *row,
                                struct error *err)
{
    enum status status;

    if (!batch->schema->triggers_write)
        return sqlite_batch_note_written(batch, row, err);
    if (!row->beyond && !batch->base.repair)
        return STATUS_OK;
    status = sqlite_overrule_row(batch, row, err);
    sqlite_schema_fire(batch->schema, row->table->fires);
    return status;
}

static enum status written(struct sqlite_batch *batch, const struct batch_row *row,
                           struct error *err)
{
    enum status status = STATUS_OK;

    batch->base.counts->rows++;
    batch->base.counts->retried += row->beyond && !row->brought;
    if (row->live && row->table->as_child != NULL)
        status = batch_suspect(&batch->base, row, err);
    return status == STATUS_OK ? note_written(batch, row, err) : status;
}

/* Whether the database may hold something else of the table than the store says. */
static bool is_unsure(const struct sqlite_batch *batch, const struct batch_table *table)
{
    return batch->schema->triggers_write || table->direction == TABLE_IN;
}

/* Which columns of the row at hand the database does not hold already. */
static enum status find_differing(struct sqlite_batch *batch, const struct batch_row *row,
                                  bool *differs, struct error *err)
{
    struct sqlite_writer *writer = sqlite_table_of(row->table)->writer;
    struct table held;
    enum status status;

    if (is_unsure(batch, row->table))
        return sqlite_writer_differ_present(writer, differs, err);
    if (row->whole) {
        sqlite_writer_differ_all(writer, differs);
        return STATUS_OK;
    }
    status = tables_find(batch->base.txn, row->holding->definition_origin,
                         row->holding->definition, &held, err);
    return status == STATUS_OK
               ? sqlite_writer_differ(writer, held.definition, row->holding->image,
                                      row->key, differs, err)
               : status;
}

/* *same: there is nothing to write. */
static enum status update(struct sqlite_batch *batch, const struct batch_row *row,
                          bool *same, enum write_result *result, struct error *err)
{
    bool differs = false;
    enum status status = find_differing(batch, row, &differs, err);

    *same = status == STATUS_OK && !differs;
    if (status != STATUS_OK || *same)
        return status;
    if (row->table->as_parent != NULL)
        status = batch_note_changing(&batch->base, row->table, err);
    return status == STATUS_OK
               ? sqlite_writer_update(sqlite_table_of(row->table)->writer, result, err)
               : status;
}

static enum status insert(struct sqlite_batch *batch, const struct batch_row *row,
                          enum write_result *result, struct error *err)
{
    bool carried;
    enum status status = STATUS_OK;

    if (batch->base.parked > 0)
        status = batch_carry(&batch->base, row, &carried, err);
    return status == STATUS_OK ? sqlite_writer_insert(sqlite_table_of(row->table)->writer,
                                                      SCHEMA_MAIN, result, err)
                               : status;
}

static enum status upsert(struct sqlite_batch *batch, const struct batch_row *row,
                          struct error *err)
{
    struct sqlite_table *table = sqlite_table_of(row->table);
    enum write_result result;
    bool same = false;
    enum status status =
        sqlite_writer_map(table->writer, row->from, row->image, row->key, &result, err);

    if (status == STATUS_OK && result == WRITE_DONE) {
        status = row->there ? update(batch, row, &same, &result, err)
                            : insert(batch, row, &result, err);
    }
    if (status == STATUS_OK && same)
        return note_written(batch, row, err);
    if (status != STATUS_OK)
        return status;
    switch (result) {
    case WRITE_DONE:
        return written(batch, row, err);
    case WRITE_UNIQUE:
        return batch_dispute(&batch->base, row, err);
    case WRITE_REFUSED:
        return batch_refuse(&batch->base, row, err);
    case WRITE_ENDED:
        break;
    }
    return sqlite_batch_end(batch, row->table_id, row->key, err);
}

static enum status delete_row(struct sqlite_batch *batch, const struct batch_row *row,
                              struct error *err)
{
    struct sqlite_table *table = sqlite_table_of(row->table);
    enum write_result result;
    enum status status;

    if (!row->there)
        return row->beyond ? sqlite_batch_note_written(batch, row, err) : STATUS_OK;
    status = sqlite_writer_key(table->writer, row->from, row->key, &result, err);
    if (status == STATUS_OK && result == WRITE_DONE) {
        status = batch_note_gone(&batch->base, &table->base, err);
        if (status == STATUS_OK)
            status = sqlite_writer_delete(table->writer, &result, err);
    }
    if (status != STATUS_OK)
        return status;
    if (result == WRITE_ENDED)
        return sqlite_batch_end(batch, row->table_id, row->key, err);
    return result == WRITE_DONE ? written(batch, row, err)
                                : batch_refuse(&batch->base, row, err);
}

/* Whether the database has the row: as the store says, or, where triggers or local writes
 * that are not captured may have inserted or deleted it since, as it is. */
static enum status find_there(struct sqlite_batch *batch, const struct batch_row *row,
                              bool *there, struct error *err)
{
    enum write_result result;
    enum status status;

    *there = row->holding->live;
    if (!is_unsure(batch, row->table))
        return STATUS_OK;
    status = sqlite_writer_key(sqlite_table_of(row->table)->writer, row->from, row->key,
                               &result, err);
    if (status != STATUS_OK || result != WRITE_DONE)
        return status;
    return sqlite_writer_find(sqlite_table_of(row->table)->writer, there, err);
}

enum status sqlite_batch_write(struct sqlite_batch *batch, const struct batch_row *row,
                               struct error *err)
{
    struct batch_row found = *row;
    enum status status;

    if (row->table == NULL) {
        sqlite_schema_refuse(batch->schema, row->from->name, err);
        return batch_refuse(&batch->base, row, err);
    }
    /* Even a row that is not there, or stays as it was: it may have been parked, with
     * claims. */
    batch->base.changed[row->table->group] = true;
    status = sqlite_counters_note(sqlite_table_of(row->table), row->key, err);
    if (status != STATUS_OK)
        return status;
    if (was_refused(batch, row, err))
        return batch_refuse(&batch->base, row, err);
    status = sqlite_schema_writer(batch->schema, sqlite_table_of(row->table), err);
    if (status == STATUS_OK)
        status = find_there(batch, row, &found.there, err);
    if (status != STATUS_OK)
        return status;
    return row->live ? upsert(batch, &found, err) : delete_row(batch, &found, err);
}

/* ---- the plan */

struct pass {
    const struct sqlite_schema *schema;
    bool live;
    bool fires;
};

static bool wants(void *data, const struct table *table, bool live)
{
    const struct pass *pass = data;
    const struct sqlite_table *own = sqlite_schema_find(pass->schema, table->id);

    return live == pass->live && (own != NULL && own->base.fires) == pass->fires;
}

static enum status run_pass(struct sqlite_batch *batch, struct plan_cursor *cursor,
                            bool live, bool fires, struct error *err)
{
    struct pass pass = {batch->schema, live, fires};
    struct planned planned;
    enum status status = STATUS_OK;

    plan_filter(cursor, wants, &pass);
    /* What triggers note, they note in the order in which it happened. */
    plan_restart(cursor, fires);
    sqlite_schema_fire(batch->schema, fires);
    while (status == STATUS_OK) {
        struct batch_row row;

        status = plan_next(cursor, &planned, err);
        if (status != STATUS_OK)
            break;
        planned_rows_add(&batch->base.planned, &planned);
        row = (struct batch_row){
            .table_id = planned.table.id,
            .table = batch_schema_find(batch->base.schema, planned.table.id),
            .from = planned.table.definition,
            .key = planned.key,
            .image = planned.image,
            .version = planned.version,
            .born = planned.born,
            .live = planned.live,
            .holding = &planned.holding,
        };
        status = sqlite_batch_write(batch, &row, err);
        progress_add(batch->base.progress, 1);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status sqlite_batch_write_plan(struct sqlite_batch *batch, struct error *err)
{
    struct plan_cursor *cursor = NULL;
    enum status status;

    if (batch->base.range.from == batch->base.range.to)
        return STATUS_OK;
    status = planned_rows_begin(&batch->base.planned, batch->base.txn, err);
    if (status == STATUS_OK)
        status = plan_open(&cursor, batch->base.txn, batch->base.range, err);
    for (int live = 0; live <= 1 && status == STATUS_OK; live++) {
        status = run_pass(batch, cursor, live != 0, false, err);
        if (status == STATUS_OK && batch->schema->any_fires)
            status = run_pass(batch, cursor, live != 0, true, err);
    }
    plan_close(cursor);
    if (status == STATUS_OK)
        planned_rows_end(&batch->base.planned);
    return status;
}
