/* The oracle's own rule of what is shown, on the examples of the specification. */
#include "tests/simulation/model_shown.h"

#include <criterion/criterion.h>
#include <string.h>

/* Two tables: p (u unique), and t (u and v unique each, refers to p and to itself). */
static const struct model_schema schema = {
    .tables =
        {
                 {
                .name = "p",
                .columns = {{.name = "u", .parent = -1}},
                .column_count = 1,
                .uniques = {{0x1, MODEL_NULL}},
                .unique_count = 1,
                .group = 0,
            }, {
                .name = "t",
                .columns = {{.name = "u", .parent = -1},
                            {.name = "v", .parent = -1},
                            {.name = "p", .parent = 0},
                            {.name = "t", .parent = 1}},
                .column_count = 4,
                .uniques = {{0x1, MODEL_NULL}, {0x2, MODEL_NULL}},
                .unique_count = 2,
                .group = 1,
            }, },
    .table_count = 2,
};

enum { N = MODEL_NULL };

struct example_row {
    int table;
    int key;
    uint64_t born;
    int16_t values[MODEL_COLUMNS_MAX];
};

Test(model_shown, follows_the_specification)
{
    static const struct {
        const char *when;
        struct example_row rows[4];
        int count;
        const char *shown; /* keys of t, then those of p in brackets */
    } cases[] = {
        {"two nodes took one name",
         {{1, 1, 1, {7, N, N, N}}, {1, 2, 2, {7, N, N, N}}},
         2,                                                                                       "1[]"  },
        {"the name is free again",                  {{1, 2, 2, {7, N, N, N}}},                 1, "2[]"  },
        {"a row that is not placed claims nothing",
         {{1, 1, 1, {1, N, N, N}}, {1, 2, 2, {1, 2, N, N}}, {1, 3, 3, {N, 2, N, N}}},
         3,                                                                                       "13[]" },
        {"a row that comes back evicts",
         {{1, 2, 2, {1, 2, N, N}}, {1, 3, 3, {N, 2, N, N}}},
         2,                                                                                       "2[]"  },
        {"no parent, not shown",                    {{1, 1, 1, {1, N, 1, N}}},                 1, "[]"   },
        {"its parent is there",                     {{1, 1, 1, {1, N, 1, N}}, {0, 1, 9, {N}}}, 2, "1[1]" },
        {"a row without its parent claims nothing",
         {{1, 1, 1, {1, N, 1, N}}, {1, 2, 5, {1, N, N, N}}},
         2,                                                                                       "2[]"  },
        {"rows that refer to each other",
         {{1, 1, 1, {N, N, N, 1}}, {1, 2, 2, {N, N, N, 3}}, {1, 3, 3, {N, N, N, 2}}},
         3,                                                                                       "123[]"},
        {"what step 3 hides still claims",
         {{1, 1, 1, {1, N, N, 6}}, {1, 2, 2, {1, N, N, N}}},
         2,                                                                                       "[]"   },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_rows rows = {0};
        struct model_fates fates;
        char shown[32] = "";
        size_t used = 0;

        for (int r = 0; r < cases[i].count; r++) {
            const struct example_row *from = &cases[i].rows[r];
            struct model_row *row = &rows.rows[from->table][from->key - 1];

            row->live = true;
            row->born.stamp_us = from->born;
            memcpy(row->values, from->values, sizeof row->values);
        }
        model_shown(&schema, &rows, &fates);
        for (int t = 1; t >= 0; t--) {
            for (int k = 0; k < (int)MODEL_KEYS; k++) {
                if (fates.of[t][k] == FATE_SHOWN)
                    shown[used++] = (char)('1' + k);
            }
            shown[used++] = t == 1 ? '[' : ']';
        }
        cr_expect_str_eq(shown, cases[i].shown, "%s: %s", cases[i].when, shown);
    }
}
