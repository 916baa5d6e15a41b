/* SCENARIOS.md, "Order and causality" and "The classic pairs of a synchroniser", on whole
 * nodes. What a scenario ends with must not depend on the order of meetings. */
#include "tests/support/fleet.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char schema[] = "CREATE TABLE item (id INTEGER PRIMARY KEY, value TEXT)";
static const char all[] = "SELECT * FROM item ORDER BY id";

static struct fleet fleet;
static struct fleet_node *a, *b, *c;

static void begin(size_t count)
{
    fleet_open(&fleet, count, schema, NULL);
    a = &fleet.nodes[0];
    b = &fleet.nodes[1];
    c = &fleet.nodes[2];
}

/* One second later, node writes, and its node scans. */
static void edit(struct fleet_node *node, const char *sql)
{
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(node, sql);
    fleet_capture(node);
}

static void meet(struct fleet_node *x, struct fleet_node *y)
{
    fleet_meet(&fleet, x, y);
}

/* Every order in which three pairs can meet. */
enum { ORDERS = 6 };

static void meet_all(int order)
{
    static const int orders[ORDERS][3] = {
        {0, 1, 2},
        {0, 2, 1},
        {1, 0, 2},
        {1, 2, 0},
        {2, 0, 1},
        {2, 1, 0}
    };

    for (int i = 0; i < 3; i++) {
        int pair = orders[order][i];

        meet(&fleet.nodes[pair], &fleet.nodes[(pair + 1) % 3]);
    }
}

static void expect_conflicts(uint64_t count, const char *when)
{
    for (size_t i = 0; i < fleet.count; i++) {
        uint64_t has = fleet_conflicts(&fleet.nodes[i]);

        cr_expect_eq(has, count, "%s: %s has %llu, not %llu", when, fleet.nodes[i].name,
                     (unsigned long long)has, (unsigned long long)count);
    }
}

/* ---- order and causality */

Test(scenarios, dynamo_4_4)
{
    for (int order = 0; order < ORDERS; order++) {
        begin(3);
        edit(a, "INSERT INTO item VALUES (1, 'D1')");
        edit(a, "UPDATE item SET value = 'D2'");
        meet(a, b);
        meet(a, c);
        edit(b, "UPDATE item SET value = 'D3'");
        edit(c, "UPDATE item SET value = 'D4'");
        meet_all(order);
        meet_all(order);
        fleet_expect(&fleet, all, "1|D4");
        expect_conflicts(1, "D3 and D4");
        edit(a, "UPDATE item SET value = 'D5'");
        meet_all(order);
        meet_all(order);
        fleet_expect(&fleet, all, "1|D5");
        expect_conflicts(1, "D5, having seen both");
        fleet_close(&fleet);
    }
}

Test(scenarios, edit_beats_its_ancestor, .timeout = 300)
{
    static const struct {
        const char *when;
        int write_of_c; /* after so many of the two others */
        const char *winner;
        uint64_t conflicts;
    } cases[] = {
        {"before both",  0, "1|edit",  1},
        {"between them", 1, "1|edit",  2},
        {"after both",   2, "1|other", 2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int order = 0; order < ORDERS; order++) {
            begin(3);
            if (cases[i].write_of_c == 0)
                edit(c, "INSERT INTO item VALUES (1, 'other')");
            edit(a, "INSERT INTO item VALUES (1, 'original')");
            meet(a, b);
            if (cases[i].write_of_c == 1)
                edit(c, "INSERT INTO item VALUES (1, 'other')");
            edit(b, "UPDATE item SET value = 'edit'");
            if (cases[i].write_of_c == 2)
                edit(c, "INSERT INTO item VALUES (1, 'other')");
            for (int round = 0; round < 3; round++)
                meet_all(order);
            fleet_expect(&fleet, all, cases[i].winner);
            expect_conflicts(cases[i].conflicts, cases[i].when);
            fleet_close(&fleet);
        }
    }
}

Test(scenarios, equal_writes_do_not_conflict)
{
    begin(2);
    fleet_write(a, "INSERT INTO item VALUES (1, 'same')");
    fleet_write(b, "INSERT INTO item VALUES (1, 'same')");
    meet(a, b);
    meet(a, b);
    fleet_expect(&fleet, all, "1|same");
    expect_conflicts(0, "equal inserts");
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(a, "DELETE FROM item");
    fleet_write(b, "DELETE FROM item");
    meet(a, b);
    fleet_expect(&fleet, all, "");
    expect_conflicts(0, "equal deletes");
    fleet_close(&fleet);
}

