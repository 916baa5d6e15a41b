#include "log/image.h"
#include "tests/support/failing_memory.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <string.h>

#define VIEW(array) ((struct bytes){array, sizeof(array)})
#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

/* Key (b, a): its order is not the table's. */
static struct column columns[] = {
    {.name = "a",                     .key_position = 2},
    {.name = "g",                               .generated = GENERATED_VIRTUAL},
    {.name = "b",.key_position = 1},
    {.name = "c"                    },
};
static const struct definition table = {.name = "t",
                                        .columns = columns,
                                        .column_count = 4,
                                        .stored_count = 3,
                                        .key_count = 2};

/* b = 5, a = "x\0y" */
static const uint8_t key[] = {0x10, 0x80, 0,   0, 0,    0,   0, 0,
                              5,    0x30, 'x', 0, 0xff, 'y', 0, 0};
/* a and b as in the key, c = 1 */
static const uint8_t golden[] = {6, 6, 1, 2};
/* b is the real 5.0, whose key is the integer; c is NULL */
static const uint8_t inexact[] = {6, 2, 0x40, 0x14, 0, 0, 0, 0, 0, 0, 0};

static struct image image;
static struct buffer out;
static struct error err;

static void set_up(void)
{
    image_init(&image);
    buffer_init(&out);
}

static void tear_down(void)
{
    image_release(&image);
    buffer_release(&out);
}

TestSuite(image, .init = set_up, .fini = tear_down);

static const struct value *decode(struct bytes bytes)
{
    cr_assert_eq(image_decode(&image, bytes, &table, VIEW(key), &err), STATUS_OK, "%s",
                 err.text);
    cr_assert_eq(image.count, 3);
    return image.values;
}

static enum status recode(struct bytes in, struct buffer *to, struct error *reason)
{
    enum status status = image_decode(&image, in, &table, VIEW(key), reason);

    if (status == STATUS_OK)
        image_encode(to, image.values, &table);
    return status;
}

Test(image, fills_in_the_key_columns)
{
    static const struct bytes text = TEXT("x\0y");
    const struct value *values = decode(VIEW(golden));

    cr_expect_eq(values[0].type, VALUE_TEXT);
    cr_expect(bytes_equal(values[0].bytes, text));
    cr_expect_eq(values[1].type, VALUE_INTEGER);
    cr_expect_eq(values[1].integer, 5);
    cr_expect_eq(values[2].integer, 1);
}

Test(image, encodes_to_the_golden_bytes)
{
    recode_expect_canonical(VIEW(golden), recode);
    recode_expect_canonical(VIEW(inexact), recode);
}

Test(image, keeps_a_value_that_its_key_changes)
{
    struct value values[] = {
        {.type = VALUE_TEXT, .bytes = TEXT("x\0y")},
        {.type = VALUE_REAL,                  .real = 5},
        {.type = VALUE_NULL}
    };
    struct buffer made = {0};

    image_encode(&out, values, &table);
    cr_assert_eq(image_key(&made, values, &table, &err), STATUS_OK);
    cr_expect(bytes_equal(buffer_view(&made), VIEW(key)));
    cr_expect_eq(decode(buffer_view(&out))[1].type, VALUE_REAL);
    cr_expect(value_equal(&image.values[1], &values[1]));
    buffer_release(&made);
}

static struct value typed(enum fleet_type type, const char *text)
{
    return (struct value){
        .type = VALUE_TYPED, .typed = type, .bytes = bytes_of_text(text)};
}

static struct value numeric(const char *text)
{
    return typed(FLEET_NUMERIC, text);
}

static struct value uuid(const char *text)
{
    return typed(FLEET_UUID, text);
}

static struct value date(const char *text)
{
    return typed(FLEET_DATE, text);
}

static struct value other(const char *text)
{
    return typed(FLEET_OTHER, text);
}

static struct value plain(const char *text)
{
    return (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text(text)};
}

static struct value integer(int64_t number)
{
    return (struct value){.type = VALUE_INTEGER, .integer = number};
}

