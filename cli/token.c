/* rowferry token: what a new node needs to join. A secret: to a file of one's own, or on
 * through a pipe, never to a screen. */
#include "log/identity.h"

#include "cli/commands.h"
#include "cli/json.h"
#include "node/node.h"
#include "node/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* By a temporary name, so that there is never a token that others may read. */
static enum status write_file(const char *path, const char *token, struct error *err)
{
    size_t size = strlen(token);
    char *temporary = NULL;
    struct stat found;
    enum status status = STATUS_OK;
    int fd;

    if (stat(path, &found) == 0 && S_ISDIR(found.st_mode))
        return error_set(err, STATUS_USAGE, "%s: a directory; name a file in it", path);
    if (asprintf(&temporary, "%s.part%ld", path, (long)getpid()) < 0)
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", path);
    fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        status = path_failed(err, path);
        free(temporary);
        return status;
    }
    errno = EIO; /* of a write cut short */
    if (write(fd, token, size) != (ssize_t)size || write(fd, "\n", 1) != 1 ||
        fsync(fd) != 0)
        status = path_failed(err, path);
    if (close(fd) != 0 && status == STATUS_OK)
        status = path_failed(err, path);
    if (status == STATUS_OK && rename(temporary, path) != 0)
        status = path_failed(err, path);
    if (status != STATUS_OK)
        (void)unlink(temporary);
    free(temporary);
    return status;
}

static void print_token(const char *token, bool json)
{
    json_t *object;

    if (!json) {
        (void)printf("%s\n", token);
        return;
    }
    object = json_make_object();
    json_put_text(object, "token", token);
    json_print_line(stdout, object);
}

static enum status run_token(const struct invocation *invocation, struct error *err)
{
    const char *path = invocation->operand_count > 0 ? invocation->operands[0] : "-";
    bool piped = strcmp(path, "-") == 0;
    char token[TOKEN_TEXT_SIZE];
    struct node *node = NULL;
    json_t *object;
    enum status status;

    if (piped && isatty(STDOUT_FILENO)) {
        return error_set(
            err, STATUS_USAGE,
            "a token is a secret and is not shown on a terminal: name a file, "
            "or pipe it on");
    }
    status = node_open(&node, invocation->store, NODE_READ_ONLY, err);
    if (status != STATUS_OK)
        return status;
    token_text(store_identity(node_store(node)), token);
    if (piped)
        print_token(token, invocation->json);
    else
        status = write_file(path, token, err);
    if (status == STATUS_OK && !piped && invocation->json) {
        object = json_make_object();
        json_put_text(object, "file", path);
        json_print_line(stdout, object);
    } else if (status == STATUS_OK && !piped) {
        (void)printf("wrote %s: whoever has it can join the fleet and read its data\n",
                     path);
    }
    sodium_memzero(token, sizeof token);
    node_close(node);
    return status;
}

const struct command command_token = {
    .name = "token",
    .operands = "[FILE|-]",
    .summary = "Write what a new node needs to join: a secret, to a file or a pipe",
    .operands_max = 1,
    .run = run_token,
};
