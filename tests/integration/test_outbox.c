/* Capture of what recorders stored: exactly once, beside the scan, and whatever is in the
 * rows. */
#include "capture/sqlite_outbox.h"
#include "extension/rowferry_sqlite.h"
#include "tests/support/scan_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct scan_node node;
static struct rowferry_recorder *recorder;
static struct error err;

static void set_up(void)
{
    scan_node_open(&node, "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b);"
                          "CREATE TABLE u (id TEXT PRIMARY KEY, a) WITHOUT ROWID;"
                          "INSERT INTO t VALUES (1, 'one', 0), (2, 'two', 0)");
    cr_assert_eq(rowferry_recorder_open(&recorder, node.application), SQLITE_OK);
}

static void tear_down(void)
{
    rowferry_recorder_close(recorder);
    scan_node_close(&node);
}

TestSuite(outbox, .init = set_up, .fini = tear_down);

/* One transaction of the application's, recorded. */
static void record(const char *sql)
{
    scan_write(&node, "BEGIN");
    scan_write(&node, sql);
    cr_assert_eq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK, "%s",
                 rowferry_recorder_error(recorder));
    scan_write(&node, "COMMIT");
}

static void expect_entry(uint64_t back, const char *text)
{
    cr_expect_str_eq(scan_text(&node, scan_last_seq(&node) - back), text);
}

static int64_t number(const char *sql)
{
    int64_t found = 0;

    cr_assert_eq(sqlite_number(node.database, sql, &found, &err), STATUS_OK, "%s",
                 err.text);
    return found;
}

Test(outbox, each_transaction_is_an_entry_in_the_order_of_commits)
{
    record("UPDATE t SET a = 'x' WHERE id = 1; INSERT INTO u VALUES ('k', 1)");
    record("UPDATE t SET a = 'y' WHERE id = 1; DELETE FROM u");
    record("UPDATE t SET id = 9 WHERE id = 2");
    cr_expect_eq(scan_capture(&node), 6);
    expect_entry(2, "update t(1): 1,'x',0 was 1='one'\ninsert u('k'): 'k',1");
    expect_entry(1, "update t(1): 1,'y',0 was 1='x'\ndelete u('k') was 0=key,1=1");
    cr_expect_eq(scan_capture(&node), 0);
    cr_expect_eq(scan_expect_same(&node), 2);
}

Test(outbox, rows_are_taken_once_and_the_last_one_stays)
{
    record("INSERT INTO t VALUES (3, 3, 3)");
    record("INSERT INTO t VALUES (4, 4, 4)");
    cr_expect_eq(scan_capture(&node), 2);
    cr_expect_eq(number("SELECT count(*) FROM rowferry_outbox"), 1);
    record("INSERT INTO t VALUES (5, 5, 5)");
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(number("SELECT min(id) = 3 AND count(*) = 1 FROM rowferry_outbox"), 1);
}

/* Rows of one that changed only tables that are not replicated tell no entry how far the
 * outbox was read; those that follow are told as they were all the same. */
Test(outbox, a_transaction_of_other_peoples_tables_is_not_met_again_by_half)
{
    static char only[] = "t";
    static const struct table_rules rules = {.only = only};

    node.rules = &rules;
    scan_node_restart(&node);
    record("UPDATE t SET a = 'x' WHERE id = 1");
    scan_write(&node, "BEGIN; INSERT INTO u VALUES ('k', 1)");
    cr_assert_eq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK);
    scan_write(&node, "INSERT INTO u VALUES ('l', 1)");
    cr_assert_eq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK);
    scan_write(&node, "COMMIT");
    cr_expect_eq(scan_capture(&node), 1);
    record("UPDATE t SET a = 'p' WHERE id = 1");
    record("UPDATE t SET a = 'q' WHERE id = 1");
    cr_expect_eq(scan_capture(&node), 2);
    expect_entry(1, "update t(1): 1,'p',0 was 1='x'");
    expect_entry(0, "update t(1): 1,'q',0 was 1='p'");
}

