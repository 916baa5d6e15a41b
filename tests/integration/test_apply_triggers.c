/* Which triggers fire when rows are applied, and what they can do to a batch. */
#include "tests/support/apply_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct apply_node a, b;

#define TABLES                                                                        \
    "CREATE TABLE t (id INTEGER PRIMARY KEY, x); CREATE TABLE u (id INTEGER PRIMARY " \
    "KEY);"
#define CACHE "CREATE TABLE cache (n);"

static void close_both(void)
{
    apply_node_close(&a);
    apply_node_close(&b);
}

TestSuite(apply_triggers, .fini = close_both);

static void open_with(const char *triggers)
{
    char schema[1000];

    (void)snprintf(schema, sizeof schema, TABLES CACHE "%s", triggers);
    apply_node_open(&a, TABLES, true);
    apply_node_open(&b, schema, true);
}

static void bring(const char *sql)
{
    apply_write(&a, sql);
    (void)apply_carry(&a, &b, 0);
    apply_run(&b);
}

Test(apply_triggers, auto_fires_what_keeps_caches)
{
    open_with(
        "CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO cache VALUES (new.x); END;"
        "CREATE TRIGGER d AFTER DELETE ON t BEGIN DELETE FROM cache WHERE n = old.x; END;"
        "CREATE TRIGGER r AFTER UPDATE OF x ON t BEGIN"
        " UPDATE cache SET n = new.x WHERE n = old.x; END");
    bring("INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three')");
    bring("DELETE FROM t WHERE id = 1; UPDATE t SET x = 'zwei' WHERE id = 2");
    apply_expect(&b, "SELECT n FROM cache ORDER BY 1", "three;zwei");
    apply_expect_quiet(&b);
}

Test(apply_triggers, auto_fires_those_of_columns_that_differ)
{
    apply_node_open(&a, "CREATE TABLE t (id INTEGER PRIMARY KEY, x, y)", true);
    apply_node_open(&b,
                    "CREATE TABLE t (id INTEGER PRIMARY KEY, x, y); " CACHE
                    "CREATE TRIGGER x AFTER UPDATE OF x ON t BEGIN"
                    " INSERT INTO cache VALUES (new.id || 'x'); END;"
                    "CREATE TRIGGER y AFTER UPDATE OF y ON t BEGIN"
                    " INSERT INTO cache VALUES (new.id || 'y'); END",
                    true);
    bring("INSERT INTO t VALUES (1, 'one', 1), (2, 'two', 2), (3, 'three', 3)");
    bring("UPDATE t SET x = 'ein' WHERE id = 1; UPDATE t SET y = 22 WHERE id = 2;"
          "UPDATE t SET x = 'drei', y = 33 WHERE id = 3");
    apply_expect(&b, "SELECT n FROM cache ORDER BY 1", "1x;2y;3x;3y");
    apply_expect_same(&b, &a, "SELECT id || x || y FROM t ORDER BY 1");
}

Test(apply_triggers, auto_keeps_a_full_text_index)
{
    open_with(
        "CREATE VIRTUAL TABLE f USING fts5 (x, content = 't', content_rowid = 'id');"
        "CREATE TRIGGER i AFTER INSERT ON t BEGIN"
        " INSERT INTO f (rowid, x) VALUES (new.id, new.x); END;"
        "CREATE TRIGGER d AFTER DELETE ON t BEGIN"
        " INSERT INTO f (f, rowid, x) VALUES ('delete', old.id, old.x); END;");
    bring("INSERT INTO t VALUES (1, 'one word'), (2, 'two words')");
    bring("DELETE FROM t WHERE id = 1");
    apply_expect(&b, "SELECT rowid FROM f WHERE f MATCH 'word OR words'", "2");
}

Test(apply_triggers, auto_keeps_what_writes_replicated_tables_silent)
{
    open_with("CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO u VALUES (new.id + "
              "100); END");
    bring("INSERT INTO t VALUES (1, 'one')");
    apply_expect(&b, "SELECT count(*) FROM u", "0");
    apply_expect_quiet(&b);
}

