/* Happy path: a session gathers the keys and old values of the rows that a transaction
 * touches; commit reads the new values into a changeset and puts it into the outbox, in
 * pieces of a bounded size, inside the same transaction. Then a new session begins.
 *
 * A connection has one slot for each of SQLite's hooks, and they are the host's. Where a
 * transaction ends is told by a virtual table that takes part in it
 * (extension/session_table.h).
 *
 * What fails is left to the scan: the row says so (`scan`) where it can still be written.
 */
#include "extension/recorder.h"

#include "engine/sqlite_outbox.h"
#include "extension/outbox.h"
#include "extension/session_table.h"
#include "extension/sessions.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct rowferry_recorder {
    sqlite3 *db;
    struct told_link *link;
    struct outbox outbox;
    struct sessions sessions;
    char *note; /* of the transaction that is open */
    char *user;
    char error[512];

    /* The transaction that is open. */
    bool inside;      /* its end will be told */
    bool left;        /* to the scan, as an earlier call has said */
    int64_t first_id; /* rows of earlier calls; 0: none */
    int64_t last_id;

    /* The call that is going on. */
    struct outbox_row row;
    uint8_t *piece;
    int size; /* of piece, so far */
    bool wrote;
    int rc; /* of the outbox, which the session's own hides */
};

static int fail(struct rowferry_recorder *recorder, int rc, const char *what)
{
    const char *why = rc == sqlite3_errcode(recorder->db) ? sqlite3_errmsg(recorder->db)
                                                          : sqlite3_errstr(rc);

    (void)sqlite3_snprintf((int)sizeof recorder->error, recorder->error,
                           "rowferry: %s: %s", what, why);
    return rc;
}

/* ---- life */

int rowferry_recorder_open(struct rowferry_recorder **out, sqlite3 *db)
{
    struct rowferry_recorder *recorder = calloc(1, sizeof *recorder);
    int rc;

    *out = NULL;
    if (recorder == NULL)
        return SQLITE_NOMEM;
    recorder->db = db;
    outbox_init(&recorder->outbox, db);
    recorder->sessions.db = db;
    recorder->piece = malloc(SQLITE_OUTBOX_PART_SIZE);
    rc = recorder->piece != NULL ? sessions_init(&recorder->sessions) : SQLITE_NOMEM;
    if (rc == SQLITE_OK)
        rc = session_table_register(db, recorder, &recorder->link);
    if (rc != SQLITE_OK) {
        rowferry_recorder_close(recorder);
        return rc;
    }
    *out = recorder;
    return SQLITE_OK;
}

void recorder_let_go(struct rowferry_recorder *recorder)
{
    sessions_release(&recorder->sessions);
    outbox_release(&recorder->outbox);
}

void recorder_free(struct rowferry_recorder *recorder)
{
    if (recorder == NULL)
        return;
    session_table_leave(recorder->link);
    recorder_let_go(recorder);
    free(recorder->piece);
    free(recorder->note);
    free(recorder->user);
    free(recorder);
}

void rowferry_recorder_close(struct rowferry_recorder *recorder)
{
    if (recorder != NULL)
        session_table_unregister(recorder->db);
    recorder_free(recorder);
}

static void forget_note(struct rowferry_recorder *recorder)
{
    free(recorder->note);
    free(recorder->user);
    recorder->note = NULL;
    recorder->user = NULL;
}

void recorder_transaction_ended(struct rowferry_recorder *recorder)
{
    recorder->inside = false;
    recorder->left = false;
    recorder->first_id = 0;
    forget_note(recorder);
    sessions_transaction_ended(&recorder->sessions);
}

/* Not from a session's callback: it is a statement that writes, if nothing. */
static int take_part(struct rowferry_recorder *recorder)
{
    int rc = SQLITE_OK;

    if (!recorder->inside)
        rc = outbox_take_part(&recorder->outbox);
    recorder->inside = rc == SQLITE_OK;
    return rc;
}

const char *rowferry_recorder_error(const struct rowferry_recorder *recorder)
{
    return recorder->error;
}

/* Whether a note has a transaction to be of, whose end will be told. */
static int find_transaction(struct rowferry_recorder *recorder)
{
    static const char what[] = "the note is not taken";
    int rc;

    recorder->error[0] = '\0';
    if (sqlite3_get_autocommit(recorder->db) != 0) {
        (void)sqlite3_snprintf((int)sizeof recorder->error, recorder->error,
                               "rowferry: %s: no transaction is open", what);
        return SQLITE_MISUSE;
    }
    rc = take_part(recorder);
    return rc == SQLITE_OK ? rc : fail(recorder, rc, what);
}

int rowferry_recorder_note(struct rowferry_recorder *recorder, const char *note,
                           const char *user)
{
    char *new_note, *new_user;
    int rc = find_transaction(recorder);

    if (rc != SQLITE_OK)
        return rc;
    new_note = note != NULL ? strdup(note) : NULL;
    new_user = user != NULL ? strdup(user) : NULL;
    if ((note != NULL && new_note == NULL) || (user != NULL && new_user == NULL)) {
        free(new_note);
        free(new_user);
        return fail(recorder, SQLITE_NOMEM, "the note is not taken");
    }
    forget_note(recorder);
    recorder->note = new_note;
    recorder->user = new_user;
    return SQLITE_OK;
}

/* ---- one commit */

