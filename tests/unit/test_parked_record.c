/* The fields of a parked row: their bytes, and what is refused. */
#include "log/parked_record.h"

#include <criterion/criterion.h>

#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static const struct {
    const char *when;
    struct parked parked;
    uint8_t golden[48];
    size_t size;
} cases[] = {
    {"never shown",
     {.kind = PARKED_PARENT_OUTER,
      .since_us = 7,
      .born = {1, 2, 3, 4},
      .constraint = TEXT("u"),
      .blocker_table = 2,
      .blocker_key = TEXT("b")},
     {2, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 2, 3, 4, 1, 'u', 2, 1, 'b'},
     25},
    {"shown before",
     {.kind = PARKED_UNIQUE,
      .since_us = 7,
      .born = {1, 2, 3, 4},
      .constraint = TEXT("u"),
      .shown = TEXT("img"),
      .shown_origin = 9,
      .shown_definition = 300},
     {0x81, 0, 0,   0, 0, 0, 0, 0, 7, 1, 0, 0, 0, 0,    0, 0, 0,   2,   3,
      4,    1, 'u', 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0xac, 2, 3, 'i', 'm', 'g'},
     38},
};

Test(parked_record, encodes_to_the_golden_bytes_and_back)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {0}, again = {0};
        struct parked back = {0};
        struct bytes in;

        parked_fields_put(&out, &cases[i].parked);
        cr_assert_eq(out.size, cases[i].size, "%s: %zu bytes", cases[i].when, out.size);
        cr_expect_arr_eq(out.data, cases[i].golden, cases[i].size, "%s", cases[i].when);
        in = buffer_view(&out);
        cr_assert(parked_fields_take(&in, &back), "%s", cases[i].when);
        cr_expect_eq(in.size, 0);
        parked_fields_put(&again, &back);
        cr_expect(bytes_equal(buffer_view(&out), buffer_view(&again)), "%s",
                  cases[i].when);
        buffer_release(&out);
        buffer_release(&again);
    }
}

Test(parked_record, refuses_what_is_cut_or_not_known)
{
    static const uint8_t kinds[] = {0, 4, 0x80, 0x84, 0x41, 0xc1};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[sizeof cases[i].golden];
        struct parked back;
        struct bytes in;

        for (size_t size = 0; size < cases[i].size; size++) {
            in = (struct bytes){cases[i].golden, size};
            cr_expect_not(parked_fields_take(&in, &back), "%s, cut at %zu", cases[i].when,
                          size);
        }
        memcpy(bytes, cases[i].golden, sizeof bytes);
        for (size_t at = 0; at < sizeof kinds; at++) {
            bytes[0] = kinds[at];
            in = (struct bytes){bytes, cases[i].size};
            cr_expect_not(parked_fields_take(&in, &back), "%s, kind %u", cases[i].when,
                          kinds[at]);
        }
    }
}
