/* Tables of which a node takes nothing, or sends nothing: what it holds then, and what
 * becomes of it when that changes. */
#include "tests/support/fleet.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fleet fleet;
static struct fleet_node *a, *b;
static struct error err;

static const char schema[] =
    "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
    "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id), name TEXT "
    "UNIQUE);"
    "INSERT INTO p VALUES (1, 'one'), (2, 'two')";

static const char out_rules[] = "[table p]\ndirection = out\n";
static const char in_rules[] = "[table p]\ndirection = in\n";

static void open_two(void)
{
    fleet_open(&fleet, 2, schema, NULL);
    a = &fleet.nodes[0];
    b = &fleet.nodes[1];
}

static void tear_down(void)
{
    fleet_close(&fleet);
}

static enum status diff(struct fleet_node *node, struct diff_counts *counts)
{
    return node_diff(node->node, NULL, NULL, NULL, counts, &err);
}

static void meet(void)
{
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_meet(&fleet, a, b);
    fleet_meet(&fleet, a, b);
}

static void write_later(struct fleet_node *node, const char *sql)
{
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(node, sql);
}

#define NAMES "SELECT id, name FROM p ORDER BY id"

TestSuite(direction, .init = open_two, .fini = tear_down);

/* ---- out */

Test(direction, out_sends_its_writes_and_takes_none)
{
    struct diff_counts counts;

    fleet_set_rules(b, out_rules);
    write_later(a,
                "UPDATE p SET name = 'ONE' WHERE id = 1; INSERT INTO p VALUES (3, 'c');"
                "DELETE FROM p WHERE id = 2; INSERT INTO c VALUES (1, 1, 'x')");
    write_later(b, "INSERT INTO p VALUES (4, 'd')");
    meet();
    cr_expect_str_eq(fleet_text(a, NAMES), "1|ONE;3|c;4|d");
    cr_expect_str_eq(fleet_text(b, NAMES), "1|one;2|two;4|d");
    cr_expect_str_eq(fleet_text(b, "SELECT name FROM c"), "x");
    cr_assert_eq(diff(b, &counts), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.untaken, 3);
    cr_expect_eq(counts.quarantined, 0);
    cr_assert_eq(diff(a, &counts), STATUS_OK, "%s", err.text);
}

Test(direction, out_loses_nothing_of_what_it_did_not_take)
{
    fleet_set_rules(b, out_rules);
    write_later(a, "UPDATE p SET name = 'ONE' WHERE id = 1");
    meet();
    /* b has not seen it, whatever its log has: both writes are told. */
    write_later(b, "UPDATE p SET name = 'b' WHERE id = 1");
    meet();
    fleet_expect(&fleet, "SELECT name FROM p WHERE id = 1", "b");
    cr_expect_eq(fleet_conflicts(a), 1);
    cr_expect_eq(fleet_conflicts(b), 1);
    /* And the other way round: b's own, then a's over it. */
    write_later(a, "UPDATE p SET name = 'a' WHERE id = 1");
    meet();
    cr_expect_str_eq(fleet_text(a, "SELECT name FROM p WHERE id = 1"), "a");
    cr_expect_str_eq(fleet_text(b, "SELECT name FROM p WHERE id = 1"), "b");
    cr_expect_eq(fleet_conflicts(a), 1);
}

Test(direction, out_ends_by_bringing_what_was_not_taken)
{
    struct diff_counts counts;

    fleet_set_rules(b, out_rules);
    write_later(a,
                "UPDATE p SET name = 'ONE' WHERE id = 1; INSERT INTO p VALUES (3, 'c');"
                "DELETE FROM p WHERE id = 2");
    meet();
    /* In the way of a row to come, and older than it is: it stays. */
    write_later(b, "INSERT INTO p VALUES (5, 'new')");
    write_later(a, "INSERT INTO p VALUES (6, 'new'); INSERT INTO c VALUES (1, 3, 'x')");
    meet();
    cr_expect_str_eq(fleet_text(b, "SELECT count(*) FROM c"), "0", "its parent is not");
    fleet_set_rules(b, "");
    fleet_apply(b);
    cr_assert_eq(diff(b, &counts), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.untaken, 0);
    meet();
    fleet_expect(&fleet, NAMES, "1|ONE;3|c;5|new");
    fleet_expect(&fleet, "SELECT name FROM c", "x");
    cr_expect_eq(fleet_parked(b), 1);
}

