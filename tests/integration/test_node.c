/* A whole node, where the command line does not reach: what one step leaves to the next,
 * interrupted joining, look-ups for the commands that only read. */
#include "node/history.h"
#include "node/members.h"
#include "node/row_find.h"
#include "node/summary.h"
#include "tests/support/fleet.h"

#include "log/identity.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fleet fleet;
static struct error err;

static const char schema[] =
    "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT);"
    "CREATE TABLE pair (a, b TEXT, v, PRIMARY KEY (a, b)) WITHOUT ROWID;"
    "INSERT INTO item VALUES (1, 'one'), (2, 'two');"
    "INSERT INTO pair VALUES (1, 'x', 0), ('1', 'x', 1), (2.5, 'y', 2), (x'00ff', 'z', "
    "3)";

static void tear_down(void)
{
    fleet_close(&fleet);
}

static void put_file(const char *name, const char *content)
{
    char path[2 * FLEET_PATH_MAX];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", fleet.shared, name);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    (void)fputs(content, file);
    cr_assert_eq(fclose(file), 0);
}

/* ---- visits */

TestSuite(visit, .fini = tear_down);

static unsigned notices;

static void count_notice(void *data, const char *line)
{
    (void)data;
    (void)line;
    notices++;
}

Test(visit, takes_and_gives_what_it_can_beside_a_file_that_is_refused)
{
    struct visit_report report;

    fleet_open(&fleet, 2, schema, NULL);
    node_on_notice(fleet.nodes[1].node, count_notice, NULL);
    fleet_write(&fleet.nodes[0], "UPDATE item SET name = 'ONE' WHERE id = 1");
    fleet_sync(&fleet, &fleet.nodes[0]);
    put_file("0000000000000007-00000001.rfseg",
             "this is no segment, but long enough for one");
    fleet_write(&fleet.nodes[1], "UPDATE item SET name = 'TWO' WHERE id = 2");
    (void)fleet_sync_try(&fleet, &fleet.nodes[1], &report, &err);
    cr_expect_eq(report.captured.changes, 1);
    cr_expect_eq(report.visit.received.entries, 1);
    cr_expect_eq(report.applied.rows, 1);
    cr_expect_eq(report.visit.sent.entries, 1);
    cr_expect_str_eq(fleet_text(&fleet.nodes[1], "SELECT name FROM item ORDER BY id"),
                     "ONE;TWO");
}

Test(visit, moves_until_nothing_is_left_when_there_are_several_targets)
{
    char second[2 * FLEET_PATH_MAX];
    const char *targets[2] = {second, NULL};
    struct visit_report report;

    fleet_open(&fleet, 3, schema, NULL);
    (void)snprintf(second, sizeof second, "%s/second", fleet.folder);
    cr_assert_eq(mkdir(second, 0700), 0);
    /* What b has only in the second folder reaches c by the first within one run of a. */
    fleet_write(&fleet.nodes[1], "INSERT INTO item VALUES (3, 'three')");
    cr_assert_eq(node_sync(fleet.nodes[1].node, second, &report, &err), STATUS_OK, "%s",
                 err.text);
    targets[0] = fleet.shared;
    targets[1] = second;
    cr_assert_eq(node_run_once(fleet.nodes[0].node, targets, 2, &report, &err), STATUS_OK,
                 "%s", err.text);
    cr_expect_geq(report.visit.received.entries, 1);
    fleet_sync(&fleet, &fleet.nodes[2]);
    fleet_expect(&fleet, "SELECT name FROM item WHERE id = 3", "three");
}

Test(visit, names_what_a_target_can_be)
{
    static const char *const targets[] = {"ssh://host", "http://host", "nats://host",
                                          "stdio"};
    struct visit_report report;

    fleet_open(&fleet, 1, schema, NULL);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        cr_expect_eq(node_sync(fleet.nodes[0].node, targets[i], &report, &err),
                     STATUS_USAGE, "%s", targets[i]);
    cr_expect_eq(node_sync(fleet.nodes[0].node, fleet.nodes[0].database, &report, &err),
                 STATUS_UNAVAILABLE);
    cr_expect_eq(node_sync(fleet.nodes[0].node, "/nonexistent", &report, &err),
                 STATUS_UNAVAILABLE);
}

/* ---- joining */

TestSuite(join, .fini = tear_down);

static char newcomer_store[2 * FLEET_PATH_MAX], newcomer_database[2 * FLEET_PATH_MAX];

/* A node that has the fleet's log but was never in its database. */
static struct node *make_newcomer(bool create_tables)
{
    char token[2 * FLEET_PATH_MAX], url[3 * FLEET_PATH_MAX], text[TOKEN_TEXT_SIZE];
    char segment[2 * FLEET_PATH_MAX];
    struct segment_counts counts = {0};
    struct init_report report;
    struct node *node;
    FILE *file;

