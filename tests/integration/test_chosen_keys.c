/* Tables that take part by another key than their PRIMARY KEY, which then is one of their
 * unique constraints. ROWFERRY_SEED changes the random run. */
#include "tests/support/fleet.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fleet fleet;
static struct error err;

static const char rules[] = "[table n]\nkey = b\n";

static void open_fleet(void)
{
    fleet_open(&fleet, 3, "CREATE TABLE t (id INTEGER PRIMARY KEY)", NULL);
    for (unsigned i = 0; i < 3; i++) {
        fleet_write(&fleet.nodes[i],
                    "CREATE TABLE n (a TEXT PRIMARY KEY, b INT NOT NULL, c UNIQUE, v);"
                    "CREATE UNIQUE INDEX n_b ON n (b)");
        fleet_set_rules(&fleet.nodes[i], rules);
    }
}

static void tear_down(void)
{
    fleet_close(&fleet);
}

TestSuite(chosen_key, .init = open_fleet, .fini = tear_down);

static void write_later(unsigned at, const char *sql)
{
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(&fleet.nodes[at], sql);
}

static void meet_all(void)
{
    for (unsigned i = 0; i < 6; i++)
        fleet_meet(&fleet, &fleet.nodes[i % 3], &fleet.nodes[(i + 1) % 3]);
}

static void expect_equal(const char *when)
{
    char *first = strdup(fleet_text(&fleet.nodes[0], "SELECT * FROM n ORDER BY b"));
    struct diff_counts counts;

    for (unsigned i = 0; i < 3; i++) {
        struct fleet_node *node = &fleet.nodes[i];

        cr_assert_eq(node_diff(node->node, NULL, NULL, NULL, &counts, &err), STATUS_OK,
                     "%s: %s: %s", when, node->name, err.text);
        cr_assert_eq(counts.waiting, 0);
        cr_expect_eq(counts.quarantined, 0);
        cr_expect_str_eq(fleet_text(node, "SELECT * FROM n ORDER BY b"), first, "%s: %s",
                         when, node->name);
        cr_expect_eq(fleet_parked(node), fleet_parked(&fleet.nodes[0]), "%s: %s", when,
                     node->name);
    }
    free(first);
}

Test(chosen_key, a_primary_key_taken_twice_parks_the_later_row_everywhere)
{
    write_later(0, "INSERT INTO n VALUES ('k', 10, 1, 'A'), ('free', 11, 2, 'A')");
    write_later(1, "INSERT INTO n VALUES ('k', 20, 3, 'B')");
    meet_all();
    expect_equal("both inserted");
    cr_expect_str_eq(fleet_text(&fleet.nodes[2], "SELECT b FROM n ORDER BY b"), "10;11");
    cr_expect_eq(fleet_parked(&fleet.nodes[2]), 1);
    write_later(2, "DELETE FROM n WHERE b = 10");
    meet_all();
    expect_equal("it is free again");
    cr_expect_str_eq(fleet_text(&fleet.nodes[0], "SELECT b FROM n ORDER BY b"), "11;20");
    cr_expect_eq(fleet_parked(&fleet.nodes[0]), 0);
}

Test(chosen_key, primary_keys_that_change_places_arrive)
{
    write_later(0, "INSERT INTO n VALUES ('x', 1, 1, 'A'), ('y', 2, 2, 'A')");
    meet_all();
    write_later(0, "UPDATE n SET a = 'z' WHERE b = 1; UPDATE n SET a = 'x' WHERE b = 2;"
                   "UPDATE n SET a = 'y' WHERE b = 1");
    meet_all();
    expect_equal("they changed places");
    cr_expect_str_eq(fleet_text(&fleet.nodes[1], "SELECT a FROM n ORDER BY b"), "y;x");
}

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

static void write_something(unsigned at)
{
    char sql[200];
    char a[8] = "NULL";

    if (dice(5) > 0)
        (void)snprintf(a, sizeof a, "'%c'", (char)('u' + (int)dice(5)));
    switch (dice(4)) {
    case 0:
        (void)snprintf(sql, sizeof sql, "DELETE FROM n WHERE b = %u", 1 + dice(6));
        break;
    case 1:
        (void)snprintf(sql, sizeof sql, "UPDATE OR IGNORE n SET a = %s WHERE b = %u", a,
                       1 + dice(6));
        break;
    default:
        (void)snprintf(sql, sizeof sql, "INSERT OR %s INTO n VALUES (%s, %u, %u, 'v%u')",
                       dice(3) == 0 ? "REPLACE" : "IGNORE", a, 1 + dice(6), dice(9),
                       dice(100));
        break;
    }
    write_later(at, sql);
}

Test(chosen_key, random_writes_of_three_nodes_end_the_same)
{
    int rounds = getenv("ROWFERRY_LONG") != NULL ? 3000 : 150;

    for (int i = 0; i < rounds; i++) {
        unsigned at = dice(3);

        if (dice(3) > 0)
            write_something(at);
        else
            fleet_meet(&fleet, &fleet.nodes[at], &fleet.nodes[(at + 1 + dice(2)) % 3]);
        if (i % 50 == 49) {
            meet_all();
            expect_equal("so far");
        }
    }
}
