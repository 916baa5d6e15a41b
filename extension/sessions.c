#include "extension/sessions.h"

#include <stddef.h>

/* Grows with each commit, this connection's too, and stands still within a transaction.
 */
static uint32_t database_version(sqlite3 *db)
{
    uint32_t version = 0;

    (void)sqlite3_file_control(db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    return version;
}

static void turn(struct sessions *sessions, bool on)
{
    if (sessions->on == on || sessions->recording == NULL)
        return;
    (void)sqlite3session_enable(sessions->recording, on);
    sessions->on = on;
}

static int make(struct sessions *sessions, sqlite3_session **out,
                int (*filter)(void *data, const char *table))
{
    int rc = sqlite3session_create(sessions->db, "main", out);

    if (rc != SQLITE_OK) {
        *out = NULL;
        return rc;
    }
    sqlite3session_table_filter(*out, filter, sessions);
    return sqlite3session_attach(*out, NULL);
}

static void end(sqlite3_session **session)
{
    if (*session != NULL)
        sqlite3session_delete(*session);
    *session = NULL;
}

static int wants(void *data, const char *table)
{
    struct sessions *sessions = data;

    return !unrecorded_has(&sessions->unrecorded, sessions->db, table);
}

static int look_out(void *data, const char *table);

/* One that is turned off. *out is NULL on failure. */
static int make_fresh(struct sessions *sessions, sqlite3_session **out)
{
    int rc = make(sessions, out, wants);

    if (rc != SQLITE_OK)
        end(out);
    else
        (void)sqlite3session_enable(*out, 0);
    return rc;
}

/* Make a fresh session and the lookout before it. On failure there is neither. */
static int make_pair(struct sessions *sessions, sqlite3_session **spare,
                     sqlite3_session **lookout)
{
    int rc = make_fresh(sessions, spare);

    *lookout = NULL;
    if (rc == SQLITE_OK)
        rc = make(sessions, lookout, look_out);
    if (rc != SQLITE_OK) {
        end(lookout);
        end(spare);
    }
    return rc;
}

/* Called by the lookout, which SQLite goes on from to the ones behind it: only those may
 * end, and the lookout itself is ended by its successor. */
static void begin_next(struct sessions *sessions)
{
    sqlite3_session *spare, *lookout;

    unrecorded_doubt(&sessions->unrecorded);
    end(&sessions->recording);
    end(&sessions->former);
    sessions->recording = sessions->spare;
    sessions->spare = NULL;
    sessions->on = false;
    if (make_pair(sessions, &spare, &lookout) != SQLITE_OK)
        return; /* the transaction after this one is lost, unless it finds memory */
    sessions->former = sessions->lookout;
    (void)sqlite3session_enable(sessions->former, 0);
    sessions->lookout = lookout;
    sessions->spare = spare;
}

/* A row is about to change. One that knows of an earlier transaction would compare with
 * values of then, which others may have changed since. */
static int look_out(void *data, const char *table)
{
    struct sessions *sessions = data;
    uint32_t version;

    (void)table;
    if (sqlite3_get_autocommit(sessions->db)) {
        turn(sessions, false); /* a statement on its own is left to the scan */
        return 0;
    }
    version = database_version(sessions->db);
    if (sessions->begun && (sessions->version != version || sessions->ended))
        begin_next(sessions);
    sessions->begun = true;
    sessions->ended = false;
    sessions->version = version;
    turn(sessions, true);
    return 0;
}

void sessions_release(struct sessions *sessions)
{
    end(&sessions->lookout);
    end(&sessions->spare);
    end(&sessions->recording);
    end(&sessions->former);
    unrecorded_release(&sessions->unrecorded);
    *sessions = (struct sessions){.db = sessions->db};
}

int sessions_renew(struct sessions *sessions)
{
    int rc = SQLITE_OK;

    unrecorded_doubt(&sessions->unrecorded);
    end(&sessions->lookout);
    end(&sessions->former);
    end(&sessions->recording);
    sessions->recording = sessions->spare;
    sessions->spare = NULL;
    sessions->begun = false;
    sessions->ended = false;
    sessions->on = false;
    if (sessions->recording == NULL)
        rc = make_fresh(sessions, &sessions->recording);
    if (rc == SQLITE_OK)
        rc = make_pair(sessions, &sessions->spare, &sessions->lookout);
    return rc;
}

void sessions_transaction_ended(struct sessions *sessions)
{
    sessions->ended = sessions->begun;
}

int sessions_init(struct sessions *sessions)
{
    return sessions_renew(sessions);
}

sqlite3_session *sessions_current(struct sessions *sessions, bool *lost)
{
    bool open = sqlite3_get_autocommit(sessions->db) == 0;
    bool ours = open && sessions->begun && !sessions->ended &&
                sessions->version == database_version(sessions->db);

    *lost = ours && sessions->recording == NULL;
    return ours ? sessions->recording : NULL;
}
