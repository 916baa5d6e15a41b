/* What a Postgres database shows: values that are equal there take each other's place,
 * however the fleet writes them. */
#include "node/shown.h"
#include "tests/support/catalog_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(shown_postgres, .init = catalog_set_up, .fini = catalog_tear_down);

enum { ROWS_MAX = 6 };

static struct shown *shown;

#define MUST(call) cr_assert_eq((call), STATUS_OK, "%s: %s", #call, pg_err.text)

static size_t table_named(const char *name)
{
    for (size_t i = 0; i < pg_catalog.count; i++) {
        if (strcmp(pg_catalog.definitions[i]->name, name) == 0)
            return i;
    }
    cr_assert_fail("%s is not in the catalog", name);
    return 0;
}

/* A row of a table with an integer key and one column more, of whatever type the fleet
 * wrote; born in the order of the calls. */
static void add(const char *name, int64_t key, struct value second)
{
    static uint64_t born_us;
    size_t table = table_named(name);
    const struct definition *definition = pg_catalog.definitions[table];
    struct value values[] = {
        {.type = VALUE_INTEGER, .integer = key},
        second
    };
    struct version born = {.stamp_us = ++born_us, .origin = 1, .origin_seq = 1};
    struct buffer bytes = {0}, image = {0};

    MUST(image_key(&bytes, values, definition, &pg_err));
    image_encode(&image, values, definition);
    MUST(shown_add(shown, table,
                   &(struct shown_row){.key = buffer_view(&bytes),
                                       .image = buffer_view(&image),
                                       .definition = definition},
                   &born, &pg_err));
    buffer_release(&bytes);
    buffer_release(&image);
}

static bool list_fate(void *data, const struct shown_row *row)
{
    static const char fates[] = {'.', 'u', 'o', 'i', 'r'};
    char *text = data;

    text[strlen(text)] = fates[row->fate];
    return true;
}

/* One letter a row, in the order of keys: "." shown, u taken, o and i orphans, r refused.
 */
static void expect_fates(const char *name, const char *wanted, const char *when)
{
    char found[ROWS_MAX + 1] = "";

    MUST(shown_visit(shown, table_named(name), list_fate, found, &pg_err));
    cr_expect_str_eq(found, wanted, "%s: %s", when, found);
}

static void open_shown(const char *schema)
{
    struct error err;

    pg_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    pg_execute(schema);
    pg_execute("BEGIN");
    cr_assert_eq(pg_read_catalog(), STATUS_OK, "%s", pg_err.text);
    pg_execute("COMMIT");
    cr_assert_eq(shown_open(&shown, NULL, pg_session, &pg_catalog, true, &err), STATUS_OK,
                 "%s", err.text);
}

#define TEXT(text)                                                                \
    {                                                                             \
        .type = VALUE_TEXT, .bytes = {(const uint8_t *)(text), sizeof(text) - 1 } \
    }
#define TYPED(kind, text)                                \
    {                                                    \
        .type = VALUE_TYPED, .typed = (kind), .bytes = { \
            (const uint8_t *)(text),                     \
            sizeof(text) - 1                             \
        }                                                \
    }
#define INTEGER(number)                            \
    {                                              \
        .type = VALUE_INTEGER, .integer = (number) \
    }
#define REAL(number)                         \
    {                                        \
        .type = VALUE_REAL, .real = (number) \
    }

static void expect_unique_values(void)
{
    static const struct {
        const char *type, *fates;
        struct value values[4];
        uint32_t count;
    } cases[] = {
        {"numeric",
         ".uu.",                     {TYPED(FLEET_NUMERIC, "1.0"), TYPED(FLEET_NUMERIC, "1.00"), INTEGER(1),
          REAL(1.5)},
         4                                                                                              },
        {"numeric(9,2)",     ".u",   {TYPED(FLEET_NUMERIC, "1.004"), TEXT("1.00")},                    2},
        {"numeric",          ".u",   {TYPED(FLEET_NUMERIC, "NaN"), TEXT("nan")},                       2},
        {"integer",          ".ur",  {INTEGER(7), TEXT("7"), TEXT("seven")},                           3},
        {"text",             ".u.",  {TEXT("7"), INTEGER(7), TEXT("7 ")},                              3},
        {"varchar",          "..",   {TEXT("a"), TEXT("A")},                                           2},
        {"character(3)",     ".u",   {TEXT("a"), TEXT("a  ")},                                         2},
        {"real",             ".uu.", {REAL(0.1), TEXT("0.1"), REAL(0.100000001), REAL(0.2)},           4},
        {"double precision", ".u.u", {REAL(0.0), REAL(-0.0), REAL(NAN), TEXT("NaN")},                  4},
        {"boolean",          ".u",   {INTEGER(1), TEXT("yes")},                                        2},
        {"uuid",
         ".ur",                      {TEXT("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
          TEXT("{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}"), TEXT("a0")},
         3                                                                                              },
        {"timestamptz",
         ".u",                       {TEXT("2024-01-01 00:00:00+00"), TEXT("2024-01-01 01:00:00+01")},
         2                                                                                              },
        {"bytea",            "..",   {{.type = VALUE_BLOB}, {.type = VALUE_NULL}},                     2},
        {"integer",          "..",   {{.type = VALUE_NULL}, {.type = VALUE_NULL}},                     2},
    };
    char schema[200];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(schema, sizeof schema,
                       "CREATE TABLE public.t (id integer PRIMARY KEY, v %s UNIQUE)",
                       cases[i].type);
        open_shown(schema);
        cr_expect_null(shown_lacks(shown, 0), "%s", cases[i].type);
        for (uint32_t k = 0; k < cases[i].count; k++)
            add("t", k, cases[i].values[k]);
        MUST(shown_settle(shown, &pg_err));
        expect_fates("t", cases[i].fates, cases[i].type);
        shown_close(shown);
    }
}