    (void)snprintf(token, sizeof token, "%s/token", fleet.folder);
    (void)snprintf(segment, sizeof segment, "%s/segment", fleet.folder);
    (void)snprintf(newcomer_store, sizeof newcomer_store, "%s/new.store", fleet.folder);
    (void)snprintf(newcomer_database, sizeof newcomer_database, "%s/new.db",
                   fleet.folder);
    (void)snprintf(url, sizeof url, "sqlite:%s", newcomer_database);
    token_text(store_identity(node_store(fleet.nodes[0].node)), text);
    file = fopen(token, "w");
    cr_assert_not_null(file);
    (void)fputs(text, file);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(node_init(&(struct init_options){.database = url,
                                                  .store = newcomer_store,
                                                  .name = "new",
                                                  .join = token,
                                                  .create_tables = create_tables},
                           &report, &err),
                 STATUS_OK, "%s", err.text);
    init_report_release(&report);
    cr_assert_eq(node_export(fleet.nodes[0].node, segment, NULL, &counts, &err),
                 STATUS_OK, "%s", err.text);
    cr_assert_eq(node_open(&node, newcomer_store, NODE_WITH_DATABASE, &err), STATUS_OK,
                 "%s", err.text);
    cr_assert_eq(node_import(node, segment, &counts, &err), STATUS_OK, "%s", err.text);
    return node;
}

