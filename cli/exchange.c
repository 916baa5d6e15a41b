/* rowferry export, import: segments as files and pipes. */
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/progress_line.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SINCE };

static enum status open_log(struct node **node, const struct invocation *invocation,
                            struct error *err)
{
    enum status status = node_open(node, invocation->store, 0, err);

    if (status == STATUS_OK)
        node_set_progress(*node, progress_line_watcher(invocation->line));
    return status;
}

/* Where results go when a segment takes standard output. */
static enum status run_export(const struct invocation *invocation, struct error *err)
{
    const char *path = invocation->operands[0];
    bool piped = strcmp(path, "-") == 0;
    struct segment_counts counts = {0};
    struct node *node = NULL;
    char size[SIZE_TEXT_SIZE];
    FILE *out = piped ? stderr : stdout;
    enum status status;

    if (piped && isatty(STDOUT_FILENO))
        return error_set(err, STATUS_USAGE,
                         "a segment is not for a terminal: name a file, or pipe it on");
    status = open_log(&node, invocation, err);
    if (status == STATUS_OK)
        status = node_export(node, path, invocation->values[SINCE], &counts, err);
    progress_line_erase(invocation->line);
    if (status == STATUS_OK && invocation->json)
        json_print_line(out, segment_json(&counts));
    else if (status == STATUS_OK && counts.entries == 0)
        (void)fprintf(out, "nothing is new: no segment was made\n");
    else if (status == STATUS_OK) {
        (void)fprintf(out, "exported %" PRIu64 " entr%s (%" PRIu64 " change%s, %s)\n",
                      counts.entries, counts.entries == 1 ? "y" : "ies", counts.changes,
                      plural(counts.changes), size_text(counts.bytes, size));
    }
    node_close(node);
    return status;
}

static void print_import(const struct segment_counts *counts, bool json)
{
    json_t *object;

    if (json) {
        object = segment_json(counts);
        json_put_number(object, "conflicts", counts->conflicts);
        json_put_number(object, "waiting", counts->waiting);
        json_print_line(stdout, object);
        return;
    }
    (void)printf(
        "received %" PRIu64 " entr%s (%" PRIu64 " change%s), conflicts %" PRIu64 "%s\n",
        counts->entries, counts->entries == 1 ? "y" : "ies", counts->changes,
        plural(counts->changes), counts->conflicts,
        counts->entries > 0 ? "; rowferry apply brings them into the database" : "");
}

static enum status run_import(const struct invocation *invocation, struct error *err)
{
    struct segment_counts counts = {0};
    struct node *node = NULL;
    enum status status = open_log(&node, invocation, err);
    size_t done = 0;

    while (status == STATUS_OK && done < invocation->operand_count) {
        status = node_import(node, invocation->operands[done], &counts, err);
        done += status == STATUS_OK;
    }
    progress_line_erase(invocation->line);
    if (status == STATUS_OK || done > 0 || counts.entries > 0)
        print_import(&counts, invocation->json);
    node_close(node);
    return status;
}

const struct command command_export = {
    .name = "export",
    .operands = "FILE|-",
    .summary = "Write what the log holds as a segment, encrypted for the fleet",
    .about = "It takes the log as it is: what the database has since then comes with a\n"
             "capture first.",
    .parameters = {{"since", "SEQ|PEER", "only what came after SEQ, or what PEER lacks",
                    false}},
    .operands_min = 1,
    .operands_max = 1,
    .run = run_export,
};

const struct command command_import = {
    .name = "import",
    .operands = "FILE...|-",
    .summary = "Take in segments; a repeat changes nothing",
    .about = "The database is not needed: rowferry apply brings them into it.",
    .operands_min = 1,
    .operands_max = 10000,
    .run = run_import,
};
