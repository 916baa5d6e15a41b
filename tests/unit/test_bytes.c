#include "log/bytes.h"

#include <criterion/criterion.h>
#include <string.h>

#define VIEW(array) ((struct bytes){array, sizeof(array)})

Test(bytes, integers_are_big_endian)
{
    static const uint8_t golden[] = {0x01, 0x02, 0x03, 0xff};
    uint8_t out[4];

    cr_expect_eq(bytes_put(out, 0x010203ff, 4), out + 4);
    cr_expect_arr_eq(out, golden, sizeof golden);
    cr_expect_eq(bytes_get(golden, 4), 0x010203ff);
    cr_expect_eq(bytes_get(golden, 1), 1);
}

Test(bytes, compare_puts_the_prefix_first)
{
    cr_expect_lt(bytes_compare(bytes_of_text("a"), bytes_of_text("ab")), 0);
    cr_expect_gt(bytes_compare(bytes_of_text("b"), bytes_of_text("ab")), 0);
    cr_expect_eq(bytes_compare(bytes_of_text("ab"), bytes_of_text("ab")), 0);
    cr_expect_eq(bytes_compare((struct bytes){NULL, 0}, bytes_of_text("")), 0);
    cr_expect_gt(bytes_compare(bytes_of_text("\xff"), bytes_of_text("\x7f")), 0);
    cr_expect(bytes_equal((struct bytes){NULL, 0}, bytes_of_text("")));
    cr_expect_not(bytes_equal(bytes_of_text("a"), bytes_of_text("b")));
}

Test(bytes, take_leaves_all_as_it_was_when_cut)
{
    static const uint8_t data[] = {5, 'a', 'b'};
    struct bytes in = VIEW(data);
    struct bytes view = {NULL, 7};
    uint64_t value = 42;

    cr_expect_not(bytes_take(&in, 4, &value));
    cr_expect_not(bytes_take_view(&in, 4, &view));
    cr_expect_not(bytes_take_view(&in, UINT64_MAX, &view));
    cr_expect_not(bytes_take_sized(&in, &view));
    cr_expect_eq(in.data, data);
    cr_expect_eq(in.size, sizeof data);
    cr_expect_eq(value, 42);
    cr_expect_eq(view.size, 7);
}

Test(bytes, take_walks_to_the_end)
{
    static const uint8_t data[] = {0, 1, 2, 'a', 'b', 9};
    struct bytes in = VIEW(data);
    struct bytes view;
    uint64_t value;

    cr_assert(bytes_take(&in, 2, &value));
    cr_expect_eq(value, 1);
    cr_assert(bytes_take_sized(&in, &view));
    cr_expect(bytes_equal(view, bytes_of_text("ab")));
    cr_assert(bytes_take_view(&in, 1, &view));
    cr_expect_eq(view.data[0], 9);
    cr_expect_eq(in.size, 0);
    cr_expect_not(bytes_take(&in, 1, &value));
    cr_expect_not(bytes_take_varint(&in, &value));
}

Test(bytes, varints_are_the_golden_bytes)
{
    static const struct {
        uint64_t value;
        size_t size;
        uint8_t bytes[VARINT_SIZE_MAX];
    } cases[] = {
        {0,          1,  {0x00}                                          },
        {1,          1,  {0x01}                                          },
        {127,        1,  {0x7f}                                          },
        {128,        2,  {0x80, 0x01}                                    },
        {300,        2,  {0xac, 0x02}                                    },
        {16384,      3,  {0x80, 0x80, 0x01}                              },
        {UINT64_MAX, 10, {255, 255, 255, 255, 255, 255, 255, 255, 255, 1}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t out[VARINT_SIZE_MAX] = {0};
        struct bytes in = {cases[i].bytes, cases[i].size};
        uint64_t value = 0;

        cr_expect_eq(varint_size(cases[i].value), cases[i].size);
        cr_expect_eq(varint_put(out, cases[i].value), out + cases[i].size);
        cr_expect_arr_eq(out, cases[i].bytes, sizeof out);
        cr_expect(bytes_take_varint(&in, &value));
        cr_expect_eq(value, cases[i].value);
        cr_expect_eq(in.size, 0);
    }
}

Test(bytes, varints_have_one_form)
{
    static const struct {
        const char *when;
        size_t size;
        uint8_t bytes[11];
    } cases[] = {
        {"nothing",           0,  {0}                                                  },
        {"cut",               1,  {0x80}                                               },
        {"zero in two bytes", 2,  {0x80, 0x00}                                         },
        {"one in two bytes",  2,  {0x81, 0x00}                                         },
        {"65 bits",           10, {255, 255, 255, 255, 255, 255, 255, 255, 255, 2}     },
        {"11 bytes",          11, {128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 1}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes in = {cases[i].bytes, cases[i].size};
        uint64_t value = 42;

        cr_expect_not(bytes_take_varint(&in, &value), "%s", cases[i].when);
        cr_expect_eq(in.size, cases[i].size, "%s", cases[i].when);
        cr_expect_eq(value, 42, "%s", cases[i].when);
    }
}

Test(bytes, varint_round_trip_at_every_width)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        for (int off = -1; off <= 1; off++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)off;
            uint8_t out[VARINT_SIZE_MAX];
            struct bytes in = {out, (size_t)(varint_put(out, value) - out)};
            uint64_t back = 0;

            cr_expect_eq(in.size, varint_size(value));
            cr_expect(bytes_take_varint(&in, &back));
            cr_expect_eq(back, value);
        }
    }
}

Test(bytes, utf8_is_told_from_other_bytes)
{
    static const struct {
        const char *text;
        bool is_utf8;
    } cases[] = {
        {"",                   true },
        {"plain",              true },
        {"gr\xc3\xbc\xc3\x9f", true },
        {"\xe2\x82\xac",       true },
        {"\xf0\x9f\x9b\xb6",   true },
        {"\xf4\x8f\xbf\xbf",   true },
        {"\x80",               false}, /* a byte that only follows */
        {"\xc3",               false}, /* cut */
        {"\xe2\x82",           false}, /* cut */
        {"\xf0\x9f\x9b",       false}, /* cut */
        {"\xc3(",              false}, /* not followed */
        {"\xc0\x80",           false}, /* overlong */
        {"\xe0\x80\x80",       false}, /* overlong */
        {"\xf0\x80\x80\x80",   false}, /* overlong */
        {"\xed\xa0\x80",       false}, /* a surrogate */
        {"\xf4\x90\x80\x80",   false}, /* beyond the last code point */
        {"\xff",               false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(bytes_are_utf8(bytes_of_text(cases[i].text)), cases[i].is_utf8,
                     "case %zu", i);
}
