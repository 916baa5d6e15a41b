/* Capture of changesets and patchsets that applications hand over as files: each one
 * entry, beside the scan nothing twice and nothing missed. */
#include "capture/sqlite_scan.h"
#include "tests/support/scan_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES_MAX = 64, PATH_SIZE = SCAN_PATH_MAX + 16, ROUNDS = 50, ROUNDS_LONG = 2000 };

/* Of the fixture's clock: after all that files say. */
static const int64_t epoch_s = INT64_C(4000000000);

static struct scan_node node;
static sqlite3_session *session;
static char paths[FILES_MAX][PATH_SIZE];
static size_t path_count;
static int64_t tick_ms; /* that the next file is written at */
static char notices[4096];
static struct error err;

static void attach(void)
{
    cr_assert_eq(sqlite3session_create(node.application, "main", &session), SQLITE_OK);
    cr_assert_eq(sqlite3session_attach(session, NULL), SQLITE_OK);
}

static void set_up(void)
{
    scan_node_open(&node, "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b);"
                          "CREATE TABLE u (id TEXT, n INT, a, PRIMARY KEY (n, id))"
                          " WITHOUT ROWID;"
                          "INSERT INTO t VALUES (1, 'one', 0), (2, 'two', 0)");
    attach();
    node.now_us += UINT64_C(1000000) * 1000000;
    tick_ms = 1000;
}

static void tear_down(void)
{
    sqlite3session_delete(session);
    scan_node_close(&node);
}

TestSuite(changeset_files, .init = set_up, .fini = tear_down);

