/* rowferry run: stays in step until it is stopped, or until nothing is left to do. */
#include "node/run.h"
#include "cli/commands.h"
#include "cli/progress_line.h"
#include "cli/report.h"

#include <stdint.h>

enum { SYNC, INTERVAL, ONCE };

enum { INTERVAL_DEFAULT_S = 10, INTERVAL_MOST_S = 24 * 60 * 60 };

static enum status run_once(const struct invocation *invocation, struct error *err)
{
    struct visit_report report = {0};
    struct node *node = NULL;
    enum status status = report_open(&node, invocation, err);

    if (status == STATUS_OK) {
        status = node_run_once(node, invocation->repeats, invocation->repeat_count,
                               &report, err);
    }
    report_outcome(invocation, &report, status, NULL);
    node_close(node);
    return status;
}

static void show_moved(void *data, const char *target, const struct visit_report *report)
{
    const struct invocation *invocation = data;

    progress_line_erase(invocation->line);
    report_moved(report, target, invocation->json);
}

static enum status run_on(const struct invocation *invocation, uint64_t interval_s,
                          struct error *err)
{
    const struct stay_options options = {
        .store = invocation->store,
        .targets = invocation->repeats,
        .target_count = invocation->repeat_count,
        .interval_ms = interval_s * 1000,
        .notice = report_notice,
        .moved = show_moved,
        .data = (void *)(uintptr_t)invocation,
        .progress = progress_line_watcher(invocation->line),
    };
    enum status status = node_run(&options, err);

    progress_line_erase(invocation->line);
    return status;
}

static enum status run_run(const struct invocation *invocation, struct error *err)
{
    const char *text = invocation->values[INTERVAL];
    uint64_t interval_s = INTERVAL_DEFAULT_S;

    if (text != NULL && invocation->values[ONCE] != NULL)
        return error_set(err, STATUS_USAGE, "--once looks once: it has no --interval");
    if (text != NULL &&
        (!operand_number(text, &interval_s) || interval_s > INTERVAL_MOST_S))
        return error_set(err, STATUS_USAGE, "--interval %s: give seconds, 1 to %d", text,
                         INTERVAL_MOST_S);
    return invocation->values[ONCE] != NULL ? run_once(invocation, err)
                                            : run_on(invocation, interval_s, err);
}

const struct command command_run = {
    .name = "run",
    .operands = "",
    .summary = "Stay, and keep the node in step with every target as things happen",
    .about = "It stays until SIGINT or SIGTERM ends it. A target may be away: that is\n"
             "said once, and once that it works again. Without a target it captures and\n"
             "applies. Other commands work beside it.",
    .parameters = {{"sync", "TARGET", "a directory; may be given again", true},
                   {"interval", "SECONDS",
                    "between looks where a file system tells nothing: 10", false},
                   {"once", NULL, "end when nothing is left to do", false}},
    .run = run_run,
};
