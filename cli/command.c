#include "cli/command.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Codes of getopt_long: a command's parameters come first, then those that all have. */
enum {
    CODE_FIRST = 256,
    CODE_STORE = CODE_FIRST + PARAMETERS_MAX,
    CODE_JSON,
    CODE_HELP,
    COMMON_COUNT = 3,
};

static size_t list_options(const struct command *command, struct option *out)
{
    size_t count = 0;

    while (count < PARAMETERS_MAX && command->parameters[count].name != NULL) {
        const struct parameter *parameter = &command->parameters[count];

        out[count] = (struct option){
            parameter->name,
            parameter->value != NULL ? required_argument : no_argument,
            NULL,
            CODE_FIRST + (int)count,
        };
        count++;
    }
    out[count++] = (struct option){"store", required_argument, NULL, CODE_STORE};
    out[count++] = (struct option){"json", no_argument, NULL, CODE_JSON};
    out[count++] = (struct option){"help", no_argument, NULL, CODE_HELP};
    out[count] = (struct option){0};
    return count;
}

static enum status refuse_option(const char *name, int code, char **argv,
                                 struct error *err)
{
    const char *given = optind > 0 ? argv[optind - 1] : "";

    if (code == ':')
        return error_set(err, STATUS_USAGE, "%s needs a value; see rowferry %s --help",
                         given, name);
    if (optopt >= CODE_FIRST)
        return error_set(err, STATUS_USAGE, "%s takes no value; see rowferry %s --help",
                         given, name);
    if (optopt != 0)
        return error_set(err, STATUS_USAGE, "unknown option -%c; see rowferry %s --help",
                         optopt, name);
    return error_set(err, STATUS_USAGE, "unknown option %s; see rowferry %s --help",
                     given, name);
}

static enum status take_option(struct invocation *out, int code, struct error *err)
{
    size_t place = (size_t)(code - CODE_FIRST);
    const struct parameter *parameter;

    if (code == CODE_STORE)
        out->store = optarg;
    else if (code == CODE_JSON)
        out->json = true;
    else if (code == CODE_HELP || code == 'h')
        out->help = true;
    if (code >= CODE_STORE || code == 'h')
        return STATUS_OK;
    parameter = &out->command->parameters[place];
    out->values[place] = parameter->value != NULL ? optarg : "";
    if (!parameter->repeats)
        return STATUS_OK;
    if (out->repeat_count == REPEATS_MAX)
        return error_set(err, STATUS_USAGE, "--%s: at most %d of them", parameter->name,
                         REPEATS_MAX);
    out->repeats[out->repeat_count++] = optarg;
    return STATUS_OK;
}

static enum status check_operands(const struct invocation *out, struct error *err)
{
    const struct command *command = out->command;

    if (out->operand_count < command->operands_min)
        return error_set(err, STATUS_USAGE, "needs %s; see rowferry %s --help",
                         command->operands, command->name);
    if (out->operand_count > 0 && out->operands[0][0] == '\0')
        return error_set(err, STATUS_USAGE, "%s is empty; see rowferry %s --help",
                         command->operands, command->name);
    if (out->operand_count > command->operands_max)
        return error_set(err, STATUS_USAGE, "%s is too much; see rowferry %s --help",
                         out->operands[command->operands_max], command->name);
    return STATUS_OK;
}

enum status invocation_parse(struct invocation *out, const struct command *command,
                             const struct foreword *foreword, int argc, char **argv,
                             struct error *err)
{
    struct option options[PARAMETERS_MAX + COMMON_COUNT + 1];
    const char letters[] = {':', 'h', command->letter.letter, '\0'};
    enum status status = STATUS_OK;
    int code;

