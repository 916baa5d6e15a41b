/* rowferry: find the command, run it, say what failed. */
#include "cli/commands.h"
#include "cli/progress_line.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const struct command *const commands[] = {
    &command_init,      &command_token,      &command_sync,    &command_run,
    &command_capture,   &command_apply,      &command_export,  &command_import,
    &command_status,    &command_log,        &command_history, &command_blame,
    &command_conflicts, &command_quarantine, &command_peers,   &command_diff,
    &command_verify,    &command_resync,     &command_schema,  NULL,
};

static void print_help(void)
{
    (void)printf("usage: rowferry [--store DIR] [--json] COMMAND [OPTION]...\n\n"
                 "Carries row changes between databases and keeps every change.\n\n"
                 "commands:\n");
    for (size_t i = 0; commands[i] != NULL; i++)
        (void)printf("  %-11s %s\n", commands[i]->name, commands[i]->summary);
    (void)printf("\noptions:\n"
                 "  --store DIR  the store; else $ROWFERRY_STORE, else ./.rowferry\n"
                 "  --json       print JSON (docs/JSON.md)\n"
                 "  --version    print the version\n"
                 "  -h, --help   print this; rowferry COMMAND --help prints more\n"
                 "The first two may stand before the command or after it, other options "
                 "after it.\n\n"
                 "exit status: 0 done; 1 a difference or a refusal; 2 wrong usage;\n"
                 "3 the environment: database, store, disk\n");
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

/* What stood on standard output must have arrived there. */
static enum status finish_output(enum status status, struct error *err)
{
    bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;

    if (!failed || status != STATUS_OK)
        return status;
    return error_set(err, errno == ENOSPC ? STATUS_FULL : STATUS_IO,
                     "standard output: %s", strerror(errno));
}

static enum status run_watched(struct invocation *invocation, struct error *err)
{
    struct progress_line line;
    enum status status;

    progress_line_init(&line, invocation->command->name, invocation->json);
    invocation->line = &line;
    status = invocation->command->run(invocation, err);
    progress_line_release(&line);
    return status;
}

static int run_command(const struct command *command, const struct foreword *foreword,
                       int argc, char **argv)
{
    struct invocation invocation;
    struct error err = {""};
    enum status status =
        invocation_parse(&invocation, command, foreword, argc, argv, &err);

    if (status == STATUS_OK && invocation.help)
        command_print_help(command);
    else if (status == STATUS_OK)
        status = run_watched(&invocation, &err);
    status = finish_output(status, &err);
    if (status != STATUS_OK)
        (void)fprintf(stderr, "rowferry %s: %s\n", command->name,
                      err.text[0] != '\0' ? err.text : status_text(status));
    return exit_code(status);
}

static int refuse_usage(const char *what, const char *word)
{
    (void)fprintf(stderr, "rowferry: %s%s; see rowferry --help\n", what, word);
    return exit_code(STATUS_USAGE);
}

/* Take what stands before the command. True: *code is what the process returns. */
static bool take_foreword(struct foreword *foreword, int argc, char **argv, int *code)
{
    static const struct option options[] = {
        {"store",      required_argument, NULL, 's'},
        {"json",        no_argument, NULL, 'j'},
        {"version",            no_argument, NULL, 'v'},
        {"help",no_argument, NULL, 'h'},
        {0        },
    };
    int option;

    *code = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
        switch (option) {
        case 's':
            foreword->store = optarg;
            break;
        case 'j':
            foreword->json = true;
            break;
        case 'v':
            (void)printf("rowferry %s\n", ROWFERRY_VERSION);
            return true;
        case 'h':
            print_help();
            return true;
        case ':':
            *code = refuse_usage("a value is missing after ", argv[optind - 1]);
            return true;
        default:
            *code =
                refuse_usage("options of a command stand after it: ", argv[optind - 1]);
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    const struct command *command;
    struct foreword foreword = {0};
    int code;

    if (take_foreword(&foreword, argc, argv, &code))
        return code;
    if (optind >= argc)
        return refuse_usage("no command", "");
    command = find_command(argv[optind]);
    if (command == NULL && strcmp(argv[optind], "help") == 0) {
        command = optind + 1 < argc ? find_command(argv[optind + 1]) : NULL;
        if (command != NULL)
            command_print_help(command);
        else
            print_help();
        return 0;
    }
    if (command == NULL)
        return refuse_usage("unknown command ", argv[optind]);
    return run_command(command, &foreword, argc - optind, argv + optind);
}
