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
