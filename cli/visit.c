/* rowferry capture, apply, sync, resync: what moves rows. */
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/progress_line.h"
#include "cli/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Changesets are captured instead of what the tables show. */
static enum status capture(struct node *node, const struct invocation *invocation,
                           struct capture_counts *counts, struct error *err)
{
    if (invocation->repeat_count == 0)
        return node_capture(node, counts, err);
    for (size_t i = 0; i < invocation->repeat_count; i++) {
        if (strcmp(invocation->repeats[i], "-") == 0) {
            return error_set(err, STATUS_USAGE,
                             "--changeset -: give a file: its time says when the "
                             "transaction was committed");
        }
    }
    return node_capture_changesets(node, invocation->repeats, invocation->repeat_count,
                                   counts, err);
}

static enum status run_capture(const struct invocation *invocation, struct error *err)
{
    struct capture_counts counts = {0};
    struct node *node = NULL;
    enum status status = report_open(&node, invocation, err);

    if (status == STATUS_OK)
        status = capture(node, invocation, &counts, err);
    progress_line_erase(invocation->line);
    if (status == STATUS_OK && invocation->json)
        json_print_line(stdout, capture_json(&counts));
    else if (status == STATUS_OK)
        (void)printf("captured %" PRIu64 " change%s\n", counts.changes,
                     plural(counts.changes));
    node_close(node);
    return status;
}

static enum status run_apply(const struct invocation *invocation, struct error *err)
{
    struct apply_counts counts = {0};
    struct node *node = NULL;
    enum status status = report_open(&node, invocation, err);

    if (status == STATUS_OK)
        status = node_apply(node, &counts, err);
    progress_line_erase(invocation->line);
    if (status == STATUS_OK && invocation->json)
        json_print_line(stdout, apply_json(&counts));
    else if (status == STATUS_OK) {
        report_orphaned(&counts);
        (void)printf("applied %" PRIu64 " entr%s (%" PRIu64 " row%s), parked %" PRIu64
                     ", released %" PRIu64 ", quarantined %" PRIu64 "\n",
                     counts.entries, counts.entries == 1 ? "y" : "ies", counts.rows,
                     plural(counts.rows), counts.parked, counts.released,
                     counts.quarantined);
    }
    node_close(node);
    return status;
}

static enum status run_sync(const struct invocation *invocation, struct error *err)
{
    const char *target = invocation->operands[0];
    struct visit_report report = {0};
    struct node *node = NULL;
    enum status status = report_open(&node, invocation, err);

    if (status == STATUS_OK)
        status = node_sync(node, target, &report, err);
    report_outcome(invocation, &report, status, target);
    node_close(node);
    return status;
}

enum { RESYNC_PREFER };

static void print_rewritten(const struct apply_counts *counts)
{
    uint64_t written = counts->rows - counts->removed;

    (void)printf("wrote %" PRIu64 " row%s of the log into the database, removed %" PRIu64
                 " that it does not have\n",
                 written, plural(written), counts->removed);
}

static enum status run_resync(const struct invocation *invocation, struct error *err)
{
    const char *prefer = invocation->values[RESYNC_PREFER];
    struct visit_report report = {0};
    struct node *node = NULL;
    json_t *object;
    enum status status;

    if (prefer == NULL)
        prefer = "log";
    if (strcmp(prefer, "log") != 0 && strcmp(prefer, "database") != 0)
        return error_set(err, STATUS_USAGE, "--prefer %s: give log or database", prefer);
    status = report_open(&node, invocation, err);
    if (status == STATUS_OK) {
        status =
            node_resync(node, strcmp(prefer, "log") == 0 ? RESYNC_LOG : RESYNC_DATABASE,
                        &report, err);
    }
    progress_line_erase(invocation->line);
    if (status == STATUS_OK && invocation->json) {
        object = json_make_object();
        json_put_text(object, "prefer", prefer);
        json_put(object, "captured", capture_json(&report.captured));
        json_put(object, "applied", apply_json(&report.applied));
        json_print_line(stdout, object);
    } else if (status == STATUS_OK && strcmp(prefer, "log") == 0) {
        print_rewritten(&report.applied);
    } else if (status == STATUS_OK) {
        (void)printf("logged %" PRIu64 " difference%s as new writes\n",
                     report.captured.changes, plural(report.captured.changes));
    }
    node_close(node);
    return status;
}

const struct command command_capture = {
    .name = "capture",
    .operands = "",
    .summary = "Log what was written to the database since the last capture",
    .about =
        "With --changeset it logs transactions that an application recorded itself, by\n"
        "SQLite's session extension, and has committed: each file, a changeset or a\n"
        "patchset, becomes one entry with the time of the file. Give files in the order\n"
        "of their commits, and before the next capture, sync or apply. What is in the\n"
        "log already is not logged again, and a file that does not follow on what the\n"
        "log has is left out, with a line: the next capture, which compares the tables,\n"
        "logs what really changed. A damaged file: nothing is logged.",
    .parameters = {{"once", NULL, "what it does anyway", false},
                   {"changeset", "FILE", "a transaction's; may be given again", true}},
    .run = run_capture,
};

const struct command command_apply = {
    .name = "apply",
    .operands = "",
    .summary = "Bring what was received into the database",
    .parameters = {{"once", NULL, "what it does anyway", false}},
    .run = run_apply,
};

const struct command command_sync = {
    .name = "sync",
    .operands = "TARGET",
    .summary = "Capture what is new, exchange with TARGET, apply what came",
    .about =
        "TARGET is a directory that the others see too, sooner or later: a stick, a\n"
        "network folder, one that is kept in step. The first sync of a node that was\n"
        "made by init --join brings it the fleet's rows.",
    .operands_min = 1,
    .operands_max = 1,
    .run = run_sync,
};

const struct command command_resync = {
    .name = "resync",
    .operands = "",
    .summary = "Bring a database that was restored and its store together again",
    .about =
        "--prefer log (the default) writes into the database what the log says, which\n"
        "loses what the database alone has; --prefer database logs what the database\n"
        "has as new writes, on every node. On Postgres both make a new replication\n"
        "slot, where the old one was lost or read by others, or the server was restored\n"
        "or promoted; --prefer log locks the tables against other writers meanwhile.",
    .parameters = {{"prefer", "WHICH", "log or database: which of the two is right",
                    false}},
    .run = run_resync,
};