Test(scenarios, clock_ahead)
{
    struct visit_report report;
    struct error err = {""};
    enum status status;

    begin(3);
    c->now_us += (UINT64_C(10) * 365 * 86400 + 60) * FLEET_SECOND_US;
    edit(c, "INSERT INTO item VALUES (1, 'from the future')");
    edit(b, "INSERT INTO item VALUES (2, 'of now')");
    fleet_sync(&fleet, c);
    (void)fleet_sync_try(&fleet, b, &report, &err);
    status = fleet_sync_try(&fleet, a, &report, &err);
    cr_expect_eq(status, STATUS_REFUSED, "%s", err.text);
    cr_expect(strstr(err.text, "10 years") != NULL && strstr(err.text, "c") != NULL, "%s",
              err.text);
    cr_expect_str_eq(fleet_text(a, all), "2|of now");
    edit(b, "UPDATE item SET value = 'later'");
    (void)fleet_sync_try(&fleet, b, &report, &err);
    (void)fleet_sync_try(&fleet, a, &report, &err);
    cr_expect_str_eq(fleet_text(a, all), "2|later", "nothing else waits");
    fleet_close(&fleet);
}

Test(scenarios, clock_back)
{
    begin(2);
    edit(a, "INSERT INTO item VALUES (1, 'earlier')");
    meet(a, b);
    a->now_us -= 3600 * FLEET_SECOND_US;
    edit(a, "UPDATE item SET value = 'later'");
    edit(a, "INSERT INTO item VALUES (2, 'one'); DELETE FROM item WHERE id = 2;"
            "INSERT INTO item VALUES (2, 'two')");
    cr_expect_str_eq(fleet_text(a, all), "1|later;2|two");
    meet(a, b);
    fleet_expect(&fleet, all, "1|later;2|two");
    expect_conflicts(0, "a clock set back");
    fleet_close(&fleet);
}

/* ---- the classic pairs */

Test(scenarios, nonoverlapping)
{
    begin(2);
    edit(a, "INSERT INTO item VALUES (1, 'a'), (2, 'a')");
    edit(b, "INSERT INTO item VALUES (3, 'b'), (4, 'b')");
    meet(a, b);
    fleet_expect(&fleet, all, "1|a;2|a;3|b;4|b");
    edit(a, "UPDATE item SET value = 'a2' WHERE id = 3; DELETE FROM item WHERE id = 1");
    edit(b, "UPDATE item SET value = 'b2' WHERE id = 2; DELETE FROM item WHERE id = 4");
    meet(a, b);
    fleet_expect(&fleet, all, "2|b2;3|a2");
    expect_conflicts(0, "different rows");
    fleet_close(&fleet);
}

Test(scenarios, overlapping)
{
    begin(2);
    edit(a, "INSERT INTO item VALUES (1, 'x'), (2, 'x'), (3, 'x'), (4, 'x')");
    meet(a, b);
    edit(a,
         "UPDATE item SET value = 'a' WHERE id IN (1, 2); DELETE FROM item WHERE id = 3;"
         "DELETE FROM item WHERE id = 4");
    edit(b,
         "UPDATE item SET value = 'b' WHERE id IN (1, 3); DELETE FROM item WHERE id = 2;"
         "DELETE FROM item WHERE id = 4");
    meet(a, b);
    fleet_expect(&fleet, all, "1|b;3|b");
    expect_conflicts(3, "an edit each, a delete each way");
    meet(a, b);
    fleet_expect(&fleet, all, "1|b;3|b");
    fleet_close(&fleet);
}

static uint64_t size_of(const char *path)
{
    struct stat about;

    cr_assert_eq(stat(path, &about), 0);
    return (uint64_t)about.st_size;
}

