#include "ship/folder_files.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char segment_suffix[] = ".rfseg";
static const char state_suffix[] = ".rfstate";
static const char temporary_suffix[] = ".tmp";

enum {
    NODE_DIGITS = 16,
    NUMBER_DIGITS_MIN = 8,
    NUMBER_DIGITS_MAX = 18,
    CREATE_MODE = 0666
};

/* ---- names */

void folder_segment_name(uint64_t node, uint64_t number, char out[FOLDER_NAME_SIZE])
{
    int size = snprintf(out, FOLDER_NAME_SIZE, "%016" PRIx64 "-%08" PRIu64 "%s", node,
                        number, segment_suffix);

    assert(size > 0);
    assert(size < FOLDER_NAME_SIZE - (int)sizeof temporary_suffix - 1);
}

void folder_state_name(uint64_t node, char out[FOLDER_NAME_SIZE])
{
    int size = snprintf(out, FOLDER_NAME_SIZE, "%016" PRIx64 "%s", node, state_suffix);

    assert(size > 0);
    assert(size < FOLDER_NAME_SIZE - (int)sizeof temporary_suffix - 1);
}

/* Exactly 16 small hex digits; NULL when they are not there. */
static const char *read_node(const char *text, uint64_t *node)
{
    static const char digits[] = "0123456789abcdef";

    *node = 0;
    for (int i = 0; i < NODE_DIGITS; i++, text++) {
        const char *digit = *text == '\0' ? NULL : strchr(digits, *text);

        if (digit == NULL)
            return NULL;
        *node = *node << 4 | (uint64_t)(digit - digits);
    }
    return *node == 0 ? NULL : text;
}

static const char *read_number(const char *text, uint64_t *number)
{
    int count = 0;

    *number = 0;
    for (; *text >= '0' && *text <= '9'; text++, count++) {
        if (count == NUMBER_DIGITS_MAX)
            return NULL;
        *number = *number * 10 + (uint64_t)(*text - '0');
    }
    return count < NUMBER_DIGITS_MIN || *number == 0 ? NULL : text;
}

bool folder_name_read(const char *text, struct folder_name *out)
{
    char again[FOLDER_NAME_SIZE];
    bool temporary = *text == '.';
    const char *rest = read_node(text + temporary, &out->node);
    const char *suffix;

    out->number = 0;
    if (rest == NULL)
        return false;
    if (*rest == '-') {
        suffix = segment_suffix;
        rest = read_number(rest + 1, &out->number);
        if (rest == NULL)
            return false;
        /* One number has one name: no leading zeroes beyond the eighth digit. */
        folder_segment_name(out->node, out->number, again);
        if (strncmp(again, text + temporary, (size_t)(rest - text) - temporary) != 0)
            return false;
    } else {
        suffix = state_suffix;
    }
    if (strncmp(rest, suffix, strlen(suffix)) != 0)
        return false;
    rest += strlen(suffix);
    out->kind = temporary         ? FOLDER_TEMPORARY
                : out->number > 0 ? FOLDER_SEGMENT
                                  : FOLDER_STATE;
    return strcmp(rest, temporary ? temporary_suffix : "") == 0;
}

/* ---- reading */

enum status folder_failed(struct error *err, int code, const char *what, const char *path,
                          const char *name)
{
    enum status status = STATUS_IO;
    const char *advice = "";

    if (error_is_no_room(code)) {
        status = STATUS_FULL;
        advice = ": make room there and sync again";
    } else if (code == EROFS || code == EACCES || code == EPERM || code == ENOENT ||
               code == ENOTDIR) {
        status = STATUS_UNAVAILABLE;
        advice = code == EROFS ? ": it is mounted read-only" : "";
    } else if (code == ENOMEM) {
        status = STATUS_NO_MEMORY;
    }
    return error_set(err, status, "cannot %s %s%s%s: %s%s", what, path,
                     *name == '\0' ? "" : "/", name, strerror(code), advice);
}

