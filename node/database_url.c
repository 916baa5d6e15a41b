#include "node/database_url.h"

#include "engine/postgres_connection.h"
#include "node/path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SQLITE_SCHEME "sqlite:"

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static enum status refuse_form(const char *url, struct error *err)
{
    if (url[0] == '\0')
        return error_set(err, STATUS_USAGE, "no database is given: sqlite:PATH is one");
    if (url[strcspn(url, ":/")] != ':')
        return error_set(err, STATUS_USAGE, "%s: a database is given as sqlite:%s", url,
                         url);
    return error_set(err, STATUS_USAGE, "%s: a database is given as sqlite:PATH", url);
}

/* The real path of a file that is not there: that of its directory, and its name. */
static enum status path_of_missing(const char *path, char **out, struct error *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char *folder = NULL, *real = NULL;
    enum status status = STATUS_OK;

    if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return error_set(err, STATUS_USAGE, "%s: not a file's name", path);
    folder = path_parent(path);
    real = folder != NULL ? realpath(folder, NULL) : NULL;
    if (folder != NULL && real == NULL)
        status = path_failed(err, folder);
    else if (folder == NULL ||
             asprintf(out, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name) < 0)
        status = error_set(err, STATUS_NO_MEMORY, "%s: out of memory", path);
    if (status != STATUS_OK)
        *out = NULL;
    free(folder);
    free(real);
    return status;
}

static enum status read_path(const char *url, char **path, struct error *err)
{
    const char *given = url + strlen(SQLITE_SCHEME);

    *path = NULL;
    if (*given == '\0')
        return error_set(err, STATUS_USAGE, "%s: no path is given", url);
    *path = realpath(given, NULL);
    if (*path != NULL)
        return STATUS_OK;
    if (errno != ENOENT)
        return error_set_errno(err, STATUS_UNAVAILABLE, given);
    return path_of_missing(given, path, err);
}

static bool is_postgres(const char *url)
{
    return begins_with(url, "postgresql://") || begins_with(url, "postgres://");
}

enum status database_url_read(struct database_url *out, const char *url,
                              struct error *err)
{
    enum status status = STATUS_OK;

    *out = (struct database_url){.kind = DATABASE_SQLITE};
    if (is_postgres(url)) {
        out->kind = DATABASE_POSTGRES;
        status = postgres_check_url(url, err);
        if (status == STATUS_OK)
            out->text = strdup(url);
    } else if (begins_with(url, SQLITE_SCHEME)) {
        status = read_path(url, &out->path, err);
        if (status == STATUS_OK &&
            asprintf(&out->text, "%s%s", SQLITE_SCHEME, out->path) < 0)
            out->text = NULL;
    } else {
        return refuse_form(url, err);
    }
    if (status == STATUS_OK && out->text == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "a database's URL: out of memory");
    if (status != STATUS_OK)
        database_url_release(out);
    return status;
}

void database_url_release(struct database_url *url)
{
    free(url->text);
    free(url->path);
    *url = (struct database_url){0};
}

enum status database_url_path(const char *url, char **path, struct error *err)
{
    struct database_url read;
    enum status status = database_url_read(&read, url, err);

    *path = NULL;
    if (status != STATUS_OK)
        return status;
    if (read.path == NULL) {
        status = error_set(err, STATUS_USAGE,
                           "%s: only a SQLite database can be given here: sqlite:PATH",
                           read.text);
    }
    *path = read.path;
    read.path = NULL;
    database_url_release(&read);
    return status;
}
