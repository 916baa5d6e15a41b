#include "node/stay_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* content: a change of that makes it another file, too. */
static struct file_print look(const char *path, bool content)
{
    struct file_print print = {0};
    struct stat found;

    if (stat(path, &found) != 0)
        return print;
    print =
        (struct file_print){.there = true, .device = found.st_dev, .inode = found.st_ino};
    if (content) {
        print.written = found.st_mtim;
        print.size = found.st_size;
    }
    return print;
}

static enum status look_in(struct file_print *out, const char *store, const char *name,
                           bool content, struct error *err)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", store, name) < 0)
        return error_set(err, STATUS_NO_MEMORY, "run: out of memory");
    *out = look(path, content);
    free(path);
    return STATUS_OK;
}

enum status stay_files_look(struct stay_files *out, const char *store,
                            const char *database, struct error *err)
{
    enum status status;

    *out = (struct stay_files){0};
    status = look_in(&out->data, store, "data.mdb", false, err);
    if (status == STATUS_OK)
        status = look_in(&out->settings, store, "rowferry.ini", true, err);
    if (status == STATUS_OK && database != NULL)
        out->database = look(database, false);
    return status;
}

bool file_print_same(const struct file_print *a, const struct file_print *b)
{
    return a->there == b->there && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->written.tv_sec == b->written.tv_sec &&
           a->written.tv_nsec == b->written.tv_nsec;
}
