/* A batch, from its first lock to its last note (DESIGN section 7). A failure before
 * COMMIT rolls back and drops the intent. A crash leaves an intent or none;
 * rowferry_state says which side of COMMIT it was, and settle finishes either.
 *
 *   settle          database and store at one position; BEGIN IMMEDIATE
 *   capture         what the database holds and the store does not know is logged
 *   plan, resolve   rows written, constraints decided (sqlite_batch.h, parking.h)
 *   rowferry_state  the new position, the counter raised
 *   intent          what the store must learn, on the store's disk; then COMMIT
 *   fold            the intent becomes what the store knows */
#include "apply/sqlite_target.h"

#include "apply/direction.h"
#include "apply/parking.h"
#include "apply/sqlite_counters.h"
#include "apply/sqlite_mend.h"
#include "apply/sqlite_other.h"
#include "apply/sqlite_outsiders.h"
#include "apply/sqlite_overrule.h"
#include "apply/sqlite_target_private.h"
#include "engine/sqlite_settle.h"

#include <assert.h>
#include <stdlib.h>

/* A batch takes so many changes; as long as more wait behind it, the next takes twice as
 * many, up to the most: fewer rows are written that a waiting entry writes again, and
 * nobody else waits for the database's lock longer than a second or two. */
enum { BATCH_CHANGES_FIRST = 20000, BATCH_CHANGES_MOST = 80000 };

/* ---- what a batch may do */

enum status sqlite_target_rules(struct sqlite_database *database, bool foreign_keys,
                                enum trigger_mode triggers,
                                const struct table_rules *table_rules, uint64_t *rules,
                                struct error *err)
{
    int64_t version = 0;
    enum status status = sqlite_schema_version(database, &version, err);

    *rules =
        (((uint64_t)version << 3) | ((uint64_t)triggers << 1) | (foreign_keys ? 1 : 0)) ^
        (table_rules_fingerprint(table_rules) << 1);
    return status;
}

static enum status rules_now(struct sqlite_target *target, uint64_t *rules,
                             struct error *err)
{
    return sqlite_target_rules(target->database, target->options.foreign_keys,
                               target->options.triggers, target->options.rules, rules,
                               err);
}

enum status sqlite_target_refresh(struct sqlite_target *target, struct store_txn *txn,
                                  struct error *err)
{
    uint64_t rules = 0, generation = 0;
    enum status status = rules_now(target, &rules, err);

    if (status == STATUS_OK)
        status = tables_generation(txn, &generation, err);
    if (status != STATUS_OK)
        return status;
    if (target->schema.loaded && rules == target->rules &&
        generation == target->generation)
        return STATUS_OK;
    sqlite_schema_unload(&target->schema);
    status = sqlite_other_drop_all(target->database, err);
    if (status == STATUS_OK)
        status = sqlite_schema_load(&target->schema, target->database, txn,
                                    &target->options, err);
    target->rules = rules;
    target->generation = generation;
    target->loaded_here = true;
    return status;
}

enum status sqlite_target_prepare(struct sqlite_target *target,
                                  struct sqlite_batch *batch, struct error *err)
{
    enum status status;

    batch->database = target->database;
    batch->base.store = target->store;
    batch->schema = &target->schema;
    batch->base.ops = &sqlite_batch_ops;
    batch->base.schema = &target->schema.base;
    batch->base.items = target->items;
    batch->base.moved = target->moved;
    batch->refused = &target->refused;
    batch->base.progress = &target->progress;
    batch->base.now_us = store_now_us(target->store);
    status = store_begin(target->store, TXN_READ, &batch->base.txn, err);
    if (status == STATUS_OK)
        status = sqlite_target_refresh(target, batch->base.txn, err);
    if (status == STATUS_OK)
        status = parked_count(batch->base.txn, &batch->base.parked, err);
    if (status == STATUS_OK)
        status =
            direction_out(&target->schema.base, batch->base.txn, &batch->base.out, err);
    batch->base.range.out = buffer_view(&batch->base.out);
    if (status == STATUS_OK)
        status = items_clear(batch->base.items, err);
    if (status == STATUS_OK)
        status = moved_clear(batch->base.moved, err);
    for (size_t i = 0; i < target->schema.base.count && status == STATUS_OK; i++) {
        target->schema.tables[i].counted = 0;
        status = sqlite_other_clear(&target->schema, &target->schema.tables[i], err);
    }
    if (status != STATUS_OK)
        return status;
    batch->base.changed =
        calloc(target->schema.base.group_count + 1, sizeof *batch->base.changed);
    return batch->base.changed != NULL
               ? STATUS_OK
               : error_set(err, STATUS_NO_MEMORY, "batch: out of memory");
}

