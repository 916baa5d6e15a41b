#include "node/stay.h"

#include "node/log_state.h"
#include "node/node_private.h"
#include "node/stay_files.h"
#include "node/told.h"
#include "node/trouble.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* How often to ask for the store while another process works on it, and after how long to
 * say so. */
enum { BUSY_RETRY_MS = 200, BUSY_SAY_MS = 30000 };

struct stay_target {
    const char *path;
    bool touched;
    bool visited; /* since the node was opened, and up to: */
    struct log_state state;
    uint64_t next_ms; /* by the interval */
    struct trouble trouble;
    struct told told;
};

struct stay {
    struct stay_options options;
    struct node *node; /* NULL: could not be opened again */
    uint64_t id;
    char *database;          /* path, as of when the node was opened last */
    struct stay_files files; /* at that moment */
    bool gone;               /* the store is */
    bool looked;             /* the two below are worth something */
    int64_t data_version;
    struct log_state state;
    struct trouble trouble; /* with the node's own database or store */
    struct told told;
    struct told *telling;   /* whom a notice is about */
    uint64_t busy_since_ms; /* another process has the store; 0: it does not */
    bool busy_said;
    struct stay_target *targets; /* owned */
};

uint64_t stay_gap_ms(uint64_t took_ms, uint64_t interval_ms)
{
    uint64_t gap = took_ms * 4;

    if (gap > interval_ms)
        gap = interval_ms;
    return gap > STAY_GAP_MS ? gap : STAY_GAP_MS;
}

/* ---- telling */

static void notice(void *data, const char *line)
{
    struct stay *stay = data;

    if (told_is_news(stay->telling, line))
        stay->options.notice(stay->options.data, line);
}

static void tell(struct stay *stay, const char *line)
{
    stay->options.notice(stay->options.data, line);
}

static void note_trouble(struct stay *stay, enum status status, const struct error *err,
                         uint64_t now_ms)
{
    if (trouble_note(&stay->trouble, status, err, now_ms))
        tell(stay, err->text);
}

static void end_trouble(struct stay *stay, struct trouble *trouble, const char *what)
{
    struct error line;

    if (!trouble_end(trouble))
        return;
    (void)error_set(&line, STATUS_OK, "%s: works again", what);
    tell(stay, line.text);
}

/* That the position went past entries of this node's own is nobody's news. */
static bool has_moved(const struct visit_report *report)
{
    const struct apply_counts *applied = &report->applied;

    return report->captured.entries + report->visit.sent.entries +
               report->visit.received.entries + applied->rows + applied->captured +
               applied->parked + applied->released + applied->quarantined +
               applied->retried >
           0;
}

static void tell_moved(struct stay *stay, const char *target,
                       const struct visit_report *report)
{
    if (has_moved(report))
        stay->options.moved(stay->options.data, target, report);
}

static bool is_stopped(const struct stay *stay)
{
    return stay->options.stopped != NULL && stay->options.stopped(stay->options.data);
}

/* ---- the node */

/* Whether a person must mend it before any other try makes sense. */
static bool is_final(const struct stay *stay, enum status status)
{
    return status == STATUS_REFUSED || status == STATUS_CORRUPT ||
           status == STATUS_USAGE || stay->gone;
}

static void drop_node(struct stay *stay)
{
    node_close(stay->node);
    stay->node = NULL; /* and with it LOCK_STAY */
    stay->looked = false;
}

static enum status open_node(struct stay *stay, struct error *err)
{
    const struct stay_options *options = &stay->options;
    char *database;
    enum status status = node_open(&stay->node, options->store, NODE_WITH_DATABASE, err);

