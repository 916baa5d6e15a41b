#include "log/merge_private.h"

#include <assert.h>
#include <string.h>

void merge_release(struct merge *merge)
{
    buffer_release(&merge->scratch);
    buffer_release(&merge->memory);
    buffer_release(&merge->co);
    version_vector_release(&merge->held);
}

enum status merge_start(struct merge *merge, struct error *err)
{
    struct version_vector *held = &merge->held;
    enum status status = meta_get_vector(merge->txn, META_VECTOR, held, err);

    merge->window = merge->seq;
    for (size_t i = 0; status == STATUS_OK && i < held->count; i++) {
        uint64_t origin = held->slots[i].origin, seq = 0;
        uint64_t seen = version_vector_get(merge->context, origin);

        if (origin == merge->header->origin || seen >= held->slots[i].seq)
            continue;
        status = log_find(merge->txn, origin, seen + 1, &seq, err);
        if (status ==
            STATUS_NOT_FOUND) { /* trimmed: what is left of the log is the window */
            merge->window = 0;
            status = STATUS_OK;
        } else if (status == STATUS_OK && seq < merge->window) {
            merge->window = seq;
        }
    }
    return status;
}

bool merge_has_seen(const struct merge *merge, const struct change *change,
                    const struct version *earlier)
{
    /* First: one's own write too was not seen when it was parked since. */
    if (change->has_unseen && change->unseen_origin == earlier->origin &&
        change->unseen_seq == earlier->origin_seq)
        return false;
    if (earlier->origin == merge->header->origin)
        return true;
    return version_vector_get(merge->context, earlier->origin) >= earlier->origin_seq;
}

bool merge_yields(const struct version *version, const struct change *change)
{
    return version->stamp_us == 0 && change->has_unseen;
}

static enum conflict_rule rule_of(const struct version *loser,
                                  const struct version *winner, bool loser_yields)
{
    if (loser_yields)
        return RULE_JOINED;
    return loser->stamp_us == winner->stamp_us ? RULE_ORIGIN : RULE_LATER;
}

static enum status same_content(struct merge *merge, const struct incoming *in,
                                const struct known *known, bool *same, struct error *err)
{
    struct table table;
    struct bytes none = {NULL, 0};
    bool live = in->change->op != CHANGE_DELETE;
    enum status status;

    if (!live || !known->live) {
        *same = live == known->live;
        return STATUS_OK;
    }
    status =
        tables_find(merge->txn, known->definition_origin, known->definition, &table, err);
    if (status != STATUS_OK)
        return status;
    return image_same_content(live ? in->change->image : none, in->table.definition,
                              known->live ? known->image : none, table.definition,
                              in->change->key, same, err);
}

/* Record the smaller of the two, unless it has a record already. */
static enum status add_conflict(struct merge *merge, struct incoming *in,
                                const struct known *known, struct error *err)
{
    const struct change *change = in->change;
    const struct conflict_side mine = {
        .version = in->version,
        .place = {merge->seq, in->version.place},
        .live = change->op != CHANGE_DELETE,
        .definition_origin = in->version.origin,
        .definition = change->definition,
        .image = change->image,
    };
    const struct conflict_side theirs = {
        .version = known->version,
        .place = known->place,
        .live = known->live,
        .definition_origin = known->definition_origin,
        .definition = known->definition,
        .image = known->image,
    };
    bool newer = version_compare(&in->version, &known->version) > 0, added;
    struct conflict conflict = {
        .table = in->table.id,
        .key = change->key,
        .noticed_us = merge->now_us,
        .two_inserts = merge_yields(&in->version, change) ||
                       (change->op == CHANGE_INSERT && known->began),
        .loser = newer ? theirs : mine,
        .winner = newer ? mine : theirs,
    };
    enum status status;

    conflict.rule = rule_of(&conflict.loser.version, &conflict.winner.version,
                            newer ? known->yields : merge_yields(&in->version, change));
    status = conflict_add(merge->txn, &conflict, &added, err);
    if (status == STATUS_OK && added)
        merge->conflicts++;
    if (status == STATUS_OK && !newer)
        in->recorded = true;
    return status;
}

enum status merge_compare(struct merge *merge, struct incoming *in,
                          const struct known *known, bool *same, struct error *err)
{
    enum status status = same_content(merge, in, known, same, err);

    if (status == STATUS_OK && !*same)
        status = add_conflict(merge, in, known, err);
    return status;
}

static void known_of_row(struct known *out, const struct row *row)
{
    *out = (struct known){
        .version = row->version,
        .place = row->winner,
        .live = row->live,
        .began = row->live && version_compare(&row->born, &row->version) == 0,
        .definition_origin = row->definition_origin,
        .definition = row->definition,
        .image = row->image,
    };
}

/* The absorbed versions that stay listed beside the winner: those that the change had not
 * seen. When its content is another's than theirs, they are conflicts (of a log that was
 * trimmed: else the walk has found them). */
static enum status keep_absorbed(struct merge *merge, struct incoming *in,
                                 const struct row *winner, bool same, struct buffer *kept,
                                 uint32_t *kept_count, struct error *err)
{
    struct bytes co = winner->co;
    struct version version;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && row_co_take(&co, &version)) {
        struct known known;

        if (merge_has_seen(merge, in->change, &version))
            continue;
        if (same) {
            version_put(kept, &version);
            ++*kept_count;
            continue;
        }
        known_of_row(&known, winner);
        known.version = version;
        known.place = (struct place){0, version.place};
        status = add_conflict(merge, in, &known, err);
    }
    return status;
}

