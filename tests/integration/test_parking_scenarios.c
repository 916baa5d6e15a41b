/* SCENARIOS.md's constraints: each change comes from a node of its own that knows no
 * constraints, in every order of arrival; after each arrival the rule from scratch must
 * hold, and at the end every order must have come to the same. */
#include "tests/support/parking_schema.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHANGES_MAX = 3 };

struct arrival {
    const char *when;
    const char *base;
    const char *changes[CHANGES_MAX];
};

#define SELF \
    "INSERT INTO s VALUES (1, 'x', NULL), (2, 'y', NULL), (3, 'z', 1), (4, 'w', 3);"
#define CHILDREN                                                                        \
    "INSERT INTO p VALUES (1, 'x', 1), (2, 'y', 2); INSERT INTO c VALUES (1, 1, NULL, " \
    "1),"                                                                               \
    " (2, 2, 2, 2); INSERT INTO g VALUES (1, 1, 0), (2, 2, 0);"

static const struct arrival arrivals[] = {
    {"an insert against a unique value, and the holder goes",
     "INSERT INTO s VALUES (1, 'x', NULL);",           {"INSERT INTO s VALUES (2, 'x', NULL)", "DELETE FROM s WHERE id = 1"}           },
    {"the same with rows that depend on the holder",
     SELF,                                             {"INSERT INTO s VALUES (5, 'x', NULL)", "DELETE FROM s WHERE id = 1",
      "INSERT INTO s VALUES (6, 'v', 5)"}                                                                                    },
    {"the same with children and grandchildren of the holder",
     CHILDREN,                                         {"INSERT INTO p VALUES (3, 'x', 3)", "DELETE FROM p WHERE id = 1",
      "UPDATE c SET p = 3 WHERE id = 1"}                                                                                 },
    {"inserts against a key",
     "INSERT INTO s VALUES (2, 'y', NULL);",           {"INSERT INTO s VALUES (1, 'x', NULL)", "INSERT INTO s VALUES (1, 'v', 2)",
      "INSERT INTO s VALUES (3, 'x', 1)"}                                                  },
    {"an insert against a key whose row must take a held unique value",
     SELF,                                             {"INSERT OR REPLACE INTO s VALUES (4, 'x', NULL)", "DELETE FROM s WHERE id = 1"}},
    {"the same with rows that depend on it",
     SELF,                                             {"INSERT OR REPLACE INTO s VALUES (3, 'x', NULL)", "DELETE FROM s WHERE id = 1",
      "UPDATE s SET name = 'u' WHERE id = 4"}                                                                                },
    {"the same with child tables",
     CHILDREN,                                         {"INSERT OR REPLACE INTO p VALUES (2, 'x', 2)", "DELETE FROM p WHERE id = 1"}   },
    {"an update to a missing parent of the own table",
     SELF,                                             {"UPDATE s SET parent = 9 WHERE id = 3", "INSERT INTO s VALUES (9, 'q', NULL)"} },
    {"an update to a missing parent in a child table",
     CHILDREN,                                         {"UPDATE c SET p = 9 WHERE id = 1", "INSERT INTO p VALUES (9, 'q', NULL)"}      },
    {"an update that takes a unique value and refers to a missing parent",
     SELF,                                             {"UPDATE s SET name = 'y', parent = 9 WHERE id = 1",
      "INSERT INTO s VALUES (9, 'q', NULL)", "DELETE FROM s WHERE id = 2"}                                                   },
    {"an update to a unique value held elsewhere",
     SELF,                                             {"UPDATE s SET name = 'x' WHERE id = 2", "UPDATE s SET name = 'v' WHERE id = 1"}},
    {"an update to an older row's unique value and one to a younger row's",
     SELF,                                             {"UPDATE s SET name = 'x' WHERE id = 4", "UPDATE s SET name = 'w' WHERE id = 1"}},
    {"an update to a unique value held elsewhere in a child table",
     CHILDREN,                                         {"UPDATE c SET n = 1 WHERE id = 2", "UPDATE c SET n = 3 WHERE id = 1"}          },
    {"an update of the key to one that exists",
     SELF,                                             {"UPDATE OR REPLACE s SET id = 2 WHERE id = 4",
      "UPDATE s SET name = 'v' WHERE id = 2"}                                                                                },
    {"the same while the row refers to itself",
     "INSERT INTO s VALUES (1, 'x', 1), (2, 'y', 2);", {"UPDATE OR REPLACE s SET id = 2, parent = 2 WHERE id = 1",
      "UPDATE s SET parent = 1 WHERE id = 2"}                                    },
    {"unique and referring to itself",
     "INSERT INTO s VALUES (1, 'x', 1), (2, 'y', 2);", {"UPDATE s SET name = 'y' WHERE id = 1",
      "UPDATE s SET name = 'x', parent = 1 WHERE id = 2"}                        },
    {"an update of the key to a row with the same unique name",
     SELF,                                             {"UPDATE s SET id = 7 WHERE id = 1", "INSERT INTO s VALUES (5, 'x', NULL)",
      "UPDATE s SET id = 8 WHERE id = 1"}                                                                                    },
    {"a key update with dependants of the old key",
     CHILDREN,                                         {"UPDATE p SET id = 5 WHERE id = 1", "UPDATE c SET p = 5 WHERE id = 1"}         },
    {"unique, key and dependants at once",
     CHILDREN,                                         {"UPDATE p SET id = 5, name = 'y' WHERE id = 1", "UPDATE c SET p = 5 WHERE id = 2",
      "DELETE FROM p WHERE id = 2"}                                                                                      },
    {"an update of a row that is not there, taking a held unique value",
     SELF,                                             {"UPDATE s SET name = 'x' WHERE id = 2", "DELETE FROM s WHERE id = 2",
      "DELETE FROM s WHERE id = 1"}                                                                                          },
    {"the same with dependants",
     SELF,                                             {"UPDATE s SET name = 'y' WHERE id = 3", "DELETE FROM s WHERE id = 3",
      "DELETE FROM s WHERE id = 2"}                                                                                          },
    {"a delete of a row with dependants in its own table",
     SELF,                                             {"DELETE FROM s WHERE id = 1", "UPDATE s SET parent = NULL WHERE id = 3",
      "INSERT INTO s VALUES (5, 'v', 4)"}                                                                                    },
    {"a delete of a row with children",
     CHILDREN,                                         {"DELETE FROM p WHERE id = 1", "UPDATE c SET n = 7 WHERE id = 1",
      "INSERT INTO p VALUES (4, 'x', 4)"}                                                                                },
    {"a referred column that is not the key",
     CHILDREN,                                         {"UPDATE p SET code = 7 WHERE id = 2", "INSERT INTO p VALUES (3, 'z', 2)",
      "UPDATE c SET code = 7 WHERE id = 2"}                                                                              },
    {"two tables that refer to each other",
     "INSERT INTO a VALUES (1, 1, NULL);",             {"INSERT INTO b VALUES (1, 1, 2); INSERT INTO a VALUES (2, 2, 1)",
      "UPDATE a SET b = 1 WHERE id = 1", "INSERT INTO b VALUES (2, 1, 1)"}                   },
};

