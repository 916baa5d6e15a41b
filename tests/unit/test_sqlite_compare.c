#include "engine/sqlite_catalog.h"
#include "engine/sqlite_row.h"
#include "engine/sqlite_stored.h"
#include "log/change.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct sqlite_database *database;
static struct catalog catalog;
static struct row_comparer *comparer;
static struct buffer image, before, held, key;
static struct error err;

static void tear_down(void)
{
    row_comparer_close(comparer);
    catalog_release(&catalog);
    sqlite_database_close(database);
    buffer_release(&image);
    buffer_release(&before);
    buffer_release(&held);
    buffer_release(&key);
}

TestSuite(sqlite_compare, .fini = tear_down);

/* Make a database whose first table (by name) is the one under test. */
static const struct definition *make(const char *sql)
{
    tear_down();
    comparer = NULL;
    memset(&catalog, 0, sizeof catalog);
    image = before = held = key = (struct buffer){0};
    cr_assert_eq(sqlite_memory_open(&database, &err), STATUS_OK);
    cr_assert_eq(sqlite_execute(database, sql, &err), STATUS_OK, "%s", err.text);
    cr_assert_eq(sqlite_begin_read(database, &err), STATUS_OK);
    cr_assert_eq(sqlite_catalog_read(database, NULL, NULL, &catalog, &err), STATUS_OK,
                 "%s", err.text);
    sqlite_rollback(database);
    return catalog.definitions[0];
}

static struct value integer(int64_t number)
{
    return (struct value){.type = VALUE_INTEGER, .integer = number};
}

static struct value real(double number)
{
    return (struct value){.type = VALUE_REAL, .real = number};
}

static struct value sized(enum value_type type, const char *data, size_t size)
{
    return (struct value){
        .type = type, .bytes = {(const uint8_t *)data, size}
    };
}

static struct value text(const char *data)
{
    return sized(VALUE_TEXT, data, strlen(data));
}

#define NOTHING ((struct value){.type = VALUE_NULL})

/* ---- values in and out */

Test(sqlite_compare, every_value_comes_back_bit_for_bit)
{
    const struct value values[] = {
        NOTHING,
        integer(0),
        integer(INT64_MIN),
        integer(INT64_MAX),
        real(0.1),
        real(INFINITY),
        real(-INFINITY),
        real(5e-324),
        real(1e308),
        text(""),
        sized(VALUE_TEXT, "a\0b", 3),
        sized(VALUE_TEXT, "\xff\xc0 bad", 6),
        text("größe"),
        sized(VALUE_BLOB, "", 0),
        sized(VALUE_BLOB, "\0\1", 2),
    };
    sqlite3_stmt *statement;

    make("CREATE TABLE t (i INTEGER PRIMARY KEY, v)");
    cr_assert_eq(sqlite_prepare(database, "SELECT ?1", &statement, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct value back;

        cr_assert_eq(sqlite_bind_value(database, statement, 1, &values[i], &err),
                     STATUS_OK);
        cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
        cr_assert_eq(sqlite_column_value(statement, 0, &back, &err), STATUS_OK);
        cr_expect(value_equal(&back, &values[i]), "value %zu", i);
        (void)sqlite3_reset(statement);
    }
    (void)sqlite3_finalize(statement);
}

Test(sqlite_compare, what_sqlite_has_no_type_for_is_bound_as_it_can_be)
{
    static const struct {
        struct value value;
        struct value back;
    } cases[] = {
        {{.type = VALUE_ABSENT},                           {.type = VALUE_NULL}},
        {{.type = VALUE_TYPED,
          .typed = FLEET_NUMERIC,
          .bytes = {(const uint8_t *)"1.50", 4}},
         {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"1.50", 4}}           },
        {{.type = VALUE_BLOB},                             {.type = VALUE_BLOB}},
        {{.type = VALUE_TEXT},                             {.type = VALUE_TEXT}},
    };
    sqlite3_stmt *statement;

    make("CREATE TABLE t (i INTEGER PRIMARY KEY, v)");
    cr_assert_eq(sqlite_prepare(database, "SELECT ?1", &statement, &err), STATUS_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value back;

        cr_assert_eq(sqlite_bind_value(database, statement, 1, &cases[i].value, &err),
                     STATUS_OK);
        cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
        cr_assert_eq(sqlite_column_value(statement, 0, &back, &err), STATUS_OK);
        cr_expect(value_equal(&back, &cases[i].back), "case %zu", i);
        (void)sqlite3_reset(statement);
    }
    (void)sqlite3_finalize(statement);
}

/* ---- what a value becomes */

