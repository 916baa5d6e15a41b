/* Tables of one dialect in the other: what is carried over, and what is said of the rest.
 * SQLite itself reads what is made for it; tests/integration/test_schema_postgres.c does
 * the other half. */
#include "engine/schema_private.h"
#include "engine/sqlite_database.h"

#include <criterion/criterion.h>
#include <string.h>

static struct column item_columns[] = {
    {.name = "id",
     .declared_type = "bigint",
     .collation = "",
     .type = FLEET_INTEGER,
     .not_null = true,
     .key_position = 1,
     .default_sql = "nextval('item_id_seq'::regclass)"},
    {.name = "na\"me",
     .declared_type = "character varying(5)",
     .collation = "",
     .type = FLEET_TEXT,
     .not_null = true,
     .default_sql = "'it''s'::character varying"},
    {.name = "price",
     .declared_type = "numeric(10,2)",
     .collation = "",
     .type = FLEET_NUMERIC,
     .default_sql = "1.50"},
    {.name = "small",
     .declared_type = "smallint",
     .collation = "",
     .type = FLEET_INTEGER,
     .default_sql = "'-1'::integer"},
    {.name = "ok",
     .declared_type = "boolean",
     .collation = "",
     .type = FLEET_BOOLEAN,
     .default_sql = "true"},
    {.name = "at",
     .declared_type = "timestamp with time zone",
     .collation = "",
     .type = FLEET_TIMESTAMPTZ,
     .default_sql = "now()"},
    {.name = "data",
     .declared_type = "bytea",
     .collation = "",
     .type = FLEET_BLOB,
     .default_sql = "'\\x00ff'::bytea"},
    {.name = "ratio",                 .declared_type = "real",                                .collation = "",                                                                                   .type = FLEET_REAL                                                                                                                                                                                      },
    {.name = "token",
     .declared_type = "uuid",
     .collation = "",
     .type = FLEET_UUID,
     .default_sql = "gen_random_uuid()"},
    {.name = "odd",
     .declared_type = "integer",
     .collation = "",
     .type = FLEET_INTEGER,
     .default_sql = "my_function(3)"},
    {.name = "twice",
     .declared_type = "integer",
     .collation = "",
     .type = FLEET_INTEGER,
     .generated = GENERATED_STORED},
    {.name = "code",
     .declared_type = "character(2)",
     .collation = "",
     .type = FLEET_TEXT                                                                                                                                                                                               },
    {.name = "mail", .declared_type = "citext",                        .collation = "",                                                        .type = FLEET_TEXT                                                                                                                                                                                    },
};

static const char *no_collations[] = {"", ""};
static const char *name_terms[] = {"lower((\"na\"\"me\")::text)", "small"};
static const char *price_terms[] = {"price"};
static const char *odd_terms[] = {"(data -> 'a'::text)"};
static bool first_is_expression[] = {true, false};
static bool none_is_expression[] = {false};
static struct unique_key item_uniques[] = {
    {.name = "item_name",
     .where_sql = "(small > 0)",
     .terms = name_terms,
     .collations = no_collations,
     .is_expression = first_is_expression,
     .term_count = 2},
    {.name = "item_price",
     .terms = price_terms,
     .collations = no_collations,
     .is_expression = none_is_expression,
     .term_count = 1 },
    {.name = "item_odd",
     .terms = odd_terms,
     .collations = no_collations,
     .is_expression = first_is_expression,
     .term_count = 1},
};

static const char *small_names[] = {"small"};
static const char *id_names[] = {"id"};
static struct foreign_key item_foreign_keys[] = {
    {.name = "f",
     .parent = "shop.place",
     .columns = small_names,
     .parent_columns = id_names,
     .column_count = 1,
     .counts = true},
};

static const struct definition item = {
    .name = "shop.item",
    .local_name = "shop.item",
    .dialect = DIALECT_POSTGRES,
    .ddl = "CREATE TABLE shop.item ();\n",
    .columns = item_columns,
    .column_count = sizeof item_columns / sizeof *item_columns,
    .stored_count = sizeof item_columns / sizeof *item_columns - 1,
    .key_count = 1,
    .uniques = item_uniques,
    .unique_count = 3,
    .foreign_keys = item_foreign_keys,
    .foreign_key_count = 1,
};

static const char *text_of(struct buffer *buffer)
{
    buffer_put(buffer, 0, 1);
    cr_assert_not(buffer->failed);
    return (const char *)buffer->data;
}

