/* rowferry blame: who set each column of a row. */
#include "node/blame.h"

#include "cli/change_view.h"
#include "cli/commands.h"
#include "cli/entry_view.h"
#include "cli/json.h"
#include "cli/print.h"
#include "node/row_find.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_WIDTH_MAX = 20, NODE_WIDTH_MAX = 16, VALUE_WIDTH_MIN = 12 };

/* ---- what this database shows instead */

struct standing {
    bool parked, quarantined;
    bool waiting; /* the winner came, and is not applied yet */
    uint64_t since_us;
    struct bytes why; /* the constraint's name, the database's message */
    enum parked_kind kind;
};

static enum status read_standing(struct view *view, const struct found_row *found,
                                 const struct row *row, struct standing *out,
                                 struct error *err)
{
    struct parked parked;
    struct quarantined quarantined;
    uint64_t applied = 0;
    struct bytes key = buffer_view(&found->key);
    enum status status = parked_get(view->txn, found->table.id, key, &parked, err);

    *out = (struct standing){0};
    if (status == STATUS_OK) {
        out->parked = true;
        out->kind = parked.kind;
        out->since_us = parked.since_us;
        out->why = parked.constraint;
    }
    if (status == STATUS_NOT_FOUND)
        status = quarantine_get(view->txn, found->table.id, key, &quarantined, err);
    if (status == STATUS_OK && !out->parked) {
        out->quarantined = true;
        out->since_us = quarantined.since_us;
        out->why = quarantined.message;
    }
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = meta_get(view->txn, META_APPLIED, &applied, err);
    out->waiting = !row->local && row->winner.seq > applied;
    return status;
}

static void print_standing(FILE *out, const struct standing *standing)
{
    char time[TIME_TEXT_SIZE];

    if (standing->waiting)
        (void)fputs("waits to be applied here\n", out);
    if (!standing->parked && !standing->quarantined)
        return;
    (void)fprintf(out, "not shown here: %s since %s\n",
                  standing->parked ? "parked" : "in quarantine",
                  time_text(standing->since_us, time));
    (void)fprintf(out, "    %s",
                  !standing->parked                 ? ""
                  : standing->kind == PARKED_UNIQUE ? "unique "
                                                    : "parent ");
    print_plain(out, standing->why);
    (void)fputc('\n', out);
}

static void put_standing(json_t *object, const struct standing *standing)
{
    json_t *what;

    json_put_bool(object, "waiting", standing->waiting);
    if (!standing->parked && !standing->quarantined)
        return;
    what = json_make_object();
    json_put_time(what, "since", standing->since_us);
    if (standing->parked) {
        json_put_text(what, "kind",
                      standing->kind == PARKED_UNIQUE ? "unique" : "parent");
        json_put(what, "constraint", json_text(standing->why));
    } else {
        json_put(what, "message", json_text(standing->why));
    }
    json_put(object, standing->parked ? "parked" : "quarantined", what);
}

/* ---- JSON */

static void put_entry(struct view *view, json_t *object, const struct log_entry *entry)
{
    json_put_number(object, "seq", entry->seq);
    view_put_origin(view, object, entry->header.origin);
    json_put_time(object, "time", entry->header.stamp_us);
    json_put_time(object, "arrived", entry->arrived_us);
    entry_put_note(object, &entry->header);
}

static enum status cell_json(struct view *view, const struct blame_cell *cell,
                             json_t *columns, struct error *err)
{
    json_t *object = json_make_object();
    struct log_change change;
    struct log_entry entry;
    enum status status = STATUS_OK;

    json_append(columns, object);
    json_put_text(object, "column", cell->column->name);
    json_put(object, "value", json_value(cell->value));
    if (!cell->known)
        return STATUS_OK;
    status = log_change_at(view->txn, cell->place, &change, err);
    if (status == STATUS_OK)
        status = log_get(view->txn, cell->place.seq, &entry, err);
    if (status != STATUS_OK)
        return status;
    json_put_version(object, "version", &change.version);
    put_entry(view, object, &entry);
    return STATUS_OK;
}

