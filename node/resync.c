/* resync: a restored database and its store come together again, under a new incarnation.
 *
 * With the database's lock held and everything written, the new incarnation reaches the
 * store; then the database commits. Killed between the two they name different ones:
 * everything but resync is refused, and resync does it all again. When that commit fails
 * the store takes its old one back.
 *
 * That is SQLite. Of Postgres the store has no position of capture from before the
 * database commits until capture has begun anew (capture/source.h), and resync does it
 * all again. */
#include "node/node_private.h"

#include "apply/postgres_target.h"
#include "apply/sqlite_target.h"
#include "capture/sqlite_scan.h"
#include "log/intent.h"
#include "node/own_state.h"

#include <sodium.h>
#include <string.h>

#define NOT_JOINED "this node has not joined its fleet yet: sync first"

/* A counter or position beyond what the store ever saw: the store is the older one. */
static enum status check_store(struct node *node, const struct sqlite_state *state,
                               struct error *err)
{
    struct store_txn *txn = NULL;
    struct intent intent;
    uint64_t seen = 0;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_SEEN, &seen, err);
    if (status == STATUS_OK) {
        status = intent_get(txn, &intent, err);
        if (status == STATUS_OK && intent.counter > seen)
            seen = intent.counter;
        else if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    store_abort(txn);
    if (status == STATUS_OK &&
        state->incarnation == store_identity(node->store)->incarnation &&
        state->counter > seen + 1) {
        status = error_set(err, STATUS_REFUSED,
                           "%s is older than its database (restored from a backup?), and "
                           "peers may hold what it has lost: bring back the newer one, "
                           "or " STORE_JOIN_ANEW,
                           store_folder(node->store));
    }
    return status;
}

static uint64_t new_incarnation(void)
{
    uint64_t incarnation = 0;

    while (incarnation == 0)
        randombytes_buf(&incarnation, sizeof incarnation);
    return incarnation;
}

/* The database has not committed the new incarnation: the store does without it too, and
 * without the intent. When that can't be found out, resync has to be run again. */
static void take_back(struct node *node, uint64_t before)
{
    struct sqlite_state state;
    struct error ignored;
    uint64_t now = store_identity(node->store)->incarnation;

    sqlite_rollback(node->sqlite);
    if (now == before || sqlite_state_read(node->sqlite, &state, &ignored) != STATUS_OK ||
        state.incarnation == now)
        return;
    if (intent_drop(node->store, &ignored) != STATUS_OK ||
        store_reincarnate(node->store, before, &ignored) != STATUS_OK)
        return;
}

/* What a batch meant to do before the database was exchanged for another says nothing of
 * this one. When database and store are of one piece the batch is ended properly. */
static enum status settle(struct node *node, struct target *target, struct error *err)
{
    enum status status = target->ops->settle(target, err);

    return status == STATUS_REFUSED ? intent_drop(node->store, err) : status;
}

static enum status write_state(struct node *node, uint64_t incarnation, struct error *err)
{
    struct sqlite_state state = {
        .store = store_identity(node->store)->node,
        .incarnation = incarnation,
    };
    struct sqlite_own_write own = {0};
    struct store_txn *txn = NULL;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &state.applied, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_SEEN, &state.counter, err);
    store_abort(txn);
    if (status == STATUS_OK)
        status = own_state_begin(node->sqlite, node->store, &own, err);
    if (status == STATUS_OK)
        status = store_reincarnate(node->store, incarnation, err);
    if (status == STATUS_OK)
        status = own_state_commit(node->sqlite, node->store, &own, &state, err);
    sqlite_rollback(node->sqlite);
    return status;
}

static enum status resync(struct node *node, enum resync_prefer prefer,
                          struct visit_report *report, struct error *err)
{
    uint64_t before = store_identity(node->store)->incarnation, after = new_incarnation();
    struct target *target = NULL;
    struct sqlite_state state;
    struct join_plan plan;
    enum status status = join_recall(node->store, &plan, err);

    if (status == STATUS_OK && plan.pending)
        return error_set(err, STATUS_REFUSED, NOT_JOINED);
    if (status == STATUS_OK)
        status = sqlite_state_read(node->sqlite, &state, err);
    if (status == STATUS_OK)
        status = check_store(node, &state, err);
    if (status == STATUS_OK)
        status = node_target(node, &target, err);
    if (status == STATUS_OK)
        status = settle(node, target, err);
    if (status != STATUS_OK)
        return status;
    status = prefer == RESYNC_LOG
                 ? sqlite_target_rewrite(target, after, &report->applied, err)
                 : write_state(node, after, err);
    if (status != STATUS_OK)
        take_back(node, before);
    sqlite_scan_forget(node->source);
    if (status != STATUS_OK || prefer == RESYNC_LOG)
        return status;
    status = node_capture_locked(node, &report->captured, err);
    /* What the differences made room for comes back now. */
    return status == STATUS_OK ? node_apply_locked(node, &report->applied, err) : status;
}

/* ---- Postgres */

struct rewriting {
    struct target *target;
    struct apply_counts *counts;
};

static enum status rewrite(void *data, struct error *err)
{
    struct rewriting *rewriting = data;

    return postgres_target_rewrite(rewriting->target, rewriting->counts, err);
}

/* The server's own log says what the database has taken: nothing is written there to say
 * that it is this store's. */
static enum status begin_anew(struct node *node, enum resync_prefer prefer,
                              struct visit_report *report, struct error *err)
{
    struct rewriting rewriting = {.counts = &report->applied};
    struct source *source = NULL;
    struct join_plan plan;
    enum status status = join_recall(node->store, &plan, err);

    if (status == STATUS_OK && plan.pending)
        return error_set(err, STATUS_REFUSED, NOT_JOINED);
    if (status == STATUS_OK)
        status = node_source(node, &source, err);
    if (status == STATUS_OK)
        status = node_target(node, &rewriting.target, err);
    if (status == STATUS_OK)
        status = source->ops->resync(source, prefer == RESYNC_LOG ? rewrite : NULL,
                                     &rewriting, &report->captured, err);
    return status == STATUS_OK ? node_apply_locked(node, &report->applied, err) : status;
}

enum status node_resync(struct node *node, enum resync_prefer prefer,
                        struct visit_report *report, struct error *err)
{
    enum status status;

    *report = (struct visit_report){0};
    status = node_lock(node, true, err);
    if (status != STATUS_OK)
        return status;
    status = node->sqlite != NULL ? resync(node, prefer, report, err)
                                  : begin_anew(node, prefer, report, err);
    node_unlock(node, true);
    return status;
}
