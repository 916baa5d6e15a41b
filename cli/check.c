/* rowferry verify, diff: is all as it should be? */
#include "cli/commands.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/progress_line.h"
#include "log/verify.h"
#include "node/database_url.h"
#include "node/diff.h"
#include "node/node.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- verify */

static void print_verify(const struct verify_report *report, bool good, bool json,
                         const struct error *err)
{
    json_t *object;

    if (!json) {
        if (good) {
            (void)printf("%" PRIu64 " entries, %" PRIu64 " changes, %" PRIu64
                         " rows, %" PRIu64 " signature%s: all is right\n",
                         report->entries, report->changes, report->rows,
                         report->signatures, plural(report->signatures));
        }
        return;
    }
    object = json_make_object();
    json_put_bool(object, "good", good);
    json_put_number(object, "entries", report->entries);
    json_put_number(object, "changes", report->changes);
    json_put_number(object, "rows", report->rows);
    json_put_number(object, "signatures", report->signatures);
    if (!good) {
        if (report->bad_seq != 0)
            json_put_number(object, "bad_seq", report->bad_seq);
        json_put_text(object, "what", err->text);
    }
    json_print_line(stdout, object);
}

static enum status run_verify(const struct invocation *invocation, struct error *err)
{
    struct verify_report report = {0};
    struct node *node = NULL;
    enum status status = node_open(&node, invocation->store, NODE_READ_ONLY, err);

    if (status == STATUS_OK) {
        node_set_progress(node, progress_line_watcher(invocation->line));
        status = verify_store(node_store(node), &report, err);
        progress_line_erase(invocation->line);
        if (status == STATUS_OK || status == STATUS_DIFFERENT)
            print_verify(&report, status == STATUS_OK, invocation->json, err);
    }
    node_close(node);
    return status;
}

/* ---- diff */

static const char *const kind_words[] = {
    [DIFF_MISSING] = "missing", [DIFF_EXTRA] = "extra", [DIFF_CHANGED] = "changed",
    [DIFF_LACKING] = "lacking", [DIFF_GONE] = "gone",
};

static void print_lacking(const struct diff_row *row, bool json)
{
    json_t *object;

    if (json) {
        object = json_make_object();
        json_put_text(object, "kind", kind_words[row->kind]);
        json_put_text(object, "table", row->definition->name);
        json_put_text(object, "why", row->why);
        json_print_line(stdout, object);
        return;
    }
    (void)fputs("without its constraints: ", stdout);
    print_plain(stdout, bytes_of_text(row->definition->name));
    (void)fputs(" (", stdout);
    print_plain(stdout, bytes_of_text(row->why));
    (void)fputs(")\n", stdout);
}

static void print_gone(const struct diff_row *row, bool json)
{
    static const char none[] = "the database has no such table";
    json_t *object;

    if (json) {
        object = json_make_object();
        json_put_text(object, "kind", kind_words[row->kind]);
        json_put_text(object, "table", row->definition->name);
        json_put_number(object, "rows", row->rows);
        json_put_text(object, "why", row->why != NULL ? row->why : none);
        json_print_line(stdout, object);
        return;
    }
    (void)fputs("gone ", stdout);
    print_plain(stdout, bytes_of_text(row->definition->name));
    (void)printf(": %" PRIu64 " row%s: ", row->rows, plural(row->rows));
    print_plain(stdout, bytes_of_text(row->why != NULL ? row->why : none));
    if (row->why == NULL) {
        (void)fputs("; once it is made again, `rowferry resync` fills it (a capture "
                    "before that logs its rows as deleted), or leave it out by tables "
                    "in rowferry.ini",
                    stdout);
    }
    (void)fputc('\n', stdout);
}

static bool print_difference(void *data, const struct diff_row *row)
{
    const struct invocation *invocation = data;
    struct wrap wrap = {stdout, 8, 0};
    json_t *object, *columns;

    progress_line_erase(invocation->line);
    if (row->kind == DIFF_LACKING) {
        print_lacking(row, invocation->json);
        return true;
    }
    if (row->kind == DIFF_GONE) {
        print_gone(row, invocation->json);
        return true;
    }
    if (invocation->json) {
        object = json_make_object();
        json_put_text(object, "kind", kind_words[row->kind]);
        json_put_text(object, "table", row->definition->name);
        json_put(object, "key", json_key(row->key, row->definition));
        columns = json_make_array();
        for (size_t i = 0; i < row->column_count; i++)
            json_append(columns, json_text(bytes_of_text(
                                     row->definition->columns[row->columns[i]].name)));
        json_put(object, "columns", columns);
        json_print_line(stdout, object);
        return true;
    }
    (void)printf("%s ", kind_words[row->kind]);
    print_plain(stdout, bytes_of_text(row->definition->name));
    (void)fputc(' ', stdout);
    print_key(stdout, row->key, row->definition);
    (void)fputc('\n', stdout);
    for (size_t i = 0; i < row->column_count; i++)
        wrap_item(&wrap, row->definition->columns[row->columns[i]].name);
    wrap_end(&wrap);
    return true;
}

