#include "node/run.h"

#include "log/identity.h"
#include "node/path.h"
#include "node/watch.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The places that are watched, by number. */
enum { PLACE_STORE, PLACE_DATABASE, PLACE_TARGETS };

struct runner {
    struct stay_options options; /* the caller's; its callbacks go by way of this */
    void (*moved)(void *data, const char *target, const struct visit_report *report);
    node_notice_cb notice;
    void *data; /* for these two */
    struct stay *stay;
    struct watch *watch;
    char *database; /* whose directory is watched */
    char own[NODE_ID_TEXT_SIZE];
};

static void pass_notice(void *data, const char *line)
{
    const struct runner *runner = data;

    runner->notice(runner->data, line);
}

static void pass_moved(void *data, const char *target, const struct visit_report *report)
{
    const struct runner *runner = data;

    runner->moved(runner->data, target, report);
}

static bool is_stopped(void *data)
{
    const struct runner *runner = data;

    return watch_is_over(runner->watch);
}

/* ---- places */

/* The file itself, its log, and a journal, whose removal is a commit. */
static enum status watch_database(struct runner *runner, struct error *err)
{
    const char *path = stay_database(runner->stay);
    char *real = realpath(path, NULL), *copy = strdup(path);
    const char *name = real != NULL ? strrchr(real, '/') + 1 : path;
    char *directory = path_parent(real != NULL ? real : path), *log = NULL;
    char *journal = NULL;
    enum status status = STATUS_OK;

    if (asprintf(&log, "%s-wal", name) < 0)
        log = NULL;
    if (asprintf(&journal, "%s-journal", name) < 0)
        journal = NULL;
    if (copy == NULL || directory == NULL || log == NULL || journal == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "run: out of memory");
    } else {
        const struct watch_place place = {
            .directory = directory, .names = {name, log, journal}
        };

        status = watch_put(runner->watch, PLACE_DATABASE, &place, err);
    }
    if (status == STATUS_OK) {
        free(runner->database);
        runner->database = copy;
        copy = NULL;
    }
    free(real);
    free(copy);
    free(directory);
    free(log);
    free(journal);
    return status;
}

/* What this node writes into a folder is no news to it. */
static enum status watch_all(struct runner *runner, struct error *err)
{
    const struct stay_options *options = &runner->options;
    const struct watch_place store = {
        .directory = options->store, .names = {"data.mdb", "rowferry.ini"}
    };
    enum status status = watch_put(runner->watch, PLACE_STORE, &store, err);

    node_id_text(stay_node(runner->stay), runner->own);
    if (status == STATUS_OK)
        status = watch_database(runner, err);
    for (size_t i = 0; i < options->target_count && status == STATUS_OK; i++) {
        const struct watch_place target = {.directory = options->targets[i],
                                           .except = runner->own};

        status = watch_put(runner->watch, PLACE_TARGETS + i, &target, err);
    }
    return status;
}

/* ---- rounds */

static enum status make_rounds(struct runner *runner, struct error *err)
{
    const struct stay_options *options = &runner->options;
    uint64_t start_ms, now_ms, next_ms = 0;
    enum status status = STATUS_OK;

    while (!watch_is_over(runner->watch)) {
        for (size_t i = 0; i < options->target_count; i++)
            if (watch_has_changed(runner->watch, PLACE_TARGETS + i))
                stay_touch(runner->stay, i);
        watch_arm(runner->watch);
        start_ms = watch_now_ms();
        status = stay_round(runner->stay, start_ms, &next_ms, err);
        if (status == STATUS_OK &&
            strcmp(stay_database(runner->stay), runner->database) != 0)
            status = watch_database(runner, err);
        if (status != STATUS_OK)
            return status;
        now_ms = watch_now_ms();
        watch_wait(runner->watch, stay_gap_ms(now_ms - start_ms, options->interval_ms),
                   next_ms > now_ms ? next_ms - now_ms : 0);
    }
    return status;
}

enum status node_run(const struct stay_options *options, struct error *err)
{
    struct runner runner = {.options = *options,
                            .moved = options->moved,
                            .notice = options->notice,
                            .data = options->data};
    enum status status = watch_open(&runner.watch, err);

    runner.options.moved = pass_moved;
    runner.options.notice = pass_notice;
    runner.options.stopped = is_stopped;
    runner.options.data = &runner;
    if (status == STATUS_OK)
        status = stay_open(&runner.stay, &runner.options, err);
    if (status == STATUS_OK)
        status = watch_all(&runner, err);
    if (status == STATUS_OK)
        status = make_rounds(&runner, err);
    stay_close(runner.stay);
    watch_close(runner.watch);
    free(runner.database);
    return status;
}
