#include "engine/postgres_connection.h"

#include "log/buffer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { OLDEST_VERSION = 140000 };

struct postgres {
    PGconn *handle;
    char *url; /* as the user gave it */
    enum postgres_use use;
};

/* Before the URL: it may say otherwise. After it: it may not. */
static const char *const defaults[][2] = {
    {"connect_timeout",     "10"   },
    {"keepalives_idle",     "30"   },
    {"keepalives_interval", "10"   },
    {"keepalives_count",    "3"    },
    {"tcp_user_timeout",    "60000"},
};

static const char settings[] = "SET client_encoding = 'UTF8';"
                               "SET TimeZone = 'UTC';"
                               "SET DateStyle = 'ISO, YMD';"
                               "SET IntervalStyle = 'postgres';"
                               "SET extra_float_digits = 3;"
                               "SET bytea_output = 'hex';"
                               "SET lc_monetary = 'C';"
                               "SET xmloption = 'content';"
                               "SET standard_conforming_strings = on;"
                               "SET search_path = pg_catalog;"
                               "SET jit = off;"
                               "SET statement_timeout = 0;"
                               "SET idle_in_transaction_session_timeout = 0;";

/* ---- failures */

struct code_of_state {
    const char *state; /* or the beginning of some */
    enum status status;
};

static const struct code_of_state codes[] = {
    {"40001", STATUS_BUSY       },
    {"40P01", STATUS_BUSY       },
    {"55P03", STATUS_BUSY       },
    {"55006", STATUS_BUSY       },
    {"53300", STATUS_BUSY       },
    {"53100", STATUS_FULL       },
    {"21",    STATUS_CONSTRAINT },
    {"22",    STATUS_CONSTRAINT },
    {"23",    STATUS_CONSTRAINT },
    {"44",    STATUS_CONSTRAINT },
    {"P0",    STATUS_CONSTRAINT },
    {"42P01", STATUS_NOT_FOUND  },
    {"42703", STATUS_NOT_FOUND  },
    {"42704", STATUS_NOT_FOUND  },
    {"42883", STATUS_NOT_FOUND  },
    {"3F000", STATUS_NOT_FOUND  },
    {"42501", STATUS_UNAVAILABLE},
    {"28",    STATUS_UNAVAILABLE},
    {"3D",    STATUS_UNAVAILABLE},
};

const char *postgres_sqlstate(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state == NULL ? "" : state;
}

static enum status code_of(const char *state)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (strncmp(state, codes[i].state, strlen(codes[i].state)) == 0)
            return codes[i].status;
    return STATUS_IO;
}

/* libpq ends its messages with a line end, and may put several lines. */
static int one_line(const char *message)
{
    size_t size = strlen(message);

    while (size > 0 && (message[size - 1] == '\n' || message[size - 1] == ' '))
        size--;
    return (int)size;
}

enum status postgres_failed(struct postgres *postgres, const PGresult *result,
                            const char *what, struct error *err)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);

    if (message == NULL) {
        message = PQerrorMessage(postgres->handle);
        return error_set(err, STATUS_IO, "%.100s: %.*s", what, one_line(message),
                         message);
    }
    if (detail == NULL && strcmp(postgres_sqlstate(result), "55P03") == 0) {
        detail =
            "somebody holds a row or table that is wanted: try again when he has ended";
    }
    return error_set(err, code_of(postgres_sqlstate(result)), "%.100s: %s%s%s%s", what,
                     message, detail == NULL ? "" : " (", detail == NULL ? "" : detail,
                     detail == NULL ? "" : ")");
}

/* ---- opening and closing */

static enum status parse_url(const char *url, PQconninfoOption **out, struct error *err)
{
    char *message = NULL;
    enum status status = STATUS_OK;

