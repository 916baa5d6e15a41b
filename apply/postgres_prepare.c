/* What a batch may do, and how far it goes. */
#include "apply/direction.h"
#include "apply/postgres_locked.h"
#include "apply/postgres_target_private.h"
#include "engine/postgres_catalog.h"

#include <stdlib.h>

/* A batch takes so many changes; as long as more wait behind it, the next takes twice as
 * many, up to the most. */
enum { BATCH_CHANGES_FIRST = 20000, BATCH_CHANGES_MOST = 80000 };

enum status postgres_target_rules(struct postgres_target *target, uint64_t *rules,
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
    enum status status = postgres_target_rules(target, &rules, err);

    if (status == STATUS_OK)
        status = tables_generation(txn, &generation, err);
    if (status != STATUS_OK || (target->schema.loaded && rules == target->rules &&
                                generation == target->generation))
        return status;
    postgres_schema_unload(&target->schema);
    status =
        postgres_schema_load(&target->schema, target->postgres, txn,
                             target->options.rules, target->options.foreign_keys, err);
    target->schema.slot = target->options.slot;
    if (status == STATUS_OK)
        status = postgres_target_check_role(target, err);
    if (status != STATUS_OK) {
        postgres_schema_unload(&target->schema);
        return status;
    }
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

/* What prepare has found, that capture may change. */
void postgres_target_forget(struct postgres_batch *batch)
{
    store_abort(batch->base.txn);
    batch->base.txn = NULL;
    buffer_clear(&batch->base.out);
    free(batch->parks_in);
    free(batch->base.changed);
    batch->parks_in = batch->base.changed = NULL;
}

enum status postgres_target_prepare(struct postgres_target *target,
                                    struct postgres_batch *batch, struct error *err)
{
    struct batch *base = &batch->base;
    enum status status;

    batch->postgres = target->postgres;
    batch->schema = &target->schema;
    batch->guard = &target->guard;
    batch->repair_from = buffer_view(&target->repaired_to);
    base->ops = &postgres_batch_ops;
    base->echoed = true;
    base->store = target->store;
    base->schema = &target->schema.base;
    base->items = target->items;
    base->moved = target->moved;
    if (base->progress == NULL)
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

enum status postgres_target_extent(struct postgres_target *target, struct batch *batch,
                                   struct plan_extent *extent, struct error *err)
{
    uint64_t last = 0;
    uint64_t most = target->options.batch_changes_max;
    enum status status = meta_get(batch->txn, META_APPLIED, &batch->range.from, err);

    batch->range.from += batch->range.written;
    if (status == STATUS_OK)
        status = meta_get(batch->txn, META_LAST_SEQ, &last, err);
    if (most == 0)
        most = target->changes_max == 0 ? BATCH_CHANGES_FIRST : target->changes_max;
    if (target->narrow > 0 && target->narrow < most)
        most = target->narrow;
    if (status == STATUS_OK)
        status = plan_extent(batch->txn, batch->range.from, most, extent, err);
    if (status == STATUS_OK)
        status = watch_batch(target, batch, err);
    batch->range.to = extent->to;
    if (extent->to == last)
        target->changes_max = BATCH_CHANGES_FIRST;
    else if (most < BATCH_CHANGES_MOST)
        target->changes_max = most * 2;
    return status;
}
