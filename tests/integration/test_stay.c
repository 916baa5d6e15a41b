/* Rounds of a node that stays, in a time of the test's own. */
#include "node/stay.h"
#include "tests/support/fleet.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INTERVAL_MS = 10000 };

static struct fleet fleet;
static struct stay *stay;
static struct error err;
static uint64_t now_ms, next_ms;
static char lines[4096]; /* notices since they were read last */
static char moves[4096]; /* "captured sent received;" */
static const char *target;
static bool stopping;

static void note_line(void *data, const char *line)
{
    (void)data;
    (void)snprintf(lines + strlen(lines), sizeof lines - strlen(lines), "%s\n", line);
}

static void note_move(void *data, const char *where, const struct visit_report *report)
{
    (void)data;
    (void)snprintf(moves + strlen(moves), sizeof moves - strlen(moves), "%s %u %u %u;",
                   where == NULL ? "here" : strrchr(where, '/') + 1,
                   (unsigned)report->captured.changes,
                   (unsigned)report->visit.sent.entries,
                   (unsigned)report->visit.received.entries);
}

static bool is_stopped(void *data)
{
    (void)data;
    return stopping;
}

static enum status open_try(void)
{
    struct stay_options options = {
        .store = fleet.nodes[0].store,
        .targets = &target,
        .target_count = target != NULL,
        .interval_ms = INTERVAL_MS,
        .notice = note_line,
        .moved = note_move,
        .stopped = is_stopped,
        .clock = &fleet.nodes[0].clock,
    };

    return stay_open(&stay, &options, &err);
}

/* Node 0 stays and meets node 1 in the shared folder; they are even. */
static void open_stay(void)
{
    fleet_open(&fleet, 2, "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)", NULL);
    node_close(fleet.nodes[0].node); /* one process opens a store once */
    fleet.nodes[0].node = NULL;
    target = fleet.shared;
    cr_assert_eq(open_try(), STATUS_OK, "%s", err.text);
}

static void tear_down(void)
{
    stay_close(stay);
    fleet_close(&fleet);
}

TestSuite(stay, .init = open_stay, .fini = tear_down, .timeout = 60);

static void round_now(void)
{
    moves[0] = lines[0] = '\0';
    cr_assert_eq(stay_round(stay, now_ms, &next_ms, &err), STATUS_OK, "%s", err.text);
}

/* As many as it asks for, one after the other without waiting. */
static void rounds(void)
{
    char all_moves[sizeof moves] = "", all_lines[sizeof lines] = "";

    for (int i = 0; i < 10; i++) {
        round_now();
        (void)strcat(all_moves, moves);
        (void)strcat(all_lines, lines);
        if (next_ms > now_ms)
            break;
    }
    (void)strcpy(moves, all_moves);
    (void)strcpy(lines, all_lines);
}

/* Names, inodes, sizes and times of a folder's files, those of its lock files too. */
static const char *picture(const char *folder)
{
    static char text[2][8192];
    static int turn;
    char command[256];
    FILE *pipe;
    size_t size;

    turn = !turn;
    (void)snprintf(
        command, sizeof command,
        "find %s -type f ! -name lock.mdb -printf '%%p %%i %%s %%T@\\n' | sort", folder);
    pipe = popen(command, "r"); /* NOLINT(cert-env33-c): a test's own folder */
    cr_assert_not_null(pipe);
    size = fread(text[turn], 1, sizeof text[turn] - 1, pipe);
    text[turn][size] = '\0';
    (void)pclose(pipe);
    return text[turn];
}

static void copy_database(char copy[2 * FLEET_PATH_MAX])
{
    char command[5 * FLEET_PATH_MAX];
    const char *database = fleet.nodes[0].database;

    (void)snprintf(copy, 2 * FLEET_PATH_MAX, "%s.copy", database);
    (void)snprintf(command, sizeof command, "cp %s %s.copy", database, database);
    cr_assert_eq(system(command), 0); /* NOLINT(cert-env33-c): the same */
}

static int hold(const char *name)
{
    char path[2 * FLEET_PATH_MAX];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", fleet.nodes[0].store, name);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0, "%s", name);
    return fd;
}