/* Put what is in piece into the outbox. */
static int flush(struct rowferry_recorder *recorder, bool last)
{
    int64_t id = 0;

    recorder->row.last = last;
    recorder->row.changes = recorder->piece;
    recorder->row.size = recorder->size;
    recorder->rc = outbox_insert(&recorder->outbox, &recorder->row, &id);
    if (recorder->rc != SQLITE_OK)
        return recorder->rc;
    recorder->size = 0;
    if (recorder->row.first)
        recorder->first_id = id; /* session_table.h says when it is over */
    recorder->row.first = false;
    recorder->last_id = id;
    recorder->wrote = true;
    return SQLITE_OK;
}

/* The session's output: called with about a KiB at a time. */
static int take_output(void *data, const void *bytes, int size)
{
    struct rowferry_recorder *recorder = data;
    const uint8_t *from = bytes;
    int part;

    while (size > 0) {
        if (recorder->size == SQLITE_OUTBOX_PART_SIZE) {
            int rc = flush(recorder, false);

            if (rc != SQLITE_OK)
                return rc;
        }
        part = SQLITE_OUTBOX_PART_SIZE - recorder->size;
        part = size < part ? size : part;
        memcpy(recorder->piece + recorder->size, from, (size_t)part);
        recorder->size += part;
        from += part;
        size -= part;
    }
    return SQLITE_OK;
}

/* Whether an earlier call was made in this transaction: then this one adds to it. ABORT:
 * a part of it is gone. What ROLLBACK TO has taken back may have had row changes that
 * stand before the savepoint: only a scan finds those. */
static int join_parts(struct rowferry_recorder *recorder)
{
    int64_t found = recorder->last_id;
    int rc = take_part(recorder);

    recorder->row.first = true;
    recorder->row.scan = false;
    recorder->wrote = false;
    if (rc == SQLITE_OK && recorder->first_id != 0) {
        rc =
            outbox_last(&recorder->outbox, recorder->first_id, recorder->last_id, &found);
        recorder->row.first = found == 0;
    }
    return rc == SQLITE_OK && found != recorder->last_id ? SQLITE_ABORT : rc;
}

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Write one row that only asks for a scan. What was written of a changeset that failed in
 * the middle has no last piece: capture passes it over. */
static void ask_for_scan(struct rowferry_recorder *recorder)
{
    recorder->row.scan = true;
    recorder->size = 0;
    (void)flush(recorder, true);
}

/* The transaction is not to be had whole: capture leaves it to the scan. */
static void leave(struct rowferry_recorder *recorder, int rc)
{
    static const char what[] = "what this transaction changed is left to the scan";

    if (rc == SQLITE_ABORT) {
        (void)sqlite3_snprintf((int)sizeof recorder->error, recorder->error,
                               "rowferry: %s: %s", what,
                               recorder->left ? "an earlier rowferry_commit() failed"
                                              : "ROLLBACK TO has undone a part of it");
    } else {
        (void)fail(recorder, recorder->rc != SQLITE_OK ? recorder->rc : rc, what);
    }
    if (sqlite3_get_autocommit(recorder->db) != 0)
        return; /* SQLite has rolled the transaction back: nothing was changed */
    recorder->left = recorder->inside;
    ask_for_scan(recorder);
}

/* Write what the session knows; NULL: nothing, or it was lost. */
static int record(struct rowferry_recorder *recorder, sqlite3_session *session, bool lost)
{
    int rc = join_parts(recorder);

    if (rc == SQLITE_OK && (lost || recorder->left))
        rc = lost ? SQLITE_NOMEM : SQLITE_ABORT;
    recorder->size = 0;
    recorder->rc = SQLITE_OK;
    recorder->row.stamp_us = now_us();
    recorder->row.note = recorder->note;
    recorder->row.user = recorder->user;
    if (rc == SQLITE_OK && session != NULL)
        rc = sqlite3session_changeset_strm(session, take_output, recorder);
    if (rc == SQLITE_OK &&
        (recorder->size > 0 || (recorder->note != NULL && !recorder->row.first)))
        rc = flush(recorder, true);
    if (rc != SQLITE_OK)
        leave(recorder, rc);
    return rc;
}

static int commit(struct rowferry_recorder *recorder, int *stored)
{
    bool lost = false;
    sqlite3_session *session = sessions_current(&recorder->sessions, &lost);
    int rc, renewed;

    if (session == NULL && !lost && recorder->first_id == 0)
        return SQLITE_OK;
    rc = outbox_look(&recorder->outbox, &recorder->row.position, &recorder->row.schema);
    if (rc == SQLITE_OK) {
        rc = record(recorder, session, lost);
        *stored = recorder->wrote;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK; /* not a database of rowferry's: nobody would take it */
    } else {
        (void)fail(recorder, rc, "what was changed is left to the scan");
    }
    forget_note(recorder);
    renewed = sessions_renew(&recorder->sessions);
    if (rc == SQLITE_OK && renewed != SQLITE_OK)
        rc = fail(recorder, renewed, "what comes next is left to the scan");
    return rc;
}

int rowferry_recorder_commit(struct rowferry_recorder *recorder, int *stored)
{
    int anything = 0;
    int rc = SQLITE_OK;

    recorder->error[0] = '\0';
    if (recorder->sessions.lookout == NULL) /* the last renewal failed */
        rc = sessions_renew(&recorder->sessions);
    else if (sqlite3_get_autocommit(recorder->db) == 0)
        rc = commit(recorder, &anything);
    if (stored != NULL)
        *stored = anything;
    return rc;
}
