#include "node/watch.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uv.h>

/* The signals that end it, in the order of watch.ending. */
static const int endings[] = {SIGINT, SIGTERM};
enum { ENDINGS = sizeof endings / sizeof *endings };

struct place {
    uv_fs_event_t handle; /* libuv's until it is closed */
    struct watch *watch;
    char *directory; /* owned, as are the names */
    char *names[WATCH_NAMES_MAX];
    char *except;
    bool armed;
    bool changed;
    dev_t device; /* of the directory that is watched */
    ino_t inode;
};

struct watch {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t ending[ENDINGS];
    struct place **places; /* owned, as is each */
    size_t count;
    bool due;     /* the timer has fired */
    bool changed; /* one of the places has */
    bool over;
};

uint64_t watch_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* ---- callbacks
 *
 * Each ends the turn of the loop at hand: a timer that is due when a turn begins fires
 * before the turn waits, and it would wait for something else then. */

static void end_asked(uv_signal_t *signal, int number)
{
    struct watch *watch = signal->data;

    (void)number;
    watch->over = true;
    uv_stop(&watch->loop);
}

static void timer_fired(uv_timer_t *timer)
{
    struct watch *watch = timer->data;

    watch->due = true;
    uv_stop(&watch->loop);
}

/* A name that the system doesn't tell counts. */
static bool counts(const struct place *place, const char *name)
{
    if (name == NULL)
        return true;
    if (place->except != NULL && strstr(name, place->except) != NULL)
        return false;
    if (place->names[0] == NULL)
        return true;
    for (size_t i = 0; i < WATCH_NAMES_MAX && place->names[i] != NULL; i++)
        if (strcmp(place->names[i], name) == 0)
            return true;
    return false;
}

static void disarm(struct place *place)
{
    if (place->armed)
        (void)uv_fs_event_stop(&place->handle);
    place->armed = false;
}

/* A failure counts as a change: who looks will find out. */
static void place_changed(uv_fs_event_t *handle, const char *name, int events, int rc)
{
    struct place *place = handle->data;

    (void)events;
    if (rc == 0 && !counts(place, name))
        return;
    place->changed = true;
    place->watch->changed = true;
    disarm(place);
    uv_stop(&place->watch->loop);
}

/* ---- places */

static void free_place(struct place *place)
{
    for (size_t i = 0; i < WATCH_NAMES_MAX; i++)
        free(place->names[i]);
    free(place->directory);
    free(place->except);
    free(place);
}

static void place_closed(uv_handle_t *handle)
{
    free_place(handle->data);
}

static void close_place(struct place *place)
{
    uv_close((uv_handle_t *)&place->handle, place_closed);
}

static bool copy_text(char **to, const char *from)
{
    *to = from == NULL ? NULL : strdup(from);
    return from == NULL || *to != NULL;
}

/* NULL: out of memory. */
static struct place *make_place(struct watch *watch, const struct watch_place *order)
{
    struct place *place = calloc(1, sizeof *place);
    bool whole;

    if (place == NULL)
        return NULL;
    place->watch = watch;
    whole = copy_text(&place->directory, order->directory) &&
            copy_text(&place->except, order->except);
    for (size_t i = 0; i < WATCH_NAMES_MAX && whole; i++)
        whole = copy_text(&place->names[i], order->names[i]);
    if (!whole) {
        free_place(place);
        return NULL;
    }
    (void)uv_fs_event_init(&watch->loop, &place->handle); /* never fails */
    place->handle.data = place;
    return place;
}

enum status watch_put(struct watch *watch, size_t number, const struct watch_place *order,
                      struct error *err)
{
    struct place *place = make_place(watch, order);
    struct place **places = watch->places;

    assert(number <= watch->count);
    if (place != NULL && number == watch->count) {
        places = realloc(places, (number + 1) * sizeof(struct place *));
        if (places != NULL) {
            places[number] = NULL;
            watch->places = places;
            watch->count++;
        }
    }
    if (place == NULL || places == NULL) {
        if (place != NULL)
            close_place(place);
        return error_set(err, STATUS_NO_MEMORY, "watch: out of memory");
    }
    if (watch->places[number] != NULL)
        close_place(watch->places[number]);
    watch->places[number] = place;
    return STATUS_OK;
}

/* The directory may be another one than it was: a stick that came back. */
static void arm(struct place *place)
{
    struct stat found;
    bool there = stat(place->directory, &found) == 0;

    if (!there || found.st_dev != place->device || found.st_ino != place->inode)
        disarm(place);
    if (!there || place->armed)
        return;
    place->armed =
        uv_fs_event_start(&place->handle, place_changed, place->directory, 0) == 0;
    place->device = found.st_dev;
    place->inode = found.st_ino;
}

void watch_arm(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        watch->places[i]->changed = false;
        arm(watch->places[i]);
    }
    watch->changed = false;
}

bool watch_has_changed(const struct watch *watch, size_t number)
{
    assert(number < watch->count);
    return watch->places[number]->changed;
}

/* ---- waiting */

static void set_timer(struct watch *watch, uint64_t ms)
{
    int rc;

    uv_update_time(&watch->loop); /* a round may have taken long */
    rc = uv_timer_start(&watch->timer, timer_fired, ms, 0);
    assert(rc == 0); /* fails on wrong arguments only */
    (void)rc;
    watch->due = false;
}

void watch_wait(struct watch *watch, uint64_t gap_ms, uint64_t wait_ms)
{
    set_timer(watch, gap_ms);
    while (!watch->due && !watch->over)
        (void)uv_run(&watch->loop, UV_RUN_ONCE);
    set_timer(watch, wait_ms > gap_ms ? wait_ms - gap_ms : 0);
    while (!watch->due && !watch->changed && !watch->over)
        (void)uv_run(&watch->loop, UV_RUN_ONCE);
    (void)uv_timer_stop(&watch->timer);
}

bool watch_is_over(struct watch *watch)
{
    if (!watch->over)
        (void)uv_run(&watch->loop, UV_RUN_NOWAIT);
    return watch->over;
}

/* ---- opening and closing */

static bool is_ignored(int number)
{
    struct sigaction now;

    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

enum status watch_open(struct watch **out, struct error *err)
{
    struct watch *watch = calloc(1, sizeof *watch);
    int rc;

    *out = NULL;
    if (watch == NULL)
        return error_set(err, STATUS_NO_MEMORY, "watch: out of memory");
    rc = uv_loop_init(&watch->loop);
    if (rc != 0) {
        free(watch);
        return error_set(err, STATUS_IO, "watch: %s", uv_strerror(rc));
    }
    (void)uv_timer_init(&watch->loop, &watch->timer); /* never fails */
    watch->timer.data = watch;
    for (size_t i = 0; i < ENDINGS; i++) {
        rc = uv_signal_init(&watch->loop, &watch->ending[i]);
        assert(rc == 0); /* the first handle made the loop's pipe or never will */
        watch->ending[i].data = watch;
        if (!is_ignored(endings[i]))
            (void)uv_signal_start(&watch->ending[i], end_asked, endings[i]);
    }
    *out = watch;
    return STATUS_OK;
}

void watch_close(struct watch *watch)
{
    int rc;

    if (watch == NULL)
        return;
    for (size_t i = 0; i < watch->count; i++)
        close_place(watch->places[i]);
    for (size_t i = 0; i < ENDINGS; i++)
        uv_close((uv_handle_t *)&watch->ending[i], NULL);
    uv_close((uv_handle_t *)&watch->timer, NULL);
    (void)uv_run(&watch->loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&watch->loop);
    assert(rc == 0);
    (void)rc;
    free(watch->places);
    free(watch);
}
