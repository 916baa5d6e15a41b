/* A connection to a user's Postgres database: settings, statements, SQLSTATEs as codes.
 *
 * One connection, one thread at a time. Calls block, except what a caller does with the
 * handle itself. Whatever prints values prints them the same everywhere: UTF-8, UTC, ISO
 * dates, hexadecimal bytes, doubles to the last bit; names are written with their schema.
 */
#ifndef ENGINE_POSTGRES_CONNECTION_H
#define ENGINE_POSTGRES_CONNECTION_H

#include "log/error.h"

#include <libpq-fe.h>
#include <stdint.h>

struct postgres;
struct buffer;

enum postgres_use {
    POSTGRES_READ,       /* statements that only read */
    POSTGRES_WRITE,      /* any statements */
    POSTGRES_REPLICATION /* the walsender's commands; statements without parameters, too
                          */
};

/* Whether url is one that libpq takes. USAGE: it is not, or it has a password, which
 * everybody on this machine could read: says where to put it. */
MUST_CHECK enum status postgres_check_url(const char *url, struct error *err);

/* Connect to url (postgresql://… or postgres://…). A server that does not answer is given
 * up after 10 s, unless url has its own connect_timeout. UNAVAILABLE: no server, no such
 * database, not allowed in; a server older than 14. BUSY: it has no connection left. On
 * success *out is the caller's, for postgres_close(). */
MUST_CHECK enum status postgres_open(struct postgres **out, const char *url,
                                     enum postgres_use use, struct error *err);
void postgres_close(struct postgres *postgres);

PGconn *postgres_handle(struct postgres *postgres);
const char *postgres_url(const struct postgres *postgres);

/* Turn a failed result (NULL: the connection's last failure) into a code. Deadlocks,
 * serialization failures, locks, too many connections -> BUSY; disk full -> FULL; data
 * and integrity errors, what a trigger raises -> CONSTRAINT; undefined tables, columns,
 * objects -> NOT_FOUND; privileges, authentication -> UNAVAILABLE; a lost connection or
 * server, and all else -> IO. The text is "what: the server's message". */
enum status postgres_failed(struct postgres *postgres, const PGresult *result,
                            const char *what, struct error *err);
/* The five characters of a failed result's SQLSTATE; "" when the server gave none. */
const char *postgres_sqlstate(const PGresult *result);

/* Run statements that are separated by semicolons; what they return is thrown away. */
MUST_CHECK enum status postgres_execute(struct postgres *postgres, const char *sql,
                                        struct error *err);

/* Run one statement; parameters are text, NULL for NULL. On success *out is the caller's,
 * for PQclear(). */
MUST_CHECK enum status postgres_query(struct postgres *postgres, const char *sql,
                                      int parameter_count, const char *const *parameters,
                                      PGresult **out, struct error *err);

/* The first column of the first row, which there must be, as an integer. */
MUST_CHECK enum status postgres_number(struct postgres *postgres, const char *sql,
                                       int64_t *number, struct error *err);

/* The same of a statement, or statements, in a buffer that ends without a NUL. They give
 * back its memory, also after a failure. */
MUST_CHECK enum status postgres_execute_buffer(struct postgres *postgres,
                                               struct buffer *sql, struct error *err);
MUST_CHECK enum status postgres_query_buffer(struct postgres *postgres,
                                             struct buffer *sql, PGresult **out,
                                             struct error *err);
MUST_CHECK enum status postgres_number_buffer(struct postgres *postgres,
                                              struct buffer *sql, int64_t *number,
                                              struct error *err);

/* BEGIN, REPEATABLE READ for a reader; end. A failed commit has rolled back, unless the
 * connection was lost (IO). rollback never fails and may be called when nothing is open.
 */
MUST_CHECK enum status postgres_begin(struct postgres *postgres, struct error *err);
MUST_CHECK enum status postgres_commit(struct postgres *postgres, struct error *err);
void postgres_rollback(struct postgres *postgres);

/* Append "name" with inner quotes doubled; 'text' with inner quotes doubled. */
void postgres_put_name(struct buffer *sql, const char *name);
void postgres_put_literal(struct buffer *sql, const char *text);

#endif