/* Give back what the batch holds of the store. */
static void end_reading(struct sqlite_batch *batch)
{
    store_abort(batch->base.txn);
    batch->base.txn = NULL;
}

void sqlite_target_release(struct sqlite_target *target, struct sqlite_batch *batch)
{
    end_reading(batch);
    sqlite_rollback(target->database);
    if (target->schema.loaded)
        sqlite_schema_fire(&target->schema, false);
    batch_release(&batch->base);
}

void sqlite_target_forget(struct sqlite_target *target)
{
    if (target->loaded_here)
        sqlite_schema_unload(&target->schema);
    else
        sqlite_schema_rolled_back(&target->schema);
}

/* ---- the end of a batch */

enum status sqlite_target_intend(struct sqlite_batch *batch, const struct intent *intent,
                                 struct error *err)
{
    struct intent_writer *writer = NULL;
    enum status status = intent_writer_open(&writer, batch->base.store, err);

    if (status == STATUS_OK)
        status = items_write(batch->base.items, writer, err);
    if (status == STATUS_OK)
        status = parking_write(&batch->base, writer, err);
    if (status == STATUS_OK)
        status = intent_writer_end(writer, intent, err);
    intent_writer_close(writer);
    return status;
}

/* Everything is decided and written: make it stand. */
enum status sqlite_target_finish(struct sqlite_target *target, struct sqlite_batch *batch,
                                 const struct sqlite_state *state,
                                 const struct intent *intent,
                                 const struct sqlite_own_write *own, struct error *err)
{
    struct meta_update updates[SQLITE_OWN_WRITE_UPDATES + 1];
    size_t count = 0;
    struct error ignored;
    enum status status;

    end_reading(batch);
    status = sqlite_state_write(target->database, state, err);
    if (status != STATUS_OK)
        return status;
    status = sqlite_target_intend(batch, intent, err);
    if (status != STATUS_OK) {
        if (intent_drop(target->store, &ignored) != STATUS_OK)
            return status; /* settle will */
        return status;
    }
    status = sqlite_commit(target->database, err);
    if (status != STATUS_OK) /* whether it is on disk after all, settle finds out */
        return status;
    target->loaded_here = false;
    status = sqlite_own_write_after(target->database, own, intent->counter, updates,
                                    &count, err);
    updates[count++] = (struct meta_update){META_SCHEMA_VERSION, target->rules};
    if (status != STATUS_OK)
        return status;
    return intent_fold(target->store, &batch->base.planned, updates, count, err);
}

/* Nothing came of it: only the store may have to learn by which rules. */
static enum status end_without_writing(struct sqlite_target *target,
                                       struct sqlite_batch *batch, struct error *err)
{
    struct bytes out = {0};
    uint64_t known = 0;
    bool same = false;
    enum status status = meta_get(batch->base.txn, META_SCHEMA_VERSION, &known, err);

    if (status == STATUS_OK)
        status = meta_get_bytes(batch->base.txn, META_OUT, &out, err);
    if (status == STATUS_OK)
        same = known == target->rules && bytes_equal(out, batch->base.range.out);
    end_reading(batch);
    sqlite_rollback(target->database);
    sqlite_target_forget(target);
    target->loaded_here = false;
    if (status == STATUS_OK && !same)
        status =
            direction_remember(target->store, target->rules, batch->base.range.out, err);
    return status == STATUS_OK ? STATUS_NOT_FOUND : status;
}

/* ---- one try */

static enum status capture(struct sqlite_target *target, bool *logged, struct error *err)
{
    *logged = false;
    if (target->options.capture == NULL)
        return STATUS_OK;
    return target->options.capture(target->options.capture_data, logged, err);
}