static uint64_t entries_of(struct node *node, uint64_t origin)
{
    struct version_vector vector;
    struct store_txn *txn;
    uint64_t entries;

    version_vector_init(&vector);
    cr_assert_eq(store_begin(node_store(node), TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(meta_get_vector(txn, META_VECTOR, &vector, &err), STATUS_OK);
    entries = version_vector_get(&vector, origin);
    store_abort(txn);
    version_vector_release(&vector);
    return entries;
}

Test(join, goes_on_after_a_kill_between_database_and_log)
{
    struct apply_counts counts;
    struct sqlite_state state = {0};
    const struct identity *identity;
    struct node *node;

    fleet_open(&fleet, 1, schema, NULL);
    node = make_newcomer(true);
    identity = store_identity(node_store(node));
    /* The tables and rowferry_state are there, the member entry is not. */
    state.store = identity->node;
    state.incarnation = identity->incarnation;
    cr_assert_eq(sqlite_begin_write(node_sqlite(node), &err), STATUS_OK, "%s", err.text);
    cr_assert_eq(sqlite_execute(node_sqlite(node),
                                "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT);"
                                "CREATE TABLE pair (a, b TEXT, v, PRIMARY KEY (a, b))"
                                " WITHOUT ROWID",
                                &err),
                 STATUS_OK, "%s", err.text);
    cr_assert_eq(sqlite_state_write(node_sqlite(node), &state, &err), STATUS_OK, "%s",
                 err.text);
    cr_assert_eq(sqlite_commit(node_sqlite(node), &err), STATUS_OK, "%s", err.text);

    cr_assert_eq(node_apply(node, &counts, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.rows, 6);
    cr_expect_eq(entries_of(node, identity->node), 2);
    cr_assert_eq(node_apply(node, &counts, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(entries_of(node, identity->node), 2);
    node_close(node);
}

Test(join, leaves_a_database_with_other_rows_alone)
{
    struct apply_counts counts;
    struct sqlite_state state;
    struct node *node;
    sqlite3 *application;

    fleet_open(&fleet, 1, schema, NULL);
    (void)snprintf(newcomer_database, sizeof newcomer_database, "%s/new.db",
                   fleet.folder);
    cr_assert_eq(sqlite3_open(newcomer_database, &application), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(application,
                              "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT);"
                              "INSERT INTO item VALUES (1, 'mine'), (7, 'new')",
                              NULL, NULL, NULL),
                 SQLITE_OK);
    cr_assert_eq(sqlite3_close(application), SQLITE_OK);
    node = make_newcomer(true);
    cr_expect_eq(node_apply(node, &counts, &err), STATUS_REFUSED);
    cr_expect(strstr(err.text, "item 1") != NULL, "%s", err.text);
    cr_assert_eq(sqlite_state_read(node_sqlite(node), &state, &err), STATUS_OK);
    cr_expect_eq(state.store, 0);
    cr_expect_eq(entries_of(node, store_identity(node_store(node))->node), 0);
    node_close(node);
}

Test(join, works_with_tables_that_are_there_and_empty)
{
    struct apply_counts counts;
    struct node *node;
    sqlite3 *application;

    fleet_open(&fleet, 1, schema, NULL);
    (void)snprintf(newcomer_database, sizeof newcomer_database, "%s/new.db",
                   fleet.folder);
    cr_assert_eq(sqlite3_open(newcomer_database, &application), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(application,
                              "CREATE TABLE item (id INTEGER PRIMARY KEY, name)", NULL,
                              NULL, NULL),
                 SQLITE_OK);
    cr_assert_eq(sqlite3_close(application), SQLITE_OK);
    node = make_newcomer(false);
    cr_assert_eq(node_apply(node, &counts, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.rows, 2);
    cr_expect_eq(counts.quarantined, 4, "the rows of the table that is not there");
    node_close(node);
}

static uint64_t at_the_epoch(void *data)
{
    (void)data;
    return FLEET_EPOCH_US;
}

/* A row that the fleet has deleted, under a clock that is ahead of the newcomer's: the
 * newcomer's insert has seen the delete. */
Test(join, stamps_its_rows_later_than_all_that_the_fleet_had)
{
    static const struct wall_clock behind = {at_the_epoch, NULL};
    static const int64_t ahead_us[] = {100 * (int64_t)FLEET_SECOND_US};
    struct apply_counts counts;
    struct node *node;
    sqlite3 *application;

    fleet_open(&fleet, 1, schema, ahead_us);
    fleet_write(&fleet.nodes[0], "DELETE FROM item WHERE id = 2");
    fleet_capture(&fleet.nodes[0]);
    (void)snprintf(newcomer_database, sizeof newcomer_database, "%s/new.db",
                   fleet.folder);
    cr_assert_eq(sqlite3_open(newcomer_database, &application), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(application,
                              "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT);"
                              "INSERT INTO item VALUES (2, 'two')",
                              NULL, NULL, NULL),
                 SQLITE_OK);
    cr_assert_eq(sqlite3_close(application), SQLITE_OK);
    node = make_newcomer(true);
    node_set_clock(node, &behind, 300 * FLEET_SECOND_US);
    cr_assert_eq(node_apply(node, &counts, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.rows, 5, "item 1 and the pairs; item 2 stays");
    cr_expect_eq(entries_of(node, store_identity(node_store(node))->node), 3);
    node_close(node);
}

/* ---- resync */

TestSuite(resync, .fini = tear_down);

Test(resync, refuses_a_store_that_is_older_than_its_database)
{
    struct fleet_node *a;
    struct sqlite_state state;
    struct visit_report report;

    fleet_open(&fleet, 1, schema, NULL);
    a = &fleet.nodes[0];
    cr_assert_eq(sqlite_state_read(node_sqlite(a->node), &state, &err), STATUS_OK);
    state.counter += 2; /* as if the store were from before two captures */
    cr_assert_eq(sqlite_begin_write(node_sqlite(a->node), &err), STATUS_OK);
    cr_assert_eq(sqlite_state_write(node_sqlite(a->node), &state, &err), STATUS_OK);
    cr_assert_eq(sqlite_commit(node_sqlite(a->node), &err), STATUS_OK);
    cr_expect_eq(node_resync(a->node, RESYNC_LOG, &report, &err), STATUS_REFUSED);
    cr_expect(strstr(err.text, "older than its database") != NULL, "%s", err.text);
    cr_expect_eq(node_resync(a->node, RESYNC_DATABASE, &report, &err), STATUS_REFUSED);
}

Test(resync, is_done_again_after_a_kill_behind_the_new_incarnation)
{
    struct fleet_node *a;
    struct visit_report report;
    struct capture_counts counts;

    fleet_open(&fleet, 1, schema, NULL);
    a = &fleet.nodes[0];
    cr_assert_eq(store_reincarnate(node_store(a->node), 12345, &err), STATUS_OK);
    cr_expect_eq(node_capture(a->node, &counts, &err), STATUS_REFUSED);
    cr_expect(strstr(err.text, "resync") != NULL, "%s", err.text);
    cr_assert_eq(node_resync(a->node, RESYNC_LOG, &report, &err), STATUS_OK, "%s",
                 err.text);
    cr_assert_eq(node_capture(a->node, &counts, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(counts.changes, 0);
}

Test(resync, brings_back_what_the_databases_differences_make_room_for)
{
    struct fleet_node *a, *b;
    struct visit_report report;

    fleet_open(&fleet, 2, "CREATE TABLE item (id INTEGER PRIMARY KEY, name UNIQUE)",
               NULL);
    a = &fleet.nodes[0];
    b = &fleet.nodes[1];
    fleet_write(a, "INSERT INTO item VALUES (1, 'taken')");
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(b, "INSERT INTO item VALUES (2, 'taken')");
    fleet_meet(&fleet, a, b);
    cr_assert_eq(fleet_parked(b), 1);
    fleet_write(b, "DELETE FROM item");
    cr_assert_eq(store_reincarnate(node_store(b->node), 12345, &err), STATUS_OK);
    cr_assert_eq(node_resync(b->node, RESYNC_DATABASE, &report, &err), STATUS_OK, "%s",
                 err.text);
    cr_expect_eq(report.applied.released, 1);
    cr_expect_str_eq(fleet_text(b, "SELECT id FROM item"), "2");
}

/* ---- look-ups */

TestSuite(row_find, .fini = tear_down);

Test(row_find, reads_a_word_as_the_column_stores_it)
{
    static const struct {
        const char *table, *a, *b;
        enum status expected;
    } cases[] = {
        {"item", "1",       NULL, STATUS_OK       },
        {"ITEM", "2",       NULL, STATUS_OK       },
        {"item", "3",       NULL, STATUS_NOT_FOUND},
        {"item", "one",     NULL, STATUS_NOT_FOUND},
        {"item", "1",       "2",  STATUS_USAGE    },
        {"pair", "1",       NULL, STATUS_USAGE    },
        {"pair", "1",       "x",  STATUS_OK       },
        {"pair", "2.5",     "y",  STATUS_OK       },
        {"pair", "x'00FF'", "z",  STATUS_OK       },
        {"pair", "x'00F'",  "z",  STATUS_NOT_FOUND},
        {"peer", "1",       NULL, STATUS_NOT_FOUND},
    };
    struct store_txn *txn;

    fleet_open(&fleet, 1, schema, NULL);
    cr_assert_eq(store_begin(node_store(fleet.nodes[0].node), TXN_READ, &txn, &err),
                 STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *words[2] = {cases[i].a, cases[i].b};
        struct found_row found;

        found_row_init(&found);
        cr_expect_eq(row_find(txn, cases[i].table, words, cases[i].b == NULL ? 1 : 2,
                              &found, &err),
                     cases[i].expected, "%s %s", cases[i].table, cases[i].a);
        found_row_release(&found);
    }
    store_abort(txn);
}

TestSuite(history, .fini = tear_down);

struct told {
    unsigned steps, beaten, conflicts;
    bool current_is_last;
};

static bool tell(void *data, const struct history_step *step)
{
    struct told *told = data;

    told->steps++;
    told->beaten += step->beaten;
    told->conflicts += step->conflict != 0;
    told->current_is_last = step->current;
    return true;
}

Test(history, marks_the_losers_of_both_orders_of_arrival)
{
    fleet_open(&fleet, 2, schema, NULL);
    fleet_write(&fleet.nodes[0], "UPDATE item SET name = 'a' WHERE id = 1");
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(&fleet.nodes[1], "UPDATE item SET name = 'b' WHERE id = 1");
    fleet_sync(&fleet, &fleet.nodes[0]);
    fleet_sync(&fleet, &fleet.nodes[1]);
    fleet_sync(&fleet, &fleet.nodes[0]);
    for (size_t i = 0; i < 2; i++) {
        static const char *const words[] = {"1"};
        struct told told = {0};
        struct found_row found;
        struct store_txn *txn;

        found_row_init(&found);
        cr_assert_eq(store_begin(node_store(fleet.nodes[i].node), TXN_READ, &txn, &err),
                     STATUS_OK);
        cr_assert_eq(row_find(txn, "item", words, 1, &found, &err), STATUS_OK, "%s",
                     err.text);
        cr_assert_eq(
            history_walk(txn, found.table.id, buffer_view(&found.key), tell, &told, &err),
            STATUS_OK, "%s", err.text);
        store_abort(txn);
        found_row_release(&found);
        cr_expect_eq(told.steps, 3);
        cr_expect_eq(told.beaten, 1);
        cr_expect_eq(told.conflicts, 1);
    }
}

TestSuite(summary, .fini = tear_down);

Test(summary, knows_what_a_peer_lacks)
{
    struct store_txn *txn;
    struct members members;
    struct lag lag;
    uint64_t b = 0;

    fleet_open(&fleet, 2, schema, NULL);
    fleet_write(&fleet.nodes[0], "UPDATE item SET name = 'a' WHERE id = 1");
    fleet_capture(&fleet.nodes[0]);
    cr_assert_eq(store_begin(node_store(fleet.nodes[0].node), TXN_READ, &txn, &err),
                 STATUS_OK);
    cr_assert_eq(members_read(&members, txn, &err), STATUS_OK);
    cr_expect_eq(members.count, 2);
    cr_assert_eq(members_find(&members, "x", "b", &b, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(b, fleet.nodes[1].id);
    cr_expect_eq(members_find(&members, "x", "c", &b, &err), STATUS_NOT_FOUND);
    cr_assert_eq(lag_measure(&lag, txn, b, &err), STATUS_OK, "%s", err.text);
    cr_expect(lag.heard);
    cr_expect_eq(lag.entries, 1);
    cr_expect_gt(lag.bytes, 0);
    cr_expect_neq(lag.since_us, 0);
    members_release(&members);
    store_abort(txn);
}
