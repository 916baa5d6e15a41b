/* By which columns a table takes part, when it is not by its primary key. */
#include "engine/sqlite_keys.h"
#include "engine/sqlite_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Columns by their place in the definition, in the key's order. */
struct column_list {
    uint32_t *at; /* owned; room for all columns */
    uint32_t count;
};

static int32_t find_column(const struct definition *definition, const char *name)
{
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (sqlite3_stricmp(definition->columns[i].name, name) == 0)
            return (int32_t)i;
    return -1;
}

static bool has(const struct column_list *columns, uint32_t column)
{
    for (uint32_t i = 0; i < columns->count; i++)
        if (columns->at[i] == column)
            return true;
    return false;
}

/* ---- indexes */

enum fit { FIT_NONE, FIT_PARTIAL, FIT_WHOLE };

/* One index: the statement stands on the first of its columns, and is moved behind the
 * last. */
static enum status fit_index(struct sqlite_database *database, sqlite3_stmt *statement,
                             const struct column_list *columns, enum fit *fit,
                             struct error *err)
{
    uint32_t terms = (uint32_t)sqlite3_column_int(statement, 2), same = 0;
    bool partial = sqlite3_column_int(statement, 1) != 0;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < terms && status == STATUS_OK; i++) {
        int column = sqlite3_column_int(statement, 0); /* below 0: not a column */

        same += column >= 0 && has(columns, (uint32_t)column);
        status = sqlite_next_row(database, statement, err);
        if (status == STATUS_NOT_FOUND && i + 1 == terms)
            break;
    }
    *fit = same != terms || terms != columns->count ? FIT_NONE
           : partial                                ? FIT_PARTIAL
                                                    : FIT_WHOLE;
    return status;
}

/* The best of the table's unique indexes of exactly these columns. */
static enum status find_index(struct sqlite_database *database,
                              const struct definition *definition,
                              const struct column_list *columns, enum fit *best,
                              struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_query(database,
                     "SELECT x.cid, l.partial, count(*) OVER (PARTITION BY l.seq)"
                     " FROM pragma_index_list(?1, 'main') AS l"
                     " JOIN pragma_index_xinfo(l.name, 'main') AS x"
                     " WHERE l.\"unique\" AND x.\"key\" ORDER BY l.seq, x.seqno",
                     definition->local_name, &statement, err);

    *best = FIT_NONE;
    if (status == STATUS_OK)
        status = sqlite_next_row(database, statement, err);
    while (status == STATUS_OK) {
        enum fit fit = FIT_NONE;

        status = fit_index(database, statement, columns, &fit, err);
        if (fit > *best)
            *best = fit;
    }
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- what is told */

static enum status refuse(const struct definition *definition, const char *told,
                          const char *why, const char *column, struct error *err)
{
    return error_set(err, STATUS_REFUSED, "rowferry.ini: [table %s] key = %s: %s%s",
                     definition->local_name, told, why, column);
}

/* A primary key that can't hold NULL is as good as any. */
static bool has_good_key(const struct definition *definition)
{
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->key_position > 0 && !column->not_null && !definition->without_rowid &&
            sqlite3_stricmp(column->declared_type, "INTEGER") != 0)
            return false;
    }
    return definition->key_count > 0;
}

static enum status add_told(const struct definition *definition, const char *told,
                            const char *name, struct column_list *columns,
                            struct error *err)
{
    int32_t column = find_column(definition, name);

    if (column < 0)
        return refuse(definition, told, "there is no column ", name, err);
    if (has(columns, (uint32_t)column))
        return refuse(definition, told, "it names twice ", name, err);
    if (definition->columns[column].generated != GENERATED_NO)
        return refuse(definition, told, "generated is the column ", name, err);
    if (!definition->columns[column].not_null)
        return refuse(definition, told, "not NOT NULL is the column ", name, err);
    columns->at[columns->count++] = (uint32_t)column;
    return STATUS_OK;
}

static enum status read_told(struct sqlite_database *database,
                             const struct definition *definition, const char *told,
                             struct column_list *columns, struct error *err)
{
    const char *list = told;
    struct buffer name = {0};
    enum fit fit = FIT_NONE;
    enum status status = STATUS_OK;

