/* A store and its database at one position: fold or drop an intent, and notice that one
 * of the two was restored from an older copy (DESIGN sections 6 and 7). */
#ifndef ENGINE_SQLITE_SETTLE_H
#define ENGINE_SQLITE_SETTLE_H

#include "engine/sqlite_database.h"
#include "log/intent.h"

enum sqlite_settle_mode { SQLITE_SETTLE_READ, SQLITE_SETTLE_WRITE };

/* Begin a transaction on the database (sqlite_begin_read or sqlite_begin_write) in which
 * rowferry_state stands at the store's position. An intent whose batch the database
 * committed is folded before that, another one dropped. *state is what the transaction
 * reads. The caller holds LOCK_APPLY, has no transaction on the store, and ends the one
 * on the database. REFUSED: no rowferry_state, that of another store, or a restored
 * database or store (names `resync`). BUSY, UNAVAILABLE, CORRUPT, IO: of the database or
 * the store. On failure no transaction is open. */
MUST_CHECK enum status sqlite_settle_begin(struct sqlite_database *database,
                                           struct store *store,
                                           enum sqlite_settle_mode mode,
                                           struct sqlite_state *state, struct error *err);

/* Only compare a state with the store: REFUSED as above. For init, status, diff. An
 * intent is not looked at. */
MUST_CHECK enum status sqlite_settle_check(struct store_txn *txn,
                                           const struct sqlite_state *state,
                                           struct error *err);

#endif
