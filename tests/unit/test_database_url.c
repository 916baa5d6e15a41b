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
        {"",                    STATUS_USAGE,       "no database is given"            },
        {"a.db",                STATUS_USAGE,       "given as sqlite:a.db"            },
        {"a/b:c.db",            STATUS_USAGE,       "given as sqlite:a/b:c.db"        },
        {"mysql://x",           STATUS_USAGE,       "given as sqlite:PATH"            },
        {"postgresql://x",      STATUS_USAGE,       "only a SQLite database"          },
        {"postgres://u:pw@h/d", STATUS_USAGE,       ".pgpass"                         },
        {"sqlite:",             STATUS_USAGE,       "no path is given"                },
        {"sqlite:/none/",       STATUS_USAGE,       "not a file's name"               },
        {"sqlite:/none/x.db",   STATUS_UNAVAILABLE, "/none: No such file or directory"},
        {"sqlite:/dev/null/x",  STATUS_UNAVAILABLE, "/dev/null/x: Not a directory"    },
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

Test(database_url, tells_the_kinds_apart_and_remembers_a_path_as_absolute)
{
    static const struct {
        const char *url;
        enum database_kind kind;
        const char *text, *path;
    } cases[] = {
        {"sqlite:tmp/../x.db", DATABASE_SQLITE,   "sqlite:/x.db",       "/x.db"},
        {"postgresql://u@h/d", DATABASE_POSTGRES, "postgresql://u@h/d", NULL   },
        {"postgres://h",       DATABASE_POSTGRES, "postgres://h",       NULL   },
    };
    struct database_url url;

    cr_assert_eq(chdir("/"), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(database_url_read(&url, cases[i].url, &err), STATUS_OK, "%s",
                     err.text);
        cr_expect_eq(url.kind, cases[i].kind, "%s", cases[i].url);
        cr_expect_str_eq(url.text, cases[i].text);
        if (cases[i].path == NULL)
            cr_expect_null(url.path);
        else
            cr_expect_str_eq(url.path, cases[i].path);
        database_url_release(&url);
    }
}

Test(database_url, with_a_password_is_refused_and_not_repeated)
{
    struct database_url url;

    cr_assert_eq(database_url_read(&url, "postgresql://u:hunter2@h/d", &err),
                 STATUS_USAGE);
    cr_expect_null(url.text);
    cr_expect_not_null(strstr(err.text, "PGPASSWORD"), "%s", err.text);
    cr_expect_null(strstr(err.text, "hunter2"), "%s", err.text);
}
