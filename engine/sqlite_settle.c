#include "engine/sqlite_settle.h"

#include "engine/sqlite_own_write.h"

#include <assert.h>

static enum status restored_database(const char *why, struct error *err)
{
    return error_set(err, STATUS_REFUSED,
                     "the database was restored from an older copy (%s): run `rowferry "
                     "resync --prefer log` or `rowferry resync --prefer database`",
                     why);
}

/* Its peers may hold entries that it no longer knows: numbers must not be given twice. */
static enum status restored_store(const char *why, struct error *err)
{
    return error_set(err, STATUS_REFUSED,
                     "the store was restored from an older copy (%s): bring back the "
                     "newer one, or " STORE_JOIN_ANEW,
                     why);
}

static enum status check_owner(const struct identity *identity,
                               const struct sqlite_state *state, struct error *err)
{
    char theirs[NODE_ID_TEXT_SIZE];

    if (state->store == 0)
        return restored_database("it has no rowferry_state", err);
    if (state->store != identity->node) {
        node_id_text(state->store, theirs);
        return error_set(
            err, STATUS_REFUSED,
            "the database belongs to another store, that of node %s: use that "
            "one, or make a new one by `rowferry init --take-over`",
            theirs);
    }
    /* A resync gives both a new incarnation: one of them is from before it. */
    if (state->incarnation != identity->incarnation) {
        return error_set(
            err, STATUS_REFUSED,
            "the database or the store was restored from an older copy (from "
            "before a resync): run `rowferry resync --prefer log` or "
            "`rowferry resync --prefer database`");
    }
    return STATUS_OK;
}

enum status sqlite_settle_check(struct store_txn *txn, const struct sqlite_state *state,
                                struct error *err)
{
    uint64_t seen = 0;
    uint64_t applied = 0;
    enum status status = check_owner(store_identity(store_of(txn)), state, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_SEEN, &seen, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &applied, err);
    if (status != STATUS_OK)
        return status;
    if (state->counter < seen)
        return restored_database("its counter went back", err);
    /* One more is a crash between the database's commit and the store's. */
    if (state->counter > seen + 1)
        return restored_store("it has not seen the database's last writes", err);
    if (state->applied < applied)
        return restored_database("it lacks entries that were applied", err);
    if (state->applied > applied)
        return restored_store("it lacks entries that the database has taken", err);
    return STATUS_OK;
}

static enum status begin(struct sqlite_database *database, enum sqlite_settle_mode mode,
                         struct sqlite_state *state, struct error *err)
{
    enum status status = mode == SQLITE_SETTLE_READ ? sqlite_begin_read(database, err)
                                                    : sqlite_begin_write(database, err);

    if (status != STATUS_OK)
        return status;
    status = sqlite_state_read(database, state, err);
    if (status != STATUS_OK)
        sqlite_rollback(database);
    return status;
}

/* Look for an intent; compare the state with the store when there is none. *behind: the
 * store has not heard of the database's last commit. */
static enum status look(struct store *store, const struct sqlite_state *state,
                        bool *pending, bool *behind, struct intent *intent,
                        struct error *err)
{
    struct store_txn *txn = NULL;
    uint64_t seen = 0;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status != STATUS_OK)
        return status;
    status = intent_get(txn, intent, err);
    *pending = status == STATUS_OK;
    if (status == STATUS_NOT_FOUND)
        status = sqlite_settle_check(txn, state, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_SEEN, &seen, err);
    *behind = seen < state->counter;
    store_abort(txn);
    return status;
}

/* The intent of a batch of this very store was carried out by the database, or was not.
 */
static enum status end_intent(struct store *store, const struct sqlite_state *state,
                              const struct intent *intent, struct error *err)
{
    struct meta_update seen = {META_SEEN, intent->counter};

    if (state->applied == intent->to && state->counter == intent->counter)
        return intent_fold(store, NULL, &seen, 1, err);
    return intent_drop(store, err);
}

enum status sqlite_settle_begin(struct sqlite_database *database, struct store *store,
                                enum sqlite_settle_mode mode, struct sqlite_state *state,
                                struct error *err)
{
    struct intent intent = {0};
    bool pending = true;
    bool behind = false;
    enum status status = begin(database, mode, state, err);

    if (status != STATUS_OK)
        return status;
    status = look(store, state, &pending, &behind, &intent, err);
    if (status == STATUS_OK && pending) {
        /* Only whoever holds LOCK_APPLY writes rowferry_state and intents: what was read
         * stays true, and folding may take as long as it needs with the database free. */
        sqlite_rollback(database);
        status = end_intent(store, state, &intent, err);
        if (status == STATUS_OK)
            status = begin(database, mode, state, err);
        if (status != STATUS_OK)
            return status;
        status = look(store, state, &pending, &behind, &intent, err);
        assert(status != STATUS_OK || !pending);
    }
    /* A crash took that knowledge: without it the next restored copy could pass for it.
     */
    if (status == STATUS_OK && behind)
        status = sqlite_own_write_put(
            store, &(struct meta_update){META_SEEN, state->counter}, 1, err);
    if (status != STATUS_OK)
        sqlite_rollback(database);
    return status;
}
