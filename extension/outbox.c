#include "extension/outbox.h"

#include "engine/sqlite_outbox.h"
#include "extension/session_table.h"

#include <assert.h>
#include <stddef.h>

void outbox_init(struct outbox *outbox, sqlite3 *db)
{
    *outbox = (struct outbox){.db = db, .prepared = -1};
}

void outbox_release(struct outbox *outbox)
{
    (void)sqlite3_finalize(outbox->position);
    (void)sqlite3_finalize(outbox->schema);
    (void)sqlite3_finalize(outbox->insert);
    (void)sqlite3_finalize(outbox->last);
    (void)sqlite3_finalize(outbox->take_part);
    outbox_init(outbox, outbox->db);
}

static int prepare(struct outbox *outbox, sqlite3_stmt **statement, const char *sql)
{
    if (*statement != NULL)
        return SQLITE_OK;
    return sqlite3_prepare_v3(outbox->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement,
                              NULL);
}

/* Step to the one row that a query has. */
static int first_row(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement);

    assert(rc != SQLITE_OK);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

/* Whether rowferry_state is there. A missing table is no reason to fail: it appears with
 * `rowferry init`, which the host does not wait for. */
static bool is_ours(struct outbox *outbox)
{
    return sqlite3_table_column_metadata(outbox->db, "main", "rowferry_state", NULL, NULL,
                                         NULL, NULL, NULL, NULL) == SQLITE_OK;
}

/* The one number that a query gives. */
static int look_at(struct outbox *outbox, sqlite3_stmt **statement, const char *sql,
                   int64_t *number)
{
    int rc = prepare(outbox, statement, sql);

    if (rc == SQLITE_OK)
        rc = first_row(*statement);
    if (rc == SQLITE_OK)
        *number = sqlite3_column_int64(*statement, 0);
    (void)sqlite3_reset(*statement);
    return rc;
}

/* SQLite prepares a statement anew that finds another schema version than before: as long
 * as it has not done so with the one that was just run, the version is the same. */
static int look_at_schema(struct outbox *outbox)
{
    int prepared = sqlite3_stmt_status(outbox->position, SQLITE_STMTSTATUS_REPREPARE, 0);
    int rc;

    if (prepared == outbox->prepared)
        return SQLITE_OK;
    rc = look_at(outbox, &outbox->schema, "PRAGMA main.schema_version", &outbox->version);
    outbox->prepared = rc == SQLITE_OK ? prepared : -1;
    return rc;
}

int outbox_look(struct outbox *outbox, int64_t *position, int64_t *schema)
{
    int rc;

    if (outbox->position == NULL && !is_ours(outbox))
        return SQLITE_DONE;
    rc = look_at(outbox, &outbox->position,
                 "SELECT applied FROM main.rowferry_state WHERE id = 1", position);
    if (rc == SQLITE_OK)
        rc = look_at_schema(outbox);
    *schema = outbox->version;
    return rc;
}

static int try_take_part(struct outbox *outbox)
{
    int rc = prepare(outbox, &outbox->take_part, SESSION_TABLE_TAKE_PART);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(outbox->take_part);
    (void)sqlite3_reset(outbox->take_part);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int outbox_take_part(struct outbox *outbox)
{
    int rc = try_take_part(outbox);

    if ((rc & 0xff) != SQLITE_ERROR) /* no such table */
        return rc;
    (void)sqlite3_finalize(outbox->take_part);
    outbox->take_part = NULL;
    rc = sqlite3_exec(outbox->db, SESSION_TABLE_MAKE, NULL, NULL, NULL);
    return rc == SQLITE_OK ? try_take_part(outbox) : rc;
}

static int bind_row(sqlite3_stmt *insert, const struct outbox_row *row)
{
    int rc = sqlite3_bind_int64(insert, 1, SQLITE_OUTBOX_FORMAT);

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(insert, 2, row->first);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(insert, 3, row->last);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int(insert, 4, row->scan);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(insert, 5, row->position);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(insert, 6, row->stamp_us);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(insert, 7, row->schema);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(insert, 8, row->note, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_text(insert, 9, row->user, -1, SQLITE_STATIC);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_blob(insert, 10, row->size == 0 ? "" : row->changes, row->size,
                               SQLITE_STATIC);
    return rc;
}

/* SQLite takes back only the statement that found the disk full, and not the host's
 * transaction, when it keeps a journal of the statement: an INSERT from a SELECT into
 * columns that are NOT NULL does. */
static int try_insert(struct outbox *outbox, const struct outbox_row *row, int64_t *id)
{
    sqlite3_int64 before = sqlite3_last_insert_rowid(outbox->db);
    int rc = prepare(outbox, &outbox->insert,
                     "INSERT INTO main.rowferry_outbox (\"format\", \"first\", \"last\","
                     " scan, position, stamp_us, \"schema\", note, user, changes)"
                     " SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10");

    if (rc == SQLITE_OK)
        rc = bind_row(outbox->insert, row);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(outbox->insert);
    if (rc == SQLITE_DONE)
        *id = sqlite3_last_insert_rowid(outbox->db);
    /* The host asks for the rowid of its own last insert. */
    sqlite3_set_last_insert_rowid(outbox->db, before);
    (void)sqlite3_reset(outbox->insert);
    (void)sqlite3_clear_bindings(outbox->insert);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int outbox_insert(struct outbox *outbox, const struct outbox_row *row, int64_t *id)
{
    int rc = try_insert(outbox, row, id);

    /* No such table: not yet, or no longer, when the transaction that made it was rolled
     * back. */
    if (rc != SQLITE_ERROR)
        return rc;
    rc = sqlite3_exec(outbox->db, SQLITE_OUTBOX_SQL, NULL, NULL, NULL);
    return rc == SQLITE_OK ? try_insert(outbox, row, id) : rc;
}

int outbox_last(struct outbox *outbox, int64_t first, int64_t last, int64_t *found)
{
    int rc = prepare(outbox, &outbox->last,
                     "SELECT coalesce(max(id), 0) FROM main.rowferry_outbox"
                     " WHERE id BETWEEN ?1 AND ?2");

    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(outbox->last, 1, first);
    if (rc == SQLITE_OK)
        rc = sqlite3_bind_int64(outbox->last, 2, last);
    if (rc == SQLITE_OK)
        rc = first_row(outbox->last);
    if (rc == SQLITE_OK)
        *found = sqlite3_column_int64(outbox->last, 0);
    (void)sqlite3_reset(outbox->last);
    if (rc == SQLITE_ERROR) { /* no such table: rolled back, with all that was in it */
        *found = 0;
        rc = SQLITE_OK;
    }
    return rc;
}
