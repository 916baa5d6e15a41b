/* Rows of other nodes in a database: the plain road, columns that only one side has, what
 * is refused and retried, local writes that nobody has captured yet. */
#include "log/conflicts.h"
#include "log/intent.h"
#include "tests/support/apply_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct apply_node a, b;

static struct error err;

static const char plain[] =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, x, y TEXT);"
    "CREATE TABLE w (k TEXT, n INTEGER, v BLOB, PRIMARY KEY (k, n))"
    " WITHOUT ROWID;";

static void open_both(const char *schema_a, const char *schema_b)
{
    apply_node_open(&a, schema_a, true);
    apply_node_open(&b, schema_b, true);
}

static void close_both(void)
{
    apply_node_close(&a);
    apply_node_close(&b);
}

TestSuite(apply_rows, .fini = close_both);

static void to(struct apply_node *from, struct apply_node *node)
{
    (void)apply_carry(from, node, 0);
    apply_run(node);
    apply_expect_quiet(node);
}

Test(apply_rows, inserts_updates_and_deletes)
{
    open_both(plain, plain);
    apply_write(&a,
                "INSERT INTO t VALUES (1, 'one', 'y'), (2, 2.5, NULL), (3, x'00', 'z');"
                "INSERT INTO w VALUES ('a', 1, 'v'), ('a', 2, 'w')");
    to(&a, &b);
    apply_expect(&b, "SELECT id || quote(x) || quote(y) FROM t",
                 "1'one''y';22.5NULL;3X'00''z'");
    apply_expect(&b, "SELECT k || n || v FROM w", "a1v;a2w");
    apply_write(&a, "UPDATE t SET x = 'ONE' WHERE id = 1; DELETE FROM t WHERE id = 2;"
                    "UPDATE w SET v = 'V' WHERE n = 1; DELETE FROM w WHERE n = 2");
    to(&a, &b);
    apply_expect(&b, "SELECT id || x FROM t WHERE id < 3", "1ONE");
    apply_expect(&b, "SELECT k || n || v FROM w", "a1V");
}

Test(apply_rows, brings_a_key_that_was_deleted_and_inserted_again)
{
    open_both(plain, plain);
    apply_write(&a, "INSERT INTO t VALUES (1, 'one', 'y')");
    apply_write(&a, "DELETE FROM t");
    apply_write(&a, "INSERT INTO t VALUES (1, 'two', 'z')");
    to(&a, &b);
    apply_expect(&b, "SELECT x FROM t", "two");
    apply_write(&a, "DELETE FROM t");
    apply_write(&a, "INSERT INTO t VALUES (1, 'three', 'z')");
    to(&a, &b);
    apply_expect(&b, "SELECT x FROM t", "three");
}

Test(apply_rows, gives_back_what_the_engine_can_tell_apart)
{
    static const char keys[] =
        "CREATE TABLE k (id PRIMARY KEY, v) WITHOUT ROWID;"
        "CREATE TABLE n (id TEXT COLLATE NOCASE, v, PRIMARY KEY (id"
        " COLLATE BINARY))";

    open_both(keys, keys);
    apply_write(&a, "INSERT INTO k VALUES (1.0, -0.0), ('1', 9e999), (x'31', ''),"
                    " (-9223372036854775808, 5e-324);"
                    "INSERT INTO n VALUES ('a', 1), ('A', 2)");
    to(&a, &b);
    apply_expect_same(&b, &a, "SELECT quote(id) || quote(v) FROM k ORDER BY id");
    apply_write(&a, "UPDATE k SET id = 1 WHERE id = 1; UPDATE n SET v = 3 WHERE v = 2;"
                    "DELETE FROM n WHERE v = 1");
    to(&a, &b);
    apply_expect(&b, "SELECT typeof(id) FROM k WHERE id = 1", "integer");
    apply_expect(&b, "SELECT id || v FROM n", "A3");
}

Test(apply_rows, advances_when_everything_has_lost_and_writes_nothing_the_next_time)
{
    open_both(plain, plain);
    apply_write(&a, "INSERT INTO t VALUES (1, 'old', 'y')");
    b.scan.now_us = a.scan.now_us + 5000000;
    apply_write(&b, "INSERT INTO t VALUES (1, 'new', 'y')");
    (void)apply_carry(&a, &b, 0);
    apply_run(&b);
    apply_expect(&b, "SELECT x FROM t", "new");
    cr_expect_eq(scan_state(&b.scan).applied, scan_last_seq(&b.scan));
    apply_expect_quiet(&b);
}

/* ---- local writes that nobody has captured */

