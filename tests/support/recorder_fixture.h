/* A program that records: a connection of its own to a database that looks like a node's,
 * with a table t (id, a, b). What a test takes for granted is asserted. */
#ifndef TESTS_SUPPORT_RECORDER_FIXTURE_H
#define TESTS_SUPPORT_RECORDER_FIXTURE_H

#include "extension/rowferry_sqlite.h"

struct recorder_host {
    char path[64];
    sqlite3 *db;
    struct rowferry_recorder *recorder;
};

/* Each Criterion test is its own process. */
extern struct recorder_host host;

void host_open(void);
/* Expects that nothing keeps the connection from closing. */
void host_close(void);

void host_run(const char *sql);
void host_run_on(sqlite3 *on, const char *sql);

/* The first value of a query; -1: NULL. */
long long host_number(const char *sql);

/* rowferry_recorder_commit(): whether it stored anything. */
int host_commit(void);
void host_note(const char *why, const char *who);

/* How many changes of a table are in the outbox, of all its rows together. */
int host_recorded(const char *table);

#endif
