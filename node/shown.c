#include "node/shown_private.h"

#include "engine/sqlite_catalog.h"
#include "engine/stored.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The scratch database has the catalog's tables by their own DDL, each with one column
 * more that names the row's id here, by which its parents are asked for:
 *
 *   "rowferry row"    id, table, key, born, fate, seen
 *   "rowferry image"  id -> image and the number of its definition
 *
 * Everything happens in one transaction of a file that was empty before it, so nothing
 * needs to be journaled. */
static const char set_up_sql[] =
    "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA locking_mode = "
    "EXCLUSIVE;"
    "PRAGMA cache_size = -16384; PRAGMA temp_store = FILE;"
    "PRAGMA ignore_check_constraints = ON; BEGIN;"
    "CREATE TABLE \"rowferry row\" (id INTEGER PRIMARY KEY, tbl INTEGER, key BLOB, born "
    "BLOB,"
    " fate INTEGER, seen INTEGER, parked INTEGER);"
    "CREATE TABLE \"rowferry image\" (id INTEGER PRIMARY KEY, image BLOB, source "
    "INTEGER);"
    "CREATE UNIQUE INDEX \"rowferry key\" ON \"rowferry row\" (tbl, key);"
    "CREATE INDEX \"rowferry born\" ON \"rowferry row\" (tbl, born);";

static enum status make_file(char *path, size_t size, struct error *err)
{
    const char *folder = getenv("TMPDIR");
    int fd;

    if (folder == NULL || folder[0] == '\0')
        folder = "/var/tmp";
    if (snprintf(path, size, "%s/rowferry-diff-XXXXXX", folder) >= (int)size)
        return error_set(err, STATUS_UNAVAILABLE, "TMPDIR: the path is too long");
    fd = mkstemp(path);
    if (fd < 0) {
        return error_set(err, error_is_no_room(errno) ? STATUS_FULL : STATUS_UNAVAILABLE,
                         "a temporary file in %s: %s: name another directory by TMPDIR",
                         folder, strerror(errno));
    }
    (void)close(fd);
    return STATUS_OK;
}

/* Only its columns, with their types and collations: parents to their children, but
 * without a constraint. */
static enum status make_plain(struct shown *shown, size_t table, struct error *err)
{
    const struct definition *definition = shown->catalog->definitions[table];
    struct buffer sql = {0};
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("CREATE TABLE main."));
    sqlite_put_quoted(&sql, definition->local_name);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        buffer_put_bytes(&sql, bytes_of_text(i == 0 ? " (" : ", "));
        sqlite_put_quoted(&sql, column->name);
        if (column->type != FLEET_ANY) {
            buffer_put(&sql, ' ', 1);
            sqlite_put_quoted(&sql, column->declared_type);
        }
        if (column->collation[0] != '\0') {
            buffer_put_bytes(&sql, bytes_of_text(" COLLATE "));
            sqlite_put_quoted(&sql, column->collation);
        }
    }
    buffer_put(&sql, ')', 1);
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = sqlite_execute(shown->scratch, (const char *)sql.data, err);
    buffer_release(&sql);
    return status;
}

bool shown_has_id(const struct shown *shown, size_t table)
{
    int most =
        sqlite3_limit(sqlite_database_handle(shown->scratch), SQLITE_LIMIT_COLUMN, -1);

    return shown->catalog->definitions[table]->column_count < (uint32_t)most;
}

/* What keeps the table from being made with its constraints; NULL: nothing is known. */
static const char *find_lack(const struct shown *shown, size_t table)
{
    if (shown->catalog->lacks[table] != NULL || !shown->foreign_keys ||
        shown->catalog->definitions[table]->foreign_key_count == 0 ||
        shown_has_id(shown, table))
        return shown->catalog->lacks[table];
    return "a foreign key, and no room for one more column, by which to follow it";
}

/* By its own statements, unless they need what is not here. */
static enum status make_as_it_is(struct shown *shown, size_t table, struct error *err)
{
    const char *why = find_lack(shown, table);
    enum status status = sqlite_execute(shown->scratch, "SAVEPOINT making", err);

