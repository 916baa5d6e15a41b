/* A library to preload: it counts a program's calls that write to files, and at a given
 * one ends the program or has the disk full. What a test sets in the environment:
 *
 *   FAULT_KILL=N     SIGKILL instead of the Nth call
 *   FAULT_TEAR=N     the same, but a write first writes half of its bytes
 *   FAULT_FULL=N     ENOSPC from the Nth call on that makes a file longer
 *   FAULT_PATH=TEXT  only files count whose path has TEXT in it
 *   FAULT_SENDS=1    what is sent to a server counts too; where FAULT_TEAR ends the
 *                    program, the server gets it all and nobody hears its answer
 *   FAULT_TRACE=FILE a line for each call: its number, its name, its path; and
 *                    "- open PATH" for each file opened only to read
 *
 * Else only regular files count, so that the numbers are the same in each run. Calls that
 * are not stdio go to the kernel directly: nothing here waits for another library to
 * load. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, NOTHING = -1 };

enum verdict { GO_ON, TEAR, NO_ROOM };

struct orders {
    atomic_bool known;
    uint64_t kill_at, tear_at, full_at; /* 0: never */
    const char *path;                   /* NULL: every file */
    bool sends;                         /* count what goes to sockets */
    int trace;                          /* -1: none */
};

static struct orders orders;
static atomic_uint_fast64_t calls;

static uint64_t number_in(const char *name)
{
    const char *text = getenv(name);

    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

static void learn_orders(void)
{
    const char *trace = getenv("FAULT_TRACE");

    if (atomic_load(&orders.known))
        return;
    orders.kill_at = number_in("FAULT_KILL");
    orders.tear_at = number_in("FAULT_TEAR");
    orders.full_at = number_in("FAULT_FULL");
    orders.path = getenv("FAULT_PATH");
    orders.sends = getenv("FAULT_SENDS") != NULL;
    orders.trace = trace == NULL
                       ? -1
                       : (int)syscall(SYS_openat, AT_FDCWD, trace,
                                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    atomic_store(&orders.known, true);
}

static void trace(uint64_t number, const char *call, const char *path)
{
    char line[PATH_SIZE + 64];
    int size;

    if (orders.trace < 0)
        return;
    size = number == 0 ? snprintf(line, sizeof line, "- %s %s\n", call, path)
                       : snprintf(line, sizeof line, "%llu %s %s\n",
                                  (unsigned long long)number, call, path);
    if (size > 0 && size < (int)sizeof line)
        (void)syscall(SYS_write, orders.trace, line, (size_t)size);
}

static void end_here(void)
{
    (void)syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        (void)syscall(SYS_pause);
}

/* One call on path. grows: it makes a file longer; writes: it can be torn. */
static enum verdict count(const char *call, const char *path, bool grows, bool writes)
{
    uint64_t number;

    if (orders.path != NULL && strstr(path, orders.path) == NULL)
        return GO_ON;
    if (orders.full_at != 0 && !grows)
        return GO_ON;
    number = atomic_fetch_add(&calls, 1) + 1;
    trace(number, call, path);
    if (number == orders.kill_at || (number == orders.tear_at && !writes))
        end_here();
    if (number == orders.tear_at)
        return TEAR;
    return orders.full_at != 0 && number >= orders.full_at ? NO_ROOM : GO_ON;
}

static void path_of(int fd, char out[PATH_SIZE])
{
    char link[64];
    ssize_t size;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, out, PATH_SIZE - 1);
    out[size < 0 ? 0 : size] = '\0';
}

/* end: where the call's last byte goes; NOTHING: it writes none. */
static enum verdict count_fd(const char *call, int fd, off_t end)
{
    char path[PATH_SIZE] = "";
    struct stat found;

    learn_orders();
    if (fd < 0 || fd == orders.trace || fstat(fd, &found) != 0 ||
        (!S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode)))
        return GO_ON;
    if (orders.path != NULL || orders.trace >= 0)
        path_of(fd, path);
    return count(call, path, end > found.st_size, end > 0);
}

static enum verdict count_path(const char *call, const char *path)
{
    learn_orders();
    return count(call, path, false, false);
}

static int no_room(void)
{
    errno = ENOSPC;
    return -1;
}

