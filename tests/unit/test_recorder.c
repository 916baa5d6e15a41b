#include "tests/support/recorder_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(recorder, .init = host_open, .fini = host_close);

Test(recorder, stores_a_transaction_with_the_position_of_its_moment)
{
    host_run("BEGIN; INSERT INTO t VALUES (1, 2, 3), (2, 3, 4)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_recorded("t"), 2);
    cr_expect_eq(host_number("SELECT position FROM rowferry_outbox"), 7);
    cr_expect_eq(
        host_number("SELECT \"first\" AND \"last\" AND NOT scan FROM rowferry_outbox"),
        1);
    cr_expect_eq(host_number("SELECT abs(stamp_us / 1000000 - strftime('%s', 'now')) < 60"
                             " FROM rowferry_outbox"),
                 1);
}

static void run_elsewhere(const char *sql)
{
    sqlite3 *other = NULL;

    cr_assert_eq(sqlite3_open(host.path, &other), SQLITE_OK);
    host_run_on(other, sql);
    cr_assert_eq(sqlite3_close(other), SQLITE_OK);
}

Test(recorder, stores_the_version_of_the_schema_of_its_moment)
{
    static const struct {
        const char *before; /* on this connection */
        const char *elsewhere;
        const char *inside; /* the transaction, behind its first row */
    } cases[] = {
        {.before = NULL},
        {.before = NULL},
        {.before = "CREATE TABLE own (id)"},
        {.elsewhere = "CREATE TABLE theirs (id)"},
        {.inside = "CREATE TABLE inside (id)"},
        {.before = "BEGIN; CREATE TABLE v (id); ROLLBACK"},
        {.inside = "SAVEPOINT s; CREATE TABLE v (id); ROLLBACK TO s"},
        {.before = NULL},
        {.before = "PRAGMA schema_version = 1000"},
        {.elsewhere = "PRAGMA schema_version = 2000"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        long long version;

        if (cases[i].before != NULL)
            host_run(cases[i].before);
        if (cases[i].elsewhere != NULL)
            run_elsewhere(cases[i].elsewhere);
        host_run("BEGIN; INSERT INTO t (a) VALUES (1)");
        if (cases[i].inside != NULL)
            host_run(cases[i].inside);
        version = host_number("PRAGMA main.schema_version");
        cr_expect_eq(host_commit(), 1, "case %zu", i);
        cr_expect_eq(
            host_number("SELECT \"schema\" FROM rowferry_outbox ORDER BY id DESC"),
            version, "case %zu: not the schema's version", i);
        host_run("COMMIT");
    }
}

Test(recorder, has_nothing_to_store_where_nothing_changed)
{
    host_run("BEGIN; SELECT * FROM t");
    cr_expect_eq(host_commit(), 0);
    host_run("COMMIT; BEGIN; INSERT INTO t VALUES (1, 1, 1); DELETE FROM t");
    cr_expect_eq(host_commit(), 0);
    host_run("COMMIT");
    cr_expect_eq(
        host_number("SELECT count(*) FROM sqlite_schema WHERE name = 'rowferry_outbox'"),
        0);
}

Test(recorder, keeps_out_of_a_database_that_is_not_rowferrys)
{
    host_run("DROP TABLE rowferry_state; BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 0);
    host_run("COMMIT");
    cr_expect_eq(
        host_number("SELECT count(*) FROM sqlite_schema WHERE name = 'rowferry_outbox'"),
        0);
}

Test(recorder, a_rolled_back_transaction_leaves_nothing_behind)
{
    host_run("INSERT INTO t VALUES (1, 'old', 0);"
             "BEGIN; UPDATE t SET a = 'tried'; ROLLBACK;");
    /* Another connection changes the row in between, and back to what the session saw. */
    run_elsewhere("UPDATE t SET a = 'theirs'");
    host_run("BEGIN; UPDATE t SET a = 'old'");
    cr_expect_eq(host_commit(), 1, "the change was compared with a value of before");
    host_run("COMMIT");
    cr_expect_eq(host_recorded("t"), 1);
}

Test(recorder, a_rollback_after_a_part_leaves_nothing_behind)
{
    host_run("INSERT INTO t VALUES (1, 'old', 0); BEGIN; UPDATE t SET a = 'new'");
    cr_expect_eq(host_commit(), 1);
    host_run("UPDATE t SET a = 'newer'; ROLLBACK; BEGIN; UPDATE t SET a = 'new'");
    cr_expect_eq(host_commit(), 1,
                 "the change was compared with a value that was undone");
    host_run("COMMIT");
    cr_expect_eq(host_recorded("t"), 1);
}

Test(recorder, statements_of_their_own_are_the_scans)
{
    host_run("INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 0);
    host_run("BEGIN; INSERT INTO t VALUES (2, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_recorded("t"), 1);
}

Test(recorder, a_rollback_to_a_savepoint_takes_its_changes_along)
{
    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1); SAVEPOINT s;"
             "INSERT INTO t VALUES (2, 1, 1); ROLLBACK TO s; RELEASE s");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_recorded("t"), 1);
    cr_expect_eq(host_number("SELECT scan FROM rowferry_outbox"), 0);
}

Test(recorder, a_second_call_adds_a_part)
{
    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("UPDATE t SET a = 2");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(
        host_number("SELECT group_concat(\"first\", '') = '10' FROM rowferry_outbox"), 1);
    host_run("BEGIN; UPDATE t SET a = 3");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT \"first\" FROM rowferry_outbox ORDER BY id DESC"),
                 1);
}

