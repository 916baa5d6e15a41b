/* Records the transactions of one SQLite connection, for programs that link
 * librowferry_sqlite. The loadable extension rowferry.so gives the same as SQL functions.
 *
 * What a transaction changed is stored in the table rowferry_outbox of the same database,
 * in the same transaction, when rowferry_recorder_commit() is called as the last thing
 * before COMMIT (which is one more row for total_changes()); `rowferry capture` takes it
 * from there. Without that call nothing is lost: rowferry's scan finds the change later,
 * without the transaction's borders. So it does for statements outside of a transaction,
 * and for tables that SQLite's session extension can't record (without a PRIMARY KEY, or
 * with generated columns).
 *
 * A recorder is used from the thread that uses its connection. It sets no hook of its
 * own; the session extension's preupdate hook is SQLite's. Results are SQLite's codes. */
#ifndef ROWFERRY_SQLITE_H
#define ROWFERRY_SQLITE_H

#include <sqlite3.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

struct rowferry_recorder;

/* Begin to record what db (its main database) changes from now on. db stays the caller's
 * and must outlive the recorder. On success *out is the caller's, for
 * rowferry_recorder_close(); on failure *out is NULL. SQLITE_NOMEM. One recorder a
 * connection. */
int rowferry_recorder_open(struct rowferry_recorder **out, sqlite3 *db);

/* Stop recording; what was not committed is left to the scan. Before sqlite3_close().
 * NULL is allowed. */
void rowferry_recorder_close(struct rowferry_recorder *recorder);

/* Store what the transaction has changed since it began or since the last call: the last
 * statement before COMMIT. Called again in one transaction, it adds a part, which bounds
 * the memory that a large one takes in this process; a part that ROLLBACK TO takes back
 * is a failure of the next call (SQLITE_ABORT), since it may have told what stands before
 * the savepoint. *stored: whether there was anything; may be NULL. Outside of a
 * transaction it does nothing: what a statement on its own changes is left to the scan.
 * On failure what was changed is left to the scan; the reason is in
 * rowferry_recorder_error(). The caller's transaction is as it was and may be committed,
 * where there is no room for more too; sqlite3_get_autocommit() tells when SQLite itself
 * had to roll it back, as it may for any statement that writes (an I/O error, a full disk
 * under a transaction larger than the page cache, an interrupt). */
int rowferry_recorder_commit(struct rowferry_recorder *recorder, int *stored);

/* Say why, and who, for the transaction that is open: both UTF-8, copied, NULL for none.
 * They count for what commit stores from then on, and go with the transaction, whether it
 * is committed or rolled back. No lock is taken on the database, but changes() is 0 after
 * the first call in a transaction.
 * SQLITE_MISUSE: none is open. Else as SQLite says. On failure nothing is noted, and the
 * reason is in rowferry_recorder_error(). */
int rowferry_recorder_note(struct rowferry_recorder *recorder, const char *note,
                           const char *user);

/* One line about the failure of the last call of commit or note; "" when it did not fail.
 * Lives until the next call. */
const char *rowferry_recorder_error(const struct rowferry_recorder *recorder);

/* Register the SQL functions on db, as loading rowferry.so does:
 *   rowferry_commit()            1: stored, 0: nothing had changed, NULL: it failed
 *   rowferry_note(why [, who])   of the transaction that is open; 1: noted, NULL: not
 *   rowferry_strict(on)          from now on a failure is an error, not NULL
 *   rowferry_error()             one line about the last failure, or NULL */
int rowferry_functions_register(sqlite3 *db);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
