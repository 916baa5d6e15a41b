/* Rows of other nodes in a database: the plain road, without constraints. */
#include "tests/support/apply_fixture.h"

#include <criterion/criterion.h>

static struct apply_node a, b;

static const char schema[] = "CREATE TABLE t (id INTEGER PRIMARY KEY, x, y TEXT);"
                             "CREATE TABLE w (k TEXT, n INTEGER, v BLOB, PRIMARY KEY (k, n))"
                             " WITHOUT ROWID;";

static void set_up(void)
{
    apply_node_open(&a, schema, true);
    apply_node_open(&b, schema, true);
}

static void tear_down(void)
{
    apply_node_close(&a);
    apply_node_close(&b);
}

TestSuite(apply_rows, .init = set_up, .fini = tear_down);

static void a_to_b(void)
{
    (void)apply_carry(&a, &b, 0);
    apply_run(&b);
    apply_expect_quiet(&b);
}

Test(apply_rows, inserts_updates_and_deletes)
{
    apply_write(&a, "INSERT INTO t VALUES (1, 'one', 'y'), (2, 2.5, NULL), (3, x'00', 'z');"
                    "INSERT INTO w VALUES ('a', 1, 'v'), ('a', 2, 'w')");
    a_to_b();
    apply_expect(&b, "SELECT id || quote(x) || quote(y) FROM t",
                 "1'one''y';22.5NULL;3X'00''z'");
    apply_expect(&b, "SELECT k || n || v FROM w", "a1v;a2w");
    apply_write(&a, "UPDATE t SET x = 'ONE' WHERE id = 1; DELETE FROM t WHERE id = 2;"
                    "UPDATE w SET v = 'V' WHERE n = 1; DELETE FROM w WHERE n = 2");
    a_to_b();
    apply_expect(&b, "SELECT id || x FROM t WHERE id < 3", "1ONE");
    apply_expect(&b, "SELECT k || n || v FROM w", "a1V");
}
