/* Waiting for a socket that a library owns, or until time, or until woken: on a libuv
 * loop of its own, on the caller's thread. */
#ifndef CAPTURE_SOCKET_WAIT_H
#define CAPTURE_SOCKET_WAIT_H

#include "log/error.h"

#include <stdint.h>

struct socket_wait;

/* On success *out is the caller's, for socket_wait_close(), which comes before the socket
 * is closed. NO_MEMORY, IO. */
MUST_CHECK enum status socket_wait_open(struct socket_wait **out, int socket,
                                        struct error *err);
void socket_wait_close(struct socket_wait *wait);

enum socket_wait_end { SOCKET_WAIT_READY, SOCKET_WAIT_TIME, SOCKET_WAIT_WOKEN };

/* Wait until the socket can be read, or written when that is wanted too, or has failed;
 * or until until_ms of socket_wait_now_ms(); or until socket_wait_wake(). A wake wins,
 * and is forgotten. IO, NO_MEMORY: libuv. */
MUST_CHECK enum status socket_wait_run(struct socket_wait *wait, bool writable,
                                       uint64_t until_ms, enum socket_wait_end *end,
                                       struct error *err);

/* End the wait that is, or the next one. From any thread, and from a signal's handler. */
void socket_wait_wake(struct socket_wait *wait);

/* Milliseconds, of a clock that only goes forward. */
uint64_t socket_wait_now_ms(void);

#endif
