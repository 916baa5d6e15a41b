#include "cli/conflict_state.h"

const char *conflict_state_word(enum conflict_state state)
{
    static const char *const words[] = {
        [CONFLICT_OPEN] = "open",
        [CONFLICT_RESTORED] = "restored",
        [CONFLICT_KEPT_BOTH] = "kept-both",
        [CONFLICT_WRITTEN] = "written",
    };

    return words[state];
}

const char *conflict_state_sentence(enum conflict_state state)
{
    static const char *const sentences[] = {
        [CONFLICT_OPEN] = "",
        [CONFLICT_RESTORED] = "the row is again what the write that lost had made it",
        [CONFLICT_KEPT_BOTH] = "both rows were kept",
        [CONFLICT_WRITTEN] = "the row was written again since",
    };

    return sentences[state];
}

/* Whether the row has each value that the loser's image has, by the columns' names. */
static bool has_values(const struct image *row, const struct definition *definition,
                       const struct image *loser, const struct definition *losers)
{
    for (uint32_t i = 0; i < losers->column_count; i++) {
        const struct column *column = &losers->columns[i];
        const struct value *value;
        int32_t own = definition_find_column(definition, column->name);

        if (column->generated != GENERATED_NO)
            continue;
        value = &loser->values[definition_image_place(losers, i)];
        if (value->type == VALUE_ABSENT)
            continue;
        if (own < 0 || definition->columns[own].generated != GENERATED_NO ||
            !value_equal(value,
                         &row->values[definition_image_place(definition, (uint32_t)own)]))
            return false;
    }
    return true;
}

static enum status is_losers(struct view *view, const struct conflict *conflict,
                             const struct row *row, bool *same, struct error *err)
{
    const struct conflict_side *loser = &conflict->loser;
    struct table now, then;
    struct image image;
    enum status status;

    *same = row->live == loser->live;
    if (!row->live || !loser->live)
        return STATUS_OK;
    image_init(&image);
    status = tables_find(view->txn, row->definition_origin, row->definition, &now, err);
    if (status == STATUS_OK)
        status = tables_find(view->txn, loser->definition_origin, loser->definition,
                             &then, err);
    if (status == STATUS_OK)
        status = image_decode(&view->image, row->image, now.definition, row->key, err);
    if (status == STATUS_OK)
        status = image_decode(&image, loser->image, then.definition, conflict->key, err);
    *same = status == STATUS_OK &&
            has_values(&view->image, now.definition, &image, then.definition);
    image_release(&image);
    return status;
}

enum status conflict_state(struct view *view, const struct conflict *conflict,
                           enum conflict_state *state, struct error *err)
{
    struct row row;
    bool same = false;
    enum status status = rows_get(view->txn, conflict->table, conflict->key, &row, err);

    *state = conflict->kept_both ? CONFLICT_KEPT_BOTH : CONFLICT_WRITTEN;
    if (status == STATUS_NOT_FOUND) /* a tombstone that was collected */
        row = (struct row){.live = false};
    else if (status != STATUS_OK)
        return status;
    else if (version_compare(&row.version, &conflict->winner.version) == 0) {
        *state = conflict->kept_both ? CONFLICT_KEPT_BOTH : CONFLICT_OPEN;
        return STATUS_OK;
    }
    status = is_losers(view, conflict, &row, &same, err);
    if (same)
        *state = CONFLICT_RESTORED;
    return status;
}
