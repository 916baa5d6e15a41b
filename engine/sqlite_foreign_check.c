/* Whether the foreign keys of a database hold, and which tables that are not replicated
 * refer to those that are. */
#include "engine/sqlite_catalog.h"

#include "engine/sqlite_query.h"
#include "engine/sqlite_table.h"
#include "log/buffer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BROKEN_NAMED_MAX = 3 };

static void put_text(struct buffer *out, const char *text)
{
    buffer_put_bytes(out, bytes_of_text(text));
}

static bool is_replicated(const struct catalog *catalog, const char *table)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (sqlite3_stricmp(catalog->definitions[i]->local_name, table) == 0)
            return true;
    return false;
}

/* One more reason, of which the first few are named. */
static void add_reason(struct buffer *why, unsigned *reasons, const char *reason)
{
    ++*reasons;
    if (*reasons > BROKEN_NAMED_MAX + 1)
        return;
    if (*reasons > 1)
        put_text(why, *reasons <= BROKEN_NAMED_MAX ? ", " : ", …");
    if (*reasons <= BROKEN_NAMED_MAX)
        put_text(why, reason);
}

/* "child has 3 rows without a parent in p" for each parent that is replicated. A parent
 * without the key that the child names is an error of SQLite's: it can't check that. */
static enum status check_table(struct sqlite_database *database,
                               const struct catalog *catalog,
                               const struct definition *child, struct buffer *why,
                               unsigned *reasons, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_query(database,
                     "SELECT parent, count(*) FROM pragma_foreign_key_check(?1, 'main')"
                     " GROUP BY parent ORDER BY parent",
                     child->local_name, &statement, err);
    char reason[400];

    while (status == STATUS_OK) {
        const char *parent;
        long long rows;

        status = sqlite_next_row(database, statement, err);
        if (status != STATUS_OK)
            break;
        parent = (const char *)sqlite3_column_text(statement, 0);
        rows = sqlite3_column_int64(statement, 1);
        if (parent == NULL || !is_replicated(catalog, parent))
            continue;
        (void)snprintf(reason, sizeof reason,
                       "%.150s has %lld row%s without a parent in %.150s",
                       child->local_name, rows, rows == 1 ? "" : "s", parent);
        add_reason(why, reasons, reason);
    }
    if (status == STATUS_IO &&
        sqlite3_errcode(sqlite_database_handle(database)) == SQLITE_ERROR) {
        (void)snprintf(reason, sizeof reason, "those of %.150s can't be checked (%.200s)",
                       child->local_name,
                       sqlite3_errmsg(sqlite_database_handle(database)));
        add_reason(why, reasons, reason);
        status = STATUS_NOT_FOUND;
    }
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status sqlite_foreign_keys_broken(struct sqlite_database *database,
                                       const struct catalog *catalog, char **why,
                                       struct error *err)
{
    struct buffer text = {0};
    unsigned reasons = 0;
    enum status status = STATUS_OK;

    *why = NULL;
    for (size_t i = 0; i < catalog->count && status == STATUS_OK; i++) {
        if (catalog->definitions[i]->foreign_key_count > 0)
            status = check_table(database, catalog, catalog->definitions[i], &text,
                                 &reasons, err);
    }
    buffer_put(&text, 0, 1);
    if (status == STATUS_OK)
        status = buffer_check(&text, err);
    if (status == STATUS_OK && reasons > 0) {
        *why = strdup((const char *)text.data);
        if (*why == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
    }
    buffer_release(&text);
    return status;
}

/* ---- tables that are not replicated */

/* Keep the foreign keys of the table whose parents are replicated. */
static void keep_replicated(const struct catalog *catalog, struct definition *definition)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < definition->foreign_key_count; i++)
        if (is_replicated(catalog, definition->foreign_keys[i].parent))
            definition->foreign_keys[kept++] = definition->foreign_keys[i];
    definition->foreign_key_count = kept;
}

static enum status read_outsiders(struct sqlite_database *database,
                                  const struct catalog *catalog, struct outsiders *out,
                                  struct arena *arena, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_query(
        database,
        "SELECT name, count(*) OVER () FROM main.sqlite_schema AS s WHERE type = 'table'"
        " AND EXISTS (SELECT 1 FROM pragma_foreign_key_list(s.name, 'main'))"
        " ORDER BY name",
        NULL, &statement, err);

    while (status == STATUS_OK &&
           (status = sqlite_next_row(database, statement, err)) == STATUS_OK) {
        const char *name = NULL;

        if (out->tables == NULL)
            out->tables = arena_take(arena, (size_t)sqlite3_column_int64(statement, 1),
                                     sizeof *out->tables);
        if (out->tables == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
        if (status == STATUS_OK)
            status = sqlite_copy_text(arena, statement, 0, &name, err);
        if (status != STATUS_OK || is_replicated(catalog, name))
            continue;
        assert(out->tables != NULL);
        status = sqlite_table_read_references(database, name, arena,
                                              &out->tables[out->count], err);
        if (status != STATUS_OK)
            break;
        keep_replicated(catalog, &out->tables[out->count]);
        out->count += out->tables[out->count].foreign_key_count > 0;
    }
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status sqlite_outsiders_read(struct sqlite_database *database,
                                  const struct catalog *catalog, struct outsiders *out,
                                  struct error *err)
{
    struct arena arena = {0};
    enum status status;

    *out = (struct outsiders){0};
    status = read_outsiders(database, catalog, out, &arena, err);
    out->memory = arena.chunks;
    return status;
}
