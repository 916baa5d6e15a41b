#include "log/row_key.h"
#include "tests/support/failing_memory.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }
#define NUMERIC(text)                                                    \
    {                                                                    \
        .type = VALUE_TYPED, .typed = FLEET_NUMERIC, .bytes = TEXT(text) \
    }

static struct error err;

/* A key of any number of columns. */
static enum status recode(struct bytes in, struct buffer *out, struct error *reason)
{
    enum status status = STATUS_OK;

    if (in.size == 0)
        return error_set(reason, STATUS_CORRUPT, "no column");
    while (in.size > 0 && status == STATUS_OK) {
        struct buffer scratch = {0};
        struct value value;

        status = row_key_take(&in, &value, &scratch, reason);
        if (status == STATUS_OK)
            status = row_key_put(out, &value, reason);
        buffer_release(&scratch);
    }
    return status;
}

static const struct {
    const char *when;
    struct value value;
    bool exact;
    size_t size;
    uint8_t bytes[24];
} goldens[] = {
    {"zero",                            {.type = VALUE_INTEGER},                     true,  9,  {0x10, 0x80}                         },
    {"-1",
     {.type = VALUE_INTEGER, .integer = -1},
     true,                                                                                  9,
     {0x10, 0x7f, 255, 255, 255, 255, 255, 255, 255}                                                                                 },
    {"the smallest integer",
     {.type = VALUE_INTEGER, .integer = INT64_MIN},
     true,                                                                                  9,
     {0x10}                                                                                                                          },
    {"5.0 is 5",
     {.type = VALUE_REAL, .real = 5},
     false,                                                                                 9,
     {0x10, 0x80, 0, 0, 0, 0, 0, 0, 5}                                                                                               },
    {"-0.0 is 0",                       {.type = VALUE_REAL, .real = -0.0},          false, 9,  {0x10, 0x80}                         },
    {"-2^63 is an integer",             {.type = VALUE_REAL, .real = -0x1p63},       false, 9,  {0x10}                               },
    {"2^63 is none",                    {.type = VALUE_REAL, .real = 0x1p63},        true,  9,  {0x20, 0xc3, 0xe0}                   },
    {"1.5",                             {.type = VALUE_REAL, .real = 1.5},           true,  9,  {0x20, 0xbf, 0xf8}                   },
    {"-1.5",
     {.type = VALUE_REAL, .real = -1.5},
     true,                                                                                  9,
     {0x20, 0x40, 0x07, 255, 255, 255, 255, 255, 255}                                                                                },
    {"infinity",                        {.type = VALUE_REAL, .real = INFINITY},      true,  9,  {0x20, 0xff, 0xf0}                   },
    {"text",                            {.type = VALUE_TEXT, .bytes = TEXT("ab")},   true,  5,  {0x30, 'a', 'b', 0, 0}               },
    {"empty text",                      {.type = VALUE_TEXT},                        true,  3,  {0x30, 0, 0}                         },
    {"text with NULs",
     {.type = VALUE_TEXT, .bytes = TEXT("\0a\0")},
     true,                                                                                  8,
     {0x30, 0, 0xff, 'a', 0, 0xff, 0, 0}                                                                                             },
    {"blob",                            {.type = VALUE_BLOB, .bytes = TEXT("\xff")}, true,  4,  {0x40, 0xff, 0, 0}                   },
    {"uuid",
     {.type = VALUE_TYPED, .typed = FLEET_UUID, .bytes = TEXT("a0")},
     false,                                                                                 5,
     {0x30, 'a', '0', 0, 0}                                                                                                          },
    {"what has no type of its own",
     {.type = VALUE_TYPED, .typed = FLEET_OTHER, .bytes = TEXT("")},
     false,                                                                                 3,
     {0x30, 0, 0}                                                                                                                    },
    {"numeric 1.50",                    NUMERIC("1.50"),                             false, 6,  {0x30, '1', '.', '5', 0, 0}          },
    {"numeric 1.5",                     NUMERIC("1.5"),                              false, 6,  {0x30, '1', '.', '5', 0, 0}          },
    {"numeric 5",                       NUMERIC("5"),                                false, 9,  {0x10, 0x80, 0, 0, 0, 0, 0, 0, 5}    },
    {"numeric 5.0",                     NUMERIC("5.0"),                              false, 9,  {0x10, 0x80, 0, 0, 0, 0, 0, 0, 5}    },
    {"numeric -100.00",
     NUMERIC("-100.00"),
     false,                                                                                 9,
     {0x10, 0x7f, 255, 255, 255, 255, 255, 255, 156}                                                                                 },
    {"numeric 0.0",                     NUMERIC("0.0"),                              false, 9,  {0x10, 0x80, 0, 0, 0, 0, 0, 0, 0}    },
    {"numeric -0",                      NUMERIC("-0"),                               false, 9,  {0x10, 0x80, 0, 0, 0, 0, 0, 0, 0}    },
    {"numeric -0.00",                   NUMERIC("-0.00"),                            false, 9,  {0x10, 0x80, 0, 0, 0, 0, 0, 0, 0}    },
    {"numeric 007",                     NUMERIC("007"),                              false, 9,  {0x10, 0x80, 0, 0, 0, 0, 0, 0, 7}    },
    {"numeric NaN",                     NUMERIC("NaN"),                              false, 6,  {0x30, 'N', 'a', 'N', 0, 0}          },
    {"numeric -Infinity",
     NUMERIC("-Infinity"),
     false,                                                                                 12,
     {0x30, '-', 'I', 'n', 'f', 'i', 'n', 'i', 't', 'y', 0, 0}                                                                       },
    {"an exponent",
     NUMERIC("1.0e10"),
     false,                                                                                 9,
     {0x30, '1', '.', '0', 'e', '1', '0', 0, 0}                                                                                      },
    {"two points",                      NUMERIC("1.0.0"),                            false, 8,  {0x30, '1', '.', '0', '.', '0', 0, 0}},
    {"a minus",                         NUMERIC("-"),                                false, 4,  {0x30, '-', 0, 0}                    },
    {"a point first",                   NUMERIC(".5"),                               false, 5,  {0x30, '.', '5', 0, 0}               },
    {"no numeric",                      NUMERIC(""),                                 false, 3,  {0x30, 0, 0}                         },
    {"numeric of the smallest integer",
     NUMERIC("-9223372036854775808.000"),
     false,                                                                                 9,
     {0x10}                                                                                                                          },
    {"numeric of the largest integer",
     NUMERIC("9223372036854775807"),
     false,                                                                                 9,
     {0x10, 255, 255, 255, 255, 255, 255, 255, 255}                                                                                  },
    {"numeric one above",
     NUMERIC("9223372036854775808.0"),
     false,                                                                                 22,
     {0x30, '9', '2', '2', '3', '3', '7', '2', '0', '3', '6',
      '8',  '5', '4', '7', '7', '5', '8', '0', '8', 0,   0}                                                                          },
    {"numeric one below",
     NUMERIC("-9223372036854775809"),
     false,                                                                                 23,
     {0x30, '-', '9', '2', '2', '3', '3', '7', '2', '0', '3', '6',
      '8',  '5', '4', '7', '7', '5', '8', '0', '9', 0,   0}                                                                          },
    {"numeric 1e20",
     NUMERIC("100000000000000000000."),
     false,                                                                                 24,
     {0x30, '1', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0',
      '0',  '0', '0', '0', '0', '0', '0', '0', '0', '0', 0,   0}                                                                     },
};

