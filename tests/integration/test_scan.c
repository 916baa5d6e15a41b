/* What a scan sees: rows of every kind, and what changed of them. */
#include "tests/support/scan_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct scan_node node;
static struct error err;

static void tear_down(void)
{
    scan_node_close(&node);
}

TestSuite(scan, .fini = tear_down);

static struct log_entry entry_at(struct store_txn **txn, uint64_t seq)
{
    struct log_entry entry;

    cr_assert_eq(store_begin(node.store, TXN_READ, txn, &err), STATUS_OK);
    cr_assert_eq(log_get(*txn, seq, &entry, &err), STATUS_OK, "%s", err.text);
    return entry;
}

Test(scan, the_first_snapshot_is_base_rows_after_their_definitions)
{
    struct store_txn *txn;
    struct log_entry entry;

    scan_node_open(&node, "CREATE TABLE t (i INTEGER PRIMARY KEY, v);"
                          "INSERT INTO t VALUES (1, 'x'), (2, NULL)");
    cr_expect_eq(node.base.entries, 2);
    cr_expect_eq(node.base.changes, 2);
    cr_assert_eq(scan_last_seq(&node), 3);
    entry = entry_at(&txn, 2);
    cr_expect_eq(entry.header.kind, ENTRY_TABLES);
    store_abort(txn);
    entry = entry_at(&txn, 3);
    cr_expect_eq(entry.header.flags, ENTRY_BASE);
    cr_expect_eq(entry.header.stamp_us, 0);
    store_abort(txn);
    cr_expect_str_eq(scan_text(&node, 3), "insert t(1): 1,'x'\ninsert t(2): 2,NULL");
    cr_expect_eq(scan_expect_same(&node), 2);
}

Test(scan, a_database_without_rows_has_no_base_entry)
{
    scan_node_open(&node, "CREATE TABLE t (i INTEGER PRIMARY KEY, v)");
    cr_expect_eq(scan_last_seq(&node), 2);
    cr_expect_eq(scan_capture(&node), 0);
    scan_write(&node, "INSERT INTO t VALUES (1, 2)");
    scan_expect(&node, "insert t(1): 1,2");
}

Test(scan, logs_inserts_updates_and_deletes_with_the_values_before)
{
    scan_node_open(&node, "CREATE TABLE t (i INTEGER PRIMARY KEY, v, w);"
                          "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)");
    scan_write(&node, "UPDATE t SET v = 'A' WHERE i = 1; DELETE FROM t WHERE i = 2;"
                      "INSERT INTO t VALUES (4, 'd', 4.5)");
    scan_expect(&node, "update t(1): 1,'A',1 was 1='a'\n"
                       "insert t(4): 4,'d',4.5r\n"
                       "delete t(2) was 0=key,1='b',2=2");
    scan_write(&node,
               "INSERT INTO t VALUES (2, 'again', NULL); UPDATE t SET i = 9 WHERE i = 1");
    scan_expect(&node, "insert t(2): 2,'again',NULL\n"
                       "insert t(9): 9,'A',1\n"
                       "delete t(1) was 0=key,1='A',2=1");
    cr_expect_eq(scan_expect_same(&node), 4);
}

Test(scan, a_write_that_changes_nothing_makes_no_entry)
{
    scan_node_open(
        &node, "CREATE TABLE t (i INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 2)");
    scan_write(
        &node,
        "UPDATE t SET v = v; INSERT INTO t VALUES (7, 7); DELETE FROM t WHERE i = 7;"
        "VACUUM");
    cr_expect_eq(scan_capture(&node), 0);
    cr_expect_eq(scan_last_seq(&node), 3);
}

Test(scan, generated_columns_are_not_in_the_image)
{
    scan_node_open(
        &node, "CREATE TABLE t (g AS (v), k INTEGER PRIMARY KEY, v, h AS (v) STORED)");
    scan_write(&node, "INSERT INTO t (k, v) VALUES (1, 2)");
    scan_expect(&node, "insert t(1): 1,2");
}

Test(scan, what_has_no_key_is_left_alone)
{
    scan_node_open(&node,
                   "CREATE TABLE nokey (a); INSERT INTO nokey VALUES (1);"
                   "CREATE VIRTUAL TABLE f USING fts5(x); INSERT INTO f VALUES ('word');"
                   "CREATE TABLE t (k TEXT PRIMARY KEY, v);"
                   "INSERT INTO t VALUES (NULL, 1), (NULL, 2), ('a', 3)");
    cr_expect_eq(node.base.changes, 1);
    scan_write(&node, "INSERT INTO nokey VALUES (2); INSERT INTO f VALUES ('x');"
                      "UPDATE t SET v = 9; DELETE FROM t WHERE k IS NULL AND rowid = 1");
    scan_expect(&node, "update t('a'): 'a',9 was 1=3");
}

Test(scan, deletes_are_found_though_the_number_of_rows_stays)
{
    scan_node_open(&node,
                   "CREATE TABLE t (k INTEGER PRIMARY KEY, v);"
                   "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                   " WHERE i < 9000) INSERT INTO t SELECT i, i FROM n");
    scan_write(&node,
               "DELETE FROM t WHERE k IN (1, 4096, 4097, 9000);"
               "INSERT INTO t VALUES (10001, 1), (10002, 1), (10003, 1), (10004, 1)");
    cr_expect_eq(scan_capture(&node), 8);
    cr_expect_eq(scan_expect_same(&node), 9000);
    scan_write(&node, "DELETE FROM t");
    cr_expect_eq(scan_capture(&node), 9000);
    cr_expect_eq(scan_expect_same(&node), 0);
    scan_node_restart(&node);
    cr_expect_eq(scan_capture(&node), 0);
}

