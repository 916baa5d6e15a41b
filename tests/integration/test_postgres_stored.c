/* What values become in columns of a real server, against what it stores. */
#include "engine/postgres_stored.h"
#include "engine/postgres_value.h"
#include "tests/support/postgres_fixture.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char setup[] =
    "CREATE TYPE public.mood AS ENUM ('sad', 'ok');"
    "CREATE DOMAIN public.code AS varchar(3) CHECK (VALUE <> 'bad');"
    "CREATE DOMAIN public.codes AS varchar(3)[];"
    "CREATE DOMAIN public.document AS jsonb CHECK (VALUE ? 'a');"
    "CREATE TYPE public.pair AS (n numeric(4,1), t char(3));"
    "CREATE TABLE public.t (i2 smallint, i4 integer DEFAULT 7, i8 bigint, b boolean,"
    " r4 real, r8 double precision, n numeric, n1 numeric(5,1) DEFAULT 2.5, x text,"
    " v varchar, v3 varchar(3) DEFAULT 'abc', c3 char(3) DEFAULT 'a', y bytea"
    " DEFAULT '\\x00ff', d date DEFAULT now(), t0 time(0), tz timetz, ts timestamp(2),"
    " tstz timestamptz, iv interval, u uuid, j json, jb jsonb, a varchar(3)[],"
    " m public.mood DEFAULT 'ok', k public.code, ks public.codes, doc public.document,"
    " p public.pair, bits bit(3), net inet, who name);";

static struct postgres *postgres;
static struct stored *stored;
static struct column *columns;
static struct definition table;
static struct buffer sent, blob;
static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

/* The fleet types of the table's columns in order. */
static const enum fleet_type types[] = {
    FLEET_INTEGER, FLEET_INTEGER,   FLEET_INTEGER,     FLEET_BOOLEAN,  FLEET_REAL,
    FLEET_REAL,    FLEET_NUMERIC,   FLEET_NUMERIC,     FLEET_TEXT,     FLEET_TEXT,
    FLEET_TEXT,    FLEET_TEXT,      FLEET_BLOB,        FLEET_DATE,     FLEET_TIME,
    FLEET_TIME,    FLEET_TIMESTAMP, FLEET_TIMESTAMPTZ, FLEET_INTERVAL, FLEET_UUID,
    FLEET_JSON,    FLEET_JSONB,     FLEET_ARRAY,       FLEET_OTHER,    FLEET_TEXT,
    FLEET_ARRAY,   FLEET_JSONB,     FLEET_OTHER,       FLEET_OTHER,    FLEET_OTHER,
    FLEET_TEXT,
};

enum { COLUMNS = sizeof types / sizeof *types };

static const int64_t integers[] = {0, 1, -40000, 12345, 9007199254740993, INT64_MIN};

static const double reals[] = {0.1, -0.0, 5, 0.1234567890123, 1e300, -INFINITY};

/* As plain text. */
static const char *const texts[] = {
    "",
    "a",
    "abc",
    "abc  ",
    "abcd",
    "bad",
    "ok",
    "yes",
    "5",
    "1.50",
    "-0.00",
    "NaN",
    "12:30:00.6+02",
    "2024-02-03",
    "2024-02-03 04:05:06.789+02",
    "infinity",
    "1 day 25:00:00",
    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
    "{\"b\": 1.0,\"a\":[]}",
    "\"abc\"",
    "{abc,a}",
    "{abcd}",
    "(1.25,a)",
    "101",
    "10.0.0.1/32",
    "größe \\N \"'",
    "0123456789012345678901234567890123456789012345678901234567890123456789",
};

