/* diff: the database against what row index and schema say it shows. */
#include "tests/support/fleet.h"

#include "log/intent.h"
#include "log/row_key.h"
#include "node/database.h"
#include "node/diff.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char schema[] =
    "CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT UNIQUE, budget);"
    "CREATE TABLE person (id INTEGER PRIMARY KEY, team INTEGER REFERENCES team(id));"
    "INSERT INTO team VALUES (1, 'red', 10), (2, 'blue', 20);"
    "INSERT INTO person VALUES (1, 1), (2, NULL);";

static struct fleet fleet;
static struct fleet_node *a, *b;
static char listing[1024];
static struct diff_counts counts;
static struct error err;

static void set_up(void)
{
    fleet_open(&fleet, 2, schema, NULL);
    a = &fleet.nodes[0];
    b = &fleet.nodes[1];
}

static void tear_down(void)
{
    fleet_close(&fleet);
}

TestSuite(diff, .init = set_up, .fini = tear_down);

static bool list_row(void *data, const struct diff_row *row)
{
    static const char *const kinds[] = {"missing", "extra", "changed"};
    size_t used = strlen(listing);
    struct bytes key = row->key;
    struct buffer scratch = {0};
    struct value value;

    (void)data;
    cr_assert_eq(row_key_take(&key, &value, &scratch, &err), STATUS_OK);
    buffer_release(&scratch);
    used += (size_t)snprintf(listing + used, sizeof listing - used, "%s%s %lld %s",
                             used > 0 ? "; " : "", row->definition->name,
                             (long long)value.integer, kinds[row->kind]);
    for (size_t i = 0; i < row->column_count; i++)
        used += (size_t)snprintf(listing + used, sizeof listing - used, " %s",
                                 row->definition->columns[row->columns[i]].name);
    return true;
}

static enum status diff_of(struct fleet_node *node, struct database *other)
{
    struct diff_options options = {.foreign_keys = true, .other = other != NULL};

    listing[0] = '\0';
    return diff_database(node_store(node->node),
                         other != NULL ? other : node_database(node->node), &options,
                         list_row, NULL, &counts, &err);
}

Test(diff, finds_nothing_where_nothing_differs)
{
    cr_expect_eq(diff_of(a, NULL), STATUS_OK, "%s", err.text);
    cr_expect_eq(diff_of(b, NULL), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.tables, 2);
    cr_expect_eq(counts.rows, 4);
}

Test(diff, names_an_uncaptured_local_write)
{
    fleet_write(
        a, "UPDATE team SET budget = 11 WHERE id = 1; DELETE FROM person WHERE id = 2;"
           "INSERT INTO person VALUES (7, 1);"
           "UPDATE team SET name = 'green', budget = NULL WHERE id = 2");
    cr_expect_eq(diff_of(a, NULL), STATUS_DIFFERENT);
    cr_expect_str_eq(listing,
                     "person 7 extra; person 2 missing; team 1 changed budget; "
                     "team 2 changed name budget",
                     "%s", listing);
    cr_expect_eq(counts.extra, 1);
    cr_expect_eq(counts.missing, 1);
    cr_expect_eq(counts.changed, 2);
    fleet_capture(a);
    cr_expect_eq(diff_of(a, NULL), STATUS_OK, "%s", err.text);
}

Test(diff, counts_entries_not_yet_applied_apart)
{
    fleet_write(
        a, "UPDATE team SET budget = 11 WHERE id = 1; INSERT INTO person VALUES (9, 2)");
    fleet_capture(a);
    fleet_send(&fleet, a, b, 0);
    cr_expect_eq(diff_of(b, NULL), STATUS_OK, "%s: %s", err.text, listing);
    cr_expect_eq(counts.waiting, 1);
    fleet_apply(b);
    cr_expect_eq(diff_of(b, NULL), STATUS_OK, "%s: %s", err.text, listing);
    cr_expect_eq(counts.waiting, 0);
}

Test(diff, counts_parked_rows_apart)
{
    fleet_write(a, "INSERT INTO team VALUES (3, 'gold', 1)");
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(
        b, "INSERT INTO team VALUES (4, 'gold', 1); INSERT INTO person VALUES (5, 4)");
    fleet_meet(&fleet, a, b);
    fleet_expect(&fleet, "SELECT id FROM team WHERE name = 'gold'", "3");
    fleet_expect(&fleet, "SELECT id FROM person", "1;2");
    for (size_t i = 0; i < fleet.count; i++) {
        cr_expect_eq(diff_of(&fleet.nodes[i], NULL), STATUS_OK, "%s: %s", err.text,
                     listing);
        cr_expect_eq(counts.parked, 2);
    }
}

