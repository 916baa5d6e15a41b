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
    cr_expect_null(config.rules.only);
    cr_expect_eq(config.foreign_keys, FOREIGN_KEYS_UNSAID);
    cr_expect_eq(config.triggers, TRIGGERS_AUTO);
    cr_expect_eq(config.ids, IDS_PLAIN);
    cr_expect_eq(config.max_skew_us, CLOCK_MAX_SKEW_US_DEFAULT);
    cr_expect_eq(config.lock_wait_us, LOCK_WAIT_US_DEFAULT);
}

Test(config, reads_back_what_it_wrote)
{
    struct config again;
    char names[600] = "";

    for (int i = 0; i < 40; i++)
        (void)snprintf(names + strlen(names), sizeof names - strlen(names),
                       "%stable_%02d", i > 0 ? "," : "", i);
    config.database = strdup("sqlite:/a b/ä.db");
    config.rules.only = strdup(names);
    config.foreign_keys = FOREIGN_KEYS_OFF;
    config.triggers = TRIGGERS_ON;
    config.ids = IDS_RANGE;
    config.max_skew_us = 7000000;
    config.lock_wait_us = 3000000;
    config.batch = 77;
    cr_assert_eq(config_write(&config, folder, &err), STATUS_OK, "%s", err.text);
    config_init(&again);
    cr_assert_eq(config_read(&again, folder, &err), STATUS_OK, "%s", err.text);
    cr_expect_str_eq(again.database, config.database);
    cr_expect_str_eq(again.rules.only, names);
    cr_expect_eq(again.foreign_keys, FOREIGN_KEYS_OFF);
    cr_expect_eq(again.triggers, TRIGGERS_ON);
    cr_expect_eq(again.ids, IDS_RANGE);
    cr_expect_eq(again.max_skew_us, 7000000);
    cr_expect_eq(again.lock_wait_us, 3000000);
    cr_expect_eq(again.batch, 77);
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
    config.rules.only = strdup("a,b ;c");
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
        {"colour = blue\n",                      "colour is unknown"               },
        {"foreign_keys = maybe\n",               "foreign_keys = maybe"            },
        {"triggers = some\n",                    "auto, off or on"                 },
        {"ids = mine\n",                         "ids = mine"                      },
        {"max_skew = soon\n",                    "max_skew = soon"                 },
        {"max_skew = -1s\n",                     "max_skew = -1s"                  },
        {"batch = 0\n",                          "batch = 0 is not understood"     },
        {"batch = 1000001\n",                    "batch = 1000001"                 },
        {"batch = 10k\n",                        "batch = 10k"                     },
        {"lock_wait = long\n",                   "lock_wait = long"                },
        {"[tables]\nname = y\n",                 ":1: section [tables]"            },
        {"# fine\nwhat is this\n",               ":2:"                             },
        {"[table]\n",                            ":1: section [table]"             },
        {"[table ]\n",                           ":1: the section names no table"  },
        {"\n[table x] # y\n",                    ":2: a section's line ends with ]"},
        {"[table x]\ncolour = 1\n",              ":2: colour is unknown"           },
        {"[table x]\nname =\n",                  ":2: name = says nothing"         },
        {"[table x]\nkey = a\ndirection = up\n", ":3: direction = up"              },
        {"[table x]\n  key = a\n",               ":2: the line begins with a blank"},
        {"[table x]\ntriggers = on\n",           ":2: triggers is unknown"         },
        {too_long,                               ":2: line of"                     },
    };

    memset(too_long + strlen(too_long), 'x', 190);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(read_text(cases[i].text), STATUS_UNAVAILABLE, "%s", cases[i].text);
        cr_expect(strstr(err.text, cases[i].named) != NULL, "%s: %s", cases[i].named,
                  err.text);
        cr_expect(strstr(err.text, path) != NULL, "%s", err.text);
    }
}

/* inih alone would end a section's name at the first ], at a comment's ; or after 49
 * bytes. */
Test(config, takes_any_name_of_a_table)
{
    static const char *const names[] = {
        "x",
        "a] ;b",
        "\"quoted\" [1]",
        "Gr\303\266\303\237e",
        "a name of more than fifty bytes, which is what inih has room for at most",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[300];
        const struct table_rule *rule;

        config_release(&config);
        (void)snprintf(text, sizeof text,
                       "[table y]\nkey = a\n[table  %s ]\nname = n\ndirection = in\n"
                       "key = \"p,q\", r\n[table y]\ndirection = out",
                       names[i]);
        cr_assert_eq(read_text(text), STATUS_OK, "%s", err.text);
        cr_expect_eq(config.rules.count, 2);
        rule = table_rules_find(&config.rules, names[i]);
        cr_assert_not_null(rule, "%s", names[i]);
        cr_expect_str_eq(rule->name, "n");
        cr_expect_str_eq(rule->key, "\"p,q\", r");
        cr_expect_eq(rule->direction, TABLE_IN);
        rule = table_rules_find(&config.rules, "Y");
        cr_assert_not_null(rule);
        cr_expect_eq(rule->direction, TABLE_OUT, "sections of one table add up");
        cr_expect_str_eq(rule->key, "a");
    }
}

Test(config, reads_back_the_rules_that_it_wrote)
{
    struct config again;
    struct table_rule *rule;

    cr_assert_eq(table_rules_add(&config.rules, "a] ;b", &rule, &err), STATUS_OK);
    rule->name = strdup("crm.person");
    rule->direction = TABLE_OUT;
    cr_assert_eq(table_rules_add(&config.rules, "t", &rule, &err), STATUS_OK);
    rule->key = strdup("a, b");
    cr_assert_eq(config_write(&config, folder, &err), STATUS_OK, "%s", err.text);
    config_init(&again);
    cr_assert_eq(config_read(&again, folder, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(table_rules_fingerprint(&again.rules),
                 table_rules_fingerprint(&config.rules));
    cr_expect_eq(table_rules_direction(&again.rules, "A] ;B"), TABLE_OUT);
    cr_expect_eq(table_rules_direction(&again.rules, "t"), TABLE_BOTH);
    config_release(&again);
}

Test(config, a_named_file_must_be_there)
{
    cr_expect_eq(config_read_file(&config, "/nonexistent/settings", &err),
                 STATUS_UNAVAILABLE);
}