    if (status != STATUS_OK)
        return status;
    /* It waits between its tries, not within. */
    store_set_lock_wait(stay->node->store, 0);
    status = store_lock(stay->node->store, LOCK_STAY, err);
    database = status == STATUS_OK ? strdup(stay->node->database->name) : NULL;
    if (status == STATUS_OK && database == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "run: out of memory");
    if (status != STATUS_OK) {
        drop_node(stay);
        return status;
    }
    free(stay->database);
    stay->database = database;
    stay->id = store_identity(stay->node->store)->node;
    if (options->clock != NULL)
        node_set_clock(stay->node, options->clock, stay->node->config.max_skew_us);
    node_set_progress(stay->node, options->progress);
    node_on_notice(stay->node, notice, stay);
    stay->node->stopped = options->stopped;
    stay->node->stopped_data = options->data;
    return STATUS_OK;
}

/* Open the node, or open it again when its files are others than they were: a database
 * that was replaced is not the one that an open connection sees. */
static enum status renew_node(struct stay *stay, struct error *err)
{
    struct stay_files now;
    enum status status = stay_files_look(&now, stay->options.store, stay->database, err);

    if (status != STATUS_OK)
        return status;
    /* The store that this process works on must be the one that stands there. */
    if (stay->database != NULL && !file_print_same(&now.data, &stay->files.data)) {
        stay->gone = true;
        return error_set(err, STATUS_UNAVAILABLE, "%s: the store was removed",
                         stay->options.store);
    }
    if (stay->node != NULL && file_print_same(&now.database, &stay->files.database) &&
        file_print_same(&now.settings, &stay->files.settings))
        return STATUS_OK;
    drop_node(stay);
    status = open_node(stay, err);
    if (status == STATUS_OK) /* the database's place may be another now */
        status = stay_files_look(&stay->files, stay->options.store, stay->database, err);
    if (status != STATUS_OK)
        drop_node(stay);
    return status;
}

/* ---- a round */

struct round {
    struct stay *stay;
    uint64_t now_ms;
    int64_t data_version;
    struct log_state state;
    bool local; /* the node's own has something new */
    bool *due;  /* of the targets; owned */
    bool any;   /* of them */
    bool again; /* the next one has something to do here */
};

/* What is new here, without a lock. */
static enum status look(struct round *round, struct error *err)
{
    struct stay *stay = round->stay;
    struct database *database = stay->node->database;
    enum status status = database->ops->version(database, &round->data_version, err);

    if (status == STATUS_OK)
        status = log_state_read(stay->node->store, &round->state, err);
    if (status != STATUS_OK)
        return status;
    round->local = !stay->looked || stay->data_version != round->data_version ||
                   !log_state_same(&stay->state, &round->state);
    return STATUS_OK;
}

static void target_failed(struct stay *stay, struct stay_target *target,
                          enum status status, struct error *err, uint64_t now_ms)
{
    node_name_target(err, status, target->path);
    if (trouble_note(&target->trouble, status, err, now_ms))
        tell(stay, err->text);
}

/* A target that is not there is found out without a lock. */
static bool is_due(struct round *round, struct stay_target *target)
{
    struct trouble *trouble = &target->trouble;
    struct error err;
    enum status status;

    /* What was refused may be mended by who changes the folder; not at once, since it may
     * have been this process. */
    if (target->touched && trouble->status == STATUS_REFUSED)
        trouble_hurry(trouble, round->now_ms);
    if (trouble->is
            ? round->now_ms < trouble->next_ms
            : !target->touched && target->visited && round->now_ms < target->next_ms &&
                  log_state_same(&target->state, &round->state))
        return false;
    status = node_check_target(target->path, &err);
    if (status == STATUS_OK)
        return true;
    target_failed(round->stay, target, status, &err, round->now_ms);
    return false;
}

static void find_due(struct round *round)
{
    struct stay *stay = round->stay;

    for (size_t i = 0; i < stay->options.target_count; i++) {
        round->due[i] = is_due(round, &stay->targets[i]);
        stay->targets[i].touched = false;
        round->any = round->any || round->due[i];
    }
}

