/* bench_writer DATABASE MODE WORK ROWS BATCH: what recording costs the program that
 * writes.
 *
 * MODE: plain; session (a session for each transaction, its changeset inserted as a blob
 * into a table of the same database); rowferry (the recorder of extension/).
 * WORK: insert (ROWS new rows, ascending) or update (ROWS updates of random rows of as
 * many). BATCH rows a transaction. The database is in WAL mode, synchronous NORMAL.
 * Prints the seconds that the transactions took, by the wall's clock and of CPU. */
#include "extension/rowferry_sqlite.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static sqlite3 *db;
static sqlite3_session *session;
static struct rowferry_recorder *recorder;
static sqlite3_stmt *keep;

static void check(int rc, const char *what)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE)
        return;
    (void)fprintf(stderr, "bench_writer: %s: %s\n", what, sqlite3_errmsg(db));
    exit(1);
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement = NULL;

    check(sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL),
          sql);
    return statement;
}

static void run(sqlite3_stmt *statement)
{
    check(sqlite3_step(statement), "step");
    check(sqlite3_reset(statement), "reset");
}

static int is_row_table(void *data, const char *table)
{
    (void)data;
    return strcmp(table, "row") == 0;
}

static void new_session(void)
{
    if (session != NULL)
        sqlite3session_delete(session);
    check(sqlite3session_create(db, "main", &session), "session");
    sqlite3session_table_filter(session, is_row_table, NULL);
    check(sqlite3session_attach(session, NULL), "attach");
}

static void keep_changeset(void)
{
    void *changes = NULL;
    int size = 0;

    check(sqlite3session_changeset(session, &size, &changes), "changeset");
    check(sqlite3_bind_blob(keep, 1, changes, size, SQLITE_STATIC), "bind");
    run(keep);
    sqlite3_free(changes);
}

static double now(void)
{
    struct timespec time;

    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu(void)
{
    struct rusage used;

    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static uint64_t next_random(void)
{
    static uint64_t state = 88172645463325252U; /* xorshift64, Marsaglia */

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

struct work {
    sqlite3_stmt *statement;
    bool random;
    int64_t rows;
    int64_t batch;
};

enum { TEXT_MAX = 128 };

/* Some nine words, so that what compresses them has work to do. */
static void make_text(char text[TEXT_MAX], uint64_t any)
{
    static const char *const words[16] = {
        "stone", "river", "window", "green", "seven", "paper", "cloud",  "engine",
        "north", "sugar", "letter", "house", "quiet", "metal", "orange", "valley",
    };
    char *at = text;

    for (int i = 0; i < 9; i++, any >>= 4) {
        const char *word = words[any & 15];
        size_t size = strlen(word);

        memcpy(at, word, size);
        at += size;
        *at++ = ' ';
    }
    at[-1] = 0;
}

static void write_row(const struct work *work, int64_t row)
{
    char text[TEXT_MAX];
    uint64_t any = next_random();
    int64_t key = work->random ? (int64_t)(any % (uint64_t)work->rows) + 1 : row + 1;

    make_text(text, any >> 24);
    check(sqlite3_bind_int64(work->statement, 1, key), "bind");
    check(sqlite3_bind_int64(work->statement, 2, (sqlite3_int64)(any >> 20)), "bind");
    check(sqlite3_bind_text(work->statement, 3, text, -1, SQLITE_STATIC), "bind");
    run(work->statement);
}

static void write_all(const struct work *work)
{
    sqlite3_stmt *begin = prepare("BEGIN IMMEDIATE");
    sqlite3_stmt *commit = prepare("COMMIT");

    for (int64_t row = 0; row < work->rows;) {
        run(begin);
        for (int64_t i = 0; i < work->batch && row < work->rows; i++)
            write_row(work, row++);
        if (session != NULL)
            keep_changeset();
        if (recorder != NULL)
            check(rowferry_recorder_commit(recorder, NULL), "record");
        run(commit);
        if (session != NULL)
            new_session();
    }
    (void)sqlite3_finalize(begin);
    (void)sqlite3_finalize(commit);
}

static void begin_mode(const char *mode)
{
    if (strcmp(mode, "session") == 0) {
        check(sqlite3_exec(db,
                           "CREATE TABLE IF NOT EXISTS kept (id INTEGER PRIMARY KEY, "
                           "changes BLOB)",
                           NULL, NULL, NULL),
              "kept");
        keep = prepare("INSERT INTO kept (changes) VALUES (?1)");
        new_session();
    } else if (strcmp(mode, "rowferry") == 0) {
        check(rowferry_recorder_open(&recorder, db), "recorder");
    }
}

int main(int argc, char **argv)
{
    struct work work;
    double start, used;

    if (argc != 6) {
        (void)fprintf(stderr, "usage: bench_writer DATABASE MODE WORK ROWS BATCH\n");
        return 2;
    }
    check(sqlite3_open(argv[1], &db), argv[1]);
    check(
        sqlite3_exec(db,
                     "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                     "CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, n INTEGER,"
                     " text TEXT)",
                     NULL, NULL, NULL),
        "open");
    work.random = strcmp(argv[3], "update") == 0;
    work.rows = strtoll(argv[4], NULL, 10);
    work.batch = strtoll(argv[5], NULL, 10);
    work.statement =
        prepare(work.random ? "UPDATE row SET n = ?2, text = ?3 WHERE id = ?1"
                            : "INSERT INTO row (id, n, text) VALUES (?1, ?2, ?3)");
    begin_mode(argv[2]);
    start = now();
    used = cpu();
    write_all(&work);
    (void)printf("%.3f %.3f\n", now() - start, cpu() - used);
    (void)sqlite3_finalize(work.statement);
    (void)sqlite3_finalize(keep);
    if (session != NULL)
        sqlite3session_delete(session);
    rowferry_recorder_close(recorder);
    check(sqlite3_close(db), "close");
    return 0;
}
