#include "cli/moment.h"

#include <criterion/criterion.h>

#define NOW_US (UINT64_C(1700000000) * 1000000)

static struct error err;

Test(moment, reads_seqs)
{
    static const struct {
        const char *text;
        uint64_t seq;
    } cases[] = {
        {"0",                    0         },
        {"120",                  120       },
        {"18446744073709551615", UINT64_MAX},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct moment found;

        cr_assert_eq(moment_read("--since", cases[i].text, NOW_US, &found, &err),
                     STATUS_OK, "%s: %s", cases[i].text, err.text);
        cr_expect(found.is_seq, "%s", cases[i].text);
        cr_expect_eq(found.seq, cases[i].seq, "%s", cases[i].text);
    }
}

/* now is 2023-11-14 22:13:20. */
Test(moment, reads_times_from_their_first_to_their_last_microsecond)
{
    static const struct {
        const char *text;
        uint64_t before_us; /* from then to now */
        uint64_t span_us;
    } cases[] = {
        {"90s",                         90000000,         1          },
        {"15m",                         900000000,        1          },
        {"2h",                          7200000000,       1          },
        {"3d",                          259200000000,     1          },
        {"1000000d",                    NOW_US,           1          },
        {"1970-01-02",                  1699913600000000, 86400000000},
        {"2023-11-14",                  80000000000,      86400000000},
        {"2023-11-14Z",                 80000000000,      86400000000},
        {"2023-11-14+02:00",            87200000000,      86400000000},
        {"2023-11-14 22:13",            20000000,         60000000   },
        {"2023-11-14T23:13+01",         20000000,         60000000   },
        {"2023-11-14 18:43-0330",       20000000,         60000000   },
        {"2023-11-14T22:13:20",         0,                1000000    },
        {"2023-11-14 22:13:20Z",        0,                1000000    },
        {"2023-11-15 00:13:20+02:00",   0,                1000000    },
        {"2023-11-14T22:13:19.5Z",      500000,           100000     },
        {"2023-11-14T22:13:19,25",      750000,           10000      },
        {"2023-11-14T22:13:19.999999Z", 1,                1          },
        {"2023-11-14T22:13:19.9999999", 1,                1          },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct moment found;

        cr_assert_eq(moment_read("--since", cases[i].text, NOW_US, &found, &err),
                     STATUS_OK, "%s: %s", cases[i].text, err.text);
        cr_expect_not(found.is_seq, "%s", cases[i].text);
        cr_expect_eq(NOW_US - found.since_us, cases[i].before_us, "%s", cases[i].text);
        cr_expect_eq(found.until_us - found.since_us + 1, cases[i].span_us, "%s",
                     cases[i].text);
    }
}

Test(moment, refuses_what_is_neither)
{
    static const char *const texts[] = {
        "",
        "yesterday",
        "-5",
        "12x",
        "2h30m",
        "18446744073709551616",
        "5w",
        "2023-14-01",
        "2023-11-14 99:00",
        "1000001d",
        "2023-11-14 22:13:20 UTC",
        "2023-11-14 22:13+24",
        "2023-11-14 22:13+1",
        "2023-11-14 22:13:20.",
        "2023-11-14 22:13.5",
        "2023-11-14 22:13+01:60",
        "2023-11-14 22:13+01:00x",
        "1969-12-31",
        "1970-01-01 00:30+01:00",
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct moment found;

        cr_expect_eq(moment_read("--until", texts[i], NOW_US, &found, &err), STATUS_USAGE,
                     "%s", texts[i]);
    }
}
