/* A visit with nothing new to a folder that has filled up over the years. */
#include "tests/support/fleet.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEGMENTS = 1000, BODY = 64 };

static struct fleet fleet;

static void open_two(void)
{
    fleet_open(&fleet, 2, "CREATE TABLE t (id INTEGER PRIMARY KEY, n)", NULL);
}

static void close_two(void)
{
    fleet_close(&fleet);
}

/* Overwrite what stands behind the clear header's place, as long as it is: whoever opens
 * the body refuses it, and root's rights do not help. */
static size_t spoil_segments(void)
{
    static const char spoiled[BODY] = "spoiled";
    DIR *folder = opendir(fleet.shared);
    struct dirent *file;
    size_t count = 0;

    cr_assert_not_null(folder);
    while ((file = readdir(folder)) != NULL) {
        const char *dot = strrchr(file->d_name, '.');
        int fd;

        if (dot == NULL || strcmp(dot, ".rfseg") != 0)
            continue;
        fd = openat(dirfd(folder), file->d_name, O_WRONLY);
        cr_assert_geq(fd, 0);
        cr_assert_eq(pwrite(fd, spoiled, sizeof spoiled, 0), (ssize_t)sizeof spoiled);
        cr_assert_eq(close(fd), 0);
        count++;
    }
    cr_assert_eq(closedir(folder), 0);
    return count;
}

Test(quiet_folder, a_visit_with_nothing_new_opens_no_body_of_a_thousand_segments,
     .init = open_two, .fini = close_two, .timeout = 300)
{
    struct visit_report report;
    struct error err = {""};

    for (int i = 0; i < SEGMENTS; i++) {
        fleet_pass_time(&fleet, FLEET_SECOND_US);
        fleet_write(&fleet.nodes[0],
                    i == 0 ? "INSERT INTO t VALUES (1, 0)" : "UPDATE t SET n = n + 1");
        fleet_sync(&fleet, &fleet.nodes[0]);
    }
    fleet_sync(&fleet, &fleet.nodes[1]);
    fleet_sync(&fleet, &fleet.nodes[0]);
    cr_assert_geq(spoil_segments(), (size_t)SEGMENTS);

    for (size_t i = 0; i < fleet.count; i++) {
        enum status status = fleet_sync_try(&fleet, &fleet.nodes[i], &report, &err);

        cr_expect_eq(status, STATUS_OK, "%s", err.text);
        cr_expect_eq(report.visit.segments_opened, 0);
        cr_expect_eq(report.visit.unready, 0);
    }

    /* And one thing new opens one body, which is refused: the spoiling works. */
    fleet_pass_time(&fleet, FLEET_SECOND_US);
    fleet_write(&fleet.nodes[0], "UPDATE t SET n = -1");
    fleet_sync(&fleet, &fleet.nodes[0]);
    (void)spoil_segments();
    cr_expect_eq(fleet_sync_try(&fleet, &fleet.nodes[1], &report, &err), STATUS_REFUSED);
    cr_expect_eq(report.visit.segments_opened, 1);
    fleet_expect(&fleet, "SELECT count(*) FROM t", "1");
}
