/* rowferry history: every version of a row, the newest last. */
#include "node/history.h"

#include "cli/change_view.h"
#include "cli/commands.h"
#include "cli/entry_view.h"
#include "cli/json.h"
#include "cli/print.h"
#include "node/row_find.h"

#include <inttypes.h>
#include <stdlib.h>

struct telling {
    struct view *view;
    enum status status;
    struct error *err;
};

static enum status step_json(struct view *view, const struct history_step *step,
                             struct error *err)
{
    json_t *object, *beater;
    enum status status = change_json(view, step->change, &object, err);

    if (status != STATUS_OK)
        return status;
    json_put_number(object, "seq", step->change->seq);
    view_put_origin(view, object, step->entry->header.origin);
    json_put_time(object, "time", step->entry->header.stamp_us);
    json_put_time(object, "arrived", step->entry->arrived_us);
    entry_put_note(object, &step->entry->header);
    json_put_bool(object, "current", step->current);
    if (step->beaten) {
        beater = json_make_object();
        json_put_version(beater, "version", &step->beater);
        view_put_origin(view, beater, step->beater.origin);
        json_put(object, "beaten_by", beater);
    }
    if (step->conflict != 0)
        json_put_number(object, "conflict", step->conflict);
    json_print_line(view->out, object);
    return STATUS_OK;
}

static enum status step_text(struct view *view, const struct history_step *step,
                             struct error *err)
{
    char time[TIME_TEXT_SIZE], *note = NULL;
    /* The change itself says so only when it lost as it came. */
    const char *lost = step->change->won ? ", lost" : "";
    enum status status;
    int size = 0;

    if (step->conflict != 0) {
        size = asprintf(&note, "%s to %s (conflict %" PRIu64 ")", lost,
                        view_node_name(view, step->beater.origin), step->conflict);
    } else if (step->beaten) {
        size = asprintf(&note, "%s to %s (the same, or seen by it)", lost,
                        view_node_name(view, step->beater.origin));
    } else if (step->current) {
        size = asprintf(&note, " (current)");
    }
    if (size < 0)
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    (void)fprintf(view->out, "%" PRIu64 "  ", step->change->seq);
    print_plain(view->out,
                bytes_of_text(view_node_name(view, step->entry->header.origin)));
    (void)fprintf(view->out, "  %s\n", time_text(step->entry->header.stamp_us, time));
    entry_print_note(view->out, &step->entry->header, 4);
    status = change_print(view, step->change, 4, note != NULL ? note : "", err);
    free(note);
    return status;
}

static bool tell(void *data, const struct history_step *step)
{
    struct telling *telling = data;

    telling->status = telling->view->json ? step_json(telling->view, step, telling->err)
                                          : step_text(telling->view, step, telling->err);
    return telling->status == STATUS_OK;
}

static enum status run_history(const struct invocation *invocation, struct error *err)
{
    struct view view;
    struct found_row found;
    struct telling telling = {.view = &view, .err = err};
    enum status status = view_open(&view, invocation, err);

    found_row_init(&found);
    if (status == STATUS_OK)
        status = row_find(view.txn, invocation->operands[0], invocation->operands + 1,
                          invocation->operand_count - 1, &found, err);
    if (status == STATUS_OK)
        status = history_walk(view.txn, found.table.id, buffer_view(&found.key), tell,
                              &telling, err);
    if (status == STATUS_OK)
        status = telling.status;
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    found_row_release(&found);
    view_close(&view);
    return status;
}

const struct command command_history = {
    .name = "history",
    .operands = "TABLE KEY...",
    .summary = "Print every version of a row, the newest last, those that lost too",
    .about =
        "One KEY for each column of the table's key; x'00ff' is a blob. After -- a KEY\n"
        "may begin with a minus.",
    .operands_min = 2,
    .operands_max = 65,
    .run = run_history,
};
