/* The tables that take nothing, in an intent's header. */
#include "log/intent_record.h"
#include "log/plan.h"

#include <criterion/criterion.h>

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s: %s", #call, err.text)

enum { HEADER_SIZE = 34 }; /* without these */

static struct error err;

static const struct intent header = {
    .from = 5, .to = 9, .counter = 3, .max_stamp_us = 7, .repair = true};

Test(intent, encodes_the_tables_that_take_nothing_behind_its_header)
{
    static const uint8_t tables[] = {0, 0, 0, 2, 0, 0, 1, 0};
    struct intent with = header, back;
    struct buffer out = {0};

    with.out = (struct bytes){tables, sizeof tables};
    intent_encode(&out, &with);
    cr_assert_eq(out.size, HEADER_SIZE + 1 + sizeof tables + RECORD_CHECK_SIZE);
    cr_expect_eq(out.data[1], 3); /* repair, and these */
    cr_expect_eq(out.data[HEADER_SIZE], sizeof tables);
    cr_expect_arr_eq(out.data + HEADER_SIZE + 1, tables, sizeof tables);
    OK(intent_decode(buffer_view(&out), &back, &err));
    cr_expect(bytes_equal(back.out, with.out));
    cr_expect(back.repair);
    cr_expect(plan_out_has(back.out, 2));
    cr_expect(plan_out_has(back.out, 256));
    cr_expect_not(plan_out_has(back.out, 1));
    cr_expect_not(plan_out_has((struct bytes){NULL, 0}, 1));
    buffer_release(&out);
}

/* None although the flag is set, ids that do not ascend, half an id, a flag of tomorrow.
 */
Test(intent, refuses_tables_that_are_no_list)
{
    static const struct {
        uint8_t flags, list[9];
        size_t size;
    } cases[] = {
        {2,  {0},                         1},
        {2,  {8, 0, 0, 0, 2, 0, 0, 0, 2}, 9},
        {2,  {4, 0, 0, 0, 0},             5},
        {2,  {3, 0, 0, 1},                4},
        {8,  {0},                         0}, /* whole, and not echoed */
        {16, {0},                         0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buffer out = {0};
        struct intent back;

        intent_encode(&out, &header);
        buffer_cut(&out, HEADER_SIZE);
        out.data[1] = cases[i].flags;
        buffer_put_bytes(&out, (struct bytes){cases[i].list, cases[i].size});
        record_seal(&out);
        cr_expect_eq(intent_decode(buffer_view(&out), &back, &err), STATUS_CORRUPT,
                     "case %zu", i);
        buffer_release(&out);
    }
}
