/* The applier: a state machine on one libuv loop that applies the log to a target, batch
 * after batch, on a worker thread (STYLE section 7). The drawing stands in applier.c. */
#ifndef APPLY_APPLIER_H
#define APPLY_APPLIER_H

#include "apply/target.h"

#include <uv.h>

enum applier_state {
    APPLIER_SETTLING,
    APPLIER_WRITING,
    APPLIER_RETRYING,
    APPLIER_WAITING,
    APPLIER_CLOSING,
    APPLIER_STATES
};

struct applier;

/* Called exactly once, on the loop, never before applier_start returns. err is the
 * applier's; its text counts when status is not OK. */
typedef void (*applier_stop_cb)(struct applier *applier, enum status status,
                                const struct error *err);

struct applier {
    void *data;                 /* the caller's */
    struct apply_counts counts; /* of all batches; read it in on_stop */
    /* Private. */
    struct target *target;
    uv_work_t work;
    uv_timer_t timer;
    enum applier_state state;
    bool stopping; /* wishes, heard when the worker is back */
    bool woken;
    bool once;
    unsigned failures; /* in a row */
    uint64_t retry_ms;
    enum status status;
    struct error err;
    applier_stop_cb on_stop;
};

/* Start. once: stop (OK) when nothing is left to do, else wait for more until
 * applier_stop(). A target that is busy or fails (BUSY, IO) is tried again after
 * retry_ms, a few times; any other failure stops it. All zero; lives until on_stop. */
void applier_start(struct applier *applier, uv_loop_t *loop, struct target *target,
                   bool once, uint64_t retry_ms, applier_stop_cb on_stop);
void applier_stop(struct applier *applier); /* idempotent, in every state */
void applier_wake(struct applier *applier); /* there may be something new */

/* Run one to its end on a loop of its own: what sync and apply --once do. counts is added
 * to, also on a failure. */
MUST_CHECK enum status applier_run_once(struct target *target,
                                        struct apply_counts *counts, struct error *err);

#endif
