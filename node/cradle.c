#include "node/cradle.h"

#include "log/version.h"
#include "node/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct cradle {
    char *place;  /* of the store, in the end */
    char *folder; /* PLACE.init */
    char *store;  /* PLACE.init/store */
    char *id;     /* PLACE.init/id */
    int id_fd;    /* locked; -1: none */
    bool had_id;
};

/* 0: no such file, or no id in it. Asks for no memory: a failure is no answer. */
static uint64_t read_id(const char *path)
{
    char text[NODE_ID_TEXT_SIZE] = "", *end = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size;

    if (fd < 0)
        return 0;
    size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size != NODE_ID_TEXT_SIZE - 1 ||
        strspn(text, "0123456789abcdef") != NODE_ID_TEXT_SIZE - 1)
        return 0;
    return strtoull(text, &end, 16);
}

uint64_t cradle_left_id(const char *store)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s.init/id", store);
    return read_id(path);
}

bool cradle_is_left(const char *store)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s.init", store);
    return access(path, F_OK) == 0;
}

/* A half-made store is flat: files only. */
static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);

    if (dir == NULL)
        return;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    (void)closedir(dir);
    (void)rmdir(folder);
}

/* NULL when there is no memory. */
static char *join(const char *a, const char *b)
{
    char *text = NULL;

    return asprintf(&text, "%s%s", a, b) < 0 ? NULL : text;
}

static enum status name_paths(struct cradle *cradle, const char *store, struct error *err)
{
    cradle->place = strdup(store);
    cradle->folder = join(store, ".init");
    cradle->store = join(store, ".init/store");
    cradle->id = join(store, ".init/id");
    if (cradle->place == NULL || cradle->folder == NULL || cradle->store == NULL ||
        cradle->id == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", store);
    return STATUS_OK;
}

/* The lock counts only on the file that the path still names: its maker may be done. */
static bool still_named(const struct cradle *cradle)
{
    struct stat held, named;

    return fstat(cradle->id_fd, &held) == 0 && stat(cradle->id, &named) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

static enum status take(struct cradle *cradle, struct error *err)
{
    if (mkdir(cradle->folder, 0700) != 0 && errno != EEXIST)
        return path_failed(err, cradle->folder);
    cradle->id_fd = open(cradle->id, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (cradle->id_fd < 0) {
        enum status status = path_failed(err, cradle->id);

        (void)rmdir(cradle->folder); /* fails, and is meant to, when it is not empty */
        return status;
    }
    if (flock(cradle->id_fd, LOCK_EX | LOCK_NB) != 0 || !still_named(cradle)) {
        close(cradle->id_fd);
        cradle->id_fd = -1;
        return error_set(err, STATUS_REFUSED,
                         "%s: another init is at work there: wait for its end, or name "
                         "another directory with --store",
                         cradle->place);
    }
    cradle->had_id = read_id(cradle->id) != 0;
    return STATUS_OK;
}

static void release(struct cradle *cradle)
{
    if (cradle->id_fd >= 0)
        close(cradle->id_fd);
    free(cradle->place);
    free(cradle->folder);
    free(cradle->store);
    free(cradle->id);
    free(cradle);
}

enum status cradle_open(struct cradle **out, const char *store, struct error *err)
{
    struct cradle *cradle = calloc(1, sizeof *cradle);
    enum status status;

    *out = NULL;
    if (cradle == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", store);
    cradle->id_fd = -1;
    status = name_paths(cradle, store, err);
    if (status == STATUS_OK)
        status = take(cradle, err);
    if (status != STATUS_OK) {
        release(cradle);
        return status;
    }
    *out = cradle;
    return STATUS_OK;
}

const char *cradle_folder(const struct cradle *cradle)
{
    return cradle->store;
}

void cradle_empty(struct cradle *cradle)
{
    remove_folder(cradle->store);
}

enum status cradle_keep_id(struct cradle *cradle, uint64_t node, struct error *err)
{
    char text[NODE_ID_TEXT_SIZE];
    const size_t size = NODE_ID_TEXT_SIZE - 1;

    node_id_text(node, text);
    errno = EIO; /* of a write cut short */
    if (pwrite(cradle->id_fd, text, size, 0) != (ssize_t)size ||
        fsync(cradle->id_fd) != 0)
        return path_failed(err, cradle->id);
    return path_sync(cradle->folder, err);
}

enum status cradle_place(struct cradle *cradle, struct error *err)
{
    enum status status = path_sync(cradle->store, err);

    if (status == STATUS_OK && rename(cradle->store, cradle->place) != 0)
        status = path_failed(err, cradle->place);
    if (status != STATUS_OK)
        return status;
    status = path_sync_parent(cradle->place, err);
    /* What may not last is no store yet. */
    if (status != STATUS_OK)
        (void)rename(cradle->place, cradle->store);
    return status;
}

void cradle_close(struct cradle *cradle, enum cradle_end end)
{
    if (cradle == NULL)
        return;
    if (end != CRADLE_KEEP_ALL)
        remove_folder(cradle->store);
    if (end == CRADLE_FORGET || (end == CRADLE_AS_FOUND && !cradle->had_id)) {
        (void)unlink(cradle->id);
        (void)rmdir(cradle->folder);
    }
    release(cradle);
}
