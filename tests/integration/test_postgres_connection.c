/* A connection to a real server: what it pins, refuses, and makes of failures. */
#include "engine/postgres_connection.h"
#include "log/buffer.h"
#include "tests/support/postgres_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct postgres *open_as(const struct cluster *cluster, enum postgres_use use)
{
    struct postgres *postgres = NULL;
    struct error err;

    cr_assert_eq(postgres_open(&postgres, cluster->url, use, &err), STATUS_OK, "%s",
                 err.text);
    return postgres;
}

static void expect_text(struct postgres *postgres, const char *sql, const char *wanted)
{
    PGresult *result = PQexec(postgres_handle(postgres), sql);

    cr_expect_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s: %s", sql,
                 PQerrorMessage(postgres_handle(postgres)));
    cr_expect_str_eq(PQgetvalue(result, 0, 0), wanted, "%s", sql);
    PQclear(result);
}

static void expect_failure(struct postgres *postgres, const char *sql, enum status wanted,
                           const char *saying)
{
    struct error err = {{0}};

    cr_expect_eq(postgres_execute(postgres, sql, &err), wanted, "%s: %s", sql, err.text);
    cr_expect_not_null(strstr(err.text, saying), "%s: %s", sql, err.text);
}

/* The cluster's own settings are others: see SETTINGS in tests/support/postgres.py. */
static void expect_pinned(struct postgres *postgres)
{
    expect_text(postgres, "SELECT timestamptz '2024-02-03 04:05:06.7+02'",
                "2024-02-03 02:05:06.7+00");
    expect_text(postgres, "SELECT date '2024-02-03'", "2024-02-03");
    expect_text(postgres, "SELECT interval '1 year 2 days 3 hours'",
                "1 year 2 days 03:00:00");
    expect_text(postgres, "SELECT 0.1::float8 + 0.2::float8", "0.30000000000000004");
    expect_text(postgres, "SELECT bytea '\\x00ff'", "\\x00ff");
    expect_text(postgres, "SHOW client_encoding", "UTF8");
    expect_text(postgres, "SELECT 'pg_class'::regclass", "pg_class");
    expect_text(postgres, "SELECT 12.5::text::money", "$12.50");
}

static void expect_failures(struct postgres *postgres)
{
    struct error err;

    expect_failure(postgres, "SELECT 1/0", STATUS_CONSTRAINT, "division by zero");
    expect_failure(postgres, "SELECT * FROM public.nothing", STATUS_NOT_FOUND, "nothing");
    expect_failure(postgres, "SELEC", STATUS_IO, "syntax error");
    cr_assert_eq(
        postgres_execute(postgres,
                         "CREATE TABLE public.t (id int PRIMARY KEY,"
                         " n int CHECK (n > 0)); INSERT INTO public.t VALUES (1, 1)",
                         &err),
        STATUS_OK, "%s", err.text);
    expect_failure(postgres, "INSERT INTO public.t VALUES (1, 2)", STATUS_CONSTRAINT,
                   "Key (id)=(1) already exists");
    expect_failure(postgres, "INSERT INTO public.t VALUES (2, 0)", STATUS_CONSTRAINT,
                   "t_n_check");
}

/* What was run of a buffer leaves nothing of it, whatever became of it. */
static void expect_buffers(struct postgres *postgres)
{
    struct buffer sql = {0};
    PGresult *rows = NULL;
    struct error err;
    int64_t number = 0;

    buffer_put_bytes(&sql, bytes_of_text("SELECT 7"));
    cr_expect_eq(postgres_number_buffer(postgres, &sql, &number, &err), STATUS_OK);
    cr_expect_eq(number, 7);
    cr_expect_null(sql.data);
    buffer_put_bytes(&sql, bytes_of_text("VALUES (1), (2)"));
    cr_expect_eq(postgres_query_buffer(postgres, &sql, &rows, &err), STATUS_OK);
    cr_expect_eq(PQntuples(rows), 2);
    cr_expect_null(sql.data);
    PQclear(rows);
    buffer_put_bytes(&sql, bytes_of_text("SELECT 1; SELECT 1/0"));
    cr_expect_eq(postgres_execute_buffer(postgres, &sql, &err), STATUS_CONSTRAINT);
    cr_expect_null(sql.data);
    sql.failed = true; /* there was no memory for all of it */
    cr_expect_eq(postgres_query_buffer(postgres, &sql, &rows, &err), STATUS_NO_MEMORY);
    cr_expect_null(rows);
}

