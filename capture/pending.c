#include "capture/pending.h"

#include "engine/sqlite_database.h"

#include <stdlib.h>

struct pending {
    struct sqlite_database *scratch; /* inside a transaction that never ends */
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

static enum status prepare(struct pending *pending, struct error *err)
{
    struct sqlite_database *scratch = pending->scratch;
    enum status status = sqlite_execute(scratch, make_sql, err);

    if (status == STATUS_OK)
        status = sqlite_prepare(scratch, put_sql, &pending->put, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(scratch, get_sql, &pending->get, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(scratch, next_sql, &pending->next, err);
    return status;
}

enum status pending_open(struct pending **out, uint64_t node, struct error *err)
{
    struct pending *pending = calloc(1, sizeof *pending);
    enum status status;

    *out = NULL;
    if (pending == NULL)
        return error_set(err, STATUS_NO_MEMORY, "rows of an entry: out of memory");
    pending->node = node;
    status = sqlite_scratch_open(&pending->scratch, err);
    if (status == STATUS_OK)
        status = prepare(pending, err);
    if (status != STATUS_OK) {
        pending_close(pending);
        return status;
    }
    *out = pending;
    return STATUS_OK;
}

void pending_close(struct pending *pending)
{
    if (pending == NULL)
        return;
    (void)sqlite3_finalize(pending->put);
    (void)sqlite3_finalize(pending->get);
    (void)sqlite3_finalize(pending->next);
    sqlite_database_close(pending->scratch);
    buffer_release(&pending->born);
    free(pending);
}

enum status pending_clear(struct pending *pending, struct error *err)
{
    (void)sqlite3_reset(pending->get);
    (void)sqlite3_reset(pending->next);
    return sqlite_execute(pending->scratch, "DELETE FROM pending", err);
}

static int bind_bytes(sqlite3_stmt *statement, int parameter, struct bytes bytes)
{
    return sqlite3_bind_blob64(statement, parameter,
                               bytes.size > 0 ? (const void *)bytes.data : "", bytes.size,
                               SQLITE_STATIC);
}

enum status pending_put(struct pending *pending, const struct table *table,
                        const struct change *change, struct error *err)
{
    sqlite3_stmt *put = pending->put;
    enum status status = STATUS_OK;
    int rc;

    buffer_clear(&pending->born);
    version_put(&pending->born, &change->born);
    status = buffer_check(&pending->born, err);
    if (status != STATUS_OK)
        return status;
    rc = sqlite3_bind_int64(put, 1, table->id);
    if (rc == SQLITE_OK)
        rc = bind_bytes(put, 2, change->key);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(put, 3, change->definition);
    if (rc == SQLITE_OK)
        rc = bind_bytes(put, 4, buffer_view(&pending->born));
    if (rc == SQLITE_OK && change->op != CHANGE_DELETE)
        rc = bind_bytes(put, 5, change->image);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(put);
    if (rc != SQLITE_DONE)
        status = sqlite_failed(pending->scratch, "rows of an entry", err);
    (void)sqlite3_reset(put);
    (void)sqlite3_clear_bindings(put);
    return status;
}

static struct bytes column_bytes(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);

    return (struct bytes){data, (size_t)sqlite3_column_bytes(statement, column)};
}

enum status pending_get(struct pending *pending, uint32_t table, struct bytes key,
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

enum status pending_next(struct pending *pending, uint32_t table, struct bytes after,
                         struct bytes *key, struct error *err)
{
    sqlite3_stmt *next = pending->next;
    int rc;

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
