/* Per group, once the groups of all outer parents are final:
 *
 *    main                     other                     main
 *   ------                   -------                   ------
 *   no outer parent ------->                   /-----> placed     (2, by birth)
 *   (1)                      queue --- decide ---- evicts younger ones: they join the queue
 *   dirty, parked ---------> (by birth)        \-----> stays: parked, outer or unique
 *
 *   placed, inner parent missing ------------> parked, inner (3, until nothing changes)
 *
 * Placed rows are in the user's table and nowhere else, so its own unique indexes are the
 * claims. A row can only lose its place to one born earlier, so one ascending pass is exact;
 * all rows that were parked are in the queue again, so whatever became free is found. What
 * step 3 hides has been placed, and has evicted, like any other. Step 3 takes orphans away
 * until there are none: what is left is the largest set without any. */
#include "apply/sqlite_parking.h"

#include "apply/sqlite_other.h"
#include "apply/sqlite_unique.h"

#include <assert.h>

struct decision {
    struct sqlite_table *table;
    int64_t id;
    struct bytes key;
    struct version born;
    enum moved_was was;
    enum moved_origin origin;
};

static enum status put_at_hand(struct sqlite_batch *batch, struct sqlite_table *table,
                               struct bytes key, struct error *err)
{
    enum write_result result;
    enum status status = sqlite_schema_writer(batch->schema, table, err);

    if (status == STATUS_OK)
        status = sqlite_writer_key(table->writer, NULL, key, &result, err);
    return status;
}

/* ---- names for people */

static void put_list(struct buffer *text, const char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            sql_put(text, ", ");
        sql_put(text, names[i]);
    }
}

static struct bytes name_unique(struct sqlite_batch *batch, const struct unique_key *unique)
{
    if (unique->name[0] != '\0')
        return bytes_of_text(unique->name);
    buffer_clear(&batch->image);
    sql_put(&batch->image, unique->is_primary ? "PRIMARY KEY (" : "UNIQUE (");
    put_list(&batch->image, unique->terms, unique->term_count);
    sql_put(&batch->image, ")");
    return buffer_view(&batch->image);
}

static struct bytes name_foreign(struct sqlite_batch *batch,
                                 const struct sqlite_foreign *foreign)
{
    if (foreign->key->name[0] != '\0')
        return bytes_of_text(foreign->key->name);
    buffer_clear(&batch->image);
    put_list(&batch->image, foreign->key->columns, foreign->key->column_count);
    sql_put(&batch->image, " REFERENCES ");
    sql_put(&batch->image, foreign->key->parent);
    return buffer_view(&batch->image);
}

/* ---- taking rows out */

/* Take the writer's row at hand out of its table; *id: its number among the moved. */
static enum status take_out(struct sqlite_batch *batch, struct sqlite_table *table,
                            struct bytes key, int64_t *id, struct error *err)
{
    struct moved_row row;
    enum status status = sqlite_moved_find(batch->moved, table->id, key, &row, err);

    *id = row.id;
    if (status == STATUS_OK) {
        status = sqlite_moved_set(batch->moved, *id, MOVED_QUEUED, NULL, err);
    } else if (status == STATUS_NOT_FOUND) {
        status = sqlite_batch_describe(batch, table, key, &row, err);
        if (status == STATUS_OK)
            status = sqlite_moved_add(batch->moved, &row, err);
        *id = row.id;
    }
    if (status == STATUS_OK)
        status = sqlite_batch_note_gone(batch, table, err);
    if (status == STATUS_OK)
        status = sqlite_other_take(batch->schema, table, *id, err);
    if (status == STATUS_OK)
        status = sqlite_batch_remove(batch, table, err);
    batch->changed[table->group] = true;
    return status;
}

/* ---- 1: rows without their outer parents */

/* Add the children that lost a parent to the suspects. */
static enum status suspect_orphans(struct sqlite_batch *batch, struct sqlite_foreign *foreign,
                                   bool all, struct error *err)
{
    struct sqlite_table *child = foreign->child;
    enum status status = STATUS_OK;

    if (child->id == 0) /* nobody has logged a row of it */
        return STATUS_OK;
    while (status == STATUS_OK) {
        buffer_clear(&batch->key);
        status = sqlite_foreign_next_orphan(foreign, all, &batch->key, err);
        if (status == STATUS_OK)
            status = sqlite_suspects_add(
                batch->moved, child->group,
                &(struct suspect){child->id, buffer_view(&batch->key)}, err);
    }
    sqlite_foreign_stop(foreign);
    if (status != STATUS_NOT_FOUND)
        return status;
    return all ? STATUS_OK : sqlite_foreign_forget_gone(foreign, err);
}

