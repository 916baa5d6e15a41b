#include "capture/pending.h"

#include "capture/pending_rows.h"
#include "engine/sqlite_database.h"

#include <stdlib.h>

struct pending {
    struct pending_rows rows;        /* newer than what is in scratch */
    struct sqlite_database *scratch; /* inside a transaction that never ends; NULL: there
                                        was no need yet */
    bool spilled;                    /* scratch has rows */
    sqlite3_stmt *put;
    sqlite3_stmt *get;
    sqlite3_stmt *next;
    uint64_t node;
    struct buffer born;
};

/* Pages are kept in memory up to 2 MiB, then in an unnamed file. Nothing is ever undone:
 * after a failure the entry is dropped, and this with it. */
static const char make_sql[] =
    "PRAGMA cache_size = -2000; PRAGMA journal_mode = OFF; BEGIN;"
    "CREATE TABLE pending (\"table\" INTEGER, \"key\" BLOB, definition INTEGER,"
    " born BLOB, image BLOB, PRIMARY KEY (\"table\", \"key\")) WITHOUT ROWID";

static const char put_sql[] =
    "INSERT OR REPLACE INTO pending VALUES (?1, ?2, ?3, ?4, ?5)";
static const char get_sql[] = "SELECT definition, born, image FROM pending"
                              " WHERE \"table\" = ?1 AND \"key\" = ?2";
static const char next_sql[] = "SELECT \"key\" FROM pending WHERE \"table\" = ?1"
                               " AND \"key\" > ?2 AND image IS NOT NULL"
                               " ORDER BY \"key\" LIMIT 1";

enum status pending_open(struct pending **out, uint64_t node, struct error *err)
{
    struct pending *pending = calloc(1, sizeof *pending);

    *out = pending;
    if (pending == NULL)
        return error_set(err, STATUS_NO_MEMORY, "rows of an entry: out of memory");
    pending->node = node;
    return STATUS_OK;
}

static void close_scratch(struct pending *pending)
{
    (void)sqlite3_finalize(pending->put);
    (void)sqlite3_finalize(pending->get);
    (void)sqlite3_finalize(pending->next);
    sqlite_database_close(pending->scratch);
    pending->scratch = NULL;
    pending->put = pending->get = pending->next = NULL;
}

void pending_close(struct pending *pending)
{
    if (pending == NULL)
        return;
    close_scratch(pending);
    pending_rows_release(&pending->rows);
    buffer_release(&pending->born);
    free(pending);
}

enum status pending_clear(struct pending *pending, struct error *err)
{
    pending_rows_clear(&pending->rows);
    if (!pending->spilled)
        return STATUS_OK;
    pending->spilled = false;
    (void)sqlite3_reset(pending->get);
    (void)sqlite3_reset(pending->next);
    return sqlite_execute(pending->scratch, "DELETE FROM pending", err);
}

/* ---- the temporary database */

static enum status open_scratch(struct pending *pending, struct error *err)
{
    struct sqlite_database *scratch;
    enum status status = STATUS_OK;

