/* A command of rowferry: what it takes, and what it does. Parsing and help follow from
 * this table; cli/main.c has the list. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "log/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARAMETERS_MAX = 14, REPEATS_MAX = 64 };

struct parameter {
    const char *name;  /* of the long option */
    const char *value; /* what follows it, for the help; NULL: a flag */
    const char *help;
    bool repeats;
};

struct invocation;

/* One of a command's flags may have a letter, too. */
struct short_option {
    char letter;  /* 0: none */
    size_t place; /* in the table of parameters */
};

struct command {
    const char *name;
    const char *operands;                        /* for the help; "" when none */
    const char *summary;                         /* one line */
    const char *about;                           /* more, for --help; may be NULL */
    struct parameter parameters[PARAMETERS_MAX]; /* ended by one without a name */
    struct short_option letter;
    size_t operands_min;
    size_t operands_max;
    enum status (*run)(const struct invocation *invocation, struct error *err);
};

struct progress_line;

/* A command line taken apart. All are views into argv. */
struct invocation {
    const struct command *command;
    const char *store;
    bool json;
    bool help;
    const char
        *values[PARAMETERS_MAX]; /* by place in the table; a flag's is ""; else NULL */
    const char *repeats[REPEATS_MAX]; /* values of the one that repeats */
    size_t repeat_count;
    const char *const *operands;
    size_t operand_count;
    struct progress_line *line; /* for long work (cli/progress_line.h) */
};

/* What was said before the command. */
struct foreword {
    const char *store; /* NULL: nothing */
    bool json;
};

/* Take a command's own arguments apart; argv[0] is the command's name. USAGE. */
MUST_CHECK enum status invocation_parse(struct invocation *out,
                                        const struct command *command,
                                        const struct foreword *foreword, int argc,
                                        char **argv, struct error *err);

/* Whether a text is a number from 1, all of it. */
bool operand_number(const char *text, uint64_t *number);

/* Read the value of --limit. text: NULL when it was not given. what: "entries". USAGE. */
MUST_CHECK enum status invocation_limit(const char *text, const char *what, bool *given,
                                        uint64_t *limit, struct error *err);

/* For a command whose operands are a verb and maybe the number of a thing, from 1. */
struct verb {
    const char *word;
    enum { NUMBER_NEVER, NUMBER_MAY, NUMBER_MUST } number;
};

struct verbs {
    const struct verb *list; /* the first one is meant when nothing is said */
    size_t count;
    const char *usage;  /* "list, retry, retry N or drop N" */
    const char *number; /* "a row's number; `rowferry quarantine` lists them" */
};

/* Read the operands: *verb is a place in the list, *number 0 when none was said. USAGE.
 */
MUST_CHECK enum status verbs_read(const struct verbs *verbs,
                                  const struct invocation *invocation, size_t *verb,
                                  uint64_t *number, struct error *err);

/* The command's --help, to standard output. */
void command_print_help(const struct command *command);

/* What the process returns for a status (DESIGN section 9). */
int exit_code(enum status status);

#endif