Test(apply_triggers, auto_keeps_all_of_a_table_silent_when_one_only_checks)
{
    open_with(
        "CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO cache VALUES (new.x); END;"
        "CREATE TRIGGER c BEFORE INSERT ON t WHEN new.x = 'bad' BEGIN"
        " SELECT RAISE(ABORT, 'bad'); END");
    bring("INSERT INTO t VALUES (1, 'one'), (2, 'bad')");
    apply_expect(&b, "SELECT id FROM t", "1;2");
    apply_expect(&b, "SELECT count(*) FROM cache", "0");
}

Test(apply_triggers, auto_counts_what_triggers_of_triggers_write)
{
    open_with(
        "CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO cache VALUES (new.x); END;"
        "CREATE TRIGGER n AFTER INSERT ON cache BEGIN INSERT INTO u VALUES (77); END");
    bring("INSERT INTO t VALUES (1, 'one')");
    apply_expect(&b, "SELECT count(*) FROM u", "0");
}

Test(apply_triggers, off_fires_none)
{
    open_with(
        "CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO cache VALUES (new.x); END");
    b.options.triggers = TRIGGERS_OFF;
    bring("INSERT INTO t VALUES (1, 'one')");
    apply_expect(&b, "SELECT count(*) FROM cache", "0");
}

Test(apply_triggers, on_fires_all_and_their_refusals_quarantine)
{
    open_with("CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO cache VALUES (new.x);"
              " SELECT RAISE(FAIL, 'too bad') WHERE new.x = 'bad'; END");
    b.options.triggers = TRIGGERS_ON;
    bring("INSERT INTO t VALUES (1, 'one'), (2, 'bad'), (3, 'three')");
    apply_expect(&b, "SELECT id FROM t", "1;3");
    apply_expect(&b, "SELECT n FROM cache", "one;three");
    cr_expect_str_eq(apply_quarantine(&b), "t(2): too bad");
    apply_expect_quiet(&b);
}

Test(apply_triggers, one_that_rolls_everything_back_costs_only_its_row)
{
    open_with("CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO cache VALUES (new.x);"
              " SELECT RAISE(ROLLBACK, 'all gone') WHERE new.x LIKE 'bad%'; END");
    bring("INSERT INTO t VALUES (1, 'one'), (2, 'bad'), (3, 'three'), (4, 'bad too')");
    apply_expect(&b, "SELECT id FROM t", "1;3");
    apply_expect(&b, "SELECT n FROM cache", "one;three");
    cr_expect_str_eq(apply_quarantine(&b), "t(2): all gone;t(4): all gone");
    apply_expect_quiet(&b);
    bring("UPDATE t SET x = 'good' WHERE id = 2");
    apply_expect(&b, "SELECT id || x FROM t ORDER BY id", "1one;2good;3three");
}

/* ---- triggers that write what is replicated */

/* One brings the other what it has, with what triggers wrote since. */
static void visit(struct apply_node *from, struct apply_node *into)
{
    apply_touch(from);
    (void)scan_capture(&from->scan);
    (void)apply_carry(from, into, 0);
    apply_run(into);
}

static void meet(void)
{
    visit(&a, &b);
    visit(&b, &a);
}

static void open_alike(const char *schema)
{
    apply_node_open(&a, schema, true);
    apply_node_open(&b, schema, true);
    a.options.triggers = b.options.triggers = TRIGGERS_ON;
}

/* Meetings may write at first; then nothing more comes of them. */
static void expect_settles(const char *sql)
{
    uint64_t last_a, last_b;

    for (int i = 0; i < 4; i++)
        meet();
    last_a = scan_last_seq(&a.scan);
    last_b = scan_last_seq(&b.scan);
    for (int i = 0; i < 4; i++)
        meet();
    cr_expect_eq(scan_last_seq(&a.scan), last_a, "the log of one grows: %s",
                 scan_text(&a.scan, last_a + 1));
    cr_expect_eq(scan_last_seq(&b.scan), last_b, "the log of the other grows: %s",
                 scan_text(&b.scan, last_b + 1));
    apply_expect_same(&a, &b, sql);
    cr_expect_str_eq(apply_quarantine(&a), "");
    cr_expect_str_eq(apply_quarantine(&b), "");
}

