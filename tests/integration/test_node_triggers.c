/* Visits of nodes that say triggers = on: what their triggers write while the fleet's
 * rows arrive settles, and is told in the same visit. */
#include "tests/support/fleet.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fleet fleet;
static struct error err;

static void open_with(const char *schema)
{
    fleet_open(&fleet, 3, schema, NULL);
    for (unsigned i = 0; i < 3; i++)
        fleet_set_rules(&fleet.nodes[i], "triggers = on\n");
}

static void close_fleet(void)
{
    fleet_close(&fleet);
}

TestSuite(node_triggers, .fini = close_fleet);

static void write_later(unsigned at, const char *sql)
{
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(&fleet.nodes[at], sql);
}

/* A visit after which the database is as the log says. */
static void sync_whole(unsigned at)
{
    struct diff_counts counts;

    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_sync(&fleet, &fleet.nodes[at]);
    cr_expect_eq(node_diff(fleet.nodes[at].node, NULL, NULL, NULL, &counts, &err),
                 STATUS_OK, "%u: %s", at, err.text);
}

static void sync_all(unsigned rounds)
{
    for (unsigned i = 0; i < 3 * rounds; i++)
        sync_whole(i % 3);
}

/* All nodes show this, and nothing more is told. */
static void expect_settled(const char *sql)
{
    char *first = strdup(fleet_text(&fleet.nodes[0], sql));
    uint64_t last = fleet_last_seq(&fleet.nodes[0]);

    fleet_expect(&fleet, sql, first);
    sync_all(2);
    fleet_expect(&fleet, sql, first);
    for (unsigned i = 0; i < 3; i++) {
        cr_expect_eq(fleet_last_seq(&fleet.nodes[i]), last, "%u", i);
        cr_expect_eq(fleet_conflicts(&fleet.nodes[i]), 0);
    }
    free(first);
}

Test(node_triggers, a_trigger_that_stamps_its_row_settles_on_three_nodes)
{
    open_with("CREATE TABLE t (id INTEGER PRIMARY KEY, v, at);"
              "CREATE TRIGGER u AFTER UPDATE ON t BEGIN"
              " UPDATE t SET at = random() WHERE id = new.id; END;"
              "CREATE TRIGGER i AFTER INSERT ON t BEGIN"
              " UPDATE t SET at = random() WHERE id = new.id; END");
    write_later(0, "INSERT INTO t (id, v) VALUES (1, 'a'), (2, 'a')");
    sync_all(1);
    sync_all(1);
    write_later(1, "UPDATE t SET v = 'b' WHERE id = 1");
    write_later(2, "UPDATE t SET v = 'c' WHERE id = 2");
    sync_all(2);
    expect_settled("SELECT * FROM t ORDER BY id");
}

Test(node_triggers, what_they_write_elsewhere_is_told_in_the_same_visit)
{
    open_with("CREATE TABLE t (id INTEGER PRIMARY KEY, v);"
              "CREATE TABLE audit (id TEXT PRIMARY KEY, t)");
    for (unsigned i = 0; i < 3; i++)
        fleet_write(&fleet.nodes[i],
                    "CREATE TRIGGER i AFTER INSERT ON t BEGIN INSERT INTO audit VALUES"
                    " (hex(randomblob(8)), new.id); END");
    write_later(0, "INSERT INTO t VALUES (1, 'a')");
    sync_whole(0);
    sync_whole(1);
    sync_whole(0);
    cr_expect_str_eq(fleet_text(&fleet.nodes[0], "SELECT count(*) FROM audit"), "2");
    sync_all(2);
    expect_settled("SELECT * FROM audit ORDER BY id");
    cr_expect_str_eq(fleet_text(&fleet.nodes[0], "SELECT count(*) FROM audit"), "3");
}
