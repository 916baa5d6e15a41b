#include "apply/postgres_ahead.h"

#include "apply/items.h"

#include <assert.h>
#include <uv.h>

enum {
    /* Then comes one with a guard of its own, so that none is older than need be. */
    IN_A_ROW_MAX = 64,
    /* Who waits for an exclusive lock on a table of ours stands before the reader of the
     * catalog that we wait for, and does not know it. */
    PATIENCE_MS = 5000,
};

/* ---- the batch before */

/* What was written is what the plan says, and nothing else is to be done about it. */
static bool is_plain(const struct postgres_target *target,
                     const struct postgres_batch *batch)
{
    return batch->mode == BATCH_FAST && batch->whole && batch->repaired == 0 &&
           batch->stopped == 0 && batch->left == 0 && !batch->base.parks &&
           batch->base.parked == 0 && !items_any(batch->base.items) &&
           !target->immediate && target->narrow == 0;
}

void postgres_ahead_remember(struct postgres_target *target,
                             const struct postgres_batch *batch,
                             const struct intent *intent)
{
    uint32_t before = batch->base.range.written > 0 ? target->written.before + 1 : 0;

    target->written = (struct postgres_written){
        .is_plain = is_plain(target, batch) && before < IN_A_ROW_MAX,
        .from = intent->from,
        .to = intent->to,
        .counter = intent->counter,
        .before = before,
    };
}

/* Whether the store says what it said when the batch before was committed, so that what
 * it does not say yet is just that batch. */
static enum status follows(const struct postgres_target *target,
                           const struct postgres_batch *batch, bool *does,
                           struct error *err)
{
    const struct postgres_written *written = &target->written;
    struct store_txn *txn = batch->base.txn;
    uint64_t applied = 0, rules = 0, repairs = 0;
    struct bytes out = {0};
    struct intent intent;
    enum status status = intent_get(txn, &intent, err);

    *does = false;
    if (status != STATUS_OK)
        return status;
    if (intent.counter != written->counter || intent.to != written->to ||
        intent.from != written->from || !bytes_equal(intent.out, batch->base.range.out))
        return STATUS_OK;
    status = meta_get(txn, META_APPLIED, &applied, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_SCHEMA_VERSION, &rules, err);
    if (status == STATUS_OK)
        status = meta_get_bytes(txn, META_OUT, &out, err);
    if (status == STATUS_OK)
        status = repair_count(txn, &repairs, err);
    *does = status == STATUS_OK && applied == written->from && rules == target->rules &&
            repairs == 0 && batch->base.parked == 0 &&
            bytes_equal(out, batch->base.range.out);
    return status;
}

/* Whether that batch has been folded, and nothing else has come in. */
static enum status is_folded(const struct postgres_target *target, bool *is,
                             struct error *err)
{
    struct store_txn *txn = NULL;
    uint64_t applied = 0, seen = 0, generation = 0, repairs = 0;
    enum status status = store_begin(target->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &applied, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_SEEN, &seen, err);
    if (status == STATUS_OK)
        status = tables_generation(txn, &generation, err);
    if (status == STATUS_OK)
        status = repair_count(txn, &repairs, err);
    store_abort(txn);
    *is = status == STATUS_OK && applied == target->written.to &&
          seen == target->written.counter && generation == target->generation &&
          repairs == 0;
    return status;
}

/* ---- capture, on a thread of its own */

struct reader {
    struct postgres_target *target;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t ended_signal;
    bool ended; /* under the mutex; the rest belongs to the thread until then */
    bool logged;
    enum status status;
    struct error err;
};

static void read_echo(void *data)
{
    struct reader *reader = data;
    const struct postgres_target_options *options = &reader->target->options;

    reader->status =
        options->capture(options->capture_data, &reader->logged, &reader->err);
    uv_mutex_lock(&reader->mutex);
    reader->ended = true;
    uv_cond_signal(&reader->ended_signal);
    uv_mutex_unlock(&reader->mutex);
}

/* false: there is no thread to be had. */
static bool reader_start(struct reader *reader, struct postgres_target *target)
{
    *reader = (struct reader){.target = target};
    if (uv_mutex_init(&reader->mutex) != 0)
        return false;
    if (uv_cond_init(&reader->ended_signal) != 0) {
        uv_mutex_destroy(&reader->mutex);
        return false;
    }
    if (uv_thread_create(&reader->thread, read_echo, reader) == 0)
        return true;
    uv_cond_destroy(&reader->ended_signal);
    uv_mutex_destroy(&reader->mutex);
    return false;
}