static enum status suspect_children(struct sqlite_batch *batch, uint32_t group, bool inner,
                                    struct error *err)
{
    struct sqlite_schema *schema = batch->schema;
    enum status status = STATUS_OK;

    for (uint32_t i = schema->group_start[group];
         i < schema->group_start[group + 1] && status == STATUS_OK; i++)
        for (struct sqlite_foreign *at = schema->by_group[i]->as_child;
             at != NULL && status == STATUS_OK; at = at->next_of_child)
            if (at->inner == inner && at->gone > 0)
                status = suspect_orphans(batch, at, false, err);
    return status;
}

/* The first foreign key of this kind that the table's row does not satisfy; NULL: none. */
static enum status find_violated(struct sqlite_table *table, enum sql_schema schema,
                                 bool inner, struct sqlite_foreign **out, struct error *err)
{
    enum status status = STATUS_OK;

    *out = NULL;
    for (struct sqlite_foreign *at = table->as_child;
         at != NULL && status == STATUS_OK && *out == NULL; at = at->next_of_child) {
        bool violated = false;

        if (at->inner == inner)
            status = sqlite_foreign_violated(at, schema, &violated, err);
        if (violated)
            *out = at;
    }
    return status;
}

/* Copy the group's next suspect to batch->key. */
static enum status next_suspect(struct sqlite_batch *batch, uint32_t group,
                                struct suspect *suspect, struct error *err)
{
    struct suspect next;
    enum status status = sqlite_suspects_after(batch->moved, group, suspect, &next, err);

    if (status != STATUS_OK)
        return status;
    buffer_clear(&batch->key);
    buffer_put_bytes(&batch->key, next.key);
    *suspect = (struct suspect){next.table, buffer_view(&batch->key)};
    return buffer_check(&batch->key, err);
}

/* Take the suspects that are no candidates out of their tables. They stay suspects: of their
 * parents inside the group nothing is known yet. */
static enum status drop_candidates(struct sqlite_batch *batch, uint32_t group,
                                   struct error *err)
{
    struct suspect suspect = {0};
    enum status status;