Test(apply_rows, captures_local_writes_under_its_lock_before_it_overwrites_them)
{
    struct store_txn *txn;
    uint64_t conflicts = 0;

    open_both(plain, plain);
    apply_write(&a, "INSERT INTO t VALUES (1, 'one', 'y')");
    to(&a, &b);
    apply_write(&a, "UPDATE t SET x = 'from a'");
    scan_write(&b.scan, "UPDATE t SET x = 'from b'; INSERT INTO t VALUES (2, 'b', 'b')");
    (void)apply_carry(&a, &b, 0);
    apply_run(&b);
    cr_expect_eq(b.counts.captured, 1);
    cr_assert_eq(store_begin(b.scan.store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(conflict_count(txn, &conflicts, &err), STATUS_OK);
    store_abort(txn);
    cr_expect_eq(conflicts, 1, "the two updates did not see each other");
    apply_expect_quiet(&b);
    (void)apply_carry(&b, &a, 0);
    apply_run(&a);
    apply_expect_same(&a, &b, "SELECT x FROM t");
}

Test(apply_rows, a_database_that_is_locked_leaves_everything_as_it_was)
{
    open_both(plain, plain);
    apply_write(&a, "INSERT INTO t VALUES (1, 'one', 'y')");
    (void)apply_carry(&a, &b, 0);
    scan_write(&b.scan, "BEGIN IMMEDIATE");
    cr_expect_eq(apply_try(&b, &err), STATUS_BUSY, "%s", err.text);
    scan_write(&b.scan, "ROLLBACK");
    apply_run(&b);
    apply_expect(&b, "SELECT x FROM t", "one");
}

/* ---- columns of one side */

Test(apply_rows, a_column_that_only_this_node_has_keeps_its_value)
{
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
              "CREATE TABLE t (id INTEGER PRIMARY KEY, own DEFAULT 'mine', x)");
    apply_write(&a, "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    to(&a, &b);
    apply_expect(&b, "SELECT id || own || x FROM t", "1mineone;2minetwo");
    apply_write(&b, "UPDATE t SET own = 'set here' WHERE id = 1");
    to(&b, &a);
    apply_write(&a, "UPDATE t SET x = 'ONE' WHERE id = 1");
    to(&a, &b);
    apply_write(&a, "UPDATE t SET x = 'ONCE' WHERE id = 1");
    to(&a, &b);
    apply_expect(&b, "SELECT id || own || x FROM t", "1set hereONCE;2minetwo");
    to(&b, &a);
    apply_expect(&a, "SELECT id || x FROM t", "1ONCE;2two");
}

Test(apply_rows, an_own_column_survives_a_unique_value_that_moves)
{
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, x UNIQUE)",
              "CREATE TABLE t (id INTEGER PRIMARY KEY, own, x UNIQUE)");
    apply_write(&a, "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    to(&a, &b);
    apply_write(&b, "UPDATE t SET own = 'o' || id");
    to(&b, &a);
    apply_write(&a, "UPDATE t SET x = x || '_'; UPDATE t SET x = 'two' WHERE id = 1;"
                    "UPDATE t SET x = 'one' WHERE id = 2");
    to(&a, &b);
    apply_expect(&b, "SELECT id || own || x FROM t ORDER BY id", "1o1two;2o2one");
}

/* Row 5, which has an own value on b, loses its unique value to row 1 there. */
static void park_row_5(void)
{
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, x UNIQUE)",
              "CREATE TABLE t (id INTEGER PRIMARY KEY, own DEFAULT 'none', x UNIQUE)");
    apply_write(&a, "INSERT INTO t VALUES (1, 'one')");
    apply_write(&a, "INSERT INTO t VALUES (5, 'five')");
    to(&a, &b);
    apply_write(&b, "UPDATE t SET own = 'mine' WHERE id = 5");
    to(&b, &a);
    apply_write(&a, "UPDATE t SET x = 'same' WHERE id = 5");
    apply_write(&b, "UPDATE t SET x = 'same' WHERE id = 1");
    to(&a, &b);
    apply_expect(&b, "SELECT id || own || x FROM t", "1nonesame");
}

Test(apply_rows, an_own_column_survives_parking)
{
    park_row_5();
    apply_node_restart(&b);
    apply_write(&a, "INSERT INTO t VALUES (6, 'six')"); /* parked as before */
    to(&a, &b);
    apply_write(&b, "UPDATE t SET x = 'one' WHERE id = 1");
    apply_write(&a, "INSERT INTO t VALUES (7, 'seven')");
    to(&a, &b);
    apply_expect(&b, "SELECT id || own || x FROM t ORDER BY id",
                 "1noneone;5minesame;6nonesix;7noneseven");
    apply_expect_quiet(&b);
}

Test(apply_rows, an_own_column_survives_an_update_of_the_parked_row)
{
    park_row_5();
    apply_write(&a, "UPDATE t SET x = 'free' WHERE id = 5");
    to(&a, &b);
    apply_expect(&b, "SELECT id || own || x FROM t ORDER BY id", "1nonesame;5minefree");
    apply_expect_quiet(&b);
    apply_write(&a, "UPDATE t SET x = 'freer' WHERE id = 5");
    to(&a, &b);
    apply_expect(&b, "SELECT id || own || x FROM t ORDER BY id", "1nonesame;5minefreer");
}