Test(sqlite_compare, a_stored_value_is_what_the_engine_makes_of_it)
{
    static const struct {
        const char *type;
        bool strict;
        struct value value;
        struct value stored;
    } cases[] = {
        {"INTEGER",
         false,                     {.type = VALUE_REAL, .real = 2.0},
         {.type = VALUE_INTEGER, .integer = 2}                                                                                    },
        {"DECIMAL(10, 2)",
         false,                     {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"1.50", 4}},
         {.type = VALUE_REAL, .real = 1.5}                                                                                        },
        {"VARCHAR(3)",
         false,                     {.type = VALUE_INTEGER, .integer = 12345},
         {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"12345", 5}}                                                             },
        {"double precision",
         false,                     {.type = VALUE_INTEGER, .integer = 3},
         {.type = VALUE_REAL, .real = 3.0}                                                                                        },
        {"REAL",
         false,                     {.type = VALUE_REAL, .real = -0.0},
         {.type = VALUE_REAL, .real = 0.0}                                                                                        },
        {"",                 false, {.type = VALUE_REAL, .real = 2.0},                           {.type = VALUE_REAL, .real = 2.0}},
        {"\"odd\" (type",
         false,                     {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"7", 1}},
         {.type = VALUE_INTEGER, .integer = 7}                                                                                    },
        {"ANY",
         false,                     {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"7", 1}},
         {.type = VALUE_INTEGER, .integer = 7}                                                                                    },
        {"ANY",
         true,                      {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"7", 1}},
         {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"7", 1}}                                                                 },
        {"INT",
         true,                      {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"7", 1}},
         {.type = VALUE_INTEGER, .integer = 7}                                                                                    },
        {"BLOB",             false, {.type = VALUE_REAL, .real = (double)NAN},                   {.type = VALUE_NULL}             },
    };

    make("CREATE TABLE t (i INTEGER PRIMARY KEY)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct column column = {
            .name = "c", .declared_type = cases[i].type, .collation = ""};
        struct definition definition = {.columns = &column,
                                        .column_count = 1,
                                        .stored_count = 1,
                                        .strict = cases[i].strict};
        struct stored *stored;
        struct value out;

        cr_assert_eq(sqlite_stored_open(&stored, database, &definition, &err), STATUS_OK,
                     "%s", err.text);
        for (int again = 0; again < 2; again++) {
            cr_assert_eq(stored->ops->value(stored, 0, &cases[i].value, &out, &err),
                         STATUS_OK, "%s", err.text);
            cr_expect(value_equal(&out, &cases[i].stored), "case %zu", i);
        }
        stored_close(stored);
    }
}

Test(sqlite_compare, a_strict_column_does_not_take_everything)
{
    const struct definition *definition =
        make("CREATE TABLE t (i INTEGER PRIMARY KEY, v INT) STRICT");
    struct stored *stored;
    struct value out, value = text("x");

    cr_assert_eq(sqlite_stored_open(&stored, database, definition, &err), STATUS_OK);
    cr_expect_eq(stored->ops->value(stored, 1, &value, &out, &err), STATUS_CONSTRAINT);
    value = integer(1);
    cr_expect_eq(stored->ops->value(stored, 1, &value, &out, &err), STATUS_OK);
    stored_close(stored);
}

Test(sqlite_compare, invalid_text_becomes_something_else_in_a_utf16_database)
{
    const struct definition *definition =
        make("PRAGMA encoding = 'UTF-16be'; CREATE TABLE t (i INTEGER PRIMARY KEY, v)");
    struct stored *stored;
    struct value out, value = sized(VALUE_TEXT, "a\xff", 2);

    cr_assert_eq(sqlite_stored_open(&stored, database, definition, &err), STATUS_OK);
    cr_assert_eq(stored->ops->value(stored, 1, &value, &out, &err), STATUS_OK);
    cr_expect(!value_equal(&out, &value));
    value = text("größe");
    cr_assert_eq(stored->ops->value(stored, 1, &value, &out, &err), STATUS_OK);
    cr_expect(value_equal(&out, &value));
    stored_close(stored);
}