static void translate(const struct definition *definition, enum dialect to,
                      struct schema_text *text)
{
    struct error err;

    *text = (struct schema_text){0};
    cr_assert_eq(schema_put(text, definition, to, &err), STATUS_OK);
}

static void expect_run(struct sqlite_database *database, const char *sql, bool works)
{
    struct error err;
    enum status status = sqlite_execute(database, sql, &err);

    cr_expect_eq(status == STATUS_OK, works, "%s: %s", sql,
                 status == STATUS_OK ? "works" : err.text);
}

static void expect_number(struct sqlite_database *database, const char *sql,
                          int64_t wanted)
{
    struct error err;
    int64_t found = -1;

    cr_expect_eq(sqlite_number(database, sql, &found, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(found, wanted, "%s: %lld", sql, (long long)found);
}

Test(schema, postgres_table_in_sqlite)
{
    struct sqlite_database *database;
    struct schema_text text;
    struct error err;

    translate(&item, DIALECT_SQLITE, &text);
    cr_assert_eq(sqlite_memory_open(&database, &err), STATUS_OK);
    expect_run(database, text_of(&text.tables), true);

    /* Its defaults are Postgres's. */
    expect_run(database, "INSERT INTO \"shop.item\" (id, odd) VALUES (7, 1)", true);
    expect_number(database,
                  "SELECT \"na\"\"me\" = 'it''s' AND price = '1.50' AND small = -1"
                  " AND ok = 1 AND data = x'00ff' AND length(token) = 36"
                  " AND at LIKE '____-__-__ __:__:__.___+00' FROM \"shop.item\"",
                  1);
    expect_number(database, "SELECT typeof(price) = 'text' FROM \"shop.item\"", 1);

    /* And so is what it refuses. */
    expect_run(database, "INSERT INTO \"shop.item\" (small) VALUES (40000)", false);
    expect_run(database, "INSERT INTO \"shop.item\" (\"na\"\"me\") VALUES ('toolong')",
               false);
    expect_run(database, "INSERT INTO \"shop.item\" (code) VALUES ('x')", false);
    expect_run(database, "INSERT INTO \"shop.item\" (ok) VALUES (2)", false);
    expect_run(database, "INSERT INTO \"shop.item\" (id) VALUES ('x')", false);
    expect_run(database, "INSERT INTO \"shop.item\" (price, small) VALUES ('2', 3)",
               true);
    expect_run(database,
               "INSERT INTO \"shop.item\" (\"na\"\"me\", price, small)"
               " VALUES ('IT''S', '3', 3)",
               false);
    expect_run(database,
               "INSERT INTO \"shop.item\" (\"na\"\"me\", price, small)"
               " VALUES ('IT''S', '4', -3)",
               true);
    expect_number(database,
                  "SELECT count(*) FROM pragma_foreign_key_list('shop.item') WHERE"
                  " \"table\" = 'shop.place' AND \"from\" = 'small' AND \"to\" = 'id'",
                  1);
    expect_number(database, "SELECT strict FROM pragma_table_list('shop.item')", 1);
    sqlite_database_close(database);

    cr_expect_str_eq(
        text_of(&text.notes),
        "shop.item.ratio: NaN reads as NULL and -0 as 0 in SQLite; unless changed "
        "there, they come back as they were\n"
        "shop.item.odd: its default has no counterpart in SQLite: a value must be given\n"
        "shop.item.twice: a generated column, left out: add it as SQLite computes it, if "
        "it is wanted\n"
        "shop.item.mail: citext is compared without case in SQLite for ASCII letters "
        "only\n"
        "shop.item.item_price: 1.0 and 1.00 are equal in Postgres and two texts in "
        "SQLite\n"
        "shop.item.item_odd: this unique index has no counterpart in SQLite: rows that "
        "Postgres would refuse are parked there\n");
    schema_text_release(&text);
}

Test(schema, its_own_dialect_is_its_own_text)
{
    struct schema_text text;

    translate(&item, DIALECT_POSTGRES, &text);
    cr_expect_str_eq(text_of(&text.tables), item.ddl);
    cr_expect_eq(text.notes.size + text.links.size, 0);
    schema_text_release(&text);
}

Test(schema, names_that_postgres_would_cut_are_refused)
{
    static char name[80];
    struct column column = {.name = "id",
                            .declared_type = "INTEGER",
                            .collation = "",
                            .type = FLEET_INTEGER,
                            .key_position = 1};
    struct definition definition = {.name = name,
                                    .local_name = name,
                                    .dialect = DIALECT_SQLITE,
                                    .ddl = "",
                                    .columns = &column,
                                    .column_count = 1,
                                    .stored_count = 1,
                                    .key_count = 1};
    struct schema_text text = {0};
    struct error err;

    memset(name, 'n', 64);
    cr_expect_eq(schema_put(&text, &definition, DIALECT_POSTGRES, &err), STATUS_REFUSED);
    cr_expect_not_null(strstr(err.text, "63 bytes"), "%s", err.text);
    name[63] = '\0';
    cr_expect_eq(schema_put(&text, &definition, DIALECT_POSTGRES, &err), STATUS_OK);
    schema_text_release(&text);
}

Test(schema, expressions)
{
    static const struct {
        const char *sql;
        const char *wanted; /* NULL: it is not carried over */
    } cases[] = {
        {"(small > 0)",                           "(\"small\" > 0)"      },
        {"((small > 0) AND (small IS NOT NULL))",
         "((\"small\" > 0) AND(\"small\" IS NOT NULL))"                  },
        {"((code)::text = 'a''b'::text)",         "((\"code\") = 'a''b')"},
        {"(small = '5'::bigint)",                 "(\"small\" = '5')"    },
        {"lower((code)::text)",                   "lower((\"code\"))"    },
        {"(price > (0)::numeric)",                NULL                   },
        {"ok",                                    NULL                   },
        {"(small)::text",                         NULL                   },
        {"(code ~~ 'a%'::text)",                  NULL                   },
        {"(small = ANY (ARRAY[1, 2]))",           NULL                   },
        {"(nothing > 0)",                         NULL                   },
        {"my_function(small)",                    NULL                   },
        {"(code = 'a\\b'::text)",                 NULL                   },
        {"(twice > 0)",                           NULL                   },
        {"(small >> 1)",                          NULL                   },
        {"\"small\" + 1.5",                       "\"small\" + 1.5"      },
        {"'open",                                 NULL                   },
        {"\"open",                                NULL                   },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {0};
        bool same = schema_put_expression(&out, cases[i].sql, &item);

        cr_expect_eq(same, cases[i].wanted != NULL, "%s", cases[i].sql);
        if (same && cases[i].wanted != NULL)
            cr_expect_str_eq(text_of(&out), cases[i].wanted);
        else
            cr_expect_eq(out.size, 0, "%s", cases[i].sql);
        buffer_release(&out);
    }
}

Test(schema, literals)
{
    static const struct {
        const char *sql;
        const char *wanted; /* NULL: not one */
        enum value_type type;
    } cases[] = {
        {"5",                       "5",          VALUE_INTEGER},
        {"(-1)",                    "-1",         VALUE_INTEGER},
        {"'-1'::integer",           "-1",         VALUE_TEXT   },
        {"1.5e-3",                  "1.5e-3",     VALUE_INTEGER},
        {"(1)::numeric",            NULL,         VALUE_TEXT   },
        {"'a''b'::text",            "a'b",        VALUE_TEXT   },
        {"'a' || 'b'",              NULL,         VALUE_TEXT   },
        {"'2024-01-01'::date",      "2024-01-01", VALUE_TEXT   },
        {"'now'::text::date",       "now",        VALUE_TEXT   },
        {"x'00ff'",                 "00ff",       VALUE_BLOB   },
        {"NULL::character varying", "",           VALUE_NULL   },
        {"TRUE",                    "1",          VALUE_INTEGER},
        {"now()",                   NULL,         VALUE_TEXT   },
        {"1 + 2",                   NULL,         VALUE_TEXT   },
        {"",                        NULL,         VALUE_TEXT   },
        {"'open",                   NULL,         VALUE_TEXT   },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct schema_literal literal;
        bool is_one = schema_take_literal(cases[i].sql, &literal);

        cr_expect_eq(is_one, cases[i].wanted != NULL, "%s", cases[i].sql);
        if (is_one && cases[i].wanted != NULL) {
            cr_expect_str_eq(text_of(&literal.bytes), cases[i].wanted);
            cr_expect_eq(literal.type, cases[i].type, "%s", cases[i].sql);
        }
        buffer_release(&literal.bytes);
    }
}