enum status folder_list(int directory, const char *path, folder_file_cb visit, void *data,
                        struct error *err)
{
    enum status status = STATUS_OK;
    struct dirent *entry;
    DIR *listing;
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return folder_failed(err, errno, "read the folder", path, "");
    listing = fdopendir(fd);
    if (listing == NULL) {
        int code = errno;

        (void)close(fd);
        return folder_failed(err, code, "read the folder", path, "");
    }
    while (errno = 0, status == STATUS_OK && (entry = readdir(listing)) != NULL) {
        struct folder_name name;
        struct stat found = {0};

        if (!folder_name_read(entry->d_name, &name))
            continue;
        if (fstatat(directory, entry->d_name, &found, 0) != 0 && errno == ENOENT)
            continue; /* it was renamed or removed since it was listed */
        status = visit(data, entry->d_name, &name,
                       found.st_size > 0 ? (uint64_t)found.st_size : 0, err);
    }
    if (status == STATUS_OK && errno != 0)
        status = folder_failed(err, errno, "read the folder", path, "");
    (void)closedir(listing);
    return status;
}

enum status folder_open_file(int directory, const char *path, const char *name,
                             FILE **out, struct error *err)
{
    int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);

    *out = NULL;
    if (fd < 0 && errno == ENOENT)
        return STATUS_NOT_FOUND;
    if (fd < 0)
        return folder_failed(err, errno, "open", path, name);
    *out = fdopen(fd, "rb");
    if (*out == NULL) {
        int code = errno;

        (void)close(fd);
        return folder_failed(err, code, "open", path, name);
    }
    return STATUS_OK;
}

enum status folder_read_file(int directory, const char *path, const char *name,
                             size_t size_max, struct buffer *out, struct error *err)
{
    enum { STEP = 64 * 1024 };
    FILE *file;
    enum status status = folder_open_file(directory, path, name, &file, err);

    buffer_clear(out);
    while (status == STATUS_OK) {
        uint8_t *room = buffer_reserve(out, STEP);
        size_t got;

        status = buffer_check(out, err);
        if (status != STATUS_OK)
            break;
        errno = 0;
        got = fread(room, 1, STEP, file);
        out->size += got;
        if (got < STEP && ferror(file))
            status = folder_failed(err, errno == 0 ? EIO : errno, "read", path, name);
        else if (out->size > size_max) {
            status = error_set(err, STATUS_REFUSED,
                               "%s/%s is too large (over %zu bytes): remove it, its "
                               "node's next visit writes it again",
                               path, name, size_max);
        }
        if (got < STEP)
            break;
    }
    if (file != NULL)
        (void)fclose(file);
    return status;
}

/* ---- writing */

void folder_draft_drop(struct folder_draft *draft)
{
    if (draft->file == NULL)
        return;
    (void)fclose(draft->file);
    draft->file = NULL;
    (void)unlinkat(draft->directory, draft->temporary, 0);
}

enum status folder_draft_start(struct folder_draft *draft, int directory,
                               const char *path, const char *name, struct error *err)
{
    int fd;

    *draft = (struct folder_draft){.directory = directory, .path = path};
    (void)snprintf(draft->name, sizeof draft->name, "%s", name);
    (void)snprintf(draft->temporary, sizeof draft->temporary, ".%.58s%s", name,
                   temporary_suffix);
    fd = openat(directory, draft->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                CREATE_MODE);
    if (fd < 0)
        return folder_failed(err, errno, "write", path, draft->temporary);
    draft->file = fdopen(fd, "wb");
    if (draft->file == NULL) {
        int code = errno;

        (void)close(fd);
        (void)unlinkat(directory, draft->temporary, 0);
        return folder_failed(err, code, "write", path, draft->temporary);
    }
    return STATUS_OK;
}

enum status folder_draft_sync(struct folder_draft *draft, struct error *err)
{
    assert(draft->file != NULL);
    errno = 0;
    if (fflush(draft->file) != 0 || fsync(fileno(draft->file)) != 0)
        return folder_failed(err, errno == 0 ? EIO : errno, "write", draft->path,
                             draft->temporary);
    return STATUS_OK;
}

enum status folder_draft_publish(struct folder_draft *draft, struct error *err)
{
    int code = 0;

    assert(draft->file != NULL);
    if (fclose(draft->file) != 0)
        code = errno;
    draft->file = NULL;
    if (code == 0 &&
        renameat(draft->directory, draft->temporary, draft->directory, draft->name) != 0)
        code = errno;
    if (code != 0) {
        (void)unlinkat(draft->directory, draft->temporary, 0);
        return folder_failed(err, code, "write", draft->path, draft->name);
    }
    /* Some file systems cannot sync a directory, and say so. */
    if (fsync(draft->directory) != 0 && errno != EINVAL && errno != ENOTSUP &&
        errno != EBADF)
        return folder_failed(err, errno, "sync the folder", draft->path, "");
    return STATUS_OK;
}