/* What the part told of before the savepoint stands, and is told nowhere. */
Test(recorder, a_part_that_was_undone_leaves_the_transaction_to_the_scan)
{
    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1); SAVEPOINT s");
    cr_expect_eq(host_commit(), 1);
    host_run("ROLLBACK TO s; INSERT INTO t VALUES (2, 1, 1)");
    cr_expect_neq(rowferry_recorder_commit(host.recorder, NULL), SQLITE_OK);
    cr_expect_str_eq(rowferry_recorder_error(host.recorder),
                     "rowferry: what this transaction changed is left to the scan: "
                     "ROLLBACK TO has undone a part of it");
    host_run("INSERT INTO t VALUES (3, 1, 1)");
    cr_expect_neq(rowferry_recorder_commit(host.recorder, NULL), SQLITE_OK);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT group_concat(\"first\" || scan) = '11,01'"
                             " FROM rowferry_outbox"),
                 1);
    host_run("BEGIN; INSERT INTO t VALUES (4, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
}

Test(recorder, a_table_that_no_session_records_spoils_no_other)
{
    host_run("CREATE TABLE g (id INTEGER PRIMARY KEY, a, b AS (a + 1));"
             "CREATE TABLE nokey (a); BEGIN; INSERT INTO g (id, a) VALUES (1, 1), (2, 2);"
             "INSERT INTO nokey VALUES (1); INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run(
        "COMMIT; BEGIN; CREATE TABLE g2 (id INTEGER PRIMARY KEY, a, b AS (a) STORED);"
        "INSERT INTO g2 (id, a) VALUES (1, 1); INSERT INTO t VALUES (2, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_recorded("t"), 2);
    cr_expect_eq(host_recorded("g") + host_recorded("g2") + host_recorded("nokey"), 0);
}

Test(recorder, a_table_that_has_no_generated_columns_any_more_is_recorded)
{
    host_run("CREATE TABLE g (id INTEGER PRIMARY KEY, a, b AS (a + 1));"
             "BEGIN; INSERT INTO g (id, a) VALUES (1, 1)");
    cr_expect_eq(host_commit(), 0);
    host_run("COMMIT; ALTER TABLE g DROP COLUMN b; BEGIN; INSERT INTO g VALUES (2, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run(
        "COMMIT; ALTER TABLE g ADD COLUMN b AS (a + 1);"
        "BEGIN; INSERT INTO g (id, a) VALUES (3, 1); INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_recorded("g"), 1);
    cr_expect_eq(host_recorded("t"), 1);
}

Test(recorder, notices_new_and_altered_tables)
{
    host_run("BEGIN; CREATE TABLE n (id TEXT PRIMARY KEY, v) WITHOUT ROWID;"
             "INSERT INTO n VALUES ('x', 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT; ALTER TABLE n ADD COLUMN w; BEGIN; UPDATE n SET w = 5");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_recorded("n"), 2);
}

Test(recorder, a_table_altered_in_mid_transaction_is_left_to_the_scan)
{
    int stored = 1;

    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1); ALTER TABLE t ADD COLUMN c;"
             "UPDATE t SET c = 1");
    cr_expect_neq(rowferry_recorder_commit(host.recorder, &stored), SQLITE_OK);
    cr_expect_neq(rowferry_recorder_error(host.recorder)[0], '\0');
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT count(*) FROM t"), 1,
                 "the host's transaction was broken");
    cr_expect_eq(host_number("SELECT scan FROM rowferry_outbox"), 1);
    host_run("BEGIN; UPDATE t SET c = 2");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
}