static struct apply_node first, sources[CHANGES_MAX], target;

static size_t count_changes(const struct arrival *arrival)
{
    size_t count = 0;

    while (count < CHANGES_MAX && arrival->changes[count] != NULL)
        count++;
    return count;
}

static void clear_all(struct apply_node *node)
{
    for (unsigned i = 0; i < PARKING_TABLES; i++) {
        char sql[64];

        (void)snprintf(sql, sizeof sql, "DELETE FROM %s", parking_tables[i].name);
        scan_write(&node->scan, sql);
    }
}

/* Every table's rows, and who is parked. */
static char *describe(struct apply_node *node)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)fputs(apply_text(node,
                           "SELECT 's' || id || ifnull(name, '') || ifnull(parent, '')"
                           " FROM s UNION ALL"
                           " SELECT 'p' || id || ifnull(name, '') || ifnull(code, '')"
                           " FROM p UNION ALL SELECT 'c' || id || ifnull(p, '-') ||"
                           " ifnull(code, '-') || ifnull(n, '') FROM c UNION ALL"
                           " SELECT 'g' || id || ifnull(c, '') FROM g UNION ALL"
                           " SELECT 'a' || id || ifnull(b, '') FROM a UNION ALL"
                           " SELECT 'b' || id || ifnull(a, '') FROM b ORDER BY 1"),
                out);
    (void)fprintf(out, " parked: %s", apply_parked(node));
    (void)fclose(out);
    return text;
}

