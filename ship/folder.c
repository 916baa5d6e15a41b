#include "ship/folder.h"

#include "ship/folder_survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void folder_close(struct transport *transport)
{
    struct folder *folder = (struct folder *)transport;

    if (folder == NULL)
        return;
    if (folder->directory >= 0)
        (void)close(folder->directory);
    free(folder->path);
    free(folder);
}

static const struct transport_ops folder_ops = {folder_receive, folder_send,
                                                folder_close};

enum status folder_open(struct transport **out, const char *path, struct store *store,
                        struct error *err)
{
    struct folder *folder = calloc(1, sizeof *folder);
    enum status status = STATUS_OK;

    *out = NULL;
    if (folder != NULL)
        folder->path = strdup(path);
    if (folder == NULL || folder->path == NULL) {
        free(folder);
        return error_set(err, STATUS_NO_MEMORY, "open a folder: out of memory");
    }
    folder->transport.ops = &folder_ops;
    folder->store = store;
    folder->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->directory < 0)
        status = folder_failed(err, errno, "open the folder", path, "");
    if (status == STATUS_OK) {
        *out = &folder->transport;
        folder = NULL;
    }
    folder_close(folder == NULL ? NULL : &folder->transport);
    return status;
}
