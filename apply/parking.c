/* Per group, once the groups of all outer parents are final:
 *
 *    main                     other                     main
 *   ------                   -------                   ------
 *   no outer parent ------->                   /-----> placed     (2, by birth)
 *   (1)                      queue --- decide ---- evicts younger ones: they join the
 * queue dirty, parked ---------> (by birth)        \-----> stays: parked, outer or unique
 *
 *   placed, inner parent missing ------------> parked, inner (3, until nothing changes)
 *
 * Placed rows are in the user's table and nowhere else, so its own unique indexes are the
 * claims. A row can only lose its place to one born earlier, so one ascending pass is
 * exact. Rows that were parked are in the queue again, but for those whose blocker is as
 * it was; when a row loses its place, all of them: so whatever became free is found. What
 * step 3 hides has been placed, and has evicted, like any other. Step 3 takes orphans
 * away until there are none: what is left is the largest set without any. */
#include "apply/parking_private.h"

/* ---- 1: rows without their outer parents */

/* Add the children that lost a parent to the suspects. */
static enum status suspect_orphans(struct batch *batch, struct batch_foreign *foreign,
                                   bool all, struct error *err)
{
    struct batch_table *child = foreign->child;
    enum status status = STATUS_OK;

    if (child->id == 0 || child->left) /* nobody has logged a row of it */
        return STATUS_OK;
    while (status == STATUS_OK) {
        buffer_clear(&batch->key);
        status = batch->ops->next_orphan(batch, foreign, all, &batch->key, err);
        if (status == STATUS_OK) {
            status =
                suspects_add(batch->moved, child->group,
                             &(struct suspect){child->id, buffer_view(&batch->key)}, err);
        }
    }
    batch->ops->stop(batch, foreign);
    if (status != STATUS_NOT_FOUND)
        return status;
    return all ? STATUS_OK : batch->ops->forget_gone(batch, foreign, err);
}

/* Whether parents outside of the group have gone, or changed what is referred to. */
static bool lost_parents(const struct batch *batch, uint32_t group)
{
    const struct batch_schema *schema = batch->schema;

    for (uint32_t i = schema->group_start[group]; i < schema->group_start[group + 1];
         i++) {
        for (const struct batch_foreign *at = schema->by_group[i]->as_child; at != NULL;
             at = at->next_of_child)
            if (!at->inner && at->gone > 0)
                return true;
    }
    return false;
}

static enum status suspect_children(struct batch *batch, uint32_t group, bool inner,
                                    struct error *err)
{
    struct batch_schema *schema = batch->schema;
    enum status status = STATUS_OK;

    for (uint32_t i = schema->group_start[group];
         i < schema->group_start[group + 1] && status == STATUS_OK; i++) {
        for (struct batch_foreign *at = schema->by_group[i]->as_child;
             at != NULL && status == STATUS_OK; at = at->next_of_child)
            if (at->inner == inner && at->gone > 0)
                status = suspect_orphans(batch, at, false, err);
    }
    return status;
}

/* Copy the group's next suspect to batch->key. */
static enum status next_suspect(struct batch *batch, uint32_t group,
                                struct suspect *suspect, struct error *err)
{
    struct suspect next;
    enum status status = suspects_after(batch->moved, group, suspect, &next, err);

    if (status != STATUS_OK)
        return status;
    buffer_clear(&batch->key);
    buffer_put_bytes(&batch->key, next.key);
    *suspect = (struct suspect){next.table, buffer_view(&batch->key)};
    return buffer_check(&batch->key, err);
}

/* Take the suspects that are no candidates out of their tables. They stay suspects: of
 * their parents inside the group nothing is known yet. */
static enum status drop_candidates(struct batch *batch, uint32_t group, struct error *err)
{
    struct suspect suspect = {0};
    enum status status;