/* A first batch after others: count what it and those behind it have to do. */
static enum status watch_batch(struct sqlite_target *target,
                               const struct sqlite_batch *batch, struct error *err)
{
    const struct progress *progress = store_progress(target->store);
    struct plan_extent all;
    enum status status;

    if (progress == NULL || batch->base.range.from < target->watched_to)
        return STATUS_OK;
    status = plan_extent(batch->base.txn, batch->base.range.from, UINT64_MAX, &all, err);
    if (status == STATUS_OK) {
        progress_begin(&target->progress, progress,
                       &(struct progress_state){
                           .step = "apply", .unit = PROGRESS_ROWS, .all = all.changes});
    }
    target->watched_to = all.to;
    return status;
}

/* How far the batch goes, and how much it must look at. */
static enum status choose_extent(struct sqlite_target *target, struct sqlite_batch *batch,
                                 struct plan_extent *extent, bool *retry,
                                 struct error *err)
{
    uint64_t known = 0, last = 0;
    uint64_t changes_max = target->options.batch_changes_max != 0
                               ? target->options.batch_changes_max
                               : target->changes_max;
    enum status status =
        meta_get(batch->base.txn, META_APPLIED, &batch->base.range.from, err);

    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_LAST_SEQ, &last, err);
    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_SCHEMA_VERSION, &known, err);
    if (status == STATUS_OK)
        status = plan_extent(batch->base.txn, batch->base.range.from, changes_max, extent,
                             err);
    if (status == STATUS_OK)
        status = watch_batch(target, batch, err);
    batch->base.range.to = extent->to;
    if (extent->to == last)
        target->changes_max = BATCH_CHANGES_FIRST;
    else if (target->changes_max < BATCH_CHANGES_MOST)
        target->changes_max *= 2;
    *retry = extent->local || known != target->rules;
    batch->base.all = batch->base.all || *retry;
    return status;
}

static enum status work(struct sqlite_batch *batch, bool retry, struct error *err)
{
    enum status status = STATUS_OK;

    if (batch->mend)
        status = sqlite_mend_all(batch, err);
    if (status == STATUS_OK)
        status = sqlite_batch_write_plan(batch, err);
    if (status == STATUS_OK && retry)
        status = batch_retry(&batch->base, err);
    if (status == STATUS_OK)
        status = direction_bring(&batch->base, err);
    if (status == STATUS_OK)
        status = sqlite_overrule_resolve(batch, err);
    if (status == STATUS_OK)
        status = sqlite_outsiders_count(batch, err);
    if (status == STATUS_OK)
        status = sqlite_counters_move(batch, err);
    sqlite_schema_fire(batch->schema, false);
    return status;
}

/* The transaction is open. *ended: a trigger rolled it back, the same again would do
 * better. */
static enum status run(struct sqlite_target *target, struct sqlite_batch *batch,
                       struct sqlite_state *state, struct error *err)
{
    struct sqlite_own_write own;
    struct plan_extent extent = {0};
    struct intent intent;
    bool logged, retry;
    enum status status = store_begin(target->store, TXN_READ, &batch->base.txn, err);

    if (status == STATUS_OK)
        status = sqlite_own_write_before(target->database, batch->base.txn, &own, err);
    end_reading(batch);
    if (status == STATUS_OK)
        status = capture(target, &logged, err);
    if (status != STATUS_OK)
        return status;
    batch->base.all = logged;
    batch->base.counts->captured += logged;
    status = sqlite_target_prepare(target, batch, err);
    if (status == STATUS_OK)
        status = choose_extent(target, batch, &extent, &retry, err);
    batch->base.only = status == STATUS_OK && (retry || logged) ? 0 : target->only;
    if (status == STATUS_OK)
        status = work(batch, retry || logged || target->insist, err);
    if (status != STATUS_OK)
        return status;
    if (extent.to == batch->base.range.from && !logged && !batch->base.parks &&
        !items_any(batch->base.items))
        return end_without_writing(target, batch, err);
    batch->base.counts->entries += extent.to - batch->base.range.from;
    state->applied = extent.to;
    state->counter++;
    intent = (struct intent){
        .from = batch->base.range.from,
        .to = extent.to,
        .counter = state->counter,
        .max_stamp_us = extent.max_stamp_us,
        .out = batch->base.range.out,
    };
    return sqlite_target_finish(target, batch, state, &intent, &own, err);
}

static enum status write_batch(struct sqlite_target *target, struct apply_counts *counts,
                               struct error *err)
{
    bool again = true, mend = false;
    enum status status = STATUS_OK;

