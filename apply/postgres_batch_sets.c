/* Sets of a batch, as they are run: whole, or in parts until the rows to blame, or those
 * that others hold, stand alone. */
#include "apply/postgres_checks.h"
#include "apply/postgres_held.h"
#include "apply/postgres_locked.h"
#include "apply/postgres_sql.h"

#include <stdlib.h>

enum {
    COPY_ROWS_MIN = 16,        /* of fewer nothing is gained */
    COPY_BYTES_MAX = 64 << 20, /* so that what one call sends stays below 2 GiB */
};

/* ---- parts */

/* What goes by COPY fails whole for one row that is there: then the batch begins anew
 * with care, and without. */
static bool is_copied(const struct postgres_batch *batch, const struct postgres_set *set,
                      uint32_t count)
{
    return batch->mode == BATCH_FAST && set->kind == SET_INSERT && set->writer->copies &&
           count >= COPY_ROWS_MIN && set->bytes <= COPY_BYTES_MAX;
}

static enum status run_part(struct postgres_batch *batch,
                            const struct postgres_table *table, struct postgres_set *set,
                            uint32_t first, uint32_t count, uint32_t *written,
                            enum refusal_kind *kind, struct error *err)
{
    struct error ignored;
    enum status status = STATUS_OK;
    bool guarded = batch->mode != BATCH_FAST;

    if (guarded)
        status = postgres_execute(batch->postgres, "SAVEPOINT rowferry_set", err);
    if (status == STATUS_OK && table->own_path)
        status = postgres_execute(batch->postgres, POSTGRES_OWN_PATH, err);
    if (status == STATUS_OK && is_copied(batch, set, count))
        status = postgres_set_copy(set, first, count, written, kind, err);
    else if (status == STATUS_OK)
        status = postgres_set_run(set, first, count, written, kind, err);
    if (status == STATUS_OK && table->own_path)
        status = postgres_execute(batch->postgres, POSTGRES_OUR_PATH, err);
    if (status == STATUS_OK && guarded)
        return postgres_execute(batch->postgres, "RELEASE rowferry_set", err);
    if (guarded && (status == STATUS_CONSTRAINT || *kind == REFUSAL_HELD)) {
        /* When this fails, so will whatever comes next. */
        (void)!postgres_execute(
            batch->postgres, "ROLLBACK TO rowferry_set; RELEASE rowferry_set", &ignored);
    }
    return status;
}

/* So the intent says that its rows are shown. */
static enum status note_shown(struct postgres_batch *batch,
                              const struct postgres_table *table,
                              const struct postgres_set *set, uint32_t first,
                              uint32_t count, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        struct intent_item item = {.kind = INTENT_SHOWN,
                                   .table = table->base.id,
                                   .key = postgres_set_note(set, first + i)};

        status = items_put(batch->base.items, &item, false, err);
    }
    return status;
}

static enum status run_halves(struct postgres_batch *batch, struct postgres_table *table,
                              struct postgres_set *set, uint32_t first, uint32_t count,
                              uint32_t *written, struct error *err);

/* Halves and halves of them, until the rows to blame stand alone. */
static enum status run_rows(struct postgres_batch *batch, struct postgres_table *table,
                            struct postgres_set *set, uint32_t first, uint32_t count,
                            uint32_t *written, struct error *err)
{
    enum refusal_kind kind = REFUSAL_OTHER;
    uint32_t done = 0;
    enum status status = run_part(batch, table, set, first, count, &done, &kind, err);

    *written += done;
    if (status == STATUS_OK && postgres_table_takes_only(table))
        return note_shown(batch, table, set, first, count, err);
    if (kind == REFUSAL_HELD && batch->mode == BATCH_CAREFUL) {
        batch->left += count == 1;
        return count == 1 ? STATUS_OK
                          : run_halves(batch, table, set, first, count, written, err);
    }
    if (status != STATUS_CONSTRAINT)
        return status;
    if ((kind == REFUSAL_UNIQUE || kind == REFUSAL_FOREIGN_KEY) &&
        batch->mode != BATCH_LOCKED)
        return postgres_batch_begin_anew(batch, BATCH_LOCKED, err);
    if (batch->mode == BATCH_FAST)
        return postgres_batch_begin_anew(batch, BATCH_CAREFUL, err);
    if (count == 1 && batch->mode == BATCH_LOCKED)
        return postgres_locked_again(batch, table, postgres_set_note(set, first), err);
    if (count == 1)
        return postgres_batch_refuse(batch, table->base.id, postgres_set_note(set, first),
                                     err);
    return run_halves(batch, table, set, first, count, written, err);
}