/* ---- opening */

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    learn_orders();
    if ((flags & (O_CREAT | O_TRUNC)) != 0)
        (void)count_path("open", path);
    else
        trace(0, "open", path);
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE_ARGUMENT(flags, mode)                    \
    do {                                              \
        va_list arguments;                            \
                                                      \
        va_start(arguments, flags);                   \
        if (((flags) & (O_CREAT | __O_TMPFILE)) != 0) \
            (mode) = va_arg(arguments, mode_t);       \
        va_end(arguments);                            \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_ARGUMENT(flags, mode);
    return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_ARGUMENT(flags, mode);
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_ARGUMENT(flags, mode);
    return open_at(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_ARGUMENT(flags, mode);
    return open_at(folder, path, flags, mode);
}

/* What a libc with _FORTIFY_SOURCE makes of an open whose flags it cannot see. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);

int __open_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return open_at(AT_FDCWD, path, flags, 0);
}

/* ---- writing */

static ssize_t write_at(const char *call, int fd, const void *data, size_t size,
                        off_t offset)
{
    off_t start = offset == NOTHING ? lseek(fd, 0, SEEK_CUR) : offset;
    enum verdict verdict =
        size == 0 ? GO_ON : count_fd(call, fd, (start < 0 ? 0 : start) + (off_t)size);

    if (verdict == NO_ROOM)
        return no_room();
    if (verdict == TEAR)
        size = (size + 1) / 2;
    size = (size_t)(offset == NOTHING ? syscall(SYS_write, fd, data, size)
                                      : syscall(SYS_pwrite64, fd, data, size, offset));
    if (verdict == TEAR)
        end_here();
    return (ssize_t)size;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return write_at("write", fd, data, size, NOTHING);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_at("pwrite", fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return write_at("pwrite", fd, data, size, offset);
}

static ssize_t write_many(const char *call, int fd, const struct iovec *pieces,
                          int piece_count, off_t offset)
{
    size_t size = 0;
    off_t start;
    enum verdict verdict;
    ssize_t written;

    for (int i = 0; i < piece_count; i++)
        size += pieces[i].iov_len;
    start = offset == NOTHING ? lseek(fd, 0, SEEK_CUR) : offset;
    verdict = count_fd(call, fd, (start < 0 ? 0 : start) + (off_t)size);
    if (verdict == NO_ROOM)
        return no_room();
    if (verdict == TEAR)
        piece_count = (piece_count + 1) / 2;
    written = offset == NOTHING
                  ? syscall(SYS_writev, fd, pieces, piece_count)
                  : syscall(SYS_pwritev, fd, pieces, piece_count, offset, 0);
    if (verdict == TEAR)
        end_here();
    return written;
}

ssize_t writev(int fd, const struct iovec *pieces, int piece_count)
{
    return write_many("writev", fd, pieces, piece_count, NOTHING);
}

ssize_t pwritev(int fd, const struct iovec *pieces, int piece_count, off_t offset)
{
    return write_many("pwritev", fd, pieces, piece_count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *pieces, int piece_count, off64_t offset)
{
    return write_many("pwritev", fd, pieces, piece_count, offset);
}

static int cut(int fd, off_t size)
{
    (void)count_fd("ftruncate", fd, NOTHING);
    return (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size)
{
    return cut(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return cut(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    if (count_fd("fallocate", fd, offset + size) == NO_ROOM)
        return no_room();
    return (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    return fallocate(fd, 0, offset, size) == 0 ? 0 : errno;
}

/* ---- making it durable */

int fsync(int fd)
{
    (void)count_fd("fsync", fd, NOTHING);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    (void)count_fd("fdatasync", fd, NOTHING);
    return (int)syscall(SYS_fdatasync, fd);
}

int msync(void *start, size_t size, int flags)
{
    (void)count_path("msync", "");
    return (int)syscall(SYS_msync, start, size, flags);
}

/* ---- to a server */

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    enum verdict verdict;
    ssize_t sent;

    learn_orders();
    verdict = orders.sends ? count("send", "", false, true) : GO_ON;
    sent = syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
    if (verdict == TEAR)
        end_here();
    return sent;
}

/* ---- names */

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    (void)count_path("rename", to);
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int folder, const char *path, int flags)
{
    (void)count_path("unlink", path);
    return (int)syscall(SYS_unlinkat, folder, path, flags);
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int mkdir(const char *path, mode_t mode)
{
    (void)count_path("mkdir", path);
    return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
}

/* ---- stdio, whose writes are calls inside libc that nobody can stand before */

static void *real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        abort();
    return found;
}

/* An fd of at most 2 is for people. What the buffer holds counts as one write, which ends
 * the program before it where another would be torn. */
static bool stream_is_full(const char *call, FILE *stream, size_t size)
{
    int fd = stream == NULL ? -1 : fileno(stream);
    size_t pending = stream == NULL ? 0 : __fpending(stream) + size;
    enum verdict verdict;
    off_t start;

    if (fd <= STDERR_FILENO || pending == 0)
        return false;
    start = lseek(fd, 0, SEEK_CUR);
    verdict = count_fd(call, fd, (start < 0 ? 0 : start) + (off_t)pending);
    if (verdict == TEAR)
        end_here();
    return verdict == NO_ROOM;
}

int fflush(FILE *stream)
{
    int (*next)(FILE *) = (int (*)(FILE *))(intptr_t)real("fflush");

    if (stream_is_full("fflush", stream, 0)) {
        __fpurge(stream);
        return no_room();
    }
    return next(stream);
}

int fclose(FILE *stream)
{
    int (*next)(FILE *) = (int (*)(FILE *))(intptr_t)real("fclose");
    bool full = stream_is_full("fclose", stream, 0);

    if (full)
        __fpurge(stream);
    return next(stream) == 0 && !full ? 0 : full ? no_room() : -1;
}

size_t fwrite(const void *data, size_t size, size_t item_count, FILE *stream)
{
    size_t (*next)(const void *, size_t, size_t, FILE *) =
        (size_t(*)(const void *, size_t, size_t, FILE *))(intptr_t)real("fwrite");
    size_t room = __fbufsize(stream) - __fpending(stream);

    if (size * item_count > room && stream_is_full("fwrite", stream, size * item_count)) {
        __fpurge(stream);
        (void)no_room();
        return 0;
    }
    return next(data, size, item_count, stream);
}
