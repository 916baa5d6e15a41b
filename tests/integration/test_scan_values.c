/* Rows that are hard to carry: after the snapshot, and after every row was changed, the
 * row index holds what the database holds, bit for bit, and a second scan finds nothing.
 */
#include "tests/support/scan_fixture.h"

#include <criterion/criterion.h>

static struct scan_node node;

static void tear_down(void)
{
    scan_node_close(&node);
}

TestSuite(scan_values, .fini = tear_down);

/* rows: how many there are after the change. */
static void expect_seen(const char *make, const char *change, uint64_t rows)
{
    scan_node_open(&node, make);
    (void)scan_expect_same(&node);
    cr_expect_eq(scan_capture(&node), 0);
    scan_write(&node, change);
    cr_expect_gt(scan_capture(&node), 0);
    cr_expect_eq(scan_expect_same(&node), rows);
    scan_node_restart(&node);
    cr_expect_eq(scan_capture(&node), 0);
}

Test(scan_values, every_storage_class)
{
    expect_seen("CREATE TABLE t (i INTEGER PRIMARY KEY, v);"
                "INSERT INTO t VALUES (1, NULL), (2, 0), (3, -9223372036854775808),"
                "(4, 9223372036854775807), (5, 9e999), (6, -9e999), (7, 5e-324), (8, ''),"
                "(9, x''), (10, CAST(x'610062' AS TEXT)), (11, CAST(x'fffec0' AS TEXT)),"
                "(12, zeroblob(70000)), (-9223372036854775808, 1), (13, 1.0), (14, -0.0),"
                "(9223372036854775807, 0.1)",
                "UPDATE t SET v = CASE WHEN v IS NULL THEN 1"
                " WHEN typeof(v) = 'blob' THEN CAST(v AS TEXT) ELSE NULL END",
                16);
}

Test(scan_values, every_declared_type)
{
    expect_seen(
        "CREATE TABLE t (i INT PRIMARY KEY NOT NULL, a INTEGER, b REAL, c TEXT,"
        " d BLOB, e DECIMAL(10,5), f VARCHAR(10), g BOOLEAN, h DATE, j \"my type\");"
        "INSERT INTO t VALUES (1, '7', '7', 7, 7, '7.50', 7, 1, '2024-01-01', 'x'),"
        "('x', 'y', 'z', x'00', 1.5, 'abc', 9.0, 'no', 3, 2.0),"
        "(1.5, 1.0, 1, 1.0, '1', 1, 1, 1, 1, 1)",
        "UPDATE t SET a = b, b = c, c = d, d = e, e = f", 3);
}

Test(scan_values, strict_tables)
{
    expect_seen("CREATE TABLE t (i ANY PRIMARY KEY, a INT, b REAL, c TEXT, d BLOB, e ANY)"
                " STRICT; INSERT INTO t VALUES ('1', 1, 1, '1', x'01', '1'),"
                "(1, '2', '2.5', 3, x'', 1.0), (2.5, NULL, NULL, NULL, NULL, x'00')",
                "UPDATE t SET a = 9, e = c", 3);
}

Test(scan_values, without_rowid_and_a_composite_key)
{
    expect_seen(
        "CREATE TABLE t (v, a TEXT, b INT, c BLOB, PRIMARY KEY (c, a DESC, b))"
        " WITHOUT ROWID; INSERT INTO t VALUES (1, 'a', 1, x'00'),"
        "(2, 'a', 1, x'0000'), (3, '', 2, x''), (4, CAST(x'6100' AS TEXT), 1, x'00'),"
        "(5, CAST(x'610061' AS TEXT), 1, 'text')",
        "UPDATE t SET v = v || 'x' WHERE b = 1; DELETE FROM t WHERE v = 3", 4);
}

Test(scan_values, an_untyped_key)
{
    expect_seen(
        "CREATE TABLE t (k PRIMARY KEY, v); INSERT INTO t VALUES (1, 1), ('1', 2),"
        "(x'31', 3), (1.5, 4), (2.0, 5), ('', 6), (x'', 7), (1e300, 8),"
        "(9007199254740993, 9), (9007199254740992.0, 10), (-1, 11), ('2', 12)",
        "UPDATE t SET v = -v; UPDATE t SET k = 3 WHERE k = 2;"
        "DELETE FROM t WHERE k = '1'",
        11);
}

Test(scan_values, a_key_without_case)
{
    expect_seen("CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY, v);"
                "INSERT INTO t VALUES ('a', 1), ('B', 2), ('c', 3)",
                "UPDATE t SET k = upper(k); UPDATE t SET v = 9 WHERE k = 'b'", 3);
}

