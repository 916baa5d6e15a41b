#include "apply/postgres_refusal.h"

#include <string.h>

/* What is not the row's, by its SQLSTATE or the beginning of it. Whatever else a server
 * says, and functions of triggers and checks may raise anything, is about the row. */
static const char *const not_of_rows[] = {
    "08",    /* connections */
    "25",    /* the transaction's state: read-only, failed */
    "26",    /* our own prepared statement is gone */
    "40",    /* deadlocks, serialization */
    "53",    /* disk, memory, connections */
    "55P03", /* a lock that could not be had */
    "55006", /* an object in use */
    "57",    /* shutdown, an administrator's cancel */
    "58",    /* the system below the server */
    "72",    /* snapshot too old */
    "F0",    /* configuration files */
    "XX001", /* damaged data */
    "XX002", /* a damaged index; XX000 is what types and functions in C say by default */
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The role lacks a right on a table, and no function's that runs for the row: what it
 * lacks for one row it lacks for all. A policy's refusal has the same SQLSTATE. */
static bool is_denied(const PGresult *result)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return PQresultErrorField(result, PG_DIAG_CONTEXT) == NULL && function != NULL &&
           begins(function, "aclcheck_error");
}

/* A function of the application's chose the SQLSTATE, whatever it means from others. */
static bool is_raised(const PGresult *result)
{
    const char *function = PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION);

    return function != NULL && strcmp(function, "exec_stmt_raise") == 0;
}

static bool is_of_row(const PGresult *result, const char *state)
{
    if (is_raised(result))
        return true;
    for (size_t i = 0; i < sizeof not_of_rows / sizeof *not_of_rows; i++)
        if (begins(state, not_of_rows[i]))
            return false;
    return strcmp(state, "42501") != 0 || !is_denied(result);
}

enum status postgres_refusal(struct postgres *postgres, const PGresult *result,
                             const char *what, struct error *err)
{
    const char *state = postgres_sqlstate(result);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    enum status status = postgres_failed(postgres, result, what, err);

    if (message == NULL || state[0] == '\0' || !is_of_row(result, state))
        return status;
    /* A place in the statement's own text: a table, column or type is not as it was. */
    if (begins(state, "42") &&
        PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) != NULL)
        return error_wrap(err, STATUS_BUSY, "apply");
    return error_set(err, STATUS_CONSTRAINT, "%s", message);
}

enum refusal_kind postgres_refusal_kind(const PGresult *result)
{
    const char *state = postgres_sqlstate(result);

    if (is_raised(result))
        return REFUSAL_OTHER;
    if (strcmp(state, "55P03") == 0 || strcmp(state, "40P01") == 0)
        return REFUSAL_HELD;
    if (PQresultErrorField(result, PG_DIAG_CONTEXT) != NULL)
        return REFUSAL_OTHER;
    if (strcmp(state, "23505") == 0 || strcmp(state, "23P01") == 0)
        return REFUSAL_UNIQUE;
    return strcmp(state, "23503") == 0 ? REFUSAL_FOREIGN_KEY : REFUSAL_OTHER;
}