Test(apply_rows, an_own_column_goes_with_a_parked_row_that_is_deleted)
{
    park_row_5();
    apply_write(&a, "DELETE FROM t WHERE id = 5");
    to(&a, &b);
    apply_write(&a, "INSERT INTO t VALUES (5, 'again')");
    to(&a, &b);
    apply_expect(&b, "SELECT id || own || x FROM t ORDER BY id", "1nonesame;5noneagain");
    apply_expect_quiet(&b);
}

Test(apply_rows, a_default_that_is_no_constant_is_read_back)
{
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
              "CREATE TABLE t (id INTEGER PRIMARY KEY, x,"
              " made DEFAULT (hex(randomblob(8))), n DEFAULT 7)");
    apply_write(&a, "INSERT INTO t VALUES (1, 'one')");
    to(&a, &b);
    apply_expect(&b, "SELECT x || length(made) || n FROM t", "one167");
}

Test(apply_rows, generated_columns_are_left_to_the_database)
{
    static const char schema[] = "CREATE TABLE t (id INTEGER PRIMARY KEY, x INTEGER,"
                                 " twice AS (x * 2), more AS (x * 3) STORED)";

    open_both(schema, schema);
    apply_write(&a, "INSERT INTO t (id, x) VALUES (1, 5)");
    to(&a, &b);
    apply_expect(&b, "SELECT twice || more FROM t", "1015");
}

/* ---- quarantine */

Test(apply_rows,
     what_this_schema_refuses_is_quarantined_alone_and_retried_when_it_changes)
{
    open_both(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x, y TEXT)",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x CHECK (x < 10), y TEXT NOT NULL)");
    apply_write(&a, "INSERT INTO t VALUES (1, 1, 'y'), (2, 20, 'y'), (3, 3, NULL)");
    to(&a, &b);
    apply_expect(&b, "SELECT id FROM t", "1");
    cr_expect_str_eq(apply_quarantine(&b), "t(2): CHECK constraint failed: x < 10;"
                                           "t(3): NOT NULL constraint failed: t.y");
    apply_write(&a, "UPDATE t SET x = 11 WHERE id = 1; UPDATE t SET x = 2 WHERE id = 2");
    to(&a, &b);
    apply_expect(&b, "SELECT id || x FROM t", "11;22");
    cr_expect_str_eq(apply_quarantine(&b), "t(1): CHECK constraint failed: x < 10;"
                                           "t(3): NOT NULL constraint failed: t.y");
    scan_write(&b.scan,
               "ALTER TABLE t RENAME TO old; CREATE TABLE t (id INTEGER PRIMARY KEY,"
               " x, y TEXT); INSERT INTO t SELECT * FROM old; DROP TABLE old");
    apply_run(&b);
    apply_expect(&b, "SELECT id || x FROM t", "111;22;33");
    cr_expect_str_eq(apply_quarantine(&b), "");
    cr_expect_eq(b.counts.retried, 2);
    apply_expect_quiet(&b);
}

Test(apply_rows, missing_tables_and_columns_are_named_in_the_databases_words)
{
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, x, more);"
              "CREATE TABLE u (id INTEGER PRIMARY KEY)",
              "CREATE TABLE t (id INTEGER PRIMARY KEY, x)");
    apply_write(&a, "INSERT INTO t VALUES (1, 'one', NULL), (2, 'two', 'm');"
                    "INSERT INTO u VALUES (1)");
    to(&a, &b);
    apply_expect(&b, "SELECT id FROM t", "1");
    cr_expect_str_eq(apply_quarantine(&b), "t(2): table t has no column named more;"
                                           "u(1): no such table: u");
    scan_write(&b.scan,
               "ALTER TABLE t ADD COLUMN more; CREATE TABLE u (id INTEGER PRIMARY KEY)");
    apply_run(&b);
    apply_expect(&b, "SELECT id || ifnull(more, '') FROM t", "1;2m");
    apply_expect(&b, "SELECT id FROM u", "1");
    cr_expect_str_eq(apply_quarantine(&b), "");
}

Test(apply_rows, a_key_that_would_be_stored_as_another_is_quarantined)
{
    open_both("CREATE TABLE t (id PRIMARY KEY, x)",
              "CREATE TABLE t (id INTEGER PRIMARY KEY, x)");
    apply_write(&a, "INSERT INTO t VALUES (1, 'i'), ('1', 't'), ('one', 't')");
    to(&a, &b);
    apply_expect(&b, "SELECT id || x FROM t", "1i");
    cr_expect_not_null(strstr(apply_quarantine(&b), "t.id (INTEGER) would store"), "%s",
                       apply_quarantine(&b));
}

Test(apply_rows, a_conflict_clause_of_the_table_is_not_obeyed)
{
    open_both("CREATE TABLE t (id INTEGER PRIMARY KEY, x)",
              "CREATE TABLE t (id INTEGER PRIMARY KEY, x UNIQUE ON CONFLICT REPLACE)");
    apply_write(&a, "INSERT INTO t VALUES (1, 'x')");
    apply_write(&a, "INSERT INTO t VALUES (2, 'x')");
    to(&a, &b);
    apply_expect(&b, "SELECT id FROM t", "1");
    cr_expect_str_neq(apply_parked(&b), "");
}
