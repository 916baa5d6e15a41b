/* rowferry log: entries in the order in which they came, page after page, each page with
 * a snapshot of its own; then, with -f, those that come. */
#include "cli/change_view.h"
#include "cli/commands.h"
#include "cli/entry_view.h"
#include "cli/json.h"
#include "cli/moment.h"
#include "cli/store_watch.h"
#include "node/row_find.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Places in the table of parameters at the end. */
enum { SINCE, UNTIL, TABLE, ORIGIN, LIMIT, FOLLOW, FORMAT };
enum { PAGE_CHANGES = 1000, PAGE_BYTES = 1 << 18 };

struct listing {
    struct view view;
    struct moment since, until; /* when given */
    bool has_since, has_until;
    uint32_t tables[REPEATS_MAX];
    size_t table_count; /* 0: every table */
    uint64_t origin;    /* 0: every origin */
    bool has_limit;
    uint64_t limit; /* the last so many */
    uint64_t seq;   /* of the entry that the next page begins with, */
    uint32_t index; /* and the change in it */
    bool begun;     /* its first line is printed already */
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
    if (listing->table_count != 0 && entry->header.kind != ENTRY_CHANGES)
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
        entry_begin(&listing->view, entry, listing->table_count != 0);
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

/* Whether a change is of a table that was asked for. */
static enum status is_of_table(struct listing *listing, const struct log_change *change,
                               bool *asked, struct error *err)
{
    struct table table;
    enum status status;

    *asked = listing->table_count == 0;
    if (*asked)
        return STATUS_OK;
    status = tables_find(listing->view.txn, change->version.origin,
                         change->change.definition, &table, err);
    for (size_t i = 0; status == STATUS_OK && !*asked && i < listing->table_count; i++)
        *asked = table.id == listing->tables[i];
    return status;
}

static enum status print_change(struct listing *listing, const struct log_entry *entry,
                                const struct log_change *change, struct error *err)
{
    bool first = !listing->begun;
    bool asked;
    json_t *object;
    enum status status = is_of_table(listing, change, &asked, err);

    if (status != STATUS_OK || !asked)
        return status;
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

static enum status last_asked(struct listing *listing, uint64_t *last, struct error *err)
{
    enum status status = meta_get(listing->view.txn, META_LAST_SEQ, last, err);

    if (listing->has_until && listing->until.is_seq && listing->until.seq < *last)
        *last = listing->until.seq;
    return status;
}

static enum status print_page(struct listing *listing, struct error *err)
{
    struct log_entry entry;
    uint64_t last = 0;
    unsigned read = 0;
    bool ended = true;
    enum status status = last_asked(listing, &last, err);

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

/* ---- the last so many */

static bool next_step(struct listing *listing, unsigned *read, enum status *status,
                      struct error *err)
{
    if (*status != STATUS_OK || ++*read < PAGE_CHANGES)
        return *status == STATUS_OK;
    *read = 0;
    store_abort(listing->view.txn);
    listing->view.txn = NULL;
    *status = view_begin(&listing->view, err);
    return *status == STATUS_OK;
}

/* Whether an entry has a change of a table that was asked for. */
static enum status has_table(struct listing *listing, uint64_t seq, unsigned *read,
                             bool *found, struct error *err)
{
    struct change_cursor *cursor = NULL;
    struct log_change change;
    enum status status = STATUS_OK;

    *found = listing->table_count == 0;
    if (*found)
        return STATUS_OK;
    status = change_cursor_open(&cursor, listing->view.txn, err);
    if (status == STATUS_OK)
        status = change_cursor_start(cursor, seq, 0, err);
    while (status == STATUS_OK && !*found) {
        status = change_cursor_next(cursor, &change, err);
        if (status == STATUS_OK)
            status = is_of_table(listing, &change, found, err);
        (*read)++;
    }
    change_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Go back from the end to the first entry of the last so many that are asked for. */
static enum status seek_back(struct listing *listing, struct error *err)
{
    struct log_entry entry;
    uint64_t last = 0, first = listing->seq;
    unsigned read = 0;
    bool found;
    enum status status = last_asked(listing, &last, err);

    if (last < UINT64_MAX && last + 1 > first)
        listing->seq = last + 1;
    for (uint64_t seq = last, left = listing->limit; left > 0 && seq >= first; seq--) {
        if (!next_step(listing, &read, &status, err))
            break;
        status = log_get(listing->view.txn, seq, &entry, err);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
        else if (status == STATUS_OK && is_asked(listing, &entry)) {
            status = has_table(listing, seq, &read, &found, err);
            if (status == STATUS_OK && found) {
                listing->seq = seq;
                left--;
            }
        }
    }
    return status;
}

/* ---- what is asked for */

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
    for (size_t i = 0; status == STATUS_OK && i < invocation->repeat_count; i++) {
        status = row_find_table(listing->view.txn, invocation->repeats[i], &table, err);
        if (status == STATUS_OK)
            listing->tables[listing->table_count++] = table.id;
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
    if (*json && strcmp(format, "text") == 0)
        return error_set(err, STATUS_USAGE, "--json and --format text: say one of them");
    *json = strcmp(format, "json") == 0;
    return STATUS_OK;
}

static enum status print_pages(struct listing *listing, struct error *err)
{
    enum status status = STATUS_OK;

    listing->done = false;
    while (status == STATUS_OK && !listing->done) {
        if (listing->view.txn == NULL)
            status = view_begin(&listing->view, err);
        if (status == STATUS_OK)
            status = print_page(listing, err);
        if (status == STATUS_OK)
            status = view_flush(&listing->view, err);
    }
    return status;
}

/* What is there, then what comes, until the end is asked for. */
static enum status follow(struct listing *listing, struct error *err)
{
    struct store_watch *watch = NULL;
    enum status status = store_watch_open(&watch, store_folder(listing->view.store), err);

    if (status != STATUS_OK)
        return status;
    while (status == STATUS_OK && !store_watch_is_over(watch)) {
        if (listing->view.txn == NULL)
            status = view_begin_anew(&listing->view, err);
        if (status == STATUS_OK)
            status = print_page(listing, err);
        if (status == STATUS_OK)
            status = view_flush(&listing->view, err);
        status = store_watch_finish(watch, status, err);
        if (status == STATUS_OK && listing->done)
            status = store_watch_wait(watch, err);
    }
    store_watch_close(watch);
    return status;
}

static enum status run_log(const struct invocation *invocation, struct error *err)
{
    struct listing listing = {0};
    struct invocation asked = *invocation;
    bool follows = invocation->values[FOLLOW] != NULL;
    enum status status = read_format(invocation, &asked.json, err);

    if (status == STATUS_OK)
        status = read_moments(&listing, invocation, err);
    if (status == STATUS_OK)
        status = invocation_limit(invocation->values[LIMIT], "entries",
                                  &listing.has_limit, &listing.limit, err);
    if (status == STATUS_OK && follows && listing.has_until)
        status = error_set(err, STATUS_USAGE, "--until has an end, --follow has none");
    if (status != STATUS_OK)
        return status;
    status = view_open(&listing.view, &asked, err);
    if (status == STATUS_OK)
        status = read_names(&listing, invocation, err);
    if (status == STATUS_OK && listing.has_limit)
        status = seek_back(&listing, err);
    if (status == STATUS_OK)
        status = follows ? follow(&listing, err) : print_pages(&listing, err);
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
                   {"table", "NAME", "only changes of this table; may be given again",
                    true},
                   {"origin", "NODE", "only what this member wrote (name or id)", false},
                   {"limit", "N", "only the last N of them", false},
                   {"follow", NULL, "then print what comes, until interrupted", false},
                   {"format", "FORMAT", "text or json", false}},
    .letter = {'f', FOLLOW                    },
    .run = run_log,
};
