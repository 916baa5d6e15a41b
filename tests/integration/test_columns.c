/* Columns that come to one node, then to the others, at any moment between writes and
 * visits: when all have them, all show the same (promise 2), and then it is quiet. */
#include "extension/rowferry_sqlite.h"
#include "tests/support/fleet.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 25, SEEDS_LONG = 2000, ROWS = 5, COLUMNS = 3, STEPS = 40 };

static const char schema[] =
    "CREATE TABLE p (id INTEGER PRIMARY KEY, v, name TEXT UNIQUE);"
    "INSERT INTO p VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three')";

static const char *const columns[COLUMNS] = {"x", "y", "z"};
static const char *const added[COLUMNS] = {
    "ALTER TABLE p ADD COLUMN x",
    "ALTER TABLE p ADD COLUMN y INTEGER NOT NULL DEFAULT 7",
    "ALTER TABLE p ADD COLUMN z TEXT DEFAULT 'none'",
};

struct run {
    struct fleet fleet;
    uint64_t random;
    bool has[FLEET_NODES_MAX][COLUMNS];
};

static uint32_t below(struct run *run, uint32_t bound)
{
    run->random =
        run->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(run->random >> 33) % bound;
}

static void add_column(struct run *run, size_t node, size_t column)
{
    if (!run->has[node][column])
        fleet_write(&run->fleet.nodes[node], added[column]);
    run->has[node][column] = true;
}

/* One statement of an application; a constraint may refuse it. */
static void write_row(struct run *run, size_t node)
{
    size_t column = below(run, COLUMNS);
    unsigned id = 1 + below(run, ROWS), value = below(run, 100);
    char sql[200];

    switch (below(run, 6)) {
    case 0:
        snprintf(sql, sizeof sql, "DELETE FROM p WHERE id = %u", id);
        break;
    case 1:
        snprintf(sql, sizeof sql, "INSERT INTO p (id, v, name) VALUES (%u, %u, 'n%u')",
                 id, value, below(run, ROWS));
        break;
    case 2:
        snprintf(sql, sizeof sql, "UPDATE p SET name = 'n%u' WHERE id = %u",
                 below(run, ROWS), id);
        break;
    case 3:
        snprintf(sql, sizeof sql, "UPDATE p SET v = %u WHERE id = %u", value, id);
        break;
    default:
        if (!run->has[node][column])
            return;
        snprintf(sql, sizeof sql, "UPDATE p SET %s = %u WHERE id = %u", columns[column],
                 value, id);
    }
    (void)fleet_write_try(&run->fleet.nodes[node], sql);
}

static void step(struct run *run)
{
    size_t count = run->fleet.count;
    size_t node = below(run, (uint32_t)count), other = below(run, (uint32_t)count);

    fleet_pass_time(&run->fleet, 1 + below(run, 3) * FLEET_SECOND_US);
    switch (below(run, 8)) {
    case 0:
        add_column(run, node, below(run, COLUMNS));
        break;
    case 1:
    case 2:
        if (node != other)
            fleet_meet(&run->fleet, &run->fleet.nodes[node], &run->fleet.nodes[other]);
        break;
    default:
        write_row(run, node);
    }
}

/* Everybody meets everybody until nothing is logged any more. */
static void settle(struct run *run)
{
    uint64_t before, after = 0;
    int rounds = 0;

    do {
        before = after;
        after = 0;
        fleet_pass_time(&run->fleet, FLEET_SECOND_US);
        for (size_t i = 0; i < run->fleet.count; i++)
            for (size_t j = i + 1; j < run->fleet.count; j++)
                fleet_meet(&run->fleet, &run->fleet.nodes[i], &run->fleet.nodes[j]);
        for (size_t i = 0; i < run->fleet.count; i++)
            after += fleet_last_seq(&run->fleet.nodes[i]);
        cr_assert_lt(rounds++, 10, "it never gets quiet");
    } while (after != before);
}

static void expect_equal(struct run *run)
{
    static const char sql[] = "SELECT id, v, name, x, y, z FROM p ORDER BY id";
    char *first = strdup(fleet_text(&run->fleet.nodes[0], sql));
    struct diff_counts counts;
    struct error err;

    fleet_expect(&run->fleet, sql, first);
    for (size_t i = 0; i < run->fleet.count; i++) {
        memset(&counts, 0, sizeof counts);
        cr_expect_eq(node_diff(run->fleet.nodes[i].node, NULL, NULL, NULL, &counts, &err),
                     STATUS_OK, "%s", err.text);
        cr_expect_eq(counts.quarantined + counts.waiting + counts.unsettled, 0);
    }
    free(first);
}

static void run_seed(uint64_t seed)
{
    struct run *run = calloc(1, sizeof *run);

    cr_assert_not_null(run);
    run->random = seed * 2 + 1;
    (void)below(run, 2);
    fleet_open(&run->fleet, 2 + below(run, 3), schema, NULL);
    for (int i = 0; i < STEPS; i++)
        step(run);
    for (size_t i = 0; i < run->fleet.count; i++)
        for (size_t j = 0; j < COLUMNS; j++)
            add_column(run, i, j);
    settle(run);
    expect_equal(run);
    fleet_close(&run->fleet);
    free(run);
}

