#include "capture/socket_wait.h"
#include "tests/support/failing_memory.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FOR_EVER_MS = 600000 };

static int ends[2];
static struct socket_wait *wait;
static struct error err;

static void set_up(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    cr_assert_eq(socket_wait_open(&wait, ends[0], &err), STATUS_OK, "%s", err.text);
}

static void tear_down(void)
{
    socket_wait_close(wait);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

TestSuite(socket_wait, .init = set_up, .fini = tear_down);

static void expect_end(bool writable, uint64_t wait_ms, enum socket_wait_end wanted)
{
    enum socket_wait_end end = SOCKET_WAIT_READY;

    cr_assert_eq(
        socket_wait_run(wait, writable, socket_wait_now_ms() + wait_ms, &end, &err),
        STATUS_OK, "%s", err.text);
    cr_expect_eq(end, wanted);
}

Test(socket_wait, ends_when_there_is_something_to_read)
{
    expect_end(false, 0, SOCKET_WAIT_TIME);
    cr_assert_eq(write(ends[1], "x", 1), 1);
    expect_end(false, FOR_EVER_MS, SOCKET_WAIT_READY);
    expect_end(false, FOR_EVER_MS, SOCKET_WAIT_READY);
}

Test(socket_wait, ends_when_the_other_side_has_gone)
{
    (void)shutdown(ends[1], SHUT_RDWR);
    expect_end(false, FOR_EVER_MS, SOCKET_WAIT_READY);
}

Test(socket_wait, looks_for_room_to_write_only_when_asked)
{
    expect_end(true, FOR_EVER_MS, SOCKET_WAIT_READY);
    expect_end(false, 1, SOCKET_WAIT_TIME);
}

Test(socket_wait, is_woken_once_by_a_wake_before_it)
{
    socket_wait_wake(wait);
    socket_wait_wake(wait);
    expect_end(false, FOR_EVER_MS, SOCKET_WAIT_WOKEN);
    expect_end(false, 1, SOCKET_WAIT_TIME);
}

static void *wake(void *data)
{
    (void)data;
    socket_wait_wake(wait);
    return NULL;
}

Test(socket_wait, is_woken_by_another_thread)
{
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, wake, NULL), 0);
    expect_end(false, FOR_EVER_MS, SOCKET_WAIT_WOKEN);
    (void)pthread_join(thread, NULL);
}

Test(socket_wait, no_memory_opens_nothing)
{
    struct socket_wait *other = wait;

    failing_memory_start(0);
    cr_expect_eq(socket_wait_open(&other, ends[0], &err), STATUS_NO_MEMORY);
    failing_memory_stop();
    cr_expect_null(other);
}
