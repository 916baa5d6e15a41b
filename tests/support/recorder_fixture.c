#include "tests/support/recorder_fixture.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct recorder_host host = {.path = "/tmp/rowferry-recorder-XXXXXX"};

void host_run_on(sqlite3 *on, const char *sql)
{
    char *message = NULL;

    cr_assert_eq(sqlite3_exec(on, sql, NULL, NULL, &message), SQLITE_OK, "%s: %s", sql,
                 message);
}

void host_run(const char *sql)
{
    host_run_on(host.db, sql);
}

long long host_number(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    long long found;

    cr_assert_eq(sqlite3_prepare_v2(host.db, sql, -1, &statement, NULL), SQLITE_OK,
                 "%s: %s", sql, sqlite3_errmsg(host.db));
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW, "%s", sql);
    found = sqlite3_column_type(statement, 0) == SQLITE_NULL
                ? -1
                : sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return found;
}

int host_commit(void)
{
    int stored = 0;

    cr_assert_eq(rowferry_recorder_commit(host.recorder, &stored), SQLITE_OK, "%s",
                 rowferry_recorder_error(host.recorder));
    return stored;
}

int host_recorded(const char *table)
{
    sqlite3_stmt *rows = NULL;
    int found = 0;

    cr_assert_eq(sqlite3_prepare_v2(host.db, "SELECT changes FROM rowferry_outbox", -1,
                                    &rows, NULL),
                 SQLITE_OK, "%s", sqlite3_errmsg(host.db));
    while (sqlite3_step(rows) == SQLITE_ROW) {
        sqlite3_changeset_iter *changes = NULL;
        const char *name;
        int count, op, indirect;

        cr_assert_eq(
            sqlite3changeset_start(&changes, sqlite3_column_bytes(rows, 0),
                                   (void *)(uintptr_t)sqlite3_column_blob(rows, 0)),
            SQLITE_OK);
        while (sqlite3changeset_next(changes) == SQLITE_ROW) {
            cr_assert_eq(sqlite3changeset_op(changes, &name, &count, &op, &indirect),
                         SQLITE_OK);
            found += strcmp(name, table) == 0;
        }
        (void)sqlite3changeset_finalize(changes);
    }
    (void)sqlite3_finalize(rows);
    return found;
}

void host_open(void)
{
    int file = mkstemp(host.path);

    cr_assert(file >= 0);
    (void)close(file);
    cr_assert_eq(sqlite3_open(host.path, &host.db), SQLITE_OK);
    host_run(
        "PRAGMA synchronous = OFF;"
        "CREATE TABLE rowferry_state (id INTEGER PRIMARY KEY CHECK (id = 1), \"format\","
        " store, incarnation, applied, counter);"
        "INSERT INTO rowferry_state VALUES (1, 1, 1, 1, 7, 0);"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b);");
    cr_assert_eq(rowferry_recorder_open(&host.recorder, host.db), SQLITE_OK);
}

void host_close(void)
{
    rowferry_recorder_close(host.recorder);
    cr_expect_eq(sqlite3_close(host.db), SQLITE_OK, "something was left open");
    (void)unlink(host.path);
}

void host_note(const char *why, const char *who)
{
    cr_assert_eq(rowferry_recorder_note(host.recorder, why, who), SQLITE_OK, "%s",
                 rowferry_recorder_error(host.recorder));
}
