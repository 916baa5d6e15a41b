#include "apply/batch.h"

#include <stdlib.h>

void batch_release(struct batch *batch)
{
    planned_rows_release(&batch->planned);
    buffer_release(&batch->out);
    buffer_release(&batch->image);
    buffer_release(&batch->key);
    buffer_release(&batch->keys);
    free(batch->changed);
    batch->changed = NULL;
}

/* A row that was refused before is again: keep the message of today. One that was to be
 * repaired is refused now. */
static enum status note_again(struct batch *batch, const struct batch_row *row,
                              struct error *err)
{
    struct error message = *err;
    struct intent_item item = {
        .kind = INTENT_QUARANTINED, .table = row->table_id, .key = row->key};
    enum status status =
        quarantine_get(batch->txn, row->table_id, row->key, &item.quarantined, err);

    if (status == STATUS_NOT_FOUND) {
        *err = message;
        return batch_note_refused(batch, row->table_id, row->key, &row->version, true,
                                  false, err);
    }
    if (status != STATUS_OK ||
        bytes_equal(item.quarantined.message, bytes_of_text(message.text)))
        return status;
    item.quarantined.message = bytes_of_text(message.text);
    return items_put(batch->items, &item, true, err);
}

enum status batch_refuse(struct batch *batch, const struct batch_row *row,
                         struct error *err)
{
    if (row->beyond && !row->brought)
        return note_again(batch, row, err);
    return batch_note_refused(batch, row->table_id, row->key, &row->version, false, false,
                              err);
}

enum status batch_suspect(struct batch *batch, const struct batch_row *row,
                          struct error *err)
{
    struct suspect suspect = {row->table_id, row->key};
    enum status status = STATUS_OK;
    bool holds = true, sure;

    for (struct batch_foreign *at = row->table->as_child;
         at != NULL && status == STATUS_OK && holds; at = at->next_of_child)
        status = batch->ops->holds(batch, at, &holds, &sure, err);
    if (status != STATUS_OK || holds)
        return status;
    return suspects_add(batch->moved, row->table->group, &suspect, err);
}

static bool may_be_keyless(const struct definition *definition)
{
    bool may = false;

    for (uint32_t i = 0; i < definition->column_count; i++)
        may = may || (definition->columns[i].key_position > 0 &&
                      !definition->columns[i].not_null);
    return may;
}

/* A row with NULL in its key is not the fleet's and can't give way: whatever wants its
 * unique value is refused. */
static enum status find_keyless(struct batch *batch, struct batch_table *table,
                                enum write_result *result, struct error *err)
{
    const struct definition *definition = table->definition;
    struct buffer key = {0};
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < definition->unique_count && status == STATUS_OK; i++) {
        status = batch->ops->holder(batch, table, i, 0, &key, err);
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

/* Who was born first is decided when all are there. The old image of the row is no more.
 */
enum status batch_dispute(struct batch *batch, const struct batch_row *row,
                          struct error *err)
{
    struct batch_table *table = row->table;
    struct moved_row moved = {
        .table = row->table_id,
        .group = table->group,
        .key = row->key,
        .born = row->born,
        .origin = row->beyond ? MOVED_BEYOND : MOVED_PLANNED,
    };
    enum write_result result = WRITE_DONE;
    bool carried;
    enum status status = batch->ops->mend_first(batch, err);

    if (status == STATUS_OK)
        status = batch_carry(batch, row, &carried, err);
    if (status == STATUS_OK && table->lacks != NULL) {
        (void)error_set(
            err, STATUS_CONSTRAINT,
            "another row of %s has one of its unique values, and which of the "
            "two is older can't be decided here: %s",
            table->definition->local_name, table->lacks);
        return batch_refuse(batch, row, err);
    }
    if (status == STATUS_OK)
        status = batch->ops->try_row(batch, table, &result, err);
    if (status == STATUS_OK && result == WRITE_DONE && may_be_keyless(table->definition))
        status = find_keyless(batch, table, &result, err);
    if (status == STATUS_OK && result != WRITE_DONE)
        return batch_refuse(batch, row, err);
    if (status == STATUS_OK)
        status =
            batch_was(batch, row->table_id, row->key, row->holding->live, &moved, err);
    if (status == STATUS_OK)
        status = moved_add(batch->moved, &moved, err);
    if (status == STATUS_OK)
        status = batch->ops->keep(batch, table, moved.id, err);
    if (status != STATUS_OK || !row->there)
        return status;
    status = batch_note_gone(batch, table, err);
    return status == STATUS_OK ? batch->ops->remove(batch, table, err) : status;
}

/* ---- beyond the plan */

struct retry {
    struct batch *batch;
    enum status status;
    struct error *err;
};

enum status batch_try(struct batch *batch, uint32_t table, struct bytes key, bool brought,
                      struct error *err)
{
    struct batch_row row = {
        .table_id = table, .key = key, .beyond = true, .brought = brought};
    struct planned planned;
    struct table defined;
    struct row at;
    bool is_winner;
    enum status status;

    row.table = batch_schema_find(batch->schema, table);
    if (row.table == NULL || row.table->left || plan_out_has(batch->range.out, table))
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
    return batch->ops->write(batch, &row, err);
}

static bool visit_quarantined(void *data, uint32_t table, const struct quarantined *row)
{
    struct retry *retry = data;

    if (retry->batch->only != 0 && row->number != retry->batch->only)
        return true;
    retry->status = batch_try(retry->batch, table, row->key, false, retry->err);
    return retry->status == STATUS_OK;
}

enum status batch_retry(struct batch *batch, struct error *err)
{
    struct retry retry = {batch, STATUS_OK, err};
    enum status status = quarantine_visit(batch->txn, 0, visit_quarantined, &retry, err);

    return status == STATUS_OK ? retry.status : status;
}
