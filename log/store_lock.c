/* Locks between processes: flock on files in the store, so that death releases them. */
#include "log/store_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PATH_SIZE_MAX = 4096 };

static const char *const lock_names[STORE_LOCKS] = {
    [LOCK_CAPTURE] = "capture",
    [LOCK_IMPORT] = "import",
    [LOCK_APPLY] = "apply",
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

enum status store_lock(struct store *store, enum store_lock lock, struct error *err)
{
    char path[PATH_SIZE_MAX];
    enum status status;
    int fd, size;

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
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        status = errno == EWOULDBLOCK ? in_use(fd, lock, store->folder, err)
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
