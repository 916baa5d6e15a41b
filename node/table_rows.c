#include "node/table_rows.h"

#include "engine/postgres_stored.h"
#include "engine/sqlite_row.h"
#include "engine/sqlite_stored.h"
#include "log/change.h"

#include <assert.h>
#include <stdlib.h>

static enum status prepare(struct table_rows *rows, struct error *err)
{
    const struct definition *definition = rows->definition;
    struct buffer sql;
    enum status status;

    buffer_init(&sql);
    buffer_put_bytes(&sql, bytes_of_text("SELECT "));
    for (uint32_t i = 0; i < definition->stored_count; i++) {
        buffer_put_bytes(&sql, bytes_of_text(i > 0 ? ", r." : "r."));
        sqlite_put_quoted(&sql, definition->columns[rows->columns[i]].name);
    }
    buffer_put_bytes(&sql, bytes_of_text(" FROM main."));
    sqlite_put_quoted(&sql, definition->local_name);
    buffer_put_bytes(&sql, bytes_of_text(" AS r"));
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(rows->sqlite, (const char *)sql.data, &rows->rows, err);
    buffer_release(&sql);
    return status;
}

static enum status open_sqlite(struct table_rows *rows, struct error *err)
{
    enum status status = prepare(rows, err);

    return status == STATUS_OK ? sqlite_comparer_open(&rows->comparer, rows->sqlite,
                                                      rows->definition, err)
                               : status;
}

static enum status open_postgres(struct table_rows *rows, struct database *database,
                                 struct error *err)
{
    struct postgres *asked = NULL;
    struct stored *stored = NULL;
    enum status status = database_postgres_asked(database, &asked, err);

    if (status == STATUS_OK)
        status = postgres_stored_open(&stored, asked, rows->definition, err);
    if (status == STATUS_OK)
        status = row_comparer_open(&rows->comparer, stored, rows->definition, err);
    return status == STATUS_OK
               ? postgres_reader_open(&rows->reader, database_postgres(database),
                                      rows->definition, err)
               : status;
}

enum status table_rows_init(struct table_rows *rows, struct database *database,
                            const struct definition *definition, struct error *err)
{
    size_t count = definition->stored_count;
    uint32_t place = 0;

    *rows = (struct table_rows){.definition = definition,
                                .sqlite = database_sqlite(database)};
    rows->values = calloc(count, sizeof *rows->values);
    rows->columns = calloc(count, sizeof *rows->columns);
    rows->changed = calloc(count, sizeof *rows->changed);
    if (rows->values == NULL || rows->columns == NULL || rows->changed == NULL)
        return error_set(err, STATUS_NO_MEMORY, "read a table: out of memory");
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (definition->columns[i].generated == GENERATED_NO)
            rows->columns[place++] = i;
    assert(place == definition->stored_count);
    return rows->sqlite != NULL ? open_sqlite(rows, err)
                                : open_postgres(rows, database, err);
}

void table_rows_release(struct table_rows *rows)
{
    postgres_reader_close(rows->reader);
    row_comparer_close(rows->comparer);
    (void)sqlite3_finalize(rows->rows);
    free(rows->values);
    free(rows->columns);
    free(rows->changed);
    buffer_release(&rows->key);
    buffer_release(&rows->image);
    buffer_release(&rows->before);
}

/* One row's values. NOT_FOUND: there is none left. */
static enum status take_values(struct table_rows *rows, struct error *err)
{
    enum status status = STATUS_OK;
    int rc;

    if (rows->sqlite == NULL)
        return postgres_reader_next(rows->reader, rows->values, err);
    rc = sqlite3_step(rows->rows);
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? STATUS_NOT_FOUND
                                 : sqlite_failed(rows->sqlite, "read a table", err);
    for (uint32_t i = 0; status == STATUS_OK && i < rows->definition->stored_count; i++)
        status = sqlite_column_value(rows->rows, (int)i, &rows->values[i], err);
    return status;
}

enum status table_rows_next(struct table_rows *rows, struct error *err)
{
    enum status status;

    do {
        status = take_values(rows, err);
        if (status != STATUS_OK)
            return status;
        buffer_clear(&rows->key);
        status = image_key(&rows->key, rows->values, rows->definition, err);
    } while (status == STATUS_REFUSED); /* a NULL in its key */
    return status == STATUS_OK ? buffer_check(&rows->key, err) : status;
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
