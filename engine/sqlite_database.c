#include "engine/sqlite_database.h"

#include "log/buffer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct sqlite_database {
    sqlite3 *handle;
    char *path; /* as the caller named it */
};

/* What one of SQLite's result codes is to us. */
static enum status from_sqlite(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STATUS_BUSY;
    case SQLITE_FULL:
        return STATUS_FULL;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG: /* a value too large for this database is one more of its limits
                         */
        return STATUS_CONSTRAINT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return STATUS_CORRUPT;
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return STATUS_UNAVAILABLE;
    case SQLITE_NOMEM:
        return STATUS_NO_MEMORY;
    default:
        return STATUS_IO;
    }
}

enum status sqlite_failed(struct sqlite_database *database, const char *what,
                          struct error *err)
{
    enum status status = from_sqlite(sqlite3_errcode(database->handle));

    /* Who is in the way matters, not which statement met him. */
    if (status == STATUS_BUSY) {
        return error_set(err, status,
                         "%s: locked by another process; try again when it is done",
                         database->path);
    }
    /* what may be a statement, the message shall not be cut. */
    return error_set(err, status, "%.100s: %s", what, sqlite3_errmsg(database->handle));
}

enum status sqlite_wrap(struct sqlite_database *database, enum status status,
                        struct error *err)
{
    return status == STATUS_BUSY ? status : error_wrap(err, status, database->path);
}

/* The text as SQLite must get it: no path is a special name (":memory:") to it. */
static char *plain_path(const char *path)
{
    char *plain = NULL;

    if (asprintf(&plain, "%s%s", path[0] == '/' ? "" : "./", path) < 0)
        return NULL;
    return plain;
}

/* What SQLite would only find at the first read, in clear words. */
static enum status check_file(const char *path, enum sqlite_open_mode mode,
                              struct error *err)
{
    struct stat about;

    if (stat(path, &about) != 0) {
        if (errno == ENOENT && mode == SQLITE_DATABASE_CREATE)
            return STATUS_OK;
        return error_set_errno(err, STATUS_UNAVAILABLE, path);
    }
    if (!S_ISREG(about.st_mode))
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s: not a file: name the file of a SQLite database", path);
    return STATUS_OK;
}

static enum status set_up(struct sqlite_database *database, int busy_ms,
                          struct error *err)
{
    enum status status;
    int64_t version;

    (void)sqlite3_extended_result_codes(database->handle, 1);
    (void)sqlite3_busy_timeout(database->handle, busy_ms);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
    (void)sqlite3_db_config(database->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    /* The first read of the file. */
    status = sqlite_schema_version(database, &version, err);
    if ((sqlite3_errcode(database->handle) & 0xff) == SQLITE_NOTADB)
        return error_set(err, STATUS_UNAVAILABLE,
                         "not a SQLite database: name the file of one");
    return status == STATUS_CORRUPT ? STATUS_UNAVAILABLE : status;
}

/* Open file, which is SQLite's name of what people know as path. */
static enum status open_handle(struct sqlite_database **out, const char *file,
                               const char *path, int flags, int busy_ms,
                               struct error *err)
{
    enum status status = STATUS_OK;
    struct sqlite_database *database = calloc(1, sizeof *database);

    *out = NULL;
    if (database == NULL || (database->path = strdup(path)) == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "%s: out of memory", path);
        goto out;
    }
    /* The caller keeps to one thread at a time: no mutex is needed. */
    if (sqlite3_open_v2(file, &database->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) !=
        SQLITE_OK) {
        status = database->handle == NULL
                     ? error_set(err, STATUS_NO_MEMORY, "%s: out of memory", path)
                     : sqlite_failed(database, path, err);
        goto out;
    }
    status = set_up(database, busy_ms, err);
    if (status != STATUS_OK) {
        status = sqlite_wrap(database, status, err);
        goto out;
    }
    /* SQLite would open it all the same, and fail when the log has its entry already. */
    if ((flags & SQLITE_OPEN_READWRITE) != 0 &&
        sqlite3_db_readonly(database->handle, "main") == 1) {
        status = error_set(err, STATUS_UNAVAILABLE,
                           "%s: may only be read, and is to be written to: give this "
                           "user the right to",
                           path);
        goto out;
    }
    *out = database;
    database = NULL;

out:
    sqlite_database_close(database);
    return status;
}

enum status sqlite_database_open(struct sqlite_database **out, const char *path,
                                 enum sqlite_open_mode mode, int busy_ms,
                                 struct error *err)
{
    static const int flags[] = {
        [SQLITE_DATABASE_READ] = SQLITE_OPEN_READONLY,
        [SQLITE_DATABASE_WRITE] = SQLITE_OPEN_READWRITE,
        [SQLITE_DATABASE_CREATE] = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
    };
    enum status status;
    char *file = NULL;

    assert(path != NULL);
    assert(busy_ms >= 0);
    *out = NULL;
    status = check_file(path, mode, err);
    if (status != STATUS_OK)
        return status;
    file = plain_path(path);
    if (file == NULL)
        return error_set(err, STATUS_NO_MEMORY, "%s: out of memory", path);
    status = open_handle(out, file, path, flags[mode], busy_ms, err);
    free(file);
    return status;
}

enum status sqlite_scratch_open(struct sqlite_database **out, struct error *err)
{
    return open_handle(out, "", "temporary database",
                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0, err);
}

enum status sqlite_memory_open(struct sqlite_database **out, struct error *err)
{
    return open_handle(out, ":memory:", "memory",
                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0, err);
}

