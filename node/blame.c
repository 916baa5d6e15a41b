#include "node/blame.h"

#include "node/history.h"

#include <stdlib.h>
#include <string.h>

/* One change of the row's history. */
struct step {
    struct version version;
    struct place place;
};

struct steps {
    struct step *list; /* owned; the largest version first once sorted */
    size_t count;
    size_t capacity;
    bool failed;
};

struct blaming {
    struct blame *blame;
    struct store_txn *txn;
    struct steps steps;
    struct image image;   /* of the change that is looked at */
    struct place younger; /* the change looked at before, which carried what is left */
    uint32_t left;        /* cells whose change is not known yet */
};

void blame_init(struct blame *blame)
{
    *blame = (struct blame){0};
    image_init(&blame->image);
}

void blame_release(struct blame *blame)
{
    free(blame->cells);
    image_release(&blame->image);
    blame_init(blame);
}

/* ---- the row's changes */

static bool take_step(void *data, const struct history_step *step)
{
    struct steps *steps = data;
    struct step *grown;

    if (steps->count == steps->capacity) {
        steps->capacity = steps->capacity == 0 ? 64 : 2 * steps->capacity;
        grown = realloc(steps->list, steps->capacity * sizeof *grown);
        steps->failed = grown == NULL;
        if (grown == NULL)
            return false;
        steps->list = grown;
    }
    steps->list[steps->count++] = (struct step){
        step->change->version, {step->change->seq, step->change->index}
    };
    return true;
}

static int largest_first(const void *a, const void *b)
{
    return version_compare(&((const struct step *)b)->version,
                           &((const struct step *)a)->version);
}

static enum status read_steps(struct blaming *blaming, uint32_t table, struct bytes key,
                              struct error *err)
{
    struct steps *steps = &blaming->steps;
    enum status status = history_walk(blaming->txn, table, key, take_step, steps, err);

    if (status == STATUS_OK && steps->failed)
        status = error_set(err, STATUS_NO_MEMORY, "blame: out of memory");
    if (status == STATUS_OK && steps->count > 1)
        qsort(steps->list, steps->count, sizeof *steps->list, largest_first);
    return status;
}

/* ---- which of them the writer of another had seen */

/* Contexts say what is new since the origin's entry before: go back to the one that
 * speaks of that origin. None that is before the earlier change in this log can have seen
 * it, since an entry enters after all that it has seen. */
static enum status context_covers(struct store_txn *txn, const struct version *later,
                                  const struct step *earlier, bool *covers,
                                  struct error *err)
{
    struct log_entry entry;
    struct bytes context, slots;
    uint64_t seq, seen;
    enum status status = STATUS_OK;

    *covers = false;
    for (uint64_t n = later->origin_seq; n > 0; n--) {
        status = log_find(txn, later->origin, n, &seq, err);
        if (status == STATUS_NOT_FOUND ||
            (status == STATUS_OK && seq < earlier->place.seq))
            return STATUS_OK;
        if (status == STATUS_OK)
            status = log_get(txn, seq, &entry, err);
        if (status != STATUS_OK)
            return status;
        context = entry.header.context;
        if (context.size == 0 || !version_vector_take_view(&context, &slots))
            continue;
        seen = version_vector_view_get(slots, earlier->version.origin);
        if (seen == 0)
            continue;
        *covers = seen >= earlier->version.origin_seq;
        return STATUS_OK;
    }
    return status;
}

static enum status has_seen(struct store_txn *txn, const struct log_change *later,
                            const struct step *earlier, bool *seen, struct error *err)
{
    const struct change *change = &later->change;

    *seen = false;
    if (change->has_unseen && change->unseen_origin == earlier->version.origin &&
        change->unseen_seq == earlier->version.origin_seq)
        return STATUS_OK;
    *seen = later->version.origin == earlier->version.origin;
    if (*seen)
        return STATUS_OK;
    return context_covers(txn, &later->version, earlier, seen, err);
}

/* The next smaller version that the writer of this change had seen: what its database
 * held. *at: the change's place among the steps, then that one's; the count for none. */
static enum status find_held(struct blaming *blaming, const struct log_change *change,
                             size_t *at, struct error *err)
{
    bool seen = false;
    enum status status = STATUS_OK;

    for (++*at; status == STATUS_OK && *at < blaming->steps.count; ++*at) {
        status = has_seen(blaming->txn, change, &blaming->steps.list[*at], &seen, err);
        if (seen)
            break;
    }
    return status;
}

/* ---- the columns */

static void settle(struct blaming *blaming, struct blame_cell *cell, struct place place)
{
    if (cell->known)
        return;
    cell->known = true;
    cell->place = place;
    blaming->left--;
}

