/* A batch, from its snapshot to its commit:
 *
 *   snapshot        whoever is older is known, once capture has passed this moment
 *   capture         what was committed up to now is logged; our last batch is folded
 *   BEGIN, mark     the message by which capture knows the batch again
 *   plan, repair    rows written in sets, under the guard (postgres_batch.h)
 *   intent          what the store must learn, on the store's disk; then COMMIT
 *
 * One that follows on a plain one does not wait for its echo (postgres_ahead.h).
 *
 * A failure before COMMIT rolls back. After a crash, or a COMMIT whose answer was lost,
 * nobody else applies as long as the old session lives (a session's lock), and then the
 * WAL tells: capture meets the mark, or does not. */
#include "apply/postgres_target_private.h"

#include "apply/direction.h"
#include "apply/parking.h"
#include "apply/postgres_ahead.h"
#include "apply/postgres_locked.h"
#include "engine/postgres_catalog.h"
#include "engine/sqlite_database.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- one try */

/* Log what is new, so that the store says what the database holds of what is known. */
static enum status capture(struct postgres_target *target, struct apply_counts *counts,
                           bool *logged, struct error *err)
{
    enum status status;

    *logged = false;
    status = target->options.capture(target->options.capture_data, logged, err);
    counts->captured += *logged;
    target->unseen = target->unseen && status != STATUS_OK;
    return status;
}

/* Nobody else writes from here on; and what they wrote until now is logged. */
static enum status lock(struct postgres_target *target, struct postgres_batch *batch,
                        struct error *err)
{
    struct plan_extent extent;
    bool logged = false;
    enum status status = postgres_target_prepare(target, batch, err);

    if (status == STATUS_OK)
        status = postgres_target_extent(target, &batch->base, &extent, err);
    if (status == STATUS_OK)
        status = postgres_lock_tables(batch, err);
    postgres_target_forget(batch);
    if (status == STATUS_OK)
        status = capture(target, batch->base.counts, &logged, err);
    batch->base.all = logged;
    return status;
}

/* Tables that are locked are those of the schema that was read before. */
static enum status prepare(struct postgres_target *target, struct postgres_batch *batch,
                           struct error *err)
{
    uint64_t rules = target->rules, generation = target->generation;
    enum status status = postgres_target_prepare(target, batch, err);

    if (status != STATUS_OK || batch->mode != BATCH_LOCKED ||
        (rules == target->rules && generation == target->generation))
        return status;
    batch->again = true;
    return error_set(err, STATUS_CONSTRAINT, "the schema is another");
}

static enum status begin(struct postgres_target *target, struct postgres_batch *batch,
                         struct intent *intent, struct error *err)
{
    struct plan_extent extent = {0};
    enum status status = postgres_begin(target->postgres, err);

    if (status == STATUS_OK && target->immediate)
        status = postgres_execute(target->postgres, "SET CONSTRAINTS ALL IMMEDIATE", err);
    if (status == STATUS_OK && batch->mode == BATCH_CAREFUL)
        status = postgres_execute(target->postgres, POSTGRES_SHORT_WAIT, err);
    if (status == STATUS_OK && batch->mode == BATCH_LOCKED)
        status = lock(target, batch, err);
    if (status == STATUS_OK)
        status = prepare(target, batch, err);
    if (status == STATUS_OK)
        status = postgres_target_extent(target, &batch->base, &extent, err);
    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_SEEN, &intent->counter, err);
    if (status != STATUS_OK)
        return status;
    batch->changes = extent.changes;
    intent->from = batch->base.range.from;
    intent->to = extent.to;
    intent->max_stamp_us = extent.max_stamp_us;
    intent->counter++;
    batch->base.all = batch->base.all || extent.local;
    return postgres_target_mark(target, intent, err);
}

/* Whether what was refused has been tried in this visit, and waits for whoever holds
 * something: he will not have ended by now. */
static bool was_retried(const struct postgres_target *target)
{
    return target->held && target->retried == target->rules;
}