    if (has_good_key(definition))
        return refuse(definition, told, "the table has a primary key", "", err);
    while (status == STATUS_OK && name_list_take(&list, &name)) {
        status = buffer_check(&name, err);
        if (status == STATUS_OK)
            status = add_told(definition, told, (const char *)name.data, columns, err);
    }
    buffer_release(&name);
    if (status == STATUS_OK && columns->count == 0)
        status = refuse(definition, told, "it names no column", "", err);
    if (status == STATUS_OK)
        status = find_index(database, definition, columns, &fit, err);
    if (status == STATUS_OK && fit == FIT_PARTIAL)
        return refuse(definition, told, "the unique index of these columns is partial",
                      "", err);
    if (status == STATUS_OK && fit == FIT_NONE)
        return refuse(definition, told, "no unique index has exactly these columns", "",
                      err);
    return status;
}

/* ---- what the fleet has */

static const char *key_column(const struct definition *definition, uint32_t position)
{
    uint32_t i = 0;

    while (definition->columns[i].key_position != position) {
        i++;
        assert(i < definition->column_count);
    }
    return definition->columns[i].name;
}

/* The columns of the fleet's key; *all: whether they are all here. */
static void map_key(const struct definition *definition, const struct definition *fleets,
                    struct column_list *columns, bool *all)
{
    columns->count = 0;
    *all = fleets->key_count <= definition->column_count;
    for (uint32_t i = 1; i <= fleets->key_count && *all; i++) {
        int32_t own = find_column(definition, key_column(fleets, i));

        *all = own >= 0 && !has(columns, (uint32_t)own);
        if (*all)
            columns->at[columns->count++] = (uint32_t)own;
    }
}

static enum status read_fleets(struct sqlite_database *database,
                               const struct definition *definition,
                               const struct definition *fleets,
                               struct column_list *columns, struct error *err)
{
    enum fit fit = FIT_NONE;
    enum status status = STATUS_OK;
    bool all = true;

    map_key(definition, fleets, columns, &all);
    for (uint32_t i = 0; all && i < columns->count; i++) {
        const struct column *column = &definition->columns[columns->at[i]];

        all = column->not_null && column->generated == GENERATED_NO;
    }
    if (all)
        status = find_index(database, definition, columns, &fit, err);
    if (fit != FIT_WHOLE)
        columns->count = 0;
    return status;
}

/* Told the fleet's columns in another order, take the fleet's: keys are compared as they
 * are written. Other columns than the fleet's would find none of its rows. */
static enum status as_fleets(const struct definition *definition, const char *told,
                             const struct definition *fleets, struct column_list *columns,
                             struct error *err)
{
    struct column_list theirs = {.at =
                                     calloc(definition->column_count, sizeof *theirs.at)};
    enum status status = STATUS_OK;
    bool all = true;

    if (theirs.at == NULL)
        return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
    map_key(definition, fleets, &theirs, &all);
    all = all && theirs.count == columns->count;
    for (uint32_t i = 0; all && i < theirs.count; i++)
        all = has(columns, theirs.at[i]);
    if (all)
        memcpy(columns->at, theirs.at, theirs.count * sizeof *theirs.at);
    else
        status =
            refuse(definition, told, "the fleet's key of it has other columns", "", err);
    free(theirs.at);
    return status;
}

/* ---- the choice */

static enum status choose(struct sqlite_database *database,
                          const struct definition *definition, const char *told,
                          const struct table_name *name, struct column_list *columns,
                          struct error *err)
{
    const struct definition *fleets = name->own != NULL ? name->own : name->others;
    enum status status = STATUS_OK;

    if (told != NULL) {
        status = read_told(database, definition, told, columns, err);
        return status == STATUS_OK && fleets != NULL
                   ? as_fleets(definition, told, fleets, columns, err)
                   : status;
    }
    if (definition->key_count == 0 && name->own != NULL)
        status = read_fleets(database, definition, name->own, columns, err);
    if (status == STATUS_OK && definition->key_count == 0 && columns->count == 0 &&
        name->others != NULL)
        status = read_fleets(database, definition, name->others, columns, err);
    return status;
}

enum status sqlite_key_choose(struct sqlite_database *database,
                              struct definition *definition, const char *told,
                              const struct table_name *name, bool *chosen,
                              struct error *err)
{
    struct column_list columns = {
        .at = calloc((size_t)definition->column_count + 1, sizeof *columns.at)};
    enum status status;

    *chosen = false;
    if (columns.at == NULL)
        return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
    status = choose(database, definition, told, name, &columns, err);
    if (status == STATUS_OK && columns.count > 0) {
        *chosen = true;
        for (uint32_t i = 0; i < definition->column_count; i++)
            definition->columns[i].key_position = 0;
        for (uint32_t i = 0; i < columns.count; i++)
            definition->columns[columns.at[i]].key_position = i + 1;
        definition->key_count = columns.count;
    }
    free(columns.at);
    return status;
}
