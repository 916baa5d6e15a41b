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

/* A refused row of which the old one stays. */
static enum status refuse(struct sqlite_batch *batch, const struct batch_row *row,
                          struct error *err)
{
    if (row->beyond && !row->brought)
        return sqlite_batch_note_again(batch, row, err);
    return sqlite_batch_note_refused(batch, row->table_id, row->key, &row->version, false,
                                     false, err);
}

static enum status note_changing(struct sqlite_table *table, struct error *err)
{
    enum status status = STATUS_OK;

    for (struct sqlite_foreign *at = table->as_parent; at != NULL && status == STATUS_OK;
         at = at->next_of_parent)
        if (at->beyond_key)
            status = sqlite_foreign_note_gone(at, err);
    return status;
}

/* Remember a written row some parent of which may be missing. */
static enum status note_suspect(struct sqlite_batch *batch, const struct batch_row *row,
                                struct error *err)
{
    const struct value *values = sqlite_writer_values(row->table->writer);
    struct suspect suspect = {row->table_id, row->key};
    enum status status = STATUS_OK;
    bool holds = true, sure;

    for (struct sqlite_foreign *at = row->table->as_child;
         at != NULL && status == STATUS_OK && holds; at = at->next_of_child)
        status = sqlite_foreign_holds(at, values, &holds, &sure, err);
    if (status != STATUS_OK || holds)
        return status;
    return sqlite_suspects_add(batch->moved, row->table->group, &suspect, err);
}

/* ---- writing */

/* A row with NULL in its key is not the fleet's and can't give way: whatever wants its
 * unique value is refused. */
static enum status find_keyless(struct sqlite_batch *batch, struct sqlite_table *table,
                                enum write_result *result, struct error *err)
{
    const struct definition *definition = table->definition;
    struct buffer key = {0};
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < definition->unique_count && status == STATUS_OK; i++) {
        status = sqlite_unique_holder(batch->schema, table, i, &key, err);
        if (status == STATUS_REFUSED) {
            (void)error_set(err, STATUS_CONSTRAINT,
                            "a row of %s with NULL in its key, which is not replicated, "
                            "has its value of %s",
                            definition->local_name,
                            definition->uniques[i].name[0] != '\0'
                                ? definition->uniques[i].name
                                : definition->uniques[i].terms[0]);
            *result = WRITE_REFUSED;
            status = STATUS_OK;
            break;
        }
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    buffer_release(&key);
    return status;
}

/* The row has a unique value that another one holds: who was born first is decided when
 * all are there. Its old image is no more. */
static enum status make_dirty(struct sqlite_batch *batch, const struct batch_row *row,
                              struct error *err)
{
    struct sqlite_table *table = row->table;
    struct moved_row moved = {
        .table = row->table_id,
        .group = table->group,
        .key = row->key,
        .born = row->born,
        .origin = row->beyond ? MOVED_BEYOND : MOVED_PLANNED,
    };
    enum write_result result = WRITE_DONE;
    bool carried;
    enum status status = sqlite_mend_first(batch, err);

    if (status == STATUS_OK)
        status = sqlite_batch_carry(batch, row, &carried, err);

    if (status == STATUS_OK && table->lacks != NULL) {
        (void)error_set(
            err, STATUS_CONSTRAINT,
            "another row of %s has one of its unique values, and which of the "
            "two is older can't be decided here: %s",
            table->definition->local_name, table->lacks);
        return refuse(batch, row, err);
    }
    if (status == STATUS_OK)
        status = sqlite_other_try(batch->schema, table, &result, err);
    if (status == STATUS_OK && result == WRITE_DONE)
        status = find_keyless(batch, table, &result, err);
    if (status == STATUS_OK && result != WRITE_DONE)
        return refuse(batch, row, err);
    if (status == STATUS_OK)
        status = sqlite_batch_was(batch, row->table_id, row->key, row->holding->live,
                                  &moved, err);
    if (status == STATUS_OK)
        status = sqlite_moved_add(batch->moved, &moved, err);
    if (status == STATUS_OK)
        status = sqlite_other_keep(batch->schema, table, moved.id, err);
    if (status != STATUS_OK || !row->there)
        return status;
    status = sqlite_batch_note_gone(batch, table, err);
    return status == STATUS_OK ? sqlite_batch_remove(batch, table, err) : status;
}