    if (status == STATUS_OK && why == NULL) {
        status =
            sqlite_create_table(shown->scratch, shown->catalog->definitions[table], err);
        if (status == STATUS_NOT_FOUND)
            why = err->text;
    }
    if (why != NULL) {
        shown->lacks[table] = strdup(why);
        if (shown->lacks[table] == NULL)
            return error_set(err, STATUS_NO_MEMORY, "diff: out of memory");
        status = sqlite_execute(shown->scratch, "ROLLBACK TO making", err);
        if (status == STATUS_OK)
            status = make_plain(shown, table, err);
    }
    return status == STATUS_OK ? sqlite_execute(shown->scratch, "RELEASE making", err)
                               : status;
}

/* The table as it is there, plus the column that ties its rows to ours. */
static enum status make_table(struct shown *shown, size_t table, struct error *err)
{
    const struct definition *definition = shown->catalog->definitions[table];
    struct buffer sql;
    char index[80];
    enum status status = shown->asked != NULL ? shown_make_postgres(shown, table, err)
                                              : make_as_it_is(shown, table, err);

    if (status != STATUS_OK || !shown_has_id(shown, table))
        return status;
    buffer_init(&sql);
    buffer_put_bytes(&sql, bytes_of_text("ALTER TABLE main."));
    shown_put_name(shown, &sql, definition->local_name);
    buffer_put_bytes(&sql, bytes_of_text(" ADD COLUMN \"rowferry id\" INTEGER;"));
    (void)snprintf(index, sizeof index, "CREATE INDEX \"rowferry id %zu\" ON ", table);
    buffer_put_bytes(&sql, bytes_of_text(index));
    shown_put_name(shown, &sql, definition->local_name);
    buffer_put_bytes(&sql, bytes_of_text(" (\"rowferry id\")"));
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = sqlite_execute(shown->scratch, (const char *)sql.data, err);
    buffer_release(&sql);
    return status;
}

static enum status prepare_all(struct shown *shown, struct error *err)
{
    struct {
        sqlite3_stmt **statement;
        const char *sql;
    } all[] = {
        {&shown->add_row,
         "INSERT INTO \"rowferry row\" VALUES (?1, ?2, ?3, ?4, 0, 0, ?5)"        },
        {&shown->add_image, "INSERT INTO \"rowferry image\" VALUES (?1, ?2, ?3)" },
        {&shown->find,      "SELECT r.fate, r.seen, i.image, i.source, r.key, r.parked"
                       " FROM \"rowferry row\" r JOIN \"rowferry image\" i USING (id)"
                       " WHERE r.tbl = ?1 AND r.key = ?2"  },
        {&shown->mark,
         "UPDATE \"rowferry row\" SET seen = 1 WHERE tbl = ?1 AND key = ?2"      },
        {&shown->set_fate,  "UPDATE \"rowferry row\" SET fate = ?2 WHERE id = ?1"},
    };
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < sizeof all / sizeof *all; i++)
        status = sqlite_prepare(shown->scratch, all[i].sql, all[i].statement, err);
    return status;
}

enum status shown_open(struct shown **out, struct sqlite_database *like,
                       struct postgres *asked, const struct catalog *catalog,
                       bool foreign_keys, struct error *err)
{
    enum status status = STATUS_OK;
    struct shown *shown = calloc(1, sizeof *shown);
    char path[1024] = "";

    *out = NULL;
    if (shown != NULL) {
        shown->catalog = catalog;
        shown->foreign_keys = foreign_keys;
        shown->asked = asked;
    }
    if (shown == NULL ||
        (shown->group = calloc(catalog->count + 1, sizeof *shown->group)) == NULL ||
        (shown->lacks = (char **)calloc(catalog->count + 1, sizeof(char *))) == NULL ||
        (shown->stored = (struct stored **)calloc(catalog->count + 1,
                                                  sizeof(struct stored *))) == NULL ||
        (shown->questions = (struct shown_question **)calloc(
             catalog->count + 1, sizeof(struct shown_question *))) == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "diff: out of memory");
        goto out;
    }
    status = make_file(path, sizeof path, err);
    if (status != STATUS_OK)
        goto out;
    status = sqlite_database_open(&shown->scratch, path, SQLITE_DATABASE_WRITE, 0, err);
    (void)unlink(path);
    if (status == STATUS_OK && like != NULL)
        status = sqlite_copy_encoding(like, shown->scratch, err);
    if (status == STATUS_OK)
        status = sqlite_execute(shown->scratch, set_up_sql, err);
    for (size_t i = 0; status == STATUS_OK && i < catalog->count; i++)
        status = make_table(shown, i, err);
    if (status == STATUS_OK)
        status = prepare_all(shown, err);
    if (status == STATUS_OK && foreign_keys) {
        status =
            foreign_key_groups((const struct definition *const *)catalog->definitions,
                               catalog->count, shown->group, err);
    }
    if (status != STATUS_OK)
        goto out;
    *out = shown;
    shown = NULL;

