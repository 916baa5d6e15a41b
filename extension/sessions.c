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
    if (sessions->on == on || sessions->current == SESSIONS_SPARE)
        return;
    (void)sqlite3session_enable(sessions->recording[sessions->current], on);
    sessions->on = on;
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
    if (sessions->begun && (sessions->version != version || sessions->ended)) {
        turn(sessions, false);
        if (sessions->current < SESSIONS_SPARE)
            sessions->current++;
    }
    sessions->begun = true;
    sessions->ended = false;
    sessions->version = version;
    turn(sessions, true);
    return 0;
}

static int wants(void *data, const char *table)
{
    struct sessions *sessions = data;

    return !unrecorded_has(&sessions->unrecorded, table);
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

void sessions_release(struct sessions *sessions)
{
    end(&sessions->lookout);
    for (int i = 0; i < SESSIONS_SPARE; i++)
        end(&sessions->recording[i]);
    unrecorded_release(&sessions->unrecorded);
    *sessions = (struct sessions){.db = sessions->db};
}

/* SQLite calls the newest first: the lookout is made last. */
int sessions_renew(struct sessions *sessions, int64_t schema)
{
    int rc = unrecorded_read(&sessions->unrecorded, sessions->db, schema);

    for (int i = 0; i < SESSIONS_SPARE && i <= sessions->current; i++)
        end(&sessions->recording[i]);
    end(&sessions->lookout);
    for (int i = 0; i < SESSIONS_SPARE && rc == SQLITE_OK; i++) {
        if (sessions->recording[i] != NULL)
            continue;
        rc = make(sessions, &sessions->recording[i], wants);
        if (rc == SQLITE_OK)
            (void)sqlite3session_enable(sessions->recording[i], 0);
    }
    if (rc == SQLITE_OK)
        rc = make(sessions, &sessions->lookout, look_out);
    sessions->current = 0;
    sessions->begun = false;
    sessions->ended = false;
    sessions->on = false;
    return rc;
}

void sessions_transaction_ended(struct sessions *sessions)
{
    sessions->ended = sessions->begun;
}

int sessions_init(struct sessions *sessions)
{
    return sessions_renew(sessions, 0);
}

sqlite3_session *sessions_current(struct sessions *sessions, bool *lost)
{
    bool open = sqlite3_get_autocommit(sessions->db) == 0;
    bool ours =
        open && sessions->begun && sessions->version == database_version(sessions->db);

    *lost = ours && sessions->current == SESSIONS_SPARE;
    return ours && !*lost ? sessions->recording[sessions->current] : NULL;
}
