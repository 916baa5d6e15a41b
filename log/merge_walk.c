#include "log/merge_private.h"

#include <string.h>

/* Where the walk through the history may stop: below it, everything was seen. */
static enum status walk_floor(struct merge *merge, const struct change *change,
                              uint64_t *floor, struct error *err)
{
    uint64_t seq;
    enum status status;

    *floor = merge->window;
    if (!change->has_unseen)
        return STATUS_OK;
    status = log_find(merge->txn, change->unseen_origin, change->unseen_seq, &seq, err);
    if (status == STATUS_OK && seq < *floor)
        *floor = seq;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static struct known known_of(const struct log_change *earlier)
{
    return (struct known){
        .version = earlier->version,
        .place = {earlier->seq, earlier->index},
        .live = earlier->change.op != CHANGE_DELETE,
        .began = earlier->change.op == CHANGE_INSERT,
        .yields = merge_yields(&earlier->version, &earlier->change),
        .definition_origin = earlier->version.origin,
        .definition = earlier->change.definition,
        .image = earlier->change.image,
    };
}

static bool same_place(struct place a, struct place b)
{
    return a.seq == b.seq && a.index == b.index;
}

static enum status read_change(struct merge *merge, struct incoming *in,
                               struct place place, struct log_change *out,
                               struct error *err)
{
    enum status status = log_change_at(merge->txn, place, out, err);

    in->trimmed = status == STATUS_NOT_FOUND;
    return status;
}

/* A change that the incoming one had not seen: compare the two, and note it for the next
 * change of this origin. */
static enum status meet_unseen(struct merge *merge, struct incoming *in,
                               const struct log_change *earlier, struct error *err)
{
    const struct known known = known_of(earlier);
    struct unseen unseen = {.version = known.version, .place = known.place};
    bool same;
    enum status status;

    walks_class(merge->walks, known.definition_origin, known.definition, known.live,
                known.image, unseen.class);
    status = unseen_add(&merge->walks->found, &unseen, err);
    return status == STATUS_OK ? merge_compare(merge, in, &known, &same, err) : status;
}

/* From the row's last change back to `upto`, which is left out. steps: changes that were
 * read. */
static enum status walk_back(struct merge *merge, struct incoming *in, struct place at,
                             struct place upto, const struct notes *notes, size_t *steps,
                             struct error *err)
{
    uint64_t floor;
    enum status status = walk_floor(merge, in->change, &floor, err);

    /* Changes of this very entry that are not in the log yet: only their notes are. */
    while (status == STATUS_OK && at.seq == merge->seq &&
           at.index >= merge->notes_first && !same_place(at, upto))
        status =
            notes_previous(notes, merge->seq, at.index - merge->notes_first, &at, err);
    for (; status == STATUS_OK && at.seq != 0 && at.seq >= floor && !same_place(at, upto);
         ++*steps) {
        struct log_change earlier;

        status = read_change(merge, in, at, &earlier, err);
        if (status != STATUS_OK)
            break;
        at = earlier.previous;
        if (earlier.seq != merge->seq &&
            !merge_has_seen(merge, in->change, &earlier.version))
            status = meet_unseen(merge, in, &earlier, err);
    }
    return status;
}

/* ---- what earlier walks left open */

/* What the last one that was looked at had in content, when it had the incoming one's. */
struct memory_of_same {
    bool valid;
    uint8_t class[UNSEEN_CLASS_SIZE];
};

static enum status compare_open(struct merge *merge, struct incoming *in,
                                const struct unseen *unseen, struct memory_of_same *last,
                                bool *same, struct error *err)
{
    struct log_change earlier;
    struct known known;
    enum status status;

    *same = last->valid && memcmp(last->class, unseen->class, sizeof last->class) == 0;
    if (*same)
        return STATUS_OK;
    status = read_change(merge, in, unseen->place, &earlier, err);
    if (status != STATUS_OK)
        return status;
    known = known_of(&earlier);
    status = merge_compare(merge, in, &known, same, err);
    if (status == STATUS_OK && *same) {
        last->valid = true;
        memcpy(last->class, unseen->class, sizeof last->class);
    }
    return status;
}

/* Of those smaller than the incoming change, one of other content has its record now and
 * needs no more: what comes from this origin is larger still. */
static enum status settle_smaller(struct merge *merge, struct incoming *in,
                                  struct walk *walk, struct memory_of_same *last,
                                  struct error *err)
{
    struct unseen_list *open = &walk->open;
    size_t i = open->first, kept = 0;
    enum status status = STATUS_OK;

    for (; status == STATUS_OK && i < open->count; i++) {
        struct unseen one = open->items[i];
        bool same = false;

        if (version_compare(&one.version, &in->version) > 0)
            break;
        if (merge_has_seen(merge, in->change, &one.version))
            continue;
        status = compare_open(merge, in, &one, last, &same, err);
        if (status == STATUS_OK && same)
            open->items[open->first + kept++] = one;
        else if (status == STATUS_OK)
            status = walk_settle(walk, &one.version, err);
    }
    if (status != STATUS_OK)
        return status;
    memmove(open->items + i - kept, open->items + open->first,
            kept * sizeof *open->items);
    open->first = i - kept;
    return STATUS_OK;
}

/* Of those larger, the first of other content is the incoming change's record. */
static enum status lose_to_larger(struct merge *merge, struct incoming *in,
                                  const struct unseen_list *open,
                                  struct memory_of_same *last, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = open->count; status == STATUS_OK && !in->recorded && i > open->first;
         i--) {
        bool same;

        if (version_compare(&open->items[i - 1].version, &in->version) < 0)
            break;
        if (!merge_has_seen(merge, in->change, &open->items[i - 1].version))
            status = compare_open(merge, in, &open->items[i - 1], last, &same, err);
    }
    return status;
}

