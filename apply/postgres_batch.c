#include "apply/postgres_batch.h"

#include "apply/postgres_checks.h"
#include "apply/postgres_locked.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_BYTES_MAX = 16 << 20 }; /* in all sets together */

void postgres_batch_release(struct postgres_batch *batch)
{
    for (size_t i = 0; i < batch->schema->base.count; i++) {
        for (struct postgres_set *set = batch->schema->tables[i].sets; set != NULL;
             set = set->next)
            postgres_set_clear(set);
    }
    for (size_t i = 0; i < batch->schema->base.count; i++) {
        batch->schema->tables[i].base.left = false;
        batch->schema->tables[i].hold = HOLD_UNKNOWN;
    }
    for (uint32_t i = 0; i < batch->schema->base.foreign_count; i++)
        batch->schema->foreigns[i].suspect = batch->schema->foreigns[i].unsure = false;
    free(batch->parks_in);
    buffer_release(&batch->note);
    buffer_release(&batch->repair_next);
    batch_release(&batch->base);
}

/* ---- refusals */

enum status postgres_batch_begin_anew(struct postgres_batch *batch, enum batch_mode need,
                                      struct error *err)
{
    assert(need > batch->mode);
    batch->need = need;
    return error_set(err, STATUS_CONSTRAINT, "the batch begins anew");
}

enum status postgres_batch_refuse(struct postgres_batch *batch, uint32_t table,
                                  struct bytes key, struct error *err)
{
    struct error message = *err;
    struct planned planned;
    struct row row;
    bool is_winner, beyond;
    enum status status =
        plan_find(batch->base.txn, batch->base.range, table, key, &planned, err);

    beyond = status == STATUS_NOT_FOUND;
    if (beyond) {
        status = plan_row_at(batch->base.txn, batch->base.range.to, table, key, &row,
                             &is_winner, err);
        planned.version = row.version;
    }
    if (status != STATUS_OK)
        return status;
    batch->whole = false;
    *err = message;
    return batch_note_refused(&batch->base, table, key, &planned.version, beyond, false,
                              err);
}

/* ---- sets */

static enum status flush(struct postgres_batch *batch, struct postgres_table *table,
                         struct postgres_set *set, struct error *err)
{
    uint32_t written;
    enum status status = STATUS_OK;

    if (set->count > 0)
        status = postgres_batch_run(batch, table, set, &written, err);
    batch->bytes -= set->bytes;
    postgres_set_clear(set);
    return status;
}

/* Parents before their children, or (deletes) the other way round. */
static enum status flush_all(struct postgres_batch *batch, bool children_first,
                             struct error *err)
{
    const struct batch_schema *schema = &batch->schema->base;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < schema->count && status == STATUS_OK; i++) {
        size_t at = children_first ? schema->count - 1 - i : i;
        struct postgres_table *table = postgres_table_of(schema->by_group[at]);

        for (struct postgres_set *set = table->sets; set != NULL && status == STATUS_OK;
             set = set->next)
            status = flush(batch, table, set, err);
    }
    return status;
}

/* What the row is called when something has to be said of it: its key. */
static enum status add(struct postgres_batch *batch, struct postgres_set *set,
                       const struct planned *planned, struct error *err)
{
    enum write_result result;
    size_t before;
    bool deletes;
    enum status status;

    assert(set != NULL);
    before = set->bytes;
    deletes = set->kind == SET_DELETE;
    status = postgres_set_add(set, planned->key, &result, err);
    if (status != STATUS_OK)
        return status;
    batch->bytes += set->bytes - before;
    if (result != WRITE_DONE)
        return postgres_batch_refuse(batch, planned->table.id, planned->key, err);
    /* Others first where they may be its parents or children. */
    return postgres_set_is_full(set) || batch->bytes > BATCH_BYTES_MAX
               ? flush_all(batch, deletes, err)
               : STATUS_OK;
}

static void choose_columns(const struct postgres_writer *writer, bool *columns)
{
    for (uint32_t i = 0; i < writer->definition->stored_count; i++)
        columns[i] = writer->values[i].type != VALUE_ABSENT;
}

static bool any_fixed(const struct postgres_writer *writer, const bool *columns)
{
    for (uint32_t i = 0; i < writer->definition->stored_count; i++)
        if (columns[i] && postgres_writer_is_fixed(writer, i))
            return true;
    return false;
}

static enum status find_set(struct postgres_batch *batch, struct postgres_table *table,
                            enum set_kind kind, const bool *columns,
                            struct postgres_set **out, struct error *err)
{
    const struct postgres_guard *guard =
        batch->mode == BATCH_LOCKED || postgres_table_takes_only(table) ? NULL
                                                                        : batch->guard;
    enum status status = postgres_schema_set(table, kind, columns, guard, out, err);

    if (status != STATUS_NOT_FOUND)
        return status;
    status = flush_all(batch, kind == SET_DELETE, err);
    postgres_schema_shrink(table);
    return status == STATUS_OK
               ? postgres_schema_set(table, kind, columns, guard, out, err)
               : status;
}

enum status postgres_batch_choose_set(struct postgres_batch *batch,
                                      struct postgres_table *table, bool live,
                                      const struct row *holding,
                                      struct postgres_set **out, struct error *err)
{
    struct postgres_writer *writer = table->writer;
    uint32_t count = writer->definition->stored_count;
    bool *columns = calloc((size_t)count + 1, sizeof *columns);
    bool differs = false;
    struct table held;
    enum status status = STATUS_OK;

