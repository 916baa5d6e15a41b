/* rowferry status, peers: where this node stands, and the others as far as it knows. */
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/redraw.h"
#include "cli/slot_view.h"
#include "cli/view.h"
#include "node/foreign_keys.h"
#include "node/summary.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH }; /* in the table of parameters */

/* ---- peers */

static json_t *peer_json(const struct member_name *member, const struct lag *lag,
                         bool self)
{
    json_t *object = json_make_object(), *behind;

    json_put_node(object, "node", member->node);
    json_put_text(object, "name", member->name);
    json_put_bool(object, "self", self);
    json_put_text(object, "engine", member->is_postgres ? "postgres" : "sqlite");
    json_put_bool(object, "forgotten", member->forgotten);
    if (self)
        return object;
    json_put_time(object, "heard", lag->heard_us);
    json_put_number(object, "holds", lag->holds);
    behind = json_make_object();
    json_put_number(behind, "entries", lag->entries);
    json_put_number(behind, "bytes", lag->bytes);
    json_put_time(behind, "since", lag->since_us);
    json_put(object, "behind", behind);
    return object;
}

static void peer_text(struct view *view, const struct member_name *member,
                      const struct lag *lag, bool self)
{
    char id[NODE_ID_TEXT_SIZE], size[SIZE_TEXT_SIZE], time[TIME_TEXT_SIZE];
    char span[SPAN_TEXT_SIZE];
    uint64_t now_us = store_now_us(view->store);
    int width = (int)text_width(member->name);

    node_id_text(member->node, id);
    (void)fprintf(view->out, "%s  ", id);
    print_plain(view->out, bytes_of_text(member->name));
    (void)fprintf(view->out, "%*s", width < 14 ? 16 - width : 2, "");
    if (self) {
        (void)fputs("this node\n", view->out);
        return;
    }
    if (lag->entries == 0)
        (void)fputs("holds all", view->out);
    else {
        (void)fprintf(
            view->out, "lacks %" PRIu64 " (%s, %s)", lag->entries,
            size_text(lag->bytes, size),
            span_text(now_us > lag->since_us ? now_us - lag->since_us : 0, span));
    }
    (void)fprintf(view->out, "\n%18s%s%s%s\n", "",
                  lag->heard ? "heard " : "never heard of",
                  lag->heard ? time_text(lag->heard_us, time) : "",
                  member->forgotten ? ", forgotten" : "");
}

/* list: NULL prints each as a line of its own. */
static enum status list_peers(struct view *view, bool with_self, json_t *list,
                              struct error *err)
{
    uint64_t own = store_identity(view->store)->node;
    struct lag lag;
    json_t *object;
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < view->members.count; i++) {
        const struct member_name *member = &view->members.list[i];
        bool self = member->node == own;

        if (self && !with_self)
            continue;
        status = lag_measure(&lag, view->txn, member->node, err);
        if (status != STATUS_OK)
            break;
        if (!view->json) {
            peer_text(view, member, &lag, self);
            continue;
        }
        object = peer_json(member, &lag, self);
        if (list != NULL)
            json_append(list, object);
        else
            json_print_line(view->out, object);
    }
    return status;
}

static enum status run_peers(const struct invocation *invocation, struct error *err)
{
    struct view view;
    enum status status;

    if (invocation->operand_count > 0 && strcmp(invocation->operands[0], "list") != 0)
        return error_set(err, STATUS_USAGE, "%s: this version has list only",
                         invocation->operands[0]);
    status = view_open(&view, invocation, err);
    if (status == STATUS_OK)
        status = list_peers(&view, true, NULL, err);
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    view_close(&view);
    return status;
}

/* ---- status */

/* The tables of which the database takes nothing: into a list, or on one line. */
static enum status list_untaken(struct view *view, json_t *list, struct error *err)
{
    const char *name = NULL;
    size_t i = 0;
    enum status status;

    while ((status = summary_untaken(view->txn, i, &name, err)) == STATUS_OK) {
        if (list != NULL) {
            json_append(list, json_text(bytes_of_text(name)));
        } else {
            (void)fputs(i == 0 ? "not taken    " : ", ", view->out);
            print_plain(view->out, bytes_of_text(name));
        }
        i++;
    }
    if (list == NULL && i > 0)
        (void)fputc('\n', view->out);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static void fill_status(struct view *view, const struct summary *summary, json_t *object)
{
    const struct identity *identity = store_identity(view->store);
    char fleet[2 * FLEET_ID_SIZE + 1];

    sodium_bin2hex(fleet, sizeof fleet, identity->fleet, FLEET_ID_SIZE);
    json_put_node(object, "node", identity->node);
    json_put_text(object, "name", identity->name);
    json_put_text(object, "fleet", fleet);
    json_put_text(object, "store", store_folder(view->store));
    json_put_number(object, "store_bytes", summary->store_bytes);
    json_put_text(object, "database", node_database_url(view->node));
    json_put_bool(object, "joining", summary->joining);
    json_put_number(object, "entries", summary->last_seq);
    json_put_number(object, "last_seq", summary->last_seq);
    json_put_number(object, "applied", summary->applied);
    json_put_number(object, "waiting", summary->waiting);
    json_put_number(object, "conflicts", summary->conflicts);
    json_put_number(object, "parked", summary->parked);
    json_put_number(object, "quarantined", summary->quarantined);
    json_put_number(object, "repairs", summary->repairs);
    json_put_bool(object, "foreign_keys", node_foreign_keys(view->node));
}

/* Members for which foreign keys count, when they do not here, or the other way round.
 * list: NULL prints them. */
static enum status list_elsewhere(struct view *view, json_t *list, struct error *err)
{
    bool count = node_foreign_keys(view->node);
    struct foreign_keys_elsewhere elsewhere = {0};
    enum status status =
        foreign_keys_elsewhere_read(&elsewhere, view->txn, count, NULL, err);

