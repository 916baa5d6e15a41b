#include "tests/simulation/model_shown.h"

#include <string.h>

int model_version_compare(const struct model_version *a, const struct model_version *b)
{
    if (a->stamp_us != b->stamp_us)
        return a->stamp_us < b->stamp_us ? -1 : 1;
    if (a->origin != b->origin)
        return a->origin < b->origin ? -1 : 1;
    if (a->seq != b->seq)
        return a->seq < b->seq ? -1 : 1;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return 0;
}

bool model_same_content(const struct model_row *a, const struct model_row *b, int columns)
{
    if (!a->live || !b->live)
        return a->live == b->live;
    return memcmp(a->values, b->values, (size_t)columns * sizeof *a->values) == 0;
}

/* Whether two rows of one table claim one value of the constraint. */
static bool clash(const struct model_table *table, const struct model_unique *unique,
                  const struct model_row *a, const struct model_row *b)
{
    for (int c = 0; c < table->column_count; c++) {
        int x = a->values[c];
        int y = b->values[c];

        if ((unique->columns & (1U << c)) == 0)
            continue;
        if (x == MODEL_NULL || y == MODEL_NULL)
            return false;
        if (unique->above != MODEL_NULL && (x <= unique->above || y <= unique->above))
            return false;
        if (table->columns[c].no_case ? x / 2 != y / 2 : x != y)
            return false;
    }
    return true;
}

/* Whether a placed row has one of the row's unique values. */
static bool is_taken(const struct model_table *table, const struct model_row *rows,
                     const enum model_fate *fates, int key)
{
    for (int k = 0; k < MODEL_KEYS; k++) {
        if (k == key || fates[k] != FATE_SHOWN)
            continue;
        for (int u = 0; u < table->unique_count; u++) {
            if (clash(table, &table->uniques[u], &rows[k], &rows[key]))
                return true;
        }
    }
    return false;
}

/* Whether a row misses a parent outside (inner false) or inside of its group. */
static bool misses_parent(const struct model_schema *schema, int table,
                          const struct model_row *row, const struct model_fates *fates,
                          bool inner)
{
    const struct model_table *self = &schema->tables[table];

    for (int c = 0; c < self->column_count; c++) {
        int parent = self->columns[c].parent;

        if (parent < 0 || row->values[c] == MODEL_NULL ||
            (schema->tables[parent].group == self->group) != inner)
            continue;
        if (fates->of[parent][row->values[c] - 1] != FATE_SHOWN)
            return true;
    }
    return false;
}

/* Steps 1 and 2: of the candidates, in the order of born, those whose values are free. */
static void place(const struct model_schema *schema, const struct model_rows *rows,
                  int table, struct model_fates *out)
{
    const struct model_row *row = rows->rows[table];
    enum model_fate *fate = out->of[table];
    bool done[MODEL_KEYS] = {false};

    for (int turn = 0; turn < MODEL_KEYS; turn++) {
        int next = -1;

        for (int k = 0; k < MODEL_KEYS; k++) {
            if (row[k].live && !done[k] &&
                (next < 0 || model_version_compare(&row[k].born, &row[next].born) < 0))
                next = k;
        }
        if (next < 0)
            return;
        done[next] = true;
        fate[next] = misses_parent(schema, table, &row[next], out, false)
                         ? FATE_ORPHAN_OUTER
                     : is_taken(&schema->tables[table], row, fate, next) ? FATE_TAKEN
                                                                         : FATE_SHOWN;
    }
}

/* Step 3: until no placed row of the group misses a parent in it. */
static void hide_orphans(const struct model_schema *schema, const struct model_rows *rows,
                         int group, struct model_fates *out)
{
    bool again = true;

    while (again) {
        again = false;
        for (int t = 0; t < schema->table_count; t++) {
            if (schema->tables[t].group != group)
                continue;
            for (int k = 0; k < MODEL_KEYS; k++) {
                if (out->of[t][k] == FATE_SHOWN &&
                    misses_parent(schema, t, &rows->rows[t][k], out, true)) {
                    out->of[t][k] = FATE_ORPHAN_INNER;
                    again = true;
                }
            }
        }
    }
}

void model_shown(const struct model_schema *schema, const struct model_rows *rows,
                 struct model_fates *out)
{
    *out = (struct model_fates){{{FATE_DEAD}}};
    for (int group = 0; group < schema->table_count; group++) {
        for (int t = 0; t < schema->table_count; t++) {
            if (schema->tables[t].group == group)
                place(schema, rows, t, out);
        }
        hide_orphans(schema, rows, group, out);
    }
}
