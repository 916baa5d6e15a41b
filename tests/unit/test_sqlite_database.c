#include "engine/sqlite_database.h"
#include "log/buffer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static char folder[64];
static char path[96];
static struct sqlite_database *database;
static struct error err;

static void open_database(enum sqlite_open_mode mode)
{
    cr_assert_eq(sqlite_database_open(&database, path, mode, 0, &err), STATUS_OK, "%s",
                 err.text);
}

static void set_up(void)
{
    (void)snprintf(folder, sizeof folder, "%s/rowferry-test-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/x.db", folder);
    open_database(SQLITE_DATABASE_CREATE);
}

static void tear_down(void)
{
    char file[128];

    sqlite_database_close(database);
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(file, sizeof file, "%s%s", path,
                       (const char *[]){"", "-wal", "-shm", "-journal"}[i]);
        (void)unlink(file);
    }
    (void)rmdir(folder);
}

TestSuite(sqlite_database, .init = set_up, .fini = tear_down);

static void execute(const char *sql)
{
    cr_assert_eq(sqlite_execute(database, sql, &err), STATUS_OK, "%s", err.text);
}

Test(sqlite_database, a_missing_file_is_unavailable)
{
    struct sqlite_database *none;

    cr_expect_eq(
        sqlite_database_open(&none, "/nowhere/x.db", SQLITE_DATABASE_WRITE, 0, &err),
        STATUS_UNAVAILABLE);
    cr_expect_null(none);
    cr_expect(strstr(err.text, "/nowhere/x.db") != NULL);
    cr_expect_eq(sqlite_database_open(&none, folder, SQLITE_DATABASE_WRITE, 0, &err),
                 STATUS_UNAVAILABLE);
}

Test(sqlite_database, a_file_that_is_no_database_is_unavailable)
{
    struct sqlite_database *none;
    FILE *file;

    sqlite_database_close(database);
    database = NULL;
    file = fopen(path, "w");
    cr_assert_not_null(file);
    for (int i = 0; i < 1000; i++)
        (void)fputs("no database at all\n", file);
    (void)fclose(file);
    cr_expect_eq(sqlite_database_open(&none, path, SQLITE_DATABASE_WRITE, 0, &err),
                 STATUS_UNAVAILABLE);
    cr_expect(strstr(err.text, "not a SQLite database") != NULL, "%s", err.text);
}

Test(sqlite_database, a_special_name_is_a_plain_file)
{
    struct sqlite_database *none;

    cr_expect_eq(sqlite_database_open(&none, ":memory:", SQLITE_DATABASE_WRITE, 0, &err),
                 STATUS_UNAVAILABLE);
}

Test(sqlite_database, a_read_transaction_is_a_snapshot)
{
    struct sqlite_database *other;
    int64_t rows = 0;

    execute("PRAGMA journal_mode = wal; CREATE TABLE t (a)");
    cr_assert_eq(sqlite_database_open(&other, path, SQLITE_DATABASE_WRITE, 0, &err),
                 STATUS_OK);
    cr_assert_eq(sqlite_begin_read(database, &err), STATUS_OK);
    cr_assert_eq(sqlite_execute(other, "INSERT INTO t VALUES (1)", &err), STATUS_OK, "%s",
                 err.text);
    cr_assert_eq(sqlite_number(database, "SELECT count(*) FROM t", &rows, &err),
                 STATUS_OK);
    cr_expect_eq(rows, 0);
    sqlite_rollback(database);
    cr_assert_eq(sqlite_number(database, "SELECT count(*) FROM t", &rows, &err),
                 STATUS_OK);
    cr_expect_eq(rows, 1);
    sqlite_database_close(other);
}

Test(sqlite_database, a_locked_database_is_busy_and_says_so)
{
    struct sqlite_database *other, *third;
    int64_t version;
    char locked[256];

    (void)snprintf(locked, sizeof locked,
                   "%s: locked by another process; try again when it is done", path);

    cr_assert_eq(sqlite_database_open(&other, path, SQLITE_DATABASE_WRITE, 0, &err),
                 STATUS_OK);
    cr_assert_eq(sqlite_begin_write(other, &err), STATUS_OK);
    cr_expect_eq(sqlite_begin_write(database, &err), STATUS_BUSY);
    cr_expect_str_eq(err.text, locked);
    sqlite_rollback(other);
    cr_assert_eq(sqlite_execute(other, "BEGIN EXCLUSIVE", &err), STATUS_OK); /* to read */
    cr_expect_eq(sqlite_schema_version(database, &version, &err), STATUS_BUSY);
    cr_expect_str_eq(err.text, locked);
    cr_expect_eq(sqlite_database_open(&third, path, SQLITE_DATABASE_READ, 0, &err),
                 STATUS_BUSY);
    cr_expect_str_eq(err.text, locked);
    sqlite_rollback(other);
    cr_expect_eq(sqlite_begin_write(database, &err), STATUS_OK);
    sqlite_rollback(database);
    sqlite_rollback(database); /* nothing is open */
    sqlite_database_close(other);
}

