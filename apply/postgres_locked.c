#include "apply/postgres_locked.h"

#include "apply/postgres_foreign.h"
#include "apply/postgres_other.h"
#include "apply/postgres_row.h"
#include "apply/postgres_unique.h"

#include <assert.h>
#include <stdlib.h>

/* ---- notes */

/* Nothing was written that capture could meet, and yet it is shown. */
static enum status note_same(struct batch *batch, const struct batch_row *row,
                             struct error *err)
{
    struct intent_item item = {
        .kind = INTENT_SHOWN, .table = row->table_id, .key = row->key};

    return items_put(batch->items, &item, row->beyond, err);
}

/* Capture learns of a row of the plan when it meets the batch again in the WAL; of one
 * beyond it this says which change it shows. */
static enum status note_written(struct batch *batch, const struct batch_row *row,
                                struct error *err)
{
    struct intent_item item = {
        .kind = INTENT_REPAIRED, .table = row->table_id, .key = row->key};
    struct row at;
    bool is_winner;
    enum status status;

    if (row->table->direction == TABLE_IN) /* capture passes over it */
        return note_same(batch, row, err);
    if (!row->beyond)
        return STATUS_OK;
    status = plan_row_at(batch->txn, batch->range.to, row->table_id, row->key, &at,
                         &is_winner, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_IO, "%s: a row that was written is not known",
                         row->from->name);
    item.place = at.winner;
    return status == STATUS_OK ? items_put(batch->items, &item, true, err) : status;
}

static enum status written(struct batch *batch, const struct batch_row *row,
                           struct error *err)
{
    enum status status = STATUS_OK;

    batch->counts->rows++;
    batch->counts->retried += row->beyond && !row->brought;
    if (row->live && row->table->as_child != NULL)
        status = batch_suspect(batch, row, err);
    return status == STATUS_OK ? note_written(batch, row, err) : status;
}

/* ---- one row */

/* Where local writes are not captured, the database may hold something else than the
 * store says. */
static bool is_unsure(const struct batch_row *row)
{
    return row->whole || row->table->direction == TABLE_IN;
}

static enum status update(struct postgres_batch *batch, const struct batch_row *row,
                          bool *same, enum write_result *result, struct error *err)
{
    struct postgres_table *table = postgres_table_of(row->table);
    const struct postgres_writer *writer = table->writer;
    bool *differs = calloc((size_t)writer->definition->stored_count + 1, sizeof(bool));
    bool any = true;
    struct table held;
    enum status status = STATUS_OK;

    if (differs == NULL)
        return error_set(err, STATUS_NO_MEMORY, "apply: out of memory");
    if (is_unsure(row)) {
        for (uint32_t i = 0; i < writer->definition->stored_count; i++)
            differs[i] = true;
    } else {
        status = tables_find(batch->base.txn, row->holding->definition_origin,
                             row->holding->definition, &held, err);
        if (status == STATUS_OK) {
            status =
                postgres_writer_differ(table->writer, held.definition,
                                       row->holding->image, row->key, differs, &any, err);
        }
    }
    *same = !any;
    if (status == STATUS_OK && any && row->table->as_parent != NULL)
        status = batch_note_changing(&batch->base, row->table, err);
    if (status == STATUS_OK && any)
        status = postgres_row_update(table, differs, result, err);
    free(differs);
    return status;
}

static enum status insert(struct postgres_batch *batch, const struct batch_row *row,
                          enum write_result *result, struct error *err)
{
    bool carried;
    enum status status = STATUS_OK;

    if (batch->base.parked > 0)
        status = batch_carry(&batch->base, row, &carried, err);
    return status == STATUS_OK
               ? postgres_row_insert(postgres_table_of(row->table), result, err)
               : status;
}

/* Constraints that the server leaves for later are for nobody, then: look before. */
static enum status probe(struct postgres_batch *batch, const struct batch_row *row,
                         enum write_result *result, struct error *err)
{
    struct postgres_table *table = postgres_table_of(row->table);
    bool met = false, carried;
    enum status status;

    if (!table->probed)
        return STATUS_OK;
    status = batch_carry(&batch->base, row, &carried, err);
    if (status == STATUS_OK)
        status = postgres_other_try(batch->schema, table, result, err);
    if (status == STATUS_OK && *result == WRITE_DONE)
        status = postgres_unique_probe(batch->schema, table, row->key, &met, err);
    if (met)
        *result = WRITE_UNIQUE;
    return status;
}

static enum status upsert(struct postgres_batch *batch, const struct batch_row *row,
                          struct error *err)
{
    struct postgres_table *table = postgres_table_of(row->table);
    enum write_result result;
    bool same = false;
    enum status status =
        postgres_writer_map(table->writer, row->from, row->image, row->key, &result, err);