Test(row_key, encodes_to_the_golden_bytes)
{
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        struct bytes golden = {goldens[i].bytes, goldens[i].size};
        struct buffer out = {0};

        cr_assert_eq(row_key_put(&out, &goldens[i].value, &err), STATUS_OK);
        cr_expect(bytes_equal(buffer_view(&out), golden), "%s", goldens[i].when);
        cr_expect_eq(row_key_is_exact(&goldens[i].value), goldens[i].exact, "%s",
                     goldens[i].when);
        buffer_release(&out);
    }
}

Test(row_key, exact_values_come_back)
{
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++) {
        struct bytes golden = {goldens[i].bytes, goldens[i].size};
        struct value canonical = row_key_canonical(&goldens[i].value);
        struct buffer scratch = {0};
        struct value back;

        cr_assert_eq(row_key_take(&golden, &back, &scratch, &err), STATUS_OK, "%s",
                     err.text);
        cr_expect_eq(golden.size, 0, "%s", goldens[i].when);
        cr_expect(value_equal(&back, &canonical), "%s", goldens[i].when);
        cr_expect_eq(value_equal(&back, &goldens[i].value), goldens[i].exact, "%s",
                     goldens[i].when);
        buffer_release(&scratch);
    }
}

Test(row_key, refuses_cut_and_wrong_bytes)
{
    for (size_t i = 0; i < sizeof goldens / sizeof *goldens; i++)
        recode_expect_canonical((struct bytes){goldens[i].bytes, goldens[i].size},
                                recode);
}

