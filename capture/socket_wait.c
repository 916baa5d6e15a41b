#include "capture/socket_wait.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

struct socket_wait {
    uv_loop_t loop;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_async_t wake;
    int polled; /* the events that poll waits for; 0: none yet */

    /* What the callbacks saw. */
    bool is_ready;
    bool is_woken;
};

uint64_t socket_wait_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct socket_wait *wait = poll->data;

    /* An error of the socket is its library's to find. */
    (void)status;
    (void)events;
    wait->is_ready = true;
    uv_stop(&wait->loop);
}

static void on_time(uv_timer_t *timer)
{
    struct socket_wait *wait = timer->data;

    uv_stop(&wait->loop);
}

static void on_wake(uv_async_t *async)
{
    struct socket_wait *wait = async->data;

    wait->is_woken = true;
    uv_stop(&wait->loop);
}

static enum status from_uv(int rc, const char *call, struct error *err)
{
    return error_set(err, rc == UV_ENOMEM ? STATUS_NO_MEMORY : STATUS_IO, "%s: %s", call,
                     uv_strerror(rc));
}

enum status socket_wait_open(struct socket_wait **out, int socket, struct error *err)
{
    struct socket_wait *wait = calloc(1, sizeof *wait);
    int rc;

    *out = NULL;
    if (wait == NULL)
        return error_set(err, STATUS_NO_MEMORY, "wait: out of memory");
    if ((rc = uv_loop_init(&wait->loop)) != 0) {
        free(wait);
        return from_uv(rc, "uv_loop_init", err);
    }
    wait->poll.data = wait;
    wait->timer.data = wait;
    wait->wake.data = wait;
    (void)uv_timer_init(&wait->loop, &wait->timer); /* never fails */
    if ((rc = uv_async_init(&wait->loop, &wait->wake, on_wake)) == 0)
        rc = uv_poll_init(&wait->loop, &wait->poll, socket);
    if (rc != 0) {
        socket_wait_close(wait);
        return from_uv(rc, "uv_poll_init", err);
    }
    *out = wait;
    return STATUS_OK;
}

static void close_handle(uv_handle_t *handle, void *data)
{
    (void)data;
    uv_close(handle, NULL);
}

void socket_wait_close(struct socket_wait *wait)
{
    int rc;

    if (wait == NULL)
        return;
    uv_walk(&wait->loop, close_handle, NULL);
    (void)uv_run(&wait->loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&wait->loop);
    assert(rc == 0);
    free(wait);
}

enum status socket_wait_run(struct socket_wait *wait, bool writable, uint64_t until_ms,
                            enum socket_wait_end *end, struct error *err)
{
    int events = UV_READABLE | (writable ? UV_WRITABLE : 0);
    uint64_t now = socket_wait_now_ms();
    int rc = 0;

    if (wait->polled != events)
        rc = uv_poll_start(&wait->poll, events, on_ready);
    if (rc != 0)
        return from_uv(rc, "uv_poll_start", err);
    wait->polled = events;
    uv_update_time(&wait->loop);
    (void)uv_timer_start(&wait->timer, on_time, until_ms > now ? until_ms - now : 0, 0);
    wait->is_ready = false;
    /* Until a callback stops it. One turn alone (UV_RUN_ONCE) would run a timer that is
     * due, and then wait for something else to happen. */
    (void)uv_run(&wait->loop, UV_RUN_DEFAULT);
    (void)uv_timer_stop(&wait->timer);
    *end = wait->is_woken   ? SOCKET_WAIT_WOKEN
           : wait->is_ready ? SOCKET_WAIT_READY
                            : SOCKET_WAIT_TIME;
    wait->is_woken = false;
    return STATUS_OK;
}

void socket_wait_wake(struct socket_wait *wait)
{
    (void)uv_async_send(&wait->wake); /* never fails on an open handle */
}
