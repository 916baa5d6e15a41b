/* rowferry_state: one row in the user's database. docs/FORMAT.md, "Database". */
#include "engine/sqlite_database.h"

#include <assert.h>
#include <stddef.h>

static const char *const state_columns[] = {"format", "store", "incarnation", "applied",
                                            "counter"};

enum { STATE_FORMAT = 1, STATE_COLUMNS = 5 };

/* Take the row from the statement. Numbers over the signed range are stored as negatives.
 */
static enum status take_row(struct sqlite_database *database, sqlite3_stmt *statement,
                            struct sqlite_state *out, struct error *err)
{
    for (int i = 0; i < STATE_COLUMNS; i++) {
        if (sqlite3_column_type(statement, i) != SQLITE_INTEGER) {
            return error_set(err, STATUS_CORRUPT,
                             "%s: rowferry_state: %s is not an integer",
                             sqlite_database_path(database), state_columns[i]);
        }
    }
    if (sqlite3_column_int64(statement, 0) != STATE_FORMAT) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s: rowferry_state has format %lld, this rowferry reads %d",
                         sqlite_database_path(database),
                         (long long)sqlite3_column_int64(statement, 0), STATE_FORMAT);
    }
    out->store = (uint64_t)sqlite3_column_int64(statement, 1);
    out->incarnation = (uint64_t)sqlite3_column_int64(statement, 2);
    out->applied = (uint64_t)sqlite3_column_int64(statement, 3);
    out->counter = (uint64_t)sqlite3_column_int64(statement, 4);
    return STATUS_OK;
}

enum status sqlite_state_read(struct sqlite_database *database, struct sqlite_state *out,
                              struct error *err)
{
    sqlite3_stmt *statement = NULL;
    int64_t exists = 0;
    enum status status = sqlite_number(
        database, "SELECT count(*) FROM main.sqlite_schema WHERE name = 'rowferry_state'",
        &exists, err);
    int rc;

    *out = (struct sqlite_state){0};
    if (status != STATUS_OK || exists == 0)
        return status;
    /* The r. keeps SQLite from taking a missing column's name for a text. */
    status =
        sqlite_prepare(database,
                       "SELECT r.\"format\", r.store, r.incarnation, r.applied, r.counter"
                       " FROM main.rowferry_state AS r WHERE r.id = 1",
                       &statement, err);
    if (status == STATUS_IO) { /* plain SQLITE_ERROR: no such column */
        return error_set(err, STATUS_CORRUPT,
                         "%s: the table rowferry_state is not one of rowferry's",
                         sqlite_database_path(database));
    }
    if (status != STATUS_OK)
        return status;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        status = take_row(database, statement, out, err);
    else if (rc != SQLITE_DONE)
        status = sqlite_failed(database, "rowferry_state", err);
    (void)sqlite3_finalize(statement);
    return status;
}

enum status sqlite_state_write(struct sqlite_database *database,
                               const struct sqlite_state *state, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status;

    assert(state->store != 0);
    assert(sqlite3_get_autocommit(sqlite_database_handle(database)) == 0);
    status = sqlite_execute(database,
                            "CREATE TABLE IF NOT EXISTS main.rowferry_state ("
                            "id INTEGER PRIMARY KEY CHECK (id = 1), "
                            "\"format\" INTEGER NOT NULL, store INTEGER NOT NULL, "
                            "incarnation INTEGER NOT NULL, applied INTEGER NOT NULL, "
                            "counter INTEGER NOT NULL)",
                            err);
    if (status == STATUS_OK) {
        status = sqlite_prepare(
            database,
            "INSERT INTO main.rowferry_state"
            " (id, \"format\", store, incarnation, applied, counter)"
            " VALUES (1, ?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET"
            " \"format\" = ?1, store = ?2, incarnation = ?3, applied = ?4, counter = ?5",
            &statement, err);
    }
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_int64(statement, 1, STATE_FORMAT);
    (void)sqlite3_bind_int64(statement, 2, (sqlite3_int64)state->store);
    (void)sqlite3_bind_int64(statement, 3, (sqlite3_int64)state->incarnation);
    (void)sqlite3_bind_int64(statement, 4, (sqlite3_int64)state->applied);
    (void)sqlite3_bind_int64(statement, 5, (sqlite3_int64)state->counter);
    if (sqlite3_step(statement) != SQLITE_DONE)
        status = sqlite_failed(database, "rowferry_state", err);
    (void)sqlite3_finalize(statement);
    return status;
}
