/* A throwaway Postgres cluster for a test in C: tests/support/postgres.py serves it. */
#ifndef TESTS_SUPPORT_POSTGRES_FIXTURE_H
#define TESTS_SUPPORT_POSTGRES_FIXTURE_H

#include <stdio.h>
#include <sys/types.h>

struct cluster {
    char url[512]; /* of its empty database `test`, as superuser */
    FILE *orders, *answers;
    pid_t pid;
};

/* Start one; the test ends when that fails. settings: NULL, or some for postgresql.conf
 * ("name=value"), ended by NULL. It ends with the test's process, at the latest. */
void cluster_start(struct cluster *cluster, const char *const *settings);
void cluster_stop(struct cluster *cluster);

/* Stop the server (mode: "fast", "immediate"), or start it again. */
void cluster_order(struct cluster *cluster, const char *order);

/* Run statements in a session of their own. */
void cluster_run(struct cluster *cluster, const char *sql);

#endif
