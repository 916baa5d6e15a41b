/* Two virtual tables without rows, whose only task is to be told. rowferry_transaction:
 * when a transaction in which it was written ends, for good or not (a savepoint's end is
 * none). rowferry_session: when the connection closes, before SQLite looks for open
 * statements and sessions that would keep it from doing so; no statement that stays open
 * may name this one.
 *
 * rowferry_transaction is a temporary table, the connection's own: a write to one of the
 * host's database would lock that against others. It goes when the host changes
 * `PRAGMA temp_store`, or rolls back the transaction that made it. */
#ifndef EXTENSION_SESSION_TABLE_H
#define EXTENSION_SESSION_TABLE_H

#include <sqlite3.h>

struct rowferry_recorder;

/* Results are SQLite's. *out is what the recorder leaves by before it ends: the tables
 * may live longer, as SQLite likes. NULL: there is nothing to leave. */
struct told_link;
int session_table_register(sqlite3 *db, struct rowferry_recorder *recorder,
                           struct told_link **out);
void session_table_leave(struct told_link *link);
void session_table_unregister(sqlite3 *db);

/* One that is there tells the recorder that made it, which may be gone. */
#define SESSION_TABLE_MAKE                            \
    "DROP TABLE IF EXISTS temp.rowferry_transaction;" \
    "CREATE VIRTUAL TABLE temp.rowferry_transaction " \
    "USING rowferry_transaction"

/* Taking part in a transaction is one write: of nothing, which leaves the host's
 * last_insert_rowid() alone, but not its changes(). Of one row at most SQLite keeps no
 * journal of the statement. */
#define SESSION_TABLE_TAKE_PART "DELETE FROM temp.rowferry_transaction WHERE rowid = 0"

#endif