    *out = NULL;
    if (strncmp(url, "postgresql://", 13) != 0 && strncmp(url, "postgres://", 11) != 0) {
        return error_set(err, STATUS_USAGE,
                         "%s: not a Postgres URL: postgresql://HOST/DATABASE", url);
    }
    *out = PQconninfoParse(url, &message);
    if (*out == NULL && message == NULL)
        return error_set(err, STATUS_NO_MEMORY, "Postgres URL: out of memory");
    if (*out == NULL) {
        status = error_set(err, STATUS_USAGE,
                           "Postgres URL: %.*s: it is postgresql://USER@HOST/DATABASE",
                           one_line(message), message);
    }
    PQfreemem(message);
    return status;
}

enum status postgres_check_url(const char *url, struct error *err)
{
    PQconninfoOption *options;
    enum status status = parse_url(url, &options, err);

    for (PQconninfoOption *option = options;
         status == STATUS_OK && option != NULL && option->keyword != NULL; option++) {
        if (strcmp(option->keyword, "password") != 0 || option->val == NULL)
            continue;
        status = error_set(err, STATUS_USAGE,
                           "Postgres URL: has a password, which everybody here can read "
                           "in the list of processes: put it into ~/.pgpass, PGPASSWORD "
                           "or a service file");
    }
    PQconninfoFree(options);
    return status;
}

static void no_notice(void *data, const char *message)
{
    (void)data;
    (void)message;
}

static enum status connect_to(struct postgres *postgres, struct error *err)
{
    enum { DEFAULTS = sizeof defaults / sizeof *defaults };
    const char *names[DEFAULTS + 4] = {0};
    const char *values[DEFAULTS + 4] = {0};
    size_t count = 0;
    const char *message;

    for (; count < DEFAULTS; count++) {
        names[count] = defaults[count][0];
        values[count] = defaults[count][1];
    }
    names[count] = "dbname";
    values[count++] = postgres->url;
    names[count] = "fallback_application_name";
    values[count++] = "rowferry";
    if (postgres->use == POSTGRES_REPLICATION) {
        names[count] = "replication";
        values[count++] = "database";
    }
    postgres->handle = PQconnectdbParams(names, values, 1);
    if (postgres->handle == NULL)
        return error_set(err, STATUS_NO_MEMORY, "connect: out of memory");
    if (PQstatus(postgres->handle) == CONNECTION_OK)
        return STATUS_OK;
    message = PQerrorMessage(postgres->handle);
    return error_set(err,
                     strstr(message, "too many clients") != NULL ||
                             strstr(message, "remaining connection slots") != NULL
                         ? STATUS_BUSY
                         : STATUS_UNAVAILABLE,
                     "%.*s", one_line(message), message);
}

static enum status set_up(struct postgres *postgres, struct error *err)
{
    int version = PQserverVersion(postgres->handle);
    enum status status;

    (void)PQsetNoticeProcessor(postgres->handle, no_notice, NULL);
    if (version < OLDEST_VERSION) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "PostgreSQL %d: too old, it must be 14 or later",
                         version / 10000);
    }
    status = postgres_execute(postgres, settings, err);
    if (status == STATUS_OK && postgres->use == POSTGRES_READ)
        status =
            postgres_execute(postgres, "SET default_transaction_read_only = on", err);
    return status;
}

enum status postgres_open(struct postgres **out, const char *url, enum postgres_use use,
                          struct error *err)
{
    struct postgres *postgres = calloc(1, sizeof *postgres);
    enum status status;

    *out = NULL;
    if (postgres == NULL || (postgres->url = strdup(url)) == NULL) {
        postgres_close(postgres);
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", url);
    }
    postgres->use = use;
    status = connect_to(postgres, err);
    if (status == STATUS_OK)
        status = set_up(postgres, err);
    if (status != STATUS_OK) {
        postgres_close(postgres);
        return error_wrap(err, status, url);
    }
    *out = postgres;
    return STATUS_OK;
}

void postgres_close(struct postgres *postgres)
{
    if (postgres == NULL)
        return;
    PQfinish(postgres->handle);
    free(postgres->url);
    free(postgres);
}

PGconn *postgres_handle(struct postgres *postgres)
{
    return postgres->handle;
}

const char *postgres_url(const struct postgres *postgres)
{
    return postgres->url;
}

/* ---- statements */