Test(scenarios, put_if_needed)
{
    struct version_vector to;
    char path[FLEET_PATH_MAX];
    char before[64];
    struct error err;
    uint64_t seq, size;

    version_vector_init(&to);
    begin(2);
    edit(a, "INSERT INTO item VALUES (1, 'x'), (2, 'y')");
    cr_assert(fleet_export(&fleet, a, NULL, 0, path, &to));
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(fleet_import_try(b, path, &err), STATUS_OK, "%s", err.text);
        fleet_apply(b);
        fleet_capture(b);
        if (i == 0) {
            seq = fleet_last_seq(b);
            size = size_of(b->database);
            (void)snprintf(before, sizeof before, "%s",
                           fleet_text(b, "SELECT applied, counter FROM rowferry_state"));
        }
        cr_expect_eq(fleet_last_seq(b), seq);
        cr_expect_eq(size_of(b->database), size);
        cr_expect_str_eq(fleet_text(b, "SELECT applied, counter FROM rowferry_state"),
                         before);
        cr_expect_str_eq(fleet_text(b, all), "1|x;2|y");
    }
    version_vector_release(&to);
    fleet_close(&fleet);
}

Test(scenarios, delete_sync)
{
    begin(2);
    edit(a, "INSERT INTO item VALUES (1, 'x'), (2, 'x')");
    meet(a, b);
    edit(a, "DELETE FROM item WHERE id = 1");
    meet(a, b);
    fleet_expect(&fleet, all, "2|x");
    edit(b, "DELETE FROM item");
    meet(a, b);
    fleet_expect(&fleet, all, "");
    edit(a, "INSERT INTO item VALUES (1, 'again')");
    meet(a, b);
    fleet_expect(&fleet, all, "1|again");
    expect_conflicts(0, "deletes that had seen all");
    fleet_close(&fleet);
}

Test(scenarios, delete_after_ignored_puts)
{
    begin(2);
    edit(a, "INSERT INTO item VALUES (1, 'x')");
    meet(a, b);
    edit(b, "UPDATE item SET value = 'ignored'");
    edit(b, "UPDATE item SET value = 'ignored too'");
    edit(a, "UPDATE item SET value = 'kept'");
    meet(a, b);
    fleet_expect(&fleet, all, "1|kept");
    expect_conflicts(2, "two puts that lost");
    edit(b, "DELETE FROM item");
    meet(a, b);
    fleet_expect(&fleet, all, "");
    expect_conflicts(2, "the delete had seen everything");
    fleet_close(&fleet);
}

Test(scenarios, three_servers)
{
    begin(3);
    edit(a, "INSERT INTO item VALUES (1, 'x'), (2, 'x')");
    meet(a, b);
    meet(b, c);
    cr_expect_str_eq(fleet_text(c, all), "1|x;2|x");
    edit(c, "UPDATE item SET value = 'c' WHERE id = 1; DELETE FROM item WHERE id = 2");
    meet(c, b);
    meet(b, a);
    fleet_expect(&fleet, all, "1|c");
    expect_conflicts(0, "one after another");
    fleet_close(&fleet);
}

/* ---- long streaks */

static void random_edit(struct fleet_node *node, unsigned *seed, int number)
{
    char sql[128];
    int id = rand_r(seed) % 100;

    if (rand_r(seed) % 4 == 0)
        (void)snprintf(sql, sizeof sql, "DELETE FROM item WHERE id = %d", id);
    else
        (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO item VALUES (%d, '%s%d')",
                       id, node->name, number);
    edit(node, sql);
}

/* One way and back, two entries of one change at a time. */
static void meet_by_twos(struct fleet_node *x, struct fleet_node *y)
{
    fleet_send(&fleet, x, y, 2);
    fleet_send(&fleet, y, x, 2);
    fleet_apply(x);
    fleet_apply(y);
}

Test(scenarios, long_streaks, .timeout = 600)
{
    unsigned seed = 20;
    char *text;

    begin(3);
    for (int round = 0; round < 16; round++) {
        int first = rand_r(&seed) % 3;
        int step = 1 + rand_r(&seed) % 2;

        for (int i = 0; i < 18; i++)
            random_edit(&fleet.nodes[rand_r(&seed) % 3], &seed, round * 100 + i);
        for (int i = 0; i < 3; i++) {
            int pair = (first + i * step) % 3;

            meet_by_twos(&fleet.nodes[pair], &fleet.nodes[(pair + 1) % 3]);
        }
        text = strdup(fleet_text(a, all));
        cr_assert_not_null(text);
        fleet_expect(&fleet, all, text);
        free(text);
        expect_conflicts(fleet_conflicts(a), "after each round");
    }
    cr_expect_gt(fleet_conflicts(a), 0);
    fleet_close(&fleet);
}