Test(sqlite_compare, a_constant_default_is_known)
{
    static const struct {
        const char *sql;
        enum status status;
        struct value value;
    } cases[] = {
        {"DEFAULT 'a''b'",
         STATUS_OK,                                       {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"a'b", 3}}   },
        {"DEFAULT -1",                  STATUS_OK,        {.type = VALUE_INTEGER, .integer = -1}                       },
        {"INTEGER DEFAULT '7'",         STATUS_OK,        {.type = VALUE_INTEGER, .integer = 7}                        },
        {"DEFAULT (1 + 2 -- three\n)",  STATUS_OK,        {.type = VALUE_INTEGER, .integer = 3}                        },
        {"DEFAULT word",
         STATUS_OK,                                       {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"word", 4}}  },
        {"DEFAULT \"quoted\"",
         STATUS_OK,                                       {.type = VALUE_TEXT, .bytes = {(const uint8_t *)"quoted", 6}}},
        {"DEFAULT true",                STATUS_OK,        {.type = VALUE_INTEGER, .integer = 1}                        },
        {"DEFAULT x'00'",
         STATUS_OK,                                       {.type = VALUE_BLOB, .bytes = {(const uint8_t *)"", 1}}      },
        {"",                            STATUS_OK,        {.type = VALUE_NULL}                                         },
        {"DEFAULT CURRENT_TIMESTAMP",   STATUS_NOT_FOUND, {.type = VALUE_NULL}                                         },
        {"DEFAULT (datetime('now'))",   STATUS_NOT_FOUND, {.type = VALUE_NULL}                                         },
        {"DEFAULT (1 + abs(random()))", STATUS_NOT_FOUND, {.type = VALUE_NULL}                                         },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *sql =
            sqlite3_mprintf("CREATE TABLE t (i INTEGER PRIMARY KEY, v %s)", cases[i].sql);
        const struct definition *definition = make(sql);
        struct stored *stored;
        struct value out;

        sqlite3_free(sql);
        cr_assert_eq(sqlite_stored_open(&stored, database, definition, &err), STATUS_OK);
        for (int again = 0; again < 2; again++) {
            cr_expect_eq(stored->ops->default_value(stored, 1, &out, &err),
                         cases[i].status, "%s", cases[i].sql);
            if (cases[i].status == STATUS_OK)
                cr_expect(value_equal(&out, &cases[i].value), "%s", cases[i].sql);
        }
        stored_close(stored);
    }
}

/* ---- rows */

/* Compare row with was, an image of the same values' places under from. */
static bool differs(const struct definition *own, const struct value *row,
                    const struct definition *from, const struct value *was)
{
    bool changed = false;

    if (comparer == NULL)
        cr_assert_eq(sqlite_comparer_open(&comparer, database, own, &err), STATUS_OK,
                     "%s", err.text);
    buffer_clear(&held);
    buffer_clear(&key);
    if (was != NULL) {
        image_encode(&held, was, from);
        cr_assert_eq(image_key(&key, was, from, &err), STATUS_OK);
    } else {
        cr_assert_eq(image_key(&key, row, own, &err), STATUS_OK);
    }
    cr_assert_eq(
        row_compare_held(comparer, buffer_view(&key),
                         was == NULL ? (struct bytes){NULL, 0} : buffer_view(&held), from,
                         row, &changed, &image, &before, &err),
        STATUS_OK, "%s", err.text);
    return changed;
}

static void expect_image(const struct definition *own, const struct value *values)
{
    struct buffer wanted = {0};

    image_encode(&wanted, values, own);
    cr_expect(bytes_equal(buffer_view(&wanted), buffer_view(&image)));
    buffer_release(&wanted);
}