/* Conflicts of the change, the list of absorbed versions that its row then has, and
 * whether the row is linear. Contexts are closed: who has seen a winner has seen what it
 * had seen, so of a linear row nothing is left to walk for. */
static enum status meet(struct merge *merge, struct incoming *in,
                        const struct row *winner, const struct notes *notes,
                        uint32_t *co_count, bool *linear, struct error *err)
{
    struct buffer *co = &merge->co;
    struct known known;
    bool same, seen = merge_has_seen(merge, in->change, &winner->version);
    enum status status;

    *linear = seen && winner->linear && !in->change->has_unseen;

    known_of_row(&known, winner);
    status = seen ? same_content(merge, in, &known, &same, err)
                  : merge_compare(merge, in, &known, &same, err);
    if (status == STATUS_OK && !*linear)
        status = merge_walk(merge, in, winner, notes, linear, err);
    *linear = *linear && seen;
    if (status == STATUS_OK)
        status = keep_absorbed(merge, in, winner, same, co, co_count, err);
    if (status != STATUS_OK)
        return status;
    if (same && !seen && *co_count < ROW_CO_MAX) {
        version_put(co, in->wins ? &winner->version : &in->version);
        ++*co_count;
    } else if (!same && !in->wins) { /* the winner keeps its list as it was */
        buffer_clear(co);
        buffer_put_bytes(co, winner->co);
        *co_count = winner->co_count;
    }
    return buffer_check(co, err);
}

static void row_of_change(const struct merge *merge, const struct incoming *in,
                          struct row *out)
{
    const struct change *change = in->change;
    bool live = change->op != CHANGE_DELETE;

    *out = (struct row){
        .version = in->version,
        .winner = {merge->seq, in->version.place},
        .last = {merge->seq, in->version.place},
        .live = live,
        .local = merge->local,
        .definition_origin = in->version.origin,
        .definition = change->definition,
        .image = change->image,
        .key = change->key,
    };
    if (live)
        out->born = change->has_born ? change->born : in->version;
}

/* Keep `held` true (DESIGN section 5, "Held images"). A local change also ends parking
 * and quarantine of its row: the database has what it says. */
static enum status keep_held(struct merge *merge, const struct incoming *in,
                             const struct row *incoming_row, const struct row *winner,
                             struct error *err)
{
    struct store_txn *txn = merge->txn;
    uint32_t table = in->table.id;
    struct bytes key = in->change->key;
    struct row held;
    enum status status;

    if (merge->local) {
        status = in->wins ? held_delete(txn, table, key, err)
                          : held_put(txn, table, incoming_row, err);
        if (status == STATUS_OK)
            status = parked_delete(txn, table, key, err);
        if (status == STATUS_OK && in->wins)
            status = quarantine_delete(txn, table, key, err);
        return status;
    }
    if (!in->wins)
        return STATUS_OK;
    status = held_get(txn, table, key, &held, err);
    if (status != STATUS_NOT_FOUND)
        return status;
    held = winner != NULL ? *winner : (struct row){.key = key};
    held.linear = false;
    return held_put(txn, table, &held, err);
}

/* Copy what outlives the first write into the same transaction. */
static enum status keep_winner(struct buffer *memory, struct row *winner,
                               struct error *err)
{
    size_t image_size = winner->image.size, co_size = winner->co.size;
    enum status status;

    buffer_clear(memory);
    buffer_put_bytes(memory, winner->image);
    buffer_put_bytes(memory, winner->co);
    status = buffer_check(memory, err);
    if (status != STATUS_OK)
        return status;
    winner->image = (struct bytes){memory->data, image_size};
    winner->co =
        (struct bytes){memory->data == NULL ? NULL : memory->data + image_size, co_size};
    return STATUS_OK;
}

enum status merge_change(struct merge *merge, const struct change *change, uint32_t index,
                         struct notes *notes, struct error *err)
{
    struct incoming in = {
        .change = change,
        .version = {merge->header->stamp_us, merge->header->origin,
                    merge->header->origin_seq, index},
    };
    struct row winner, mine, kept;
    uint32_t co_count = 0;
    bool known = false, linear = true;
    enum status status =
        tables_find(merge->txn, in.version.origin, change->definition, &in.table, err);

    if (status == STATUS_OK) {
        status = rows_get(merge->txn, in.table.id, change->key, &winner, err);
        known = status == STATUS_OK;
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    if (status == STATUS_OK && known)
        status = keep_winner(&merge->memory, &winner, err);
    if (status != STATUS_OK)
        return status;
    buffer_clear(&merge->co);
    in.wins = !known || version_compare(&in.version, &winner.version) > 0;
    row_of_change(merge, &in, &mine);
    if (known)
        status = meet(merge, &in, &winner, notes, &co_count, &linear, err);
    if (status == STATUS_OK)
        status = keep_held(merge, &in, &mine, known ? &winner : NULL, err);
    if (status != STATUS_OK)
        return status;
    kept = in.wins ? mine : winner;
    kept.last = mine.last;
    kept.linear = linear;
    kept.co = buffer_view(&merge->co);
    kept.co_count = co_count;
    status = rows_put(merge->txn, in.table.id, &kept, &merge->scratch, err);
    notes_add(notes, merge->seq, in.wins, known ? winner.last : (struct place){0, 0});
    return status == STATUS_OK ? notes_check(notes, err) : status;
}
