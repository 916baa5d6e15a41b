#include "node/cradle.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/rowferry-cradle-XXXXXX";
static char store[64], side[64], half_made[80];
static struct cradle *cradle;
static struct error err;

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);

static int mkdir_fails_with; /* 0: it does not */

int __wrap_mkdir(const char *path, mode_t mode)
{
    if (mkdir_fails_with == 0)
        return __real_mkdir(path, mode);
    errno = mkdir_fails_with;
    return -1;
}

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(store, sizeof store, "%s/store", folder);
    (void)snprintf(side, sizeof side, "%s/store.init", folder);
    (void)snprintf(half_made, sizeof half_made, "%s/store", side);
}

static void tear_down(void)
{
    char command[128];

    cradle_close(cradle, CRADLE_FORGET);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0); /* NOLINT(cert-env33-c): a name of our own */
}

TestSuite(cradle, .init = set_up, .fini = tear_down);

static void make_file(const char *where, const char *name)
{
    char path[128];
    FILE *file;

    (void)mkdir(where, 0700);
    (void)snprintf(path, sizeof path, "%s/%s", where, name);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fclose(file), 0);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* An init that dies with its cradle open. */
static void die_in(uint64_t id)
{
    struct cradle *lost;
    pid_t child = fork();
    int status;

    if (child == 0) {
        if (cradle_open(&lost, store, &err) != STATUS_OK ||
            (id != 0 && cradle_keep_id(lost, id, &err) != STATUS_OK))
            _exit(1);
        make_file(cradle_folder(lost), "data.mdb");
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
}

Test(cradle, moves_the_store_into_place_and_is_gone)
{
    cr_assert_eq(cradle_open(&cradle, store, &err), STATUS_OK, "%s", err.text);
    cr_assert_eq(cradle_keep_id(cradle, 7, &err), STATUS_OK, "%s", err.text);
    make_file(cradle_folder(cradle), "data.mdb");
    cr_assert_eq(cradle_place(cradle, &err), STATUS_OK, "%s", err.text);
    cradle_close(cradle, CRADLE_FORGET);
    cradle = NULL;
    cr_expect(exists(store));
    cr_expect_not(exists(side));
    cr_expect_eq(cradle_left_id(store), 0);
}

Test(cradle, leaves_nothing_behind_after_a_failure)
{
    cr_assert_eq(cradle_open(&cradle, store, &err), STATUS_OK, "%s", err.text);
    cr_assert_eq(cradle_keep_id(cradle, 7, &err), STATUS_OK, "%s", err.text);
    make_file(cradle_folder(cradle), "data.mdb");
    cradle_close(cradle, CRADLE_AS_FOUND);
    cradle = NULL;
    cr_expect_not(exists(store));
    cr_expect_not(exists(side));
}

Test(cradle, hands_the_id_of_a_dead_init_to_the_next)
{
    die_in(0xabcdef);
    cr_expect(exists(half_made));
    cr_expect_eq(cradle_left_id(store), 0xabcdef);
    cr_assert_eq(cradle_open(&cradle, store, &err), STATUS_OK, "%s", err.text);
    cr_expect(exists(half_made), "the half-made store can't be gone on with");
    cradle_empty(cradle);
    cr_expect_not(exists(half_made), "the half-made store is still there");
    cr_expect_eq(cradle_left_id(store), 0xabcdef);
}

Test(cradle, keeps_the_half_made_store_where_that_is_asked_for)
{
    die_in(0xabcdef);
    cr_assert_eq(cradle_open(&cradle, store, &err), STATUS_OK, "%s", err.text);
    cradle_close(cradle, CRADLE_KEEP_ALL);
    cradle = NULL;
    cr_expect(exists(half_made));
    cr_expect_eq(cradle_left_id(store), 0xabcdef);
}

Test(cradle, keeps_that_id_when_the_next_fails_too)
{
    die_in(5);
    cr_assert_eq(cradle_open(&cradle, store, &err), STATUS_OK, "%s", err.text);
    cradle_close(cradle, CRADLE_AS_FOUND);
    cradle = NULL;
    cr_expect_eq(cradle_left_id(store), 5);
}

Test(cradle, keeps_the_id_when_told_so)
{
    cr_assert_eq(cradle_open(&cradle, store, &err), STATUS_OK, "%s", err.text);
    cr_assert_eq(cradle_keep_id(cradle, 7, &err), STATUS_OK, "%s", err.text);
    cradle_close(cradle, CRADLE_KEEP);
    cradle = NULL;
    cr_expect_eq(cradle_left_id(store), 7);
}

Test(cradle, takes_over_one_that_died_before_its_id)
{
    die_in(0);
    cr_assert_eq(cradle_open(&cradle, store, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(cradle_left_id(store), 0);
}

Test(cradle, refuses_a_second_init_at_the_same_time)
{
    struct cradle *second;

    cr_assert_eq(cradle_open(&cradle, store, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(cradle_open(&second, store, &err), STATUS_REFUSED);
    cr_expect_null(second);
}

Test(cradle, says_where_it_cannot_be)
{
    struct cradle *none;

    cr_expect_eq(cradle_open(&none, "/nonexistent/store", &err), STATUS_UNAVAILABLE);
    cr_expect_null(none);
}

Test(cradle, says_why_the_disk_does_not_take_it)
{
    static const struct {
        int code;
        enum status status;
    } cases[] = {
        {ENOSPC, STATUS_FULL       },
        {EDQUOT, STATUS_FULL       },
        {EIO,    STATUS_IO         },
        {ENOMEM, STATUS_NO_MEMORY  },
        {EROFS,  STATUS_UNAVAILABLE},
        {EACCES, STATUS_UNAVAILABLE},
    };
    struct cradle *none;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mkdir_fails_with = cases[i].code;
        cr_expect_eq(cradle_open(&none, store, &err), cases[i].status, "%s", err.text);
        cr_expect_null(none);
        mkdir_fails_with = 0;
        cr_expect_not(cradle_is_left(store));
    }
    cr_assert_eq(cradle_open(&cradle, store, &err), STATUS_OK, "%s", err.text);
}