Test(diff, what_a_captured_row_parks_or_frees_waits_for_apply)
{
    static const struct {
        const char *when, *sql;
        const char *shown; /* after apply */
        uint64_t unsettled, parked;
    } cases[] = {
        {"a child without a parent", "INSERT INTO person VALUES (9, 77)",       "1;2",     1, 0},
        {"one more",                 "INSERT INTO person VALUES (8, 77)",       "1;2",     1, 1},
        {"their parent",             "INSERT INTO team VALUES (77, 'gold', 1)", "1;2;8;9", 2, 0},
        {"a parent goes",            "DELETE FROM team WHERE id IN (1, 77)",    "2",       3, 0},
        {"another takes its name",   "INSERT INTO team VALUES (78, 'gold', 2)", "2",       0, 3},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fleet_write(a, cases[i].sql);
        fleet_capture(a);
        cr_expect_eq(diff_of(a, NULL), STATUS_OK, "%s: %s", cases[i].when, listing);
        cr_expect_eq(counts.unsettled, cases[i].unsettled, "%s", cases[i].when);
        cr_expect_eq(counts.parked, cases[i].parked, "%s", cases[i].when);
        fleet_apply(a);
        cr_expect_eq(diff_of(a, NULL), STATUS_OK, "%s: %s", cases[i].when, listing);
        cr_expect_eq(counts.unsettled, 0, "%s", cases[i].when);
        cr_expect_str_eq(fleet_text(a, "SELECT id FROM person ORDER BY id"),
                         cases[i].shown, "%s", cases[i].when);
    }
}

Test(diff, finds_what_nobody_captured_beside_what_waits)
{
    fleet_write(a, "INSERT INTO person VALUES (7, 77)");
    fleet_capture(a);
    fleet_apply(a);
    fleet_write(a, "INSERT INTO person VALUES (8, 77), (9, 77)");
    fleet_capture(a);
    fleet_write(a, "INSERT INTO person VALUES (7, 77); DELETE FROM person WHERE id = 1;"
                   "UPDATE person SET team = 78 WHERE id = 9");
    cr_expect_eq(diff_of(a, NULL), STATUS_DIFFERENT);
    cr_expect_str_eq(listing, "person 7 extra; person 9 changed team; person 1 missing",
                     "%s", listing);
    cr_expect_eq(counts.unsettled, 1);
}

Test(diff, compares_another_database)
{
    struct database *other = NULL;

    fleet_write(
        b, "UPDATE team SET budget = 21 WHERE id = 2; ALTER TABLE person ADD COLUMN x;"
           "UPDATE person SET x = 5");
    cr_assert_eq(database_sqlite_open(&other, b->database, DATABASE_READ, &err),
                 STATUS_OK, "%s", err.text);
    cr_expect_eq(diff_of(a, other), STATUS_DIFFERENT);
    cr_expect_str_eq(listing, "team 2 changed budget", "%s", listing);
    database_close(other);
}

Test(diff, leaves_both_sides_as_they_were)
{
    uint64_t seq = fleet_last_seq(b);
    char state[64];

    (void)snprintf(state, sizeof state, "%s",
                   fleet_text(b, "SELECT applied, counter FROM rowferry_state"));
    fleet_write(b, "DELETE FROM person");
    cr_expect_eq(diff_of(b, NULL), STATUS_DIFFERENT);
    cr_expect_eq(fleet_last_seq(b), seq);
    cr_expect_str_eq(fleet_text(b, "SELECT applied, counter FROM rowferry_state"), state);
}

/* ---- when nothing can be said */

Test(diff, of_a_database_that_is_not_the_stores)
{
    fleet_write(a, "UPDATE rowferry_state SET store = store + 1");
    cr_expect_eq(diff_of(a, NULL), STATUS_REFUSED);
    cr_expect_not_null(strstr(err.text, "belongs to another store"), "%s", err.text);
    fleet_write(a, "UPDATE rowferry_state SET store = store - 1, counter = counter - 1");
    cr_expect_eq(diff_of(a, NULL), STATUS_REFUSED);
    cr_expect_not_null(strstr(err.text, "restored"), "%s", err.text);
    fleet_write(a, "UPDATE rowferry_state SET counter = counter + 1");
    cr_expect_eq(diff_of(a, NULL), STATUS_OK, "%s", err.text);
}

Test(diff, between_the_two_commits_of_a_batch)
{
    struct intent_writer *writer;
    struct intent intent = {0};
    int64_t counter;

    cr_assert_eq(sqlite_number(node_sqlite(a->node), "SELECT counter FROM rowferry_state",
                               &counter, &err),
                 STATUS_OK);
    intent.counter = (uint64_t)counter;
    cr_assert_eq(intent_writer_open(&writer, node_store(a->node), &err), STATUS_OK);
    cr_assert_eq(intent_writer_end(writer, &intent, &err), STATUS_OK, "%s", err.text);
    intent_writer_close(writer);
    cr_expect_eq(diff_of(a, NULL), STATUS_BUSY, "%s", err.text);
}

Test(diff, without_a_place_for_its_temporary_file)
{
    cr_assert_eq(setenv("TMPDIR", "/nonexistent", 1), 0);
    cr_expect_eq(diff_of(a, NULL), STATUS_UNAVAILABLE);
    cr_expect_not_null(strstr(err.text, "TMPDIR"), "%s", err.text);
}
