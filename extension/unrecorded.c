#include "extension/unrecorded.h"

#include <stdlib.h>
#include <string.h>

void unrecorded_release(struct unrecorded *unrecorded)
{
    for (int i = 0; i < unrecorded->count; i++)
        free(unrecorded->names[i]);
    free((void *)unrecorded->names);
    *unrecorded = (struct unrecorded){0};
}

static int add(struct unrecorded *unrecorded, const unsigned char *name)
{
    size_t count = (size_t)unrecorded->count + 1;
    char **names = (char **)realloc((void *)unrecorded->names, count * sizeof *names);

    if (names == NULL)
        return SQLITE_NOMEM;
    unrecorded->names = names;
    names[count - 1] = name != NULL ? strdup((const char *)name) : NULL;
    if (names[count - 1] == NULL)
        return SQLITE_NOMEM;
    unrecorded->count++;
    return SQLITE_OK;
}

int unrecorded_read(struct unrecorded *unrecorded, sqlite3 *db, int64_t schema)
{
    sqlite3_stmt *rows = NULL;
    int rc;

    if (unrecorded->schema == schema)
        return SQLITE_OK;
    unrecorded_release(unrecorded);
    rc = sqlite3_prepare_v2(db,
                            "SELECT DISTINCT m.name FROM main.sqlite_schema AS m,"
                            " pragma_table_xinfo(m.name, 'main') AS x"
                            " WHERE m.type = 'table' AND x.hidden IN (2, 3)",
                            -1, &rows, NULL);
    while (rc == SQLITE_OK && (rc = sqlite3_step(rows)) == SQLITE_ROW)
        rc = add(unrecorded, sqlite3_column_text(rows, 0));
    (void)sqlite3_finalize(rows);
    if (rc != SQLITE_DONE)
        return rc;
    unrecorded->schema = schema;
    return SQLITE_OK;
}

bool unrecorded_has(const struct unrecorded *unrecorded, const char *table)
{
    if (sqlite3_strnicmp(table, "rowferry_", 9) == 0 ||
        sqlite3_strnicmp(table, "sqlite_", 7) == 0)
        return true;
    for (int i = 0; i < unrecorded->count; i++)
        if (strcmp(unrecorded->names[i], table) == 0)
            return true;
    return false;
}