/* Capture, and apply what the log has: all locks are held. Who has yet to join does so at
 * a target. */
static enum status work_here(struct stay *stay, struct error *err)
{
    struct node *node = stay->node;
    struct visit_report report = {0};
    struct join_plan plan;
    enum status status = join_recall(node->store, &plan, err);

    if (status == STATUS_OK && plan.pending) {
        if (stay->options.target_count > 0)
            return STATUS_OK;
        status = join_finish(node, &report.visit.received.conflicts, err);
    }
    if (status == STATUS_OK)
        status = node_capture_locked(node, &report.captured, err);
    if (status == STATUS_OK && !is_stopped(stay))
        status = node_apply_locked(node, &report.applied, err);
    tell_moved(stay, NULL, &report);
    return status;
}

static enum status visit_target(struct round *round, struct stay_target *target,
                                struct error *err)
{
    struct stay *stay = round->stay;
    struct visit_report report = {0};
    struct error failure;
    enum status status;

    stay->telling = &target->told;
    status = node_visit(stay->node, target->path, &report, &failure);
    stay->telling = &stay->told;
    tell_moved(stay, target->path, &report);
    target->next_ms = round->now_ms + stay->options.interval_ms;
    if (status == STATUS_OK || status == STATUS_REFUSED)
        told_end(&target->told);
    if (status == STATUS_OK) {
        target->visited = true;
        end_trouble(stay, &target->trouble, target->path);
        return log_state_read(stay->node->store, &target->state, err);
    }
    if (status == STATUS_CORRUPT || status == STATUS_NO_MEMORY) {
        *err = failure;
        return status;
    }
    /* What came may wait to be applied, and the target may not come back. */
    round->again = round->again || report.visit.received.entries > 0 ||
                   (status != STATUS_REFUSED && status != STATUS_UNAVAILABLE);
    target_failed(stay, target, status, &failure, round->now_ms);
    return STATUS_OK;
}

/* With all locks: the node's own, then the targets. */
static enum status work(struct round *round, struct error *err)
{
    struct stay *stay = round->stay;
    enum status status = round->local ? work_here(stay, err) : STATUS_OK;

    told_end(&stay->told);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < stay->options.target_count && status == STATUS_OK; i++)
        if (round->due[i] && !is_stopped(stay))
            status = visit_target(round, &stay->targets[i], err);
    /* What is written meanwhile raises data_version above what was read before. */
    if (status == STATUS_OK)
        status = log_state_read(stay->node->store, &stay->state, err);
    stay->data_version = round->data_version;
    stay->looked = status == STATUS_OK && !round->again;
    return status;
}

/* Another process works on the store: it will end. */
static void note_busy(struct round *round, const struct error *err)
{
    struct stay *stay = round->stay;

    if (stay->busy_since_ms == 0)
        stay->busy_since_ms = round->now_ms;
    if (stay->busy_said || round->now_ms - stay->busy_since_ms < BUSY_SAY_MS)
        return;
    tell(stay, err->text);
    stay->busy_said = true;
}

static enum status work_alone(struct round *round, bool *busy, struct error *err)
{
    struct stay *stay = round->stay;
    enum status status = node_lock(stay->node, true, err);

    *busy = status == STATUS_REFUSED;
    if (*busy) {
        note_busy(round, err);
        for (size_t i = 0; i < stay->options.target_count; i++)
            stay->targets[i].touched = stay->targets[i].touched || round->due[i];
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    stay->busy_since_ms = 0;
    stay->busy_said = false;
    status = work(round, err);
    node_unlock(stay->node, true);
    return status;
}

/* All that a round does; OK with *busy when another process kept it from it. */
static enum status make_round(struct round *round, bool *busy, struct error *err)
{
    struct stay *stay = round->stay;
    enum status status = renew_node(stay, err);