/* What Postgres has to evaluate. */
static void expect_asked_values(void)
{
    static const struct {
        const char *index, *fates;
        struct value values[5];
        uint32_t count;
    } cases[] = {
        {"(lower(v))",
         ".u..",                            {TEXT("Ab"), TEXT("aB"), TEXT("c"), {.type = VALUE_NULL}},
         4                                                                                               },
        {"(v) WHERE id > 1",
         "...u.",                           {TEXT("a"), TEXT("a"), TEXT("a"), TEXT("a"), TEXT("b")},
         5                                                                                               },
        {"(v) NULLS NOT DISTINCT",
         ".u.",                             {{.type = VALUE_NULL}, {.type = VALUE_NULL}, TEXT("NULL")},
         3                                                                                               },
        {"((v::numeric), (id / 2))",
         ".r.u",                            {TEXT("1.0"), TEXT("x"), TEXT("2"), TEXT("2.00")},
         4                                                                                               },
        {"((10 / length(v)))",       ".r.", {TEXT("a"), TEXT(""), TEXT("bb")},                          3},
    };
    char schema[200];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(schema, sizeof schema,
                       "CREATE TABLE public.t (id integer PRIMARY KEY, v text);"
                       "CREATE UNIQUE INDEX ON public.t %s",
                       cases[i].index);
        open_shown(schema);
        cr_expect_null(shown_lacks(shown, 0), "%s", cases[i].index);
        for (uint32_t k = 0; k < cases[i].count; k++)
            add("t", k, cases[i].values[k]);
        MUST(shown_settle(shown, &pg_err));
        expect_fates("t", cases[i].fates, cases[i].index);
        shown_close(shown);
    }
}

static void expect_foreign_keys(void)
{
    open_shown(
        "CREATE TABLE public.\"T\" (id integer PRIMARY KEY, n numeric UNIQUE);"
        "CREATE TABLE public.t (\"Id\" integer PRIMARY KEY, id numeric(9, 3)"
        " REFERENCES public.\"T\" (n));"
        "CREATE TABLE public.free (id integer PRIMARY KEY, t integer);"
        "ALTER TABLE public.free ADD FOREIGN KEY (t) REFERENCES public.t NOT VALID");
    add("T", 1, (struct value)TYPED(FLEET_NUMERIC, "1.50"));
    add("T", 2, (struct value)TYPED(FLEET_NUMERIC, "1.5"));
    add("t", 1, (struct value)REAL(1.5));
    add("t", 2, (struct value)INTEGER(2));
    add("t", 3, (struct value){.type = VALUE_NULL});
    add("free", 1, (struct value)INTEGER(99));
    MUST(shown_settle(shown, &pg_err));
    expect_fates("T", ".u", "parents");
    expect_fates("t", ".o.", "children");
    expect_fates("free", ".", "a key that nobody has validated");
    shown_close(shown);
}

static void expect_lacks(void)
{
    static const struct {
        const char *columns, *why;
    } cases[] = {
        {"v interval CONSTRAINT span UNIQUE",                                          "the unique index span"    },
        {"v jsonb CONSTRAINT document UNIQUE",                                         "the unique index document"},
        {"v text COLLATE public.ci CONSTRAINT word UNIQUE",                            "the unique index word"    },
        {"v text, w text GENERATED ALWAYS AS (lower(v)) STORED CONSTRAINT low UNIQUE",
         "the unique index low"                                                                                   },
    };
    char schema[300];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        (void)snprintf(schema, sizeof schema,
                       "CREATE COLLATION public.ci (provider = icu, locale = 'und-u-ks-"
                       "level2', deterministic = false);"
                       "CREATE TABLE public.t (id integer PRIMARY KEY, %s)",
                       cases[i].columns);
        open_shown(schema);
        cr_assert_not_null(shown_lacks(shown, 0), "%s", cases[i].columns);
        cr_expect_not_null(strstr(shown_lacks(shown, 0), cases[i].why), "%s",
                           shown_lacks(shown, 0));
        add("t", 1, (struct value)TEXT("a"));
        add("t", 2, (struct value)TEXT("a"));
        MUST(shown_settle(shown, &pg_err));
        shown_close(shown);
    }
}

Test(shown_postgres, evaluates_constraints_as_postgres_does)
{
    expect_unique_values();
    expect_asked_values();
    expect_foreign_keys();
    expect_lacks();
}
