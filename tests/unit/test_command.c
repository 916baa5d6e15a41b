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