out:
    shown_close(shown);
    return status;
}

void shown_close(struct shown *shown)
{
    if (shown == NULL)
        return;
    (void)sqlite3_finalize(shown->add_row);
    (void)sqlite3_finalize(shown->add_image);
    (void)sqlite3_finalize(shown->find);
    (void)sqlite3_finalize(shown->mark);
    (void)sqlite3_finalize(shown->set_fate);
    sqlite_database_close(shown->scratch);
    for (size_t i = 0; shown->lacks != NULL && i < shown->catalog->count; i++)
        free(shown->lacks[i]);
    for (size_t i = 0; shown->questions != NULL && i < shown->catalog->count; i++)
        shown_question_close(shown->questions[i]);
    for (size_t i = 0; shown->stored != NULL && i < shown->catalog->count; i++)
        stored_close(shown->stored[i]);
    free((void *)shown->questions);
    free((void *)shown->stored);
    free((void *)shown->lacks);
    buffer_release(&shown->born);
    free(shown->sources);
    free(shown->group);
    free(shown);
}

const char *shown_lacks(const struct shown *shown, size_t table)
{
    return shown->lacks[table];
}

/* ---- rows in */

/* The number of an image's definition; rows of one origin come one after another. */
static enum status find_source(struct shown *shown, size_t table,
                               const struct definition *definition, size_t *out,
                               struct error *err)
{
    struct shown_source *sources;
    size_t capacity = shown->source_capacity == 0 ? 64 : shown->source_capacity * 2;

    for (size_t i = shown->source_count; i > 0; i--) {
        if (shown->sources[i - 1].definition == definition) {
            *out = i - 1;
            return STATUS_OK;
        }
    }
    if (shown->source_count == shown->source_capacity) {
        sources = realloc(shown->sources, capacity * sizeof *sources);
        if (sources == NULL)
            return error_set(err, STATUS_NO_MEMORY, "diff: out of memory");
        shown->sources = sources;
        shown->source_capacity = capacity;
    }
    shown->sources[shown->source_count] = (struct shown_source){definition, table};
    *out = shown->source_count++;
    return STATUS_OK;
}

static void bind_bytes(sqlite3_stmt *statement, int parameter, struct bytes bytes)
{
    (void)sqlite3_bind_blob64(statement, parameter,
                              bytes.data != NULL ? (const void *)bytes.data : "",
                              bytes.size, SQLITE_STATIC);
}

static enum status run(struct shown *shown, sqlite3_stmt *statement, struct error *err)
{
    enum status status = STATUS_OK;

    if (sqlite3_step(statement) != SQLITE_DONE)
        status = sqlite_failed(shown->scratch, "diff's temporary file", err);
    (void)sqlite3_reset(statement);
    return status;
}

/* So that memcmp, SQLite's order of blobs, is the order of versions. */
static void put_sortable(struct buffer *out, const struct version *version)
{
    buffer_clear(out);
    buffer_put(out, version->stamp_us, 8);
    buffer_put(out, version->origin, 8);
    buffer_put(out, version->origin_seq, 8);
    buffer_put(out, version->place, 4);
}

