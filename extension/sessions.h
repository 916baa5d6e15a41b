/* The sessions of a recorder: what the transaction that is open has touched, and nothing
 * of earlier ones.
 *
 * SQLite's session extension calls back for each row that is about to change, from within
 * the change: nothing there may run SQL that writes. SQLite asks the newest session
 * first. So the newest records nothing: it only notices, row by row, that another
 * transaction has begun. Then it turns on the fresh session that stands behind it, and
 * makes a fresh one and its own successor for the transaction after that. */
#ifndef EXTENSION_SESSIONS_H
#define EXTENSION_SESSIONS_H

#include "extension/unrecorded.h"

#include <stdbool.h>
#include <stdint.h>

struct sessions {
    sqlite3 *db;
    struct unrecorded unrecorded;
    sqlite3_session *lookout;
    sqlite3_session *spare;     /* behind the lookout; NULL: no memory was left */
    sqlite3_session *recording; /* NULL: there was no spare one for the transaction */
    sqlite3_session *former;    /* the lookout that made this one; NULL: none */
    bool begun;                 /* something was recorded, or lost */
    uint32_t version;           /* of the database when it began */
    bool ended;                 /* its transaction is over */
    bool on;                    /* recording is turned on */
};

/* Make them: the caller's, for sessions_release(). db in, all else zero. SQLite's codes.
 */
int sessions_init(struct sessions *sessions);
void sessions_release(struct sessions *sessions);

/* Forget what was recorded. Not from a callback. */
int sessions_renew(struct sessions *sessions);

/* The transaction that is open ends. What was recorded since a renewal in it has old
 * values that never were the database's, if it is rolled back. Allowed from a callback.
 */
void sessions_transaction_ended(struct sessions *sessions);

/* The session of the transaction that is open; NULL: it has touched nothing. *lost: it
 * touched something, and there was no memory to record it. */
sqlite3_session *sessions_current(struct sessions *sessions, bool *lost);

#endif
