#include "node/config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/rowferry-config-XXXXXX";
static char path[64];
static struct config config;
static struct error err;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/rowferry.ini", folder);
    config_init(&config);
}

static void tear_down(void)
{
    config_release(&config);
    (void)unlink(path);
    (void)rmdir(folder);
}

TestSuite(config, .init = set_up, .fini = tear_down);

static enum status read_text(const char *text)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    (void)fputs(text, file);
    cr_assert_eq(fclose(file), 0);
    return config_read(&config, folder, &err);
}

Test(config, has_defaults_without_a_file)
{
    cr_assert_eq(config_read(&config, folder, &err), STATUS_OK);
    cr_expect_null(config.database);
    cr_expect_null(config.tables);
    cr_expect_eq(config.foreign_keys, FOREIGN_KEYS_UNSAID);
    cr_expect_eq(config.triggers, TRIGGERS_AUTO);
    cr_expect_eq(config.max_skew_us, CLOCK_MAX_SKEW_US_DEFAULT);
}

Test(config, reads_back_what_it_wrote)
{
    struct config again;
    char names[600] = "";

    for (int i = 0; i < 40; i++)
        (void)snprintf(names + strlen(names), sizeof names - strlen(names),
                       "%stable_%02d", i > 0 ? "," : "", i);
    config.database = strdup("sqlite:/a b/ä.db");
    config.tables = strdup(names);
    config.foreign_keys = FOREIGN_KEYS_OFF;
    config.triggers = TRIGGERS_ON;
    config.max_skew_us = 7000000;
    cr_assert_eq(config_write(&config, folder, &err), STATUS_OK, "%s", err.text);
    config_init(&again);
    cr_assert_eq(config_read(&again, folder, &err), STATUS_OK, "%s", err.text);
    cr_expect_str_eq(again.database, config.database);
    cr_expect_str_eq(again.tables, names);
    cr_expect_eq(again.foreign_keys, FOREIGN_KEYS_OFF);
    cr_expect_eq(again.triggers, TRIGGERS_ON);
    cr_expect_eq(again.max_skew_us, 7000000);
    config_release(&again);
}

Test(config, leaves_out_a_database_that_no_line_can_hold)
{
    static const char *const urls[] = {"sqlite:/a ;b.db", "sqlite:/a\nb.db",
                                       "sqlite:/a "};
    char long_url[300] = "sqlite:/";

    memset(long_url + 8, 'x', 200);
    for (size_t i = 0; i <= sizeof urls / sizeof *urls; i++) {
        struct config again;

        config.database = strdup(i < sizeof urls / sizeof *urls ? urls[i] : long_url);
        cr_assert_eq(config_write(&config, folder, &err), STATUS_OK, "%s", err.text);
        config_init(&again);
        cr_assert_eq(config_read(&again, folder, &err), STATUS_OK, "%s", err.text);
        cr_expect_null(again.database);
        config_release(&again);
        free(config.database);
        config.database = NULL;
    }
}

Test(config, refuses_tables_that_no_line_can_hold)
{
    config.tables = strdup("a,b ;c");
    cr_expect_eq(config_write(&config, folder, &err), STATUS_USAGE);
}

Test(config, understands_times)
{
    static const struct {
        const char *text;
        uint64_t seconds;
    } cases[] = {
        {"90",  90   },
        {"90s", 90   },
        {"5m",  300  },
        {"2h",  7200 },
        {"1d",  86400}
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];

        (void)snprintf(text, sizeof text, "max_skew = %s\n", cases[i].text);
        cr_assert_eq(read_text(text), STATUS_OK, "%s", err.text);
        cr_expect_eq(config.max_skew_us, cases[i].seconds * 1000000, "%s", cases[i].text);
    }
}

Test(config, names_the_line_that_is_wrong)
{
    char too_long[300] = "\ndatabase = sqlite:/";
    const struct {
        const char *text, *named;
    } cases[] = {
        {"colour = blue\n",        "colour is unknown"   },
        {"foreign_keys = maybe\n", "foreign_keys = maybe"},
        {"triggers = some\n",      "auto, off or on"     },
        {"max_skew = soon\n",      "max_skew = soon"     },
        {"max_skew = -1s\n",       "max_skew = -1s"      },
        {"[table x]\nname = y\n",  "[table x]"           },
        {"# fine\nwhat is this\n", ":2:"                 },
        {too_long,                 ":2: line of"         },
    };

    memset(too_long + strlen(too_long), 'x', 190);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(read_text(cases[i].text), STATUS_UNAVAILABLE, "%s", cases[i].text);
        cr_expect(strstr(err.text, cases[i].named) != NULL, "%s: %s", cases[i].named,
                  err.text);
        cr_expect(strstr(err.text, path) != NULL, "%s", err.text);
    }
}