Test(row_key, refuses_what_is_not_canonical)
{
    static const struct {
        const char *when;
        size_t size;
        uint8_t bytes[16];
    } cases[] = {
        {"5.0 as a real",  9, {0x20, 0xc0, 0x14}                             },
        {"-0.0 as a real", 9, {0x20, 0x7f, 255, 255, 255, 255, 255, 255, 255}},
        {"another NaN",    9, {0x20, 0xff, 0xf8, 0, 0, 0, 0, 0, 1}           },
        {"typed text",     6, {0x50, 12, 'a', '0', 0, 0}                     },
        {"unknown escape", 5, {0x30, 0, 1, 0, 0}                             },
        {"unknown tag",    3, {0x60, 0, 0}                                   },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes in = {cases[i].bytes, cases[i].size};
        struct buffer scratch = {0};
        struct value value;

        cr_expect_eq(row_key_take(&in, &value, &scratch, &err), STATUS_CORRUPT, "%s",
                     cases[i].when);
        cr_expect_eq(in.size, cases[i].size, "%s", cases[i].when);
        buffer_release(&scratch);
    }
}

Test(row_key, refuses_null_and_absent)
{
    static const enum value_type types[] = {VALUE_NULL, VALUE_ABSENT};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct value value = {.type = types[i]};
        struct buffer out = {0};

        cr_expect_eq(row_key_put(&out, &value, &err), STATUS_REFUSED);
        cr_expect_eq(out.size, 0);
        cr_expect_not(row_key_is_exact(&value));
    }
}

Test(row_key, every_nan_is_one_key)
{
    struct value quiet = {.type = VALUE_REAL, .real = (double)NAN};
    struct value other = {.type = VALUE_REAL};
    uint64_t bits = UINT64_C(0xfff8000000000001);
    struct buffer a = {0};
    struct buffer b = {0};

    memcpy(&other.real, &bits, sizeof bits);
    cr_assert_eq(row_key_put(&a, &quiet, &err), STATUS_OK);
    cr_assert_eq(row_key_put(&b, &other, &err), STATUS_OK);
    cr_expect(bytes_equal(buffer_view(&a), buffer_view(&b)));
    cr_expect_not(row_key_is_exact(&other));
    buffer_release(&a);
    buffer_release(&b);
}

Test(row_key, unescaping_without_memory_is_no_memory)
{
    static const uint8_t escaped[] = {0x30, 0, 0xff, 0, 0};
    struct bytes in = {escaped, sizeof escaped};
    struct buffer scratch = {0};
    struct value value;

    failing_memory_start(0);
    cr_expect_eq(row_key_take(&in, &value, &scratch, &err), STATUS_NO_MEMORY);
    failing_memory_stop();
    cr_expect_eq(in.size, sizeof escaped);
}