static enum status retries(struct postgres_target *target, struct postgres_batch *batch,
                           bool *retry, struct error *err)
{
    uint64_t known = 0;
    enum status status = meta_get(batch->base.txn, META_SCHEMA_VERSION, &known, err);

    *retry = target->insist || (known != target->rules && !was_retried(target));
    batch->base.only = known != target->rules ? 0 : target->only;
    return status;
}

/* What a table takes again comes in one batch: it can't be left. */
static enum status bring(struct postgres_batch *batch, struct error *err)
{
    struct bytes out = {0};
    enum status status = meta_get_bytes(batch->base.txn, META_OUT, &out, err);

    if (status == STATUS_OK && batch->left > 0 &&
        !bytes_equal(out, batch->base.range.out))
        return error_set(err, STATUS_BUSY, "others hold tables that take again");
    return status == STATUS_OK ? direction_bring(&batch->base, err) : status;
}

/* As under SQLite's lock. */
static enum status work_locked(struct postgres_target *target,
                               struct postgres_batch *batch, struct error *err)
{
    bool retry = false;
    enum status status = retries(target, batch, &retry, err);

    batch->base.all = batch->base.all || retry;
    if (status == STATUS_OK)
        status = postgres_locked_write_plan(batch, err);
    if (status == STATUS_OK)
        status = postgres_batch_try_repairs(batch, err);
    if (status == STATUS_OK && retry)
        status = batch_retry(&batch->base, err);
    if (status == STATUS_OK)
        status = bring(batch, err);
    return status == STATUS_OK ? parking_resolve(&batch->base, err) : status;
}

static enum status work(struct postgres_target *target, struct postgres_batch *batch,
                        struct error *err)
{
    bool retry = false;
    enum status status;

    if (batch->mode == BATCH_LOCKED)
        return work_locked(target, batch, err);
    status = retries(target, batch, &retry, err);
    /* A local write may have freed what is parked, or another schema. */
    if (status == STATUS_OK && batch->base.parked > 0 && (batch->base.all || retry))
        return postgres_batch_begin_anew(batch, BATCH_LOCKED, err);
    if (status == STATUS_OK)
        status = postgres_batch_write_plan(batch, err);
    if (status == STATUS_OK)
        status = postgres_batch_repair(batch, err);
    if (status == STATUS_OK && retry)
        status = postgres_batch_retry(batch, err);
    return status == STATUS_OK ? postgres_batch_check(batch, err) : status;
}

static enum status intend(struct postgres_target *target, struct postgres_batch *batch,
                          const struct intent *intent, struct error *err)
{
    struct intent_writer *writer = NULL;
    enum status status = intent_writer_open(&writer, target->store, err);

    if (status == STATUS_OK)
        status = items_write(batch->base.items, writer, err);
    if (status == STATUS_OK && batch->mode == BATCH_LOCKED)
        status = parking_write(&batch->base, writer, err);
    if (status == STATUS_OK)
        status = intent_writer_end(writer, intent, err);
    intent_writer_close(writer);
    return status;
}

/* The next batch's repairs begin where those of this one have ended. */
static enum status keep_place(struct postgres_target *target,
                              const struct postgres_batch *batch, struct error *err)
{
    buffer_clear(&target->repaired_to);
    buffer_put_bytes(&target->repaired_to, buffer_view(&batch->repair_next));
    return buffer_check(&target->repaired_to, err);
}

/* Only the store may have to learn by which rules the rows were looked at. */
static enum status end_without_writing(struct postgres_target *target,
                                       struct postgres_batch *batch, struct error *err)
{
    uint64_t known = 0;
    struct bytes out = {0};
    bool same = false;
    enum status status = meta_get(batch->base.txn, META_SCHEMA_VERSION, &known, err);

    if (status == STATUS_OK)
        status = meta_get_bytes(batch->base.txn, META_OUT, &out, err);
    if (status == STATUS_OK)
        same = (known == target->rules || was_retried(target)) &&
               bytes_equal(out, batch->base.range.out);
    store_abort(batch->base.txn);
    batch->base.txn = NULL;
    postgres_rollback(target->postgres);
    /* Of what is held, not all was looked at. */
    if (status == STATUS_OK && !same && batch->left == 0)
        status =
            direction_remember(target->store, target->rules, batch->base.range.out, err);
    if (status != STATUS_OK)
        return status;
    /* What stood in the way is known the next time. */
    status = keep_place(target, batch, err);
    if (status != STATUS_OK)
        return status;
    return batch->learned > 0 || batch->more ? STATUS_OK : STATUS_NOT_FOUND;
}

