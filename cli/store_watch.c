#include "cli/store_watch.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

enum { TICK_MS = 1000, SETTLE_MS = 50 };

static const int ending[] = {SIGINT, SIGTERM};
enum { ENDINGS = sizeof ending / sizeof *ending };

struct store_watch {
    uv_loop_t loop;
    uv_fs_event_t file;
    uv_timer_t timer;
    uv_async_t wake;
    struct sigaction before[ENDINGS];
    struct sigaction pipe_before;
    char *path; /* of the store's data */
    dev_t device;
    ino_t inode;
    bool changed; /* the timer is set to look soon */
    bool due;
};

/* For the signal's handler, which finds nothing else. */
static volatile sig_atomic_t was_told;
static uv_async_t *volatile told;

/* uv_async_send() may be called in a handler. */
static void take_signal(int number)
{
    int saved = errno;

    (void)number;
    was_told = 1;
    if (told != NULL)
        (void)uv_async_send(told);
    errno = saved;
}

static void woken(uv_async_t *wake)
{
    struct store_watch *watch = wake->data;

    watch->due = true;
}

/* A timer that is due when a turn of the loop begins fires before the turn waits: it must
 * not wait for something else then. */
static void timer_fired(uv_timer_t *timer)
{
    struct store_watch *watch = timer->data;

    watch->due = true;
    uv_stop(&watch->loop);
}

static void set_timer(struct store_watch *watch, uint64_t ms)
{
    int rc = uv_timer_start(&watch->timer, timer_fired, ms, 0);

    assert(rc == 0); /* fails on wrong arguments only */
    (void)rc;
}

/* A burst of writes is one change. */
static void file_changed(uv_fs_event_t *file, const char *name, int events, int rc)
{
    struct store_watch *watch = file->data;

    (void)name;
    (void)events;
    (void)rc; /* then the ticks have to do */
    if (!watch->changed)
        set_timer(watch, SETTLE_MS);
    watch->changed = true;
}

/* Without SA_RESTART: a write that nobody reads must not outlast the signal. */
static void take_signals(struct store_watch *watch)
{
    struct sigaction action = {.sa_handler = take_signal};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    was_told = 0;
    told = &watch->wake;
    for (size_t i = 0; i < ENDINGS; i++) {
        (void)sigaction(ending[i], NULL, &watch->before[i]);
        if (watch->before[i].sa_handler != SIG_IGN)
            (void)sigaction(ending[i], &action, NULL);
    }
    (void)sigaction(SIGPIPE, &ignore, &watch->pipe_before);
}

static void give_signals_back(struct store_watch *watch)
{
    for (size_t i = 0; i < ENDINGS; i++)
        (void)sigaction(ending[i], &watch->before[i], NULL);
    (void)sigaction(SIGPIPE, &watch->pipe_before, NULL);
    told = NULL;
}

static enum status find_data(struct store_watch *watch, struct error *err)
{
    struct stat stat_now;

    if (stat(watch->path, &stat_now) != 0)
        return error_set_errno(err, STATUS_UNAVAILABLE, watch->path);
    watch->device = stat_now.st_dev;
    watch->inode = stat_now.st_ino;
    return STATUS_OK;
}

/* The loop and what waits on it. */
static enum status begin_waiting(struct store_watch *watch, struct error *err)
{
    int rc = uv_loop_init(&watch->loop);

    if (rc == 0) {
        rc = uv_async_init(&watch->loop, &watch->wake, woken);
        if (rc != 0)
            (void)uv_loop_close(&watch->loop);
    }
    if (rc != 0)
        return error_set(err, STATUS_IO, "waiting: %s", uv_strerror(rc));
    watch->file.data = watch->timer.data = watch->wake.data = watch;
    (void)uv_timer_init(&watch->loop, &watch->timer);   /* these two */
    (void)uv_fs_event_init(&watch->loop, &watch->file); /* never fail */
    /* When this one does, the ticks have to do. */
    (void)uv_fs_event_start(&watch->file, file_changed, watch->path, 0);
    return STATUS_OK;
}

enum status store_watch_open(struct store_watch **out, const char *folder,
                             struct error *err)
{
    struct store_watch *watch = calloc(1, sizeof *watch);
    enum status status = STATUS_OK;

    *out = NULL;
    assert(told == NULL);
    if (watch == NULL || asprintf(&watch->path, "%s/data.mdb", folder) < 0) {
        free(watch);
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    status = find_data(watch, err);
    if (status == STATUS_OK)
        status = begin_waiting(watch, err);
    if (status != STATUS_OK) {
        free(watch->path);
        free(watch);
        return status;
    }
    take_signals(watch);
    *out = watch;
    return STATUS_OK;
}

void store_watch_close(struct store_watch *watch)
{
    int rc;

    if (watch == NULL)
        return;
    give_signals_back(watch);
    uv_close((uv_handle_t *)&watch->file, NULL);
    uv_close((uv_handle_t *)&watch->timer, NULL);
    uv_close((uv_handle_t *)&watch->wake, NULL);
    (void)uv_run(&watch->loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&watch->loop);
    assert(rc == 0);
    (void)rc;
    free(watch->path);
    free(watch);
}

static bool reader_is_gone(void)
{
    struct pollfd output = {.fd = STDOUT_FILENO};

    return poll(&output, 1, 0) == 1 && (output.revents & (POLLERR | POLLHUP)) != 0;
}

bool store_watch_is_over(const struct store_watch *watch)
{
    (void)watch;
    return was_told != 0 || reader_is_gone();
}

enum status store_watch_wait(struct store_watch *watch, struct error *err)
{
    struct stat now;

    set_timer(watch, TICK_MS);
    watch->due = watch->changed = false;
    while (!watch->due && !store_watch_is_over(watch))
        (void)uv_run(&watch->loop, UV_RUN_ONCE);
    if (store_watch_is_over(watch))
        return STATUS_OK;
    if (stat(watch->path, &now) != 0 || now.st_dev != watch->device ||
        now.st_ino != watch->inode)
        return error_set(err, STATUS_UNAVAILABLE, "%s: the store was removed",
                         watch->path);
    return STATUS_OK;
}

enum status store_watch_finish(const struct store_watch *watch, enum status status,
                               struct error *err)
{
    if (status == STATUS_OK && fflush(stdout) != 0)
        status = error_set_errno(err, errno == ENOSPC ? STATUS_FULL : STATUS_IO,
                                 "standard output");
    if ((status != STATUS_OK && status != STATUS_IO) || !store_watch_is_over(watch))
        return status;
    __fpurge(stdout);
    clearerr(stdout);
    return STATUS_OK;
}
