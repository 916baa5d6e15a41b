/* The applier's states, driven by a scripted target. */
#include "apply/applier.h"

#include <criterion/criterion.h>
#include <string.h>

enum call { SETTLE = 's', BATCH = 'b', RETRY = 'r' };

/* Each call must be the script's next, and gets its answer. After the end everything is
 * done for good. */
struct step {
    enum call call;
    enum status answer;
};

struct scripted_target {
    struct target base;
    const struct step *steps;
    size_t count;
    size_t at;
    char called[64]; /* every call, in order */
};

static enum status play(struct target *target, enum call call, struct error *err)
{
    struct scripted_target *scripted = (struct scripted_target *)target;
    size_t at = strlen(scripted->called);
    struct step step = {call, STATUS_NOT_FOUND};

    cr_assert_lt(at, sizeof scripted->called - 1);
    scripted->called[at] = (char)call;
    if (scripted->at < scripted->count)
        step = scripted->steps[scripted->at++];
    else if (call == SETTLE)
        step.answer = STATUS_OK;
    cr_assert_eq(step.call, call, "call %zu is %c", at, call);
    if (step.answer != STATUS_OK && step.answer != STATUS_NOT_FOUND)
        return error_set(err, step.answer, "scripted");
    return step.answer;
}

static enum status settle(struct target *target, struct error *err)
{
    return play(target, SETTLE, err);
}

static enum status apply_batch(struct target *target, struct apply_counts *counts,
                               struct error *err)
{
    enum status status = play(target, BATCH, err);

    counts->entries += status == STATUS_OK;
    return status;
}

static enum status retry(struct target *target, struct apply_counts *counts,
                         struct error *err)
{
    enum status status = play(target, RETRY, err);

    counts->retried += status == STATUS_OK;
    return status;
}

static const struct target_ops scripted_ops = {settle, apply_batch, retry, NULL};

static uv_loop_t loop;
static struct applier applier;
static struct scripted_target scripted;
static unsigned stops;
static enum status stopped_with;
static char stopped_because[64];

static void on_stop(struct applier *stopped, enum status status, const struct error *err)
{
    cr_assert_eq(stopped, &applier);
    stops++;
    stopped_with = status;
    if (status != STATUS_OK)
        (void)snprintf(stopped_because, sizeof stopped_because, "%.60s", err->text);
}

static void start(const struct step *steps, size_t count, bool once)
{
    scripted = (struct scripted_target){{&scripted_ops}, steps, count, 0, ""};
    uv_loop_init(&loop);
    applier_start(&applier, &loop, &scripted.base, once, 1, on_stop);
    cr_assert_eq(stops, 0, "told to stop before start returned");
}

static void finish(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_expect_eq(uv_loop_close(&loop), 0, "a handle was left open");
    cr_expect_eq(stops, 1);
}

#define START(once, ...)                              \
    static const struct step steps[] = {__VA_ARGS__}; \
    start(steps, sizeof steps / sizeof *steps, once)

Test(applier, settles_applies_all_and_retries_before_it_stops)
{
    START(true, {SETTLE, STATUS_OK}, {BATCH, STATUS_OK}, {BATCH, STATUS_OK},
          {BATCH, STATUS_NOT_FOUND}, {RETRY, STATUS_NOT_FOUND});
    finish();
    cr_expect_eq(stopped_with, STATUS_OK);
    cr_expect_str_eq(scripted.called, "sbbbr");
    cr_expect_eq(applier.counts.entries, 2);
}

Test(applier, looks_for_batches_again_after_a_retry_that_did_something)
{
    START(true, {SETTLE, STATUS_OK}, {BATCH, STATUS_NOT_FOUND}, {RETRY, STATUS_OK},
          {BATCH, STATUS_NOT_FOUND}, {RETRY, STATUS_NOT_FOUND});
    finish();
    cr_expect_eq(stopped_with, STATUS_OK);
    cr_expect_str_eq(scripted.called, "sbrbr");
    cr_expect_eq(applier.counts.retried, 1);
}

Test(applier, settles_again_after_a_failure_that_may_pass)
{
    START(true, {SETTLE, STATUS_IO}, {SETTLE, STATUS_OK}, {BATCH, STATUS_IO},
          {SETTLE, STATUS_OK}, {BATCH, STATUS_OK}, {BATCH, STATUS_NOT_FOUND},
          {RETRY, STATUS_NOT_FOUND});
    finish();
    cr_expect_eq(stopped_with, STATUS_OK, "%s", stopped_because);
    cr_expect_str_eq(scripted.called, "ssbsbbr");
}