static enum status blame_json(struct view *view, const struct found_row *found,
                              const struct blame *blame, const struct standing *standing,
                              struct error *err)
{
    const struct row *row = &blame->row;
    json_t *object = json_make_object(), *columns = json_make_array();
    struct log_entry entry;
    enum status status =
        row_put_names(view, object, found->table.id, buffer_view(&found->key), err);

    json_put_bool(object, "deleted", !row->live);
    json_put_version(object, "version", &row->version);
    put_standing(object, standing);
    json_put(object, "columns", columns);
    if (status == STATUS_OK && !row->live) {
        status = log_get(view->txn, row->winner.seq, &entry, err);
        if (status == STATUS_OK)
            put_entry(view, object, &entry);
        else if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    for (uint32_t i = 0; status == STATUS_OK && i < blame->count; i++)
        status = cell_json(view, &blame->cells[i], columns, err);
    if (status == STATUS_OK)
        json_print_line(view->out, object);
    else
        json_decref(object);
    return status;
}

/* ---- text */

static void print_padded(FILE *out, const char *text, size_t width)
{
    char *plain = plain_text(bytes_of_text(text));
    size_t taken = text_width(plain);

    (void)fprintf(out, "%s%*s", plain, taken < width ? (int)(width - taken) : 0, "");
    free(plain);
}

struct widths {
    size_t name, seq, node;
};

static size_t widest(size_t width, const char *text, size_t most)
{
    char *plain = plain_text(bytes_of_text(text));
    size_t taken = text_width(plain);

    free(plain);
    taken = taken < most ? taken : most;
    return taken > width ? taken : width;
}

static enum status measure(struct view *view, const struct blame *blame,
                           struct widths *out, struct error *err)
{
    struct log_entry entry;
    char seq[24];
    enum status status = STATUS_OK;

    *out = (struct widths){0};
    for (uint32_t i = 0; i < blame->count; i++) {
        const struct blame_cell *cell = &blame->cells[i];

        out->name = widest(out->name, cell->column->name, NAME_WIDTH_MAX);
        if (!cell->known)
            continue;
        status = log_get(view->txn, cell->place.seq, &entry, err);
        if (status != STATUS_OK)
            break;
        (void)snprintf(seq, sizeof seq, "%" PRIu64, entry.seq);
        out->seq = widest(out->seq, seq, sizeof seq);
        out->node =
            widest(out->node, view_node_name(view, entry.header.origin), NODE_WIDTH_MAX);
    }
    return status;
}

/* The value takes what is left of the line, or a line of its own. */
static void print_cell_value(FILE *out, const struct value *value, size_t taken)
{
    size_t left = PRINT_COLUMNS - 1;

    if (taken + VALUE_WIDTH_MIN > left) {
        (void)fputs("\n    ", out);
        taken = 4;
    }
    print_value(out, value, left - taken - 3);
    (void)fputc('\n', out);
}

static enum status print_cell(struct view *view, const struct blame_cell *cell,
                              const struct widths *widths, struct error *err)
{
    static const char unknown[] = "older than this log";
    FILE *out = view->out;
    struct log_entry entry;
    char time[TIME_TEXT_SIZE];
    size_t taken;
    const char *node;
    enum status status;

    print_padded(out, cell->column->name, widths->name);
    taken = widest(widths->name, cell->column->name, SIZE_MAX);
    if (!cell->known) {
        (void)fprintf(out, "  %s  ", unknown);
        print_cell_value(out, cell->value, taken + sizeof unknown + 3);
        return STATUS_OK;
    }
    status = log_get(view->txn, cell->place.seq, &entry, err);
    if (status != STATUS_OK)
        return status;
    node = view_node_name(view, entry.header.origin);
    (void)fprintf(out, "  %*" PRIu64 "  ", (int)widths->seq, entry.seq);
    print_padded(out, node, widths->node);
    (void)fprintf(out, "  %-20s  ", time_text(entry.header.stamp_us, time));
    taken += widths->seq + widest(widths->node, node, SIZE_MAX) + 28;
    print_cell_value(out, cell->value, taken);
    return STATUS_OK;
}

/* Once for each entry that has a note. */
static enum status print_notes(struct view *view, const struct blame *blame,
                               struct error *err)
{
    struct log_entry entry;
    struct bytes text;
    enum status status;

