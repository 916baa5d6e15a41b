/* A library to preload: each look at the monotonic clock finds it a second later than the
 * one before, so that what takes a moment seems long, and nothing waits. */
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *out);

int clock_gettime(clockid_t id, struct timespec *out)
{
    static atomic_long looks;

    if (id != CLOCK_MONOTONIC)
        return (int)syscall(SYS_clock_gettime, id, out);
    *out = (struct timespec){.tv_sec = 1000 + atomic_fetch_add(&looks, 1)};
    return 0;
}