Test(direction, out_ends_twice_over_a_row_that_stays_parked)
{
    struct diff_counts counts;

    write_later(a, "INSERT INTO c VALUES (1, 9, 'orphan')");
    for (int i = 0; i < 2; i++) {
        fleet_set_rules(b, "[table c]\ndirection = out\n");
        meet();
        fleet_set_rules(b, "");
        fleet_apply(b);
        cr_expect_eq(fleet_parked(b), 1);
        cr_expect_eq(diff(b, &counts), STATUS_OK, "%s", err.text);
    }
    write_later(a, "UPDATE c SET name = 'x' WHERE id = 1; INSERT INTO p VALUES (9, 'p')");
    meet();
    write_later(a, "INSERT INTO c VALUES (2, 9, 'more')");
    meet();
    fleet_expect(&fleet, "SELECT id FROM c WHERE id = 2", "2");
    cr_expect_eq(diff(b, &counts), STATUS_OK, "%s", err.text);
}

Test(direction, out_ends_although_nothing_was_missed)
{
    struct diff_counts counts;

    fleet_set_rules(b, out_rules);
    meet();
    fleet_set_rules(b, "");
    meet();
    write_later(a, "UPDATE p SET name = 'ONE' WHERE id = 1");
    meet();
    fleet_expect(&fleet, NAMES, "1|ONE;2|two");
    cr_expect_eq(diff(b, &counts), STATUS_OK, "%s", err.text);
}

Test(direction, out_survives_a_resync)
{
    struct visit_report report;
    struct diff_counts counts;

    fleet_set_rules(b, out_rules);
    write_later(a, "UPDATE p SET name = 'ONE' WHERE id = 1; DELETE FROM p WHERE id = 2");
    write_later(b, "INSERT INTO p VALUES (4, 'd')");
    meet();
    write_later(b, "DELETE FROM p WHERE id = 2; UPDATE p SET name = 'z' WHERE id = 4;"
                   "INSERT INTO p VALUES (9, 'd')");
    cr_assert_eq(node_resync(b->node, RESYNC_LOG, &report, &err), STATUS_OK, "%s",
                 err.text);
    cr_expect_str_eq(fleet_text(b, NAMES), "1|one;2|two;4|d");
    cr_expect_eq(report.applied.removed, 1, "9, not 4, which is changed back");
    cr_expect_eq(diff(b, &counts), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.untaken, 2);
}

/* ---- in */

Test(direction, in_takes_the_fleets_writes_and_sends_none)
{
    struct diff_counts counts;

    fleet_set_rules(b, in_rules);
    write_later(b, "UPDATE p SET name = 'mine' WHERE id = 1; INSERT INTO p VALUES (3, "
                   "'three'); DELETE FROM p WHERE id = 2");
    meet();
    cr_expect_str_eq(fleet_text(a, NAMES), "1|one;2|two");
    cr_expect_eq(diff(b, &counts), STATUS_DIFFERENT);
    cr_expect_eq(counts.missing + counts.extra + counts.changed, 3);
    write_later(a, "UPDATE p SET name = 'ONE' WHERE id = 1; UPDATE p SET name = 'TWO' "
                   "WHERE id = 2; INSERT INTO p VALUES (3, 'THREE')");
    meet();
    fleet_expect(&fleet, NAMES, "1|ONE;2|TWO;3|THREE");
    cr_expect_eq(diff(b, &counts), STATUS_OK, "%s", err.text);
    write_later(b, "DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (4, 'four')");
    write_later(a, "DELETE FROM p WHERE id = 1");
    meet();
    fleet_expect(&fleet, "SELECT id FROM p WHERE id < 4", "2;3");
}

Test(direction, in_gives_way_where_constraints_must_decide)
{
    struct diff_counts counts;

    fleet_set_rules(b, in_rules);
    write_later(b, "INSERT INTO p VALUES (7, 'x'); UPDATE p SET name = 'y' WHERE id = 1;"
                   "DELETE FROM p WHERE id = 2");
    write_later(a, "INSERT INTO p VALUES (8, 'x'), (9, 'y'); INSERT INTO c VALUES (1, 2, "
                   "'child')");
    meet();
    fleet_expect(&fleet, NAMES, "1|one;2|two;8|x;9|y");
    fleet_expect(&fleet, "SELECT name FROM c", "child");
    cr_expect_eq(diff(b, &counts), STATUS_OK, "%s", err.text);
    cr_expect_eq(fleet_parked(b), 0);
}

Test(direction, in_is_mended_by_a_resync)
{
    struct visit_report report;
    struct diff_counts counts;

    fleet_set_rules(b, in_rules);
    write_later(b, "UPDATE p SET name = 'mine' WHERE id = 1; INSERT INTO p VALUES (3, "
                   "'three'); DELETE FROM p WHERE id = 2");
    fleet_capture(b);
    cr_assert_eq(node_resync(b->node, RESYNC_LOG, &report, &err), STATUS_OK, "%s",
                 err.text);
    cr_expect_str_eq(fleet_text(b, NAMES), "1|one;2|two");
    cr_expect_eq(diff(b, &counts), STATUS_OK, "%s", err.text);
}