    if (pending->scratch != NULL)
        return STATUS_OK;
    status = sqlite_scratch_open(&pending->scratch, err);
    scratch = pending->scratch;
    if (status == STATUS_OK)
        status = sqlite_execute(scratch, make_sql, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(scratch, put_sql, &pending->put, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(scratch, get_sql, &pending->get, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(scratch, next_sql, &pending->next, err);
    if (status != STATUS_OK)
        close_scratch(pending);
    return status;
}

static int bind_bytes(sqlite3_stmt *statement, int parameter, struct bytes bytes)
{
    return sqlite3_bind_blob64(statement, parameter,
                               bytes.size > 0 ? (const void *)bytes.data : "", bytes.size,
                               SQLITE_STATIC);
}

/* image: NULL when the row is gone. */
static enum status put(struct pending *pending, uint32_t table, struct bytes key,
                       uint32_t definition, const struct version *born,
                       const struct bytes *image, struct error *err)
{
    sqlite3_stmt *put = pending->put;
    enum status status = STATUS_OK;
    int rc;

    buffer_clear(&pending->born);
    version_put(&pending->born, born);
    status = buffer_check(&pending->born, err);
    if (status != STATUS_OK)
        return status;
    rc = sqlite3_bind_int64(put, 1, table);
    if (rc == SQLITE_OK)
        rc = bind_bytes(put, 2, key);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(put, 3, definition);
    if (rc == SQLITE_OK)
        rc = bind_bytes(put, 4, buffer_view(&pending->born));
    if (rc == SQLITE_OK && image != NULL)
        rc = bind_bytes(put, 5, *image);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(put);
    if (rc != SQLITE_DONE)
        status = sqlite_failed(pending->scratch, "rows of an entry", err);
    (void)sqlite3_reset(put);
    (void)sqlite3_clear_bindings(put);
    return status;
}

/* Move the rows that are in memory. */
static enum status spill(struct pending *pending, struct error *err)
{
    struct pending_rows *rows = &pending->rows;
    enum status status = open_scratch(pending, err);

    if (status != STATUS_OK)
        return status;
    pending->spilled = true;
    for (uint32_t i = 0; i < rows->count && status == STATUS_OK; i++) {
        const struct pending_row *row = &rows->rows[i];
        struct bytes image = pending_row_image(rows, row);

        status = put(pending, row->table, pending_row_key(rows, row), row->definition,
                     &row->born, row->live ? &image : NULL, err);
    }
    if (status == STATUS_OK)
        pending_rows_clear(rows);
    return status;
}

enum status pending_put(struct pending *pending, const struct table *table,
                        const struct change *change, struct error *err)
{
    enum status status = pending_rows_put(&pending->rows, table->id, change, err);

    if (status != STATUS_FULL)
        return status;
    status = spill(pending, err);
    if (status == STATUS_OK)
        status = pending_rows_put(&pending->rows, table->id, change, err);
    if (status != STATUS_FULL)
        return status;
    return put(pending, table->id, change->key, change->definition, &change->born,
               change->op == CHANGE_DELETE ? NULL : &change->image, err);
}

static struct bytes column_bytes(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);

    return (struct bytes){data, (size_t)sqlite3_column_bytes(statement, column)};
}

static enum status get_spilled(struct pending *pending, uint32_t table, struct bytes key,
                               struct row *out, struct error *err)
{
    sqlite3_stmt *get = pending->get;
    struct bytes born;
    int rc;

    (void)sqlite3_reset(get); /* the views of the call before end here */
    rc = sqlite3_bind_int64(get, 1, table);
    if (rc == SQLITE_OK)
        rc = bind_bytes(get, 2, key);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(get);
    if (rc == SQLITE_DONE)
        return STATUS_NOT_FOUND;
    if (rc != SQLITE_ROW)
        return sqlite_failed(pending->scratch, "rows of an entry", err);
    born = column_bytes(get, 1);
    *out = (struct row){
        .key = key,
        .definition_origin = pending->node,
        .definition = (uint32_t)sqlite3_column_int64(get, 0),
        .live = sqlite3_column_type(get, 2) != SQLITE_NULL,
    };
    if (!version_take(&born, &out->born))
        return error_set(err, STATUS_CORRUPT, "rows of an entry: not a version");
    if (out->live)
        out->image = column_bytes(get, 2);
    return STATUS_OK;
}

enum status pending_get(struct pending *pending, uint32_t table, struct bytes key,
                        struct row *out, struct error *err)
{
    const struct pending_row *row = pending_rows_find(&pending->rows, table, key);

    if (row == NULL)
        return pending->spilled ? get_spilled(pending, table, key, out, err)
                                : STATUS_NOT_FOUND;
    *out = (struct row){
        .key = key,
        .definition_origin = pending->node,
        .definition = row->definition,
        .born = row->born,
        .live = row->live,
    };
    if (row->live)
        out->image = pending_row_image(&pending->rows, row);
    return STATUS_OK;
}

/* In order, so from the database: who asks is about to delete all of them. */
enum status pending_next(struct pending *pending, uint32_t table, struct bytes after,
                         struct bytes *key, struct error *err)
{
    sqlite3_stmt *next;
    int rc;

    if (pending->rows.count > 0) {
        enum status status = spill(pending, err);

        if (status != STATUS_OK)
            return status;
    }
    if (!pending->spilled)
        return STATUS_NOT_FOUND;
    next = pending->next;
    (void)sqlite3_reset(next); /* the view of the call before ends here */
    rc = sqlite3_bind_int64(next, 1, table);
    if (rc == SQLITE_OK)
        rc = bind_bytes(next, 2, after);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(next);
    if (rc == SQLITE_DONE)
        return STATUS_NOT_FOUND;
    if (rc != SQLITE_ROW)
        return sqlite_failed(pending->scratch, "rows of an entry", err);
    *key = column_bytes(next, 0);
    return STATUS_OK;
}