    if (status == STATUS_OK && list == NULL && (!count || elsewhere.count > 0))
        (void)fprintf(view->out, "foreign keys %s\n", count ? "count" : "do not count");
    for (size_t i = 0; status == STATUS_OK && i < elsewhere.count; i++) {
        const struct foreign_keys_member *member = &elsewhere.list[i];
        const struct member_name *name = members_get(&view->members, member->node);
        json_t *object;

        if (list != NULL) {
            object = json_make_object();
            json_put_node(object, "node", member->node);
            json_put_text(object, "name", name != NULL ? name->name : "");
            json_put_text(object, "table", member->table);
            json_append(list, object);
            continue;
        }
        (void)fprintf(view->out, "             but %s at %s (table ",
                      count ? "do not" : "do", name != NULL ? name->name : "?");
        print_plain(view->out, bytes_of_text(member->table));
        (void)fputs("): the two may show different rows\n", view->out);
    }
    foreign_keys_elsewhere_release(&elsewhere);
    return status;
}

static void print_status(struct view *view, const struct summary *summary)
{
    const struct identity *identity = store_identity(view->store);
    char id[NODE_ID_TEXT_SIZE], size[SIZE_TEXT_SIZE], fleet[2 * FLEET_ID_SIZE + 1];
    FILE *out = view->out;

    sodium_bin2hex(fleet, sizeof fleet, identity->fleet, FLEET_ID_SIZE);
    node_id_text(identity->node, id);
    (void)fprintf(out, "node         %s (%s)\nfleet        %s\n", identity->name, id,
                  fleet);
    (void)fprintf(out, "store        %s (%s)\n", store_folder(view->store),
                  size_text(summary->store_bytes, size));
    (void)fputs("database     ", out);
    print_plain(out, bytes_of_text(node_database_url(view->node)));
    (void)fprintf(out, "\nlog          %" PRIu64 " entr%s\n", summary->last_seq,
                  summary->last_seq == 1 ? "y" : "ies");
    if (summary->joining)
        (void)fputs("applied      not joined yet: the first sync does that\n", out);
    else
        (void)fprintf(out, "applied      up to %" PRIu64 ", %" PRIu64 " waiting\n",
                      summary->applied, summary->waiting);
    (void)fprintf(out,
                  "conflicts    %" PRIu64 "\nparked       %" PRIu64
                  "\nquarantined  %" PRIu64 "\n",
                  summary->conflicts, summary->parked, summary->quarantined);
    if (summary->repairs > 0)
        (void)fprintf(out, "repairs      %" PRIu64 " row%s to be written again\n",
                      summary->repairs, summary->repairs == 1 ? "" : "s");
}

static enum status show_status(struct view *view, struct error *err)
{
    struct summary summary = {0};
    json_t *object = NULL, *peers = NULL, *elsewhere = NULL, *untaken = NULL;
    enum status status = summary_read(&summary, view->txn, err);

    if (status == STATUS_OK && view->json) {
        object = json_make_object();
        peers = json_make_array();
        elsewhere = json_make_array();
        untaken = json_make_array();
        fill_status(view, &summary, object);
        json_put(object, "foreign_keys_elsewhere", elsewhere);
        json_put(object, "not_taken", untaken);
        json_put(object, "peers", peers);
    } else if (status == STATUS_OK) {
        print_status(view, &summary);
    }
    if (status == STATUS_OK)
        status = list_elsewhere(view, elsewhere, err);
    if (status == STATUS_OK)
        status = list_untaken(view, untaken, err);
    if (status == STATUS_OK)
        status = slot_view(view, object, err);
    if (status == STATUS_OK && !view->json && view->members.count > 1)
        (void)fputs("peers\n", view->out);
    if (status == STATUS_OK)
        status = list_peers(view, false, peers, err);
    if (status == STATUS_OK && object != NULL)
        json_print_line(view->out, object);
    else
        json_decref(object);
    return status;
}

static enum status run_status(const struct invocation *invocation, struct error *err)
{
    struct view view;
    enum status status;

    if (invocation->values[WATCH] != NULL)
        return redraw(invocation, show_status, err);
    status = view_open(&view, invocation, err);
    if (status == STATUS_OK)
        status = show_status(&view, err);
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    view_close(&view);
    return status;
}

const struct command command_status = {
    .name = "status",
    .operands = "",
    .summary = "Print where this node stands: positions, what waits, its peers",
    .parameters = {{"watch", NULL, "draw it again as it changes, until interrupted",
                    false}},
    .run = run_status,
};

const struct command command_peers = {
    .name = "peers",
    .operands = "[list]",
    .summary = "List the members of the fleet, and what each is known to lack",
    .operands_max = 1,
    .run = run_peers,
};