    while ((status = next_suspect(batch, group, &suspect, err)) == STATUS_OK) {
        struct sqlite_table *table = sqlite_schema_find(batch->schema, suspect.table);
        struct sqlite_foreign *violated;
        int64_t id;

        status = put_at_hand(batch, table, suspect.key, err);
        if (status == STATUS_OK)
            status = find_violated(table, SCHEMA_MAIN, false, &violated, err);
        if (status == STATUS_OK && violated != NULL)
            status = take_out(batch, table, suspect.key, &id, err);
        if (status != STATUS_OK)
            return status;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- parked rows join in */

struct loading {
    struct sqlite_batch *batch;
    enum status status;
    struct error *err;
};

/* Whether a parked row is to be decided anew; then *row is what it would be shown as. */
static enum status is_open(struct sqlite_batch *batch, struct sqlite_table *table,
                           struct bytes key, bool *open, struct row *row, struct error *err)
{
    struct moved_row moved;
    enum intent_item_kind kind;
    bool beyond;
    enum status status = sqlite_moved_find(batch->moved, table->id, key, &moved, err);

    *open = false;
    if (status == STATUS_NOT_FOUND)
        status = sqlite_items_find(batch->items, table->id, key, &kind, &beyond, err);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = rows_get(batch->txn, table->id, key, row, err);
    if (status != STATUS_OK)
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    /* A later winner comes with its batch. */
    if (!row->live || (!row->local && row->winner.seq > batch->range.to))
        return STATUS_OK;
    status = put_at_hand(batch, table, key, err);
    if (status == STATUS_OK) /* the plan may have shown it already */
        status = sqlite_writer_find(table->writer, open, err);
    *open = !*open;
    return status;
}

static enum status load_parked(struct sqlite_batch *batch, struct sqlite_table *table,
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
    bool open;
    enum status status = is_open(batch, table, parked->key, &open, &row, err);

    if (status != STATUS_OK || !open)
        return status;
    status = tables_find(batch->txn, row.definition_origin, row.definition, &defined, err);
    if (status == STATUS_OK)
        status = sqlite_writer_map(table->writer, defined.definition, row.image, parked->key,
                                   &result, err);
    if (status == STATUS_OK && result == WRITE_DONE)
        status = sqlite_other_try(batch->schema, table, &result, err);
    if (status == STATUS_OK && result != WRITE_DONE)
        return sqlite_batch_note_refused(batch, table->id, parked->key, &row.version, true,
                                         false, err);
    moved.born = row.born;
    if (status == STATUS_OK)
        status = sqlite_moved_add(batch->moved, &moved, err);
    return status == STATUS_OK ? sqlite_other_keep(batch->schema, table, moved.id, err)
                               : status;
}

static bool visit_parked(void *data, uint32_t table, const struct parked *parked)
{
    struct loading *loading = data;

    loading->status = load_parked(loading->batch,
                                  sqlite_schema_find(loading->batch->schema, table), parked,
                                  loading->err);
    return loading->status == STATUS_OK;
}

static enum status load_group(struct sqlite_batch *batch, uint32_t group, struct error *err)
{
    struct loading loading = {batch, STATUS_OK, err};
    struct sqlite_schema *schema = batch->schema;
    enum status status = STATUS_OK;

    for (uint32_t i = schema->group_start[group];
         i < schema->group_start[group + 1] && status == STATUS_OK; i++) {
        if (schema->by_group[i]->id == 0)
            continue;
        status = parked_visit(batch->txn, schema->by_group[i]->id, visit_parked, &loading, err);
        if (status == STATUS_OK)
            status = loading.status;
    }
    return status;
}

/* ---- 2: the queue */

static enum status park(struct sqlite_batch *batch, const struct decision *decision,
                        const struct parked *parked, struct error *err)
{
    return sqlite_moved_set(batch->moved, decision->id, MOVED_PARKED, parked, err);
}

/* The engine refuses the row for what it is; message in err. */
static enum status refuse(struct sqlite_batch *batch, const struct decision *decision,
                          struct error *err)
{
    struct error message = *err;
    struct row row;
    bool is_winner;
    enum status status = plan_row_at(batch->txn, batch->range.to, decision->table->id,
                                     decision->key, &row, &is_winner, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_IO, "%s: a refused row is not known",
                         decision->table->definition->local_name);
    if (status == STATUS_OK)
        status = sqlite_other_drop(batch->schema, decision->table, decision->id, err);
    if (status == STATUS_OK)
        status = sqlite_moved_set(batch->moved, decision->id, MOVED_REFUSED, NULL, err);
    if (status != STATUS_OK)
        return status;
    *err = message;
    return sqlite_batch_note_refused(batch, decision->table->id, decision->key, &row.version,
                                     decision->origin != MOVED_PLANNED,
                                     decision->was == WAS_SHOWN, err);
}

static enum status park_without_parent(struct sqlite_batch *batch,
                                       const struct decision *decision,
                                       struct sqlite_foreign *foreign, enum parked_kind kind,
                                       struct error *err)
{
    struct parked parked = {.kind = kind, .blocker_table = foreign->parent->id};
    enum status status;

    buffer_clear(&batch->keys);
    status = sqlite_foreign_blocker(foreign, &batch->keys, err);
    parked.constraint = name_foreign(batch, foreign);
    parked.blocker_key = buffer_view(&batch->keys);
    return status == STATUS_OK ? park(batch, decision, &parked, err) : status;
}

/* When was the placed row with this key born? */
static enum status born_of(struct sqlite_batch *batch, struct sqlite_table *table,
                           struct bytes key, struct version *born, struct error *err)
{
    struct moved_row row;
    enum status status = sqlite_moved_find(batch->moved, table->id, key, &row, err);

    if (status == STATUS_NOT_FOUND)
        status = sqlite_batch_describe(batch, table, key, &row, err);
    *born = row.born;
    return status;
}

/* Collect who must leave in batch->keys; or *blocked: someone older holds a value, and the row
 * is parked. */
static enum status find_rivals(struct sqlite_batch *batch, const struct decision *decision,
                               bool *blocked, struct error *err)
{
    const struct definition *definition = decision->table->definition;
    struct buffer rival = {0};
    enum status status = STATUS_OK;

    *blocked = false;
    buffer_clear(&batch->keys);
    for (uint32_t i = 0; i < definition->unique_count && status == STATUS_OK && !*blocked; i++) {
        struct version born;

        status = sqlite_unique_holder(batch->schema, decision->table, i, &rival, err);
        if (status == STATUS_NOT_FOUND) {
            status = STATUS_OK;
            continue;
        }
        if (status == STATUS_OK)
            status = born_of(batch, decision->table, buffer_view(&rival), &born, err);
        if (status != STATUS_OK)
            break;
        *blocked = version_compare(&born, &decision->born) < 0;
        if (*blocked)
            status = park(batch, decision,
                          &(struct parked){
                              .kind = PARKED_UNIQUE,
                              .constraint = name_unique(batch, &definition->uniques[i]),
                              .blocker_table = decision->table->id,
                              .blocker_key = buffer_view(&rival),
                          },
                          err);
        else
            buffer_put_sized(&batch->keys, buffer_view(&rival));
    }
    buffer_release(&rival);
    return status == STATUS_OK ? buffer_check(&batch->keys, err) : status;
}

static enum status evict_rivals(struct sqlite_batch *batch, const struct decision *decision,
                                struct error *err)
{
    struct bytes rivals = buffer_view(&batch->keys), key;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && bytes_take_sized(&rivals, &key)) {
        bool there = false;
        int64_t id;

        status = put_at_hand(batch, decision->table, key, err);
        if (status == STATUS_OK) /* it may hold two of the values */
            status = sqlite_writer_find(decision->table->writer, &there, err);
        if (status == STATUS_OK && there)
            status = take_out(batch, decision->table, key, &id, err);
    }
    return status;
}

static enum status place(struct sqlite_batch *batch, const struct decision *decision,
                         struct error *err)
{
    struct sqlite_table *table = decision->table;
    enum write_result result;
    enum status status = sqlite_other_place(batch->schema, table, decision->id, &result, err);

