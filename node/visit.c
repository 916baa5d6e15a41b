/* A visit: capture, receive, apply, send; and rounds of visits until nothing moves. */
#include "node/node_private.h"

#include "node/foreign_keys.h"
#include "node/members.h"
#include "ship/folder.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ROUNDS_MAX = 100 }; /* others may go on writing into a folder for ever */

/* Segments are not to be written among a store's files. */
static enum status refuse_store(const char *target, struct error *err)
{
    struct stat found;
    char *path = NULL;
    bool is_store;

    if (asprintf(&path, "%s/data.mdb", target) < 0)
        return error_set(err, STATUS_NO_MEMORY, "sync: out of memory");
    is_store = stat(path, &found) == 0;
    free(path);
    if (!is_store)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE,
                     "%s: a store; this version does not sync with a store by its path: "
                     "give a directory that both see",
                     target);
}

enum status node_check_target(const char *target, struct error *err)
{
    struct stat found;

    if (strstr(target, "://") != NULL || strcmp(target, "stdio") == 0) {
        return error_set(
            err, STATUS_USAGE,
            "%s: not a directory; this version syncs by way of a directory, or "
            "by files with export and import",
            target);
    }
    if (stat(target, &found) != 0) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s: %s: make the directory, or mount what it is on", target,
                         strerror(errno));
    }
    if (!S_ISDIR(found.st_mode)) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s: not a directory; a segment file is taken in by import",
                         target);
    }
    return refuse_store(target, err);
}

void node_add_segments(struct segment_counts *sum, const struct segment_counts *more)
{
    sum->entries += more->entries;
    sum->changes += more->changes;
    sum->bytes += more->bytes;
    sum->conflicts += more->conflicts;
    sum->waiting += more->waiting;
}

/* Keep the first failure: later ones follow from it more often than not. */
struct outcome {
    enum status status;
    struct error err;
};

static void note(struct outcome *outcome, enum status status, const struct error *err)
{
    if (status == STATUS_OK || outcome->status != STATUS_OK)
        return;
    outcome->status = status;
    outcome->err = *err;
}

static bool is_stopped(const struct node *node)
{
    return node->stopped != NULL && node->stopped(node->stopped_data);
}

/* Locks are held; the node may be yet to join. A failed capture ends the visit at once:
 * what follows would stand on a log that does not know its database. */
static enum status visit(struct node *node, struct transport *transport,
                         struct visit_report *report, struct error *err)
{
    struct outcome outcome = {.status = STATUS_OK};
    struct join_plan plan;
    struct capture_counts captured = {0};
    struct visit_counts counts = {0};
    bool may_send;
    enum status status = join_recall(node->store, &plan, err);

    if (status == STATUS_OK && !plan.pending)
        status = node_capture_locked(node, &captured, err);
    report->captured.entries += captured.entries;
    report->captured.changes += captured.changes;
    if (status != STATUS_OK || is_stopped(node))
        return status;
    status =
        transport->ops->receive(transport, &counts, node->notice, node->notice_data, err);
    may_send =
        status == STATUS_OK || status == STATUS_REFUSED || status == STATUS_CORRUPT;
    note(&outcome, status, err);
    if (plan.pending) {
        status = join_finish(node, &counts.received.conflicts, err);
        if (status != STATUS_OK) {
            note(&outcome, status, err);
            may_send = false;
        }
    }
    if ((!plan.pending || status == STATUS_OK) && !is_stopped(node)) {
        note(&outcome,
             node_say_rules(node->database, &node->config.rules, node->notice,
                            node->notice_data, err),
             err);
        status = node_apply_locked(node, &report->applied, err);
        note(&outcome, status, err);
    }
    if (may_send && !is_stopped(node))
        note(&outcome, transport->ops->send(transport, &counts, err), err);
    node_add_segments(&report->visit.sent, &counts.sent);
    node_add_segments(&report->visit.received, &counts.received);
    report->visit.segments_opened += counts.segments_opened;
    report->visit.unready += counts.unready;
    if (outcome.status != STATUS_OK)
        *err = outcome.err;
    return outcome.status;
}

/* ---- what is learnt of the others' foreign keys */