    for (uint32_t i = 0; i < blame->count; i++) {
        uint64_t seq = blame->cells[i].known ? blame->cells[i].place.seq : 0;
        bool again = seq == 0;

        for (uint32_t j = 0; j < i && !again; j++)
            again = blame->cells[j].known && blame->cells[j].place.seq == seq;
        if (again)
            continue;
        status = log_get(view->txn, seq, &entry, err);
        if (status != STATUS_OK)
            return status;
        if (!entry_field_find(entry.header.fields, FIELD_NOTE, &text) &&
            !entry_field_find(entry.header.fields, FIELD_USER, &text))
            continue;
        (void)fprintf(view->out, "%" PRIu64 "\n", seq);
        entry_print_note(view->out, &entry.header, 4);
    }
    return STATUS_OK;
}

static enum status print_deleter(struct view *view, const struct row *row,
                                 struct error *err)
{
    struct log_entry entry;
    char time[TIME_TEXT_SIZE];
    enum status status = log_get(view->txn, row->winner.seq, &entry, err);

    (void)fputs("deleted  ", view->out);
    if (status == STATUS_OK)
        (void)fprintf(view->out, "%" PRIu64 "  ", entry.seq);
    print_plain(view->out, bytes_of_text(view_node_name(view, row->version.origin)));
    (void)fprintf(view->out, "  %s\n", time_text(row->version.stamp_us, time));
    if (status == STATUS_OK)
        entry_print_note(view->out, &entry.header, 4);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status blame_text(struct view *view, const struct found_row *found,
                              const struct blame *blame, const struct standing *standing,
                              struct error *err)
{
    struct widths widths;
    enum status status =
        row_print_names(view, found->table.id, buffer_view(&found->key), err);

    (void)fputc('\n', view->out);
    print_standing(view->out, standing);
    if (status == STATUS_OK && !blame->row.live)
        return print_deleter(view, &blame->row, err);
    if (status == STATUS_OK)
        status = measure(view, blame, &widths, err);
    for (uint32_t i = 0; status == STATUS_OK && i < blame->count; i++)
        status = print_cell(view, &blame->cells[i], &widths, err);
    return status == STATUS_OK ? print_notes(view, blame, err) : status;
}

static enum status run_blame(const struct invocation *invocation, struct error *err)
{
    struct view view;
    struct found_row found;
    struct blame blame;
    struct standing standing;
    enum status status = view_open(&view, invocation, err);

    found_row_init(&found);
    blame_init(&blame);
    if (status == STATUS_OK)
        status = row_find(view.txn, invocation->operands[0], invocation->operands + 1,
                          invocation->operand_count - 1, &found, err);
    if (status == STATUS_OK)
        status =
            blame_read(&blame, view.txn, found.table.id, buffer_view(&found.key), err);
    if (status == STATUS_OK)
        status = read_standing(&view, &found, &blame.row, &standing, err);
    if (status == STATUS_OK)
        status = view.json ? blame_json(&view, &found, &blame, &standing, err)
                           : blame_text(&view, &found, &blame, &standing, err);
    if (status == STATUS_OK)
        status = view_flush(&view, err);
    blame_release(&blame);
    found_row_release(&found);
    view_close(&view);
    return status;
}

const struct command command_blame = {
    .name = "blame",
    .operands = "TABLE KEY...",
    .summary = "Print which entry set each column of a row, or deleted it",
    .about =
        "The row is as the log has it, also when this database does not show it. One "
        "KEY\nfor each column of the table's key; x'00ff' is a blob. After -- a KEY may "
        "begin\nwith a minus. `history` has every version.",
    .operands_min = 2,
    .operands_max = 65,
    .run = run_blame,
};