static enum status check_result(struct postgres *postgres, const PGresult *result,
                                const char *sql, struct error *err)
{
    ExecStatusType found = PQresultStatus(result);

    if (found == PGRES_COMMAND_OK || found == PGRES_TUPLES_OK ||
        found == PGRES_EMPTY_QUERY)
        return STATUS_OK;
    return postgres_failed(postgres, result, sql, err);
}

enum status postgres_execute(struct postgres *postgres, const char *sql,
                             struct error *err)
{
    PGresult *result = PQexec(postgres->handle, sql);
    enum status status = check_result(postgres, result, sql, err);

    PQclear(result);
    return status;
}

enum status postgres_query(struct postgres *postgres, const char *sql,
                           int parameter_count, const char *const *parameters,
                           PGresult **out, struct error *err)
{
    enum status status;

    *out = PQexecParams(postgres->handle, sql, parameter_count, NULL, parameters, NULL,
                        NULL, 0);
    status = check_result(postgres, *out, sql, err);
    if (status != STATUS_OK) {
        PQclear(*out);
        *out = NULL;
    }
    return status;
}

enum status postgres_number(struct postgres *postgres, const char *sql, int64_t *number,
                            struct error *err)
{
    PGresult *result = PQexec(postgres->handle, sql);
    enum status status = check_result(postgres, result, sql, err);

    if (status == STATUS_OK && PQntuples(result) == 0)
        status = error_set(err, STATUS_NOT_FOUND, "%.100s: no row", sql);
    if (status == STATUS_OK)
        *number = strtoimax(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return status;
}

static enum status end_text(struct buffer *sql, struct error *err)
{
    buffer_put(sql, 0, 1);
    return buffer_check(sql, err);
}

enum status postgres_execute_buffer(struct postgres *postgres, struct buffer *sql,
                                    struct error *err)
{
    enum status status = end_text(sql, err);

    if (status == STATUS_OK)
        status = postgres_execute(postgres, (const char *)sql->data, err);
    buffer_release(sql);
    return status;
}

enum status postgres_query_buffer(struct postgres *postgres, struct buffer *sql,
                                  PGresult **out, struct error *err)
{
    enum status status = end_text(sql, err);

    *out = NULL;
    if (status == STATUS_OK)
        status = postgres_query(postgres, (const char *)sql->data, 0, NULL, out, err);
    buffer_release(sql);
    return status;
}

enum status postgres_number_buffer(struct postgres *postgres, struct buffer *sql,
                                   int64_t *number, struct error *err)
{
    enum status status = end_text(sql, err);

    if (status == STATUS_OK)
        status = postgres_number(postgres, (const char *)sql->data, number, err);
    buffer_release(sql);
    return status;
}

enum status postgres_begin(struct postgres *postgres, struct error *err)
{
    return postgres_execute(postgres,
                            postgres->use == POSTGRES_READ
                                ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
                                : "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
                            err);
}

enum status postgres_commit(struct postgres *postgres, struct error *err)
{
    PGresult *result = PQexec(postgres->handle, "COMMIT");
    enum status status = check_result(postgres, result, "COMMIT", err);

    /* A transaction that had failed is rolled back by COMMIT, without an error. */
    if (status == STATUS_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        status = error_set(err, STATUS_IO, "COMMIT: the transaction had failed before");
    PQclear(result);
    return status;
}

void postgres_rollback(struct postgres *postgres)
{
    if (PQtransactionStatus(postgres->handle) != PQTRANS_IDLE)
        PQclear(PQexec(postgres->handle, "ROLLBACK"));
}

/* ---- text of statements */

static void put_doubled(struct buffer *sql, const char *text, char quote)
{
    buffer_put(sql, (uint8_t)quote, 1);
    for (; *text != '\0'; text++) {
        if (*text == quote)
            buffer_put(sql, (uint8_t)quote, 1);
        buffer_put(sql, (uint8_t)*text, 1);
    }
    buffer_put(sql, (uint8_t)quote, 1);
}

void postgres_put_name(struct buffer *sql, const char *name)
{
    put_doubled(sql, name, '"');
}

void postgres_put_literal(struct buffer *sql, const char *text)
{
    put_doubled(sql, text, '\'');
}
