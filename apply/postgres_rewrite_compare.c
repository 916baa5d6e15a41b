/* Which rows of the database are not as the log has them: each table is read once, as a
 * scan reads it; where it lacks rows, each that should be there is asked for. */
#include "apply/postgres_rewrite_private.h"

#include "engine/postgres_reader.h"
#include "engine/postgres_stored.h"

#include <stdlib.h>

static void watch(struct postgres_rewrite *rewrite, const char *step)
{
    const struct batch *batch = &rewrite->batch->base;

    progress_begin(batch->progress, store_progress(batch->store),
                   &(struct progress_state){.step = step,
                                            .part = rewrite->table->base.definition->name,
                                            .unit = PROGRESS_ROWS});
}

enum status postgres_rewrite_wanted(struct postgres_rewrite *rewrite, uint32_t table,
                                    struct bytes key, struct row *out, struct error *err)
{
    const struct batch *batch = &rewrite->batch->base;
    bool from_held;
    enum status status;

    status = plan_out_has(batch->range.out, table)
                 ? rows_holding(batch->txn, table, key, out, &from_held, err)
                 : rows_get(batch->txn, table, key, out, err);
    return status == STATUS_OK && !out->live ? STATUS_NOT_FOUND : status;
}

static enum status note(struct postgres_rewrite *rewrite, enum rewrite_found what,
                        struct bytes key, struct error *err)
{
    struct suspect row = {rewrite->table->base.id, key};

    return suspects_add(rewrite->found, what, &row, err);
}

/* *differs: in a column that is here; or the row has a value for one that is not, which
 * the database is to refuse, as it refuses it of a batch. */
static enum status compare(struct postgres_rewrite *rewrite, const struct row *wanted,
                           bool *differs, struct error *err)
{
    struct table from;
    enum status status = tables_find(rewrite->batch->base.txn, wanted->definition_origin,
                                     wanted->definition, &from, err);

    buffer_clear(&rewrite->image);
    buffer_clear(&rewrite->before);
    if (status == STATUS_OK) {
        status = row_compare_held(rewrite->comparer, wanted->key, wanted->image,
                                  from.definition, rewrite->values, differs,
                                  &rewrite->image, &rewrite->before, err);
    }
    if (status == STATUS_OK && !*differs) {
        status =
            row_compare_lacking(rewrite->comparer, wanted->key, wanted->image,
                                from.definition, NULL, differs, &rewrite->image, err);
    }
    return status;
}

/* One row of the database. */
static enum status look_at(struct postgres_rewrite *rewrite, struct error *err)
{
    const struct batch_table *table = &rewrite->table->base;
    struct row wanted;
    bool differs = false;
    enum status status;

    buffer_clear(&rewrite->key);
    status = image_key(&rewrite->key, rewrite->values, table->definition, err);
    if (status == STATUS_REFUSED) /* a row with NULL in its key: not replicated */
        return STATUS_OK;
    if (status == STATUS_OK)
        status = buffer_check(&rewrite->key, err);
    if (status == STATUS_OK)
        status = postgres_rewrite_wanted(rewrite, table->id, buffer_view(&rewrite->key),
                                         &wanted, err);
    if (status == STATUS_NOT_FOUND)
        return note(rewrite, FOUND_STRANGE, buffer_view(&rewrite->key), err);
    if (status == STATUS_OK)
        status = compare(rewrite, &wanted, &differs, err);
    rewrite->matched++;
    return status == STATUS_OK && differs
               ? note(rewrite, FOUND_DIFFERS, buffer_view(&rewrite->key), err)
               : status;
}

static enum status read_table(struct postgres_rewrite *rewrite, struct error *err)
{
    struct postgres_reader *reader = NULL;
    enum status status = postgres_reader_open(&reader, rewrite->batch->postgres,
                                              rewrite->table->base.definition, err);

    watch(rewrite, "compare");
    while (status == STATUS_OK) {
        status = postgres_reader_next(reader, rewrite->values, err);
        if (status != STATUS_OK)
            break;
        status = look_at(rewrite, err);
        progress_add(rewrite->batch->base.progress, 1);
    }
    postgres_reader_close(reader);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Walk the rows that the table should have: count them, or note those that are missing.
 */
static enum status walk(struct postgres_rewrite *rewrite, bool only_count,
                        uint64_t *count, struct error *err)
{
    const struct batch_table *table = &rewrite->table->base;
    struct row_cursor *cursor = NULL;
    struct row row, wanted;
    enum status status =
        row_cursor_open(&cursor, rewrite->batch->base.txn, table->id, false, err);

    *count = 0;
    while (status == STATUS_OK) {
        bool there = true;

        status = row_cursor_next(cursor, &row, err);
        if (status != STATUS_OK)
            break;
        status = postgres_rewrite_wanted(rewrite, table->id, row.key, &wanted, err);
        if (status == STATUS_NOT_FOUND) {
            status = STATUS_OK;
            continue;
        }
        ++*count;
        if (status == STATUS_OK && !only_count)
            status = postgres_reader_find(rewrite->batch->postgres, table->definition,
                                          row.key, &there, err);
        if (status == STATUS_OK && !there)
            status = note(rewrite, FOUND_DIFFERS, row.key, err);
    }
    row_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status open_table(struct postgres_rewrite *rewrite, struct error *err)
{
    const struct definition *definition = rewrite->table->base.definition;
    struct stored *stored = NULL;
    enum status status = postgres_stored_open(&stored, rewrite->asked, definition, err);

    if (status == STATUS_OK)
        status = row_comparer_open(&rewrite->comparer, stored, definition, err);
    rewrite->values = calloc((size_t)definition->stored_count + 1, sizeof(struct value));
    rewrite->matched = 0;
    if (status == STATUS_OK && rewrite->values == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "resync: out of memory");
    return status;
}

static void close_table(struct postgres_rewrite *rewrite)
{
    row_comparer_close(rewrite->comparer);
    rewrite->comparer = NULL;
    free(rewrite->values);
    rewrite->values = NULL;
}

static enum status compare_table(struct postgres_rewrite *rewrite, struct error *err)
{
    uint64_t count = 0;
    enum status status = open_table(rewrite, err);

    if (status == STATUS_OK)
        status = read_table(rewrite, err);
    if (status == STATUS_OK)
        status = walk(rewrite, true, &count, err);
    if (status == STATUS_OK && count != rewrite->matched)
        status = walk(rewrite, false, &count, err);
    close_table(rewrite);
    return status == STATUS_OK
               ? status
               : error_wrap(err, status, rewrite->table->base.definition->name);
}

enum status postgres_rewrite_compare(struct postgres_rewrite *rewrite, struct error *err)
{
    struct postgres_schema *schema = rewrite->batch->schema;
    enum status status = STATUS_OK;

    for (size_t i = 0; i < schema->base.count && status == STATUS_OK; i++) {
        rewrite->table = &schema->tables[i];
        if (rewrite->table->base.id != 0) /* else nobody has logged it yet */
            status = compare_table(rewrite, err);
    }
    return status;
}

void postgres_rewrite_release(struct postgres_rewrite *rewrite)
{
    close_table(rewrite);
    buffer_release(&rewrite->key);
    buffer_release(&rewrite->image);
    buffer_release(&rewrite->before);
}