    if (columns == NULL)
        return error_set(err, STATUS_NO_MEMORY, "apply: out of memory");
    if (!live) {
        status = find_set(batch, table, SET_DELETE, columns, out, err);
        free(columns);
        return status;
    }
    if (holding->live && !postgres_table_takes_only(table)) {
        status = tables_find(batch->base.txn, holding->definition_origin,
                             holding->definition, &held, err);
        if (status == STATUS_OK)
            status = postgres_writer_differ(writer, held.definition, holding->image,
                                            holding->key, columns, &differs, err);
    }
    if (!differs)
        choose_columns(writer, columns);
    *out = NULL;
    if (status == STATUS_OK && (differs || postgres_table_takes_only(table)) &&
        any_fixed(writer, columns)) {
        free(columns);
        return batch->mode == BATCH_LOCKED
                   ? STATUS_OK
                   : postgres_batch_begin_anew(batch, BATCH_LOCKED, err);
    }
    if (status == STATUS_OK) {
        status = find_set(batch, table,
                          postgres_table_takes_only(table) ? SET_UPSERT
                          : holding->live                  ? SET_UPDATE
                                                           : SET_INSERT,
                          columns, out, err);
    }
    free(columns);
    return status;
}

/* ---- the plan */

/* What a row that comes back from being parked had in columns that only this table has.
 */
static enum status carry(struct postgres_batch *batch, struct postgres_table *table,
                         const struct planned *planned, struct error *err)
{
    struct batch_row row = {.table_id = planned->table.id,
                            .table = &table->base,
                            .key = planned->key,
                            .holding = &planned->holding};
    bool carried;

    if (planned->holding.live || batch->base.parked == 0)
        return STATUS_OK;
    return batch_carry(&batch->base, &row, &carried, err);
}

static enum status write_row(struct postgres_batch *batch, const struct planned *planned,
                             struct error *err)
{
    struct postgres_table *table = postgres_schema_find(batch->schema, planned->table.id);
    enum write_result result = WRITE_DONE;
    struct postgres_set *set = NULL;
    enum status status;

    if (table == NULL) {
        (void)error_set(err, STATUS_CONSTRAINT, "relation \"%s\" does not exist",
                        planned->table.definition->name);
        return postgres_batch_refuse(batch, planned->table.id, planned->key, err);
    }
    if (batch->mode != BATCH_LOCKED &&
        (table->probed || batch->parks_in[table->component]))
        return postgres_batch_begin_anew(batch, BATCH_LOCKED, err);
    if (table->base.left) {
        batch->whole = false;
        return STATUS_OK;
    }
    if (batch->mode == BATCH_LOCKED) {
        /* Even a row that is not there: it may have been parked, with claims. */
        batch->base.changed[table->base.group] = true;
        if (postgres_locked_is_single(table))
            return postgres_locked_planned(batch, planned, err);
    }
    if (!planned->live && !planned->holding.live && !postgres_table_takes_only(table)) {
        batch->whole = false; /* nobody will tell it */
        return STATUS_OK;
    }
    status = postgres_schema_writer(batch->schema, table, err);
    if (status == STATUS_OK && planned->live) {
        status = postgres_writer_map(table->writer, planned->table.definition,
                                     planned->image, planned->key, &result, err);
    } else if (status == STATUS_OK) {
        status = postgres_writer_key(table->writer, planned->table.definition,
                                     planned->key, &result, err);
    }
    if (status == STATUS_OK && result != WRITE_DONE)
        return postgres_batch_refuse(batch, planned->table.id, planned->key, err);
    if (status == STATUS_OK && batch->mode == BATCH_LOCKED && planned->live)
        status = carry(batch, table, planned, err);
    if (status == STATUS_OK)
        status = postgres_batch_choose_set(batch, table, planned->live, &planned->holding,
                                           &set, err);
    if (status == STATUS_OK && set == NULL)
        return postgres_locked_planned(batch, planned, err);
    return status == STATUS_OK ? add(batch, set, planned, err) : status;
}

static bool wants(void *data, const struct table *table, bool live)
{
    const bool *wanted = data;

    (void)table;
    return live == *wanted;
}

static enum status run_pass(struct postgres_batch *batch, struct plan_cursor *cursor,
                            bool live, struct error *err)
{
    struct planned planned;
    enum status status = STATUS_OK;

    plan_filter(cursor, wants, &live);
    /* Where rows refer to others, in the order in which they were made. */
    plan_restart(cursor, batch->schema->base.foreign_count > 0);
    while (status == STATUS_OK) {
        status = plan_next(cursor, &planned, err);
        if (status != STATUS_OK)
            break;
        status = write_row(batch, &planned, err);
        /* Only the plan itself says that it has ended. */
        if (status == STATUS_NOT_FOUND)
            return error_wrap(err, STATUS_IO, "apply");
        progress_add(batch->base.progress, 1);
    }
    return status == STATUS_NOT_FOUND ? flush_all(batch, !live, err) : status;
}

enum status postgres_batch_write_plan(struct postgres_batch *batch, struct error *err)
{
    struct plan_cursor *cursor = NULL;
    enum status status = plan_open(&cursor, batch->base.txn, batch->base.range, err);

    batch->whole = true;
    if (status == STATUS_OK)
        status = run_pass(batch, cursor, false, err);
    if (status == STATUS_OK)
        status = run_pass(batch, cursor, true, err);
    plan_close(cursor);
    return status;
}

enum status postgres_batch_check(struct postgres_batch *batch, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < batch->schema->base.foreign_count && status == STATUS_OK;
         i++) {
        struct postgres_foreign *foreign = &batch->schema->foreigns[i];
        bool holds = true;

        if (!foreign->suspect)
            continue;
        /* A parent that is held may go yet. */
        holds = !foreign->unsure;
        if (holds)
            status = postgres_checks_all(foreign, &holds, err);
        foreign->suspect = !holds;
        if (status == STATUS_OK && !holds)
            status = postgres_batch_begin_anew(batch, BATCH_LOCKED, err);
    }
    return status;
}
