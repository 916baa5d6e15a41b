/* Whose a failure is of a statement that writes rows into Postgres: the row's, which then
 * waits in quarantine while others go on, or that of the server, its administrator or
 * another session, which ends the batch. */
#ifndef APPLY_POSTGRES_REFUSAL_H
#define APPLY_POSTGRES_REFUSAL_H

#include "engine/postgres_connection.h"

/* Turn the failed result of such a statement into a code. CONSTRAINT: the server has
 * something against the row; the text is its message alone. BUSY: a lock, a deadlock; or
 * the statement does not fit the table any more. Else as postgres_failed(). what: for
 * the message. */
enum status postgres_refusal(struct postgres *postgres, const PGresult *result,
                             const char *what, struct error *err);

/* What more there is to know of a failure, where the statement itself met it and no
 * function that ran for the row. */
enum refusal_kind {
    REFUSAL_OTHER,
    REFUSAL_UNIQUE,      /* another row has a value of this one */
    REFUSAL_FOREIGN_KEY, /* a parent or child */
    REFUSAL_HELD,        /* wherever it was: somebody holds a row or table */
};

enum refusal_kind postgres_refusal_kind(const PGresult *result);

#endif
