/* Waiting until a store has something new, for a command that goes on until it is told
 * to stop: by SIGINT or SIGTERM, or by a reader of its output that has gone.
 *
 * One at a time in a process: it takes both signals, and SIGPIPE, until it is closed; a
 * SIGINT that was ignored (a job in the background) stays so. Nothing is polled but
 * once a second: where a file system tells nobody of changes (a network's), and to
 * see that the reader has gone. */
#ifndef CLI_STORE_WATCH_H
#define CLI_STORE_WATCH_H

#include "log/error.h"

#include <stdbool.h>

struct store_watch;

/* Changes from now on count. On success *out is the caller's, for store_watch_close(). */
MUST_CHECK enum status store_watch_open(struct store_watch **out, const char *folder,
                                        struct error *err);
void store_watch_close(struct store_watch *watch);

/* Wait until the store may have changed, at most a second; return at once when the end
 * was asked for. Looks follow each other by 50 ms or more however busy the store is.
 * UNAVAILABLE: the store was removed. */
MUST_CHECK enum status store_watch_wait(struct store_watch *watch, struct error *err);

/* Whether the end was asked for. A write that this broke off failed with its status. */
bool store_watch_is_over(const struct store_watch *watch);

/* Write out what standard output holds back; after the end was asked for what can not be
 * written is forgotten. status: what was done before; returned when it is a failure of
 * its own. */
MUST_CHECK enum status store_watch_finish(const struct store_watch *watch,
                                          enum status status, struct error *err);

#endif
