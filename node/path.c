#include "node/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status path_failed(struct error *err, const char *path)
{
    enum status code = STATUS_UNAVAILABLE;

    if (error_is_no_room(errno))
        code = STATUS_FULL;
    else if (errno == ENOMEM)
        code = STATUS_NO_MEMORY;
    else if (errno == EIO)
        code = STATUS_IO;
    return error_set_errno(err, code, path);
}

char *path_trimmed(const char *path)
{
    size_t size = strlen(path);

    while (size > 1 && path[size - 1] == '/')
        size--;
    return strndup(path, size);
}

char *path_parent(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

char *path_for_shell(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789_-./:@%+=,";
    char *quoted, *end;

    if (text[0] != '\0' && text[strspn(text, plain)] == '\0')
        return strdup(text);
    quoted = malloc(4 * strlen(text) + sizeof "''");
    if (quoted == NULL)
        return NULL;
    end = quoted;
    *end++ = '\'';
    for (; *text != '\0'; text++) {
        if (*text == '\'') /* out of the quotes, a quote, into them again */
            end = stpcpy(end, "'\\''");
        else
            *end++ = *text;
    }
    *end++ = '\'';
    *end = '\0';
    return quoted;
}

bool path_holds_files(const char *folder)
{
    DIR *dir = opendir(folder);
    bool found = false;

    if (dir == NULL)
        return false;
    for (struct dirent *entry = readdir(dir); entry != NULL && !found;
         entry = readdir(dir))
        found = strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    (void)closedir(dir);
    return found;
}

enum status path_sync(const char *directory, struct error *err)
{
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum status status = STATUS_OK;

    if (fd < 0 || fsync(fd) != 0)
        status = path_failed(err, directory);
    if (fd >= 0)
        close(fd);
    return status;
}

enum status path_sync_parent(const char *path, struct error *err)
{
    char *parent = path_parent(path);
    enum status status;

    if (parent == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", path);
    status = path_sync(parent, err);
    free(parent);
    return status;
}