/* Whether it has ended before that. */
static bool reader_wait(struct reader *reader, uint64_t ms)
{
    uint64_t until = uv_hrtime() + ms * 1000000;
    bool ended;

    uv_mutex_lock(&reader->mutex);
    while (!reader->ended) {
        uint64_t now = uv_hrtime();

        if (now >= until ||
            uv_cond_timedwait(&reader->ended_signal, &reader->mutex, until - now) != 0)
            break;
    }
    ended = reader->ended;
    uv_mutex_unlock(&reader->mutex);
    return ended;
}

static void reader_join(struct reader *reader, struct apply_counts *counts)
{
    int rc = uv_thread_join(&reader->thread);

    assert(rc == 0);
    uv_cond_destroy(&reader->ended_signal);
    uv_mutex_destroy(&reader->mutex);
    counts->captured += reader->logged;
    if (reader->status == STATUS_OK)
        reader->target->unseen = false;
}

/* ---- the batch */

/* NOT_FOUND: there is nothing to do ahead. */
static enum status begin(struct postgres_target *target, struct postgres_batch *batch,
                         struct intent *intent, struct error *err)
{
    struct plan_extent extent = {0};
    bool does = false;
    enum status status = postgres_begin(target->postgres, err);

    if (status == STATUS_OK)
        status = postgres_target_prepare(target, batch, err);
    if (status == STATUS_OK)
        status = follows(target, batch, &does, err);
    if (status == STATUS_OK && !does)
        return error_set(err, STATUS_NOT_FOUND, "something else has happened");
    batch->base.range.written = target->written.to - target->written.from;
    if (status == STATUS_OK)
        status = postgres_target_extent(target, &batch->base, &extent, err);
    if (status == STATUS_OK && extent.changes == 0)
        return error_set(err, STATUS_NOT_FOUND, "nothing is new");
    *intent = (struct intent){.from = batch->base.range.from,
                              .to = extent.to,
                              .max_stamp_us = extent.max_stamp_us,
                              .counter = target->written.counter + 1,
                              .echoed = true};
    batch->changes = extent.changes;
    return status;
}

static enum status write_rows(struct postgres_target *target,
                              struct postgres_batch *batch, const struct intent *intent,
                              struct error *err)
{
    enum status status = postgres_target_mark(target, intent, err);

    if (status == STATUS_OK)
        status = postgres_batch_write_plan(batch, err);
    if (status == STATUS_OK)
        status = postgres_batch_check(batch, err);
    /* What is to be said of a row is said by who knows all that is held. */
    if (status == STATUS_OK && items_any(batch->base.items))
        return error_set(err, STATUS_CONSTRAINT, "a row was refused");
    return status == STATUS_OK ? postgres_target_conclude(target, err) : status;
}

static enum status write_beside(struct postgres_target *target,
                                struct postgres_batch *batch, struct reader *reader,
                                struct intent *intent, struct error *err)
{
    bool is = false;
    enum status status = write_rows(target, batch, intent, err);

    if (status == STATUS_OK && !reader_wait(reader, PATIENCE_MS))
        status = error_set(err, STATUS_BUSY, "the echo takes long");
    if (status != STATUS_OK) /* before who reads waits for us */
        postgres_rollback(target->postgres);
    reader_join(reader, batch->base.counts);
    if (status == STATUS_OK)
        status = reader->status;
    if (status == STATUS_OK)
        status = is_folded(target, &is, err);
    if (status == STATUS_OK && !is)
        status = error_set(err, STATUS_BUSY, "the store has become another");
    return status == STATUS_OK ? postgres_target_end(target, batch, intent, err) : status;
}

static enum status run(struct postgres_target *target, struct postgres_batch *batch,
                       struct error *err)
{
    struct reader reader;
    struct intent intent;
    enum status status = begin(target, batch, &intent, err);

    if (status != STATUS_OK)
        return status;
    if (!reader_start(&reader, target))
        return error_set(err, STATUS_NO_MEMORY, "no thread");
    return write_beside(target, batch, &reader, &intent, err);
}

bool postgres_ahead_try(struct postgres_target *target, struct apply_counts *counts)
{
    struct apply_counts done = {0};
    struct progress_step quiet = {0}; /* capture may be telling of itself */
    struct postgres_batch batch = {.mode = BATCH_FAST, .base.counts = &done};
    struct error ignored;
    enum status status;

    if (!target->written.is_plain || !target->unseen || target->postgres == NULL ||
        target->insist || target->held)
        return false;
    batch.base.progress = &quiet;
    status = run(target, &batch, &ignored);
    store_abort(batch.base.txn);
    if (status != STATUS_OK) {
        target->written.is_plain = false;
        postgres_rollback(target->postgres);
        done = (struct apply_counts){.captured = done.captured};
    }
    if (target->schema.loaded)
        postgres_batch_release(&batch);
    if (status == STATUS_OK)
        progress_add(&target->progress, quiet.state.done);
    apply_counts_add(counts, &done);
    return status == STATUS_OK;
}