static void set_time(const char *path, int64_t ms)
{
    struct timespec times[2];

    times[0].tv_sec = epoch_s + ms / 1000;
    times[0].tv_nsec = ms % 1000 * 1000000;
    times[1] = times[0];
    cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static const char *write_file(const void *data, int size)
{
    char *path = paths[path_count % FILES_MAX];
    FILE *file;

    (void)snprintf(path, PATH_SIZE, "%.100s/f%zu", node.folder, path_count++);
    file = fopen(path, "wbe");
    cr_assert_not_null(file);
    if (size > 0)
        cr_assert_eq(fwrite(data, 1, (size_t)size, file), (size_t)size);
    (void)fclose(file);
    set_time(path, tick_ms++);
    return path;
}

/* One transaction of the application's and what its session says of it. */
static const char *record(const char *sql, bool patch)
{
    const char *path;
    void *data = NULL;
    int size = 0;

    scan_write(&node, "BEGIN");
    scan_write(&node, sql);
    cr_assert_eq(patch ? sqlite3session_patchset(session, &size, &data)
                       : sqlite3session_changeset(session, &size, &data),
                 SQLITE_OK);
    scan_write(&node, "COMMIT");
    path = write_file(data, size);
    sqlite3_free(data);
    sqlite3session_delete(session);
    attach();
    return path;
}

/* One that nobody recorded. */
static void write_unseen(const char *sql)
{
    sqlite3session_delete(session);
    scan_write(&node, sql);
    attach();
}

static void remember(void *data, const char *line)
{
    size_t used = strlen(notices);

    (void)data;
    line = strrchr(line, '/') + 1;
    (void)snprintf(notices + used, sizeof notices - used, "%s\n", line);
}

static enum status give_try(const char *const *files, size_t count,
                            struct capture_counts *counts)
{
    enum status status;

    notices[0] = '\0';
    cr_assert_eq(store_lock(node.store, LOCK_CAPTURE, &err), STATUS_OK);
    cr_assert_eq(store_lock(node.store, LOCK_APPLY, &err), STATUS_OK);
    status =
        sqlite_scan_changesets(node.source, files, count, remember, NULL, counts, &err);
    store_unlock(node.store, LOCK_APPLY);
    store_unlock(node.store, LOCK_CAPTURE);
    return status;
}

/* How many entries they make. */
static uint64_t give_all(const char *const *files, size_t count)
{
    struct capture_counts counts;

    cr_assert_eq(give_try(files, count, &counts), STATUS_OK, "%s", err.text);
    return counts.entries;
}

static uint64_t give(const char *file)
{
    return give_all(&file, 1);
}

static void expect_entry(uint64_t back, const char *text)
{
    cr_expect_str_eq(scan_text(&node, scan_last_seq(&node) - back), text);
}

static uint64_t commit_ms(uint64_t seq)
{
    struct store_txn *txn;
    struct log_entry entry;

    cr_assert_eq(store_begin(node.store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(log_get(txn, seq, &entry, &err), STATUS_OK);
    store_abort(txn);
    return entry.header.commit_us / 1000 - (uint64_t)epoch_s * 1000;
}

Test(changeset_files, each_is_an_entry_with_its_own_time_though_more_was_committed)
{
    const char *files[] = {
        record("UPDATE t SET a = 'x' WHERE id = 1; INSERT INTO u VALUES ('k', 1, 2)", 0),
        record("UPDATE t SET a = 'y' WHERE id = 1; DELETE FROM u", false),
        record("UPDATE t SET id = 9 WHERE id = 2", false),
    };

    cr_expect_eq(give_all(files, 3), 3);
    cr_expect_str_eq(notices, "");
    expect_entry(2, "update t(1): 1,'x',0 was 1='one'\ninsert u(1,'k'): 'k',1,2");
    expect_entry(1, "update t(1): 1,'y',0 was 1='x'\n"
                    "delete u(1,'k') was 0=key,1=key,2=2");
    cr_expect_eq(commit_ms(scan_last_seq(&node) - 2), 1000);
    cr_expect_eq(commit_ms(scan_last_seq(&node)), 1002);
    cr_expect_eq(scan_expect_same(&node), 2);
    cr_expect_eq(scan_capture(&node), 0);
}

Test(changeset_files, patchsets_get_their_values_before_from_the_log)
{
    const char *files[] = {
        record("UPDATE t SET a = 'x' WHERE id = 1", true),
        record("UPDATE t SET a = 'y' WHERE id = 1; DELETE FROM t WHERE id = 2", true),
    };

    cr_expect_eq(give_all(files, 2), 2);
    expect_entry(1, "update t(1): 1,'x',0 was 1='one'");
    expect_entry(0, "update t(1): 1,'y',0 was 1='x'\n"
                    "delete t(2) was 0=key,1='two',2=0");
    cr_expect_eq(scan_capture(&node), 0);
}

Test(changeset_files, one_that_is_given_again_logs_nothing)
{
    for (int patch = 0; patch < 2; patch++) {
        const char *there = record("UPDATE t SET a = 'x' WHERE id = 1", patch);
        const char *back = record("UPDATE t SET a = 'one' WHERE id = 1", patch);
        const char *both[] = {there, back, there, back};

        cr_expect_eq(give_all(both, 4), 2);
        cr_expect_eq(give(there), 0, "older than the last");
        cr_expect_eq(give(back), 0);
        cr_expect_eq(scan_capture(&node), 0);
    }
}

/* The clock of many file systems moves in steps of milliseconds. */
Test(changeset_files, the_same_instant_does_not_make_two_files_one)
{
    const char *there = record("UPDATE t SET a = 'x' WHERE id = 1", false);
    const char *back = record("UPDATE t SET a = 'one' WHERE id = 1", false);

    set_time(back, tick_ms - 2);
    cr_expect_eq(give(there), 1);
    cr_expect_eq(give(back), 1);
    cr_expect_eq(give(there), 0);
    cr_expect_str_eq(notices, "f0: in the log already\n");
    cr_expect_eq(scan_capture(&node), 0);
}

Test(changeset_files, one_whose_rows_have_changed_since_is_known_again)
{
    const char *there = record("UPDATE t SET a = 'x' WHERE id = 1", false);
    const char *gone = record("DELETE FROM t", false);

    cr_expect_eq(give_all((const char *[]){there, gone}, 2), 2);
    cr_expect_eq(give(there), 0);
    cr_expect_str_eq(notices, "f0: in the log already\n");
}

Test(changeset_files, one_that_is_given_twice_around_an_older_one_is_logged_once)
{
    const char *there = record("UPDATE t SET a = 'x' WHERE id = 1", false);
    const char *back = record("UPDATE t SET a = 'one' WHERE id = 1", false);
    set_time(back, 500);
    cr_expect_eq(give_all((const char *[]){there, back, there}, 3), 2);
}

Test(changeset_files, what_a_scan_has_found_is_not_logged_again)
{
    const char *first = record("UPDATE t SET a = 'x' WHERE id = 1", false);
    const char *second = record("INSERT INTO t VALUES (3, 3, 3)", false);

    set_time(node.path, tick_ms);
    cr_expect_eq(scan_capture(&node), 2);
    cr_expect_eq(give(second), 0);
    cr_expect_str_eq(notices, "f1: in the log already\n");
    cr_expect_eq(give(first), 0);
    record("UPDATE t SET a = 'y' WHERE id = 1", false);
    set_time(node.path, tick_ms);
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(give(first), 0);
    cr_expect_str_eq(notices, "f0: not what follows on what the log has; the next "
                              "capture logs what changed: table t\n");
    cr_expect_eq(scan_capture(&node), 0);
}

/* A patchset does not tell what it was made of, and a row may be again what it was. */
Test(changeset_files, one_older_than_the_last_capture_is_left_out)
{
    const char *patch = record("UPDATE t SET a = 'x' WHERE id = 1", true);
    const char *change = record("UPDATE t SET a = 'y' WHERE id = 1", false);

    write_unseen("UPDATE t SET a = 'x' WHERE id = 1; UPDATE t SET b = 1 WHERE id = 2");
    set_time(node.path, tick_ms++);
    cr_expect_eq(scan_capture(&node), 2);
    cr_expect_eq(give(change), 0);
    cr_expect_str_eq(notices, "f1: older than the last capture, and not what it found; "
                              "the next capture logs what changed\n");
    write_unseen("UPDATE t SET a = 'z' WHERE id = 1");
    set_time(node.path, tick_ms++);
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(give(patch), 0);
    cr_expect_eq(scan_capture(&node), 0);
}

Test(changeset_files, what_does_not_follow_on_the_log_is_left_to_the_scan_whole)
{
    const char *file;

    write_unseen("UPDATE t SET a = 'unseen' WHERE id = 1");
    file = record("UPDATE t SET b = 5 WHERE id = 2; UPDATE t SET a = 7 WHERE id = 1", 0);
    cr_expect_eq(give(file), 0);
    cr_expect_eq(scan_capture(&node), 2);
    expect_entry(0, "update t(1): 1,7,0 was 1='one'\nupdate t(2): 2,'two',5 was 2=0");
}

/* A column that nobody changed between them need not fit. */
Test(changeset_files, beside_what_nobody_recorded)
{
    const char *file;

    write_unseen("UPDATE t SET b = 7 WHERE id = 1");
    file = record("UPDATE t SET a = 'x' WHERE id = 1", false);
    cr_expect_eq(give(file), 1);
    expect_entry(0, "update t(1): 1,'x',0 was 1='one'");
    cr_expect_eq(scan_capture(&node), 1);
    expect_entry(0, "update t(1): 1,'x',7 was 2=0");
}

Test(changeset_files, tables_that_are_not_replicated_are_named)
{
    const char *file;

    write_unseen("CREATE TABLE v (id INTEGER PRIMARY KEY, a)");
    file = record("INSERT INTO v VALUES (1, 1), (2, 2); UPDATE t SET b = 1 WHERE id = 1",
                  false);
    write_unseen("DROP TABLE v");
    cr_expect_eq(give(file), 1);
    cr_expect_str_eq(notices, "f0: of a table that is not replicated from here, and "
                              "passed over: v\n");
    expect_entry(0, "update t(1): 1,'one',1 was 2=0");
}

Test(changeset_files, of_a_table_that_was_made_anew_is_left_to_the_scan)
{
    const char *file = record("UPDATE t SET a = 'x' WHERE id = 1", false);

    write_unseen("ALTER TABLE t RENAME TO old;"
                 "CREATE TABLE t (id INTEGER PRIMARY KEY, b, a);"
                 "INSERT INTO t SELECT id, b, a FROM old; DROP TABLE old");
    cr_expect_eq(give(file), 1, "the definition");
    cr_expect_eq(scan_capture(&node), 1);
    expect_entry(0, "update t(1): 1,0,'x' was 2='one'");
}

Test(changeset_files, a_damaged_one_is_refused_and_nothing_is_logged)
{
    static const char *const texts[] = {"nothing of the kind", "T", "T\x03", "P\xff\xff"};
    const off_t header_size = 7; /* what has no row is whole, and says nothing */
    const char *files[2];
    struct capture_counts counts;
    uint64_t last = scan_last_seq(&node);
    struct stat about;

    files[0] = record("UPDATE t SET a = 'x' WHERE id = 1", false);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        files[1] = write_file(texts[i], (int)strlen(texts[i]));
        cr_expect_eq(give_try(files, 2, &counts), STATUS_REFUSED, "%zu", i);
        cr_expect_not_null(strstr(err.text, "cut, or not a changeset or patchset"));
    }
    files[1] = record("INSERT INTO t VALUES (3, 'long enough', 3)", false);
    cr_assert_eq(stat(files[1], &about), 0);
    for (off_t size = about.st_size - 1; size > 0; size--) {
        cr_assert_eq(truncate(files[1], size), 0);
        cr_expect_eq(give_try(files + 1, 1, &counts),
                     size == header_size ? STATUS_OK : STATUS_REFUSED, "%d bytes",
                     (int)size);
    }
    files[1] = node.folder;
    cr_expect_eq(give_try(files, 2, &counts), STATUS_UNAVAILABLE);
    files[1] = "/nonexistent/f";
    cr_expect_eq(give_try(files, 2, &counts), STATUS_UNAVAILABLE);
    cr_expect_eq(scan_last_seq(&node), last);
}

Test(changeset_files, one_without_changes_is_no_entry)
{
    cr_expect_eq(give(record("UPDATE t SET a = 'one' WHERE id = 1", false)), 0);
    cr_expect_str_eq(notices, "f0: nothing was changed\n");
}

/* ---- random */

static unsigned int seed;
static int rounds;

static int pick(int count)
{
    return rand_r(&seed) % count;
}

/* A few statements; each changes something now and then. */
static void make_transaction(char *sql, size_t size)
{
    static const char *const forms[] = {
        "INSERT OR REPLACE INTO t VALUES (?1, ?2, ?3);",
        "UPDATE t SET a = ?2, b = ?3 WHERE id = ?1;",
        "UPDATE OR REPLACE t SET id = ?1 WHERE id = ?2;",
        "DELETE FROM t WHERE id = ?1;",
        "INSERT OR REPLACE INTO u VALUES (?2, ?1, ?3);",
        "UPDATE OR IGNORE u SET n = n + 1, a = ?3 WHERE n = ?1;",
        "DELETE FROM u WHERE n = ?1;",
        "UPDATE t SET a = 'text', b = NULL WHERE id = ?1;",
    };

    sql[0] = '\0';
    for (int i = pick(4); i >= 0; i--) {
        const char *form = forms[pick((int)(sizeof forms / sizeof *forms))];
        size_t used = strlen(sql);
        sqlite3_stmt *statement;
        char *text;

        cr_assert_eq(sqlite3_prepare_v2(node.application, form, -1, &statement, NULL), 0);
        for (int at = 1; at <= sqlite3_bind_parameter_count(statement); at++)
            (void)sqlite3_bind_int(statement, at, pick(6));
        text = sqlite3_expanded_sql(statement);
        (void)snprintf(sql + used, size - used, "%s", text);
        sqlite3_free(text);
        (void)sqlite3_finalize(statement);
    }
}

static bool is_empty(const char *path)
{
    struct stat about;

    cr_assert_eq(stat(path, &about), 0);
    return about.st_size == 0;
}

static void start_random(void)
{
    const char *given = getenv("ROWFERRY_SEED");

    seed =
        given != NULL ? (unsigned int)strtoul(given, NULL, 10) : (unsigned int)time(NULL);
    rounds = getenv("ROWFERRY_LONG") != NULL ? ROUNDS_LONG : ROUNDS;
    (void)fprintf(stderr, "ROWFERRY_SEED=%u\n", seed);
}

/* Transactions handed over in the order of their commits, some in one call, some one by
 * one: each that changed something is one entry, and the scan finds nothing more. */
Test(changeset_files, random_transactions_are_entries_one_by_one)
{
    unsigned int first;

    start_random();
    first = seed;
    for (int round = 0; round < rounds; round++) {
        const char *files[8];
        size_t count = (size_t)pick(8) + 1, changed = 0;
        uint64_t entries = 0;

        for (size_t i = 0; i < count; i++) {
            char sql[1024];

            make_transaction(sql, sizeof sql);
            files[i] = record(sql, pick(2) == 0);
            changed += !is_empty(files[i]);
        }
        for (size_t i = 0; i < count;) {
            size_t more = 1 + (size_t)pick((int)(count - i));

            entries += give_all(files + i, more);
            i += more;
        }
        cr_assert_eq(entries, changed, "seed %u, round %d: %s", first, round, notices);
        cr_assert_eq(scan_capture(&node), 0, "seed %u, round %d", first, round);
        (void)scan_expect_same(&node);
    }
}

/* The same among transactions that nobody recorded, files that are late, doubled, out of
 * order or never come, and scans in between: the log ends at what the database holds, a
 * scan with nothing new logs nothing, and what was given again neither. */
Test(changeset_files, random_company_ends_where_the_database_is)
{
    unsigned int first;
    const char *files[8];
    size_t count = 0;

    start_random();
    first = seed;
    for (int step = 0; step < 4 * rounds; step++) {
        char sql[1024];

        make_transaction(sql, sizeof sql);
        switch (pick(6)) {
        case 0:
            write_unseen(sql);
            set_time(node.path, tick_ms++);
            break;
        case 1:
            (void)scan_capture(&node);
            (void)scan_expect_same(&node);
            cr_assert_eq(scan_capture(&node), 0, "seed %u, step %d", first, step);
            for (size_t i = 0; i < count; i++)
                (void)give(files[i]);
            cr_assert_eq(scan_capture(&node), 0, "seed %u, step %d: %s", first, step,
                         notices);
            count = 0;
            break;
        case 2:
            if (count > 0)
                (void)give_all(files + pick((int)count), 1);
            break;
        default:
            if (count == 8)
                break;
            files[count++] = record(sql, pick(2) == 0);
            set_time(node.path, tick_ms - 1);
            if (pick(2) == 0)
                (void)give(files[count - 1]);
            break;
        }
    }
    (void)scan_capture(&node);
    (void)scan_expect_same(&node);
}
