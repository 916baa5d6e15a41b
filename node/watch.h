/* Waiting until something may have changed in a few directories, or until time, or until
 * the end is asked for by SIGINT or SIGTERM. On a libuv loop of its own, whose thread is
 * the caller's.
 *
 * One at a time in a process: it takes both signals until it is closed; a SIGINT that was
 * ignored (a job in the background) stays so. Where a file system tells nobody of changes
 * (a network's), time has to do. */
#ifndef NODE_WATCH_H
#define NODE_WATCH_H

#include "log/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watch;

/* On success *out is the caller's, for watch_close(). NO_MEMORY, IO. */
MUST_CHECK enum status watch_open(struct watch **out, struct error *err);
void watch_close(struct watch *watch);

enum { WATCH_NAMES_MAX = 3 };

/* What counts of what happens in a directory. Texts are copied. */
struct watch_place {
    const char *directory;              /* it may be missing, come and go */
    const char *names[WATCH_NAMES_MAX]; /* only to files of these names; NULL: to all */
    const char *except;                 /* not when the name has this in it; or NULL */
};

/* Watch a place, or another one under a number that there is already; *number counts from
 * 0. What is there from now on counts after watch_arm(). */
MUST_CHECK enum status watch_put(struct watch *watch, size_t number,
                                 const struct watch_place *place, struct error *err);

/* From now on every change counts. Call it before looking for oneself: nothing is missed.
 */
void watch_arm(struct watch *watch);

/* Wait until something has changed in a place, but gap_ms or longer, and wait_ms at most;
 * or until the end is asked for. A place that has changed is not watched again before
 * watch_arm(): a busy one costs nothing meanwhile. */
void watch_wait(struct watch *watch, uint64_t gap_ms, uint64_t wait_ms);

/* Whether the place changed before the last watch_wait() returned. */
bool watch_has_changed(const struct watch *watch, size_t number);

/* Whether the end was asked for, up to now. */
bool watch_is_over(struct watch *watch);

/* Milliseconds, of a clock that only goes forward. */
uint64_t watch_now_ms(void);

#endif
