#include "apply/applier.h"

#include <assert.h>
#include <stddef.h>

/*                                        batch written
 *                                          +------+
 *                                          v      |
 *   start ----> SETTLING ---------------> WRITING ----- nothing new ----> RETRYING
 *                 ^  |                     |    ^                          |  |  |
 *    timer, wake  |  | BUSY, IO   BUSY, IO |    +-------- rows tried ------+  |  |
 *                 |  v                     v                                  |  |
 *               WAITING <------------------+<------ nothing, BUSY, IO --------+  |
 *                 |                                                              |
 *                 |  stop; from any state: a failure that lasts, or is final     |
 *                 v                                                              |
 *               CLOSING <----------------------- nothing, once ------------------+
 */
enum { FAILURES_MAX = 5, RUN_ONCE_RETRY_MS = 200 };

#define TO(state) (1U << APPLIER_##state)
static const unsigned allowed[APPLIER_STATES] = {
    [APPLIER_SETTLING] = TO(WRITING) | TO(WAITING) | TO(CLOSING),
    [APPLIER_WRITING] = TO(WRITING) | TO(RETRYING) | TO(WAITING) | TO(CLOSING),
    [APPLIER_RETRYING] = TO(WRITING) | TO(WAITING) | TO(CLOSING),
    [APPLIER_WAITING] = TO(SETTLING) | TO(CLOSING),
    [APPLIER_CLOSING] = 0,
};

static void enter(struct applier *applier, enum applier_state next);

/* Runs on a worker, which owns counts, status and err until worked(). */
static void work(uv_work_t *request)
{
    struct applier *applier = request->data;
    struct target *target = applier->target;
    const struct target_ops *ops = target->ops;

    switch (applier->state) {
    case APPLIER_SETTLING:
        applier->status = ops->settle(target, &applier->err);
        break;
    case APPLIER_WRITING:
        applier->status = ops->apply_batch(target, &applier->counts, &applier->err);
        break;
    default:
        assert(applier->state == APPLIER_RETRYING);
        applier->status = ops->retry(target, &applier->counts, &applier->err);
        break;
    }
}

/* Whether a failure is worth another try. */
static bool may_pass(struct applier *applier)
{
    if (applier->status != STATUS_BUSY && applier->status != STATUS_IO)
        return false;
    /* Who waits for a run's end has waited as long as the database's own patience. */
    if (applier->once && applier->status == STATUS_BUSY)
        return false;
    return ++applier->failures <= FAILURES_MAX;
}

/* What follows from what the worker has found. */
static enum applier_state next_state(struct applier *applier)
{
    enum status status = applier->status;

    if (status != STATUS_OK && status != STATUS_NOT_FOUND) {
        if (applier->stopping || !may_pass(applier))
            return APPLIER_CLOSING;
        applier->status = STATUS_OK; /* not a reason to stop */
        return APPLIER_WAITING;
    }
    applier->status = STATUS_OK;
    if (applier->state !=
        APPLIER_SETTLING) /* only work that was done says it has passed */
        applier->failures = 0;
    if (applier->stopping)
        return APPLIER_CLOSING;
    if (applier->state == APPLIER_SETTLING || status == STATUS_OK)
        return APPLIER_WRITING;
    if (applier->state == APPLIER_WRITING)
        return APPLIER_RETRYING;
    if (applier->woken)
        return APPLIER_WRITING;
    return applier->once ? APPLIER_CLOSING : APPLIER_WAITING;
}

static void worked(uv_work_t *request, int canceled)
{
    struct applier *applier = request->data;

    assert(canceled == 0);
    enter(applier, next_state(applier));
}

static void timer_fired(uv_timer_t *timer)
{
    enter(timer->data, APPLIER_SETTLING);
}

static void timer_closed(uv_handle_t *handle)
{
    struct applier *applier = handle->data;

    applier->on_stop(applier, applier->status, &applier->err);
}

/* The only place that changes the state and that starts work. */
static void enter(struct applier *applier, enum applier_state next)
{
    int rc = 0;

    assert(allowed[applier->state] & (1U << next));
    applier->state = next;
    switch (next) {
    case APPLIER_SETTLING:
    case APPLIER_WRITING:
    case APPLIER_RETRYING:
        if (next != APPLIER_RETRYING)
            applier->woken = false;
        rc = uv_queue_work(applier->timer.loop, &applier->work, work, worked);
        break;
    case APPLIER_WAITING:
        rc = uv_timer_start(&applier->timer, timer_fired, applier->retry_ms, 0);
        break;
    case APPLIER_CLOSING:
        uv_close((uv_handle_t *)&applier->timer, timer_closed);
        break;
    case APPLIER_STATES:
        break;
    }
    assert(rc == 0); /* fails on wrong arguments only */
}

void applier_start(struct applier *applier, uv_loop_t *loop, struct target *target,
                   bool once, uint64_t retry_ms, applier_stop_cb on_stop)
{
    int rc = uv_timer_init(loop, &applier->timer);

    assert(rc == 0);
    assert(on_stop != NULL);
    applier->target = target;
    applier->once = once;
    applier->retry_ms = retry_ms;
    applier->on_stop = on_stop;
    applier->timer.data = applier;
    applier->work.data = applier;
    applier->state = APPLIER_WAITING; /* the only way in */
    enter(applier, APPLIER_SETTLING);
}

void applier_stop(struct applier *applier)
{
    applier->stopping = true;
    if (applier->state == APPLIER_WAITING)
        enter(applier, APPLIER_CLOSING);
}

void applier_wake(struct applier *applier)
{
    applier->woken = true;
    if (applier->state != APPLIER_WAITING)
        return;
    (void)uv_timer_stop(&applier->timer);
    enter(applier, APPLIER_SETTLING);
}

/* ---- one run on a loop of its own */

struct run_once {
    enum status status;
    struct error *err;
};

static void run_stopped(struct applier *applier, enum status status,
                        const struct error *err)
{
    struct run_once *once = applier->data;

    once->status = status;
    if (status != STATUS_OK)
        *once->err = *err;
}

enum status applier_run_once(struct target *target, struct apply_counts *counts,
                             struct error *err)
{
    struct run_once once = {STATUS_OK, err};
    struct applier applier = {.data = &once};
    uv_loop_t loop;
    int rc = uv_loop_init(&loop);

    if (rc != 0)
        return error_set(err, rc == UV_ENOMEM ? STATUS_NO_MEMORY : STATUS_IO, "apply: %s",
                         uv_strerror(rc));
    applier_start(&applier, &loop, target, true, RUN_ONCE_RETRY_MS, run_stopped);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    rc = uv_loop_close(&loop);
    assert(rc == 0);
    apply_counts_add(counts, &applier.counts);
    return once.status;
}