Test(scan, a_large_difference_is_one_entry_in_parts)
{
    struct store_txn *txn;
    struct log_entry entry;
    uint64_t seq;

    scan_node_open(&node, "CREATE TABLE t (k INTEGER PRIMARY KEY, v)");
    scan_write(&node,
               "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
               " WHERE i < 30000) INSERT INTO t SELECT i, hex(zeroblob(40)) FROM n");
    cr_expect_eq(scan_capture(&node), 30000);
    seq = scan_last_seq(&node);
    cr_expect_eq(seq, 3);
    entry = entry_at(&txn, seq);
    cr_expect(entry.in_parts);
    cr_expect_eq(entry.header.item_count, 30000);
    store_abort(txn);
    cr_expect_eq(scan_expect_same(&node), 30000);
}

Test(scan, only_the_tables_that_are_wanted_are_captured)
{
    struct table_rules rules = {.only = (char[]){"b"}};
    struct sqlite_scan_options options = {.rules = &rules};
    struct capture_counts counts;

    scan_node_open(&node, "CREATE TABLE b (i INTEGER PRIMARY KEY)");
    scan_write(&node, "CREATE TABLE a (i INTEGER PRIMARY KEY); INSERT INTO a VALUES (1);"
                      "INSERT INTO b VALUES (2)");
    node.source->ops->close(node.source);
    cr_assert_eq(
        sqlite_scan_open(&node.source, node.database, node.store, &options, &err),
        STATUS_OK);
    cr_assert_eq(scan_capture_try(&node, &counts, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.entries, 1);
    cr_expect_str_eq(scan_text(&node, scan_last_seq(&node)), "insert b(2): 2");
}

/* ---- schema */

Test(scan, a_changed_table_is_logged_anew_and_its_rows_are_not)
{
    struct capture_counts counts;
    struct store_txn *txn;
    struct log_entry entry;

    scan_node_open(&node, "CREATE TABLE a (i INTEGER PRIMARY KEY, v);"
                          "CREATE TABLE b (i INTEGER PRIMARY KEY);"
                          "INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1)");
    scan_write(&node,
               "ALTER TABLE a ADD COLUMN w DEFAULT 'new'; ALTER TABLE a ADD COLUMN x;"
               "CREATE TABLE c (i INTEGER PRIMARY KEY)");
    cr_assert_eq(scan_capture_try(&node, &counts, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.entries, 1);
    cr_expect_eq(counts.changes, 0);
    entry = entry_at(&txn, 4);
    cr_expect_eq(entry.header.kind, ENTRY_TABLES);
    cr_expect_eq(entry.header.item_count, 2);
    store_abort(txn);
    scan_write(&node, "UPDATE a SET w = 'other'; INSERT INTO c VALUES (1)");
    scan_expect(&node, "update a(1): 1,1,'other',NULL was 2='new'\ninsert c(1): 1");
    scan_write(&node, "CREATE UNIQUE INDEX ia ON a (v)");
    cr_assert_eq(scan_capture_try(&node, &counts, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.entries, 1);
    cr_expect_eq(counts.changes, 0);
}

Test(scan, the_rows_of_a_dropped_table_are_not_deleted)
{
    scan_node_open(&node, "CREATE TABLE a (i INTEGER PRIMARY KEY, v);"
                          "CREATE TABLE b (i INTEGER PRIMARY KEY);"
                          "INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1)");
    scan_write(&node, "DROP TABLE a; INSERT INTO b VALUES (2)");
    scan_expect(&node, "insert b(2): 2");
}

Test(scan, a_dropped_column_and_a_changed_key_go_on)
{
    scan_node_open(&node, "CREATE TABLE a (i INTEGER PRIMARY KEY, v, w);"
                          "INSERT INTO a VALUES (1, 2, 3)");
    scan_write(&node, "ALTER TABLE a DROP COLUMN v");
    cr_expect_eq(scan_capture(&node), 0);
    scan_write(&node, "DROP TABLE a; CREATE TABLE a (i, j, w, PRIMARY KEY (i, j));"
                      "INSERT INTO a VALUES (1, 2, 3)");
    cr_expect_eq(scan_capture(&node), 2);
    cr_expect_str_eq(scan_text(&node, scan_last_seq(&node)),
                     "insert a(1,2): 1,2,3\ndelete a(1) was 0=1,2=3");
    scan_node_restart(&node);
    cr_expect_eq(scan_capture(&node), 0);
}

/* ---- a real one */

Test(scan, the_epsg_registry)
{
    static const char file[] = "/usr/share/proj/proj.db";

    if (access(file, R_OK) != 0) {
        scan_node_open(&node, "CREATE TABLE t (i INTEGER PRIMARY KEY)");
        cr_skip("%s is not here (Debian's proj-data)", file);
    }
    scan_node_open_file(&node, file);
    cr_expect_eq(node.base.changes, 29810);
    cr_expect_eq(scan_capture(&node), 0);
    cr_expect_eq(scan_expect_same(&node), 29810);
}