/* As Postgres prints them. */
static const struct {
    enum fleet_type type;
    const char *text;
} typed[] = {
    {FLEET_NUMERIC,     "1.50"                                },
    {FLEET_NUMERIC,     "12345"                               },
    {FLEET_NUMERIC,     "NaN"                                 },
    {FLEET_NUMERIC,     "-Infinity"                           },
    {FLEET_DATE,        "2024-02-03"                          },
    {FLEET_DATE,        "0044-03-15 BC"                       },
    {FLEET_TIME,        "12:30:00.6"                          },
    {FLEET_TIME,        "12:30:00.6+02"                       },
    {FLEET_TIMESTAMP,   "2024-02-03 04:05:06.789"             },
    {FLEET_TIMESTAMP,   "infinity"                            },
    {FLEET_TIMESTAMPTZ, "2024-02-03 04:05:06.789+00"          },
    {FLEET_INTERVAL,    "1 year 2 mons -3 days +04:05:06.789" },
    {FLEET_UUID,        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
    {FLEET_JSON,        " {\"a\" : 1.0}"                      },
    {FLEET_JSONB,       "{\"a\": 1.0}"                        },
    {FLEET_JSONB,       "[]"                                  },
    {FLEET_ARRAY,       "{abc,NULL}"                          },
    {FLEET_ARRAY,       "{abcd}"                              },
    {FLEET_OTHER,       "ok"                                  },
    {FLEET_OTHER,       "(1.25,\"a b\")"                      },
};

static void describe(void)
{
    PGresult *result;

    OK(postgres_query(
        postgres,
        "SELECT attname, format_type(atttypid, atttypmod),"
        " pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef"
        " ON adrelid = attrelid AND adnum = attnum WHERE attnum > 0"
        " AND attrelid = 'public.t'::regclass ORDER BY attnum",
        0, NULL, &result, &err));
    cr_assert_eq(PQntuples(result), COLUMNS);
    columns = calloc(COLUMNS, sizeof *columns);
    for (int i = 0; i < COLUMNS; i++)
        columns[i] = (struct column){
            .name = strdup(PQgetvalue(result, i, 0)),
            .declared_type = strdup(PQgetvalue(result, i, 1)),
            .default_sql =
                PQgetisnull(result, i, 2) != 0 ? NULL : strdup(PQgetvalue(result, i, 2)),
            .type = types[i],
        };
    PQclear(result);
    table = (struct definition){.dialect = DIALECT_POSTGRES,
                                .columns = columns,
                                .column_count = COLUMNS,
                                .stored_count = COLUMNS};
}

static void set_up(const struct cluster *cluster)
{
    OK(postgres_open(&postgres, cluster->url, POSTGRES_WRITE, &err));
    OK(postgres_execute(postgres, setup, &err));
    describe();
    OK(postgres_stored_open(&stored, postgres, &table, &err));
}

static void tear_down(void)
{
    stored_close(stored);
    postgres_close(postgres);
    for (int i = 0; i < COLUMNS; i++) {
        free((char *)columns[i].name);
        free((char *)columns[i].declared_type);
        free((char *)columns[i].default_sql);
    }
    free(columns);
    buffer_release(&sent);
    buffer_release(&blob);
}

static char *terminated(struct bytes text)
{
    char *copy = calloc(1, text.size + 1);

    cr_assert_not_null(copy);
    memcpy(copy, text.data, text.size);
    return copy;
}

/* Insert it for real. *result keeps what *out views. CONSTRAINT: refused. */
static enum status insert(uint32_t place, const struct value *value, PGresult **result,
                          struct value *out)
{
    const char *parameters[1] = {NULL};
    struct bytes text;
    char sql[128];
    enum status status;

    *result = NULL;
    status = postgres_value_text(value, types[place], &sent, &text, &err);
    if (status != STATUS_OK)
        return status;
    if (text.data != NULL)
        parameters[0] = terminated(text);
    (void)snprintf(sql, sizeof sql, "INSERT INTO public.t (%s) VALUES ($1) RETURNING %s",
                   columns[place].name, columns[place].name);
    status = postgres_query(postgres, sql, 1, parameters, result, &err);
    free((char *)parameters[0]);
    if (status != STATUS_OK)
        return status;
    text = (struct bytes){NULL, 0};
    if (PQgetisnull(*result, 0, 0) == 0)
        text = (struct bytes){(const uint8_t *)PQgetvalue(*result, 0, 0),
                              (size_t)PQgetlength(*result, 0, 0)};
    OK(postgres_value_take(types[place], text, &blob, out, &err));
    return STATUS_OK;
}

static void check(uint32_t place, const struct value *value)
{
    struct value wanted, becomes;
    PGresult *result;
    enum status inserted = insert(place, value, &result, &wanted);
    char what[200];

    (void)snprintf(what, sizeof what, "%s: type %u, %" PRId64 ", %g, %.*s",
                   columns[place].name, (unsigned)value->type, value->integer,
                   value->real, (int)value->bytes.size,
                   value->bytes.size > 0 ? (const char *)value->bytes.data : "");
    cr_assert(inserted == STATUS_OK || inserted == STATUS_CONSTRAINT, "%s: %s", what,
              err.text);
    for (int turn = 0; turn < (inserted == STATUS_OK ? 2 : 1); turn++) {
        enum status status = stored->ops->value(stored, place, value, &becomes, &err);

        cr_expect_eq(status, inserted, "%s: %s", what, err.text);
        if (status == STATUS_OK && inserted == STATUS_OK)
            cr_expect(value_equal(&becomes, &wanted), "%s", what);
        if (status == STATUS_OK && becomes.type == value->type &&
            stored->ops->keeps(stored, place, value->type))
            cr_expect(value_equal(&becomes, value), "%s: not kept", what);
    }
    PQclear(result);
}

static void check_others(uint32_t place)
{
    check(place, &(struct value){.type = VALUE_NULL});
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
        check(place, &(struct value){.type = VALUE_INTEGER, .integer = integers[i]});
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        check(place, &(struct value){.type = VALUE_REAL, .real = reals[i]});
    check(place, &(struct value){.type = VALUE_BLOB});
    check(place, &(struct value){.type = VALUE_BLOB, .bytes = bytes_of_text("\xff\\x")});
}

Test(postgres_stored, says_what_the_server_stores)
{
    struct cluster cluster;

    cluster_start(&cluster, NULL);
    set_up(&cluster);
    for (uint32_t place = 0; place < COLUMNS; place++) {
        check_others(place);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            check(place,
                  &(struct value){.type = VALUE_TEXT, .bytes = bytes_of_text(texts[i])});
        for (size_t i = 0; i < sizeof typed / sizeof *typed; i++)
            if (typed[i].type == types[place] || types[place] == FLEET_TEXT)
                check(place, &(struct value){.type = VALUE_TYPED,
                                             .typed = typed[i].type,
                                             .bytes = bytes_of_text(typed[i].text)});
    }
    tear_down();
    cluster_stop(&cluster);
}

static uint32_t place_of(const char *name)
{
    return (uint32_t)definition_find_column(&table, name);
}

static void expect_default(const char *name, enum status status,
                           const struct value *wanted)
{
    struct value found = {0};

    cr_expect_eq(stored->ops->default_value(stored, place_of(name), &found, &err), status,
                 "%s: %s", name, err.text);
    if (status == STATUS_OK)
        cr_expect(value_equal(&found, wanted), "%s", name);
}

static void expect_defaults(void)
{
    expect_default("i4", STATUS_OK, &(struct value){.type = VALUE_INTEGER, .integer = 7});
    expect_default("n1", STATUS_OK,
                   &(struct value){.type = VALUE_TYPED,
                                   .typed = FLEET_NUMERIC,
                                   .bytes = bytes_of_text("2.5")});
    expect_default("c3", STATUS_OK,
                   &(struct value){.type = VALUE_TEXT, .bytes = bytes_of_text("a  ")});
    expect_default("y", STATUS_OK,
                   &(struct value){
                       .type = VALUE_BLOB, .bytes = {(const uint8_t *)"\0\xff", 2}
    });
    expect_default("m", STATUS_OK,
                   &(struct value){.type = VALUE_TYPED,
                                   .typed = FLEET_OTHER,
                                   .bytes = bytes_of_text("ok")});
    expect_default("x", STATUS_OK, &(struct value){.type = VALUE_NULL});
    expect_default("d", STATUS_NOT_FOUND, NULL);
}

static void expect_value(const char *text, enum status status)
{
    struct value value = {.type = VALUE_TEXT, .bytes = bytes_of_text(text)};
    struct value becomes;

    cr_expect_eq(stored->ops->value(stored, place_of("k"), &value, &becomes, &err),
                 status, "%s: %s", text, err.text);
    if (status == STATUS_OK)
        cr_expect(bytes_equal(becomes.bytes, value.bytes), "%s", text);
}

Test(postgres_stored, asks_within_the_callers_transaction_without_ending_it)
{
    struct cluster cluster;
    int64_t rows = 0;

    cluster_start(&cluster, NULL);
    set_up(&cluster);
    OK(postgres_begin(postgres, &err));
    OK(postgres_execute(postgres, "INSERT INTO public.t (i4) VALUES (1)", &err));
    expect_value("bad", STATUS_CONSTRAINT);
    cr_expect_not_null(strstr(err.text, "k: "), "%s", err.text);
    expect_value("abc", STATUS_OK);
    expect_value("abcd", STATUS_CONSTRAINT);
    expect_value("abd", STATUS_OK);
    expect_defaults();
    OK(postgres_commit(postgres, &err));
    OK(postgres_number(postgres, "SELECT count(*) FROM public.t", &rows, &err));
    cr_expect_eq(rows, 1);

    /* What was said before is not asked again; a lost server is no refusal. */
    cluster_order(&cluster, "stop immediate");
    expect_value("abc", STATUS_OK);
    expect_defaults();
    expect_value("abe", STATUS_IO);
    tear_down();
    cluster_stop(&cluster);
}