Test(postgres_connection, pins_settings_and_names_failures)
{
    struct cluster cluster;
    struct postgres *postgres;
    struct error err;
    int64_t number = 0;

    cluster_start(&cluster, NULL);
    postgres = open_as(&cluster, POSTGRES_WRITE);
    expect_pinned(postgres);
    expect_failures(postgres);
    expect_buffers(postgres);
    cr_expect_eq(postgres_number(postgres, "SELECT -9223372036854775808", &number, &err),
                 STATUS_OK);
    cr_expect_eq(number, INT64_MIN);

    /* A commit of what had failed is a failure. */
    cr_expect_eq(postgres_begin(postgres, &err), STATUS_OK);
    expect_failure(postgres, "SELECT 1/0", STATUS_CONSTRAINT, "division");
    cr_expect_eq(postgres_commit(postgres, &err), STATUS_IO);
    postgres_rollback(postgres);
    postgres_close(postgres);

    postgres = open_as(&cluster, POSTGRES_READ);
    expect_failure(postgres, "DELETE FROM public.t", STATUS_IO, "read-only");

    /* Whoever is cut off may try again. */
    cluster_order(&cluster, "stop immediate");
    cr_expect_eq(postgres_execute(postgres, "SELECT 1", &err), STATUS_IO, "%s", err.text);
    postgres_close(postgres);
    cr_expect_eq(postgres_open(&postgres, cluster.url, POSTGRES_READ, &err),
                 STATUS_UNAVAILABLE);
    cluster_order(&cluster, "start");
    postgres = open_as(&cluster, POSTGRES_REPLICATION);
    expect_pinned(postgres);
    postgres_close(postgres);
    cluster_stop(&cluster);
}

Test(postgres_connection, urls)
{
    static const struct {
        const char *url;
        enum status status;
        const char *saying;
    } cases[] = {
        {"postgresql://host/base",                       STATUS_OK,    ""             },
        {"postgres://me@host:5433/base?sslmode=require", STATUS_OK,    ""             },
        {"postgresql:///base?host=/tmp",                 STATUS_OK,    ""             },
        {"postgresql://me:secret@host/base",             STATUS_USAGE, ".pgpass"      },
        {"postgresql://host/base?password=secret",       STATUS_USAGE, ".pgpass"      },
        {"postgresql://host/base?pasword=secret",        STATUS_USAGE, "pasword"      },
        {"host=a dbname=b",                              STATUS_USAGE, "postgresql://"},
        {"sqlite:x.db",                                  STATUS_USAGE, "postgresql://"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {{0}};

        cr_expect_eq(postgres_check_url(cases[i].url, &err), cases[i].status, "%s: %s",
                     cases[i].url, err.text);
        cr_expect_not_null(strstr(err.text, cases[i].saying), "%s: %s", cases[i].url,
                           err.text);
        cr_expect_null(strstr(err.text, "secret"), "%s: %s", cases[i].url, err.text);
    }
}

Test(postgres_connection, names_and_literals)
{
    struct buffer sql = {0};

    postgres_put_name(&sql, "a\"b.c");
    postgres_put_literal(&sql, "it's \\");
    buffer_put(&sql, 0, 1);
    cr_expect_str_eq((const char *)sql.data, "\"a\"\"b.c\"'it''s \\'");
    buffer_release(&sql);
}
