/* rowferry quarantine: what the database refuses, and what to do about it. */
#include "cli/change_view.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/print.h"

#include <string.h>

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
    listing->status = row_print_names(view, table, row->key, listing->err);
    (void)fprintf(view->out, "  since %s\n    ", time_text(row->since_us, time));
    print_plain(view->out, row->message);
    (void)fputc('\n', view->out);
    if (listing->status == STATUS_OK)
        listing->status = row_print_winner(view, table, row->key, listing->err);
    return listing->status == STATUS_OK;
}

static enum status run_quarantine(const struct invocation *invocation, struct error *err)
{
    struct view view;
    struct listing listing = {.view = &view, .err = err};
    enum status status;

    if (invocation->operand_count > 0 && strcmp(invocation->operands[0], "list") != 0) {
        return error_set(
            err, STATUS_USAGE,
            "%s: this version has list only; rows are tried again by themselves when the "
            "schema changes",
            invocation->operands[0]);
    }
    status = view_open(&view, invocation, err);
    if (status == STATUS_OK)
        status = quarantine_visit(view.txn, 0, list_quarantined, &listing, err);
    if (status == STATUS_OK)
        status = listing.status;
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    view_close(&view);
    return status;
}

const struct command command_quarantine = {
    .name = "quarantine",
    .operands = "[list]",
    .summary = "List the rows that this database refuses, with its message",
    .operands_max = 1,
    .run = run_quarantine,
};