Test(applier, stops_at_a_failure_that_lasts)
{
    START(true, {SETTLE, STATUS_IO}, {SETTLE, STATUS_IO}, {SETTLE, STATUS_IO},
          {SETTLE, STATUS_IO}, {SETTLE, STATUS_IO}, {SETTLE, STATUS_IO});
    finish();
    cr_expect_eq(stopped_with, STATUS_IO);
    cr_expect_str_eq(scripted.called, "ssssss");
    cr_expect_str_eq(stopped_because, "scripted");
}

Test(applier, stops_at_once_at_a_final_failure)
{
    static const enum status final[] = {STATUS_CORRUPT,    STATUS_FULL,
                                        STATUS_REFUSED,    STATUS_NO_MEMORY,
                                        STATUS_CONSTRAINT, STATUS_UNAVAILABLE};

    for (size_t i = 0; i < sizeof final / sizeof *final; i++) {
        const struct step steps[] = {
            {SETTLE, STATUS_OK},
            {BATCH,  final[i] }
        };

        stops = 0;
        applier = (struct applier){0};
        start(steps, 2, false);
        finish();
        cr_expect_eq(stopped_with, final[i]);
        cr_expect_str_eq(scripted.called, "sb", "after %s", status_text(final[i]));
    }
}

Test(applier, waits_for_a_busy_database_when_it_runs_on_but_not_in_a_run_that_ends)
{
    const struct step steps[] = {
        {SETTLE, STATUS_BUSY}
    };

    start(steps, 1, true);
    finish();
    cr_expect_eq(stopped_with, STATUS_BUSY);
    cr_expect_str_eq(scripted.called, "s");
    stops = 0;
    applier = (struct applier){0};
    start(steps, 1, false);
    while (strlen(scripted.called) < 4)
        uv_run(&loop, UV_RUN_ONCE);
    applier_stop(&applier);
    finish();
    cr_expect_eq(stopped_with, STATUS_OK);
    cr_expect_eq(strncmp(scripted.called, "ssbr", 4), 0, "%s", scripted.called);
}

static void wake(uv_timer_t *timer)
{
    applier_wake(&applier);
    uv_close((uv_handle_t *)timer, NULL);
}

Test(applier, wakes_before_its_time)
{
    uv_timer_t timer;

    START(false, {SETTLE, STATUS_OK}, {BATCH, STATUS_NOT_FOUND},
          {RETRY, STATUS_NOT_FOUND});
    applier.retry_ms = UINT64_MAX / 2;
    while (applier.state != APPLIER_WAITING)
        uv_run(&loop, UV_RUN_ONCE);
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, wake, 0, 0);
    while (strlen(scripted.called) < 6)
        uv_run(&loop, UV_RUN_ONCE);
    applier_stop(&applier);
    finish();
    cr_expect_eq(strncmp(scripted.called, "sbrsbr", 6), 0, "%s", scripted.called);
}

Test(applier, does_not_miss_a_wake_that_comes_while_it_works)
{
    START(true, {SETTLE, STATUS_OK}, {BATCH, STATUS_NOT_FOUND}, {RETRY, STATUS_NOT_FOUND},
          {BATCH, STATUS_OK}, {BATCH, STATUS_NOT_FOUND}, {RETRY, STATUS_NOT_FOUND});
    while (applier.state != APPLIER_RETRYING)
        uv_run(&loop, UV_RUN_ONCE);
    applier_wake(&applier);
    finish();
    cr_expect_str_eq(scripted.called, "sbrbbr");
}

Test(applier, stops_in_every_state_once_however_often_it_is_asked)
{
    static const enum applier_state states[] = {APPLIER_SETTLING, APPLIER_WRITING,
                                                APPLIER_RETRYING, APPLIER_WAITING,
                                                APPLIER_CLOSING};

    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        stops = 0;
        applier = (struct applier){0};
        start(NULL, 0, false);
        while (applier.state != states[i]) {
            if (states[i] == APPLIER_CLOSING)
                applier_stop(&applier);
            uv_run(&loop, UV_RUN_ONCE);
            if (stops > 0)
                break;
        }
        applier_stop(&applier);
        applier_stop(&applier);
        finish();
        cr_expect_eq(stopped_with, STATUS_OK);
    }
}

Test(applier, runs_once_on_a_loop_of_its_own)
{
    static const struct step steps[] = {
        {SETTLE, STATUS_OK     },
        {BATCH,  STATUS_OK     },
        {BATCH,  STATUS_CORRUPT}
    };
    struct apply_counts counts = {.entries = 40};
    struct error err;

    scripted = (struct scripted_target){{&scripted_ops}, steps, 3, 0, ""};
    cr_expect_eq(applier_run_once(&scripted.base, &counts, &err), STATUS_CORRUPT);
    cr_expect_str_eq(err.text, "scripted");
    cr_expect_eq(counts.entries, 41, "what was done counts, also before a failure");
}
