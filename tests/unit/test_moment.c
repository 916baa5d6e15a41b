#include "cli/moment.h"

#include <criterion/criterion.h>

#define NOW_US (UINT64_C(1700000000) * 1000000)

static struct error err;

Test(moment, reads_seqs_times_and_spans)
{
    static const struct {
        const char *text;
        struct moment expected;
    } cases[] = {
        {"0",                    {.is_seq = true}                            },
        {"120",                  {.is_seq = true, .seq = 120}                },
        {"18446744073709551615", {.is_seq = true, .seq = UINT64_MAX}         },
        {"90s",                  {.time_us = NOW_US - UINT64_C(90000000)}    },
        {"15m",                  {.time_us = NOW_US - UINT64_C(900000000)}   },
        {"2h",                   {.time_us = NOW_US - UINT64_C(7200000000)}  },
        {"3d",                   {.time_us = NOW_US - UINT64_C(259200000000)}},
        {"1000000d",             {.time_us = 0}                              },
        {"1970-01-02",           {.time_us = UINT64_C(86400000000)}          },
        {"2023-11-14 22:13",     {.time_us = NOW_US - UINT64_C(20000000)}    },
        {"2023-11-14T22:13:20",  {.time_us = NOW_US}                         },
        {"2023-11-14 22:13:20Z", {.time_us = NOW_US}                         },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct moment found;

        cr_assert_eq(moment_read("--since", cases[i].text, NOW_US, &found, &err),
                     STATUS_OK, "%s: %s", cases[i].text, err.text);
        cr_expect_eq(found.is_seq, cases[i].expected.is_seq, "%s", cases[i].text);
        cr_expect_eq(found.seq, cases[i].expected.seq, "%s", cases[i].text);
        cr_expect_eq(found.time_us, cases[i].expected.time_us, "%s", cases[i].text);
    }
}

Test(moment, refuses_what_is_neither)
{
    static const char *const texts[] = {
        "",         "yesterday",  "-5",
        "12x",      "2h30m",      "18446744073709551616",
        "5w",       "2023-14-01", "2023-11-14 99:00",
        "1000001d",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct moment found;

        cr_expect_eq(moment_read("--until", texts[i], NOW_US, &found, &err), STATUS_USAGE,
                     "%s", texts[i]);
    }
}
