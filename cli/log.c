/* rowferry log: entries in the order in which they came, page after page, each page with
 * a snapshot of its own. */
#include "cli/change_view.h"
#include "cli/commands.h"
#include "cli/entry_view.h"
#include "cli/json.h"
#include "cli/moment.h"
#include "node/row_find.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Places in the table of parameters at the end. */
enum { SINCE, UNTIL, TABLE, ORIGIN, FORMAT };
enum { PAGE_CHANGES = 1000, PAGE_BYTES = 1 << 18 };

struct listing {
    struct view view;
    struct moment since, until; /* when given */
    bool has_since, has_until;
    uint32_t table;  /* 0: every table */
    uint64_t origin; /* 0: every origin */
    uint64_t seq;    /* of the entry that the next page begins with, */
    uint32_t index;  /* and the change in it */
    bool begun;      /* its first line is printed already */
    bool done;
};

/* A base row has no timestamp: it counts from when it came. */
static uint64_t entry_time(const struct log_entry *entry)
{
    return entry->header.stamp_us != 0 ? entry->header.stamp_us : entry->arrived_us;
}

static bool is_asked(struct listing *listing, const struct log_entry *entry)
{
    uint64_t time_us = entry_time(entry);

    if (listing->origin != 0 && entry->header.origin != listing->origin)
        return false;
    if (listing->table != 0 && entry->header.kind != ENTRY_CHANGES)
        return false;
    if (listing->has_since && !listing->since.is_seq && time_us < listing->since.since_us)
        return false;
    return !(listing->has_until && !listing->until.is_seq &&
             time_us > listing->until.until_us);
}

/* ---- an entry and its changes */

static void begin_entry(struct listing *listing, const struct log_entry *entry)
{
    if (!listing->begun)
        entry_begin(&listing->view, entry);
    listing->begun = true;
}

static void end_entry(struct listing *listing)
{
    if (listing->begun)
        entry_end(&listing->view);
    listing->begun = false;
    listing->index = 0;
    listing->seq++;
}

/* items: how many of this entry are on the page already. */
static enum status print_change(struct listing *listing, const struct log_entry *entry,
                                const struct log_change *change, struct error *err)
{
    bool first = !listing->begun;
    struct table table;
    json_t *object;
    enum status status;

    if (listing->table != 0) {
        status = tables_find(listing->view.txn, entry->header.origin,
                             change->change.definition, &table, err);
        if (status != STATUS_OK || table.id != listing->table)
            return status;
    }
    begin_entry(listing, entry);
    if (!listing->view.json)
        return change_print(&listing->view, change, 4, "", err);
    status = change_json(&listing->view, change, &object, err);
    if (status != STATUS_OK)
        return status;
    if (!first)
        (void)fputc(',', listing->view.out);
    json_print(listing->view.out, object);
    return STATUS_OK;
}

static bool page_is_full(const struct listing *listing, unsigned read)
{
    return read >= PAGE_CHANGES || view_page_size(&listing->view) >= PAGE_BYTES;
}