Test(recorder, a_large_transaction_is_stored_in_pieces)
{
    host_run(
        "BEGIN; WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE"
        " i < 300) INSERT INTO t SELECT i, randomblob(10000), 0 FROM n");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(
        host_number("SELECT count(*) = 3 AND sum(\"first\") = 1 AND sum(\"last\") = 1 AND"
                    " max(length(changes)) = 1048576 FROM rowferry_outbox"),
        1);
}

Test(recorder, leaves_the_hosts_last_rowid_alone)
{
    host_run("BEGIN; INSERT INTO t VALUES (41, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    cr_expect_eq(sqlite3_last_insert_rowid(host.db), 41);
    host_run("COMMIT");
}

/* Statements that run inside of a row's change move the cursor that makes it: rows came
 * to stand in the wrong order. */
Test(recorder, leaves_the_hosts_tables_whole)
{
    host_run("INSERT INTO t VALUES (1, 1, 1), (2, 2, 2);"
             "BEGIN; UPDATE t SET a = 5 WHERE id = 1");
    cr_expect_eq(host_commit(), 1);
    host_run(
        "COMMIT; INSERT INTO t VALUES (8, 8, 8); BEGIN; UPDATE t SET a = 9 WHERE id = 8;"
        "UPDATE t SET a = 9 WHERE id = 2");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT integrity_check = 'ok' FROM pragma_integrity_check"),
                 1);
    cr_expect_eq(host_number("SELECT count(*) FROM t WHERE a = 9"), 2);
}

Test(recorder, records_after_any_number_of_transactions_that_nobody_asked_about)
{
    host_run("INSERT INTO t VALUES (1, 0, 0), (2, 0, 0)");
    for (int i = 0; i < 100; i++)
        host_run("BEGIN; UPDATE t SET b = b + 1 WHERE id = 1; COMMIT;"
                 "UPDATE t SET b = b + 1 WHERE id = 2");
    host_run("BEGIN; UPDATE t SET a = 1 WHERE id = 1; UPDATE t SET a = 2 WHERE id = 1");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT; BEGIN; UPDATE t SET a = 2 WHERE id = 2");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT group_concat(scan, '') = '00' FROM rowferry_outbox"),
                 1);
    cr_expect_eq(host_recorded("t"), 2);
}

Test(recorder, a_transaction_that_touches_nothing_after_one_that_was_rolled_back)
{
    host_run("INSERT INTO t VALUES (1, 'old', 0); BEGIN; UPDATE t SET a = 'new'");
    cr_expect_eq(host_commit(), 1);
    host_run("UPDATE t SET a = 'newer'; ROLLBACK; BEGIN");
    cr_expect_eq(host_commit(), 0);
    host_run("COMMIT");
}

/* Room for the rows, and not for what is recorded of them: whether the outbox is there or
 * has to be made, in one piece or several. */
Test(recorder, a_full_disk_leaves_the_hosts_transaction_alone)
{
    char sql[128];

    for (int i = 0; i < 4; i++) {
        int size = i % 2 == 0 ? 50000 : 3000000;

        if (i == 2) {
            host_run("PRAGMA max_page_count = 100000; BEGIN; INSERT INTO t VALUES (100, "
                     "1, 1)");
            cr_expect_eq(host_commit(), 1);
            host_run("COMMIT");
        }
        (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld",
                       host_number("SELECT page_count FROM pragma_page_count") +
                           size / 4096 + size / 8192);
        host_run(sql);
        (void)snprintf(sql, sizeof sql,
                       "BEGIN; INSERT INTO t VALUES (%d, zeroblob(%d), 1)", i, size);
        host_run(sql);
        cr_expect_eq(rowferry_recorder_commit(host.recorder, NULL) & 0xff, SQLITE_FULL);
        cr_expect_str_eq(rowferry_recorder_error(host.recorder),
                         "rowferry: what this transaction changed is left to the scan: "
                         "database or disk is full");
        host_run("COMMIT");
        cr_expect_eq(host_number("SELECT count(*) FROM t WHERE id < 100"), i + 1);
        host_run("UPDATE t SET a = zeroblob(length(a)) WHERE id < 100");
    }
    host_run("BEGIN; DELETE FROM t WHERE id = 0");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
}

