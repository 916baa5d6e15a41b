/* rowferry conflicts: what lost, what is parked; and bringing a loser back. */
#include "cli/change_view.h"
#include "cli/commands.h"
#include "cli/conflict_state.h"
#include "cli/conflict_view.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/progress_line.h"
#include "cli/report.h"
#include "node/restore.h"
#include "node/row_find.h"

#include <inttypes.h>

enum { PAGE_CONFLICTS = 100 };

/* Places in the table of parameters at the end. */
enum { KEY, OPEN, TABLE, LIMIT };

/* ---- conflict records */

/* What is asked for. */
struct asked {
    bool open;      /* only those whose row is as the winner left it */
    uint32_t table; /* 0: every table */
    bool has_limit;
    uint64_t limit; /* the last so many */
};

/* *listed: there is one of this number, and it is asked for. */
static enum status find_listed(struct view *view, const struct asked *asked,
                               uint64_t number, struct conflict *conflict, bool *listed,
                               struct error *err)
{
    enum conflict_state state = CONFLICT_OPEN;
    enum status status = conflict_get(view->txn, number, conflict, err);

    *listed =
        status == STATUS_OK && (asked->table == 0 || conflict->table == asked->table);
    if (*listed && asked->open) {
        status = conflict_state(view, conflict, &state, err);
        *listed = state == CONFLICT_OPEN;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The number with which the last so many begin. */
static enum status seek_back(struct view *view, const struct asked *asked, uint64_t last,
                             uint64_t *first, struct error *err)
{
    uint64_t left = asked->has_limit ? asked->limit : UINT64_MAX;
    struct conflict conflict;
    enum status status = STATUS_OK;
    bool listed = false;

    *first = asked->has_limit ? last + 1 : 1;
    for (uint64_t number = last;
         asked->has_limit && status == STATUS_OK && number > 0 && left > 0; number--) {
        status = find_listed(view, asked, number, &conflict, &listed, err);
        if (listed)
            *first = number;
        left -= listed;
    }
    return status;
}

static enum status list_conflicts(struct view *view, const struct asked *asked,
                                  struct error *err)
{
    uint64_t last = 0, first = 1, found = 0;
    enum status status = conflict_count(view->txn, &last, err);

    if (status == STATUS_OK)
        status = seek_back(view, asked, last, &first, err);
    for (uint64_t number = first; status == STATUS_OK && number <= last; number++) {
        struct conflict conflict;
        bool listed = false;

        status = find_listed(view, asked, number, &conflict, &listed, err);
        if (status == STATUS_OK && listed)
            status = view->json ? conflict_print_json(view, &conflict, false, err)
                                : conflict_print(view, &conflict, err);
        found += listed;
        if (status == STATUS_OK && listed && found % PAGE_CONFLICTS == 0) {
            status = view_flush(view, err);
            if (status == STATUS_OK)
                status = view_begin(view, err);
        }
    }
    return status;
}

/* ---- parked and quarantined rows */

struct listing {
    struct view *view;
    uint64_t count;
    enum status status;
    struct error *err;
};

static enum status parked_json(struct view *view, uint32_t table,
                               const struct parked *parked, struct error *err)
{
    json_t *object = json_make_object(), *blocker;
    enum status status;

    json_put_text(object, "kind", parked->kind == PARKED_UNIQUE ? "unique" : "parent");
    status = row_put_names(view, object, table, parked->key, err);
    json_put_time(object, "since", parked->since_us);
    json_put(object, "constraint", json_text(parked->constraint));
    if (status == STATUS_OK && parked->blocker_table != 0) {
        blocker = json_make_object();
        json_put(object, "blocker", blocker);
        status =
            row_put_names(view, blocker, parked->blocker_table, parked->blocker_key, err);
    }
    if (status == STATUS_OK)
        status = row_put_winner(view, object, table, parked->key, err);
    if (status != STATUS_OK) {
        json_decref(object);
        return status;
    }
    json_print_line(view->out, object);
    return STATUS_OK;
}

static enum status parked_text(struct view *view, uint32_t table,
                               const struct parked *parked, struct error *err)
{
    bool unique = parked->kind == PARKED_UNIQUE;
    char time[TIME_TEXT_SIZE];
    enum status status;

    (void)fputs("parked  ", view->out);
    status = row_print_names(view, table, parked->key, err);
    (void)fprintf(view->out, "  since %s\n    %s", time_text(parked->since_us, time),
                  unique ? "unique" : "parent");
    if (parked->constraint.size > 0) {
        (void)fputc(' ', view->out);
        print_plain(view->out, parked->constraint);
    }
    if (status == STATUS_OK && parked->blocker_table != 0) {
        (void)fputs(unique ? ": taken by " : ": not shown is ", view->out);
        status = row_print_names(view, parked->blocker_table, parked->blocker_key, err);
    }
    (void)fputc('\n', view->out);
    return status == STATUS_OK ? row_print_winner(view, table, parked->key, err) : status;
}

static bool list_parked(void *data, uint32_t table, const struct parked *parked)
{
    struct listing *listing = data;

    listing->count++;
    listing->status = listing->view->json
                          ? parked_json(listing->view, table, parked, listing->err)
                          : parked_text(listing->view, table, parked, listing->err);
    return listing->status == STATUS_OK;
}

/* ---- list, show */

static enum status read_asked(struct view *view, const struct invocation *invocation,
                              struct asked *asked, struct error *err)
{
    struct table table;
    enum status status = STATUS_OK;

    asked->open = invocation->values[OPEN] != NULL;
    if (invocation->values[TABLE] != NULL)
        status = row_find_table(view->txn, invocation->values[TABLE], &table, err);
    if (status == STATUS_OK && invocation->values[TABLE] != NULL)
        asked->table = table.id;
    return status;
}

static enum status run_list(const struct invocation *invocation, struct error *err)
{
    struct view view;
    struct listing listing = {.view = &view, .err = err};
    struct asked asked = {0};
    enum status status = invocation_limit(invocation->values[LIMIT], "conflicts",
                                          &asked.has_limit, &asked.limit, err);

    if (status != STATUS_OK)
        return status;
    status = view_open(&view, invocation, err);
    if (status == STATUS_OK)
        status = read_asked(&view, invocation, &asked, err);
    if (status == STATUS_OK)
        status = list_conflicts(&view, &asked, err);
    if (status == STATUS_OK)
        status = parked_visit(view.txn, asked.table, list_parked, &listing, err);
    if (status == STATUS_OK)
        status = listing.status;
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    view_close(&view);
    return status;
}

static enum status run_show(const struct invocation *invocation, uint64_t number,
                            struct error *err)
{
    struct conflict conflict;
    struct view view;
    enum status status = view_open(&view, invocation, err);

    if (status == STATUS_OK) {
        status = conflict_get(view.txn, number, &conflict, err);
        if (status == STATUS_NOT_FOUND)
            (void)error_set(err, status, "there is no conflict %" PRIu64, number);
    }
    if (status == STATUS_OK)
        status = view.json ? conflict_print_json(&view, &conflict, true, err)
                           : conflict_print_sides(&view, &conflict, err);
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    view_close(&view);
    return status;
}

/* ---- restore, keep-both */

static const char *const result_words[] = {
    [RESTORE_SAME] = "same",
    [RESTORE_WRITTEN] = "written",
    [RESTORE_INSERTED] = "inserted",
    [RESTORE_DELETED] = "deleted",
};

static const char *const result_texts[] = {
    [RESTORE_SAME] = "is already as the write that lost had it: nothing was written",
    [RESTORE_WRITTEN] = "is again as the write that lost had it",
    [RESTORE_INSERTED] = "is back",
    [RESTORE_DELETED] = "is deleted again",
};

static enum status print_result(struct view *view, const struct restore_report *report,
                                bool keep_both, struct error *err)
{
    struct bytes key = buffer_view(&report->key);
    json_t *object;
    enum status status;

    if (!view->json) {
        status = row_print_names(view, report->table, key, err);
        (void)fprintf(view->out, " %s",
                      keep_both ? "is the row that lost, beside the other"
                                : result_texts[report->result]);
        if (report->seq != 0)
            (void)fprintf(view->out, " (entry %" PRIu64 ")", report->seq);
        (void)fputc('\n', view->out);
        return status;
    }
    object = json_make_object();
    json_put_text(object, "result", result_words[report->result]);
    status = row_put_names(view, object, report->table, key, err);
    if (report->seq != 0)
        json_put_number(object, "seq", report->seq);
    json_put(object, "captured", capture_json(&report->counts.captured));
    json_put(object, "applied", apply_json(&report->counts.applied));
    json_print_line(view->out, object);
    return status;
}

/* The node is closed by now: one process opens a store once. */
static enum status say_result(const struct invocation *invocation,
                              const struct restore_report *report, bool keep_both,
                              struct error *err)
{
    struct view view;
    enum status status = view_open(&view, invocation, err);

    if (status == STATUS_OK)
        status = print_result(&view, report, keep_both, err);
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    view_close(&view);
    return status;
}

static enum status run_restore(const struct invocation *invocation, uint64_t number,
                               bool keep_both, struct error *err)
{
    struct restore_report report = {0};
    struct node *node = NULL;
    enum status status = report_open(&node, invocation, err);

    if (status == STATUS_OK) {
        status = keep_both ? node_keep_both(node, number, invocation->repeats,
                                            invocation->repeat_count, &report, err)
                           : node_restore(node, number, &report, err);
    }
    node_close(node);
    progress_line_erase(invocation->line);
    if (status == STATUS_OK)
        status = say_result(invocation, &report, keep_both, err);
    restore_report_release(&report);
    return status;
}

/* ---- the command */

static enum status run_conflicts(const struct invocation *invocation, struct error *err)
{
    enum { LIST, SHOW, RESTORE, KEEP_BOTH, VERBS };
    static const struct verb list[VERBS] = {
        [LIST] = {"list",      NUMBER_NEVER},
        [SHOW] = {"show",      NUMBER_MUST },
        [RESTORE] = {"restore",   NUMBER_MUST },
        [KEEP_BOTH] = {"keep-both", NUMBER_MUST },
    };
    static const struct verbs verbs = {
        list, VERBS, "list, show N, restore N or keep-both N",
        "a conflict's number; `rowferry conflicts` lists them"};
    size_t verb;
    uint64_t number;
    enum status status = verbs_read(&verbs, invocation, &verb, &number, err);

    if (status != STATUS_OK)
        return status;
    if (verb != KEEP_BOTH && invocation->repeat_count > 0)
        return error_set(err, STATUS_USAGE, "--key is for keep-both");
    if (verb != LIST &&
        (invocation->values[OPEN] != NULL || invocation->values[TABLE] != NULL ||
         invocation->values[LIMIT] != NULL))
        return error_set(err, STATUS_USAGE, "--open, --table and --limit are for list");
    if (verb == LIST)
        return run_list(invocation, err);
    return verb == SHOW ? run_show(invocation, number, err)
                        : run_restore(invocation, number, verb == KEEP_BOTH, err);
}

const struct command command_conflicts = {
    .name = "conflicts",
    .operands = "[list | show N | restore N | keep-both N]",
    .summary = "List the writes that lost to a concurrent one, and the parked rows",
    .about =
        "show prints both rows side by side. restore makes the row what the write that\n"
        "lost had made it; keep-both, where two rows had taken one key, inserts the one\n"
        "that lost under a new key. Either is a new change of this node's, which "
        "travels.\n"
        "A parked row is live, but a unique value or a missing parent keeps it out of\n"
        "the database; it comes back by itself when the way is free.",
    .parameters = {{"key", "VALUE",
                    "keep-both: the new key, once for each of its columns", true},
                   {"open", NULL, "list: only those of which nothing came since", false},
                   {"table", "NAME", "list: only this table's", false},
                   {"limit", "N", "list: only the last N records, and what is parked",
                    false}},
    .operands_max = 2,
    .run = run_conflicts,
};
