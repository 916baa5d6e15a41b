#include "extension/unrecorded.h"

#include <stdlib.h>
#include <string.h>

struct unrecorded_table {
    char *name;
    bool generated; /* it has generated columns */
};

static void forget(struct unrecorded *unrecorded)
{
    for (int i = 0; i < unrecorded->count; i++)
        free(unrecorded->tables[i].name);
    free(unrecorded->tables);
    unrecorded->tables = NULL;
    unrecorded->count = 0;
}

void unrecorded_release(struct unrecorded *unrecorded)
{
    forget(unrecorded);
    (void)sqlite3_finalize(unrecorded->version);
    *unrecorded = (struct unrecorded){0};
}

void unrecorded_doubt(struct unrecorded *unrecorded)
{
    unrecorded->current = false;
}

/* Forget the tables, unless the schema is the one that they were looked at in. */
static void check_schema(struct unrecorded *unrecorded, sqlite3 *db)
{
    int64_t schema = -1;

    if (unrecorded->version == NULL)
        (void)sqlite3_prepare_v3(db, "PRAGMA main.schema_version", -1,
                                 SQLITE_PREPARE_PERSISTENT, &unrecorded->version, NULL);
    if (sqlite3_step(unrecorded->version) == SQLITE_ROW)
        schema = sqlite3_column_int64(unrecorded->version, 0);
    (void)sqlite3_reset(unrecorded->version);
    if (schema == -1 || schema != unrecorded->schema)
        forget(unrecorded);
    unrecorded->schema = schema;
    unrecorded->current = true;
}

static bool has_generated(sqlite3 *db, const char *table)
{
    enum { HIDDEN = 6, VIRTUAL = 2, STORED = 3 };
    char *sql = sqlite3_mprintf("PRAGMA main.table_xinfo(%Q)", table);
    sqlite3_stmt *columns = NULL;
    bool found = false;

    if (sql != NULL && sqlite3_prepare_v2(db, sql, -1, &columns, NULL) == SQLITE_OK) {
        while (!found && sqlite3_step(columns) == SQLITE_ROW)
            found = sqlite3_column_int(columns, HIDDEN) == VIRTUAL ||
                    sqlite3_column_int(columns, HIDDEN) == STORED;
    }
    (void)sqlite3_finalize(columns);
    sqlite3_free(sql);
    return found;
}

/* Without memory it is looked at again the next time. */
static void remember(struct unrecorded *unrecorded, const char *name, bool generated)
{
    size_t count = (size_t)unrecorded->count + 1;
    struct unrecorded_table *tables =
        realloc(unrecorded->tables, count * sizeof *unrecorded->tables);

    if (tables == NULL)
        return;
    unrecorded->tables = tables;
    tables[count - 1] = (struct unrecorded_table){strdup(name), generated};
    unrecorded->count += tables[count - 1].name != NULL;
}

bool unrecorded_has(struct unrecorded *unrecorded, sqlite3 *db, const char *table)
{
    bool generated;

    if (sqlite3_strnicmp(table, "rowferry_", 9) == 0 ||
        sqlite3_strnicmp(table, "sqlite_", 7) == 0)
        return true;
    if (!unrecorded->current)
        check_schema(unrecorded, db);
    for (int i = 0; i < unrecorded->count; i++)
        if (strcmp(unrecorded->tables[i].name, table) == 0)
            return unrecorded->tables[i].generated;
    generated = has_generated(db, table);
    remember(unrecorded, table, generated);
    return generated;
}
