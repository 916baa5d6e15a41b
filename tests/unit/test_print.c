#include "cli/print.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *text;
static size_t size;

static FILE *begin(void)
{
    free(text);
    text = NULL;
    return open_memstream(&text, &size);
}

static const char *printed(const struct value *value)
{
    FILE *out = begin();

    print_value(out, value, 8);
    cr_assert_eq(fclose(out), 0);
    return text;
}

static struct value text_value(const char *content)
{
    return (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text(content)};
}

static struct value real_value(double real)
{
    return (struct value){.type = VALUE_REAL, .real = real};
}

Test(print, writes_values_as_sql_would)
{
    struct value blob = {
        .type = VALUE_BLOB, .bytes = {(const uint8_t *)"\0\xff", 2}
    };
    struct value least = {.type = VALUE_INTEGER, .integer = INT64_MIN};
    struct value null = {.type = VALUE_NULL};
    struct value quoted = text_value("a'b");

    cr_expect_str_eq(printed(&blob), "x'00ff'");
    cr_expect_str_eq(printed(&least), "-9223372036854775808");
    cr_expect_str_eq(printed(&null), "NULL");
    cr_expect_str_eq(printed(&quoted), "'a''b'");
}

Test(print, writes_reals_so_that_they_read_back_and_look_like_reals)
{
    static const struct {
        double real;
        const char *expected;
    } cases[] = {
        {0.1,       "0.1"                  },
        {3,         "3.0"                  },
        {-0.0,      "-0.0"                 },
        {1e300,     "1e+300"               },
        {5e-324,    "4.94065645841247e-324"},
        {0.1 + 0.2, "0.30000000000000004"  },
        {INFINITY,  "Infinity"             },
        {-INFINITY, "-Infinity"            },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value value = real_value(cases[i].real);

        cr_expect_str_eq(printed(&value), cases[i].expected);
    }
}

Test(print, lets_no_value_command_the_terminal)
{
    struct value escape = text_value("\x1b[31m");
    struct value lines = text_value("a\nb\t");
    struct value c1 = text_value("\xc2\x9b"
                                 "2J");
    struct value broken = text_value("\xff\xc3");
    struct value zero = {
        .type = VALUE_TEXT, .bytes = {(const uint8_t *)"a\0b", 3}
    };

    cr_expect_str_eq(printed(&escape), "'\\x1b[31m'");
    cr_expect_str_eq(printed(&lines), "'a\\nb\\t'");
    cr_expect_str_eq(printed(&c1), "'\\u009b2J'");
    cr_expect_str_eq(printed(&broken), "'\\xff\\xc3'");
    cr_expect_str_eq(printed(&zero), "'a\\x00b'");
}

Test(print, cuts_long_text_at_a_character)
{
    struct value value = text_value("ÄÖÜäöüßé12");

    cr_expect_str_eq(printed(&value), "'ÄÖÜäöüßé…'");
}

Test(print, cuts_by_columns_and_not_by_letters)
{
    struct value wide = text_value("日本語の長い名前");
    struct value marks = text_value("e\xcc\x81"
                                    "e\xcc\x81"
                                    "e\xcc\x81"
                                    "e\xcc\x81");
    struct value spelled = text_value("\x1b\x1b\x1b");
    struct value quotes = text_value("'''''");

    cr_expect_str_eq(printed(&wide), "'日本語の…'");
    cr_expect_str_eq(printed(&marks), "'e\xcc\x81"
                                      "e\xcc\x81"
                                      "e\xcc\x81"
                                      "e\xcc\x81'");
    cr_expect_str_eq(printed(&spelled), "'\\x1b\\x1b…'");
    cr_expect_str_eq(printed(&quotes), "'''''''''…'");
}

Test(print, knows_how_wide_a_text_is)
{
    static const struct {
        const char *text;
        size_t width;
    } cases[] = {
        {"",                 0},
        {"abc",              3},
        {"größe",          5},
        {"日本",           4},
        {"e\xcc\x81",        1},
        {"\xf0\x9f\x91\x8d", 2},
        {"\xff\xfe",         2},
        {"…→",           2},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(text_width(cases[i].text), cases[i].width, "%s", cases[i].text);
}

Test(print, folds_lines_at_a_blank_or_where_it_must)
{
    char words[400] = "    by", solid[400] = "x = ", *line;
    FILE *out = begin();

    for (int i = 0; i < 12; i++)
        (void)strcat(words, " 日本語 word");
    for (int i = 0; i < 40; i++)
        (void)strcat(solid, "日本");
    print_folded(out, bytes_of_text("short\n"));
    print_folded(out, bytes_of_text(words));
    print_folded(out, bytes_of_text("\n"));
    print_folded(out, bytes_of_text(solid));
    cr_assert_eq(fclose(out), 0);
    line = strtok(text, "\n");
    cr_expect_str_eq(line, "short");
    line = strtok(NULL, "\n");
    cr_expect_eq(strncmp(line, "    by 日本語", 10), 0, "%s", line);
    cr_expect_leq(text_width(line), PRINT_COLUMNS - 1);
    line = strtok(NULL, "\n");
    cr_expect_eq(strncmp(line, "        ", 8), 0, "%s", line);
    cr_expect_neq(line[8], ' ');
    do
        line = strtok(NULL, "\n");
    while (line != NULL && line[0] == ' ');
    cr_assert_not_null(line);
    cr_expect_eq(strncmp(line, "x = 日本", 8), 0, "%s", line);
    cr_expect_gt(text_width(line), PRINT_COLUMNS - 3);
    for (; line != NULL; line = strtok(NULL, "\n"))
        cr_expect_leq(text_width(line), PRINT_COLUMNS - 1, "%s", line);
}

Test(print, breaks_items_before_the_80th_column)
{
    FILE *out = begin();
    struct wrap wrap = {out, 4, 0};

    for (int i = 0; i < 30; i++)
        wrap_item(&wrap, "größe = 1");
    wrap_end(&wrap);
    cr_assert_eq(fclose(out), 0);
    for (char *line = strtok(text, "\n"), *next; line != NULL; line = next) {
        next = strtok(NULL, "\n");
        cr_expect_leq(text_width(line), PRINT_COLUMNS, "%s", line);
        cr_expect(next == NULL || text_width(line) > PRINT_COLUMNS - 12, "%s", line);
        cr_expect_eq(strncmp(line, "    gr", 6), 0, "%s", line);
    }
}

Test(print, names_sizes_spans_and_times)
{
    char out[64];

    cr_expect_str_eq(size_text(1, out), "1 byte");
    cr_expect_str_eq(size_text(1023, out), "1023 bytes");
    cr_expect_str_eq(size_text(5222, out), "5.1 KiB");
    cr_expect_str_eq(size_text(UINT64_C(3) << 30, out), "3.0 GiB");
    cr_expect_str_eq(span_text(0, out), "0 seconds");
    cr_expect_str_eq(span_text(UINT64_C(119) * 1000000, out), "119 seconds");
    cr_expect_str_eq(span_text(UINT64_C(7200) * 1000000, out), "2 hours");
    cr_expect_str_eq(time_text(UINT64_C(1700000000) * 1000000, out),
                     "2023-11-14 22:13:20Z");
    cr_expect_str_eq(time_text(0, out), "before the fleet");
    cr_expect_str_eq(time_iso(UINT64_C(1700000000) * 1000000 + 7, out),
                     "2023-11-14T22:13:20.000007Z");
}
