#include "node/database_url.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct error err;

Test(database_url, names_what_is_wrong_with_it)
{
    static const struct {
        const char *url;
        enum status status;
        const char *says;
    } cases[] = {
        {"",                   STATUS_USAGE,       "no database is given"            },
        {"a.db",               STATUS_USAGE,       "given as sqlite:a.db"            },
        {"a/b:c.db",           STATUS_USAGE,       "given as sqlite:a/b:c.db"        },
        {"mysql://x",          STATUS_USAGE,       "given as sqlite:PATH"            },
        {"postgresql://x",     STATUS_USAGE,       "no Postgres yet"                 },
        {"sqlite:",            STATUS_USAGE,       "no path is given"                },
        {"sqlite:/none/",      STATUS_USAGE,       "not a file's name"               },
        {"sqlite:/none/x.db",  STATUS_UNAVAILABLE, "/none: No such file or directory"},
        {"sqlite:/dev/null/x", STATUS_UNAVAILABLE, "/dev/null/x: Not a directory"    },
    };
    char *path;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(database_url_path(cases[i].url, &path, &err), cases[i].status, "%s",
                     cases[i].url);
        cr_expect_null(path);
        cr_expect_not_null(strstr(err.text, cases[i].says), "%s", err.text);
    }
}

Test(database_url, of_a_file_that_is_not_there_yet)
{
    char *path;

    cr_assert_eq(chdir("/"), 0);
    cr_assert_eq(database_url_path("sqlite:tmp/../none-yet.db", &path, &err), STATUS_OK,
                 "%s", err.text);
    cr_expect_str_eq(path, "/none-yet.db");
    free(path);
}