    assert(argc > 0);
    *out = (struct invocation){
        .command = command, .store = foreword->store, .json = foreword->json};
    (void)list_options(command, options);
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while (status == STATUS_OK &&
           (code = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        if (code == command->letter.letter)
            code = CODE_FIRST + (int)command->letter.place;
        if (code == '?' || code == ':')
            status = refuse_option(command->name, code, argv, err);
        else
            status = take_option(out, code, err);
    }
    if (status != STATUS_OK || out->help)
        return status;
    if (out->store == NULL)
        out->store = getenv("ROWFERRY_STORE");
    if (out->store == NULL || out->store[0] == '\0')
        out->store = "./.rowferry";
    out->operands = (const char *const *)argv + optind;
    out->operand_count = (size_t)(argc - optind);
    return check_operands(out, err);
}

bool operand_number(const char *operand, uint64_t *number)
{
    char *end = NULL;

    if (operand[0] < '0' || operand[0] > '9')
        return false;
    errno = 0;
    *number = strtoull(operand, &end, 10);
    return errno == 0 && *end == '\0' && *number > 0;
}

enum status invocation_limit(const char *text, const char *what, bool *given,
                             uint64_t *limit, struct error *err)
{
    char *end = NULL;

    *given = text != NULL;
    *limit = 0;
    if (text == NULL)
        return STATUS_OK;
    errno = 0;
    *limit = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0)
        return error_set(err, STATUS_USAGE, "--limit %s: give how many %s", text, what);
    return STATUS_OK;
}

enum status verbs_read(const struct verbs *verbs, const struct invocation *invocation,
                       size_t *verb, uint64_t *number, struct error *err)
{
    const char *const *operands = invocation->operands;
    size_t count = invocation->operand_count, place = 0;

    while (count > 0 && place < verbs->count &&
           strcmp(operands[0], verbs->list[place].word) != 0)
        place++;
    if (place == verbs->count || count > 2 ||
        (count == 2 && verbs->list[place].number == NUMBER_NEVER) ||
        (count < 2 && verbs->list[place].number == NUMBER_MUST))
        return error_set(err, STATUS_USAGE, "%s: give %s", operands[0], verbs->usage);
    *verb = place;
    *number = 0;
    if (count == 2 && !operand_number(operands[1], number)) {
        return error_set(err, STATUS_USAGE, "%s %s: not %s", operands[0], operands[1],
                         verbs->number);
    }
    return STATUS_OK;
}

void command_print_help(const struct command *command)
{
    char left[64];

    (void)printf("usage: rowferry %s%s%s [OPTION]...\n\n%s.\n", command->name,
                 command->operands[0] != '\0' ? " " : "", command->operands,
                 command->summary);
    if (command->about != NULL)
        (void)printf("\n%s\n", command->about);
    (void)printf("\noptions:\n");
    for (const struct parameter *at = command->parameters; at->name != NULL; at++) {
        char letter[] = {'-', command->letter.letter, ',', ' ', '\0'};

        if (command->letter.place != (size_t)(at - command->parameters) ||
            command->letter.letter == '\0')
            letter[0] = '\0';
        (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, at->name,
                       at->value != NULL ? " " : "", at->value != NULL ? at->value : "");
        (void)printf("  %-18s  %s\n", left, at->help);
    }
    (void)printf("  %-18s  %s\n", "--store DIR",
                 "the store; else $ROWFERRY_STORE, else ./.rowferry");
    (void)printf("  %-18s  %s\n", "--json", "print JSON (docs/JSON.md)");
    (void)printf("  %-18s  %s\n", "-h, --help", "print this");
}

int exit_code(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return 0;
    case STATUS_REFUSED:
    case STATUS_DIFFERENT:
    case STATUS_NOT_FOUND:
        return 1;
    case STATUS_USAGE:
        return 2;
    case STATUS_NO_MEMORY:
    case STATUS_IO:
    case STATUS_FULL:
    case STATUS_CORRUPT:
    case STATUS_CONSTRAINT:
    case STATUS_BUSY:
    case STATUS_UNAVAILABLE:
        break;
    }
    return 3;
}
