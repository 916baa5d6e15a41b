#include "tests/support/postgres_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SETTINGS_MAX = 16 };

static void serve(const char *const *settings)
{
    const char *source = getenv("ROWFERRY_SOURCE");
    char script[4096];
    const char *words[SETTINGS_MAX + 4] = {"python3", script, "serve"};

    (void)snprintf(script, sizeof script, "%s/tests/support/postgres.py",
                   source == NULL ? "." : source);
    for (size_t i = 0; settings != NULL && settings[i] != NULL && i < SETTINGS_MAX; i++)
        words[i + 3] = settings[i];
    (void)execvp(words[0], (char *const *)words);
    _exit(127);
}

static void read_answer(struct cluster *cluster, char *line, int size)
{
    cr_assert_not_null(fgets(line, size, cluster->answers), "no Postgres cluster");
    line[strcspn(line, "\n")] = '\0';
}

void cluster_start(struct cluster *cluster, const char *const *settings)
{
    int orders[2], answers[2];

    /* No program that the test starts keeps them open when the test is killed. */
    cr_assert_eq(pipe2(orders, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(answers, O_CLOEXEC), 0);
    cluster->pid = fork();
    cr_assert_geq(cluster->pid, 0);
    if (cluster->pid == 0) {
        (void)dup2(orders[0], STDIN_FILENO);
        (void)dup2(answers[1], STDOUT_FILENO);
        serve(settings);
    }
    (void)close(orders[0]);
    (void)close(answers[1]);
    cluster->orders = fdopen(orders[1], "w");
    cluster->answers = fdopen(answers[0], "r");
    cr_assert(cluster->orders != NULL && cluster->answers != NULL);
    read_answer(cluster, cluster->url, sizeof cluster->url);
}

void cluster_stop(struct cluster *cluster)
{
    (void)fclose(cluster->orders);
    (void)waitpid(cluster->pid, NULL, 0);
    (void)fclose(cluster->answers);
}

void cluster_order(struct cluster *cluster, const char *order)
{
    char answer[16];

    cr_assert_gt(fprintf(cluster->orders, "%s\n", order), 0);
    cr_assert_eq(fflush(cluster->orders), 0);
    read_answer(cluster, answer, sizeof answer);
}

void cluster_run(struct cluster *cluster, const char *sql)
{
    PGconn *connection = PQconnectdb(cluster->url);
    PGresult *result = PQexec(connection, sql);
    ExecStatusType found = PQresultStatus(result);

    cr_assert(found == PGRES_COMMAND_OK || found == PGRES_TUPLES_OK, "%s: %s", sql,
              PQerrorMessage(connection));
    PQclear(result);
    PQfinish(connection);
}
