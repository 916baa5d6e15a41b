#include "tests/support/shown_rule.h"

#include <stdlib.h>
#include <string.h>

static int by_birth(const void *a, const void *b)
{
    return version_compare(&((const struct rule_row *)a)->born,
                           &((const struct rule_row *)b)->born);
}

static bool shares_claim(const struct rule_row *a, const struct rule_row *b)
{
    for (size_t i = 0; i < RULE_TEXTS_MAX; i++) {
        for (size_t k = 0; k < RULE_TEXTS_MAX; k++)
            if (a->claims[i][0] != '\0' && strcmp(a->claims[i], b->claims[k]) == 0)
                return true;
    }
    return false;
}

/* Whether a shown row provides the text. */
static bool is_provided(const struct rule_row *rows, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; rows[i].shown && k < RULE_TEXTS_MAX; k++)
            if (strcmp(rows[i].provides[k], text) == 0)
                return true;
    }
    return false;
}

static bool has_parents(const struct rule_row *rows, size_t count,
                        const struct rule_row *row, bool inner)
{
    for (size_t i = 0; i < RULE_TEXTS_MAX; i++) {
        if (row->refers[i][0] != '\0' && (row->refers_group[i] == row->group) == inner &&
            !is_provided(rows, count, row->refers[i]))
            return false;
    }
    return true;
}

static void place(struct rule_row *rows, size_t at)
{
    rows[at].placed = true;
    for (size_t i = 0; i < at; i++) {
        if (rows[i].group == rows[at].group && rows[i].placed &&
            shares_claim(&rows[i], &rows[at]))
            rows[at].placed = false;
    }
    rows[at].shown = rows[at].placed;
}

static void decide_group(struct rule_row *rows, size_t count, unsigned group)
{
    bool again = true;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].group != group)
            continue;
        rows[i].candidate = has_parents(rows, count, &rows[i], false);
        if (rows[i].candidate)
            place(rows, i);
    }
    while (again) {
        again = false;
        for (size_t i = 0; i < count; i++) {
            if (rows[i].group != group || !rows[i].shown ||
                has_parents(rows, count, &rows[i], true))
                continue;
            rows[i].shown = false;
            again = true;
        }
    }
}

void rule_decide(struct rule_row *rows, size_t count)
{
    unsigned groups = 0;

    qsort(rows, count, sizeof *rows, by_birth);
    for (size_t i = 0; i < count; i++) {
        rows[i].shown = rows[i].placed = rows[i].candidate = false;
        if (rows[i].group >= groups)
            groups = rows[i].group + 1;
    }
    for (unsigned group = 0; group < groups; group++)
        decide_group(rows, count, group);
}