void sqlite_database_close(struct sqlite_database *database)
{
    if (database == NULL)
        return;
    if (database->handle != NULL) {
        int rc = sqlite3_close(database->handle);

        assert(rc == SQLITE_OK); /* else somebody kept a statement */
    }
    free(database->path);
    free(database);
}

sqlite3 *sqlite_database_handle(struct sqlite_database *database)
{
    return database->handle;
}

const char *sqlite_database_path(const struct sqlite_database *database)
{
    return database->path;
}

enum status sqlite_execute(struct sqlite_database *database, const char *sql,
                           struct error *err)
{
    if (sqlite3_exec(database->handle, sql, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_failed(database, sql, err);
    return STATUS_OK;
}

enum status sqlite_prepare(struct sqlite_database *database, const char *sql,
                           sqlite3_stmt **out, struct error *err)
{
    *out = NULL;
    if (sqlite3_prepare_v3(database->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, out,
                           NULL) != SQLITE_OK)
        return sqlite_failed(database, sql, err);
    assert(*out != NULL); /* the text is a statement, not a comment */
    return STATUS_OK;
}

enum status sqlite_number(struct sqlite_database *database, const char *sql,
                          int64_t *number, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_prepare(database, sql, &statement, err);

    if (status != STATUS_OK)
        return status;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    else
        status = sqlite_failed(database, sql, err);
    (void)sqlite3_finalize(statement);
    return status;
}

enum status sqlite_encoding(struct sqlite_database *database, const char **out,
                            struct error *err)
{
    static const char *const names[] = {"UTF-8", "UTF-16le", "UTF-16be"};
    sqlite3_stmt *statement = NULL;
    const char *name = NULL;
    enum status status =
        sqlite_prepare(database, "PRAGMA main.encoding", &statement, err);

    *out = NULL;
    if (status != STATUS_OK)
        return status;
    if (sqlite3_step(statement) == SQLITE_ROW)
        name = (const char *)sqlite3_column_text(statement, 0);
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            *out = names[i];
    }
    if (*out == NULL)
        status = sqlite_failed(database, "PRAGMA encoding", err);
    (void)sqlite3_finalize(statement);
    return status;
}

enum status sqlite_copy_encoding(struct sqlite_database *from, struct sqlite_database *to,
                                 struct error *err)
{
    const char *name;
    char sql[64];
    enum status status = sqlite_encoding(from, &name, err);

    if (status != STATUS_OK)
        return status;
    (void)snprintf(sql, sizeof sql, "PRAGMA encoding = '%s'", name);
    return sqlite_execute(to, sql, err);
}

enum status sqlite_begin_read(struct sqlite_database *database, struct error *err)
{
    int64_t tables = 0;
    enum status status = sqlite_execute(database, "BEGIN", err);

    if (status != STATUS_OK)
        return status;
    /* BEGIN alone takes no snapshot. */
    status =
        sqlite_number(database, "SELECT count(*) FROM main.sqlite_schema", &tables, err);
    if (status != STATUS_OK) {
        sqlite_rollback(database);
        return sqlite_wrap(database, status, err);
    }
    return STATUS_OK;
}

enum status sqlite_begin_write(struct sqlite_database *database, struct error *err)
{
    enum status status = sqlite_execute(database, "BEGIN IMMEDIATE", err);

    return status == STATUS_OK ? status : sqlite_wrap(database, status, err);
}

enum status sqlite_commit(struct sqlite_database *database, struct error *err)
{
    enum status status = sqlite_execute(database, "COMMIT", err);

    if (status == STATUS_OK)
        return status;
    sqlite_rollback(database);
    return sqlite_wrap(database, status, err);
}

void sqlite_rollback(struct sqlite_database *database)
{
    /* Some failures have rolled back already. What ROLLBACK itself answers changes
     * nothing: the next BEGIN would tell. */
    if (sqlite3_get_autocommit(database->handle) == 0)
        (void)sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
}

enum status sqlite_data_version(struct sqlite_database *database, int64_t *version,
                                struct error *err)
{
    return sqlite_number(database, "PRAGMA main.data_version", version, err);
}

enum status sqlite_schema_version(struct sqlite_database *database, int64_t *version,
                                  struct error *err)
{
    return sqlite_number(database, "PRAGMA main.schema_version", version, err);
}

static uint64_t modified_us(const struct stat *about)
{
    if (about->st_mtim.tv_sec < 0)
        return 0;
    return (uint64_t)about->st_mtim.tv_sec * 1000000 +
           (uint64_t)about->st_mtim.tv_nsec / 1000;
}

enum status sqlite_modified_us(struct sqlite_database *database, uint64_t *out,
                               struct error *err)
{
    const char *file = sqlite3_db_filename(database->handle, "main");
    struct stat about;

    assert(file != NULL);
    if (stat(file, &about) != 0)
        return error_set_errno(err, STATUS_UNAVAILABLE, database->path);
    *out = modified_us(&about);
    /* An empty -wal was only made by someone who looked. */
    if (stat(sqlite3_filename_wal(file), &about) == 0 && about.st_size > 0 &&
        modified_us(&about) > *out)
        *out = modified_us(&about);
    return STATUS_OK;
}

void sqlite_put_quoted(struct buffer *sql, const char *name)
{
    buffer_put(sql, '"', 1);
    for (const char *at = name; *at != '\0'; at++) {
        if (*at == '"')
            buffer_put(sql, '"', 1);
        buffer_put(sql, (uint8_t)*at, 1);
    }
    buffer_put(sql, '"', 1);
}