/* One key column: what the key says to it, whoever wrote the row. */
Test(image, a_postgres_key_column_has_its_own_type_again)
{
    const struct {
        enum dialect dialect;
        enum fleet_type type;
        struct value value;
        const char *image;
    } cases[] = {
        {DIALECT_POSTGRES, FLEET_NUMERIC, numeric("5"),                    "\006"            },
        {DIALECT_POSTGRES, FLEET_NUMERIC, numeric("-9223372036854775808"), "\006"            },
        {DIALECT_POSTGRES, FLEET_NUMERIC, numeric("9223372036854775808"),  "\006"            },
        {DIALECT_POSTGRES, FLEET_NUMERIC, numeric("5.0"),                  "\005\005\0035.0" },
        {DIALECT_POSTGRES, FLEET_NUMERIC, numeric("1.5"),                  "\006"            },
        {DIALECT_POSTGRES, FLEET_NUMERIC, numeric("1.50"),                 "\005\005\0041.50"},
        {DIALECT_POSTGRES, FLEET_NUMERIC, numeric("NaN"),                  "\006"            },
        {DIALECT_POSTGRES, FLEET_NUMERIC, integer(5),                      "\001\012"        },
        {DIALECT_POSTGRES, FLEET_NUMERIC, plain("1.5"),                    "\003\0031.5"     },
        {DIALECT_POSTGRES, FLEET_NUMERIC, plain("5"),                      "\006"            },
        {DIALECT_POSTGRES, FLEET_UUID,    uuid("a0"),                      "\006"            },
        {DIALECT_POSTGRES, FLEET_UUID,    plain("a0"),                     "\003\002a0"      },
        {DIALECT_POSTGRES, FLEET_UUID,    date("a0"),                      "\005\007\002a0"  },
        {DIALECT_POSTGRES, FLEET_UUID,    integer(5),                      "\006"            },
        {DIALECT_POSTGRES, FLEET_OTHER,   other("a b"),                    "\006"            },
        {DIALECT_POSTGRES, FLEET_TEXT,    plain("a0"),                     "\006"            },
        {DIALECT_POSTGRES, FLEET_TEXT,    uuid("a0"),                      "\005\014\002a0"  },
        {DIALECT_POSTGRES, FLEET_BOOLEAN, integer(1),                      "\006"            },
        {DIALECT_SQLITE,   FLEET_NUMERIC, integer(5),                      "\006"            },
        {DIALECT_SQLITE,   FLEET_NUMERIC, numeric("5"),                    "\005\005\0015"   },
        {DIALECT_SQLITE,   FLEET_UUID,    uuid("a0"),                      "\005\014\002a0"  },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes expected = bytes_of_text(cases[i].image);
        struct column column = {.name = "k", .type = cases[i].type, .key_position = 1};
        struct definition one = {.name = "t",
                                 .dialect = cases[i].dialect,
                                 .columns = &column,
                                 .column_count = 1,
                                 .stored_count = 1,
                                 .key_count = 1};
        struct buffer made = {0};

        buffer_clear(&out);
        image_encode(&out, &cases[i].value, &one);
        cr_expect(bytes_equal(buffer_view(&out), expected), "case %zu", i);
        cr_assert_eq(image_key(&made, &cases[i].value, &one, &err), STATUS_OK);
        cr_assert_eq(image_decode(&image, expected, &one, buffer_view(&made), &err),
                     STATUS_OK, "case %zu: %s", i, err.text);
        cr_expect(value_equal(&image.values[0], &cases[i].value), "case %zu", i);
        cr_assert_eq(image_decode_key(&image, &one, buffer_view(&made), &err), STATUS_OK);
        cr_expect_eq(value_equal(&image.values[0], &cases[i].value),
                     expected.data[0] == VALUE_KEY, "case %zu", i);
        buffer_release(&made);
    }
}