    if (status == STATUS_OK && result == WRITE_UNIQUE)
        return error_set(err, STATUS_IO, "%s: nobody was found who holds a value that is "
                                         "taken (REINDEX may help)",
                         table->definition->local_name);
    if (status == STATUS_OK && result == WRITE_ENDED)
        return sqlite_batch_end(batch, table->id, decision->key, err);
    if (status == STATUS_OK && result == WRITE_REFUSED)
        return refuse(batch, decision, err);
    if (status == STATUS_OK)
        status = sqlite_other_drop(batch->schema, table, decision->id, err);
    if (status == STATUS_OK)
        status = sqlite_moved_set(batch->moved, decision->id, MOVED_PLACED, NULL, err);
    batch->changed[table->group] = true;
    for (struct sqlite_foreign *at = table->as_child; at != NULL && status == STATUS_OK;
         at = at->next_of_child)
        if (at->inner)
            status = sqlite_suspects_add(batch->moved, table->group,
                                         &(struct suspect){table->id, decision->key}, err);
    return status;
}

static enum status decide(struct sqlite_batch *batch, const struct decision *decision,
                          struct error *err)
{
    struct sqlite_table *table = decision->table;
    struct sqlite_foreign *violated = NULL;
    enum write_result result;
    bool blocked = false;
    enum status status = sqlite_other_load(batch->schema, table, decision->id, &result, err);

    if (status == STATUS_OK && result != WRITE_DONE)
        return refuse(batch, decision, err);
    if (status == STATUS_OK)
        status = find_violated(table, SCHEMA_SCRATCH, false, &violated, err);
    if (status == STATUS_OK && violated != NULL)
        return park_without_parent(batch, decision, violated, PARKED_PARENT_OUTER, err);
    if (status == STATUS_OK)
        status = find_rivals(batch, decision, &blocked, err);
    if (status != STATUS_OK || blocked)
        return status;
    status = evict_rivals(batch, decision, err);
    return status == STATUS_OK ? place(batch, decision, err) : status;
}

static enum status run_queue(struct sqlite_batch *batch, uint32_t group, struct error *err)
{
    struct moved_row row;
    struct buffer key = {0};
    enum status status;

