#include "node/own_state.h"

enum status own_state_begin(struct sqlite_database *database, struct store *store,
                            struct sqlite_own_write *own, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = sqlite_begin_write(database, err);

    if (status == STATUS_OK)
        status = store_begin(store, TXN_READ, &txn, err);
    if (status == STATUS_OK)
        status = sqlite_own_write_before(database, txn, own, err);
    store_abort(txn);
    return status;
}

enum status own_state_commit(struct sqlite_database *database, struct store *store,
                             const struct sqlite_own_write *own,
                             const struct sqlite_state *state, struct error *err)
{
    struct meta_update updates[SQLITE_OWN_WRITE_UPDATES];
    size_t count = 0;
    enum status status = sqlite_state_write(database, state, err);

    if (status == STATUS_OK)
        status = sqlite_commit(database, err);
    if (status == STATUS_OK)
        status =
            sqlite_own_write_after(database, own, state->counter, updates, &count, err);
    if (status == STATUS_OK)
        status = sqlite_own_write_put(store, updates, count, err);
    return status;
}
