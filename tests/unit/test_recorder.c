#include "extension/rowferry_sqlite.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each Criterion test is its own process, so a static fixture is not shared. */
static char path[] = "/tmp/rowferry-recorder-XXXXXX";
static sqlite3 *db;
static struct rowferry_recorder *recorder;

static void run_on(sqlite3 *on, const char *sql)
{
    char *message = NULL;

    cr_assert_eq(sqlite3_exec(on, sql, NULL, NULL, &message), SQLITE_OK, "%s: %s", sql,
                 message);
}

static void run(const char *sql)
{
    run_on(db, sql);
}

static long long number(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    long long found;

    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK, "%s: %s",
                 sql, sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW, "%s", sql);
    found = sqlite3_column_type(statement, 0) == SQLITE_NULL
                ? -1
                : sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return found;
}

static int commit(void)
{
    int stored = 0;

    cr_assert_eq(rowferry_recorder_commit(recorder, &stored), SQLITE_OK, "%s",
                 rowferry_recorder_error(recorder));
    return stored;
}

/* How many changes of a table are in the outbox, of all its rows together. */
static int recorded(const char *table)
{
    sqlite3_stmt *rows = NULL;
    int found = 0;

    cr_assert_eq(
        sqlite3_prepare_v2(db, "SELECT changes FROM rowferry_outbox", -1, &rows, NULL),
        SQLITE_OK, "%s", sqlite3_errmsg(db));
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

static void set_up(void)
{
    int file = mkstemp(path);

    cr_assert(file >= 0);
    (void)close(file);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    run("PRAGMA synchronous = OFF;"
        "CREATE TABLE rowferry_state (id INTEGER PRIMARY KEY CHECK (id = 1), \"format\","
        " store, incarnation, applied, counter);"
        "INSERT INTO rowferry_state VALUES (1, 1, 1, 1, 7, 0);"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b);");
    cr_assert_eq(rowferry_recorder_open(&recorder, db), SQLITE_OK);
}

static void tear_down(void)
{
    rowferry_recorder_close(recorder);
    cr_expect_eq(sqlite3_close(db), SQLITE_OK, "something was left open");
    (void)unlink(path);
}

TestSuite(recorder, .init = set_up, .fini = tear_down);

Test(recorder, stores_a_transaction_with_the_position_of_its_moment)
{
    run("BEGIN; INSERT INTO t VALUES (1, 2, 3), (2, 3, 4)");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(recorded("t"), 2);
    cr_expect_eq(number("SELECT position FROM rowferry_outbox"), 7);
    cr_expect_eq(
        number("SELECT \"first\" AND \"last\" AND NOT scan FROM rowferry_outbox"), 1);
    cr_expect_eq(number("SELECT abs(stamp_us / 1000000 - strftime('%s', 'now')) < 60"
                        " FROM rowferry_outbox"),
                 1);
}

Test(recorder, has_nothing_to_store_where_nothing_changed)
{
    run("BEGIN; SELECT * FROM t");
    cr_expect_eq(commit(), 0);
    run("COMMIT; BEGIN; INSERT INTO t VALUES (1, 1, 1); DELETE FROM t");
    cr_expect_eq(commit(), 0);
    run("COMMIT");
    cr_expect_eq(
        number("SELECT count(*) FROM sqlite_schema WHERE name = 'rowferry_outbox'"), 0);
}

Test(recorder, keeps_out_of_a_database_that_is_not_rowferrys)
{
    run("DROP TABLE rowferry_state; BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(commit(), 0);
    run("COMMIT");
    cr_expect_eq(
        number("SELECT count(*) FROM sqlite_schema WHERE name = 'rowferry_outbox'"), 0);
}

Test(recorder, a_rolled_back_transaction_leaves_nothing_behind)
{
    run("INSERT INTO t VALUES (1, 'old', 0);"
        "BEGIN; UPDATE t SET a = 'tried'; ROLLBACK;");
    /* Another connection changes the row in between, and back to what the session saw. */
    {
        sqlite3 *other = NULL;

        cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
        run_on(other, "UPDATE t SET a = 'theirs'");
        cr_assert_eq(sqlite3_close(other), SQLITE_OK);
    }
    run("BEGIN; UPDATE t SET a = 'old'");
    cr_expect_eq(commit(), 1, "the change was compared with a value of before");
    run("COMMIT");
    cr_expect_eq(recorded("t"), 1);
}

Test(recorder, a_rollback_after_a_part_leaves_nothing_behind)
{
    run("INSERT INTO t VALUES (1, 'old', 0); BEGIN; UPDATE t SET a = 'new'");
    cr_expect_eq(commit(), 1);
    run("UPDATE t SET a = 'newer'; ROLLBACK; BEGIN; UPDATE t SET a = 'new'");
    cr_expect_eq(commit(), 1, "the change was compared with a value that was undone");
    run("COMMIT");
    cr_expect_eq(recorded("t"), 1);
}

Test(recorder, statements_of_their_own_are_the_scans)
{
    run("INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(commit(), 0);
    run("BEGIN; INSERT INTO t VALUES (2, 1, 1)");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(recorded("t"), 1);
}

Test(recorder, a_rollback_to_a_savepoint_takes_its_changes_along)
{
    run("BEGIN; INSERT INTO t VALUES (1, 1, 1); SAVEPOINT s;"
        "INSERT INTO t VALUES (2, 1, 1); ROLLBACK TO s; RELEASE s");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(recorded("t"), 1);
    cr_expect_eq(number("SELECT scan FROM rowferry_outbox"), 0);
}

Test(recorder, a_second_call_adds_a_part)
{
    run("BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(commit(), 1);
    run("UPDATE t SET a = 2");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(number("SELECT group_concat(\"first\", '') = '10' FROM rowferry_outbox"),
                 1);
    run("BEGIN; UPDATE t SET a = 3");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(number("SELECT \"first\" FROM rowferry_outbox ORDER BY id DESC"), 1);
}

/* What the part told of before the savepoint stands, and is told nowhere. */
Test(recorder, a_part_that_was_undone_leaves_the_transaction_to_the_scan)
{
    run("BEGIN; INSERT INTO t VALUES (1, 1, 1); SAVEPOINT s");
    cr_expect_eq(commit(), 1);
    run("ROLLBACK TO s; INSERT INTO t VALUES (2, 1, 1)");
    cr_expect_neq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK);
    cr_expect_str_eq(rowferry_recorder_error(recorder),
                     "rowferry: what this transaction changed is left to the scan: "
                     "ROLLBACK TO has undone a part of it");
    run("INSERT INTO t VALUES (3, 1, 1)");
    cr_expect_neq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK);
    run("COMMIT");
    cr_expect_eq(number("SELECT group_concat(\"first\" || scan) = '11,01'"
                        " FROM rowferry_outbox"),
                 1);
    run("BEGIN; INSERT INTO t VALUES (4, 1, 1)");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
}

Test(recorder, a_note_ends_with_its_transaction)
{
    run("BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_assert_eq(rowferry_recorder_note(recorder, "why", "who"), SQLITE_OK);
    cr_expect_eq(commit(), 1);
    run("COMMIT; BEGIN");
    cr_assert_eq(rowferry_recorder_note(recorder, "never", NULL), SQLITE_OK);
    run("ROLLBACK; BEGIN; INSERT INTO t VALUES (2, 1, 1)");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(number("SELECT group_concat(coalesce(note || user, '-')) = 'whywho,-'"
                        " FROM rowferry_outbox"),
                 1);
}

Test(recorder, a_table_that_no_session_records_spoils_no_other)
{
    run("CREATE TABLE g (id INTEGER PRIMARY KEY, a, b AS (a + 1));"
        "CREATE TABLE nokey (a); BEGIN; INSERT INTO g (id, a) VALUES (1, 1), (2, 2);"
        "INSERT INTO nokey VALUES (1); INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(commit(), 1);
    run("COMMIT; BEGIN; CREATE TABLE g2 (id INTEGER PRIMARY KEY, a, b AS (a) STORED);"
        "INSERT INTO g2 (id, a) VALUES (1, 1); INSERT INTO t VALUES (2, 1, 1)");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(recorded("t"), 2);
    cr_expect_eq(recorded("g") + recorded("g2") + recorded("nokey"), 0);
}

Test(recorder, a_table_that_has_no_generated_columns_any_more_is_recorded)
{
    run("CREATE TABLE g (id INTEGER PRIMARY KEY, a, b AS (a + 1));"
        "BEGIN; INSERT INTO g (id, a) VALUES (1, 1)");
    cr_expect_eq(commit(), 0);
    run("COMMIT; ALTER TABLE g DROP COLUMN b; BEGIN; INSERT INTO g VALUES (2, 1)");
    cr_expect_eq(commit(), 1);
    run("COMMIT; ALTER TABLE g ADD COLUMN b AS (a + 1);"
        "BEGIN; INSERT INTO g (id, a) VALUES (3, 1); INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(recorded("g"), 1);
    cr_expect_eq(recorded("t"), 1);
}

Test(recorder, notices_new_and_altered_tables)
{
    run("BEGIN; CREATE TABLE n (id TEXT PRIMARY KEY, v) WITHOUT ROWID;"
        "INSERT INTO n VALUES ('x', 1)");
    cr_expect_eq(commit(), 1);
    run("COMMIT; ALTER TABLE n ADD COLUMN w; BEGIN; UPDATE n SET w = 5");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(recorded("n"), 2);
}

Test(recorder, a_table_altered_in_mid_transaction_is_left_to_the_scan)
{
    int stored = 1;

    run("BEGIN; INSERT INTO t VALUES (1, 1, 1); ALTER TABLE t ADD COLUMN c;"
        "UPDATE t SET c = 1");
    cr_expect_neq(rowferry_recorder_commit(recorder, &stored), SQLITE_OK);
    cr_expect_neq(rowferry_recorder_error(recorder)[0], '\0');
    run("COMMIT");
    cr_expect_eq(number("SELECT count(*) FROM t"), 1,
                 "the host's transaction was broken");
    cr_expect_eq(number("SELECT scan FROM rowferry_outbox"), 1);
    run("BEGIN; UPDATE t SET c = 2");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
}

Test(recorder, a_large_transaction_is_stored_in_pieces)
{
    run("BEGIN; WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE"
        " i < 300) INSERT INTO t SELECT i, randomblob(10000), 0 FROM n");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(
        number("SELECT count(*) = 3 AND sum(\"first\") = 1 AND sum(\"last\") = 1 AND"
               " max(length(changes)) = 1048576 FROM rowferry_outbox"),
        1);
}

Test(recorder, leaves_the_hosts_last_rowid_alone)
{
    run("BEGIN; INSERT INTO t VALUES (41, 1, 1)");
    cr_expect_eq(commit(), 1);
    cr_expect_eq(sqlite3_last_insert_rowid(db), 41);
    run("COMMIT");
}

/* Statements that run inside of a row's change move the cursor that makes it: rows came
 * to stand in the wrong order. */
Test(recorder, leaves_the_hosts_tables_whole)
{
    run("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2);"
        "BEGIN; UPDATE t SET a = 5 WHERE id = 1");
    cr_expect_eq(commit(), 1);
    run("COMMIT; INSERT INTO t VALUES (8, 8, 8); BEGIN; UPDATE t SET a = 9 WHERE id = 8;"
        "UPDATE t SET a = 9 WHERE id = 2");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(number("SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
    cr_expect_eq(number("SELECT count(*) FROM t WHERE a = 9"), 2);
}

Test(recorder, records_after_any_number_of_transactions_that_nobody_asked_about)
{
    run("INSERT INTO t VALUES (1, 0, 0), (2, 0, 0)");
    for (int i = 0; i < 100; i++)
        run("BEGIN; UPDATE t SET b = b + 1 WHERE id = 1; COMMIT;"
            "UPDATE t SET b = b + 1 WHERE id = 2");
    run("BEGIN; UPDATE t SET a = 1 WHERE id = 1; UPDATE t SET a = 2 WHERE id = 1");
    cr_expect_eq(commit(), 1);
    run("COMMIT; BEGIN; UPDATE t SET a = 2 WHERE id = 2");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(number("SELECT group_concat(scan, '') = '00' FROM rowferry_outbox"), 1);
    cr_expect_eq(recorded("t"), 2);
}

Test(recorder, a_transaction_that_touches_nothing_after_one_that_was_rolled_back)
{
    run("INSERT INTO t VALUES (1, 'old', 0); BEGIN; UPDATE t SET a = 'new'");
    cr_expect_eq(commit(), 1);
    run("UPDATE t SET a = 'newer'; ROLLBACK; BEGIN");
    cr_expect_eq(commit(), 0);
    run("COMMIT");
}

/* The outbox was made in a transaction that was rolled back. */
Test(recorder, makes_the_outbox_again)
{
    run("BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(commit(), 1);
    run("ROLLBACK; BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(commit(), 1);
    run("COMMIT");
    cr_expect_eq(recorded("t"), 1);
}

/* ---- the SQL functions */

static void use_functions(void)
{
    rowferry_recorder_close(recorder);
    recorder = NULL;
    cr_assert_eq(rowferry_functions_register(db), SQLITE_OK);
}

Test(recorder, the_functions_do_the_same)
{
    use_functions();
    run("BEGIN; SELECT rowferry_note('why', 'who'); INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(number("SELECT rowferry_commit()"), 1);
    cr_expect_eq(number("SELECT rowferry_commit()"), 0);
    run("COMMIT");
    cr_expect_eq(number("SELECT note = 'why' AND user = 'who' FROM rowferry_outbox"), 1);
    cr_expect_eq(number("SELECT rowferry_error() IS NULL"), 1);
}

Test(recorder, only_a_strict_host_gets_errors)
{
    use_functions();
    run("BEGIN; INSERT INTO t VALUES (1, 1, 1); ALTER TABLE t ADD COLUMN c");
    cr_expect_eq(number("SELECT rowferry_commit()"), -1, "not NULL");
    cr_expect_eq(number("SELECT rowferry_error() LIKE 'rowferry: %left to the scan%'"),
                 1);
    run("ROLLBACK; SELECT rowferry_strict(1); BEGIN; INSERT INTO t VALUES (1, 1, 1);"
        "ALTER TABLE t ADD COLUMN c");
    cr_expect_neq(sqlite3_exec(db, "SELECT rowferry_commit()", NULL, NULL, NULL),
                  SQLITE_OK);
    run("ROLLBACK");
}

Test(recorder, a_connection_closes_with_its_functions)
{
    use_functions();
    run("BEGIN; INSERT INTO t VALUES (1, 1, 1); SELECT rowferry_commit(); COMMIT;"
        "BEGIN; INSERT INTO t VALUES (2, 1, 1); COMMIT");
}