static void expect_before(uint32_t place, const struct value *value, bool is_last)
{
    static struct bytes rest;
    static bool goes_on;
    struct value out = {0};
    uint32_t at = 0;

    if (!goes_on)
        rest = buffer_view(&before);
    cr_assert_gt(rest.size, 0);
    cr_assert_eq(change_take_before(&rest, &at, &out, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(at, place);
    cr_expect(value_equal(&out, value));
    goes_on = !is_last;
    if (is_last)
        cr_expect_eq(rest.size, 0);
}

Test(sqlite_compare, a_row_without_a_holding_is_new)
{
    const struct definition *own = make("CREATE TABLE t (i INTEGER PRIMARY KEY, v)");
    const struct value row[] = {integer(1), text("x")};

    cr_expect(differs(own, row, NULL, NULL));
    expect_image(own, row);
    cr_expect_eq(before.size, 0);
}

Test(sqlite_compare, an_equal_row_has_not_changed)
{
    const struct definition *own = make("CREATE TABLE t (i INTEGER PRIMARY KEY, v, w)");
    const struct value row[] = {integer(1), text("x"), NOTHING};

    cr_expect(!differs(own, row, own, row));
}

Test(sqlite_compare, a_changed_column_is_named_with_its_value_before)
{
    const struct definition *own =
        make("CREATE TABLE t (i INTEGER PRIMARY KEY, v, g AS (v), w, x)");
    const struct value was[] = {integer(1), text("x"), NOTHING, real(1)};
    const struct value row[] = {integer(1), text("y"), NOTHING, integer(1)};

    cr_expect(differs(own, row, own, was));
    expect_image(own, row);
    expect_before(1, &was[1], false);
    expect_before(3, &was[3], true);
}

Test(sqlite_compare, a_value_that_this_engine_stores_otherwise_has_not_changed)
{
    const struct definition *own = make(
        "CREATE TABLE t (i INTEGER PRIMARY KEY, price DECIMAL(10,2), at timestamp, n)");
    const struct value was[] = {
        integer(1),
        {.type = VALUE_TYPED,
             .typed = FLEET_NUMERIC,
             .bytes = {(const uint8_t *)"1.50", 4}},
        text("2024"),
        integer(1)
    };
    struct value row[] = {integer(1), real(1.5), integer(2024), integer(1)};

    cr_expect(!differs(own, row, own, was));
    row[3] = integer(2);
    cr_expect(differs(own, row, own, was));
    expect_before(3, &was[3], true);
    /* What did not change comes back as it was. */
    expect_image(own, (const struct value[]){was[0], was[1], was[2], row[3]});
    row[1] = real(1.6);
    cr_expect(differs(own, row, own, was));
    expect_before(1, &was[1], false);
    expect_before(3, &was[3], true);
}

Test(sqlite_compare, a_value_that_a_strict_table_refuses_differs)
{
    const struct definition *own =
        make("CREATE TABLE t (i INTEGER PRIMARY KEY, v INT) STRICT");
    const struct value was[] = {integer(1), text("many")};
    const struct value row[] = {integer(1), NOTHING};

    cr_expect(differs(own, row, own, was));
    expect_before(1, &was[1], true);
}

Test(sqlite_compare, a_column_that_the_holding_lacks_is_compared_with_its_default)
{
    const struct definition *own = make(
        "CREATE TABLE t (a DEFAULT 7, i INTEGER PRIMARY KEY, v, at DEFAULT CURRENT_DATE);"
        "CREATE TABLE told (i INTEGER PRIMARY KEY, v, gone)");
    const struct definition *old = catalog.definitions[1];
    const struct value was[] = {integer(1), text("x"), text("kept by others")};
    struct value row[] = {integer(7), integer(1), text("x"), text("2024-01-01")};
    const struct value seven = integer(7), null = {.type = VALUE_NULL};

    cr_assert_str_eq(old->name, "told");
    cr_expect(differs(own, row, old, was)); /* what is no constant is told */
    expect_before(3, &null, true);
    row[3] = null;
    cr_expect(!differs(own, row, old, was));
    row[0] = integer(8);
    cr_expect(differs(own, row, old, was));
    expect_image(own, row);
    expect_before(0, &seven, true);
}

Test(sqlite_compare, another_form_of_the_key_is_a_change)
{
    const struct definition *own = make("CREATE TABLE t (k PRIMARY KEY, v)");
    const struct value was[] = {integer(1), text("x")};
    const struct value row[] = {real(1.0), text("x")};

    cr_expect(differs(own, row, own, was));
    expect_image(own, row);
    expect_before(0, &was[0], true);
}

Test(sqlite_compare, a_row_that_is_gone_leaves_all_its_columns)
{
    static const struct value by_key = {.type = VALUE_KEY};
    const struct definition *own =
        make("CREATE TABLE t (v, g AS (v), k TEXT PRIMARY KEY, w, own_only)");
    const struct value was[] = {text("x"), text("key"), NOTHING, integer(9)};

    cr_assert_eq(sqlite_comparer_open(&comparer, database, own, &err), STATUS_OK);
    image_encode(&held, was, own);
    cr_assert_eq(image_key(&key, was, own, &err), STATUS_OK);
    cr_assert_eq(row_compare_gone(comparer, buffer_view(&key), buffer_view(&held), own,
                                  &before, &err),
                 STATUS_OK, "%s", err.text);
    expect_before(0, &was[0], false);
    expect_before(1, &by_key, false);
    expect_before(2, &was[2], false);
    expect_before(3, &was[3], true);
}

Test(sqlite_compare, a_damaged_image_is_told)
{
    const struct definition *own = make("CREATE TABLE t (i INTEGER PRIMARY KEY, v)");
    const struct value row[] = {integer(1), text("x")};
    bool changed;

    cr_assert_eq(sqlite_comparer_open(&comparer, database, own, &err), STATUS_OK);
    cr_assert_eq(image_key(&key, row, own, &err), STATUS_OK);
    cr_expect_eq(row_compare_held(comparer, buffer_view(&key), bytes_of_text("\x07"), own,
                                  row, &changed, &image, &before, &err),
                 STATUS_CORRUPT);
}