/* What the key says is said by it, and only there. */
Test(image, a_postgres_key_column_has_one_form)
{
    static const uint8_t five[] = {0x10, 0x80, 0, 0, 0, 0, 0, 0, 5};
    static const uint8_t twice[] = {5, 5, 1, '5'};
    static const uint8_t other[] = {5, 5, 1, '6'};
    struct column column = {.name = "k", .type = FLEET_NUMERIC, .key_position = 1};
    struct definition one = {.name = "t",
                             .dialect = DIALECT_POSTGRES,
                             .columns = &column,
                             .column_count = 1,
                             .stored_count = 1,
                             .key_count = 1};

    cr_expect_eq(image_decode(&image, VIEW(twice), &one, VIEW(five), &err),
                 STATUS_CORRUPT);
    cr_expect_eq(image_decode(&image, VIEW(other), &one, VIEW(five), &err),
                 STATUS_CORRUPT);
    for (unsigned calls = 0; calls < 3; calls++) {
        image_release(&image);
        failing_memory_start(calls);
        cr_expect_eq(image_decode_key(&image, &one, VIEW(five), &err), STATUS_NO_MEMORY);
        failing_memory_stop();
        cr_expect_eq(image.count, 0);
    }
}

Test(image, refuses_what_is_not_this_row)
{
    static const struct {
        const char *when;
        size_t size;
        uint8_t bytes[16];
    } cases[] = {
        {"nothing",                             0,  {0}                                    },
        {"a column less",                       2,  {6, 6}                                 },
        {"a column more",                       4,  {6, 6, 0, 0}                           },
        {"KEY outside of the key",              3,  {6, 6, 6}                              },
        {"a key column that the key could say", 4,  {6, 1, 10, 0}                          },
        {"NULL in the key",                     3,  {6, 0, 0}                              },
        {"absent in the key",                   3,  {6, 7, 0}                              },
        {"another row's value",                 11, {6, 2, 0x40, 0x18, 0, 0, 0, 0, 0, 0, 0}},
    };
    uint8_t longer[sizeof key + 3] = {0};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes bytes = {cases[i].bytes, cases[i].size};

        cr_expect_eq(image_decode(&image, bytes, &table, VIEW(key), &err), STATUS_CORRUPT,
                     "%s", cases[i].when);
    }
    for (size_t size = 0; size < sizeof key; size++) {
        struct bytes cut = {key, size};

        cr_expect_eq(image_decode(&image, VIEW(golden), &table, cut, &err),
                     STATUS_CORRUPT, "a key of %zu bytes", size);
    }
    memcpy(longer, key, sizeof key);
    longer[sizeof key] = 0x30; /* a third column, "" */
    cr_expect_eq(image_decode(&image, VIEW(golden), &table, VIEW(longer), &err),
                 STATUS_CORRUPT);
}

Test(image, of_a_key_alone_has_the_key_columns)
{
    cr_assert_eq(image_decode_key(&image, &table, VIEW(key), &err), STATUS_OK);
    cr_assert_eq(image.count, 3);
    cr_expect_eq(image.values[0].type, VALUE_TEXT);
    cr_expect_eq(image.values[1].integer, 5);
    cr_expect_eq(image.values[2].type, VALUE_ABSENT);
    cr_expect_eq(image_decode_key(&image, &table, (struct bytes){key, 9}, &err),
                 STATUS_CORRUPT);
}

Test(image, key_refuses_null)
{
    struct value values[] = {{.type = VALUE_NULL}, {.type = VALUE_INTEGER}, {0}};

    cr_expect_eq(image_key(&out, values, &table, &err), STATUS_REFUSED);
    cr_expect_str_eq(err.text, "t: a: NULL in a primary key");
}

Test(image, is_reused_from_table_to_table)
{
    static const uint8_t narrow_key[] = {0x30, 'k', 0, 0};
    static const uint8_t narrow_image[] = {6};
    struct column column = {.name = "k", .key_position = 1};
    struct definition narrow = {.name = "n",
                                .columns = &column,
                                .column_count = 1,
                                .stored_count = 1,
                                .key_count = 1};

    for (int round = 0; round < 3; round++) {
        decode(VIEW(golden));
        cr_assert_eq(
            image_decode(&image, VIEW(narrow_image), &narrow, VIEW(narrow_key), &err),
            STATUS_OK, "%s", err.text);
        cr_expect_eq(image.count, 1);
        cr_expect(bytes_equal(image.values[0].bytes, bytes_of_text("k")));
    }
}