Test(stay, captures_and_exchanges_what_is_written_on_either_side)
{
    rounds();
    fleet_write(&fleet.nodes[0], "INSERT INTO item VALUES (1, 'a')");
    rounds();
    cr_expect_str_eq(moves, "here 1 0 0;shared 0 1 0;");
    cr_expect_eq(next_ms, now_ms + INTERVAL_MS);
    fleet_write(&fleet.nodes[1], "INSERT INTO item VALUES (2, 'b')");
    fleet_sync(&fleet, &fleet.nodes[1]);
    stay_touch(stay, 0);
    rounds();
    cr_expect_str_eq(moves, "shared 0 0 1;");
    fleet_expect(&fleet, "SELECT * FROM item ORDER BY id", "1|a;2|b");
}

Test(stay, with_nothing_new_takes_no_lock_and_writes_nothing)
{
    const char *before;
    int locks[3];

    rounds();
    before = picture(fleet.folder);
    locks[0] = hold("capture.lock");
    locks[1] = hold("import.lock");
    locks[2] = hold("apply.lock");
    for (; now_ms + 1 < INTERVAL_MS; now_ms += 100) {
        round_now();
        cr_expect_eq(next_ms, (uint64_t)INTERVAL_MS, "it isn't kept from anything");
    }
    for (int i = 0; i < 3; i++)
        (void)close(locks[i]);
    cr_expect_str_eq(picture(fleet.folder), before);
    cr_expect_str_empty(lines);
}

Test(stay, looks_at_its_target_after_the_interval)
{
    rounds();
    fleet_write(&fleet.nodes[1], "INSERT INTO item VALUES (2, 'b')");
    fleet_sync(&fleet, &fleet.nodes[1]);
    now_ms = INTERVAL_MS - 1;
    rounds();
    cr_expect_str_empty(moves);
    now_ms = INTERVAL_MS;
    rounds();
    cr_expect_str_eq(moves, "shared 0 0 1;");
}

Test(stay, says_once_that_a_target_is_away_and_once_that_it_is_back)
{
    char away[2 * FLEET_PATH_MAX];
    unsigned tries = 0;

    rounds();
    (void)snprintf(away, sizeof away, "%s.away", fleet.shared);
    cr_assert_eq(rename(fleet.shared, away), 0);
    fleet_write(&fleet.nodes[0], "INSERT INTO item VALUES (1, 'a')");
    rounds();
    cr_expect_str_eq(moves, "here 1 0 0;", "what can be done is");
    cr_expect_not_null(strstr(lines, "shared: No such file or directory"));
    for (; tries < 20; tries++) {
        cr_expect(next_ms > now_ms && next_ms <= now_ms + 60000);
        now_ms = next_ms;
        rounds();
        cr_expect_str_empty(lines);
    }
    cr_expect_gt(now_ms, (uint64_t)10 * 10000, "it tries less and less often");
    cr_assert_eq(rename(away, fleet.shared), 0);
    now_ms += 60000;
    rounds();
    cr_expect_str_eq(moves, "shared 0 1 0;");
    cr_expect_not_null(strstr(lines, "shared: works again"));
    cr_expect_eq(strchr(lines, '\n')[1], '\0', "one line: %s", lines);
}

/* A file that stays half is said once, though each visit meets it. */
Test(stay, says_once_what_stays_as_it_was)
{
    char path[2 * FLEET_PATH_MAX];
    FILE *file;

    rounds();
    (void)snprintf(path, sizeof path, "%s/00000000000000aa-00000001.rfseg", fleet.shared);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    (void)fclose(file);
    now_ms += INTERVAL_MS;
    rounds();
    cr_expect_not_null(strstr(lines, "00000000000000aa-00000001.rfseg"), "%s", lines);
    now_ms += INTERVAL_MS;
    rounds();
    cr_expect_str_empty(lines);
    (void)unlink(path);
}

Test(stay, opens_a_database_that_was_replaced)
{
    char copy[2 * FLEET_PATH_MAX];
    sqlite3 *database;

    rounds();
    copy_database(copy);
    cr_assert_eq(sqlite3_open(copy, &database), SQLITE_OK);
    cr_assert_eq(
        sqlite3_exec(database, "INSERT INTO item VALUES (7, 'new')", NULL, NULL, NULL),
        SQLITE_OK);
    cr_assert_eq(sqlite3_close(database), SQLITE_OK);
    cr_assert_eq(rename(copy, fleet.nodes[0].database), 0);
    rounds();
    cr_expect_str_eq(moves, "here 1 0 0;shared 0 1 0;");
}