/* Killed after the log's commit: the rows are still there. */
Test(outbox, rows_that_the_log_has_are_not_logged_again)
{
    struct sqlite_state state;

    record("UPDATE t SET a = 'x' WHERE id = 1");
    record("UPDATE t SET a = 'one' WHERE id = 1");
    scan_write(&node, "CREATE TABLE kept AS SELECT * FROM rowferry_outbox");
    cr_expect_eq(scan_capture(&node), 2);
    state = scan_state(&node);
    scan_write(&node, "DELETE FROM rowferry_outbox;"
                      "INSERT INTO rowferry_outbox SELECT * FROM kept; DROP TABLE kept");
    scan_node_restart(&node);
    cr_expect_eq(scan_capture(&node), 0);
    cr_expect_eq(scan_state(&node).counter, state.counter);
}

Test(outbox, beside_statements_that_nobody_recorded)
{
    scan_write(&node, "UPDATE t SET b = 7 WHERE id = 1"); /* on its own */
    record("UPDATE t SET a = 'x' WHERE id = 1");
    scan_write(&node, "INSERT INTO t VALUES (8, 8, 8)");
    record("UPDATE t SET a = 'z' WHERE id = 2; DELETE FROM t WHERE id = 8");
    cr_expect_eq(scan_capture(&node), 3);
    expect_entry(2, "update t(1): 1,'x',0 was 1='one'");
    expect_entry(1, "update t(2): 2,'z',0 was 1='two'");
    expect_entry(0, "update t(1): 1,'x',7 was 2=0");
    cr_expect_eq(scan_expect_same(&node), 2);
}

/* What row 8 was before is told nowhere. */
Test(outbox, a_transaction_on_a_row_that_nobody_recorded_is_the_scans_as_a_whole)
{
    scan_write(&node, "INSERT INTO t VALUES (8, 8, 8)");
    record("UPDATE t SET a = 'x' WHERE id = 1");
    record("UPDATE t SET a = 'z' WHERE id = 2; UPDATE t SET a = 9 WHERE id = 8");
    record("UPDATE t SET b = 5 WHERE id = 2");
    cr_expect_eq(scan_capture(&node), 3);
    expect_entry(1, "update t(1): 1,'x',0 was 1='one'");
    expect_entry(0, "update t(2): 2,'z',5 was 1='two',2=0\ninsert t(8): 8,9,8");
    record("UPDATE t SET b = 6 WHERE id = 8");
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(scan_expect_same(&node), 3);
}

Test(outbox, a_row_in_several_parts_has_a_change_in_each)
{
    scan_write(&node, "BEGIN; INSERT INTO t VALUES (3, 'a', 0)");
    cr_assert_eq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK);
    scan_write(&node,
               "UPDATE t SET a = 'b' WHERE id = 3; UPDATE t SET a = 1 WHERE id = 1");
    cr_assert_eq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK);
    scan_write(&node, "DELETE FROM t WHERE id = 3; UPDATE t SET b = 2 WHERE id = 1");
    cr_assert_eq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK);
    scan_write(&node, "COMMIT");
    cr_expect_eq(scan_capture(&node), 5);
    expect_entry(0, "insert t(3): 3,'a',0\n"
                    "update t(1): 1,1,0 was 1='one'\n"
                    "insert t(3): 3,'b',0\n"
                    "update t(1): 1,1,2 was 2=0\n"
                    "delete t(3) was 0=key,1='b',2=0");
    cr_expect_eq(scan_expect_same(&node), 2);
}