/* Mark the columns that an update changed. */
static void settle_changed(struct blaming *blaming, const struct log_change *change,
                           const bool *changed, const struct definition *definition)
{
    struct place here = {change->seq, change->index};

    for (uint32_t i = 0; i < blaming->blame->count; i++) {
        struct blame_cell *cell = &blaming->blame->cells[i];
        int32_t column = definition_find_column(definition, cell->column->name);
        int32_t place =
            column < 0 ? -1 : definition_image_place(definition, (uint32_t)column);

        if (place < 0 || blaming->image.values[place].type == VALUE_ABSENT)
            settle(blaming, cell, blaming->younger); /* it brought the column */
        else if (changed[place])
            settle(blaming, cell, here);
    }
}

static enum status look_at_update(struct blaming *blaming,
                                  const struct log_change *change, struct error *err)
{
    struct bytes before = change->change.before;
    struct table table;
    struct value value;
    bool *changed = NULL;
    uint32_t place;
    enum status status = tables_find(blaming->txn, change->version.origin,
                                     change->change.definition, &table, err);

    if (status == STATUS_OK)
        status = image_decode(&blaming->image, change->change.image, table.definition,
                              change->change.key, err);
    if (status != STATUS_OK)
        return status;
    changed = calloc(blaming->image.count + 1U, sizeof *changed);
    if (changed == NULL)
        return error_set(err, STATUS_NO_MEMORY, "blame: out of memory");
    while (status == STATUS_OK && before.size > 0) {
        status = change_take_before(&before, &place, &value, err);
        if (status == STATUS_OK && place >= blaming->image.count)
            status = error_set(err, STATUS_CORRUPT, "%s has no stored column %u",
                               table.definition->name, place);
        if (status == STATUS_OK)
            changed[place] = true;
    }
    if (status == STATUS_OK)
        settle_changed(blaming, change, changed, table.definition);
    free(changed);
    return status;
}

/* From the winner back, each time to what its writer's database held before. */
static enum status walk_back(struct blaming *blaming, struct error *err)
{
    const struct steps *steps = &blaming->steps;
    struct log_change change;
    struct place here;
    size_t at = 0;
    enum status status = STATUS_OK;

    while (at < steps->count &&
           version_compare(&steps->list[at].version, &blaming->blame->row.version) != 0)
        at++;
    while (status == STATUS_OK && blaming->left > 0 && at < steps->count) {
        status = log_change_at(blaming->txn, steps->list[at].place, &change, err);
        if (status != STATUS_OK)
            break;
        here = steps->list[at].place;
        if (blaming->younger.seq == 0)
            blaming->younger = here;
        if (change.change.op != CHANGE_UPDATE) {
            bool brought = change.change.op == CHANGE_INSERT;

            for (uint32_t i = 0; i < blaming->blame->count; i++)
                settle(blaming, &blaming->blame->cells[i],
                       brought ? here : blaming->younger);
            break;
        }
        status = look_at_update(blaming, &change, err);
        blaming->younger = here;
        if (status == STATUS_OK)
            status = find_held(blaming, &change, &at, err);
    }
    return status;
}

static enum status make_cells(struct blame *blame, struct store_txn *txn,
                              struct error *err)
{
    const struct row *row = &blame->row;
    struct table table;
    uint32_t place = 0;
    enum status status =
        tables_find(txn, row->definition_origin, row->definition, &table, err);

    if (status == STATUS_OK)
        status = image_decode(&blame->image, row->image, table.definition, row->key, err);
    if (status != STATUS_OK)
        return status;
    blame->cells = calloc(blame->image.count + 1U, sizeof *blame->cells);
    if (blame->cells == NULL)
        return error_set(err, STATUS_NO_MEMORY, "blame: out of memory");
    for (uint32_t i = 0; i < table.definition->column_count; i++) {
        const struct column *column = &table.definition->columns[i];
        const struct value *value;

        if (column->generated != GENERATED_NO || place >= blame->image.count)
            continue;
        value = &blame->image.values[place++];
        if (value->type != VALUE_ABSENT)
            blame->cells[blame->count++] =
                (struct blame_cell){.column = column, .value = value};
    }
    return STATUS_OK;
}

enum status blame_read(struct blame *blame, struct store_txn *txn, uint32_t table,
                       struct bytes key, struct error *err)
{
    struct blaming blaming = {.blame = blame, .txn = txn};
    enum status status = rows_get(txn, table, key, &blame->row, err);

    if (status != STATUS_OK || !blame->row.live)
        return status;
    image_init(&blaming.image);
    status = make_cells(blame, txn, err);
    blaming.left = blame->count;
    if (status == STATUS_OK)
        status = read_steps(&blaming, table, key, err);
    if (status == STATUS_OK)
        status = walk_back(&blaming, err);
    free(blaming.steps.list);
    image_release(&blaming.image);
    return status;
}
