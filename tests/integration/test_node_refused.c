/* What a node does not do, and what it then says: no database, store or file is changed.
 */
#include "tests/support/fleet.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct fleet fleet;
static struct fleet_node *a;
static struct error err;
static char store[2 * FLEET_PATH_MAX], url[2 * FLEET_PATH_MAX];

static void set_up(void)
{
    fleet_open(&fleet, 1, "CREATE TABLE t (id INTEGER PRIMARY KEY, v)", NULL);
    a = &fleet.nodes[0];
    (void)snprintf(store, sizeof store, "%s/new.store", fleet.folder);
    (void)snprintf(url, sizeof url, "sqlite:%s", a->database);
}

static void tear_down(void)
{
    fleet_close(&fleet);
}

TestSuite(node_refused, .init = set_up, .fini = tear_down);

static void expect_init(const struct init_options *options, enum status status,
                        const char *says)
{
    struct init_report report;

    cr_expect_eq(node_init(options, &report, &err), status, "%s", says);
    cr_expect_not_null(strstr(err.text, says), "%s", err.text);
    cr_expect_neq(access(store, F_OK), 0, "%s", says);
}

Test(node_refused, init)
{
    struct init_options good = {.database = url, .store = store, .name = "new"};
    struct init_options wrong = good;
    char missing[3 * FLEET_PATH_MAX];

    expect_init(&good, STATUS_REFUSED, "belongs to the store of node");
    wrong.database = "t.db";
    expect_init(&wrong, STATUS_USAGE, "given as sqlite:");
    wrong = good;
    wrong.name = "a\nb";
    expect_init(&wrong, STATUS_USAGE, "name");
    wrong = good;
    (void)snprintf(missing, sizeof missing, "sqlite:%s/none.db", fleet.folder);
    wrong.database = missing;
    expect_init(&wrong, STATUS_UNAVAILABLE, "none.db");
    wrong = good;
    wrong.join = a->database;
    expect_init(&wrong, STATUS_REFUSED, "token");
    wrong = good;
    wrong.store = a->store;
    expect_init(&wrong, STATUS_REFUSED, "there is a store already");
}

Test(node_refused, export_to_nobody)
{
    struct segment_counts counts = {0};
    char path[2 * FLEET_PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/segment", fleet.folder);
    cr_expect_eq(node_export(a->node, path, "nobody", &counts, &err), STATUS_NOT_FOUND);
    cr_expect_not_null(strstr(err.text, "nobody"), "%s", err.text);
    cr_expect_neq(access(path, F_OK), 0);
}

Test(node_refused, import_of_no_segment)
{
    struct segment_counts counts = {0};

    cr_expect_eq(node_import(a->node, a->database, &counts, &err), STATUS_REFUSED);
    cr_expect_not_null(strstr(err.text, a->database), "%s", err.text);
}