/* The sources write at the same time, each knowing the base only. */
static void write_case(const struct arrival *arrival)
{
    clear_all(&first);
    apply_write(&first, arrival->base);
    for (size_t i = 0; i < count_changes(arrival); i++) {
        (void)apply_carry(&first, &sources[i], 0);
        apply_run(&sources[i]);
    }
    for (size_t i = 0; i < count_changes(arrival); i++) {
        sources[i].scan.now_us = first.scan.now_us + 10000000 + i * 1000000;
        apply_write(&sources[i], arrival->changes[i]);
    }
}

static void run_order(const struct arrival *arrival, const size_t order[CHANGES_MAX],
                      char **end)
{
    size_t count = count_changes(arrival);
    char where[160], *now;

    apply_node_open(&target, parking_schema, true);
    (void)apply_carry(&first, &target, 0);
    apply_run(&target);
    parking_compare(&target, arrival->when);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(where, sizeof where, "%s, change %zu as number %zu", arrival->when,
                       order[i], i);
        (void)apply_carry(&sources[order[i]], &target, 0);
        apply_run(&target);
        parking_compare(&target, where);
    }
    apply_expect_quiet(&target);
    now = describe(&target);
    if (*end == NULL)
        *end = now;
    else
        cr_expect_str_eq(now, *end, "%s: another order, another end:\n%s\n%s",
                         arrival->when, now, *end);
    if (now != *end)
        free(now);
    apply_node_close(&target);
}

/* The orders of two are the first two of these, those of three are all. */
static const size_t orders[][CHANGES_MAX] = {
    {0, 1, 2},
    {1, 0, 2},
    {0, 2, 1},
    {2, 0, 1},
    {1, 2, 0},
    {2, 1, 0}
};

static void run_orders(const struct arrival *arrival)
{
    size_t count = count_changes(arrival) == 2 ? 2 : 6;
    char *end = NULL;

    for (size_t i = 0; i < count; i++)
        run_order(arrival, orders[i], &end);
    free(end);
}

static void open_sources(void)
{
    apply_node_open(&first, parking_schema_free, false);
    for (size_t i = 0; i < CHANGES_MAX; i++)
        apply_node_open(&sources[i], parking_schema_free, false);
}

static void close_sources(void)
{
    apply_node_close(&first);
    for (size_t i = 0; i < CHANGES_MAX; i++)
        apply_node_close(&sources[i]);
}

Test(parking_scenarios, come_to_the_same_in_every_order_of_arrival)
{
    for (size_t i = 0; i < sizeof arrivals / sizeof *arrivals; i++) {
        open_sources();
        write_case(&arrivals[i]);
        run_orders(&arrivals[i]);
        close_sources();
    }
}

/* ---- scenarios by name */

static struct apply_node x, y;

static void open_two(void)
{
    apply_node_open(&x, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, own)",
                    true);
    apply_node_open(&y, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE, own)",
                    true);
}

static void close_two(void)
{
    apply_node_close(&x);
    apply_node_close(&y);
}

TestSuite(parking_named, .init = open_two, .fini = close_two);

static void meet(void)
{
    (void)apply_carry(&x, &y, 0);
    (void)apply_carry(&y, &x, 0);
    apply_run(&x);
    apply_run(&y);
    apply_expect_quiet(&x);
    apply_expect_quiet(&y);
}

static void expect_both(const char *sql, const char *text)
{
    apply_expect(&x, sql, text);
    apply_expect(&y, sql, text);
}

