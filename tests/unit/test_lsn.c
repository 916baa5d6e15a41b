#include "engine/lsn.h"

#include <criterion/criterion.h>

Test(lsn, reads_back_what_it_writes)
{
    static const struct {
        uint64_t lsn;
        const char *text;
    } cases[] = {
        {0,            "0/0"              },
        {0x16b374d848, "16/B374D848"      },
        {0x100000000,  "1/0"              },
        {UINT64_MAX,   "FFFFFFFF/FFFFFFFF"},
    };
    struct error err;
    uint64_t lsn = 1;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_str_eq(lsn_format(cases[i].lsn).text, cases[i].text);
        cr_assert_eq(lsn_parse(cases[i].text, &lsn, &err), STATUS_OK, "%s", err.text);
        cr_expect_eq(lsn, cases[i].lsn);
    }
    cr_assert_eq(lsn_parse("0016/b374d848", &lsn, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(lsn, 0x16b374d848);
}

Test(lsn, refuses_other_texts)
{
    static const char *const cases[] = {NULL,    "",      "1",           "/1",
                                        "1/",    "1/2/3", " 1/2",        "1/2 ",
                                        "0x1/2", "-1/2",  "123456789/1", "1/g"};
    struct error err;
    uint64_t lsn = 7;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(lsn_parse(cases[i], &lsn, &err), STATUS_CORRUPT, "%s", cases[i]);
    cr_expect_eq(lsn, 7);
    cr_expect_str_eq(err.text, "'1/g' is not an LSN");
}