/* Whatever was refused under them has been tried; but what others held is looked at again
 * as if the schema were a new one, where it has no other way back. */
static enum status remember_rules(struct postgres_target *target,
                                  const struct postgres_batch *batch, struct error *err)
{
    struct store_txn *txn = NULL;
    uint64_t quarantined = 0;
    bool again = batch->left > 0 && batch->mode == BATCH_LOCKED;
    enum status status = store_begin(target->store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK && batch->left > 0)
        status = quarantine_count(txn, &quarantined, err);
    again = again || quarantined > 0;
    target->retried = again ? target->rules : 0;
    if (status == STATUS_OK)
        status = meta_put(txn, META_SCHEMA_VERSION, again ? 0 : target->rules, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

enum status postgres_target_end(struct postgres_target *target,
                                struct postgres_batch *batch, struct intent *intent,
                                struct error *err)
{
    enum status status;

    batch->base.counts->entries += intent->to - intent->from;
    intent->whole = batch->whole;
    intent->out = batch->base.range.out;
    store_abort(batch->base.txn);
    batch->base.txn = NULL;
    status = intend(target, batch, intent, err);
    if (status != STATUS_OK)
        return status;
    target->unseen = true; /* whatever COMMIT answers */
    status = postgres_target_commit(target, batch, err);
    if (status == STATUS_OK)
        status = keep_place(target, batch, err);
    if (status == STATUS_OK)
        status = remember_rules(target, batch, err);
    if (status == STATUS_OK)
        postgres_ahead_remember(target, batch, intent);
    return status;
}

static enum status run(struct postgres_target *target, struct postgres_batch *batch,
                       struct error *err)
{
    struct intent intent = {.echoed = true};
    enum status status = begin(target, batch, &intent, err);

    if (status == STATUS_OK)
        status = work(target, batch, err);
    if (status == STATUS_OK && intent.from == intent.to && batch->repaired == 0 &&
        !batch->base.parks && !items_any(batch->base.items))
        return end_without_writing(target, batch, err);
    if (status == STATUS_OK)
        status = postgres_target_conclude(target, err);
    return status == STATUS_OK ? postgres_target_end(target, batch, &intent, err)
                               : status;
}

static enum status try_batch(struct postgres_target *target, enum batch_mode *mode,
                             struct apply_counts *counts, bool *again, struct error *err)
{
    struct apply_counts done = {0};
    struct postgres_batch batch = {.mode = *mode, .base.counts = &done};
    enum status status = run(target, &batch, err);

    if (status == STATUS_CONSTRAINT && batch.again)
        *mode = target->immediate ? BATCH_CAREFUL : BATCH_FAST;
    else if (status == STATUS_CONSTRAINT && batch.need > *mode)
        *mode = batch.need;
    else if (status == STATUS_BUSY && *mode == BATCH_FAST)
        *mode = BATCH_CAREFUL;
    else if (status == STATUS_CONSTRAINT)
        status = error_wrap(err, STATUS_IO, "apply");
    target->held = batch.left > 0;
    target->tried = true;
    *again = status == STATUS_CONSTRAINT ||
             (status == STATUS_BUSY && batch.mode == BATCH_FAST);
    store_abort(batch.base.txn);
    if (target->postgres != NULL && status != STATUS_OK)
        postgres_rollback(target->postgres);
    if (target->schema.loaded)
        postgres_batch_release(&batch);
    if (status == STATUS_OK)
        apply_counts_add(counts, &done);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND && status != STATUS_CONSTRAINT)
        postgres_schema_unload(&target->schema);
    return status;
}

static enum status catch_up(struct postgres_target *target, struct apply_counts *counts,
                            struct error *err)
{
    bool logged;
    enum status status = postgres_target_connect(target, err);

    if (status == STATUS_OK)
        status = postgres_guard_take(&target->guard, target->postgres, err);
    return status == STATUS_OK ? capture(target, counts, &logged, err) : status;
}

static enum status write_batch(struct postgres_target *target,
                               struct apply_counts *counts, struct error *err)
{
    enum batch_mode mode = target->held ? BATCH_CAREFUL : BATCH_FAST;
    bool again = false;
    enum status status;

    if (postgres_ahead_try(target, counts))
        return STATUS_OK;
    do {
        again = false;
        status = catch_up(target, counts, err);
        if (status == STATUS_OK)
            status = try_batch(target, &mode, counts, &again, err);
    } while (again);
    return status;
}

/* ---- the target */

/* What is new, without a question to the server. */
static enum status look(struct postgres_target *target, bool *any, struct error *err)
{
    struct store_txn *txn = NULL;
    uint64_t applied = 0, last = 0, repairs = 0;
    enum status status = store_begin(target->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &applied, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_LAST_SEQ, &last, err);
    if (status == STATUS_OK)
        status = repair_count(txn, &repairs, err);
    store_abort(txn);
    *any = applied < last || repairs > 0 || target->unseen;
    if (last <= target->written.to) /* nothing is there to be made ahead */
        target->written.is_plain = false;
    /* Before the first batch nobody knows what those wait for. */
    target->held = target->held || (!target->tried && repairs > 0);
    return status;
}

/* Capture does, before each batch. */
static enum status settle(struct target *base, struct error *err)
{
    (void)err;
    ((struct postgres_target *)base)->retried = 0; /* another visit */
    return STATUS_OK;
}

static enum status apply_batch(struct target *base, struct apply_counts *counts,
                               struct error *err)
{
    struct postgres_target *target = (struct postgres_target *)base;
    bool any = false;
    enum status status = look(target, &any, err);

    if (status == STATUS_OK && !any)
        return STATUS_NOT_FOUND;
    return status == STATUS_OK ? write_batch(target, counts, err) : status;
}

static enum status retry_rows(struct target *base, struct apply_counts *counts,
                              struct error *err)
{
    struct postgres_target *target = (struct postgres_target *)base;
    struct store_txn *txn = NULL;
    uint64_t known = 0, rules = 0;
    enum status status = postgres_target_connect(target, err);

    if (status == STATUS_OK)
        status = store_begin(target->store, TXN_READ, &txn, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_SCHEMA_VERSION, &known, err);
    store_abort(txn);
    if (status == STATUS_OK)
        status = postgres_target_rules(target, &rules, err);
    if (status != STATUS_OK)
        return status;
    target->rules = rules;
    return known == rules || was_retried(target) ? STATUS_NOT_FOUND
                                                 : write_batch(target, counts, err);
}

enum status postgres_target_retry(struct target *base, uint64_t number,
                                  struct apply_counts *counts, struct error *err)
{
    struct postgres_target *target = (struct postgres_target *)base;
    enum status status;

    target->insist = true;
    target->only = number;
    status = write_batch(target, counts, err);
    target->insist = false;
    target->only = 0;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static void close_target(struct target *base)
{
    struct postgres_target *target = (struct postgres_target *)base;

    if (target == NULL)
        return;
    postgres_target_disconnect(target);
    items_close(target->items);
    moved_close(target->moved);
    sqlite_database_close(target->scratch);
    postgres_guard_release(&target->guard);
    buffer_release(&target->repaired_to);
    free(target);
}

enum status postgres_target_open(struct target **out, struct store *store,
                                 const struct postgres_target_options *options,
                                 struct error *err)
{
    static const struct target_ops ops = {settle, apply_batch, retry_rows, close_target};
    struct postgres_target *target = calloc(1, sizeof *target);
    enum status status;

    *out = NULL;
    if (target == NULL)
        return error_set(err, STATUS_NO_MEMORY, "apply: out of memory");
    target->base.ops = &ops;
    target->store = store;
    target->options = *options;
    status = sqlite_scratch_open(&target->scratch, err);
    if (status == STATUS_OK)
        status = items_open(&target->items, target->scratch, err);
    if (status == STATUS_OK)
        status = moved_open(&target->moved, target->scratch, err);
    if (status != STATUS_OK) {
        close_target(&target->base);
        return status;
    }
    *out = &target->base;
    return STATUS_OK;
}
