/* The sessions of a recorder: what the transaction that is open has touched, and nothing
 * of earlier ones.
 *
 * SQLite's session extension calls back for each row that is about to change, from within
 * the change: nothing there may run SQL that writes, or make or end a session. So the
 * first session in the list records nothing: it only notices, row by row, that another
 * transaction has begun, and then turns on the next of a few fresh sessions behind it. */
#ifndef EXTENSION_SESSIONS_H
#define EXTENSION_SESSIONS_H

#include "extension/unrecorded.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SESSIONS_SPARE = 16, /* transactions in a row that nobody asks about */
};

struct sessions {
    sqlite3 *db;
    struct unrecorded unrecorded;
    sqlite3_session *lookout;
    sqlite3_session *recording[SESSIONS_SPARE];
    int current;      /* the one that records; SESSIONS_SPARE: none was left */
    bool begun;       /* it knows of something, or lost it */
    uint32_t version; /* of the database when it began */
    bool ended;       /* its transaction is over */
    bool on;          /* current is turned on */
};

/* Make them: the caller's, for sessions_release(). db in, all else zero. SQLite's codes.
 */
int sessions_init(struct sessions *sessions);
void sessions_release(struct sessions *sessions);

/* Forget what was recorded. Not from a callback. schema: the database's of this moment.
 */
int sessions_renew(struct sessions *sessions, int64_t schema);

/* The transaction that is open ends. What was recorded since a renewal in it has old
 * values that never were the database's, if it is rolled back. Allowed from a callback.
 */
void sessions_transaction_ended(struct sessions *sessions);

/* The session of the transaction that is open; NULL: it has touched nothing. *lost: it
 * touched something that no session was left for. */
sqlite3_session *sessions_current(struct sessions *sessions, bool *lost);

#endif