/* *ended: the entry is printed to its end, else the page is full. */
static enum status print_changes(struct listing *listing, const struct log_entry *entry,
                                 unsigned *read, bool *ended, struct error *err)
{
    struct change_cursor *cursor = NULL;
    struct log_change change;
    enum status status = change_cursor_open(&cursor, listing->view.txn, err);

    *ended = false;
    if (status == STATUS_OK)
        status = change_cursor_start(cursor, entry->seq, listing->index, err);
    while (status == STATUS_OK && !page_is_full(listing, *read)) {
        status = change_cursor_next(cursor, &change, err);
        if (status == STATUS_NOT_FOUND) {
            *ended = true;
            break;
        }
        if (status == STATUS_OK)
            status = print_change(listing, entry, &change, err);
        listing->index++;
        (*read)++;
    }
    change_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- pages */

static enum status print_page(struct listing *listing, struct error *err)
{
    struct log_entry entry;
    uint64_t last = 0;
    unsigned read = 0;
    bool ended = true;
    enum status status = meta_get(listing->view.txn, META_LAST_SEQ, &last, err);

    if (listing->has_until && listing->until.is_seq && listing->until.seq < last)
        last = listing->until.seq;
    while (status == STATUS_OK && listing->seq <= last && !page_is_full(listing, read)) {
        status = log_get(listing->view.txn, listing->seq, &entry, err);
        if (status == STATUS_NOT_FOUND ||
            (status == STATUS_OK && !is_asked(listing, &entry))) {
            status = STATUS_OK;
            ended = true;
            read++;
        } else if (status == STATUS_OK && entry.header.kind == ENTRY_CHANGES) {
            status = print_changes(listing, &entry, &read, &ended, err);
        } else if (status == STATUS_OK) {
            begin_entry(listing, &entry);
            status = entry_print_items(&listing->view, &entry, err);
            ended = true;
        }
        if (status == STATUS_OK && ended)
            end_entry(listing);
    }
    listing->done = listing->seq > last;
    return status;
}

/* What needs no store, so that wrong usage is told before anything else. */
static enum status read_moments(struct listing *listing,
                                const struct invocation *invocation, struct error *err)
{
    const char *const *values = invocation->values;
    uint64_t now_us = wall_clock_system.now_us(wall_clock_system.data);
    enum status status = STATUS_OK;

    listing->has_since = values[SINCE] != NULL;
    listing->has_until = values[UNTIL] != NULL;
    if (listing->has_since)
        status = moment_read("--since", values[SINCE], now_us, &listing->since, err);
    if (status == STATUS_OK && listing->has_until)
        status = moment_read("--until", values[UNTIL], now_us, &listing->until, err);
    listing->seq =
        listing->has_since && listing->since.is_seq ? listing->since.seq + 1 : 1;
    return status;
}

static enum status read_names(struct listing *listing,
                              const struct invocation *invocation, struct error *err)
{
    const char *const *values = invocation->values;
    struct table table;
    enum status status = STATUS_OK;

    if (values[ORIGIN] != NULL)
        status = members_find(&listing->view.members, "--origin", values[ORIGIN],
                              &listing->origin, err);
    if (status == STATUS_OK && values[TABLE] != NULL) {
        status = row_find_table(listing->view.txn, values[TABLE], &table, err);
        if (status == STATUS_OK)
            listing->table = table.id;
    }
    return status;
}

static enum status read_format(const struct invocation *invocation, bool *json,
                               struct error *err)
{
    const char *format = invocation->values[FORMAT];

    if (format == NULL)
        return STATUS_OK;
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return error_set(err, STATUS_USAGE,
                         "--format %s: this version knows text and json", format);
    *json = strcmp(format, "json") == 0;
    return STATUS_OK;
}

static enum status run_log(const struct invocation *invocation, struct error *err)
{
    struct listing listing = {0};
    struct invocation asked = *invocation;
    enum status status = read_format(invocation, &asked.json, err);

    if (status == STATUS_OK)
        status = read_moments(&listing, invocation, err);
    if (status != STATUS_OK)
        return status;
    status = view_open(&listing.view, &asked, err);
    if (status == STATUS_OK)
        status = read_names(&listing, invocation, err);
    while (status == STATUS_OK && !listing.done) {
        if (listing.view.txn == NULL)
            status = view_begin(&listing.view, err);
        if (status == STATUS_OK)
            status = print_page(&listing, err);
        if (status == STATUS_OK)
            status = view_flush(&listing.view, err);
    }
    view_close(&listing.view);
    return status;
}

const struct command command_log = {
    .name = "log",
    .operands = "",
    .summary = "Print the log: every transaction and what it changed",
    .about =
        "A local write is in it after the next capture or sync. SEQ is the first number\n"
        "of a line. A time is 2026-11-23, \"2026-11-23 14:30\" or 2026-11-23T14:30:08.5, "
        "in\nUTC, or with a zone behind it (+01:00); or how long ago: 90s, 15m, 2h, 3d.\n"
        "--until takes in all of the day, minute or second that it names.",
    .parameters = {{"since", "SEQ|TIME", "only what came after SEQ, or is not older",
                    false},
                   {"until", "SEQ|TIME", "only up to SEQ, or what is not newer", false},
                   {"table", "NAME", "only changes of this table", false},
                   {"origin", "NODE", "only what this member wrote (name or id)", false},
                   {"format", "FORMAT", "text or json", false}},
    .run = run_log,
};
