/* Step 2 of parking: rows in the order of their birth, each placed or parked. */
#include "apply/parking_private.h"

enum status parking_take_out(struct batch *batch, struct batch_table *table,
                             struct bytes key, int64_t *id, struct error *err)
{
    struct moved_row row = {0};
    enum status status = batch->ops->mend_first(batch, err);

    if (status != STATUS_OK)
        return status;
    status = moved_find(batch->moved, table->id, key, &row, err);
    *id = row.id;
    if (status == STATUS_OK) {
        status = moved_set(batch->moved, *id, MOVED_QUEUED, NULL, err);
    } else if (status == STATUS_NOT_FOUND) {
        status = batch_describe(batch, table, key, &row, err);
        if (status == STATUS_OK)
            status = moved_add(batch->moved, &row, err);
        *id = row.id;
    }
    if (status == STATUS_OK)
        status = batch_note_gone(batch, table, err);
    if (status == STATUS_OK)
        status = batch->ops->take(batch, table, *id, err);
    if (status == STATUS_OK)
        status = batch->ops->remove(batch, table, err);
    batch->changed[table->group] = true;
    batch->displaced = true;
    return status;
}

enum status parking_find_violated(struct batch *batch, struct batch_table *table,
                                  enum row_place place, bool inner,
                                  struct batch_foreign **out, struct error *err)
{
    enum status status = STATUS_OK;

    *out = NULL;
    for (struct batch_foreign *at = table->as_child;
         at != NULL && status == STATUS_OK && *out == NULL; at = at->next_of_child) {
        bool violated = false;

        if (at->inner == inner)
            status = batch->ops->violated(batch, at, place, &violated, err);
        if (violated)
            *out = at;
    }
    return status;
}

/* ---- names for people */

static void put(struct buffer *text, const char *what)
{
    buffer_put_bytes(text, bytes_of_text(what));
}

static void put_list(struct buffer *text, const char *const *names, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            put(text, ", ");
        put(text, names[i]);
    }
}

/* The unique constraint of this number, or the exclusion. */
static struct bytes name_claim(struct batch *batch, const struct batch_table *table,
                               uint32_t at)
{
    const struct definition *definition = table->definition;
    const struct unique_key *unique;

    if (at >= definition->unique_count)
        return bytes_of_text(table->exclusions[at - definition->unique_count]);
    unique = &definition->uniques[at];
    if (unique->name[0] != '\0')
        return bytes_of_text(unique->name);
    buffer_clear(&batch->image);
    put(&batch->image, unique->is_primary ? "PRIMARY KEY (" : "UNIQUE (");
    put_list(&batch->image, unique->terms, unique->term_count);
    put(&batch->image, ")");
    return buffer_view(&batch->image);
}

struct bytes parking_name_foreign(struct batch *batch,
                                  const struct batch_foreign *foreign)
{
    if (foreign->key->name[0] != '\0')
        return bytes_of_text(foreign->key->name);
    buffer_clear(&batch->image);
    put_list(&batch->image, foreign->key->columns, foreign->key->column_count);
    put(&batch->image, " REFERENCES ");
    put(&batch->image, foreign->key->parent);
    return buffer_view(&batch->image);
}

/* ---- 2: the queue */

static enum status park(struct batch *batch, const struct decision *decision,
                        const struct parked *parked, struct error *err)
{
    batch->displaced = batch->displaced || decision->claimed;
    return moved_set(batch->moved, decision->id, MOVED_PARKED, parked, err);
}

/* The engine refuses the row for what it is; message in err. */
static enum status refuse(struct batch *batch, const struct decision *decision,
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
        status = batch->ops->drop(batch, decision->table, decision->id, err);
    if (status == STATUS_OK)
        status = moved_set(batch->moved, decision->id, MOVED_REFUSED, NULL, err);
    if (status != STATUS_OK)
        return status;
    batch->displaced = batch->displaced || decision->claimed;
    *err = message;
    return batch_note_refused(batch, decision->table->id, decision->key, &row.version,
                              decision->origin != MOVED_PLANNED,
                              decision->was == WAS_SHOWN, err);
}

enum status parking_lacks_parent(struct batch *batch, const struct decision *decision,
                                 struct batch_foreign *foreign, enum parked_kind kind,
                                 struct error *err)
{
    struct parked parked = {.kind = kind, .blocker_table = foreign->parent->id};
    enum status status;

    buffer_clear(&batch->keys);
    status = batch->ops->blocker(batch, foreign, &batch->keys, err);
    parked.constraint = parking_name_foreign(batch, foreign);
    parked.blocker_key = buffer_view(&batch->keys);
    return status == STATUS_OK ? park(batch, decision, &parked, err) : status;
}

/* When was the placed row with this key born? */
static enum status born_of(struct batch *batch, struct batch_table *table,
                           struct bytes key, struct version *born, struct error *err)
{
    struct moved_row row;
    enum status status = moved_find(batch->moved, table->id, key, &row, err);

    if (status == STATUS_NOT_FOUND)
        status = batch_describe(batch, table, key, &row, err);
    *born = row.born;
    return status;
}

/* Park the row for want of a value; rival: the key of who has it, empty: it is not the
 * fleet's. */
static enum status lacks_value(struct batch *batch, const struct decision *decision,
                               uint32_t at, struct bytes rival, struct error *err)
{
    struct parked parked = {
        .kind = PARKED_UNIQUE,
        .constraint = name_claim(batch, decision->table, at),
        .blocker_table = rival.size > 0 ? decision->table->id : 0,
        .blocker_key = rival,
    };

    return park(batch, decision, &parked, err);
}