enum status sqlite_batch_remove(struct sqlite_batch *batch, struct sqlite_table *table,
                                struct error *err)
{
    enum write_result result;
    enum status status;

    sqlite_schema_fire(batch->schema, table->fires);
    status = sqlite_writer_delete(table->writer, &result, err);
    if (status == STATUS_OK && result == WRITE_REFUSED) {
        /* A trigger does not want it gone; the constraint does. */
        sqlite_schema_fire(batch->schema, false);
        status = sqlite_writer_delete(table->writer, &result, err);
    }
    if (status == STATUS_OK && result != WRITE_DONE) {
        return error_set(err, STATUS_IO,
                         "%s: a row can't be deleted: a trigger rolls back",
                         table->definition->local_name);
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
    if (!row->beyond && !batch->repair)
        return STATUS_OK;
    status = sqlite_overrule_row(batch, row, err);
    sqlite_schema_fire(batch->schema, row->table->fires);
    return status;
}

static enum status written(struct sqlite_batch *batch, const struct batch_row *row,
                           struct error *err)
{
    enum status status = STATUS_OK;

    batch->counts->rows++;
    batch->counts->retried += row->beyond && !row->brought;
    if (row->live && row->table->as_child != NULL)
        status = note_suspect(batch, row, err);
    return status == STATUS_OK ? note_written(batch, row, err) : status;
}

/* Whether the database may hold something else of the table than the store says. */
static bool is_unsure(const struct sqlite_batch *batch, const struct sqlite_table *table)
{
    return batch->schema->triggers_write || table->direction == TABLE_IN;
}

/* Which columns of the row at hand the database does not hold already. */
static enum status find_differing(struct sqlite_batch *batch, const struct batch_row *row,
                                  bool *differs, struct error *err)
{
    struct sqlite_writer *writer = row->table->writer;
    struct table held;
    enum status status;

    if (is_unsure(batch, row->table))
        return sqlite_writer_differ_present(writer, differs, err);
    if (row->whole) {
        sqlite_writer_differ_all(writer, differs);
        return STATUS_OK;
    }
    status = tables_find(batch->txn, row->holding->definition_origin,
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
        status = note_changing(row->table, err);
    return status == STATUS_OK ? sqlite_writer_update(row->table->writer, result, err)
                               : status;
}

static enum status insert(struct sqlite_batch *batch, const struct batch_row *row,
                          enum write_result *result, struct error *err)
{
    bool carried;
    enum status status = STATUS_OK;

    if (batch->parked > 0)
        status = sqlite_batch_carry(batch, row, &carried, err);
    return status == STATUS_OK
               ? sqlite_writer_insert(row->table->writer, SCHEMA_MAIN, result, err)
               : status;
}

static enum status upsert(struct sqlite_batch *batch, const struct batch_row *row,
                          struct error *err)
{
    struct sqlite_table *table = row->table;
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
        return make_dirty(batch, row, err);
    case WRITE_REFUSED:
        return refuse(batch, row, err);
    case WRITE_ENDED:
        break;
    }
    return sqlite_batch_end(batch, row->table_id, row->key, err);
}

static enum status delete_row(struct sqlite_batch *batch, const struct batch_row *row,
                              struct error *err)
{
    struct sqlite_table *table = row->table;
    enum write_result result;
    enum status status;

    if (!row->there)
        return row->beyond ? sqlite_batch_note_written(batch, row, err) : STATUS_OK;
    status = sqlite_writer_key(table->writer, row->from, row->key, &result, err);
    if (status == STATUS_OK && result == WRITE_DONE) {
        status = sqlite_batch_note_gone(batch, table, err);
        if (status == STATUS_OK)
            status = sqlite_writer_delete(table->writer, &result, err);
    }
    if (status != STATUS_OK)
        return status;
    if (result == WRITE_ENDED)
        return sqlite_batch_end(batch, row->table_id, row->key, err);
    return result == WRITE_DONE ? written(batch, row, err) : refuse(batch, row, err);
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
    status = sqlite_writer_key(row->table->writer, row->from, row->key, &result, err);
    if (status != STATUS_OK || result != WRITE_DONE)
        return status;
    return sqlite_writer_find(row->table->writer, there, err);
}

enum status sqlite_batch_write(struct sqlite_batch *batch, const struct batch_row *row,
                               struct error *err)
{
    struct batch_row found = *row;
    enum status status;

