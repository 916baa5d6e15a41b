#include "log/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(error, each_layer_adds_what_it_knows)
{
    struct error err;

    cr_expect_eq(error_set(&err, STATUS_FULL, "lmdb: %s", "no space"), STATUS_FULL);
    cr_expect_eq(error_wrap(&err, STATUS_IO, "/store"), STATUS_IO);
    cr_expect_str_eq(err.text, "/store: lmdb: no space");
}

Test(error, reason_may_quote_itself)
{
    struct error err;

    error_set(&err, STATUS_IO, "first");
    error_set(&err, STATUS_IO, "%s, then second", err.text);
    cr_expect_str_eq(err.text, "first, then second");
}

Test(error, long_reason_is_cut_never_overrun)
{
    struct error err;
    char text[2 * sizeof err.text];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    error_set(&err, STATUS_IO, "%s", text);
    cr_expect_eq(strlen(err.text), sizeof err.text - 1);
    error_wrap(&err, STATUS_IO, "what");
    cr_expect_eq(strlen(err.text), sizeof err.text - 1);
    cr_expect_eq(strncmp(err.text, "what: xxx", 9), 0);
}

Test(error, a_reason_is_one_line)
{
    struct error err;

    error_set(&err, STATUS_IO, "SELECT%s", "\n1\t\x1b[2J\x7f");
    cr_expect_str_eq(err.text, "SELECT 1  [2J ");
}

Test(error, what_the_system_says_comes_with_what_to_do)
{
    static const struct {
        int code;
        const char *text;
    } cases[] = {
        {ENOENT,
         "a.db: No such file or directory: check its name, or mount what it is on"},
        {EACCES, "a.db: Permission denied: give this user the right to it"        },
        {ENOSPC, "a.db: No space left on device: free some disk space"            },
        {EFBIG,  "a.db: File too large: let files be larger (ulimit -f), or use another "
                "file system"                                      },
        {ELOOP,  "a.db: Too many levels of symbolic links"                        },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;

        errno = cases[i].code;
        cr_expect_eq(error_set_errno(&err, STATUS_UNAVAILABLE, "a.db"),
                     STATUS_UNAVAILABLE);
        cr_expect_str_eq(err.text, cases[i].text);
    }
}

Test(error, every_status_has_a_text)
{
    cr_expect_str_eq(status_text(STATUS_OK), "success");
    cr_expect_str_eq(status_text(STATUS_USAGE), "wrong use of a command");
    cr_expect_str_eq(status_text((enum status)1000), "unknown status");
}

Test(error, no_room_has_several_codes)
{
    cr_expect(error_is_no_room(ENOSPC));
    cr_expect(error_is_no_room(EDQUOT));
    cr_expect(error_is_no_room(EFBIG));
    cr_expect_not(error_is_no_room(EIO));
    cr_expect_not(error_is_no_room(0));
}
