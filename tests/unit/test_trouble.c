#include "node/told.h"
#include "node/trouble.h"

#include <criterion/criterion.h>

static const struct error away = {"stick: away"}, full = {"stick: full"};

Test(trouble, is_said_once_as_long_as_it_is_the_same)
{
    struct trouble trouble = {0};

    cr_expect(trouble_note(&trouble, STATUS_UNAVAILABLE, &away, 0));
    cr_expect_not(trouble_note(&trouble, STATUS_UNAVAILABLE, &away, 1000));
    cr_expect(trouble_note(&trouble, STATUS_FULL, &full, 3000), "another one");
    cr_expect(trouble_end(&trouble), "it is over");
    cr_expect_not(trouble_end(&trouble), "and was before");
    cr_expect(trouble_note(&trouble, STATUS_FULL, &full, 4000), "a new one");
}

Test(trouble, is_tried_again_later_and_later_but_within_a_minute)
{
    static const uint64_t delays[] = {1,  2,  4,  8, 16,
                                      32, 60, 60, 60}; /* seconds, one after another */
    struct trouble trouble = {0};
    uint64_t now_ms = 5;

    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        (void)trouble_note(&trouble, STATUS_IO, &away, now_ms);
        cr_expect_eq(trouble.next_ms, now_ms + delays[i] * 1000, "try %zu", i);
        now_ms = trouble.next_ms;
    }
    trouble_hurry(&trouble, now_ms - 60000);
    cr_expect_eq(trouble.next_ms, now_ms - 60000 + TROUBLE_FIRST_MS);
    trouble_hurry(&trouble, now_ms);
    cr_expect_eq(trouble.next_ms, now_ms - 60000 + TROUBLE_FIRST_MS, "never later");
}

Test(told, is_news_when_the_visit_before_did_not_say_it)
{
    struct told told = {0};

    cr_expect(told_is_news(&told, "half"));
    cr_expect_not(told_is_news(&told, "half"), "twice in a visit");
    told_end(&told);
    cr_expect_not(told_is_news(&told, "half"), "as before");
    cr_expect(told_is_news(&told, "damaged"));
    told_end(&told);
    told_end(&told);
    cr_expect(told_is_news(&told, "half"), "it was gone meanwhile");
    for (int i = 0; i < 100; i++) {
        char line[] = {(char)('0' + i / 10), (char)('0' + i % 10), '\0'};

        cr_expect(told_is_news(&told, line));
    }
    told_release(&told);
}