Test(sqlite_database, failures_have_our_codes)
{
    static const struct {
        const char *sql;
        enum status status;
    } cases[] = {
        {"INSERT INTO t VALUES (NULL, 1)",       STATUS_CONSTRAINT },
        {"INSERT INTO t VALUES (1, 1), (1, 2)",  STATUS_CONSTRAINT },
        {"INSERT INTO k VALUES ('x')",           STATUS_CONSTRAINT },
        {"SELECT zeroblob(2000000000)",          STATUS_CONSTRAINT },
        {"nonsense",                             STATUS_IO         },
        {"PRAGMA query_only = 1; DELETE FROM t", STATUS_UNAVAILABLE},
    };

    execute(
        "CREATE TABLE t (a NOT NULL UNIQUE, b); CREATE TABLE k (i INTEGER PRIMARY KEY);"
        "INSERT INTO t VALUES (7, 7)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(sqlite_execute(database, cases[i].sql, &err), cases[i].status,
                     "%s: %s", cases[i].sql, err.text);
}

static void fail_with(sqlite3_context *context, int count, sqlite3_value **arguments)
{
    (void)count;
    sqlite3_result_error(context, "as told", -1);
    sqlite3_result_error_code(context, sqlite3_value_int(arguments[0]));
}

Test(sqlite_database, every_code_of_sqlites_has_one_of_ours)
{
    static const struct {
        int code;
        enum status status;
    } cases[] = {
        {SQLITE_BUSY,               STATUS_BUSY       },
        {SQLITE_BUSY_SNAPSHOT,      STATUS_BUSY       },
        {SQLITE_LOCKED,             STATUS_BUSY       },
        {SQLITE_LOCKED_SHAREDCACHE, STATUS_BUSY       },
        {SQLITE_FULL,               STATUS_FULL       },
        {SQLITE_CONSTRAINT,         STATUS_CONSTRAINT },
        {SQLITE_CONSTRAINT_UNIQUE,  STATUS_CONSTRAINT },
        {SQLITE_CONSTRAINT_TRIGGER, STATUS_CONSTRAINT },
        {SQLITE_MISMATCH,           STATUS_CONSTRAINT },
        {SQLITE_TOOBIG,             STATUS_CONSTRAINT },
        {SQLITE_CORRUPT,            STATUS_CORRUPT    },
        {SQLITE_CORRUPT_INDEX,      STATUS_CORRUPT    },
        {SQLITE_NOTADB,             STATUS_CORRUPT    },
        {SQLITE_CANTOPEN,           STATUS_UNAVAILABLE},
        {SQLITE_CANTOPEN_ISDIR,     STATUS_UNAVAILABLE},
        {SQLITE_READONLY,           STATUS_UNAVAILABLE},
        {SQLITE_READONLY_DBMOVED,   STATUS_UNAVAILABLE},
        {SQLITE_PERM,               STATUS_UNAVAILABLE},
        {SQLITE_AUTH,               STATUS_UNAVAILABLE},
        {SQLITE_NOMEM,              STATUS_NO_MEMORY  },
        {SQLITE_IOERR_NOMEM,        STATUS_NO_MEMORY  },
        {SQLITE_IOERR,              STATUS_IO         },
        {SQLITE_IOERR_WRITE,        STATUS_IO         },
        {SQLITE_PROTOCOL,           STATUS_IO         },
        {SQLITE_INTERRUPT,          STATUS_IO         },
        {SQLITE_ERROR,              STATUS_IO         },
    };

    cr_assert_eq(sqlite3_create_function(sqlite_database_handle(database), "fail_with", 1,
                                         SQLITE_UTF8, NULL, fail_with, NULL, NULL),
                 SQLITE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sql[64];

        (void)snprintf(sql, sizeof sql, "SELECT fail_with(%d)", cases[i].code);
        cr_expect_eq(sqlite_execute(database, sql, &err), cases[i].status, "%d: %s",
                     cases[i].code, err.text);
        cr_expect_not_null(strstr(err.text, cases[i].status == STATUS_BUSY
                                                ? "locked by another process"
                                                : sql),
                           "%s", err.text);
    }
}

Test(sqlite_database, own_commits_do_not_change_data_version)
{
    struct sqlite_database *other;
    int64_t before = 0, now = 0;

    execute("CREATE TABLE t (a)");
    cr_assert_eq(sqlite_database_open(&other, path, SQLITE_DATABASE_WRITE, 0, &err),
                 STATUS_OK);
    cr_assert_eq(sqlite_data_version(database, &before, &err), STATUS_OK);
    execute("INSERT INTO t VALUES (1)");
    cr_assert_eq(sqlite_data_version(database, &now, &err), STATUS_OK);
    cr_expect_eq(now, before);
    cr_assert_eq(sqlite_execute(other, "INSERT INTO t VALUES (2)", &err), STATUS_OK);
    cr_assert_eq(sqlite_data_version(database, &now, &err), STATUS_OK);
    cr_expect_neq(now, before);
    sqlite_database_close(other);
}