Test(columns, whoever_has_them_first)
{
    const char *seed = getenv("ROWFERRY_SEED");
    uint64_t first = seed != NULL ? strtoull(seed, NULL, 10) : 1;
    uint64_t count = seed != NULL                      ? 1
                     : getenv("ROWFERRY_LONG") != NULL ? SEEDS_LONG
                                                       : SEEDS;

    for (uint64_t i = 0; i < count; i++) {
        fprintf(stderr, "ROWFERRY_SEED=%" PRIu64 "\n", first + i);
        run_seed(first + i);
    }
}

/* ---- by name */

static struct run named;

static void open_three(void)
{
    fleet_open(&named.fleet, 3,
               "CREATE TABLE t (id INTEGER PRIMARY KEY, v);"
               "CREATE TABLE o (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1, 1)",
               NULL);
}

static void close_three(void)
{
    fleet_close(&named.fleet);
}

static void write_at(size_t node, const char *sql)
{
    fleet_pass_time(&named.fleet, FLEET_SECOND_US);
    fleet_write(&named.fleet.nodes[node], sql);
}

static void meet(size_t one, size_t other)
{
    fleet_pass_time(&named.fleet, FLEET_SECOND_US);
    fleet_meet(&named.fleet, &named.fleet.nodes[one], &named.fleet.nodes[other]);
}

TestSuite(columns_named, .init = open_three, .fini = close_three);

Test(columns_named, what_was_kept_wins_over_nothing_written_since)
{
    write_at(0, "ALTER TABLE t ADD COLUMN x DEFAULT 0");
    write_at(1, "ALTER TABLE t ADD COLUMN x DEFAULT 0");
    write_at(0, "UPDATE t SET x = 5 WHERE id = 1");
    meet(0, 1);
    meet(0, 2);
    write_at(2, "UPDATE t SET v = 9 WHERE id = 1");
    meet(0, 2);
    write_at(2, "UPDATE t SET v = 10 WHERE id = 1");
    write_at(0, "INSERT INTO o VALUES (1)"); /* later than that, and another row */
    meet(0, 2);
    meet(0, 1);
    meet(0, 2);
    for (size_t i = 0; i < 3; i++)
        cr_expect_str_eq(fleet_text(&named.fleet.nodes[i], "SELECT v FROM t"), "10");
    for (size_t i = 0; i < 2; i++)
        cr_expect_str_eq(fleet_text(&named.fleet.nodes[i], "SELECT x FROM t"), "5");
}

Test(columns_named, telling_what_was_kept_forgets_nothing_of_the_outbox)
{
    struct fleet_node *a = &named.fleet.nodes[0];
    struct rowferry_recorder *recorder = NULL;
    uint64_t taken, before;

    cr_assert_eq(rowferry_recorder_open(&recorder, a->application), SQLITE_OK);
    fleet_pass_time(&named.fleet, FLEET_SECOND_US);
    cr_assert_eq(
        sqlite3_exec(a->application, "BEGIN; UPDATE t SET v = 2", NULL, NULL, NULL),
        SQLITE_OK);
    cr_assert_eq(rowferry_recorder_commit(recorder, NULL), SQLITE_OK);
    fleet_write(a, "COMMIT");
    rowferry_recorder_close(recorder);
    fleet_capture(a);
    taken = fleet_meta(a, META_OUTBOX);
    cr_assert_gt(taken, 0);

    write_at(0, "ALTER TABLE t ADD COLUMN x DEFAULT 0");
    write_at(0, "UPDATE t SET x = 5");
    meet(0, 2);
    write_at(2, "UPDATE t SET v = 9");
    write_at(1, "ALTER TABLE t ADD COLUMN x DEFAULT 0");
    meet(0, 2);
    fleet_capture(&named.fleet.nodes[1]);
    fleet_send(&named.fleet, &named.fleet.nodes[1], a, 0);
    fleet_set_rules(a, ""); /* another process: it has drained nothing yet */
    before = fleet_last_seq(a);
    fleet_capture(a);
    cr_expect_eq(fleet_last_seq(a), before + 1);
    cr_expect_eq(fleet_meta(a, META_OUTBOX), taken);
    meet(0, 1);
    cr_expect_str_eq(fleet_text(&named.fleet.nodes[1], "SELECT v, x FROM t"), "9|5");
}

Test(columns_named, a_default_that_is_no_constant_is_this_databases_own)
{
    static const char rebuild[] =
        "CREATE TABLE n (id INTEGER PRIMARY KEY, v, ts DEFAULT (abs(random())));"
        "INSERT INTO n (id, v) SELECT id, v FROM t; DROP TABLE t;"
        "ALTER TABLE n RENAME TO t";

    for (size_t i = 0; i < 3; i++)
        write_at(i, rebuild);
    meet(0, 1);
    write_at(0, "UPDATE t SET ts = 'mine' WHERE id = 1");
    meet(0, 2);
    meet(1, 2);
    meet(0, 1);
    fleet_expect(&named.fleet, "SELECT id, v, ts FROM t", "1|1|mine");
}
