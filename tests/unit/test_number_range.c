#include "engine/number_range.h"

#include <criterion/criterion.h>

enum { SLOT = 5 };
#define ROUND (INT64_C(1) << 28)
#define BLOCK (INT64_C(5) << 16)

Test(number_range, goes_on_in_its_slots_next_block)
{
    static const struct {
        const char *when;
        int64_t known, counter;
    } cases[] = {
        {"nothing was given",           0,                         BLOCK - 1                },
        {"before its block",            BLOCK - 2,                 BLOCK - 1                },
        {"at its block",                BLOCK - 1,                 BLOCK - 1                },
        {"in its block",                BLOCK + 100,               BLOCK + 100              },
        {"half of it is left",          BLOCK + 32767,             BLOCK + 32767            },
        {"less is left",                BLOCK + 32768,             ROUND + BLOCK - 1        },
        {"behind its block",            BLOCK + 65535,             ROUND + BLOCK - 1        },
        {"another's came",              7 * ROUND + 17,            7 * ROUND + BLOCK - 1    },
        {"another's came, behind ours", 7 * ROUND + BLOCK + 65536, 8 * ROUND + BLOCK - 1    },
        {"in the last round",           INT64_MAX - ROUND + BLOCK, INT64_MAX - ROUND + BLOCK},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t counter = -1;

        cr_expect(number_range_counter(SLOT, cases[i].known, &counter), "%s",
                  cases[i].when);
        cr_expect_eq(counter, cases[i].counter, "%s: %lld", cases[i].when,
                     (long long)counter);
    }
}

Test(number_range, leaves_as_many_as_it_says)
{
    int64_t counter = 0;

    for (uint32_t slot = 0; slot < NUMBER_RANGE_SLOTS; slot += 585) {
        for (int64_t known = 0; known < 2 * ROUND; known += 81919) {
            cr_assert(number_range_counter(slot, known, &counter));
            cr_assert_geq(counter, known);
            for (int64_t i = 1; i <= NUMBER_RANGE_SURE; i += NUMBER_RANGE_SURE - 1)
                cr_assert_eq((counter + i) >> 16 & 0xfff, slot, "slot %u, known %lld",
                             slot, (long long)known);
        }
    }
}

Test(number_range, has_an_end)
{
    int64_t counter;

    cr_expect_not(number_range_counter(SLOT, INT64_MAX, &counter));
    cr_expect_not(number_range_counter(SLOT, INT64_MAX - 1, &counter));
    cr_expect_not(number_range_counter(4095, INT64_MAX - 100, &counter));
    cr_expect(number_range_counter(4095, INT64_MAX - 65536, &counter));
    cr_expect_eq(counter, INT64_MAX - 65536);
}

Test(number_range, gives_no_two_members_one_slot)
{
    static const uint64_t nodes[] = {0x10005, 0x7, 0x20005, 0x30006, 0x40fff, 0x50fff};
    static const uint32_t slots[] = {5, 7, 6, 8, 0xfff, 0};

    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        cr_expect_eq(number_range_slot(nodes, 6, nodes[i]), slots[i], "%zu", i);
        cr_expect_eq(number_range_slot(nodes, i, nodes[i]), slots[i],
                     "%zu, before it is a member, or others are", i);
    }
}

Test(number_range, shares_slots_only_when_there_are_more_members)
{
    static uint64_t nodes[NUMBER_RANGE_SLOTS + 1];
    static bool taken[NUMBER_RANGE_SLOTS];

    for (size_t i = 0; i <= NUMBER_RANGE_SLOTS; i++)
        nodes[i] = 0x1000 * i + i / 2;
    for (size_t i = 0; i < NUMBER_RANGE_SLOTS; i += 31) {
        uint32_t slot = number_range_slot(nodes, NUMBER_RANGE_SLOTS + 1, nodes[i]);

        cr_assert_lt(slot, NUMBER_RANGE_SLOTS);
        cr_assert_not(taken[slot], "%zu", i);
        taken[slot] = true;
    }
    cr_expect_eq(
        number_range_slot(nodes, NUMBER_RANGE_SLOTS + 1, nodes[NUMBER_RANGE_SLOTS]),
        NUMBER_RANGE_SLOTS / 2);
}

Test(number_range, knows_its_own)
{
    cr_expect(number_range_is_own(SLOT, (int64_t)SLOT << 16));
    cr_expect(number_range_is_own(SLOT, (5LL << 28) + ((int64_t)SLOT << 16) + 65535));
    cr_expect_not(number_range_is_own(SLOT, ((int64_t)SLOT << 16) - 1));
    cr_expect_not(number_range_is_own(SLOT, ((int64_t)SLOT + 1) << 16));
    cr_expect_not(number_range_is_own(0, 0));
    cr_expect_not(number_range_is_own(4095, -1));
}