static void print_joining(const struct diff_counts *counts)
{
    (void)printf("not joined yet: %" PRIu64 " row%s in %" PRIu64
                 " table%s compared: %" PRIu64 " not as the fleet has them, %" PRIu64
                 " only here, which become new writes\n",
                 counts->rows, plural(counts->rows), counts->tables,
                 plural(counts->tables), counts->changed, counts->only_here);
}

static void print_counts(const struct diff_counts *counts, bool json)
{
    json_t *object;

    if (!json && counts->joining) {
        print_joining(counts);
        return;
    }
    if (!json) {
        (void)printf("%" PRIu64 " row%s in %" PRIu64 " table%s compared: %" PRIu64
                     " missing, %" PRIu64 " extra, %" PRIu64 " changed\n",
                     counts->rows, plural(counts->rows), counts->tables,
                     plural(counts->tables), counts->missing, counts->extra,
                     counts->changed);
        if (counts->gone > 0)
            (void)printf("and %" PRIu64 " in tables that are gone\n", counts->gone);
        if (counts->untaken > 0) {
            (void)printf("apart from these: %" PRIu64
                         " of tables that take nothing (direction = out)\n",
                         counts->untaken);
        }
        if (counts->waiting + counts->parked + counts->quarantined + counts->unsettled >
            0) {
            (void)printf("apart from these: %" PRIu64 " entr%s waiting, %" PRIu64
                         " parked, %" PRIu64 " quarantined\n",
                         counts->waiting, counts->waiting == 1 ? "y" : "ies",
                         counts->parked, counts->quarantined);
        }
        if (counts->unsettled > 0)
            (void)printf("and %" PRIu64 " row%s that the next apply parks or releases\n",
                         counts->unsettled, plural(counts->unsettled));
        return;
    }
    object = json_make_object();
    json_put_text(object, "kind", "counts");
    json_put_number(object, "tables", counts->tables);
    json_put_number(object, "rows", counts->rows);
    json_put_number(object, "missing", counts->missing);
    json_put_number(object, "extra", counts->extra);
    json_put_number(object, "changed", counts->changed);
    json_put_number(object, "gone", counts->gone);
    json_put_number(object, "waiting", counts->waiting);
    json_put_number(object, "unsettled", counts->unsettled);
    json_put_number(object, "parked", counts->parked);
    json_put_number(object, "quarantined", counts->quarantined);
    json_put_number(object, "lacking", counts->lacking);
    json_put_number(object, "not_taken", counts->untaken);
    if (counts->joining)
        json_put_number(object, "only_here", counts->only_here);
    json_print_line(stdout, object);
}

static enum status run_diff(const struct invocation *invocation, struct error *err)
{
    bool other = invocation->operand_count > 0;
    struct diff_counts counts = {0};
    struct node *node = NULL;
    char *path = NULL;
    enum status status;

    status = node_open(&node, invocation->store,
                       NODE_READ_ONLY | (other ? 0 : NODE_WITH_DATABASE), err);
    if (status == STATUS_OK && other)
        status = database_url_path(invocation->operands[0], &path, err);
    if (status == STATUS_OK) {
        node_set_progress(node, progress_line_watcher(invocation->line));
        status = node_diff(node, path, print_difference, (void *)(uintptr_t)invocation,
                           &counts, err);
    }
    progress_line_erase(invocation->line);
    if (status == STATUS_OK || status == STATUS_DIFFERENT)
        print_counts(&counts, invocation->json);
    free(path);
    node_close(node);
    return status;
}

const struct command command_verify = {
    .name = "verify",
    .operands = "",
    .summary = "Check the log: hash chains, signatures, and the row index",
    .run = run_verify,
};

const struct command command_diff = {
    .name = "diff",
    .operands = "[DATABASE]",
    .summary = "Compare the database with what the log and its schema say it shows",
    .about =
        "Rows not yet applied, parked or quarantined are no difference, nor are those\n"
        "that a table with direction = out does not take; a local write that was not\n"
        "captured yet is one, and so is a table with rows that is gone. While the first\n"
        "sync after init --join is refused: the rows that are not as the fleet has them.",
    .operands_max = 1,
    .run = run_diff,
};