Test(parking_named, unique_swap)
{
    apply_write(&x, "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)");
    meet();
    apply_write(&x, "BEGIN; UPDATE t SET name = 'c' WHERE id = 1;"
                    "UPDATE t SET name = 'a' WHERE id = 2;"
                    "UPDATE t SET name = 'b' WHERE id = 1; COMMIT");
    meet();
    expect_both("SELECT id || name || own FROM t ORDER BY id", "1b1;2a2");
    cr_expect_eq(y.counts.parked, 0);
    cr_expect_str_eq(apply_parked(&y), "");
}

Test(parking_named, rotation_of_three)
{
    apply_write(&x, "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)");
    meet();
    apply_write(&x, "BEGIN; UPDATE t SET name = name || '_';"
                    "UPDATE t SET name = 'b' WHERE id = 1;"
                    "UPDATE t SET name = 'c' WHERE id = 2;"
                    "UPDATE t SET name = 'a' WHERE id = 3; COMMIT");
    meet();
    expect_both("SELECT id || name || own FROM t ORDER BY id", "1b1;2c2;3a3");
    cr_expect_eq(y.counts.parked, 0);
}

Test(parking_named, two_nodes_take_one_name)
{
    apply_write(&x, "INSERT INTO t VALUES (1, 'x', 1)");
    y.scan.now_us = x.scan.now_us + 1000000;
    apply_write(&y, "INSERT INTO t VALUES (2, 'x', 2)");
    meet();
    expect_both("SELECT id || name FROM t ORDER BY id", "1x");
    cr_expect_str_eq(apply_parked(&x), "t(2) unique UNIQUE (name) of t(1)");
    cr_expect_str_eq(apply_parked(&y), "t(2) unique UNIQUE (name) of t(1)");
    cr_expect_eq(y.counts.evicted, 1);
    apply_write(&x, "UPDATE t SET name = 'y' WHERE id = 1");
    meet();
    expect_both("SELECT id || name FROM t ORDER BY id", "1y;2x");
    cr_expect_str_eq(apply_parked(&x), "");
    cr_expect_str_eq(apply_parked(&y), "");
}

Test(parking_named, a_local_insert_on_a_parked_key_says_what_it_has_not_seen)
{
    apply_write(&x, "INSERT INTO t VALUES (1, 'x', 1)");
    y.scan.now_us = x.scan.now_us + 1000000;
    apply_write(&y, "INSERT INTO t VALUES (2, 'x', 2)");
    meet();
    apply_write(&x, "INSERT INTO t VALUES (2, 'z', 3)");
    cr_expect_not_null(strstr(scan_text(&x.scan, scan_last_seq(&x.scan)), "unseen"));
    meet();
    expect_both("SELECT id || name || own FROM t ORDER BY id", "1x1;2z3");
    cr_expect_str_eq(apply_parked(&y), "");
}

Test(parking_named, a_delete_of_a_parked_row_ends_its_parking)
{
    apply_write(&x, "INSERT INTO t VALUES (1, 'x', 1)");
    y.scan.now_us = x.scan.now_us + 1000000;
    apply_write(&y, "INSERT INTO t VALUES (2, 'x', 2)");
    (void)apply_carry(&y, &x, 0);
    apply_run(&x);
    cr_expect_str_neq(apply_parked(&x), "");
    apply_write(&y, "DELETE FROM t WHERE id = 2");
    meet();
    expect_both("SELECT id || name FROM t ORDER BY id", "1x");
    cr_expect_str_eq(apply_parked(&x), "");
}

Test(parking_named, foreign_keys_do_not_count_when_they_are_off)
{
    close_two();
    apply_node_open(&x, parking_schema_free, false);
    apply_node_open(&y, parking_schema, false);
    apply_write(&x, "INSERT INTO c VALUES (1, 9, NULL, 1)");
    (void)apply_carry(&x, &y, 0);
    apply_run(&y);
    apply_expect(&y, "SELECT id || p FROM c", "19");
    cr_expect_str_eq(apply_parked(&y), "");
}