Test(sqlite_database, neither_foreign_keys_nor_triggers_act)
{
    int64_t rows = 0;

    execute("CREATE TABLE p (a PRIMARY KEY); CREATE TABLE c (a REFERENCES p);"
            "CREATE TABLE seen (a);"
            "CREATE TRIGGER s AFTER INSERT ON c BEGIN INSERT INTO seen VALUES (1); END;"
            "INSERT INTO c VALUES (1)");
    cr_assert_eq(sqlite_number(database, "SELECT count(*) FROM seen", &rows, &err),
                 STATUS_OK);
    cr_expect_eq(rows, 0);
}

static void set_times(const char *suffix, int64_t seconds, int64_t us)
{
    char file[128];
    struct timeval times[2] = {
        {seconds, us},
        {seconds, us}
    };

    (void)snprintf(file, sizeof file, "%s%s", path, suffix);
    cr_assert_eq(utimes(file, times), 0);
}

Test(sqlite_database, the_later_file_tells_the_modification_time)
{
    uint64_t modified = 0;

    execute("PRAGMA journal_mode = wal; CREATE TABLE t (a)");
    set_times("", 100, 5);
    set_times("-wal", 200, 7);
    cr_assert_eq(sqlite_modified_us(database, &modified, &err), STATUS_OK);
    cr_expect_eq(modified, 200000007);
    set_times("", 300, 1);
    cr_assert_eq(sqlite_modified_us(database, &modified, &err), STATUS_OK);
    cr_expect_eq(modified, 300000001);
}

Test(sqlite_database, an_empty_wal_is_no_write)
{
    struct sqlite_database *other;
    uint64_t modified = 0;

    execute("PRAGMA journal_mode = wal; CREATE TABLE t (a)");
    sqlite_database_close(database);
    database = NULL;
    set_times("", 100, 0);
    open_database(SQLITE_DATABASE_WRITE); /* makes a -wal of today */
    cr_assert_eq(sqlite_database_open(&other, path, SQLITE_DATABASE_READ, 0, &err),
                 STATUS_OK, "%s", err.text);
    cr_assert_eq(sqlite_modified_us(other, &modified, &err), STATUS_OK);
    cr_expect_eq(modified, 100000000);
    sqlite_database_close(other);
}

Test(sqlite_database, quotes_in_names_are_doubled)
{
    struct buffer sql = {0};

    sqlite_put_quoted(&sql, "a\"b.c");
    cr_expect(bytes_equal(buffer_view(&sql), bytes_of_text("\"a\"\"b.c\"")));
    buffer_release(&sql);
}

/* ---- rowferry_state */

Test(sqlite_database, a_database_without_state_has_all_zeroes)
{
    struct sqlite_state state = {1, 1, 1, 1};

    cr_assert_eq(sqlite_state_read(database, &state, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(state.store, 0);
    cr_expect_eq(state.counter, 0);
}

Test(sqlite_database, state_comes_back_with_all_64_bits)
{
    struct sqlite_state state = {UINT64_MAX, UINT64_C(1) << 63, 7, 1};
    struct sqlite_state back;

    for (int i = 0; i < 2; i++) {
        state.counter += (uint64_t)i;
        cr_assert_eq(sqlite_begin_write(database, &err), STATUS_OK);
        cr_assert_eq(sqlite_state_write(database, &state, &err), STATUS_OK, "%s",
                     err.text);
        cr_assert_eq(sqlite_commit(database, &err), STATUS_OK);
        cr_assert_eq(sqlite_state_read(database, &back, &err), STATUS_OK, "%s", err.text);
        cr_expect_eq(back.store, state.store);
        cr_expect_eq(back.incarnation, state.incarnation);
        cr_expect_eq(back.applied, state.applied);
        cr_expect_eq(back.counter, state.counter);
    }
}

Test(sqlite_database, a_state_of_another_shape_is_refused)
{
    static const struct {
        const char *when;
        const char *sql;
        enum status status;
    } cases[] = {
        {"other columns",  "CREATE TABLE rowferry_state (a)",      STATUS_CORRUPT    },
        {"a text in it",
         "CREATE TABLE rowferry_state (id, \"format\", store, incarnation, applied, "
         "counter);"
         "INSERT INTO rowferry_state VALUES (1, 1, 'x', 1, 1, 1)", STATUS_CORRUPT    },
        {"a newer format",
         "CREATE TABLE rowferry_state (id, \"format\", store, incarnation, applied, "
         "counter);"
         "INSERT INTO rowferry_state VALUES (1, 2, 1, 1, 1, 1)",   STATUS_UNAVAILABLE},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sqlite_state state;

        execute(cases[i].sql);
        cr_expect_eq(sqlite_state_read(database, &state, &err), cases[i].status, "%s: %s",
                     cases[i].when, err.text);
        execute("DROP TABLE rowferry_state");
    }
}
