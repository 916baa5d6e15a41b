/* rowferry quarantine: what the database refuses, and what to do about it. */
#include "node/quarantine.h"
#include "cli/change_view.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/progress_line.h"
#include "cli/report.h"

#include <inttypes.h>

struct listing {
    struct view *view;
    enum status status;
    struct error *err;
};

static bool list_quarantined(void *data, uint32_t table, const struct quarantined *row)
{
    struct listing *listing = data;
    struct view *view = listing->view;
    char time[TIME_TEXT_SIZE];
    json_t *object;

    if (view->json) {
        object = json_make_object();
        json_put_number(object, "number", row->number);
        listing->status = row_put_names(view, object, table, row->key, listing->err);
        json_put_time(object, "since", row->since_us);
        json_put(object, "message", json_text(row->message));
        if (listing->status == STATUS_OK)
            listing->status = row_put_winner(view, object, table, row->key, listing->err);
        if (listing->status == STATUS_OK)
            json_print_line(view->out, object);
        else
            json_decref(object);
        return listing->status == STATUS_OK;
    }
    (void)fprintf(view->out, "%" PRIu64 "  ", row->number);
    listing->status = row_print_names(view, table, row->key, listing->err);
    (void)fprintf(view->out, "  since %s\n    ", time_text(row->since_us, time));
    print_plain(view->out, row->message);
    (void)fputc('\n', view->out);
    if (listing->status == STATUS_OK)
        listing->status = row_print_winner(view, table, row->key, listing->err);
    return listing->status == STATUS_OK;
}

/* ---- list */

static enum status run_list(const struct invocation *invocation, struct error *err)
{
    struct view view;
    struct listing listing = {.view = &view, .err = err};
    enum status status = view_open(&view, invocation, err);

    if (status == STATUS_OK)
        status = quarantine_visit(view.txn, 0, list_quarantined, &listing, err);
    if (status == STATUS_OK)
        status = listing.status;
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    view_close(&view);
    return status;
}

/* ---- retry, drop */

static void put_counts(json_t *object, const struct write_back_counts *counts)
{
    json_put(object, "captured", capture_json(&counts->captured));
    json_put(object, "applied", apply_json(&counts->applied));
}

static void print_retried(FILE *out, const struct retry_report *report)
{
    uint64_t left = report->tried - report->refused;

    if (report->tried == 0) {
        (void)fputs("nothing is in quarantine\n", out);
        return;
    }
    (void)fprintf(out,
                  "tried %" PRIu64 " row%s again: %" PRIu64
                  " left the quarantine, %" PRIu64 " refused\n",
                  report->tried, plural(report->tried), left, report->refused);
}

static enum status print_retried_one(struct view *view, const struct retry_report *report,
                                     struct error *err)
{
    enum status status =
        row_print_names(view, report->table, buffer_view(&report->key), err);

    if (report->refused > 0) {
        (void)fputs(" is refused: ", view->out);
        print_plain(view->out, buffer_view(&report->message));
    } else {
        (void)fputs(report->parked ? " is parked now: `rowferry conflicts` says why"
                                   : " has left the quarantine",
                    view->out);
    }
    (void)fputc('\n', view->out);
    return status;
}

static enum status print_retry(struct view *view, const struct retry_report *report,
                               struct error *err)
{
    bool one = report->table != 0;
    enum status status = STATUS_OK;
    json_t *object;

    if (!view->json && one)
        return print_retried_one(view, report, err);
    if (!view->json) {
        print_retried(view->out, report);
        return STATUS_OK;
    }
    object = json_make_object();
    json_put_number(object, "tried", report->tried);
    json_put_number(object, "refused", report->refused);
    if (one) {
        status =
            row_put_names(view, object, report->table, buffer_view(&report->key), err);
        json_put_bool(object, "parked", report->parked);
    }
    if (one && report->refused > 0)
        json_put(object, "message", json_text(buffer_view(&report->message)));
    put_counts(object, &report->counts);
    json_print_line(view->out, object);
    return status;
}

