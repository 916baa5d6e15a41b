/* Nodes that publish into a folder while another one reads it: nothing is wrong then, and
 * nothing is said. The calls by which a visit reads are wrapped, so that the others have
 * their visits at the worst moments. */
#include "ship/folder_files.h"
#include "tests/support/fleet.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct fleet fleet;
static struct fleet_node *reader;
static void (*after_listing)(void);
static void (*after_state)(uint64_t node);

/* ---- the moments */

enum status __real_folder_list(int directory, const char *path, folder_file_cb visit,
                               void *data, struct error *err);
enum status __real_folder_read_file(int directory, const char *path, const char *name,
                                    size_t size_max, struct buffer *out,
                                    struct error *err);
enum status __wrap_folder_list(int directory, const char *path, folder_file_cb visit,
                               void *data, struct error *err);
enum status __wrap_folder_read_file(int directory, const char *path, const char *name,
                                    size_t size_max, struct buffer *out,
                                    struct error *err);

enum status __wrap_folder_list(int directory, const char *path, folder_file_cb visit,
                               void *data, struct error *err)
{
    enum status status = __real_folder_list(directory, path, visit, data, err);
    void (*hook)(void) = after_listing;

    after_listing = NULL;
    if (hook != NULL)
        hook();
    return status;
}

enum status __wrap_folder_read_file(int directory, const char *path, const char *name,
                                    size_t size_max, struct buffer *out,
                                    struct error *err)
{
    enum status status =
        __real_folder_read_file(directory, path, name, size_max, out, err);
    void (*hook)(uint64_t) = after_state;
    struct folder_name read;

    if (hook == NULL || !folder_name_read(name, &read) || read.kind != FOLDER_STATE ||
        read.node == reader->id)
        return status;
    after_state = NULL;
    hook(read.node);
    return status;
}

/* ---- */

static void open_fleet(void)
{
    fleet_open(&fleet, 3, "CREATE TABLE t (id INTEGER PRIMARY KEY)", NULL);
    for (unsigned i = 0; i < 6; i++)
        fleet_sync(&fleet, &fleet.nodes[i % 3]);
    reader = &fleet.nodes[2];
}

static void close_fleet(void)
{
    fleet_close(&fleet);
}

TestSuite(folder_race, .init = open_fleet, .fini = close_fleet);

static void publish(struct fleet_node *node)
{
    static int rows;
    char sql[64];

    (void)snprintf(sql, sizeof sql, "INSERT INTO t VALUES (%d)", ++rows);
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(node, sql);
    fleet_sync(&fleet, node);
}

static void publish_one(void)
{
    publish(&fleet.nodes[0]);
}

/* The state of one node is read; it publishes, and the other one stands on that. */
static void publish_both(uint64_t node)
{
    struct fleet_node *first = &fleet.nodes[fleet.nodes[0].id == node ? 0 : 1];
    struct fleet_node *second = &fleet.nodes[fleet.nodes[0].id == node ? 1 : 0];

    publish(first);
    fleet_sync(&fleet, second);
    publish(second);
}

static void expect_quiet(uint64_t entries)
{
    struct visit_report report;
    struct error err;

    cr_assert_eq(fleet_sync_try(&fleet, reader, &report, &err), STATUS_OK, "%s",
                 err.text);
    cr_expect_eq(report.visit.unready, 0);
    cr_expect_eq(report.visit.received.entries, entries);
}

Test(folder_race, what_is_published_behind_the_listing_is_there)
{
    after_listing = publish_one;
    expect_quiet(1);
    expect_quiet(0);
}

Test(folder_race, what_stands_on_what_was_not_seen_yet_is_taken_with_it)
{
    after_state = publish_both;
    expect_quiet(2);
    expect_quiet(0);
}