    *busy = false;
    if (status == STATUS_OK)
        status = look(round, err);
    if (status != STATUS_OK)
        return status;
    find_due(round);
    if (!round->local && !round->any) {
        end_trouble(stay, &stay->trouble, stay->database);
        return STATUS_OK;
    }
    status = work_alone(round, busy, err);
    if (status == STATUS_OK && !*busy)
        end_trouble(stay, &stay->trouble, stay->database);
    return status;
}

/* When the next round is due, if nobody tells of anything before. */
static uint64_t find_next(const struct stay *stay, uint64_t now_ms)
{
    uint64_t next_ms = now_ms + stay->options.interval_ms;

    if (stay->trouble.is)
        return stay->trouble.next_ms;
    for (size_t i = 0; i < stay->options.target_count; i++) {
        const struct stay_target *target = &stay->targets[i];
        uint64_t due = target->trouble.is ? target->trouble.next_ms : target->next_ms;

        if (!target->trouble.is &&
            (!target->visited || !log_state_same(&target->state, &stay->state)))
            due = now_ms;
        next_ms = due < next_ms ? due : next_ms;
    }
    return next_ms;
}

enum status stay_round(struct stay *stay, uint64_t now_ms, uint64_t *next_ms,
                       struct error *err)
{
    struct round round = {.stay = stay, .now_ms = now_ms};
    bool busy = false;
    enum status status;

    if (stay->trouble.is && now_ms < stay->trouble.next_ms) {
        *next_ms = stay->trouble.next_ms;
        return STATUS_OK;
    }
    round.due = calloc(stay->options.target_count + 1, sizeof *round.due);
    if (round.due == NULL)
        return error_set(err, STATUS_NO_MEMORY, "run: out of memory");
    status = make_round(&round, &busy, err);
    free(round.due);
    if (is_final(stay, status))
        return status;
    if (status != STATUS_OK)
        note_trouble(stay, status, err, now_ms);
    *next_ms = busy ? now_ms + BUSY_RETRY_MS : find_next(stay, now_ms);
    return STATUS_OK;
}

/* ---- opening and closing */

static enum status open_targets(struct stay *stay, struct error *err)
{
    enum status status;

    stay->targets = calloc(stay->options.target_count + 1, sizeof *stay->targets);
    if (stay->targets == NULL)
        return error_set(err, STATUS_NO_MEMORY, "run: out of memory");
    for (size_t i = 0; i < stay->options.target_count; i++) {
        stay->targets[i].path = stay->options.targets[i];
        status = node_check_target(stay->targets[i].path, err);
        if (status == STATUS_USAGE)
            return status;
    }
    return STATUS_OK;
}

enum status stay_open(struct stay **out, const struct stay_options *options,
                      struct error *err)
{
    struct stay *stay = calloc(1, sizeof *stay);
    enum status status;

    *out = NULL;
    if (stay == NULL)
        return error_set(err, STATUS_NO_MEMORY, "run: out of memory");
    assert(options->notice != NULL && options->moved != NULL && options->interval_ms > 0);
    stay->options = *options;
    stay->telling = &stay->told;
    status = open_targets(stay, err);
    if (status == STATUS_OK)
        status = renew_node(stay, err);
    if (status != STATUS_OK) {
        stay_close(stay);
        return status;
    }
    *out = stay;
    return STATUS_OK;
}

void stay_close(struct stay *stay)
{
    if (stay == NULL)
        return;
    drop_node(stay);
    for (size_t i = 0; stay->targets != NULL && i < stay->options.target_count; i++)
        told_release(&stay->targets[i].told);
    told_release(&stay->told);
    free(stay->targets);
    free(stay->database);
    free(stay);
}

const char *stay_database(const struct stay *stay)
{
    return stay->database;
}

uint64_t stay_node(const struct stay *stay)
{
    return stay->id;
}

void stay_touch(struct stay *stay, size_t target)
{
    assert(target < stay->options.target_count);
    stay->targets[target].touched = true;
}