/* The outbox was made in a transaction that was rolled back. */
Test(recorder, makes_the_outbox_again)
{
    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("ROLLBACK; BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_recorded("t"), 1);
}

/* The table that tells a transaction's end was the first one's. */
Test(recorder, a_second_one_of_a_connection_is_told_of_rollbacks_too)
{
    rowferry_recorder_close(host.recorder);
    cr_assert_eq(rowferry_recorder_open(&host.recorder, host.db), SQLITE_OK);
    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("ROLLBACK; BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
}

/* ---- the SQL functions */

static void use_functions(void)
{
    rowferry_recorder_close(host.recorder);
    host.recorder = NULL;
    cr_assert_eq(rowferry_functions_register(host.db), SQLITE_OK);
}

Test(recorder, the_functions_do_the_same)
{
    use_functions();
    host_run("BEGIN; SELECT rowferry_note('why', 'who'); INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_number("SELECT rowferry_commit()"), 1);
    cr_expect_eq(host_number("SELECT rowferry_commit()"), 0);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT note = 'why' AND user = 'who' FROM rowferry_outbox"),
                 1);
    cr_expect_eq(host_number("SELECT rowferry_error() IS NULL"), 1);
    cr_expect_eq(host_number("SELECT rowferry_note('never')"), -1, "not NULL");
    cr_expect_eq(host_number("SELECT rowferry_error() LIKE '%no transaction is open'"),
                 1);
}

Test(recorder, only_a_strict_host_gets_errors)
{
    use_functions();
    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1); ALTER TABLE t ADD COLUMN c");
    cr_expect_eq(host_number("SELECT rowferry_commit()"), -1, "not NULL");
    cr_expect_eq(
        host_number("SELECT rowferry_error() LIKE 'rowferry: %left to the scan%'"), 1);
    host_run("ROLLBACK; SELECT rowferry_strict(1); BEGIN; INSERT INTO t VALUES (1, 1, 1);"
             "ALTER TABLE t ADD COLUMN c");
    cr_expect_neq(sqlite3_exec(host.db, "SELECT rowferry_commit()", NULL, NULL, NULL),
                  SQLITE_OK);
    host_run("ROLLBACK");
    cr_expect_neq(
        sqlite3_exec(host.db, "SELECT rowferry_note('never')", NULL, NULL, NULL),
        SQLITE_OK);
}

Test(recorder, a_connection_closes_with_its_functions)
{
    use_functions();
    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1); SELECT rowferry_commit(); COMMIT;"
             "BEGIN; INSERT INTO t VALUES (2, 1, 1); COMMIT");
}

Test(recorder, strictness_is_turned_on_and_off_by_words_and_numbers)
{
    static const struct {
        const char *sql;
        bool taken;
        bool strict;
    } cases[] = {
        {"SELECT rowferry_strict('on')",    true,  true },
        {"SELECT rowferry_strict('maybe')", false, true },
        {"SELECT rowferry_strict(NULL)",    false, true },
        {"SELECT rowferry_strict(0)",       true,  false},
        {"SELECT rowferry_strict('TRUE')",  true,  true },
        {"SELECT rowferry_strict('off')",   true,  false},
        {"SELECT rowferry_strict(1)",       true,  true },
        {"SELECT rowferry_strict('false')", true,  false},
    };

    use_functions();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(sqlite3_exec(host.db, cases[i].sql, NULL, NULL, NULL) == SQLITE_OK,
                     cases[i].taken, "%s", cases[i].sql);
        cr_expect_neq(sqlite3_exec(host.db, "SELECT rowferry_note('outside')", NULL, NULL,
                                   NULL) == SQLITE_OK,
                      cases[i].strict, "%s", cases[i].sql);
    }
}