static bool all_seen(const struct merge *merge, const struct walk *walk)
{
    for (size_t i = 0; i < walk->settled.count; i++) {
        struct vector_slot slot = walk->settled.slots[i];

        if (version_vector_get(merge->context, slot.origin) < slot.seq)
            return false;
    }
    return walk->open.first == walk->open.count;
}

static enum status meet_open(struct merge *merge, struct incoming *in, struct walk *walk,
                             bool *all, struct error *err)
{
    struct memory_of_same last = {0};
    enum status status = settle_smaller(merge, in, walk, &last, err);

    if (status == STATUS_OK)
        status = lose_to_larger(merge, in, &walk->open, &last, err);
    *all = status == STATUS_OK && all_seen(merge, walk);
    return status;
}

/* ---- the walk */

/* What is known of the walks before this one; NULL: nothing that helps. A change that
 * names a write that it had not seen had seen less than those before it, and a base row
 * is smaller. */
static struct walk *known_walk(struct merge *merge, const struct incoming *in)
{
    struct walk *walk;

    if (in->change->has_unseen)
        return NULL;
    walk = walks_find(merge->walks, in->table.id, in->change->key, in->version.origin);
    if (walk != NULL && version_compare(&walk->version, &in->version) >= 0) {
        walk_forget(walk);
        return NULL;
    }
    return walk;
}

static enum status keep(struct merge *merge, const struct incoming *in, struct walk *walk,
                        struct error *err)
{
    enum status status = STATUS_OK;

    if (walk == NULL)
        status = walks_claim(merge->walks, in->table.id, in->change->key,
                             in->version.origin, &walk, err);
    if (status != STATUS_OK)
        return status;
    walk->upto = (struct place){merge->seq, in->version.place};
    walk->version = in->version;
    return walks_keep_found(merge->walks, walk, err);
}

enum status merge_walk(struct merge *merge, struct incoming *in, const struct row *winner,
                       const struct notes *notes, bool *all, struct error *err)
{
    struct walk *walk = known_walk(merge, in);
    struct place upto = walk == NULL ? (struct place){0, 0} : walk->upto;
    size_t steps = 0;
    bool none_found, none_open = true;
    enum status status;

    merge->walks->found.count = 0;
    status = walk_back(merge, in, winner->last, upto, notes, &steps, err);
    none_found = merge->walks->found.count == 0;
    if (status == STATUS_OK && walk != NULL)
        status = meet_open(merge, in, walk, &none_open, err);
    *all = status == STATUS_OK && none_found && none_open;
    if (in->trimmed) { /* what is left is not all */
        if (walk != NULL)
            walk_forget(walk);
        return STATUS_OK;
    }
    if (status == STATUS_OK && !in->change->has_unseen &&
        (walk != NULL || steps >= store_of(merge->txn)->walk_steps_min))
        status = keep(merge, in, walk, err);
    return status;
}