    if (status == STATUS_OK && result == WRITE_DONE)
        status = probe(batch, row, &result, err);
    if (status == STATUS_OK && result == WRITE_DONE)
        status = row->there ? update(batch, row, &same, &result, err)
                            : insert(batch, row, &result, err);
    if (status != STATUS_OK)
        return status;
    if (same)
        return note_same(&batch->base, row, err);
    if (result == WRITE_DONE)
        return written(&batch->base, row, err);
    return result == WRITE_UNIQUE ? batch_dispute(&batch->base, row, err)
                                  : batch_refuse(&batch->base, row, err);
}

static enum status delete_row(struct postgres_batch *batch, const struct batch_row *row,
                              struct error *err)
{
    struct postgres_table *table = postgres_table_of(row->table);
    enum write_result result;
    enum status status;

    if (!row->there)
        return note_written(&batch->base, row, err);
    status = postgres_writer_key(table->writer, row->from, row->key, &result, err);
    if (status == STATUS_OK && result == WRITE_DONE)
        status = batch_note_gone(&batch->base, row->table, err);
    if (status == STATUS_OK && result == WRITE_DONE)
        status = postgres_row_delete(table, &result, err);
    if (status != STATUS_OK)
        return status;
    return result == WRITE_DONE ? written(&batch->base, row, err)
                                : batch_refuse(&batch->base, row, err);
}

static enum status find_there(const struct batch_row *row, bool *there, struct error *err)
{
    struct postgres_table *table = postgres_table_of(row->table);
    enum write_result result;
    enum status status;

    *there = row->holding->live;
    if (!is_unsure(row))
        return STATUS_OK;
    status = postgres_writer_key(table->writer, row->from, row->key, &result, err);
    if (status != STATUS_OK || result != WRITE_DONE)
        return status;
    return postgres_row_find(table, there, err);
}

enum status postgres_locked_write(struct postgres_batch *batch,
                                  const struct batch_row *row, struct error *err)
{
    struct batch_row found = *row;
    enum status status;

    if (row->table == NULL) {
        (void)error_set(err, STATUS_CONSTRAINT, "relation \"%s\" does not exist",
                        row->from->name);
        return batch_refuse(&batch->base, row, err);
    }
    /* Even a row that is not there, or stays as it was: it may have been parked, with
     * claims. */
    batch->base.changed[row->table->group] = true;
    status = postgres_schema_writer(batch->schema, postgres_table_of(row->table), err);
    if (status == STATUS_OK)
        status = find_there(row, &found.there, err);
    if (status != STATUS_OK)
        return status;
    return row->live ? upsert(batch, &found, err) : delete_row(batch, &found, err);
}

/* ---- the plan */

enum status postgres_locked_write_plan(struct postgres_batch *batch, struct error *err)
{
    enum status status = STATUS_OK;

    postgres_schema_forget(batch->schema);
    for (uint32_t i = 0; i < batch->schema->base.foreign_count && status == STATUS_OK;
         i++)
        status = postgres_foreign_open(&batch->schema->foreigns[i], batch->postgres, err);
    if (status == STATUS_OK && batch->base.range.from < batch->base.range.to)
        status = postgres_batch_write_plan(batch, err);
    batch->whole = false;
    return status;
}

/* ---- what parking asks: the row at hand */

static struct postgres_schema *schema_of(struct batch *batch)
{
    return postgres_batch_of(batch)->schema;
}

static struct postgres_writer *writer_of(struct batch_table *table)
{
    return postgres_table_of(table)->writer;
}

static enum status key(struct batch *batch, struct batch_table *table, struct bytes bytes,
                       struct error *err)
{
    enum write_result result;
    enum status status =
        postgres_schema_writer(schema_of(batch), postgres_table_of(table), err);

    return status == STATUS_OK
               ? postgres_writer_key(writer_of(table), NULL, bytes, &result, err)
               : status;
}

static enum status map(struct batch *batch, struct batch_table *table,
                       const struct definition *from, struct bytes image,
                       struct bytes bytes, enum write_result *result, struct error *err)
{
    enum status status =
        postgres_schema_writer(schema_of(batch), postgres_table_of(table), err);

    return status == STATUS_OK
               ? postgres_writer_map(writer_of(table), from, image, bytes, result, err)
               : status;
}

static enum status carry(struct batch *batch, struct batch_table *table,
                         const struct definition *from, struct bytes image,
                         struct bytes bytes, bool *carried, struct error *err)
{
    (void)batch;
    return postgres_writer_carry(writer_of(table), from, image, bytes, carried, err);
}

static enum status find(struct batch *batch, struct batch_table *table, bool *found,
                        struct error *err)
{
    (void)batch;
    return postgres_row_find(postgres_table_of(table), found, err);
}

static enum status take_away(struct batch *batch, struct batch_table *table,
                             struct error *err)
{
    struct error message;
    enum write_result result;
    enum status status = postgres_row_delete(postgres_table_of(table), &result, err);