    if (row->table == NULL) {
        sqlite_schema_refuse(batch->schema, row->from->name, err);
        return refuse(batch, row, err);
    }
    /* Even a row that is not there, or stays as it was: it may have been parked, with
     * claims. */
    batch->changed[row->table->group] = true;
    status = sqlite_counters_note(row->table, row->key, err);
    if (status != STATUS_OK)
        return status;
    if (was_refused(batch, row, err))
        return refuse(batch, row, err);
    status = sqlite_schema_writer(batch->schema, row->table, err);
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

    return live == pass->live && (own != NULL && own->fires) == pass->fires;
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
        planned_rows_add(&batch->planned, &planned);
        row = (struct batch_row){
            .table_id = planned.table.id,
            .table = sqlite_schema_find(batch->schema, planned.table.id),
            .from = planned.table.definition,
            .key = planned.key,
            .image = planned.image,
            .version = planned.version,
            .born = planned.born,
            .live = planned.live,
            .holding = &planned.holding,
        };
        status = sqlite_batch_write(batch, &row, err);
        progress_add(batch->progress, 1);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status sqlite_batch_write_plan(struct sqlite_batch *batch, struct error *err)
{
    struct plan_cursor *cursor = NULL;
    enum status status;

    if (batch->range.from == batch->range.to)
        return STATUS_OK;
    status = planned_rows_begin(&batch->planned, batch->txn, err);
    if (status == STATUS_OK)
        status = plan_open(&cursor, batch->txn, batch->range, err);
    for (int live = 0; live <= 1 && status == STATUS_OK; live++) {
        status = run_pass(batch, cursor, live != 0, false, err);
        if (status == STATUS_OK && batch->schema->any_fires)
            status = run_pass(batch, cursor, live != 0, true, err);
    }
    plan_close(cursor);
    if (status == STATUS_OK)
        planned_rows_end(&batch->planned);
    return status;
}

/* ---- the quarantine */

struct retry {
    struct sqlite_batch *batch;
    enum status status;
    struct error *err;
};

enum status sqlite_batch_try(struct sqlite_batch *batch, uint32_t table, struct bytes key,
                             bool brought, struct error *err)
{
    struct batch_row row = {
        .table_id = table, .key = key, .beyond = true, .brought = brought};
    struct planned planned;
    struct table defined;
    struct row at;
    bool is_winner;
    enum status status;

    row.table = sqlite_schema_find(batch->schema, table);
    if (row.table == NULL || plan_out_has(batch->range.out, table))
        return STATUS_OK;
    status = plan_find(batch->txn, batch->range, table, key, &planned, err);
    if (status != STATUS_NOT_FOUND) /* the plan has written it, or has tried */
        return status;
    status = plan_row_at(batch->txn, batch->range.to, table, key, &at, &is_winner, err);
    if (status == STATUS_NOT_FOUND ||
        (status == STATUS_OK &&
         ((at.local && brought) || /* refused by a resync, if it was */
          version_compare(&at.version, &planned.holding.version) <= 0)))
        return STATUS_OK;
    if (status == STATUS_OK)
        status =
            tables_find(batch->txn, at.definition_origin, at.definition, &defined, err);
    if (status != STATUS_OK)
        return status;
    row.from = defined.definition;
    row.image = at.image;
    row.version = at.version;
    row.born = at.born;
    row.live = at.live;
    row.holding = &planned.holding;
    sqlite_schema_fire(batch->schema, row.table->fires);
    return sqlite_batch_write(batch, &row, err);
}

static bool visit_quarantined(void *data, uint32_t table, const struct quarantined *row)
{
    struct retry *retry = data;

    if (retry->batch->only != 0 && row->number != retry->batch->only)
        return true;
    retry->status = sqlite_batch_try(retry->batch, table, row->key, false, retry->err);
    return retry->status == STATUS_OK;
}

enum status sqlite_batch_retry(struct sqlite_batch *batch, struct error *err)
{
    struct retry retry = {batch, STATUS_OK, err};
    enum status status = quarantine_visit(batch->txn, 0, visit_quarantined, &retry, err);

    return status == STATUS_OK ? retry.status : status;
}
