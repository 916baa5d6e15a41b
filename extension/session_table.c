#include "extension/session_table.h"

#include "extension/recorder.h"

#include <stdlib.h>
#include <string.h>

/* What tables and recorder share: SQLite may keep a table for longer than the recorder
 * lives. */
struct told_link {
    struct rowferry_recorder *recorder; /* NULL: gone */
    int users;                          /* the recorder, modules and tables */
};

static void let_go_of_link(void *data)
{
    struct told_link *link = data;

    if (--link->users == 0)
        free(link);
}

struct told {
    sqlite3_vtab base;
    struct told_link *link;
};

static int told_connect(sqlite3 *db, void *data, int argc, const char *const *argv,
                        sqlite3_vtab **out, char **message)
{
    struct told *told = sqlite3_malloc(sizeof *told);
    int rc;

    (void)argc;
    (void)argv;
    (void)message;
    if (told == NULL)
        return SQLITE_NOMEM;
    rc = sqlite3_declare_vtab(db, "CREATE TABLE told (unused)");
    if (rc != SQLITE_OK) {
        sqlite3_free(told);
        return rc;
    }
    *told = (struct told){.link = data};
    told->link->users++;
    *out = &told->base;
    return SQLITE_OK;
}

/* Of its own, so that SQLite does not take the module's name for a table. */
static int told_create(sqlite3 *db, void *data, int argc, const char *const *argv,
                       sqlite3_vtab **out, char **message)
{
    return told_connect(db, data, argc, argv, out, message);
}

static int told_disconnect(sqlite3_vtab *table)
{
    let_go_of_link(((struct told *)table)->link);
    sqlite3_free(table);
    return SQLITE_OK;
}

static int told_closing(sqlite3_vtab *table)
{
    struct told_link *link = ((struct told *)table)->link;

    if (link->recorder != NULL)
        recorder_let_go(link->recorder);
    return told_disconnect(table);
}

/* At most one row has a rowid. */
static int told_best_index(sqlite3_vtab *table, sqlite3_index_info *info)
{
    (void)table;
    for (int i = 0; i < info->nConstraint; i++) {
        if (!info->aConstraint[i].usable || info->aConstraint[i].iColumn != -1 ||
            info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
            continue;
        info->aConstraintUsage[i].argvIndex = 1;
        info->aConstraintUsage[i].omit = 1;
        info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
        info->estimatedRows = 1;
        info->estimatedCost = 1;
        break;
    }
    return SQLITE_OK;
}

static int told_open(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table;
    *out = sqlite3_malloc(sizeof **out);
    if (*out == NULL)
        return SQLITE_NOMEM;
    memset(*out, 0, sizeof **out);
    return SQLITE_OK;
}

static int told_close(sqlite3_vtab_cursor *cursor)
{
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int told_filter(sqlite3_vtab_cursor *cursor, int number, const char *text,
                       int argc, sqlite3_value **argv)
{
    (void)cursor;
    (void)number;
    (void)text;
    (void)argc;
    (void)argv;
    return SQLITE_OK;
}

static int told_next(sqlite3_vtab_cursor *cursor)
{
    (void)cursor;
    return SQLITE_OK;
}

static int told_eof(sqlite3_vtab_cursor *cursor)
{
    (void)cursor;
    return 1;
}

static int told_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    (void)cursor;
    (void)context;
    (void)column;
    return SQLITE_OK;
}

static int told_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
    (void)cursor;
    *rowid = 0;
    return SQLITE_OK;
}

/* Nothing is stored: a write makes the table take part in the transaction. */
static int told_update(sqlite3_vtab *table, int argc, sqlite3_value **argv,
                       sqlite3_int64 *rowid)
{
    (void)table;
    (void)argc;
    (void)argv;
    *rowid = 0;
    return SQLITE_OK;
}

static int told_begin(sqlite3_vtab *table)
{
    (void)table;
    return SQLITE_OK;
}

static int told_ended(sqlite3_vtab *table)
{
    struct told_link *link = ((struct told *)table)->link;

    if (link->recorder != NULL)
        recorder_transaction_ended(link->recorder);
    return SQLITE_OK;
}

#define TOLD_MODULE                                                                     \
    .xConnect = told_connect, .xBestIndex = told_best_index, .xOpen = told_open,        \
    .xClose = told_close, .xFilter = told_filter, .xNext = told_next, .xEof = told_eof, \
    .xColumn = told_column, .xRowid = told_rowid

static const sqlite3_module session_module = {
    TOLD_MODULE,
    .xDisconnect = told_closing,
};

static const sqlite3_module transaction_module = {
    TOLD_MODULE,
    .xCreate = told_create,
    .xDestroy = told_disconnect,
    .xDisconnect = told_disconnect,
    .xUpdate = told_update,
    .xBegin = told_begin,
    .xCommit = told_ended,
    .xRollback = told_ended,
};

int session_table_register(sqlite3 *db, struct rowferry_recorder *recorder,
                           struct told_link **out)
{
    struct told_link *link = malloc(sizeof *link);
    int rc;

    *out = NULL;
    if (link == NULL)
        return SQLITE_NOMEM;
    *link = (struct told_link){recorder, 3};
    rc = sqlite3_create_module_v2(db, "rowferry_transaction", &transaction_module, link,
                                  let_go_of_link);
    if (rc != SQLITE_OK) {
        link->users = 1; /* nobody has it but this function */
        let_go_of_link(link);
        return rc;
    }
    rc = sqlite3_create_module_v2(db, "rowferry_session", &session_module, link,
                                  let_go_of_link);
    *out = link;
    /* Only a table that was used is connected. */
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "SELECT 1 FROM rowferry_session", NULL, NULL, NULL);
    /* Now rather than inside of a transaction of the host's, where it is done again. */
    if (rc == SQLITE_OK)
        (void)sqlite3_exec(db, SESSION_TABLE_MAKE, NULL, NULL, NULL);
    return rc;
}

void session_table_leave(struct told_link *link)
{
    if (link == NULL)
        return;
    link->recorder = NULL;
    let_go_of_link(link);
}

void session_table_unregister(sqlite3 *db)
{
    (void)sqlite3_create_module_v2(db, "rowferry_session", NULL, NULL, NULL);
    (void)sqlite3_create_module_v2(db, "rowferry_transaction", NULL, NULL, NULL);
}