Test(direction, in_ends_by_sending_what_was_written)
{
    fleet_set_rules(b, in_rules);
    write_later(b, "UPDATE p SET name = 'mine' WHERE id = 1; DELETE FROM p WHERE id = 2");
    meet();
    fleet_set_rules(b, "");
    meet();
    fleet_expect(&fleet, NAMES, "1|mine");
}

/* ---- any of it, at random */

TestSuite(directions, .fini = tear_down);

static unsigned dice(unsigned sides)
{
    static uint64_t state;

    if (state == 0) {
        const char *seed = getenv("ROWFERRY_SEED");

        state = seed != NULL ? strtoull(seed, NULL, 10) : 20261123;
        (void)fprintf(stderr, "ROWFERRY_SEED=%" PRIu64 "\n", state);
    }
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (unsigned)(state >> 33) % sides;
}

static void write_something(struct fleet_node *node)
{
    char sql[200];
    const char *table = dice(2) == 0 ? "p" : "c";

    switch (dice(4)) {
    case 0:
        (void)snprintf(sql, sizeof sql, "DELETE FROM %s WHERE id = %u", table,
                       1 + dice(6));
        break;
    case 1:
        (void)snprintf(sql, sizeof sql,
                       "UPDATE OR IGNORE %s SET name = '%c' WHERE id = %u", table,
                       (char)('a' + (int)dice(5)), 1 + dice(6));
        break;
    case 2:
        (void)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO c VALUES (%u, %u, '%c')",
                       1 + dice(6), 1 + dice(6), (char)('a' + (int)dice(5)));
        break;
    default:
        (void)snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO p VALUES (%u, '%c')",
                       1 + dice(6), (char)('a' + (int)dice(5)));
        break;
    }
    write_later(node, sql);
}

static bool set_something(struct fleet_node *node)
{
    static const char *const directions[] = {"both", "in", "out"};
    unsigned p = dice(3), c = dice(3);
    char lines[200];

    (void)snprintf(lines, sizeof lines,
                   "[table p]\ndirection = %s\n[table c]\ndirection = %s\n",
                   directions[p], directions[c]);
    fleet_set_rules(node, lines);
    return p == 1 || c == 1;
}

static void check_node(struct fleet_node *node, bool drifts)
{
    struct visit_report report;
    struct diff_counts counts;

    fleet_capture(node);
    fleet_apply(node);
    if (drifts)
        cr_assert_eq(node_resync(node->node, RESYNC_LOG, &report, &err), STATUS_OK, "%s",
                     err.text);
    cr_assert_eq(diff(node, &counts), STATUS_OK, "%s", err.text);
}

Test(directions, any_change_of_them_leaves_a_node_at_what_the_log_says)
{
    bool drifts[3] = {false};
    const char *more = getenv("ROWFERRY_LONG");
    int rounds = more != NULL ? 5000 : 250;

    fleet_open(&fleet, 3, schema, NULL);
    for (int i = 0; i < rounds; i++) {
        unsigned at = dice(3), other = (at + 1 + dice(2)) % 3;

        switch (dice(6)) {
        case 0:
            if (at > 0)
                drifts[at] = set_something(&fleet.nodes[at]);
            break;
        case 1:
        case 2:
            fleet_meet(&fleet, &fleet.nodes[at], &fleet.nodes[other]);
            break;
        case 3:
            check_node(&fleet.nodes[at], drifts[at]);
            break;
        default:
            write_something(&fleet.nodes[at]);
            break;
        }
    }
    for (unsigned i = 0; i < 3; i++)
        fleet_set_rules(&fleet.nodes[i], "");
    for (unsigned i = 0; i < 9; i++)
        fleet_meet(&fleet, &fleet.nodes[i % 3], &fleet.nodes[(i + 1) % 3]);
    for (unsigned i = 0; i < 3; i++)
        check_node(&fleet.nodes[i], false);
    for (unsigned i = 1; i < 3; i++) {
        char *first = strdup(fleet_text(&fleet.nodes[0], NAMES));

        cr_expect_str_eq(fleet_text(&fleet.nodes[i], NAMES), first);
        free(first);
        first = strdup(fleet_text(&fleet.nodes[0], "SELECT * FROM c ORDER BY id"));
        cr_expect_str_eq(fleet_text(&fleet.nodes[i], "SELECT * FROM c ORDER BY id"),
                         first);
        cr_expect_eq(fleet_conflicts(&fleet.nodes[i]), fleet_conflicts(&fleet.nodes[0]));
        free(first);
    }
}