    while ((status = sqlite_moved_queued(batch->moved, group, &row, err)) == STATUS_OK) {
        struct decision decision = {
            .table = sqlite_schema_find(batch->schema, row.table),
            .id = row.id,
            .born = row.born,
            .was = row.was,
            .origin = row.origin,
        };

        buffer_clear(&key);
        buffer_put_bytes(&key, row.key);
        decision.key = buffer_view(&key);
        status = buffer_check(&key, err);
        if (status == STATUS_OK)
            status = decide(batch, &decision, err);
        if (status != STATUS_OK)
            break;
    }
    buffer_release(&key);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- 3: rows without their inner parents */

static enum status hide(struct sqlite_batch *batch, struct sqlite_table *table,
                        struct bytes key, struct sqlite_foreign *violated, struct error *err)
{
    struct decision decision = {.table = table, .key = key};
    enum write_result result;
    enum status status = take_out(batch, table, key, &decision.id, err);

    if (status == STATUS_OK)
        status = sqlite_other_load(batch->schema, table, decision.id, &result, err);
    return status == STATUS_OK ? park_without_parent(batch, &decision, violated,
                                                     PARKED_PARENT_INNER, err)
                               : status;
}

static enum status hide_orphans(struct sqlite_batch *batch, uint32_t group, struct error *err)
{
    enum status status = suspect_children(batch, group, true, err);

    while (status == STATUS_OK) {
        struct suspect suspect = {0};
        struct sqlite_foreign *violated = NULL;
        struct sqlite_table *table;

        status = next_suspect(batch, group, &suspect, err);
        if (status != STATUS_OK)
            break;
        table = sqlite_schema_find(batch->schema, suspect.table);
        status = sqlite_suspects_remove(batch->moved, group, &suspect, err);
        if (status == STATUS_OK)
            status = put_at_hand(batch, table, suspect.key, err);
        if (status == STATUS_OK)
            status = find_violated(table, SCHEMA_MAIN, true, &violated, err);
        if (status == STATUS_OK && violated != NULL)
            status = hide(batch, table, suspect.key, violated, err);
        /* batch->key is free again: the children of what was hidden. */
        if (status == STATUS_OK && violated != NULL)
            status = suspect_children(batch, group, true, err);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- all groups */

static bool is_touched(const struct sqlite_batch *batch, uint32_t group)
{
    const struct sqlite_schema *schema = batch->schema;

    if (batch->all || batch->changed[group])
        return true;
    for (uint32_t i = schema->group_start[group]; i < schema->group_start[group + 1]; i++)
        for (const struct sqlite_foreign *at = schema->by_group[i]->as_child; at != NULL;
             at = at->next_of_child)
            if (batch->changed[at->parent->group])
                return true;
    return false;
}

static enum status resolve_group(struct sqlite_batch *batch, uint32_t group, bool any_parked,
                                 struct error *err)
{
    enum status status = suspect_children(batch, group, false, err);

    if (status == STATUS_OK)
        status = drop_candidates(batch, group, err);
    if (status == STATUS_OK && any_parked)
        status = load_group(batch, group, err);
    if (status == STATUS_OK)
        status = run_queue(batch, group, err);
    return status == STATUS_OK ? hide_orphans(batch, group, err) : status;
}

enum status sqlite_parking_resolve(struct sqlite_batch *batch, struct error *err)
{
    struct sqlite_schema *schema = batch->schema;
    uint64_t parked = 0;
    enum status status = parked_count(batch->txn, &parked, err);

    for (uint32_t i = 0; i < schema->foreign_count && batch->all && status == STATUS_OK; i++)
        status = suspect_orphans(batch, &schema->foreigns[i], true, err);
    for (uint32_t group = 0; group < schema->group_count && status == STATUS_OK; group++)
        if (is_touched(batch, group))
            status = resolve_group(batch, group, parked > 0 && !batch->repair, err);
    return status == STATUS_OK ? sqlite_parking_conclude(batch, err) : status;
}
