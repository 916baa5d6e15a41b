/* A batch, from its snapshot to its commit:
 *
 *   snapshot        whoever is older is known, once capture has passed this moment
 *   capture         what was committed up to now is logged; our last batch is folded
 *   BEGIN, mark     the message by which capture knows the batch again
 *   plan, repair    rows written in sets, under the guard (postgres_batch.h)
 *   intent          what the store must learn, on the store's disk; then COMMIT
 *
 * A failure before COMMIT rolls back. After a crash, or a COMMIT whose answer was lost,
 * nobody else applies as long as the old session lives (a session's lock), and then the
 * WAL tells: capture meets the mark, or does not. */
#include "apply/postgres_target_private.h"

#include "apply/direction.h"
#include "engine/postgres_catalog.h"
#include "engine/postgres_mark.h"
#include "engine/sqlite_database.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A batch takes so many changes; as long as more wait behind it, the next takes twice as
 * many, up to the most. */
enum { BATCH_CHANGES_FIRST = 20000, BATCH_CHANGES_MOST = 80000 };

/* ---- what a batch may do */

static enum status rules_now(struct postgres_target *target, uint64_t *rules,
                             struct error *err)
{
    int64_t version = 0;
    enum status status = postgres_schema_version(target->postgres, &version, err);

    *rules = ((uint64_t)version << 1 | (target->options.foreign_keys ? 1 : 0)) ^
             table_rules_fingerprint(target->options.rules) << 1;
    return status;
}

static enum status refresh(struct postgres_target *target, struct store_txn *txn,
                           struct error *err)
{
    uint64_t rules = 0, generation = 0;
    enum status status = rules_now(target, &rules, err);

    if (status == STATUS_OK)
        status = tables_generation(txn, &generation, err);
    if (status != STATUS_OK || (target->schema.loaded && rules == target->rules &&
                                generation == target->generation))
        return status;
    postgres_schema_unload(&target->schema);
    status =
        postgres_schema_load(&target->schema, target->postgres, txn,
                             target->options.rules, target->options.foreign_keys, err);
    target->rules = rules;
    target->generation = generation;
    return status;
}

static bool visit_parked(void *data, uint32_t table, const struct parked *parked)
{
    struct postgres_batch *batch = data;
    struct postgres_table *own = postgres_schema_find(batch->schema, table);

    (void)parked;
    if (own != NULL)
        batch->parks_in[own->component] = true;
    return true;
}

static enum status find_parked(struct postgres_batch *batch, struct error *err)
{
    size_t count = batch->schema->base.count + 1;

    batch->parks_in = calloc(count, sizeof *batch->parks_in);
    batch->base.changed =
        calloc(batch->schema->base.group_count + 1, sizeof *batch->base.changed);
    if (batch->parks_in == NULL || batch->base.changed == NULL)
        return error_set(err, STATUS_NO_MEMORY, "batch: out of memory");
    return batch->base.parked == 0
               ? STATUS_OK
               : parked_visit(batch->base.txn, 0, visit_parked, batch, err);
}

static enum status prepare(struct postgres_target *target, struct postgres_batch *batch,
                           struct error *err)
{
    struct batch *base = &batch->base;
    enum status status;

    batch->postgres = target->postgres;
    batch->schema = &target->schema;
    batch->guard = &target->guard;
    base->store = target->store;
    base->schema = &target->schema.base;
    base->items = target->items;
    base->moved = target->moved;
    base->progress = &target->progress;
    base->now_us = store_now_us(target->store);
    status = store_begin(target->store, TXN_READ, &base->txn, err);
    if (status == STATUS_OK)
        status = refresh(target, base->txn, err);
    if (status == STATUS_OK)
        status = parked_count(base->txn, &base->parked, err);
    if (status == STATUS_OK)
        status = direction_out(base->schema, base->txn, &base->out, err);
    base->range.out = buffer_view(&base->out);
    if (status == STATUS_OK)
        status = items_clear(base->items, err);
    if (status == STATUS_OK)
        status = moved_clear(base->moved, err);
    return status == STATUS_OK ? find_parked(batch, err) : status;
}

/* A first batch after others: count what it and those behind it have to do. */
static enum status watch_batch(struct postgres_target *target, const struct batch *batch,
                               struct error *err)
{
    const struct progress *progress = store_progress(target->store);
    struct plan_extent all;
    enum status status;

    if (progress == NULL || batch->range.from < target->watched_to)
        return STATUS_OK;
    status = plan_extent(batch->txn, batch->range.from, UINT64_MAX, &all, err);
    if (status == STATUS_OK) {
        progress_begin(&target->progress, progress,
                       &(struct progress_state){
                           .step = "apply", .unit = PROGRESS_ROWS, .all = all.changes});
    }
    target->watched_to = all.to;
    return status;
}

static enum status choose_extent(struct postgres_target *target, struct batch *batch,
                                 struct plan_extent *extent, struct error *err)
{
    uint64_t last = 0;
    uint64_t most = target->options.batch_changes_max != 0
                        ? target->options.batch_changes_max
                        : target->changes_max;
    enum status status = meta_get(batch->txn, META_APPLIED, &batch->range.from, err);

    if (status == STATUS_OK)
        status = meta_get(batch->txn, META_LAST_SEQ, &last, err);
    if (status == STATUS_OK)
        status = plan_extent(batch->txn, batch->range.from, most, extent, err);
    if (status == STATUS_OK)
        status = watch_batch(target, batch, err);
    batch->range.to = extent->to;
    if (extent->to == last)
        target->changes_max = BATCH_CHANGES_FIRST;
    else if (target->changes_max < BATCH_CHANGES_MOST)
        target->changes_max *= 2;
    return status;
}

/* ---- one try */