    (void)batch;
    if (status != STATUS_OK || result == WRITE_DONE)
        return status;
    message = *err;
    return error_set(err, STATUS_IO,
                     "%s: a row has to make room and can't be deleted: %s",
                     table->definition->local_name, message.text);
}

static enum status write_row(struct batch *batch, const struct batch_row *row,
                             struct error *err)
{
    return postgres_locked_write(postgres_batch_of(batch), row, err);
}

/* ---- rows that are kept out of their table */

static enum status try_row(struct batch *batch, struct batch_table *table,
                           enum write_result *result, struct error *err)
{
    return postgres_other_try(schema_of(batch), postgres_table_of(table), result, err);
}

static enum status keep(struct batch *batch, struct batch_table *table, int64_t id,
                        struct error *err)
{
    return postgres_other_keep(schema_of(batch), postgres_table_of(table), id, err);
}

static enum status take(struct batch *batch, struct batch_table *table, int64_t id,
                        struct error *err)
{
    return postgres_other_take(schema_of(batch), postgres_table_of(table), id, err);
}

static enum status load(struct batch *batch, struct batch_table *table, int64_t id,
                        enum write_result *result, struct error *err)
{
    return postgres_other_load(schema_of(batch), postgres_table_of(table), id, result,
                               err);
}

static enum status place(struct batch *batch, struct batch_table *table, int64_t id,
                         enum write_result *result, struct error *err)
{
    return postgres_other_place(schema_of(batch), postgres_table_of(table), id, result,
                                err);
}

static enum status drop(struct batch *batch, struct batch_table *table, int64_t id,
                        struct error *err)
{
    return postgres_other_drop(schema_of(batch), postgres_table_of(table), id, err);
}

static enum status image(struct batch *batch, struct batch_table *table, int64_t id,
                         struct buffer *out, struct error *err)
{
    return postgres_other_image(schema_of(batch), postgres_table_of(table), id, out, err);
}

/* ---- constraints */

static enum status holder(struct batch *batch, struct batch_table *table, uint32_t at,
                          uint32_t skip, struct buffer *out, struct error *err)
{
    return postgres_unique_holder(schema_of(batch), postgres_table_of(table), at, skip,
                                  out, err);
}

static enum status holds(struct batch *batch, struct batch_foreign *foreign,
                         bool *it_holds, bool *sure, struct error *err)
{
    (void)batch;
    return postgres_foreign_holds(postgres_foreign_of(foreign), it_holds, sure, err);
}

static enum status violated(struct batch *batch, struct batch_foreign *foreign,
                            enum row_place where, bool *is_violated, struct error *err)
{
    (void)batch;
    return postgres_foreign_violated(postgres_foreign_of(foreign), where, is_violated,
                                     err);
}

static enum status blocker(struct batch *batch, struct batch_foreign *foreign,
                           struct buffer *out, struct error *err)
{
    (void)batch;
    return postgres_foreign_blocker(postgres_foreign_of(foreign), out, err);
}

static enum status note_gone(struct batch *batch, struct batch_foreign *foreign,
                             struct error *err)
{
    (void)batch;
    return postgres_foreign_note_gone(postgres_foreign_of(foreign), err);
}

static enum status forget_gone(struct batch *batch, struct batch_foreign *foreign,
                               struct error *err)
{
    (void)batch;
    return postgres_foreign_forget_gone(postgres_foreign_of(foreign), err);
}

static enum status next_orphan(struct batch *batch, struct batch_foreign *foreign,
                               bool all, struct buffer *out, struct error *err)
{
    (void)batch;
    return postgres_foreign_next_orphan(postgres_foreign_of(foreign), all, out, err);
}

static void stop(struct batch *batch, struct batch_foreign *foreign)
{
    (void)batch;
    postgres_foreign_stop(postgres_foreign_of(foreign));
}

/* ---- the batch */

/* Who holds what in a table whose local writes are not captured, the table itself says:
 * a row of which the store knows nothing is older than any. */
static enum status mend_first(struct batch *batch, struct error *err)
{
    (void)batch, (void)err;
    return STATUS_OK;
}

/* A savepoint keeps the transaction, whatever a trigger says. */
static enum status end(struct batch *batch, uint32_t table, struct bytes bytes,
                       struct error *err)
{
    (void)batch, (void)table, (void)bytes;
    return error_set(err, STATUS_IO, "a transaction has ended by itself");
}

const struct batch_ops postgres_batch_ops = {
    .key = key,
    .map = map,
    .carry = carry,
    .find = find,
    .remove = take_away,
    .write = write_row,
    .placed = note_written,
    .try_row = try_row,
    .keep = keep,
    .take = take,
    .load = load,
    .place = place,
    .drop = drop,
    .image = image,
    .holder = holder,
    .holds = holds,
    .violated = violated,
    .blocker = blocker,
    .note_gone = note_gone,
    .forget_gone = forget_gone,
    .next_orphan = next_orphan,
    .stop = stop,
    .mend_first = mend_first,
    .end = end,
};
