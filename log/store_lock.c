/* Locks between processes: flock on files in the store, so that death releases them. */
#include "log/store_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* Who holds a lock gives it back for longer than LOOK_MS (node/stay.h). */
enum { PATH_SIZE_MAX = 4096, LOOK_MS = 10 };

static const char *const lock_names[STORE_LOCKS] = {
    [LOCK_CAPTURE] = "capture",
    [LOCK_IMPORT] = "import",
    [LOCK_APPLY] = "apply",
    [LOCK_STAY] = "rounds",
};

/* The pid inside is for the message only. */
static void write_pid(int fd)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%ld\n", (long)getpid());

    if (ftruncate(fd, 0) == 0 && size > 0)
        (void)!write(fd, text, (size_t)size);
}

static enum status in_use(int fd, enum store_lock lock, const char *folder,
                          struct error *err)
{
    char text[32] = "";
    ssize_t size = pread(fd, text, sizeof text - 1, 0);

    text[size > 0 ? strcspn(text, "\n") : 0] = '\0';
    return error_set(err, STATUS_REFUSED,
                     "%s: the store is in use: %s%s runs its %s; wait for it or stop it",
                     folder, text[0] == '\0' ? "another process" : "process ", text,
                     lock_names[lock]);
}

static uint64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* flock() with an end, which it has none of itself. 0, or an errno: EWOULDBLOCK when
 * another process kept it. */
static int lock_file(const struct store *store, int fd, enum store_lock lock)
{
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
    char step[80];
    struct progress_step progress;
    uint64_t start = now_us();
    int code = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;

    (void)snprintf(step, sizeof step, "wait for another process to end its %s",
                   lock_names[lock]);
    while (code == EWOULDBLOCK && now_us() - start < store->lock_wait_us) {
        progress_begin(&progress, store->progress,
                       &(struct progress_state){.step = step});
        (void)nanosleep(&look, NULL);
        code = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    }
    return code;
}

void store_set_lock_wait(struct store *store, uint64_t wait_us)
{
    store->lock_wait_us = wait_us;
}

enum status store_lock(struct store *store, enum store_lock lock, struct error *err)
{
    char path[PATH_SIZE_MAX];
    enum status status;
    int fd, size, code;

    assert(lock < STORE_LOCKS);
    if (store->lock_count[lock] > 0) {
        store->lock_count[lock]++;
        return STATUS_OK;
    }
    size = snprintf(path, sizeof path, "%s/%s.lock", store->folder, lock_names[lock]);
    if (size < 0 || (size_t)size >= sizeof path)
        return error_set(err, STATUS_UNAVAILABLE, "%s: path too long", store->folder);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(
            err, error_is_no_room(errno) ? STATUS_FULL : STATUS_UNAVAILABLE, path);
    code = lock_file(store, fd, lock);
    if (code != 0) {
        errno = code;
        status = code == EWOULDBLOCK ? in_use(fd, lock, store->folder, err)
                                     : error_set_errno(err, STATUS_IO, path);
        close(fd);
        return status;
    }
    write_pid(fd);
    store->lock_fd[lock] = fd;
    store->lock_count[lock] = 1;
    return STATUS_OK;
}

void store_unlock(struct store *store, enum store_lock lock)
{
    assert(lock < STORE_LOCKS);
    assert(store->lock_count[lock] > 0);
    if (--store->lock_count[lock] > 0)
        return;
    close(store->lock_fd[lock]);
    store->lock_fd[lock] = -1;
}
