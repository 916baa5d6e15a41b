#include "node/table_rows.h"

#include "engine/sqlite_row.h"
#include "engine/sqlite_stored.h"
#include "log/change.h"

#include <assert.h>
#include <stdlib.h>

static enum status prepare(struct table_rows *rows, struct error *err)
{
    const struct definition *definition = rows->definition;
    struct buffer sql;
    uint32_t count = 0;
    enum status status;

    buffer_init(&sql);
    buffer_put_bytes(&sql, bytes_of_text("SELECT "));
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        buffer_put_bytes(&sql, bytes_of_text(count > 0 ? ", r." : "r."));
        sqlite_put_quoted(&sql, definition->columns[i].name);
        rows->columns[count++] = i;
    }
    assert(count == definition->stored_count);
    buffer_put_bytes(&sql, bytes_of_text(" FROM main."));
    sqlite_put_quoted(&sql, definition->local_name);
    buffer_put_bytes(&sql, bytes_of_text(" AS r"));
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(rows->database, (const char *)sql.data, &rows->rows, err);
    buffer_release(&sql);
    return status;
}

enum status table_rows_init(struct table_rows *rows, struct sqlite_database *database,
                            const struct definition *definition, struct error *err)
{
    size_t count = definition->stored_count;
    enum status status;

    *rows = (struct table_rows){.definition = definition, .database = database};
    rows->values = calloc(count, sizeof *rows->values);
    rows->columns = calloc(count, sizeof *rows->columns);
    rows->changed = calloc(count, sizeof *rows->changed);
    if (rows->values == NULL || rows->columns == NULL || rows->changed == NULL)
        return error_set(err, STATUS_NO_MEMORY, "read a table: out of memory");
    status = prepare(rows, err);
    return status == STATUS_OK
               ? sqlite_comparer_open(&rows->comparer, database, definition, err)
               : status;
}

void table_rows_release(struct table_rows *rows)
{
    row_comparer_close(rows->comparer);
    (void)sqlite3_finalize(rows->rows);
    free(rows->values);
    free(rows->columns);
    free(rows->changed);
    buffer_release(&rows->key);
    buffer_release(&rows->image);
    buffer_release(&rows->before);
}

enum status table_rows_next(struct table_rows *rows, struct error *err)
{
    int rc;

    while ((rc = sqlite3_step(rows->rows)) == SQLITE_ROW) {
        enum status status = STATUS_OK;

        for (uint32_t i = 0; status == STATUS_OK && i < rows->definition->stored_count;
             i++)
            status = sqlite_column_value(rows->rows, (int)i, &rows->values[i], err);
        buffer_clear(&rows->key);
        if (status == STATUS_OK)
            status = image_key(&rows->key, rows->values, rows->definition, err);
        if (status == STATUS_REFUSED)
            continue; /* a NULL in its key */
        return status == STATUS_OK ? buffer_check(&rows->key, err) : status;
    }
    return rc == SQLITE_DONE ? STATUS_NOT_FOUND
                             : sqlite_failed(rows->database, "read a table", err);
}

/* The changed columns that the writer of the image had too. */
static enum status take_changed(struct table_rows *rows, const struct definition *written,
                                struct error *err)
{
    struct bytes before = buffer_view(&rows->before);

    while (before.size > 0) {
        struct value value;
        uint32_t place, column;
        int32_t theirs;
        enum status status = change_take_before(&before, &place, &value, err);

        if (status != STATUS_OK)
            return status;
        assert(place < rows->definition->stored_count);
        column = rows->columns[place];
        theirs = definition_map_column(rows->definition, column, written);
        if (theirs >= 0 && written->columns[theirs].generated == GENERATED_NO)
            rows->changed[rows->changed_count++] = column;
    }
    return STATUS_OK;
}

enum status table_rows_compare(struct table_rows *rows, struct bytes image,
                               const struct definition *written, struct error *err)
{
    bool changed = false;
    enum status status;

    rows->changed_count = 0;
    buffer_clear(&rows->image);
    buffer_clear(&rows->before);
    status = row_compare_held(rows->comparer, buffer_view(&rows->key), image, written,
                              rows->values, &changed, &rows->image, &rows->before, err);
    return status == STATUS_OK && changed ? take_changed(rows, written, err) : status;
}

enum status table_rows_lacking(struct table_rows *rows, struct bytes image,
                               const struct definition *written, struct buffer *rest,
                               struct error *err)
{
    bool lacking;

    return row_compare_lacking(rows->comparer, buffer_view(&rows->key), image, written,
                               NULL, &lacking, rest, err);
}