static enum status run_halves(struct postgres_batch *batch, struct postgres_table *table,
                              struct postgres_set *set, uint32_t first, uint32_t count,
                              uint32_t *written, struct error *err)
{
    enum status status = run_rows(batch, table, set, first, count / 2, written, err);

    if (status == STATUS_OK)
        status = run_rows(batch, table, set, first + count / 2, count - count / 2,
                          written, err);
    return status;
}

/* The rows that nobody else holds. Of inserts the server alone knows who makes the same
 * ones: they find out, each after a short wait. */
static enum status run_free(struct postgres_batch *batch, struct postgres_table *table,
                            struct postgres_set *set, uint32_t *written,
                            struct error *err)
{
    bool *free_rows = NULL, held = false;
    uint32_t count = 0;
    enum status status = postgres_held_tables(batch, table, &held, err);

    if (status == STATUS_OK && held)
        batch->left += set->count;
    if (status != STATUS_OK || held)
        return status;
    if (set->kind == SET_INSERT || set->kind == SET_UPSERT)
        return run_rows(batch, table, set, 0, set->count, written, err);
    free_rows = calloc((size_t)set->count + 1, sizeof *free_rows);
    if (free_rows == NULL)
        return error_set(err, STATUS_NO_MEMORY, "apply: out of memory");
    status = postgres_held_rows(set, free_rows, &count, err);
    batch->left += count;
    for (uint32_t i = 0, end; i < set->count && status == STATUS_OK; i = end + 1) {
        for (end = i; end < set->count && free_rows[end];)
            end++;
        if (end > i)
            status = run_rows(batch, table, set, i, end - i, written, err);
    }
    free(free_rows);
    return status;
}

static bool sets_parent_column(const struct postgres_set *set,
                               const struct foreign_key *key)
{
    const struct definition *definition = set->writer->definition;

    for (uint32_t i = 0; i < key->column_count; i++) {
        int32_t column = definition_find_column(definition, key->parent_columns[i]);
        int32_t place =
            column < 0 ? -1 : definition_image_place(definition, (uint32_t)column);

        if (place < 0 || set->settable[place])
            return true;
    }
    return false;
}

/* Which foreign keys some child may not satisfy now. */
static enum status look_at_keys(const struct postgres_batch *batch,
                                struct postgres_table *table, struct postgres_set *set,
                                struct error *err)
{
    bool wait = batch->mode == BATCH_FAST;
    enum status status = STATUS_OK;
    bool holds = true;

    for (struct batch_foreign *at = table->base.as_child;
         at != NULL && status == STATUS_OK && set->kind != SET_DELETE;
         at = at->next_of_child) {
        struct postgres_foreign *foreign = postgres_foreign_of(at);

        if (foreign->suspect && (wait || foreign->unsure))
            continue;
        status = postgres_checks_parents(foreign, set, wait, &holds, err);
        foreign->suspect = foreign->suspect || (status == STATUS_OK && !holds);
        foreign->unsure = foreign->unsure || (!wait && !holds);
    }
    for (struct batch_foreign *at = table->base.as_parent;
         at != NULL && status == STATUS_OK; at = at->next_of_parent) {
        struct postgres_foreign *foreign = postgres_foreign_of(at);

        if (foreign->suspect || set->kind == SET_INSERT)
            continue;
        holds = set->kind != SET_DELETE && !sets_parent_column(set, at->key);
        if (set->kind == SET_DELETE)
            status = postgres_checks_children(foreign, set, &holds, err);
        foreign->suspect = status == STATUS_OK && !holds;
    }
    return status;
}

enum status postgres_batch_run(struct postgres_batch *batch, struct postgres_table *table,
                               struct postgres_set *set, uint32_t *written,
                               struct error *err)
{
    enum status status;

    bool locked = batch->mode == BATCH_LOCKED;

    *written = 0;
    status = locked ? postgres_locked_before(table, set, err) : STATUS_OK;
    if (status == STATUS_OK && batch->mode == BATCH_CAREFUL)
        status = run_free(batch, table, set, written, err);
    else if (status == STATUS_OK)
        status = run_rows(batch, table, set, 0, set->count, written, err);
    if (status == STATUS_OK && *written > 0)
        status = locked ? postgres_locked_after(batch, table, set, err)
                        : look_at_keys(batch, table, set, err);
    batch->whole = batch->whole && *written == set->count;
    batch->base.counts->rows += *written;
    return status;
}
