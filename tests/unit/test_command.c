#include "cli/command.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error err;
static struct invocation found;

static enum status never(const struct invocation *invocation, struct error *error)
{
    (void)invocation;
    return error_set(error, STATUS_IO, "not to be run");
}

enum { NAME, FORCE, EACH };

static const struct command move = {
    .name = "move",
    .operands = "A [B]",
    .parameters = {{"name", "NAME", "", false},
                   {"force", NULL, "", false},
                   {"each", "ONE", "", true}},
    .operands_min = 1,
    .operands_max = 2,
    .run = never,
};

/* Words are separated by one space. */
static enum status parse(const char *line, const char *store)
{
    static char words[256];
    static char *argv[16]; /* what was found points into it */
    int argc = 0;

    (void)snprintf(words, sizeof words, "%s", line);
    for (char *at = strtok(words, " "); at != NULL; at = strtok(NULL, " "))
        argv[argc++] = at;
    argv[argc] = NULL;
    return invocation_parse(&found, &move, &(struct foreword){.store = store}, argc, argv,
                            &err);
}

Test(command, takes_options_before_between_and_after_operands)
{
    cr_assert_eq(parse("move --name n a --force b --json --store s", NULL), STATUS_OK,
                 "%s", err.text);
    cr_expect_str_eq(found.values[NAME], "n");
    cr_expect_not_null(found.values[FORCE]);
    cr_expect(found.json);
    cr_expect_str_eq(found.store, "s");
    cr_assert_eq(found.operand_count, 2);
    cr_expect_str_eq(found.operands[0], "a");
    cr_expect_str_eq(found.operands[1], "b");
}

Test(command, finds_the_store_in_the_order_of_the_manual)
{
    unsetenv("ROWFERRY_STORE");
    cr_assert_eq(parse("move a", NULL), STATUS_OK);
    cr_expect_str_eq(found.store, "./.rowferry");
    setenv("ROWFERRY_STORE", "from-environment", 1);
    cr_assert_eq(parse("move a", NULL), STATUS_OK);
    cr_expect_str_eq(found.store, "from-environment");
    cr_assert_eq(parse("move a", "before"), STATUS_OK);
    cr_expect_str_eq(found.store, "before");
    cr_assert_eq(parse("move a --store after", "before"), STATUS_OK);
    cr_expect_str_eq(found.store, "after");
}

Test(command, keeps_each_value_of_an_option_that_repeats)
{
    cr_assert_eq(parse("move a --each x --each y", NULL), STATUS_OK);
    cr_assert_eq(found.repeat_count, 2);
    cr_expect_str_eq(found.repeats[0], "x");
    cr_expect_str_eq(found.repeats[1], "y");
    cr_expect_null(found.values[NAME]);
}

Test(command, lets_operands_begin_with_a_minus_after_two)
{
    cr_assert_eq(parse("move a -- -7", NULL), STATUS_OK, "%s", err.text);
    cr_expect_str_eq(found.operands[1], "-7");
}

Test(command, asks_for_no_operands_when_help_is_asked_for)
{
    cr_assert_eq(parse("move --help", NULL), STATUS_OK);
    cr_expect(found.help);
}

Test(command, names_what_is_wrong)
{
    static const struct {
        const char *line, *named;
    } cases[] = {
        {"move",             "A [B]"                   },
        {"move a b c",       "c is too much"           },
        {"move a --nam",     "--nam"                   },
        {"move a --naem x",  "unknown option --naem"   },
        {"move a --name",    "--name"                  },
        {"move a --force=1", "--force=1 takes no value"},
        {"move a -x",        "-x"                      },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(parse(cases[i].line, NULL), STATUS_USAGE, "%s", cases[i].line);
        cr_expect(strstr(err.text, cases[i].named) != NULL, "%s: %s", cases[i].line,
                  err.text);
        cr_expect(strstr(err.text, "move --help") != NULL, "%s: %s", cases[i].line,
                  err.text);
    }
}

Test(command, reads_a_verb_and_a_number)
{
    static const struct verb list[] = {
        {"list",  NUMBER_NEVER},
        {"retry", NUMBER_MAY  },
        {"drop",  NUMBER_MUST }
    };
    static const struct verbs verbs = {list, 3, "list, retry or drop", "a number"};
    static const struct {
        const char *operands[3];
        size_t verb;
        uint64_t number;
        const char *refused; /* NULL: it is not */
    } cases[] = {
        {{NULL},                            0, 0,          NULL                             },
        {{"list"},                          0, 0,          NULL                             },
        {{"retry"},                         1, 0,          NULL                             },
        {{"retry", "7"},                    1, 7,          NULL                             },
        {{"drop", "1"},                     2, 1,          NULL                             },
        {{"drop", "18446744073709551615"},  2, UINT64_MAX, NULL                             },
        {{"list", "1"},                     0, 0,          "list: give list, retry or drop" },
        {{"drop"},                          0, 0,          "drop: give list, retry or drop" },
        {{"drop", "1", "2"},                0, 0,          "drop: give list, retry or drop" },
        {{"other"},                         0, 0,          "other: give list, retry or drop"},
        {{"drop", "0"},                     0, 0,          "drop 0: not a number"           },
        {{"drop", "-1"},                    0, 0,          "drop -1: not a number"          },
        {{"drop", "1x"},                    0, 0,          "drop 1x: not a number"          },
        {{"retry", "99999999999999999999"},
         0,                                    0,
         "retry 99999999999999999999: not a number"                                         },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct invocation invocation = {.operands = cases[i].operands};
        size_t verb = 0;
        uint64_t number = 0;
        enum status status;

        while (invocation.operand_count < 3 &&
               cases[i].operands[invocation.operand_count] != NULL)
            invocation.operand_count++;
        status = verbs_read(&verbs, &invocation, &verb, &number, &err);
        cr_expect_eq(status, cases[i].refused == NULL ? STATUS_OK : STATUS_USAGE,
                     "case %zu", i);
        if (status == STATUS_USAGE) {
            cr_expect_str_eq(err.text, cases[i].refused);
            continue;
        }
        cr_expect_eq(verb, cases[i].verb, "case %zu", i);
        cr_expect_eq(number, cases[i].number, "case %zu", i);
    }
}

Test(command, exits_as_the_manual_says)
{
    static const struct {
        enum status status;
        int code;
    } cases[] = {
        {STATUS_OK,          0},
        {STATUS_REFUSED,     1},
        {STATUS_DIFFERENT,   1},
        {STATUS_NOT_FOUND,   1},
        {STATUS_USAGE,       2},
        {STATUS_UNAVAILABLE, 3},
        {STATUS_IO,          3},
        {STATUS_FULL,        3},
        {STATUS_BUSY,        3},
        {STATUS_NO_MEMORY,   3},
        {STATUS_CORRUPT,     3},
        {STATUS_CONSTRAINT,  3},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(exit_code(cases[i].status), cases[i].code, "%s",
                     status_text(cases[i].status));
}