static uint64_t last_commit_us(void)
{
    struct store_txn *txn;
    struct log_entry entry;

    cr_assert_eq(store_begin(node.store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(log_get(txn, scan_last_seq(&node), &entry, &err), STATUS_OK);
    store_abort(txn);
    return entry.header.commit_us;
}

Test(outbox, what_it_can_not_use_is_left_to_the_scan)
{
    static const struct {
        const char *when;
        const char *damage;
    } cases[] = {
        {"cut",                              "UPDATE rowferry_outbox SET changes = substr(changes, 1, 20)"},
        {"cut before its table's name ends",
         "UPDATE rowferry_outbox SET changes = substr(changes, 1, 4)"                                     },
        {"cut where a row begins",
         "UPDATE rowferry_outbox SET changes = substr(changes, 1, 9)"                                     },
        {"not a changeset",                  "UPDATE rowferry_outbox SET changes = 'nothing of the kind'" },
        {"nothing in it",                    "UPDATE rowferry_outbox SET changes = ''"                    },
        {"its end is missing",               "UPDATE rowferry_outbox SET \"last\" = 0"                    },
        {"its beginning is missing",         "UPDATE rowferry_outbox SET \"first\" = 0"                   },
        {"of a newer format",                "UPDATE rowferry_outbox SET \"format\" = 2"                  },
        {"of another position",              "UPDATE rowferry_outbox SET position = position + 1"         },
        {"asks for it",                      "UPDATE rowferry_outbox SET scan = 1, changes = ''"          },
    };

    record("INSERT INTO u VALUES ('first', 1)");
    cr_expect_eq(scan_capture(&node), 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[64];

        (void)snprintf(sql, sizeof sql, "UPDATE t SET a = 'x%zu' WHERE id = 1", i);
        record(sql);
        scan_write(&node, "UPDATE rowferry_outbox SET stamp_us = 1700000000000001");
        scan_write(&node, cases[i].damage);
        cr_expect_eq(scan_capture(&node), 1, "%s", cases[i].when);
        cr_expect_neq(last_commit_us(), 1700000000000001, "%s", cases[i].when);
        cr_expect_eq(scan_expect_same(&node), 3, "%s", cases[i].when);
        cr_expect_eq(scan_capture(&node), 0, "%s", cases[i].when);
    }
    record("INSERT INTO t VALUES (4, 4, 4)");
    cr_expect_eq(scan_capture(&node), 1);
}

Test(outbox, added_columns_tear_no_transaction)
{
    record("UPDATE t SET a = 'x' WHERE id = 1; INSERT INTO u VALUES ('k', 1)");
    record("UPDATE t SET a = 'y' WHERE id = 1; INSERT INTO t VALUES (3, 3, 3)");
    scan_write(&node, "ALTER TABLE t ADD COLUMN c NOT NULL DEFAULT 7");
    record("UPDATE t SET a = 'z' WHERE id = 1; DELETE FROM t WHERE id = 3");
    scan_write(&node, "ALTER TABLE t ADD COLUMN d");
    record("UPDATE t SET c = 8 WHERE id = 1; INSERT INTO u VALUES ('l', 1)");
    cr_expect_eq(scan_capture(&node), 8);
    expect_entry(3, "update t(1): 1,'x',0,7,NULL was 1='one'\ninsert u('k'): 'k',1");
    expect_entry(2, "update t(1): 1,'y',0,7,NULL was 1='x'\ninsert t(3): 3,3,3,7,NULL");
    expect_entry(1, "update t(1): 1,'z',0,7,NULL was 1='y'\n"
                    "delete t(3) was 0=key,1=3,2=3,3=7,4=NULL");
    expect_entry(0, "update t(1): 1,'z',0,8,NULL was 3=7\ninsert u('l'): 'l',1");
    cr_expect_eq(scan_capture(&node), 0);
}

/* By place the recorded values would come into the wrong columns; and what came after is
 * laid over what it did. */
Test(outbox, of_a_table_that_was_made_anew_is_the_scans_with_all_that_follows)
{
    record("INSERT INTO u VALUES ('k', 1)");
    record("UPDATE t SET a = 'x' WHERE id = 1; UPDATE u SET a = 2");
    scan_write(&node, "ALTER TABLE t RENAME TO old;"
                      "CREATE TABLE t (id INTEGER PRIMARY KEY, b, a);"
                      "INSERT INTO t SELECT id, b, a FROM old; DROP TABLE old");
    record("UPDATE u SET a = 9");
    record("UPDATE u SET a = 3");
    cr_expect_eq(scan_capture(&node), 3);
    expect_entry(1, "insert u('k'): 'k',1");
    expect_entry(0, "update t(1): 1,0,'x' was 2='one'\nupdate u('k'): 'k',3 was 1=1");
    cr_expect_eq(scan_capture(&node), 0);
    record("UPDATE u SET a = 4");
    record("UPDATE u SET a = 5");
    cr_expect_eq(scan_capture(&node), 2);
}

Test(outbox, of_a_table_that_is_gone_is_the_scans_with_all_that_follows)
{
    scan_write(&node, "CREATE TABLE nokey (a)");
    record("INSERT INTO nokey VALUES (1); INSERT INTO u VALUES ('k', 1)");
    record("UPDATE u SET a = 2; UPDATE t SET a = 'x' WHERE id = 1");
    scan_write(&node, "DROP TABLE t; DROP TABLE nokey");
    record("UPDATE u SET a = 3");
    cr_expect_eq(scan_capture(&node), 2);
    expect_entry(1, "insert u('k'): 'k',1");
    expect_entry(0, "update u('k'): 'k',3 was 1=1");
}

/* One of that changed nothing, in the end. */
Test(outbox, what_was_passed_over_is_not_met_again)
{
    record("UPDATE t SET a = 'x' WHERE id = 1");
    scan_write(&node, "UPDATE rowferry_outbox SET scan = 1;"
                      "UPDATE t SET a = 'one' WHERE id = 1");
    cr_expect_eq(scan_capture(&node), 0);
    record("UPDATE t SET a = 'y' WHERE id = 1");
    record("UPDATE t SET a = 'z' WHERE id = 1");
    cr_expect_eq(scan_capture(&node), 2);
}

/* Ids begin again at 1, below what the store has seen. */
Test(outbox, one_that_somebody_emptied_loses_nothing)
{
    record("INSERT INTO t VALUES (3, 3, 3)");
    record("INSERT INTO t VALUES (4, 4, 4)");
    cr_expect_eq(scan_capture(&node), 2);
    scan_write(&node, "DELETE FROM rowferry_outbox");
    record("INSERT INTO t VALUES (5, 5, 5)");
    cr_expect_eq(scan_capture(&node), 1);
    record("INSERT INTO t VALUES (6, 6, 6)");
    record("INSERT INTO t VALUES (7, 7, 7)");
    cr_expect_eq(scan_capture(&node), 2);
    cr_expect_eq(scan_expect_same(&node), 7);
}

Test(outbox, tells_the_commits_own_time_and_its_note)
{
    struct store_txn *txn;
    struct log_entry entry;
    struct bytes note, user;

    scan_write(&node, "BEGIN");
    cr_assert_eq(rowferry_recorder_note(recorder, "because", "eve"), SQLITE_OK);
    scan_write(&node, "INSERT INTO t VALUES (3, 3, 3)");
    cr_assert_eq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK);
    scan_write(&node, "COMMIT");
    scan_write(&node, "UPDATE rowferry_outbox SET stamp_us = 1700000000000001");
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(last_commit_us(), 1700000000000001);
    cr_assert_eq(store_begin(node.store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(log_get(txn, scan_last_seq(&node), &entry, &err), STATUS_OK);
    cr_assert(entry_field_find(entry.header.fields, FIELD_NOTE, &note));
    cr_expect(bytes_equal(note, bytes_of_text("because")));
    cr_assert(entry_field_find(entry.header.fields, FIELD_USER, &user));
    cr_expect(bytes_equal(user, bytes_of_text("eve")));
    store_abort(txn);
}