Test(row_key, long_keys_become_prefix_and_hash)
{
    uint8_t long_key[ROW_KEY_PLAIN_MAX + 1];
    uint8_t out[ROW_KEY_LMDB_MAX];
    uint8_t hash[32];
    struct bytes key = {long_key, ROW_KEY_PLAIN_MAX};
    struct bytes made;

    memset(long_key, 7, sizeof long_key);
    cr_expect_eq(row_key_lmdb(key, out).data, long_key, "a short one is itself");
    key.size++;
    made = row_key_lmdb(key, out);
    cr_assert_eq(made.data, out);
    cr_assert_eq(made.size, ROW_KEY_LMDB_MAX);
    crypto_generichash(hash, sizeof hash, long_key, sizeof long_key, NULL, 0);
    cr_expect_arr_eq(out, long_key, ROW_KEY_PREFIX);
    cr_expect_arr_eq(out + ROW_KEY_PREFIX, hash, sizeof hash);
}

/* Random keys against the order in words: integers, reals, text, blobs; each by value.
 * Few different values, so that equal ones and common prefixes are frequent. */
enum { COLUMNS_MAX = 3, TEXT_MAX = 3, PAIRS = 200000 };

struct random_key {
    struct value values[COLUMNS_MAX];
    uint8_t texts[COLUMNS_MAX][TEXT_MAX];
    size_t count;
};

/* Typed text is text. */
static int rank(const struct value *value)
{
    return value->type == VALUE_TYPED ? VALUE_TEXT : (int)value->type;
}

static int compare_values(const struct value *a, const struct value *b)
{
    if (rank(a) != rank(b))
        return rank(a) - rank(b);
    if (a->type == VALUE_INTEGER)
        return (a->integer > b->integer) - (a->integer < b->integer);
    if (a->type == VALUE_REAL)
        return (a->real > b->real) - (a->real < b->real);
    return bytes_compare(a->bytes, b->bytes);
}

static void fill_random(struct random_key *key, size_t column)
{
    static const int64_t integers[] = {INT64_MIN, -300, -1, 0, 1, 255, 256, INT64_MAX};
    static const double reals[] = {-INFINITY, -1e300, -1.5,  -0.25,
                                   0.25,      1.5,    1e300, INFINITY};
    static const uint8_t bytes[] = {0, 1, 0xfe, 0xff};
    struct value *value = &key->values[column];
    size_t pick = (size_t)rand() % 8;

    *value = (struct value){.type = (enum value_type)(VALUE_INTEGER + rand() % 5)};
    value->integer = value->type == VALUE_INTEGER ? integers[pick] : 0;
    value->real = value->type == VALUE_REAL ? reals[pick] : 0;
    value->typed = value->type == VALUE_TYPED ? FLEET_DATE + (unsigned)rand() % 2 : 0;
    if (value->type <= VALUE_REAL)
        return;
    value->bytes = (struct bytes){key->texts[column], (size_t)rand() % (TEXT_MAX + 1)};
    for (size_t i = 0; i < value->bytes.size; i++)
        key->texts[column][i] = bytes[rand() % 4];
}

static void make_random(struct random_key *key, size_t count, struct buffer *out)
{
    key->count = count;
    buffer_clear(out);
    for (size_t i = 0; i < count; i++) {
        fill_random(key, i);
        cr_assert_eq(row_key_put(out, &key->values[i], &err), STATUS_OK);
    }
}

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

Test(row_key, bytes_sort_as_the_values_do)
{
    unsigned seed = (unsigned)time(NULL);
    struct buffer a_bytes = {0};
    struct buffer b_bytes = {0};

    srand(seed);
    for (unsigned pair = 0; pair < PAIRS; pair++) {
        struct random_key a;
        struct random_key b;
        size_t count = 1 + (size_t)rand() % COLUMNS_MAX;
        int expected = 0;

        make_random(&a, count, &a_bytes);
        make_random(&b, count, &b_bytes);
        for (size_t i = 0; i < count && expected == 0; i++)
            expected = compare_values(&a.values[i], &b.values[i]);
        cr_assert_eq(sign(bytes_compare(buffer_view(&a_bytes), buffer_view(&b_bytes))),
                     sign(expected), "seed %u, pair %u", seed, pair);
    }
    buffer_release(&a_bytes);
    buffer_release(&b_bytes);
}