enum status shown_add(struct shown *shown, size_t table, const struct shown_row *row,
                      const struct version *born, struct error *err)
{
    int64_t id = ++shown->last_id;
    size_t source = 0;
    enum status status;

    assert(!shown->settled);
    assert(table < shown->catalog->count);
    status = find_source(shown, table, row->definition, &source, err);
    if (status != STATUS_OK)
        return status;
    put_sortable(&shown->born, born);
    status = buffer_check(&shown->born, err);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_int64(shown->add_row, 1, id);
    (void)sqlite3_bind_int64(shown->add_row, 2, (sqlite3_int64)table);
    bind_bytes(shown->add_row, 3, row->key);
    bind_bytes(shown->add_row, 4, buffer_view(&shown->born));
    (void)sqlite3_bind_int(shown->add_row, 5, row->parked);
    status = run(shown, shown->add_row, err);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_int64(shown->add_image, 1, id);
    bind_bytes(shown->add_image, 2, row->image);
    (void)sqlite3_bind_int64(shown->add_image, 3, (sqlite3_int64)source);
    return run(shown, shown->add_image, err);
}

enum status shown_set_fate(struct shown *shown, int64_t id, enum shown_fate fate,
                           struct error *err)
{
    (void)sqlite3_bind_int64(shown->set_fate, 1, id);
    (void)sqlite3_bind_int64(shown->set_fate, 2, fate);
    return run(shown, shown->set_fate, err);
}

enum status shown_settle(struct shown *shown, struct error *err)
{
    enum status status = STATUS_OK;
    uint32_t last = 0;

    assert(!shown->settled);
    shown->settled = true;
    for (size_t i = 0; i < shown->catalog->count; i++)
        last = shown->group[i] > last ? shown->group[i] : last;
    for (uint32_t group = 0; status == STATUS_OK && group <= last; group++) {
        for (size_t i = 0; status == STATUS_OK && i < shown->catalog->count; i++) {
            if (shown->group[i] == group)
                status = shown_place_table(shown, i, err);
        }
        if (status == STATUS_OK && shown->foreign_keys)
            status = shown_hide_orphans(shown, group, err);
    }
    return status;
}

/* ---- rows out */

static struct bytes column_bytes(sqlite3_stmt *statement, int column)
{
    const uint8_t *data = sqlite3_column_blob(statement, column);

    return (struct bytes){data, (size_t)sqlite3_column_bytes(statement, column)};
}

static void take_row(const struct shown *shown, sqlite3_stmt *statement,
                     struct shown_row *out)
{
    size_t source = (size_t)sqlite3_column_int64(statement, 3);

    assert(source < shown->source_count);
    *out = (struct shown_row){
        .fate = (enum shown_fate)sqlite3_column_int(statement, 0),
        .seen = sqlite3_column_int(statement, 1) != 0,
        .image = column_bytes(statement, 2),
        .definition = shown->sources[source].definition,
        .key = column_bytes(statement, 4),
        .parked = sqlite3_column_int(statement, 5) != 0,
    };
}

enum status shown_find(struct shown *shown, size_t table, struct bytes key,
                       struct shown_row *out, struct error *err)
{
    int rc;

    assert(shown->settled);
    (void)sqlite3_reset(shown->find); /* the last call's views end here */
    (void)sqlite3_bind_int64(shown->find, 1, (sqlite3_int64)table);
    bind_bytes(shown->find, 2, key);
    rc = sqlite3_step(shown->find);
    if (rc == SQLITE_DONE)
        return STATUS_NOT_FOUND;
    if (rc != SQLITE_ROW)
        return sqlite_failed(shown->scratch, "diff's temporary file", err);
    take_row(shown, shown->find, out);
    return STATUS_OK;
}

enum status shown_mark(struct shown *shown, size_t table, struct bytes key,
                       struct error *err)
{
    (void)sqlite3_bind_int64(shown->mark, 1, (sqlite3_int64)table);
    bind_bytes(shown->mark, 2, key);
    return run(shown, shown->mark, err);
}

enum status shown_visit(struct shown *shown, size_t table, shown_visit_cb visit,
                        void *data, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status;
    int rc;

    assert(shown->settled);
    status =
        sqlite_prepare(shown->scratch,
                       "SELECT r.fate, r.seen, i.image, i.source, r.key, r.parked"
                       " FROM \"rowferry row\" r JOIN \"rowferry image\" i USING (id)"
                       " WHERE r.tbl = ?1 ORDER BY r.key",
                       &statement, err);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)table);
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct shown_row row;

        take_row(shown, statement, &row);
        if (!visit(data, &row))
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = sqlite_failed(shown->scratch, "diff's temporary file", err);
    (void)sqlite3_finalize(statement);
    return status;
}