/* Those who meet one constraint: to batch->keys, or *blocked. */
static enum status find_rivals_of(struct batch *batch, const struct decision *decision,
                                  uint32_t at, struct buffer *rival, bool *blocked,
                                  struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t skip = 0; status == STATUS_OK && !*blocked; skip++) {
        struct version born;

        status = batch->ops->holder(batch, decision->table, at, skip, rival, err);
        *blocked = status == STATUS_REFUSED;
        if (*blocked) /* a row with NULL in its key: not ours to move */
            return lacks_value(batch, decision, at, (struct bytes){0}, err);
        if (status == STATUS_OK)
            status = born_of(batch, decision->table, buffer_view(rival), &born, err);
        if (status != STATUS_OK)
            break;
        *blocked = version_compare(&born, &decision->born) < 0;
        if (*blocked)
            status = lacks_value(batch, decision, at, buffer_view(rival), err);
        else
            buffer_put_sized(&batch->keys, buffer_view(rival));
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Collect who must leave in batch->keys; or *blocked: someone older holds a value, and
 * the row is parked. */
static enum status find_rivals(struct batch *batch, const struct decision *decision,
                               bool *blocked, struct error *err)
{
    const struct batch_table *table = decision->table;
    uint32_t count = table->definition->unique_count + table->exclusion_count;
    struct buffer rival = {0};
    enum status status = STATUS_OK;

    *blocked = false;
    buffer_clear(&batch->keys);
    for (uint32_t i = 0; i < count && status == STATUS_OK && !*blocked; i++)
        status = find_rivals_of(batch, decision, i, &rival, blocked, err);
    buffer_release(&rival);
    return status == STATUS_OK ? buffer_check(&batch->keys, err) : status;
}

static enum status evict_rivals(struct batch *batch, const struct decision *decision,
                                struct error *err)
{
    struct bytes rivals = buffer_view(&batch->keys), key;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && bytes_take_sized(&rivals, &key)) {
        bool there = false;
        int64_t id;

        status = batch->ops->key(batch, decision->table, key, err);
        if (status == STATUS_OK) /* it may hold two of the values */
            status = batch->ops->find(batch, decision->table, &there, err);
        if (status == STATUS_OK && there)
            status = parking_take_out(batch, decision->table, key, &id, err);
    }
    return status;
}

static enum status place(struct batch *batch, const struct decision *decision,
                         struct error *err)
{
    struct batch_table *table = decision->table;
    enum write_result result;
    enum status status = batch->ops->place(batch, table, decision->id, &result, err);

    if (status == STATUS_OK && result == WRITE_UNIQUE && table->fires)
        result = WRITE_REFUSED; /* a row that its triggers write */
    if (status == STATUS_OK && result == WRITE_UNIQUE) {
        return error_set(err, STATUS_IO,
                         "%s: nobody was found who holds a value that is "
                         "taken (REINDEX may help)",
                         table->definition->local_name);
    }
    if (status == STATUS_OK && result == WRITE_ENDED)
        return batch->ops->end(batch, table->id, decision->key, err);
    if (status == STATUS_OK && result == WRITE_REFUSED)
        return refuse(batch, decision, err);
    if (status == STATUS_OK)
        status = batch->ops->drop(batch, table, decision->id, err);
    if (status == STATUS_OK)
        status = moved_set(batch->moved, decision->id, MOVED_PLACED, NULL, err);
    batch->changed[table->group] = true;
    for (struct batch_foreign *at = table->as_child; at != NULL && status == STATUS_OK;
         at = at->next_of_child) {
        if (at->inner) {
            status = suspects_add(batch->moved, table->group,
                                  &(struct suspect){table->id, decision->key}, err);
        }
    }
    return status;
}

static enum status decide(struct batch *batch, const struct decision *decision,
                          struct error *err)
{
    struct batch_table *table = decision->table;
    struct batch_foreign *violated = NULL;
    enum write_result result;
    bool blocked = false;
    enum status status = batch->ops->load(batch, table, decision->id, &result, err);

    if (status == STATUS_OK && result != WRITE_DONE)
        return refuse(batch, decision, err);
    if (status == STATUS_OK)
        status = parking_find_violated(batch, table, ROW_IN_COPY, false, &violated, err);
    if (status == STATUS_OK && violated != NULL)
        return parking_lacks_parent(batch, decision, violated, PARKED_PARENT_OUTER, err);
    if (status == STATUS_OK)
        status = find_rivals(batch, decision, &blocked, err);
    if (status != STATUS_OK || blocked)
        return status;
    status = evict_rivals(batch, decision, err);
    return status == STATUS_OK ? place(batch, decision, err) : status;
}

enum status parking_run_queue(struct batch *batch, uint32_t group, bool partly,
                              struct error *err)
{
    struct moved_row row;
    struct buffer key = {0};
    enum status status;

    while ((status = moved_queued(batch->moved, group, &row, err)) == STATUS_OK) {
        struct decision decision = {
            .table = batch_schema_find(batch->schema, row.table),
            .id = row.id,
            .born = row.born,
            .was = row.was,
            .origin = row.origin,
            .claimed = row.was == WAS_PARKED && row.before.kind == PARKED_PARENT_INNER,
        };

        buffer_clear(&key);
        buffer_put_bytes(&key, row.key);
        decision.key = buffer_view(&key);
        status = buffer_check(&key, err);
        if (status == STATUS_OK)
            status = decide(batch, &decision, err);
        /* Who waited for the displaced row was born after this one: still to come. */
        if (status == STATUS_OK && partly && batch->displaced) {
            partly = false;
            status = parking_load_group(batch, group, true, err);
        }
        if (status != STATUS_OK)
            break;
    }
    buffer_release(&key);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