static enum status tell_elsewhere(struct node *node, struct store_txn *txn,
                                  const struct foreign_keys_watch *before,
                                  struct error *err)
{
    struct foreign_keys_elsewhere elsewhere = {0};
    struct members members = {0};
    enum status status =
        foreign_keys_elsewhere_read(&elsewhere, txn, node->foreign_keys, before, err);

    if (status == STATUS_OK && elsewhere.count > 0)
        status = members_read(&members, txn, err);
    for (size_t i = 0; status == STATUS_OK && i < elsewhere.count; i++) {
        const struct member_name *member = members_get(&members, elsewhere.list[i].node);

        if (elsewhere.list[i].known || member == NULL)
            continue;
        node_say(node,
                 node->foreign_keys
                     ? "foreign keys count here and not at %s (table %s): the two may "
                       "show different rows; set foreign_keys alike in both rowferry.ini"
                     : "foreign keys count at %s and not here (table %s): the two may "
                       "show different rows; set foreign_keys alike in both rowferry.ini",
                 member->name, elsewhere.list[i].table);
    }
    members_release(&members);
    foreign_keys_elsewhere_release(&elsewhere);
    return status;
}

/* A visit, and one line for each member whose setting it found to be another. */
static enum status visit_watching(struct node *node, struct transport *transport,
                                  struct visit_report *report, struct error *err)
{
    struct foreign_keys_watch *before = NULL;
    struct store_txn *txn = NULL;
    struct error failure;
    enum status told, status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = foreign_keys_watch_open(&before, txn, err);
    store_abort(txn);
    txn = NULL;
    if (status == STATUS_OK)
        status = visit(node, transport, report, err);
    if (before != NULL) {
        told = store_begin(node->store, TXN_READ, &txn, &failure);
        if (told == STATUS_OK)
            told = tell_elsewhere(node, txn, before, &failure);
        store_abort(txn);
        if (status == STATUS_OK && told != STATUS_OK) {
            status = told;
            *err = failure;
        }
    }
    foreign_keys_watch_close(before);
    return status;
}

static void no_notice(void *data, const char *line)
{
    (void)data;
    (void)line;
}

enum status node_visit(struct node *node, const char *target, struct visit_report *report,
                       struct error *err)
{
    struct transport *transport = NULL;
    enum status status;

    assert(node->database != NULL);
    if (node->notice == NULL)
        node->notice = no_notice;
    status = node_check_target(target, err);
    if (status == STATUS_OK)
        status = folder_open(&transport, target, node->store, err);
    if (status != STATUS_OK)
        return status;
    assert(transport != NULL);
    status = node_lock(node, true, err);
    if (status == STATUS_OK) {
        status = visit_watching(node, transport, report, err);
        node_unlock(node, true);
    }
    transport->ops->close(transport);
    return status;
}

enum status node_sync(struct node *node, const char *target, struct visit_report *report,
                      struct error *err)
{
    *report = (struct visit_report){0};
    return node_visit(node, target, report, err);
}

/* What a round that moved something has changed. */
static uint64_t moved(const struct visit_report *report)
{
    return report->visit.sent.entries + report->visit.received.entries +
           report->captured.entries + report->applied.captured;
}

void node_name_target(struct error *err, enum status status, const char *target)
{
    size_t size = strlen(target);

    if (strncmp(err->text, target, size) != 0 || err->text[size] != ':')
        (void)error_wrap(err, status, target);
}

enum status node_run_once(struct node *node, const char *const *targets,
                          size_t target_count, struct visit_report *report,
                          struct error *err)
{
    struct outcome outcome = {.status = STATUS_OK};
    struct error failure;
    uint64_t before;
    enum status status;

    *report = (struct visit_report){0};
    if (target_count == 0) {
        status = node_capture(node, &report->captured, err);
        return status == STATUS_OK ? node_apply(node, &report->applied, err) : status;
    }
    for (int round = 0; round < ROUNDS_MAX; round++) {
        before = moved(report);
        for (size_t i = 0; i < target_count; i++) {
            status = node_visit(node, targets[i], report, &failure);
            if (status != STATUS_OK && target_count > 1)
                node_name_target(&failure, status, targets[i]);
            note(&outcome, status, &failure);
        }
        if (outcome.status != STATUS_OK || moved(report) == before)
            break;
    }
    if (outcome.status != STATUS_OK)
        *err = outcome.err;
    return outcome.status;
}
