#include "log/value.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <math.h>

#define VIEW(array) ((struct bytes){array, sizeof(array)})
#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static struct error err;

static enum status recode(struct bytes in, struct buffer *out, struct error *reason)
{
    struct value value;
    enum status status = value_take(&in, &value, reason);

    if (status != STATUS_OK)
        return status;
    if (in.size > 0)
        return error_set(reason, STATUS_CORRUPT, "something follows");
    value_put(out, &value);
    return STATUS_OK;
}

static const struct {
    const char *when;
    struct value value;
    size_t size;
    uint8_t bytes[16];
} goldens[] = {
    {"null",                 {.type = VALUE_NULL},                         1, {0}                                                },
    {"zero",                 {.type = VALUE_INTEGER, .integer = 0},        2, {1, 0}                                             },
    {"-1",                   {.type = VALUE_INTEGER, .integer = -1},       2, {1, 1}                                             },
    {"1",                    {.type = VALUE_INTEGER, .integer = 1},        2, {1, 2}                                             },
    {"150",                  {.type = VALUE_INTEGER, .integer = 150},      3, {1, 0xac, 0x02}                                    },
    {"the smallest integer",
     {.type = VALUE_INTEGER, .integer = INT64_MIN},
     11,                                                                      {1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}},
    {"the largest integer",
     {.type = VALUE_INTEGER, .integer = INT64_MAX},
     11,                                                                      {1, 254, 255, 255, 255, 255, 255, 255, 255, 255, 1}},
    {"1.5",                  {.type = VALUE_REAL, .real = 1.5},            9, {2, 0x3f, 0xf8}                                    },
    {"-0.0",                 {.type = VALUE_REAL, .real = -0.0},           9, {2, 0x80}                                          },
    {"infinity",             {.type = VALUE_REAL, .real = INFINITY},       9, {2, 0x7f, 0xf0}                                    },
    {"text",                 {.type = VALUE_TEXT, .bytes = TEXT("hi")},    4, {3, 2, 'h', 'i'}                                   },
    {"empty text",           {.type = VALUE_TEXT},                         2, {3, 0}                                             },
    {"text with a NUL",
     {.type = VALUE_TEXT, .bytes = TEXT("a\0b")},
     5,                                                                       {3, 3, 'a', 0, 'b'}                                },
    {"blob",                 {.type = VALUE_BLOB, .bytes = TEXT("\xff")},  3, {4, 1, 0xff}                                       },
    {"numeric",
     {.type = VALUE_TYPED, .typed = FLEET_NUMERIC, .bytes = TEXT("1.50")},
     7,                                                                       {5, 5, 4, '1', '.', '5', '0'}                      },
    {"key",                  {.type = VALUE_KEY},                          1, {6}                                                },
    {"absent",               {.type = VALUE_ABSENT},                       1, {7}                                                },
};

Test(value, encodes_to_the_golden_bytes)
{
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        struct bytes golden = {goldens[i].bytes, goldens[i].size};
        struct buffer out = {0};
        struct value back;

        value_put(&out, &goldens[i].value);
        cr_assert(bytes_equal(buffer_view(&out), golden), "%s", goldens[i].when);
        cr_assert_eq(value_take(&golden, &back, &err), STATUS_OK, "%s", err.text);
        cr_expect(value_equal(&back, &goldens[i].value), "%s", goldens[i].when);
        cr_expect_eq(golden.size, 0, "%s", goldens[i].when);
        buffer_release(&out);
    }
}

Test(value, refuses_cut_and_wrong_bytes)
{
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++)
        recode_expect_canonical((struct bytes){goldens[i].bytes, goldens[i].size},
                                recode);
}

Test(value, corrupt_leaves_all_as_it_was)
{
    static const struct {
        const char *when;
        size_t size;
        uint8_t bytes[4];
    } cases[] = {
        {"nothing",                     0, {0}                },
        {"unknown tag",                 1, {8}                },
        {"unknown fleet type",          3, {5, FLEET_TYPES, 0}},
        {"size beyond the end",         3, {3, 2, 'a'}        },
        {"an integer in a longer form", 3, {1, 0x80, 0}       },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes in = {cases[i].bytes, cases[i].size};
        struct value value = {.type = VALUE_INTEGER, .integer = 42};

        cr_expect_eq(value_take(&in, &value, &err), STATUS_CORRUPT, "%s", cases[i].when);
        cr_expect_eq(in.size, cases[i].size, "%s", cases[i].when);
        cr_expect_eq(value.integer, 42, "%s", cases[i].when);
    }
}

Test(value, equal_means_the_same_bits)
{
    static const struct value zero = {.type = VALUE_REAL, .real = 0.0};
    static const struct value minus_zero = {.type = VALUE_REAL, .real = -0.0};
    static const struct value integer_zero = {.type = VALUE_INTEGER};
    static const struct value text = {.type = VALUE_TEXT, .bytes = TEXT("1")};
    static const struct value blob = {.type = VALUE_BLOB, .bytes = TEXT("1")};
    static const struct value number = {
        .type = VALUE_TYPED, .typed = FLEET_NUMERIC, .bytes = TEXT("1")};
    static const struct value date = {
        .type = VALUE_TYPED, .typed = FLEET_DATE, .bytes = TEXT("1")};
    struct value nan = {.type = VALUE_REAL, .real = (double)NAN};

    cr_expect(value_equal(&nan, &nan));
    cr_expect(value_equal(&zero, &zero));
    cr_expect_not(value_equal(&zero, &minus_zero));
    cr_expect_not(value_equal(&zero, &integer_zero));
    cr_expect_not(value_equal(&text, &blob));
    cr_expect_not(value_equal(&number, &date));
    cr_expect(value_equal(&date, &date));
}

Test(value, every_nan_is_kept_as_it_is)
{
    static const uint8_t odd_nan[] = {2, 0xff, 0xf0, 0, 0, 0, 0, 0, 1};

    recode_expect_canonical(VIEW(odd_nan), recode);
}