Test(parking_named, a_constraint_that_was_dropped_frees_what_it_blocked)
{
    close_two();
    apply_node_open(&x, parking_schema_free, false);
    apply_node_open(&y, parking_schema, true);
    apply_write(&x, "INSERT INTO t VALUES (1, NULL, 1, 'A'), (2, NULL, 1, 'a')");
    (void)apply_carry(&x, &y, 0);
    apply_run(&y);
    apply_expect(&y, "SELECT id FROM t", "1");
    cr_expect_str_eq(apply_parked(&y), "t(2) unique t_w of t(1)");
    scan_write(&y.scan, "DROP INDEX t_w");
    apply_run(&y);
    apply_expect(&y, "SELECT id FROM t", "1;2");
    cr_expect_eq(y.counts.released, 1);
    apply_expect_quiet(&y);
}

/* ---- whom a lost place frees */

static struct apply_node early;

#define TREE(unique) \
    "CREATE TABLE t (id INTEGER PRIMARY KEY, up REFERENCES t, a" unique ", b" unique ")"

static void open_tree(void)
{
    apply_node_open(&early, TREE(""), false);
    apply_node_open(&x, TREE(""), false);
    apply_node_open(&y, TREE(" UNIQUE"), true);
}

static void close_tree(void)
{
    apply_node_close(&early);
    close_two();
}

TestSuite(parking_tree, .init = open_tree, .fini = close_tree);

static void bring(struct apply_node *from)
{
    (void)apply_carry(from, &y, 0);
    apply_run(&y);
    apply_expect_quiet(&y);
}

/* Row 1 was there first, but is the last to arrive. */
static void write_first(const char *row)
{
    apply_write(&early, row);
    x.scan.now_us = early.scan.now_us + 1000000;
}

Test(parking_tree, a_hidden_row_that_loses_one_value_gives_the_other_free)
{
    write_first("INSERT INTO t VALUES (1, NULL, 'a', 'x')");
    apply_write(&x, "INSERT INTO t VALUES (4, 99, 'a', 'b')");
    apply_write(&x, "INSERT INTO t VALUES (3, NULL, 'c', 'b')");
    bring(&x);
    apply_expect(&y, "SELECT id FROM t", "");
    bring(&early);
    apply_expect(&y, "SELECT id FROM t ORDER BY id", "1;3");
    cr_expect_str_eq(apply_parked(&y), "t(4) unique UNIQUE (a) of t(1)");
}

Test(parking_tree, an_evicted_row_gives_its_other_value_free)
{
    write_first("INSERT INTO t VALUES (1, NULL, 'a', 'x')");
    apply_write(&x, "INSERT INTO t VALUES (2, NULL, 'a', 'b')");
    apply_write(&x, "INSERT INTO t VALUES (3, NULL, 'c', 'b')");
    bring(&x);
    apply_expect(&y, "SELECT id FROM t", "2");
    bring(&early);
    apply_expect(&y, "SELECT id FROM t ORDER BY id", "1;3");
}

Test(parking_groups, a_blocked_row_that_loses_its_parent_too_says_so, .fini = close_two)
{
    apply_node_open(&x,
                    "CREATE TABLE p (id INTEGER PRIMARY KEY);"
                    "CREATE TABLE t (id INTEGER PRIMARY KEY, p REFERENCES p, a)",
                    false);
    apply_node_open(&y,
                    "CREATE TABLE p (id INTEGER PRIMARY KEY);"
                    "CREATE TABLE t (id INTEGER PRIMARY KEY, p REFERENCES p, a UNIQUE)",
                    true);
    apply_write(&x, "INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, NULL, 'a')");
    apply_write(&x, "INSERT INTO t VALUES (2, 1, 'a')");
    bring(&x);
    cr_expect_str_eq(apply_parked(&y), "t(2) unique UNIQUE (a) of t(1)");
    apply_write(&x, "DELETE FROM p");
    bring(&x);
    cr_expect_str_eq(apply_parked(&y), "t(2) outer p REFERENCES p of p(1)");
    apply_write(&x, "DELETE FROM t WHERE id = 1; INSERT INTO p VALUES (1)");
    bring(&x);
    cr_expect_str_eq(apply_parked(&y), "");
}