Test(scan_values, a_key_whose_own_clause_has_the_collation)
{
    expect_seen("CREATE TABLE t (k TEXT, j TEXT COLLATE NOCASE, v,"
                " PRIMARY KEY (k COLLATE RTRIM, j COLLATE BINARY));"
                "INSERT INTO t VALUES ('a ', 'x', 1), ('b', 'Y', 2), ('b', 'y', 3)",
                "UPDATE t SET k = trim(k) || '  '; DELETE FROM t WHERE v = 3", 2);
}

Test(scan_values, keys_over_400_bytes)
{
    expect_seen(
        "CREATE TABLE t (k BLOB PRIMARY KEY, v); INSERT INTO t VALUES"
        "(zeroblob(399), 1), (zeroblob(400), 2), (zeroblob(401), 3),"
        "(zeroblob(5000) || x'01', 4), (CAST(zeroblob(5000) || x'02' AS BLOB), 5)",
        "UPDATE t SET v = v + 10; DELETE FROM t WHERE v = 13", 4);
}

Test(scan_values, a_primary_key_that_is_not_the_rowid)
{
    expect_seen("CREATE TABLE t (a TEXT, b INTEGER, v, PRIMARY KEY (b, a));"
                "CREATE TABLE d (i INTEGER PRIMARY KEY DESC, v);"
                "INSERT INTO t VALUES ('x', 1, 1), ('y', 1, 2), ('x', 2, 3);"
                "INSERT INTO d VALUES ('text', 1), (5, 2)",
                "DELETE FROM t WHERE v = 1; INSERT INTO t VALUES ('x', 1, 9); VACUUM;"
                "UPDATE d SET v = 0",
                5);
}

Test(scan_values, generated_columns_are_left_out)
{
    expect_seen("CREATE TABLE t (g1 AS (v + 1), k INTEGER PRIMARY KEY,"
                " g2 INT AS (v * 2) STORED, v, w DEFAULT (random()));"
                "INSERT INTO t (k, v) VALUES (1, 1), (2, 2)",
                "UPDATE t SET v = 7", 2);
}

Test(scan_values, reserved_words_quotes_and_dots_in_names)
{
    expect_seen("CREATE TABLE \"select.\"\"x\"\"\" (\"from\" TEXT, \"a.b\" INT,"
                " \"it's\" PRIMARY KEY);"
                "CREATE TABLE [order] ([group] INTEGER PRIMARY KEY, `by` , [\"\"]);"
                "INSERT INTO \"select.\"\"x\"\"\" VALUES ('a', 1, 2);"
                "INSERT INTO [order] VALUES (1, 2, 3)",
                "UPDATE \"select.\"\"x\"\"\" SET \"a.b\" = 5; DELETE FROM [order]", 1);
}

Test(scan_values, a_utf16_database)
{
    expect_seen(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (k TEXT PRIMARY KEY, v);"
        "INSERT INTO t VALUES ('größe', '€'), ('', ''), ('\xf0\x9f\x98\x80', x'00'),"
        "(CAST(x'61000000' AS TEXT), 1)",
        "UPDATE t SET v = k, k = k || 'x'", 4);
}

Test(scan_values, another_case_is_another_row)
{
    scan_node_open(&node, "CREATE TABLE t (k TEXT COLLATE NOCASE PRIMARY KEY, v);"
                          "INSERT INTO t VALUES ('a', 1), ('b', 2)");
    scan_write(&node, "UPDATE t SET k = 'A' WHERE k = 'a'");
    scan_expect(&node, "insert t('A'): 'A',1\ndelete t('a') was 0=key,1=1");
}

Test(scan_values, another_form_of_a_number_is_the_same_row)
{
    scan_node_open(&node,
                   "CREATE TABLE t (k PRIMARY KEY, v); INSERT INTO t VALUES (1, 1)");
    scan_write(&node, "UPDATE t SET k = 1.0");
    scan_expect(&node, "update t(1): 1r,1 was 0=1");
}

static int compare_bytes(void *data, int a_size, const void *a, int b_size, const void *b)
{
    (void)data;
    return bytes_compare((struct bytes){a, (size_t)a_size},
                         (struct bytes){b, (size_t)b_size});
}

Test(scan_values, a_table_whose_collation_only_the_application_knows_hinders_no_other)
{
    scan_node_open(&node, "CREATE TABLE x (i INTEGER PRIMARY KEY)");
    cr_assert_eq(sqlite3_create_collation(node.application, "localized", SQLITE_UTF8,
                                          NULL, compare_bytes),
                 SQLITE_OK);
    scan_write(&node, "CREATE TABLE t (k TEXT COLLATE localized PRIMARY KEY, v COLLATE"
                      " localized UNIQUE); INSERT INTO t VALUES ('a', 1), ('b', 2);"
                      "INSERT INTO x VALUES (7)");
    cr_expect_eq(scan_capture(&node), 1, "x's row; t is named as not replicated");
}
