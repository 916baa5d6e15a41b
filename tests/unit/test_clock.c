#include "log/clock.h"

#include <criterion/criterion.h>
#include <time.h>

enum { NOW = 1000000, SKEW = 1000 };

Test(clock, follows_the_commit_times)
{
    struct hybrid_clock clock = {0};

    cr_expect_eq(hybrid_clock_next(&clock, 100, NOW, SKEW), 100);
    cr_expect_eq(hybrid_clock_next(&clock, 200, NOW, SKEW), 200);
    cr_expect_eq(clock.last_us, 200);
}

Test(clock, two_in_one_microsecond_differ)
{
    struct hybrid_clock clock = {0};

    cr_expect_eq(hybrid_clock_next(&clock, 100, NOW, SKEW), 100);
    cr_expect_eq(hybrid_clock_next(&clock, 100, NOW, SKEW), 101);
}

Test(clock, clock_back_still_counts_up)
{
    struct hybrid_clock clock = {500};

    cr_expect_eq(hybrid_clock_next(&clock, 10, 20, SKEW), 501);
    cr_expect_eq(hybrid_clock_next(&clock, 0, 0, 0), 502);
}

Test(clock, clock_ahead_is_clamped_to_now_and_the_skew)
{
    struct hybrid_clock clock = {0};

    cr_expect_eq(hybrid_clock_next(&clock, NOW + SKEW, NOW, SKEW), NOW + SKEW);
    cr_expect_eq(hybrid_clock_next(&clock, UINT64_MAX, NOW + 5, SKEW), NOW + SKEW + 5);
    cr_expect_eq(hybrid_clock_next(&clock, UINT64_MAX, NOW, SKEW), NOW + SKEW + 6,
                 "order comes before the clamp");
}

Test(clock, what_was_applied_is_below_what_comes)
{
    struct hybrid_clock clock = {100};

    hybrid_clock_observe(&clock, 5000);
    cr_expect_eq(hybrid_clock_next(&clock, 200, NOW, SKEW), 5001);
    hybrid_clock_observe(&clock, 300);
    cr_expect_eq(clock.last_us, 5001);
}

Test(clock, an_importer_refuses_only_the_future)
{
    cr_expect_not(clock_is_skewed(0, NOW, SKEW));
    cr_expect_not(clock_is_skewed(NOW + SKEW, NOW, SKEW));
    cr_expect(clock_is_skewed(NOW + SKEW + 1, NOW, SKEW));
    cr_expect(clock_is_skewed(UINT64_MAX, NOW, SKEW));
    cr_expect_not(clock_is_skewed(UINT64_MAX, NOW, UINT64_MAX), "no overflow");
    cr_expect_not(clock_is_skewed(UINT64_MAX, UINT64_MAX, 0));
}

Test(clock, of_the_system_is_in_microseconds)
{
    uint64_t before_s = (uint64_t)time(NULL);
    uint64_t now_us = wall_clock_system.now_us(wall_clock_system.data);

    cr_expect_geq(now_us / 1000000 + 1, before_s);
    cr_expect_leq(now_us / 1000000, before_s + 3600);
}