Test(apply_triggers, on_an_update_fires_only_those_of_the_columns_that_differ)
{
    open_alike("CREATE TABLE t (id INTEGER PRIMARY KEY, x, y, at INTEGER DEFAULT 0);"
               "CREATE TRIGGER touch AFTER UPDATE OF x, y ON t BEGIN"
               " UPDATE t SET at = at + 1 WHERE id = new.id; END");
    apply_write(&a, "INSERT INTO t (id, x, y) VALUES (1, 'x', 'y'), (2, 'x', 'y')");
    meet();
    apply_write(&a, "UPDATE t SET x = 'X' WHERE id = 1");
    apply_write(&b, "UPDATE t SET y = 'Y' WHERE id = 2");
    expect_settles("SELECT id || x || y || at FROM t ORDER BY id");
}

Test(apply_triggers, on_rows_that_triggers_wrote_before_their_turn_are_taken_as_they_are)
{
    open_alike("CREATE TABLE t (id INTEGER PRIMARY KEY, x);"
               "CREATE TABLE a_copy (id INTEGER PRIMARY KEY, x);"
               "CREATE TABLE z_copy (id INTEGER PRIMARY KEY, x);"
               "CREATE TRIGGER i AFTER INSERT ON t BEGIN"
               " INSERT OR REPLACE INTO a_copy VALUES (new.id, new.x);"
               " INSERT OR REPLACE INTO z_copy VALUES (new.id, new.x); END;"
               "CREATE TRIGGER d AFTER DELETE ON t BEGIN"
               " DELETE FROM a_copy WHERE id = old.id;"
               " DELETE FROM z_copy WHERE id = old.id; END;"
               /* So that the rows of all three have their turns in the log's order. */
               "CREATE TRIGGER z AFTER INSERT ON z_copy BEGIN SELECT 1; END;"
               "CREATE TRIGGER n AFTER INSERT ON a_copy BEGIN SELECT 1; END");
    apply_write(&a, "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    visit(&a, &b);
    cr_expect_str_eq(apply_quarantine(&b), "");
    apply_write(&a, "DELETE FROM t WHERE id = 1");
    apply_write(&b, "INSERT INTO t VALUES (3, 'three')");
    expect_settles("SELECT 't' || id || x FROM t UNION ALL SELECT 'a' || id || x FROM"
                   " a_copy UNION ALL SELECT 'z' || id || x FROM z_copy ORDER BY 1");
    apply_expect(&b, "SELECT id FROM z_copy ORDER BY id", "2;3");
}

Test(apply_triggers, on_what_triggers_make_of_the_rows_that_came_does_not_come_back)
{
    open_alike("CREATE TABLE t (id INTEGER PRIMARY KEY, x UNIQUE, at);"
               "CREATE TRIGGER i AFTER INSERT ON t BEGIN"
               " UPDATE t SET at = random() WHERE id = new.id; END;"
               "CREATE TRIGGER u AFTER UPDATE ON t BEGIN"
               " UPDATE t SET at = random() WHERE id = new.id; END");
    apply_write(&a, "INSERT INTO t (id, x) VALUES (1, 'x'), (2, 'y'), (3, 'z')");
    visit(&a, &b);
    apply_expect_same(&b, &a, "SELECT id || x || at FROM t ORDER BY id");
    apply_expect_known(&b);
    apply_write(&a, "UPDATE t SET x = 'X' WHERE id = 1");
    apply_write(&b, "UPDATE t SET x = 'Y' WHERE id = 2");
    meet();
    apply_expect_same(&b, &a, "SELECT id || x || at FROM t ORDER BY id");
    /* One is parked, and placed again with the trigger firing. */
    apply_write(&a, "INSERT INTO t (id, x) VALUES (4, 'same')");
    apply_write(&b, "INSERT INTO t (id, x) VALUES (5, 'same')");
    meet();
    apply_expect(&b, "SELECT id FROM t WHERE x = 'same'", "5");
    apply_write(&a, "DELETE FROM t WHERE id = 5");
    expect_settles("SELECT id || x || at FROM t ORDER BY id");
    apply_expect(&a, "SELECT id FROM t WHERE x = 'same'", "4");
    cr_expect_eq(a.counts.captured + b.counts.captured, 0, "no write but the tests' own");
}

Test(apply_triggers, on_a_total_that_came_with_its_rows_is_not_counted_twice)
{
    open_alike("CREATE TABLE a_total (id INTEGER PRIMARY KEY, n);"
               "CREATE TABLE t (id INTEGER PRIMARY KEY, x);"
               "CREATE TABLE z_total (id INTEGER PRIMARY KEY, n);"
               "CREATE TRIGGER i AFTER INSERT ON t BEGIN"
               " UPDATE a_total SET n = n + new.x; UPDATE z_total SET n = n + new.x;"
               " DELETE FROM t WHERE id = new.id - 2; END;");
    apply_write(&a,
                "INSERT INTO a_total VALUES (1, 0); INSERT INTO z_total VALUES (1, 0)");
    meet();
    apply_write(&a, "INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)");
    apply_write(&b, "UPDATE z_total SET n = n WHERE id = 1");
    expect_settles("SELECT 't' || id || x FROM t UNION ALL SELECT 'a' || n FROM a_total"
                   " UNION ALL SELECT 'z' || n FROM z_total");
    apply_expect(&b, "SELECT n FROM a_total UNION ALL SELECT n FROM z_total", "60;60");
    apply_expect(&b, "SELECT id FROM t", "2;3");
}

Test(apply_triggers, on_a_column_of_its_own_keeps_what_its_trigger_wrote)
{
    apply_node_open(&a, "CREATE TABLE t (id INTEGER PRIMARY KEY, x)", true);
    apply_node_open(&b,
                    "CREATE TABLE t (id INTEGER PRIMARY KEY, x, seen DEFAULT 0);"
                    "CREATE TRIGGER i AFTER INSERT ON t BEGIN"
                    " UPDATE t SET seen = 1, x = 'mine' WHERE id = new.id; END;"
                    "CREATE TRIGGER u AFTER UPDATE OF x ON t BEGIN"
                    " UPDATE t SET seen = seen + 1 WHERE id = new.id; END",
                    true);
    b.options.triggers = TRIGGERS_ON;
    bring("INSERT INTO t VALUES (1, 'one')");
    apply_expect(&b, "SELECT x || seen FROM t", "one2");
    apply_expect_known(&b);
    bring("UPDATE t SET x = 'two'");
    apply_expect(&b, "SELECT x || seen FROM t", "two3");
    apply_expect_known(&b);
}

Test(apply_triggers, on_a_trigger_that_can_not_write_costs_only_its_row)
{
    open_alike("CREATE TABLE t (id INTEGER PRIMARY KEY, x);"
               "CREATE TABLE once (id INTEGER PRIMARY KEY, x UNIQUE)");
    scan_write(&b.scan, "CREATE TRIGGER i AFTER INSERT ON t BEGIN"
                        " INSERT INTO once VALUES (new.id, new.x); END");
    apply_write(&a, "INSERT INTO once VALUES (1, 'taken'), (2, 'too')");
    meet();
    apply_write(&a, "INSERT INTO t VALUES (1, 'key'), (9, 'too'), (4, 'free')");
    meet();
    apply_expect(&b, "SELECT id FROM t", "4");
    cr_expect_str_eq(apply_quarantine(&b), "t(1): UNIQUE constraint failed: once.id;"
                                           "t(9): UNIQUE constraint failed: once.x");
}
