#include "cli/first_sync.h"

#include "cli/json.h"
#include "cli/print.h"
#include "cli/progress_line.h"
#include "cli/report.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {
    [PREFER_NEITHER] = NULL,
    [PREFER_FLEET] = "fleet",
    [PREFER_LOCAL] = "local",
};

static const char *const meanings[] = {
    [PREFER_NEITHER] = NULL,
    [PREFER_FLEET] = "the fleet's are taken, those of this node become conflicts",
    [PREFER_LOCAL] = "those of this node become new writes",
};

enum status first_sync_read_prefer(const char *word, enum join_prefer *out,
                                   struct error *err)
{
    *out = PREFER_NEITHER;
    if (word == NULL)
        return STATUS_OK;
    if (strcmp(word, words[PREFER_FLEET]) == 0)
        *out = PREFER_FLEET;
    else if (strcmp(word, words[PREFER_LOCAL]) == 0)
        *out = PREFER_LOCAL;
    else
        return error_set(err, STATUS_USAGE, "--prefer %s: give fleet or local", word);
    return STATUS_OK;
}

void first_sync_announce(const struct init_report *report,
                         const struct init_options *options)
{
    if (report->again) {
        (void)fputs("node ", stdout);
        print_plain(stdout, bytes_of_text(report->name));
        (void)puts(report->joins ? " is there, and is yet to join its fleet"
                                 : " is there, and has joined its fleet");
    }
    if (!report->joins || options->check)
        return;
    if (report->prefer != PREFER_NEITHER)
        (void)printf("where rows differ: %s\n", meanings[report->prefer]);
    if (options->from == NULL)
        (void)printf("the fleet's rows come with the first sync\n");
}

enum status first_sync_run(const struct invocation *invocation, const char *target,
                           struct visit_report *report, struct error *err)
{
    struct node *node = NULL;
    enum status status = report_open(&node, invocation, err);

    (void)fflush(stdout); /* before what the sync says on the other one */
    if (status == STATUS_OK) {
        status = node_sync(node, target, report, err);
    }
    progress_line_erase(invocation->line);
    if (!invocation->json && (status == STATUS_OK || report->visit.received.entries > 0))
        report_visit(report, target, false);
    node_close(node);
    return status;
}

void first_sync_json(json_t *object, const struct init_report *report,
                     const struct visit_report *visit)
{
    json_put_bool(object, "again", report->again);
    if (report->prefer != PREFER_NEITHER)
        json_put_text(object, "prefer", words[report->prefer]);
    else
        json_put(object, "prefer", json_null());
    if (visit != NULL)
        json_put(object, "sync", visit_json(visit, NULL));
}
