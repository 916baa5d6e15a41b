/* Waiting for files, time and signals, on the real system. */
#include "node/watch.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONG_MS = 600000 }; /* a wait that ends by itself would end the test's patience */

static char folder[] = "/tmp/rowferry-watch-XXXXXX";
static struct watch *watch;
static struct error err;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(watch_open(&watch, &err), STATUS_OK, "%s", err.text);
}

static void tear_down(void)
{
    watch_close(watch);
    cr_assert_eq(chdir(folder), 0);
    (void)unlink("app.db");
    (void)unlink("app.db-wal");
    (void)unlink("other");
    (void)rmdir("later");
    (void)rmdir(folder);
}

TestSuite(watch, .init = set_up, .fini = tear_down, .timeout = 60);

static void put(size_t number, const char *directory, const char *name,
                const char *except)
{
    const struct watch_place place = {
        .directory = directory, .names = {name}, .except = except};

    cr_assert_eq(watch_put(watch, number, &place, &err), STATUS_OK, "%s", err.text);
}

static void touch(const char *name)
{
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "a");
    cr_assert_not_null(file);
    (void)fputs("x", file);
    cr_assert_eq(fclose(file), 0);
}

Test(watch, is_woken_by_the_files_that_count)
{
    put(0, folder, "app.db", NULL);
    put(1, folder, NULL, "app");
    watch_arm(watch);
    touch("app.db");
    watch_wait(watch, 0, LONG_MS);
    cr_expect(watch_has_changed(watch, 0));
    cr_expect_not(watch_has_changed(watch, 1));
    watch_arm(watch);
    cr_expect_not(watch_has_changed(watch, 0));
    touch("other");
    watch_wait(watch, 0, LONG_MS);
    cr_expect(watch_has_changed(watch, 1));
    cr_expect_not(watch_has_changed(watch, 0));
}

Test(watch, is_not_woken_by_others)
{
    put(0, folder, "app.db", NULL);
    watch_arm(watch);
    touch("other");
    watch_wait(watch, 0, 20);
    cr_expect_not(watch_has_changed(watch, 0));
}

Test(watch, keeps_what_comes_before_it_waits)
{
    put(0, folder, NULL, NULL);
    watch_arm(watch);
    touch("other");
    watch_wait(watch, 10, LONG_MS);
    cr_expect(watch_has_changed(watch, 0));
}

Test(watch, looks_after_a_directory_that_comes_later_and_is_another_then)
{
    char later[64], file[80];

    (void)snprintf(later, sizeof later, "%s/later", folder);
    (void)snprintf(file, sizeof file, "%s/x", later);
    put(0, later, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        watch_arm(watch);
        watch_wait(watch, 0, 0);
        cr_assert_eq(mkdir(later, 0700), 0);
        watch_arm(watch);
        cr_assert_eq(mkdir(file, 0700), 0);
        watch_wait(watch, 0, LONG_MS);
        cr_expect(watch_has_changed(watch, 0), "time %d", i);
        cr_assert_eq(rmdir(file) + rmdir(later), 0);
    }
}

Test(watch, takes_another_place_under_a_number)
{
    put(0, "/nowhere", NULL, NULL);
    watch_arm(watch);
    put(0, folder, NULL, NULL);
    watch_arm(watch);
    touch("other");
    watch_wait(watch, 0, LONG_MS);
    cr_expect(watch_has_changed(watch, 0));
}

Test(watch, is_over_when_a_signal_says_so)
{
    cr_expect_not(watch_is_over(watch));
    cr_assert_eq(raise(SIGTERM), 0);
    watch_wait(watch, LONG_MS, LONG_MS);
    cr_expect(watch_is_over(watch));
    cr_assert_eq(raise(SIGTERM), 0); /* timeout(1) sends it twice */
    cr_expect(watch_is_over(watch));
}

Test(watch, of_a_job_in_the_background_leaves_an_ignored_signal_so)
{
    watch_close(watch);
    (void)signal(SIGINT, SIG_IGN);
    cr_assert_eq(watch_open(&watch, &err), STATUS_OK);
    cr_assert_eq(raise(SIGINT), 0);
    cr_expect_not(watch_is_over(watch));
    cr_assert_eq(raise(SIGTERM), 0);
    cr_expect(watch_is_over(watch));
}