Test(image, same_content_is_by_column_and_value)
{
    static struct column later_columns[] = {
        {.name = "d"},
        {           .name = "c"          },
        { .name = "b",           .key_position = 1},
        {           .name = "a",           .key_position = 2},
    };
    static const struct definition later = {.name = "t",
                                            .columns = later_columns,
                                            .column_count = 4,
                                            .stored_count = 4,
                                            .key_count = 2};
    static struct column shouted_columns[] = {
        {.name = "A",        .key_position = 2},
        {.name = "B",                  .key_position = 1},
        {.name = "C"}
    };
    static const struct definition shouted = {.name = "t",
                                              .columns = shouted_columns,
                                              .column_count = 3,
                                              .stored_count = 3,
                                              .key_count = 2};
    static const struct {
        const char *when;
        const struct definition *b_definition;
        size_t b_size;
        uint8_t a[4];
        uint8_t b[5];
        bool same;
    } cases[] = {
        {"the same bytes",          &table,   4, {6, 6, 1, 2}, {6, 6, 1, 2},    true },
        {"another value",           &table,   4, {6, 6, 1, 2}, {6, 6, 1, 4},    false},
        {"NULL and a value",        &table,   3, {6, 6, 1, 2}, {6, 6, 0},       false},
        {"absent and a value",      &table,   3, {6, 6, 1, 2}, {6, 6, 7},       true },
        {"another order, one more", &later,   5, {6, 6, 1, 2}, {0, 1, 2, 6, 6}, true },
        {"another order and value", &later,   5, {6, 6, 1, 2}, {0, 1, 4, 6, 6}, false},
        {"another case",            &shouted, 4, {6, 6, 1, 2}, {6, 6, 1, 2},    true },
        {"another case and value",  &shouted, 4, {6, 6, 1, 2}, {6, 6, 1, 4},    false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes b = {cases[i].b, cases[i].b_size};
        bool same = !cases[i].same;

        cr_assert_eq(image_same_content(VIEW(cases[i].a), &table, b,
                                        cases[i].b_definition, VIEW(key), &same, &err),
                     STATUS_OK, "%s: %s", cases[i].when, err.text);
        cr_expect_eq(same, cases[i].same, "%s", cases[i].when);
        cr_assert_eq(image_same_content(b, cases[i].b_definition, VIEW(cases[i].a),
                                        &table, VIEW(key), &same, &err),
                     STATUS_OK, "%s: %s", cases[i].when, err.text);
        cr_expect_eq(same, cases[i].same, "%s, turned round", cases[i].when);
    }
}

Test(image, no_row_is_the_same_as_no_row_only)
{
    struct bytes none = {NULL, 0};
    bool same = false;

    cr_expect_eq(image_same_content(none, &table, none, &table, VIEW(key), &same, &err),
                 STATUS_OK);
    cr_expect(same);
    cr_expect_eq(
        image_same_content(VIEW(golden), &table, none, &table, VIEW(key), &same, &err),
        STATUS_OK);
    cr_expect_not(same);
}

Test(image, comparing_corrupt_images_says_so)
{
    static const uint8_t cut[] = {6, 6};
    bool same;

    cr_expect_eq(image_same_content(VIEW(golden), &table, VIEW(cut), &table, VIEW(key),
                                    &same, &err),
                 STATUS_CORRUPT);
}

Test(image, no_memory_is_told)
{
    bool same;

    for (unsigned calls = 0; calls < 3; calls++) {
        failing_memory_start(calls);
        cr_expect_eq(image_decode(&image, VIEW(golden), &table, VIEW(key), &err),
                     STATUS_NO_MEMORY);
        failing_memory_stop();
        image_release(&image);
        failing_memory_start(calls);
        cr_expect_eq(image_same_content(VIEW(golden), &table, VIEW(inexact), &table,
                                        VIEW(key), &same, &err),
                     STATUS_NO_MEMORY);
        failing_memory_stop();
    }
}
