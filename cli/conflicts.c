/* rowferry conflicts, quarantine: what did not come through, and why. */
#include "log/conflicts.h"

#include "cli/change_view.h"
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE_CONFLICTS = 100 };

/* ---- conflict records */

static struct image_ref side_image(const struct conflict *conflict,
                                   const struct conflict_side *side)
{
    struct image_ref ref = {
        .origin = side->definition_origin,
        .definition = side->definition,
        .key = conflict->key,
    };

    if (side->live)
        ref.image = side->image;
    return ref;
}

static enum status side_json(struct view *view, const struct conflict *conflict,
                             const struct conflict_side *side, json_t *parent,
                             const char *name, struct error *err)
{
    struct image_ref ref = side_image(conflict, side);
    json_t *object = json_make_object(), *row;
    enum status status;

    json_put(parent, name, object);
    json_put_version(object, "version", &side->version);
    view_put_origin(view, object, side->version.origin);
    json_put_time(object, "time", side->version.stamp_us);
    json_put_number(object, "seq", side->place.seq);
    json_put_bool(object, "deleted", !side->live);
    status = image_json(view, &ref, &row, err);
    if (status == STATUS_OK)
        json_put(object, "row", row);
    return status;
}

static enum status conflict_json(struct view *view, const struct conflict *conflict,
                                 struct error *err)
{
    json_t *object = json_make_object();
    enum status status;

    json_put_number(object, "number", conflict->number);
    json_put_text(object, "kind", "row");
    status = row_put_names(view, object, conflict->table, conflict->key, err);
    json_put_time(object, "noticed", conflict->noticed_us);
    json_put_text(object, "rule", conflict->rule == RULE_ORIGIN ? "origin" : "later");
    json_put_bool(object, "two_inserts", conflict->two_inserts);
    if (status == STATUS_OK)
        status = side_json(view, conflict, &conflict->winner, object, "winner", err);
    if (status == STATUS_OK)
        status = side_json(view, conflict, &conflict->loser, object, "loser", err);
    if (status != STATUS_OK) {
        json_decref(object);
        return status;
    }
    json_print_line(view->out, object);
    return STATUS_OK;
}

static enum status side_text(struct view *view, const struct conflict *conflict,
                             const struct conflict_side *side,
                             const struct conflict_side *besides, const char *word,
                             struct error *err)
{
    struct image_ref ref = side_image(conflict, side),
                     other = side_image(conflict, besides);
    char time[TIME_TEXT_SIZE];

    (void)fprintf(view->out, "    %s  ", word);
    print_plain(view->out, bytes_of_text(view_node_name(view, side->version.origin)));
    (void)fprintf(view->out, "  %s\n", time_text(side->version.stamp_us, time));
    return image_print(view, &ref, other.image.size > 0 ? &other : NULL, 10, err);
}

static enum status conflict_text(struct view *view, const struct conflict *conflict,
                                 struct error *err)
{
    char time[TIME_TEXT_SIZE];
    enum status status;

    (void)fprintf(view->out, "%" PRIu64 "  ", conflict->number);
    status = row_print_names(view, conflict->table, conflict->key, err);
    (void)fprintf(view->out, "  noticed %s%s%s\n", time_text(conflict->noticed_us, time),
                  conflict->two_inserts ? ", two rows of one key" : "",
                  conflict->rule == RULE_ORIGIN ? ", at the same time" : "");
    if (status == STATUS_OK)
        status =
            side_text(view, conflict, &conflict->winner, &conflict->loser, "won ", err);
    if (status == STATUS_OK)
        status =
            side_text(view, conflict, &conflict->loser, &conflict->winner, "lost", err);
    return status;
}

static enum status print_conflict(struct view *view, uint64_t number, struct error *err)
{
    struct conflict conflict;
    enum status status = conflict_get(view->txn, number, &conflict, err);

    if (status != STATUS_OK)
        return status;
    return view->json ? conflict_json(view, &conflict, err)
                      : conflict_text(view, &conflict, err);
}

