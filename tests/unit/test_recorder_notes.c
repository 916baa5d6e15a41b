/* Why and who: of which transaction. */
#include "tests/support/recorder_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

TestSuite(recorder_notes, .init = host_open, .fini = host_close);

/* Whatever became of it: the transaction after it has none. */
Test(recorder_notes, a_note_ends_with_its_transaction)
{
    static const struct {
        const char *when;
        const char *before;
        const char *after; /* the note */
    } cases[] = {
        {"rolled back, with nothing in it",     "",                               "ROLLBACK"               },
        {"committed, with nothing in it",       "",                               "COMMIT"                 },
        {"rolled back, after a read",           "SELECT * FROM t",                "ROLLBACK"               },
        {"committed, after a read",             "SELECT * FROM t",                "COMMIT"                 },
        {"rolled back, after a write",          "INSERT INTO t VALUES (5, 1, 1)", "ROLLBACK"               },
        {"committed, with nobody to record it", "INSERT INTO t VALUES (6, 1, 1)",
         "COMMIT"                                                                                          },
        {"rolled back, to be written after it", "",
         "INSERT INTO t VALUES (7, 1, 1); ROLLBACK"                                                        },
        {"committed, to be written after it",   "",
         "INSERT INTO t VALUES (8, 1, 1); COMMIT"                                                          },
        {"given in a savepoint that is undone", "SAVEPOINT s",                    "ROLLBACK TO s; ROLLBACK"},
    };
    char sql[64];

    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    host_note("why", "who");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT note = 'why' AND user = 'who' FROM rowferry_outbox"),
                 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        host_run("BEGIN");
        host_run(cases[i].before);
        host_note("never", "nobody");
        host_run(cases[i].after);
        (void)snprintf(sql, sizeof sql, "BEGIN; INSERT INTO t VALUES (%zu, 1, 1)",
                       10 + i);
        host_run(sql);
        cr_expect_eq(host_commit(), 1);
        host_run("COMMIT");
        cr_expect_eq(
            host_number("SELECT note IS NULL AND user IS NULL FROM rowferry_outbox"
                        " ORDER BY id DESC"),
            1, "%s", cases[i].when);
    }
}

Test(recorder_notes, a_note_that_is_given_first_is_its_transactions)
{
    host_run("BEGIN");
    host_note("why", NULL);
    cr_expect_eq(host_commit(), 0);
    host_run("SAVEPOINT s; INSERT INTO t VALUES (1, 1, 1); RELEASE s");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT note = 'why' FROM rowferry_outbox"), 1);
}

Test(recorder_notes, no_note_is_taken_outside_of_a_transaction)
{
    cr_expect_eq(rowferry_recorder_note(host.recorder, "never", NULL), SQLITE_MISUSE);
    cr_expect_str_eq(rowferry_recorder_error(host.recorder),
                     "rowferry: the note is not taken: no transaction is open");
    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT note IS NULL FROM rowferry_outbox"), 1);
}

Test(recorder_notes, a_note_is_refused_where_its_transactions_end_is_not_told)
{
    host_run("PRAGMA query_only = ON; BEGIN");
    cr_expect_eq(rowferry_recorder_note(host.recorder, "never", NULL) & 0xff,
                 SQLITE_READONLY);
    cr_expect_str_eq(rowferry_recorder_error(host.recorder),
                     "rowferry: the note is not taken: attempt to write a readonly "
                     "database");
    host_run("COMMIT; PRAGMA query_only = OFF; BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT note IS NULL FROM rowferry_outbox"), 1);
}

Test(recorder_notes, a_note_keeps_no_other_writer_out)
{
    sqlite3 *other = NULL;

    cr_assert_eq(sqlite3_open(host.path, &other), SQLITE_OK);
    host_run("BEGIN; SELECT * FROM t");
    host_note("why", NULL);
    host_run_on(other, "BEGIN IMMEDIATE; ROLLBACK");
    host_run("ROLLBACK; BEGIN");
    host_note("why", NULL);
    host_run_on(other, "INSERT INTO t VALUES (1, 1, 1)");
    host_run("ROLLBACK");
    cr_assert_eq(sqlite3_close(other), SQLITE_OK);
}

/* The table by which it is told a transaction's end goes with the others. */
Test(recorder_notes, outlives_its_temporary_tables)
{
    host_run("BEGIN; INSERT INTO t VALUES (1, 1, 1)");
    host_note("why", NULL);
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT; PRAGMA temp_store = MEMORY; BEGIN; INSERT INTO t VALUES (2, 1, 1)");
    host_note("why", NULL);
    host_run("ROLLBACK; BEGIN; INSERT INTO t VALUES (2, 1, 1)");
    cr_expect_eq(host_commit(), 1);
    host_run("COMMIT");
    cr_expect_eq(host_number("SELECT note IS NULL FROM rowferry_outbox ORDER BY id DESC"),
                 1);
}