static enum status mark(struct postgres_target *target, const struct intent *intent,
                        struct error *err)
{
    struct postgres_mark mark = {.node = store_identity(target->store)->node,
                                 .from = intent->from,
                                 .to = intent->to,
                                 .counter = intent->counter};
    char content[POSTGRES_MARK_SIZE];
    const char *parameters[] = {POSTGRES_MARK_PREFIX, content};
    PGresult *done = NULL;
    enum status status;

    postgres_mark_format(content, &mark);
    status = postgres_query(target->postgres,
                            "SELECT pg_logical_emit_message(true, $1::text, $2::text)", 2,
                            parameters, &done, err);
    PQclear(done);
    return status;
}

static enum status begin(struct postgres_target *target, struct postgres_batch *batch,
                         struct intent *intent, struct error *err)
{
    struct plan_extent extent = {0};
    enum status status = postgres_begin(target->postgres, err);

    if (status == STATUS_OK)
        status = prepare(target, batch, err);
    if (status == STATUS_OK)
        status = choose_extent(target, &batch->base, &extent, err);
    if (status == STATUS_OK)
        status = meta_get(batch->base.txn, META_SEEN, &intent->counter, err);
    if (status != STATUS_OK)
        return status;
    intent->from = batch->base.range.from;
    intent->to = extent.to;
    intent->max_stamp_us = extent.max_stamp_us;
    intent->counter++;
    return mark(target, intent, err);
}

static enum status retries(struct postgres_target *target, struct postgres_batch *batch,
                           bool *retry, struct error *err)
{
    uint64_t known = 0;
    enum status status = meta_get(batch->base.txn, META_SCHEMA_VERSION, &known, err);

    *retry = target->insist || known != target->rules;
    batch->base.only = known != target->rules ? 0 : target->only;
    return status;
}

static enum status work(struct postgres_target *target, struct postgres_batch *batch,
                        struct error *err)
{
    bool retry = false;
    enum status status = postgres_batch_write_plan(batch, err);

    if (status == STATUS_OK)
        status = retries(target, batch, &retry, err);
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
    if (status == STATUS_OK)
        status = intent_writer_end(writer, intent, err);
    intent_writer_close(writer);
    return status;
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
        same = known == target->rules && bytes_equal(out, batch->base.range.out);
    store_abort(batch->base.txn);
    batch->base.txn = NULL;
    postgres_rollback(target->postgres);
    if (status == STATUS_OK && !same)
        status =
            direction_remember(target->store, target->rules, batch->base.range.out, err);
    if (status != STATUS_OK)
        return status;
    /* What stood in the way is known the next time. */
    return batch->learned > 0 ? STATUS_OK : STATUS_NOT_FOUND;
}

static enum status run(struct postgres_target *target, struct postgres_batch *batch,
                       struct error *err)
{
    struct intent intent = {.echoed = true};
    enum status status = begin(target, batch, &intent, err);

    if (status == STATUS_OK)
        status = work(target, batch, err);
    if (status == STATUS_OK && intent.from == intent.to && batch->repaired == 0 &&
        !items_any(batch->base.items))
        return end_without_writing(target, batch, err);
    if (status == STATUS_OK)
        status = postgres_guard_own(&target->guard, target->postgres, err);
    if (status != STATUS_OK)
        return status;
    batch->base.counts->entries += intent.to - intent.from;
    intent.whole = batch->whole;
    intent.out = batch->base.range.out;
    store_abort(batch->base.txn);
    batch->base.txn = NULL;
    status = intend(target, batch, &intent, err);
    if (status != STATUS_OK)
        return status;
    target->unseen = true; /* whatever COMMIT answers */
    return postgres_commit(target->postgres, err);
}

static enum status try_batch(struct postgres_target *target, enum batch_mode *mode,
                             struct apply_counts *counts, struct error *err)
{
    struct apply_counts done = {0};
    struct postgres_batch batch = {.mode = *mode, .base.counts = &done};
    enum status status = *mode == BATCH_LOCKED
                             ? error_set(err, STATUS_REFUSED,
                                         "%s: a constraint stands in the way of others' "
                                         "changes, and this version can't decide it yet",
                                         target->options.url)
                             : run(target, &batch, err);

    if (status == STATUS_CONSTRAINT && batch.need > *mode)
        *mode = batch.need;
    else if (status == STATUS_CONSTRAINT)
        status = error_wrap(err, STATUS_IO, "apply");
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

/* Log what is new, so that the store says what the database holds of what is known. */
static enum status catch_up(struct postgres_target *target, struct apply_counts *counts,
                            struct error *err)
{
    bool logged = false;
    enum status status = postgres_target_connect(target, err);

    if (status == STATUS_OK)
        status = postgres_guard_take(&target->guard, target->postgres, err);
    if (status == STATUS_OK)
        status = target->options.capture(target->options.capture_data, &logged, err);
    counts->captured += logged;
    target->unseen = target->unseen && status != STATUS_OK;
    return status;
}

static enum status write_batch(struct postgres_target *target,
                               struct apply_counts *counts, struct error *err)
{
    enum batch_mode mode = BATCH_FAST;
    enum status status;

    do {
        status = catch_up(target, counts, err);
        if (status == STATUS_OK)
            status = try_batch(target, &mode, counts, err);
    } while (status == STATUS_CONSTRAINT);
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
    return status;
}

static enum status settle(struct target *base, struct error *err)
{
    (void)base, (void)err; /* capture does, before each batch */
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
        status = rules_now(target, &rules, err);
    if (status != STATUS_OK || known == rules)
        return status == STATUS_OK ? STATUS_NOT_FOUND : status;
    return write_batch(target, counts, err);
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
    target->changes_max = BATCH_CHANGES_FIRST;
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