/* Numbers may have holes: count how many there are, not how far they go. */
static enum status list_conflicts(struct view *view, struct error *err)
{
    uint64_t count = 0, found = 0;
    enum status status = conflict_count(view->txn, &count, err);

    for (uint64_t number = 1; status == STATUS_OK && found < count; number++) {
        status = print_conflict(view, number, err);
        if (status == STATUS_NOT_FOUND) {
            status = STATUS_OK;
            continue;
        }
        found++;
        if (status == STATUS_OK && found % PAGE_CONFLICTS == 0) {
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

static enum status put_winner(struct view *view, json_t *object, uint32_t table,
                              struct bytes key, struct error *err)
{
    struct image_ref ref;
    struct row row;
    json_t *value;
    enum status status = rows_get(view->txn, table, key, &row, err);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    ref = (struct image_ref){row.definition_origin, row.definition, key, row.image};
    json_put_version(object, "version", &row.version);
    view_put_origin(view, object, row.version.origin);
    status = image_json(view, &ref, &value, err);
    if (status == STATUS_OK)
        json_put(object, "row", value);
    return status;
}

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
        status = put_winner(view, object, table, parked->key, err);
    if (status != STATUS_OK) {
        json_decref(object);
        return status;
    }
    json_print_line(view->out, object);
    return STATUS_OK;
}

static enum status winner_text(struct view *view, uint32_t table, struct bytes key,
                               struct error *err)
{
    struct image_ref ref;
    struct row row;
    enum status status = rows_get(view->txn, table, key, &row, err);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    ref = (struct image_ref){row.definition_origin, row.definition, key, row.image};
    return image_print(view, &ref, NULL, 10, err);
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
    return status == STATUS_OK ? winner_text(view, table, parked->key, err) : status;
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

static enum status run_conflicts(const struct invocation *invocation, struct error *err)
{
    const char *const *operands = invocation->operands;
    struct view view;
    struct listing listing = {.view = &view, .err = err};
    char *end = NULL;
    uint64_t number = 0;
    enum status status;

    if (invocation->operand_count > 0) {
        if (strcmp(operands[0], "show") != 0 || invocation->operand_count != 2) {
            return error_set(err, STATUS_USAGE,
                             "without words it lists them, `show N` prints one; this "
                             "version has nothing else");
        }
        number = strtoull(operands[1], &end, 10);
        if (operands[1][0] < '0' || operands[1][0] > '9' || *end != '\0') {
            return error_set(
                err, STATUS_USAGE,
                "show %s: not a conflict's number; `rowferry conflicts` lists them",
                operands[1]);
        }
    }
    status = view_open(&view, invocation, err);
    if (status == STATUS_OK && number != 0) {
        status = print_conflict(&view, number, err);
        if (status == STATUS_NOT_FOUND)
            (void)error_set(err, status, "there is no conflict %" PRIu64, number);
    } else if (status == STATUS_OK) {
        status = list_conflicts(&view, err);
        if (status == STATUS_OK)
            status = parked_visit(view.txn, 0, list_parked, &listing, err);
        if (status == STATUS_OK)
            status = listing.status;
    }
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    view_close(&view);
    return status;
}

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
            listing->status = put_winner(view, object, table, row->key, listing->err);
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
        listing->status = winner_text(view, table, row->key, listing->err);
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

const struct command command_conflicts = {
    .name = "conflicts",
    .operands = "[show N]",
    .summary = "List the writes that lost to a concurrent one, and the parked rows",
    .about =
        "A parked row is live, but a unique value or a missing parent keeps it out of\n"
        "the database; it comes back by itself when the way is free.",
    .operands_max = 2,
    .run = run_conflicts,
};

const struct command command_quarantine = {
    .name = "quarantine",
    .operands = "[list]",
    .summary = "List the rows that this database refuses, with its message",
    .operands_max = 1,
    .run = run_quarantine,
};
