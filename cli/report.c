#include "cli/report.h"

#include "cli/json.h"
#include "cli/print.h"
#include "cli/progress_line.h"

#include <inttypes.h>
#include <stdio.h>

json_t *capture_json(const struct capture_counts *counts)
{
    json_t *object = json_make_object();

    json_put_number(object, "entries", counts->entries);
    json_put_number(object, "changes", counts->changes);
    return object;
}

json_t *apply_json(const struct apply_counts *counts)
{
    json_t *object = json_make_object();

    json_put_number(object, "entries", counts->entries);
    json_put_number(object, "rows", counts->rows);
    json_put_number(object, "removed", counts->removed);
    json_put_number(object, "parked", counts->parked);
    json_put_number(object, "evicted", counts->evicted);
    json_put_number(object, "released", counts->released);
    json_put_number(object, "quarantined", counts->quarantined);
    json_put_number(object, "retried", counts->retried);
    json_put_number(object, "orphaned", counts->orphaned);
    json_put_number(object, "captured", counts->captured);
    return object;
}

void report_orphaned(const struct apply_counts *counts)
{
    if (counts->orphaned > 0) {
        (void)printf("left %" PRIu64 " row%s without a parent, in tables that are not "
                     "replicated\n",
                     counts->orphaned, plural(counts->orphaned));
    }
}

json_t *segment_json(const struct segment_counts *counts)
{
    json_t *object = json_make_object();

    json_put_number(object, "entries", counts->entries);
    json_put_number(object, "changes", counts->changes);
    json_put_number(object, "bytes", counts->bytes);
    return object;
}

json_t *visit_json(const struct visit_report *report, const char *target)
{
    json_t *object = json_make_object();

    if (target != NULL)
        json_put_text(object, "target", target);
    json_put(object, "captured", capture_json(&report->captured));
    json_put(object, "sent", segment_json(&report->visit.sent));
    json_put(object, "received", segment_json(&report->visit.received));
    json_put_number(object, "conflicts", report->visit.received.conflicts);
    json_put_number(object, "waiting", report->visit.received.waiting);
    json_put_number(object, "segments_opened", report->visit.segments_opened);
    json_put_number(object, "unready", report->visit.unready);
    json_put(object, "applied", apply_json(&report->applied));
    return object;
}

static void print_captured(const struct visit_report *report)
{
    uint64_t captured = report->captured.changes + report->applied.captured;

    if (captured > 0)
        (void)printf("captured %" PRIu64 " change%s\n", captured, plural(captured));
}

static void print_released(const struct apply_counts *applied)
{
    if (applied->released + applied->retried > 0)
        (void)printf("released %" PRIu64 ", out of quarantine %" PRIu64 "\n",
                     applied->released, applied->retried);
    report_orphaned(applied);
}

static void print_exchanged(const struct visit_report *report)
{
    const struct segment_counts *sent = &report->visit.sent;
    char size[SIZE_TEXT_SIZE];

    (void)printf("sent %" PRIu64 " entr%s", sent->entries,
                 sent->entries == 1 ? "y" : "ies");
    if (sent->entries > 0)
        (void)printf(" (%" PRIu64 " change%s, %s)", sent->changes, plural(sent->changes),
                     size_text(sent->bytes, size));
    (void)printf(", received %" PRIu64 ", conflicts %" PRIu64 ", parked %" PRIu64
                 ", quarantined %" PRIu64 "\n",
                 report->visit.received.entries, report->visit.received.conflicts,
                 report->applied.parked, report->applied.quarantined);
}

void report_visit(const struct visit_report *report, const char *target, bool json)
{
    if (json) {
        json_print_line(stdout, visit_json(report, target));
        return;
    }
    print_captured(report);
    print_released(&report->applied);
    print_exchanged(report);
}

static void print_applied(const struct apply_counts *applied)
{
    if (applied->rows + applied->parked + applied->quarantined == 0)
        return;
    (void)printf("applied %" PRIu64 " entr%s (%" PRIu64 " row%s), parked %" PRIu64
                 ", quarantined %" PRIu64 "\n",
                 applied->entries, applied->entries == 1 ? "y" : "ies", applied->rows,
                 plural(applied->rows), applied->parked, applied->quarantined);
}

void report_moved(const struct visit_report *report, const char *target, bool json)
{
    if (json) {
        json_print_line(stdout, visit_json(report, target));
    } else {
        print_captured(report);
        print_released(&report->applied);
        if (target != NULL) {
            (void)printf("%s: ", target);
            print_exchanged(report);
        } else {
            print_applied(&report->applied);
        }
    }
    (void)fflush(stdout);
}

enum status report_open(struct node **node, const struct invocation *invocation,
                        struct error *err)
{
    enum status status = node_open(node, invocation->store, NODE_WITH_DATABASE, err);

    if (status == STATUS_OK) {
        node_on_notice(*node, report_notice, (void *)(uintptr_t)invocation);
        node_set_progress(*node, progress_line_watcher(invocation->line));
    }
    return status;
}

void report_outcome(const struct invocation *invocation,
                    const struct visit_report *report, enum status status,
                    const char *target)
{
    uint64_t done = report->captured.entries + report->visit.sent.entries +
                    report->visit.received.entries + report->applied.entries;

    progress_line_erase(invocation->line);
    if (status == STATUS_OK || done > 0)
        report_visit(report, target, invocation->json);
}

void report_notice(void *data, const char *line)
{
    const struct invocation *invocation = data;

    progress_line_erase(invocation->line);
    (void)fprintf(stderr, "rowferry %s: %s\n", invocation->command->name, line);
}