    while ((status = next_suspect(batch, group, &suspect, err)) == STATUS_OK) {
        struct batch_table *table = batch_schema_find(batch->schema, suspect.table);
        struct batch_foreign *violated;
        int64_t id;

        status = batch->ops->key(batch, table, suspect.key, err);
        if (status == STATUS_OK)
            status =
                parking_find_violated(batch, table, ROW_IN_TABLE, false, &violated, err);
        if (status == STATUS_OK && violated != NULL)
            status = parking_take_out(batch, table, suspect.key, &id, err);
        if (status != STATUS_OK)
            return status;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- parked rows join in */

struct loading {
    struct batch *batch;
    bool whole;
    enum status status;
    struct error *err;
};

/* Whether a parked row is to be decided anew; then *row is what it would be shown as. */
static enum status is_open(struct batch *batch, struct batch_table *table,
                           struct bytes key, bool *open, struct row *row,
                           struct error *err)
{
    struct moved_row moved;
    enum intent_item_kind kind;
    bool beyond;
    enum status status = moved_find(batch->moved, table->id, key, &moved, err);

    *open = false;
    if (status == STATUS_NOT_FOUND)
        status = items_find(batch->items, table->id, key, &kind, &beyond, err);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = rows_get(batch->txn, table->id, key, row, err);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    /* Such a table takes only what was written here. */
    if (!row->local && plan_out_has(batch->range.out, table->id))
        return STATUS_OK;
    /* A later winner comes with its batch. */
    if (!row->live || (!row->local && row->winner.seq > batch->range.to))
        return STATUS_OK;
    status = batch->ops->key(batch, table, key, err);
    if (status == STATUS_OK) /* the plan may have shown it already */
        status = batch->ops->find(batch, table, open, err);
    *open = !*open;
    return status;
}

/* Whether a row at hand that is parked for want of an outer parent surely still lacks the
 * same one, so that nothing about it is new: it claims nothing. There may be many. */
static enum status still_lacks(struct batch *batch, struct batch_table *table,
                               const struct parked *parked, bool *lacks,
                               struct error *err)
{
    enum status status = STATUS_OK;
    bool holds = true, sure = true;

    *lacks = false;
    for (struct batch_foreign *at = table->as_child;
         at != NULL && status == STATUS_OK && holds; at = at->next_of_child) {
        if (at->inner)
            continue;
        status = batch->ops->holds(batch, at, &holds, &sure, err);
        *lacks = status == STATUS_OK && sure && !holds &&
                 bytes_equal(parked->constraint, parking_name_foreign(batch, at));
    }
    return status;
}

/* Whether the table refers to the parent by values that may be its key in other bytes. */
static bool refers_inexactly(const struct batch_table *table, uint32_t parent)
{
    for (const struct batch_foreign *at = table->as_child; at != NULL;
         at = at->next_of_child)
        if (at->inexact && at->parent->id == parent)
            return true;
    return false;
}

/* Whether what blocks a parked row is as it was before the batch, so that the row is,
 * too: the holder of its unique value neither written nor moved, or its parent neither
 * come nor brought back. Not asked of a hidden row, whose values are its own, nor where
 * the key at hand may not be the parent's. */
static enum status is_blocked_still(struct batch *batch, const struct batch_table *table,
                                    const struct parked *parked, bool *still,
                                    struct error *err)
{
    struct moved_row moved;
    struct row row;
    enum status status;

    *still = false;
    if (parked->kind == PARKED_PARENT_INNER || parked->blocker_table == 0 ||
        parked->blocker_key.size == 0 ||
        (parked->kind == PARKED_PARENT_OUTER &&
         refers_inexactly(table, parked->blocker_table)))
        return STATUS_OK;
    status =
        moved_find(batch->moved, parked->blocker_table, parked->blocker_key, &moved, err);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = rows_get(batch->txn, parked->blocker_table, parked->blocker_key, &row, err);
    *still = status == STATUS_NOT_FOUND ||
             (status == STATUS_OK && (row.local || row.winner.seq <= batch->range.from));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status load_parked(struct batch *batch, struct batch_table *table,
                               const struct parked *parked, struct error *err)
{
    struct moved_row moved = {.table = table->id,
                              .group = table->group,
                              .key = parked->key,
                              .origin = MOVED_BEYOND,
                              .was = WAS_PARKED,
                              .before = *parked};
    enum write_result result = WRITE_DONE;
    struct table defined;
    struct row row;
    bool open, lacks = false, carried;
    enum status status = is_open(batch, table, parked->key, &open, &row, err);

    if (status != STATUS_OK || !open)
        return status;
    status =
        tables_find(batch->txn, row.definition_origin, row.definition, &defined, err);
    if (status == STATUS_OK)
        status = batch->ops->map(batch, table, defined.definition, row.image, parked->key,
                                 &result, err);
    if (status == STATUS_OK && result == WRITE_DONE &&
        parked->kind == PARKED_PARENT_OUTER)
        status = still_lacks(batch, table, parked, &lacks, err);
    if (status != STATUS_OK || lacks)
        return status;
    status = batch->ops->mend_first(batch, err);
    if (status == STATUS_OK && result == WRITE_DONE)
        status = batch_carry_parked(batch, table, parked, parked->key, &carried, err);
    if (status == STATUS_OK && result == WRITE_DONE)
        status = batch->ops->try_row(batch, table, &result, err);
    if (status == STATUS_OK && result != WRITE_DONE)
        return batch_note_refused(batch, table->id, parked->key, &row.version, true,
                                  false, err);
    moved.born = row.born;
    if (status == STATUS_OK)
        status = moved_add(batch->moved, &moved, err);
    return status == STATUS_OK ? batch->ops->keep(batch, table, moved.id, err) : status;
}

static bool visit_parked(void *data, uint32_t table, const struct parked *parked)
{
    struct loading *loading = data;
    struct batch_table *parked_in = batch_schema_find(loading->batch->schema, table);
    bool still = false;

    loading->status = STATUS_OK;
    if (!loading->whole)
        loading->status =
            is_blocked_still(loading->batch, parked_in, parked, &still, loading->err);
    if (loading->status != STATUS_OK || still)
        return loading->status == STATUS_OK;
    loading->status = load_parked(loading->batch, parked_in, parked, loading->err);
    return loading->status == STATUS_OK;
}

enum status parking_load_group(struct batch *batch, uint32_t group, bool whole,
                               struct error *err)
{
    struct loading loading = {batch, whole, STATUS_OK, err};
    struct batch_schema *schema = batch->schema;
    enum status status = STATUS_OK;

    for (uint32_t i = schema->group_start[group];
         i < schema->group_start[group + 1] && status == STATUS_OK; i++) {
        const struct batch_table *table = schema->by_group[i];
        uint32_t id = table->id;

        /* A repair writes every winner anew, but of tables that take nothing. */
        if (id == 0 || table->lacks != NULL ||
            (batch->repair && !plan_out_has(batch->range.out, id)))
            continue;
        status = parked_visit(batch->txn, id, visit_parked, &loading, err);
        if (status == STATUS_OK)
            status = loading.status;
    }
    return status;
}

/* ---- 3: rows without their inner parents */

static enum status hide(struct batch *batch, struct batch_table *table, struct bytes key,
                        struct batch_foreign *violated, struct error *err)
{
    struct decision decision = {.table = table, .key = key};
    enum write_result result;
    enum status status = parking_take_out(batch, table, key, &decision.id, err);

    if (status == STATUS_OK)
        status = batch->ops->load(batch, table, decision.id, &result, err);
    return status == STATUS_OK ? parking_lacks_parent(batch, &decision, violated,
                                                      PARKED_PARENT_INNER, err)
                               : status;
}

static enum status hide_orphans(struct batch *batch, uint32_t group, struct error *err)
{
    enum status status = suspect_children(batch, group, true, err);

    while (status == STATUS_OK) {
        struct suspect suspect = {0};
        struct batch_foreign *violated = NULL;
        struct batch_table *table;

        status = next_suspect(batch, group, &suspect, err);
        if (status != STATUS_OK)
            break;
        table = batch_schema_find(batch->schema, suspect.table);
        status = suspects_remove(batch->moved, group, &suspect, err);
        if (status == STATUS_OK)
            status = batch->ops->key(batch, table, suspect.key, err);
        if (status == STATUS_OK)
            status =
                parking_find_violated(batch, table, ROW_IN_TABLE, true, &violated, err);
        if (status == STATUS_OK && violated != NULL)
            status = hide(batch, table, suspect.key, violated, err);
        /* batch->key is free again: the children of what was hidden. */
        if (status == STATUS_OK && violated != NULL)
            status = suspect_children(batch, group, true, err);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- all groups */

static bool is_touched(const struct batch *batch, uint32_t group)
{
    const struct batch_schema *schema = batch->schema;

    if (schema->by_group[schema->group_start[group]]->left) /* so are all of the group */
        return false;
    if (batch->all || batch->changed[group])
        return true;
    for (uint32_t i = schema->group_start[group]; i < schema->group_start[group + 1];
         i++) {
        for (const struct batch_foreign *at = schema->by_group[i]->as_child; at != NULL;
             at = at->next_of_child)
            if (batch->changed[at->parent->group])
                return true;
    }
    return false;
}

static enum status resolve_group(struct batch *batch, uint32_t group, bool any_parked,
                                 struct error *err)
{
    bool whole = batch->all || lost_parents(batch, group);
    enum status status = suspect_children(batch, group, false, err);

    batch->displaced = false;
    if (status == STATUS_OK)
        status = drop_candidates(batch, group, err);
    whole = whole || batch->displaced;
    if (status == STATUS_OK && any_parked)
        status = parking_load_group(batch, group, whole, err);
    if (status == STATUS_OK)
        status = parking_run_queue(batch, group, any_parked && !whole, err);
    return status == STATUS_OK ? hide_orphans(batch, group, err) : status;
}

enum status parking_resolve(struct batch *batch, struct error *err)
{
    struct batch_schema *schema = batch->schema;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < schema->foreign_count && batch->all && status == STATUS_OK;
         i++)
        status = suspect_orphans(batch, schema->foreigns[i], true, err);
    for (uint32_t group = 0; group < schema->group_count && status == STATUS_OK; group++)
        if (is_touched(batch, group))
            status = resolve_group(batch, group, batch->parked > 0, err);
    return status == STATUS_OK ? parking_conclude(batch, err) : status;
}
