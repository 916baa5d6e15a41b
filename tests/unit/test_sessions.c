/* A recorder for whose sessions there is no memory. */
#include "extension/rowferry_sqlite.h"

#include <criterion/criterion.h>

int __real_sqlite3session_create(sqlite3 *db, const char *name, sqlite3_session **out);
int __wrap_sqlite3session_create(sqlite3 *db, const char *name, sqlite3_session **out);

static int left = -1; /* sessions for which there is memory; -1: any number */

int __wrap_sqlite3session_create(sqlite3 *db, const char *name, sqlite3_session **out)
{
    if (left == 0)
        return SQLITE_NOMEM;
    left -= left > 0;
    return __real_sqlite3session_create(db, name, out);
}

static void run(sqlite3 *db, const char *sql)
{
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql,
                 sqlite3_errmsg(db));
}

static int count_row(void *data, int count, char **values, char **names)
{
    (void)count, (void)values, (void)names;
    ++*(int *)data;
    return 0;
}

static int scans(sqlite3 *db)
{
    int found = 0;

    cr_assert_eq(sqlite3_exec(db, "SELECT 1 FROM rowferry_outbox WHERE scan", count_row,
                              &found, NULL),
                 SQLITE_OK);
    return found;
}

/* The second transaction that nobody asks about finds no session, whichever of those that
 * the first one would make was the one too many. */
Test(sessions, a_transaction_that_is_lost_for_want_of_memory_is_said_to_be)
{
    for (int memory = 0; memory < 2; memory++) {
        struct rowferry_recorder *recorder;
        sqlite3 *db;
        int stored = 0;

        cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
        run(db,
            "CREATE TABLE rowferry_state (id INTEGER PRIMARY KEY, applied);"
            "INSERT INTO rowferry_state VALUES (1, 0);"
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 1)");
        left = -1;
        cr_assert_eq(rowferry_recorder_open(&recorder, db), SQLITE_OK);
        run(db, "BEGIN; UPDATE t SET a = 2; COMMIT");
        left = memory;
        run(db, "BEGIN; UPDATE t SET a = 3; COMMIT");
        left = -1;
        run(db, "BEGIN; UPDATE t SET a = 4");
        cr_expect_eq(rowferry_recorder_commit(recorder, &stored), SQLITE_NOMEM);
        cr_expect_str_eq(rowferry_recorder_error(recorder),
                         "rowferry: what this transaction changed is left to the scan: "
                         "out of memory");
        run(db, "COMMIT");
        cr_expect_eq(scans(db), 1);
        run(db, "BEGIN; UPDATE t SET a = 5");
        cr_expect_eq(rowferry_recorder_commit(recorder, &stored), SQLITE_OK);
        cr_expect_eq(stored, 1);
        run(db, "COMMIT");
        cr_expect_eq(scans(db), 1);
        rowferry_recorder_close(recorder);
        cr_expect_eq(sqlite3_close(db), SQLITE_OK);
    }
}
