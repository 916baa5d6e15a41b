#include "node/log_state.h"

enum status log_state_read(struct store *store, struct log_state *state,
                           struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_LAST_SEQ, &state->last_seq, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &state->applied, err);
    store_abort(txn);
    return status;
}

bool log_state_same(const struct log_state *a, const struct log_state *b)
{
    return a->last_seq == b->last_seq && a->applied == b->applied;
}