Test(stay, waits_for_a_database_that_is_away)
{
    char away[2 * FLEET_PATH_MAX];

    rounds();
    (void)snprintf(away, sizeof away, "%s.away", fleet.nodes[0].database);
    cr_assert_eq(rename(fleet.nodes[0].database, away), 0);
    rounds();
    cr_expect_not_null(strstr(lines, "no such file"), "%s", lines);
    now_ms = next_ms;
    rounds();
    cr_expect_str_empty(lines);
    cr_assert_eq(rename(away, fleet.nodes[0].database), 0);
    now_ms = next_ms;
    rounds();
    cr_expect_not_null(strstr(lines, "works again"), "%s", lines);
}

Test(stay, takes_settings_as_they_change)
{
    char path[2 * FLEET_PATH_MAX];
    FILE *file;

    rounds();
    (void)snprintf(path, sizeof path, "%s/rowferry.ini", fleet.nodes[0].store);
    file = fopen(path, "a");
    cr_assert_not_null(file);
    (void)fputs("\nnonsense = 1\n", file);
    (void)fclose(file);
    rounds();
    cr_expect_not_null(strstr(lines, "nonsense"), "%s", lines);
    cr_assert_eq(truncate(path, 0), 0);
    now_ms = next_ms;
    rounds();
    cr_expect_not_null(strstr(lines, "works again"), "%s", lines);
}

Test(stay, waits_for_who_works_on_the_store)
{
    int lock;

    rounds();
    lock = hold("import.lock");
    fleet_write(&fleet.nodes[0], "INSERT INTO item VALUES (1, 'a')");
    for (; now_ms < 29900; now_ms = next_ms) {
        round_now();
        cr_expect_str_empty(lines);
        cr_expect_str_empty(moves);
        cr_assert(next_ms > now_ms && next_ms < now_ms + 1000);
    }
    for (; now_ms < 60000; now_ms = next_ms) {
        round_now();
        cr_expect(lines[0] == '\0' || now_ms < 31000, "said once: %s", lines);
    }
    (void)close(lock);
    rounds();
    cr_expect_str_eq(moves, "here 1 0 0;shared 0 1 0;");
}

Test(stay, is_alone_on_its_store)
{
    int lock;

    stay_close(stay);
    stay = NULL;
    lock = hold("rounds.lock");
    cr_expect_eq(open_try(), STATUS_REFUSED);
    cr_expect_not_null(strstr(err.text, "runs its rounds"), "%s", err.text);
    (void)close(lock);
    cr_expect_eq(open_try(), STATUS_OK);
}

Test(stay, ends_when_the_store_is_gone)
{
    char path[2 * FLEET_PATH_MAX];

    rounds();
    (void)snprintf(path, sizeof path, "%s/data.mdb", fleet.nodes[0].store);
    cr_assert_eq(unlink(path), 0);
    cr_expect_eq(stay_round(stay, now_ms, &next_ms, &err), STATUS_UNAVAILABLE);
    cr_expect_not_null(strstr(err.text, "the store was removed"), "%s", err.text);
}

Test(stay, ends_when_the_database_was_restored)
{
    char copy[2 * FLEET_PATH_MAX];

    rounds();
    copy_database(copy);
    for (int i = 1; i < 4; i++) {
        char sql[80];

        (void)snprintf(sql, sizeof sql, "INSERT INTO item VALUES (%d, 'a')", i);
        fleet_write(&fleet.nodes[0], sql);
        rounds();
    }
    cr_assert_eq(rename(copy, fleet.nodes[0].database), 0);
    cr_expect_eq(stay_round(stay, now_ms, &next_ms, &err), STATUS_REFUSED);
    cr_expect_not_null(strstr(err.text, "resync"), "%s", err.text);
}

Test(stay, refuses_what_can_never_be_a_target)
{
    stay_close(stay);
    stay = NULL;
    target = "ssh://host/store";
    cr_expect_eq(open_try(), STATUS_USAGE);
}

Test(stay, leaves_the_rest_when_it_is_stopped)
{
    rounds();
    fleet_write(&fleet.nodes[0], "INSERT INTO item VALUES (1, 'a')");
    stopping = true;
    round_now();
    cr_expect_str_eq(moves, "here 1 0 0;");
    round_now();
    cr_expect_str_empty(moves);
    stopping = false;
    rounds();
    cr_expect_str_eq(moves, "shared 0 1 0;");
}

Test(stay, rests_longer_after_long_work)
{
    cr_expect_eq(stay_gap_ms(0, 10000), STAY_GAP_MS);
    cr_expect_eq(stay_gap_ms(500, 10000), 2000);
    cr_expect_eq(stay_gap_ms(60000, 10000), 10000);
}
