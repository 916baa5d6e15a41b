#include "engine/sqlite_index_sql.h"

#include <criterion/criterion.h>

static struct arena arena;
static struct error err;

static void tear_down(void)
{
    arena_release(&arena);
}

TestSuite(sqlite_index_sql, .fini = tear_down);

Test(sqlite_index_sql, splits_what_sqlite_accepts)
{
    static const struct {
        const char *when;
        const char *sql;
        const char *terms[3];
        const char *where;
    } cases[] = {
        {"columns",                      "CREATE UNIQUE INDEX i ON t(a, b)",       {"a", "b"},                    NULL},
        {"no space",                     "CREATE UNIQUE INDEX i ON t(a,b)where a", {"a", "b"},                    "a" },
        {"an expression",
         "CREATE UNIQUE INDEX i ON t (lower(a), b)",                               {"lower(a)", "b"},
         NULL                                                                                                         },
        {"commas in calls",
         "CREATE UNIQUE INDEX i ON t (substr(a, 1, 2))",                           {"substr(a, 1, 2)"},
         NULL                                                                                                         },
        {"orders",
         "CREATE UNIQUE INDEX i ON t (a DESC, lower(b) asc)",                      {"a", "lower(b)"},
         NULL                                                                                                         },
        {"a column called desc",
         "CREATE UNIQUE INDEX i ON t (desc, a || desc, desc desc)",                {"desc", "a || desc", "desc"},
         NULL                                                                                                         },
        {"a collation",
         "CREATE UNIQUE INDEX i ON t (lower(a) COLLATE rtrim DESC)",               {"lower(a) COLLATE rtrim"},
         NULL                                                                                                         },
        {"a condition",
         "CREATE UNIQUE INDEX i ON t (a) WHERE b > 1 AND (c IS NOT NULL)",         {"a"},
         "b > 1 AND (c IS NOT NULL)"                                                                                  },
        {"quoted parentheses",
         "CREATE UNIQUE INDEX \"i (\" ON [t (x] (\"a\"\"(\" || ')', `b,`) WHERE c <> "
         "'it''s ('",                                                              {"\"a\"\"(\" || ')'", "`b,`"},
         "c <> 'it''s ('"                                                                                             },
        {"comments",
         "CREATE UNIQUE INDEX i -- (\n ON t /* ( */ (a /* , */ -- )\n, b) where -- x\n c "
         "-- y",                                                                   {"a", "b"},
         "c"                                                                                                          },
        {"a comment to the end",
         "CREATE UNIQUE INDEX i ON t (a) /* nothing",                              {"a"},
         NULL                                                                                                         },
        {"a comment instead of a space",
         "CREATE UNIQUE INDEX i ON t (a collate/**/nocase)",                       {"a collate nocase"},
         NULL                                                                                                         },
        {"names beyond ASCII",
         "CREATE UNIQUE INDEX i ON t (größe || 'ß')",                           {"größe || 'ß'"},
         NULL                                                                                                         },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sqlite_index_sql out;
        uint32_t count = 0;

        while (count < 3 && cases[i].terms[count] != NULL)
            count++;
        cr_assert_eq(sqlite_index_split(&arena, cases[i].sql, &out, &err), STATUS_OK,
                     "%s: %s", cases[i].when, err.text);
        cr_assert_eq(out.term_count, count, "%s", cases[i].when);
        for (uint32_t j = 0; j < count; j++)
            cr_expect_str_eq(out.terms[j], cases[i].terms[j], "%s", cases[i].when);
        cr_expect_eq(out.where == NULL, cases[i].where == NULL, "%s", cases[i].when);
        if (out.where != NULL && cases[i].where != NULL)
            cr_expect_str_eq(out.where, cases[i].where, "%s", cases[i].when);
    }
}

Test(sqlite_index_sql, refuses_what_is_no_index)
{
    static const char *const cases[] = {
        "",
        "CREATE TABLE t",
        "CREATE UNIQUE INDEX i ON t (a",
        "CREATE UNIQUE INDEX i ON t (a,)",
        "CREATE UNIQUE INDEX i ON t ()",
        "CREATE UNIQUE INDEX i ON t (a) WHERE",
        "CREATE UNIQUE INDEX i ON t (a) b",
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sqlite_index_sql out;

        cr_expect_eq(sqlite_index_split(&arena, cases[i], &out, &err), STATUS_CORRUPT,
                     "%s", cases[i]);
    }
}