static enum status print_drop(struct view *view, const struct drop_report *report,
                              struct error *err)
{
    static const char *const words[] = {
        [DROP_KEPT] = "kept", [DROP_DELETED] = "deleted", [DROP_LEFT] = "left"};
    static const char *const texts[] = {
        [DROP_KEPT] = "is on every node what this database has",
        [DROP_DELETED] = "is deleted on every node, since this database does not have it",
        [DROP_LEFT] = "has left the quarantine meanwhile: nothing was dropped",
    };
    struct bytes key = buffer_view(&report->key);
    enum status status;
    json_t *object;

    if (!view->json) {
        status = row_print_names(view, report->table, key, err);
        (void)fprintf(view->out, " %s", texts[report->result]);
        if (report->seq != 0)
            (void)fprintf(view->out, " (entry %" PRIu64 ")", report->seq);
        (void)fputc('\n', view->out);
        return status;
    }
    object = json_make_object();
    json_put_text(object, "result", words[report->result]);
    status = row_put_names(view, object, report->table, key, err);
    if (report->seq != 0)
        json_put_number(object, "seq", report->seq);
    put_counts(object, &report->counts);
    json_print_line(view->out, object);
    return status;
}

/* Print one of the two. The node is closed by now: one process opens a store once. */
static enum status say(const struct invocation *invocation,
                       const struct retry_report *retry, const struct drop_report *drop,
                       struct error *err)
{
    struct view view;
    enum status status = view_open(&view, invocation, err);

    if (status == STATUS_OK)
        status =
            retry != NULL ? print_retry(&view, retry, err) : print_drop(&view, drop, err);
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    view_close(&view);
    return status;
}

static enum status run_retry(const struct invocation *invocation, uint64_t number,
                             struct error *err)
{
    struct retry_report report = {0};
    struct node *node = NULL;
    enum status status = report_open(&node, invocation, err);

    if (status == STATUS_OK)
        status = node_quarantine_retry(node, number, &report, err);
    node_close(node);
    progress_line_erase(invocation->line);
    if (status == STATUS_OK)
        status = say(invocation, &report, NULL, err);
    retry_report_release(&report);
    return status;
}

static enum status run_drop(const struct invocation *invocation, uint64_t number,
                            struct error *err)
{
    struct drop_report report = {0};
    struct node *node = NULL;
    enum status status = report_open(&node, invocation, err);

    if (status == STATUS_OK)
        status = node_quarantine_drop(node, number, &report, err);
    node_close(node);
    progress_line_erase(invocation->line);
    if (status == STATUS_OK)
        status = say(invocation, NULL, &report, err);
    drop_report_release(&report);
    return status;
}

/* ---- the command */

static enum status run_quarantine(const struct invocation *invocation, struct error *err)
{
    enum { LIST, RETRY, DROP, VERBS };
    static const struct verb list[VERBS] = {
        [LIST] = {"list",  NUMBER_NEVER},
        [RETRY] = {"retry", NUMBER_MAY  },
        [DROP] = {"drop",  NUMBER_MUST },
    };
    static const struct verbs verbs = {
        list, VERBS, "list, retry, retry N or drop N",
        "a row's number; `rowferry quarantine` lists them"};
    size_t verb;
    uint64_t number;
    enum status status = verbs_read(&verbs, invocation, &verb, &number, err);

    if (status != STATUS_OK)
        return status;
    if (verb == LIST)
        return run_list(invocation, err);
    return verb == RETRY ? run_retry(invocation, number, err)
                         : run_drop(invocation, number, err);
}

const struct command command_quarantine = {
    .name = "quarantine",
    .operands = "[list | retry [N] | drop N]",
    .summary = "List the rows that this database refuses, with its message",
    .about =
        "They are tried again when the schema changes, and by retry. drop accepts what\n"
        "this database has instead: its row, or that it has none, is a new change of "
        "this\n"
        "node's that wins over the refused one on every node.",
    .operands_max = 2,
    .run = run_quarantine,
};
