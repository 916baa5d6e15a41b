#include "log/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t system_now_us(void *data)
{
    struct timespec now;
    int rc = clock_gettime(CLOCK_REALTIME, &now);

    (void)data;
    assert(rc == 0); /* fails on wrong arguments only */
    if (now.tv_sec < 0)
        return 0; /* a machine that believes in 1969 */
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

const struct wall_clock wall_clock_system = {system_now_us, NULL};

uint64_t hybrid_clock_next(struct hybrid_clock *clock, uint64_t commit_us,
                           uint64_t now_us, uint64_t max_skew_us)
{
    /* last only ever rises to stamps that were given here or passed the skew check. */
    assert(clock->last_us < UINT64_MAX);
    if (clock_is_skewed(commit_us, now_us, max_skew_us))
        commit_us = now_us + max_skew_us; /* less than commit_us: no overflow */
    clock->last_us = commit_us > clock->last_us ? commit_us : clock->last_us + 1;
    return clock->last_us;
}

void hybrid_clock_observe(struct hybrid_clock *clock, uint64_t stamp_us)
{
    if (stamp_us > clock->last_us)
        clock->last_us = stamp_us;
}

bool clock_is_skewed(uint64_t stamp_us, uint64_t now_us, uint64_t max_skew_us)
{
    return stamp_us > now_us && stamp_us - now_us > max_skew_us;
}