    while (again) {
        struct apply_counts done = {0};
        struct sqlite_batch batch = {.base = {.counts = &done}, .mend = mend};
        struct sqlite_state state;

        target->loaded_here = false;
        status = sqlite_settle_begin(target->database, target->store, SQLITE_SETTLE_WRITE,
                                     &state, err);
        if (status != STATUS_OK)
            break;
        status = run(target, &batch, &state, err);
        again = status == STATUS_CONSTRAINT && batch.ended;
        mend = mend || batch.wants_mend;
        sqlite_target_release(target, &batch);
        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            sqlite_target_forget(target);
        if (status == STATUS_OK)
            apply_counts_add(counts, &done);
    }
    refused_rows_release(&target->refused);
    return status;
}

/* ---- the target */

static enum status settle(struct target *base, struct error *err)
{
    struct sqlite_target *target = (struct sqlite_target *)base;
    struct sqlite_state state;
    enum status status = sqlite_settle_begin(target->database, target->store,
                                             SQLITE_SETTLE_READ, &state, err);

    sqlite_rollback(target->database);
    return status;
}

/* What is new, without a lock: the log's end against the applied position, and the rules.
 */
static enum status look(struct sqlite_target *target, bool *entries, bool *rules,
                        struct error *err)
{
    struct store_txn *txn = NULL;
    uint64_t applied = 0, last = 0, known = 0, now = 0;
    enum status status = store_begin(target->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &applied, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_LAST_SEQ, &last, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_SCHEMA_VERSION, &known, err);
    store_abort(txn);
    if (status == STATUS_OK)
        status = rules_now(target, &now, err);
    *entries = applied < last;
    *rules = known != now;
    return status;
}

static enum status apply_batch(struct target *base, struct apply_counts *counts,
                               struct error *err)
{
    struct sqlite_target *target = (struct sqlite_target *)base;
    bool entries = false, rules;
    enum status status = look(target, &entries, &rules, err);

    if (status == STATUS_OK && !entries)
        return STATUS_NOT_FOUND;
    return status == STATUS_OK ? write_batch(target, counts, err) : status;
}

static enum status retry_rows(struct target *base, struct apply_counts *counts,
                              struct error *err)
{
    struct sqlite_target *target = (struct sqlite_target *)base;
    bool entries, rules = false;
    enum status status = look(target, &entries, &rules, err);

    if (status == STATUS_OK && !rules)
        return STATUS_NOT_FOUND;
    return status == STATUS_OK ? write_batch(target, counts, err) : status;
}

enum status sqlite_target_retry(struct target *base, uint64_t number,
                                struct apply_counts *counts, struct error *err)
{
    struct sqlite_target *target = (struct sqlite_target *)base;
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
    struct sqlite_target *target = (struct sqlite_target *)base;

    if (target == NULL)
        return;
    sqlite_schema_unload(&target->schema);
    items_close(target->items);
    moved_close(target->moved);
    refused_rows_release(&target->refused);
    if (target->attached)
        sqlite_other_detach(target->database);
    free(target);
}

static const struct target_ops ops = {settle, apply_batch, retry_rows, close_target};

enum status sqlite_target_open(struct target **out, struct sqlite_database *database,
                               struct store *store,
                               const struct sqlite_target_options *options,
                               struct error *err)
{
    struct sqlite_target *target = calloc(1, sizeof *target);
    enum status status;

    *out = NULL;
    if (target == NULL)
        return error_set(err, STATUS_NO_MEMORY, "apply: out of memory");
    target->base.ops = &ops;
    target->database = database;
    target->store = store;
    target->options = *options;
    target->changes_max = BATCH_CHANGES_FIRST;
    /* Whatever does not fit goes to a file: a batch may have any size. */
    status = sqlite_execute(database,
                            "PRAGMA temp_store = FILE; PRAGMA main.cache_size = -24000;"
                            " PRAGMA temp.cache_size = -2000",
                            err);
    if (status == STATUS_OK)
        status = sqlite_other_attach(database, err);
    target->attached = status == STATUS_OK;
    if (status == STATUS_OK)
        status = items_open(&target->items, database, err);
    if (status == STATUS_OK)
        status = moved_open(&target->moved, database, err);
    if (status != STATUS_OK) {
        close_target(&target->base);
        return status;
    }
    *out = &target->base;
    return STATUS_OK;
}
