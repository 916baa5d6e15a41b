/* Rowferry's own writes to a user's database, told apart from the application's: each
 * raises the counter of rowferry_state, and the store remembers the modification time
 * that it left behind and the one that it found, so that a scan stamps the application's
 * writes by the application's clock (DESIGN section 6). */
#ifndef ENGINE_SQLITE_OWN_WRITE_H
#define ENGINE_SQLITE_OWN_WRITE_H

#include "engine/sqlite_database.h"
#include "log/appender.h"

struct sqlite_own_write {
    uint64_t found_us; /* modification time before it */
    bool found_ours;   /* that time was left by our own previous write */
    int64_t data_version;
};

enum { SQLITE_OWN_WRITE_UPDATES = 3 };

/* Begin: right after sqlite_begin_write(), before anything is written. txn: any
 * transaction on the store. */
MUST_CHECK enum status sqlite_own_write_before(struct sqlite_database *database,
                                               struct store_txn *txn,
                                               struct sqlite_own_write *out,
                                               struct error *err);

/* End: after sqlite_commit(). updates is filled with what the store must remember, for
 * one transaction (intent_fold's, or sqlite_own_write_put); *count of them. counter: that
 * of rowferry_state which was committed. Moves the write-ahead log into the database as
 * far as readers allow, so that closing the connection does not change the time again. */
MUST_CHECK enum status
sqlite_own_write_after(struct sqlite_database *database,
                       const struct sqlite_own_write *own, uint64_t counter,
                       struct meta_update updates[SQLITE_OWN_WRITE_UPDATES],
                       size_t *count, struct error *err);

/* Put the updates in a write transaction of its own. */
MUST_CHECK enum status sqlite_own_write_put(struct store *store,
                                            const struct meta_update *updates,
                                            size_t count, struct error *err);

/* When the database's last write that was not ours happened, as far as modification times
 * tell; never later than now_us. */
MUST_CHECK enum status sqlite_written_us(struct sqlite_database *database,
                                         struct store_txn *txn, uint64_t now_us,
                                         uint64_t *written_us, struct error *err);

#endif
