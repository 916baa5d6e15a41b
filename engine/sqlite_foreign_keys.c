#include "engine/sqlite_keys.h"
#include "engine/sqlite_query.h"

#include <assert.h>
#include <string.h>

/* A foreign key while its rows of PRAGMA foreign_key_list are read. */
struct reading {
    const struct table_names *names;
    struct foreign_key key;
    bool implicit; /* names no parent columns: the parent's primary key */
};

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
}

/* One name by a query with one name; *out is NULL when there is none. */
static enum status find_name(struct sqlite_database *database, struct arena *arena,
                             const char *sql, const char *name, const char *second,
                             const char **out, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_query(database, sql, name, &statement, err);

    *out = NULL;
    if (status == STATUS_OK && second != NULL &&
        sqlite3_bind_text(statement, 2, second, -1, SQLITE_STATIC) != SQLITE_OK)
        status = sqlite_failed(database, second, err);
    if (status == STATUS_OK)
        status = sqlite_next_row(database, statement, err);
    if (status == STATUS_OK)
        status = sqlite_copy_text(arena, statement, 0, out, err);
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The parent's columns as it spells them; *usable: false when it has not so many. */
static enum status find_parent_columns(struct sqlite_database *database,
                                       struct arena *arena, struct reading *reading,
                                       bool *usable, struct error *err)
{
    static const char by_name[] = "SELECT name FROM pragma_table_xinfo(?1, 'main')"
                                  " WHERE name = ?2 COLLATE NOCASE";
    static const char by_place[] = "SELECT name FROM pragma_table_xinfo(?1, 'main')"
                                   " WHERE pk = CAST(?2 AS INTEGER)";
    struct foreign_key *key = &reading->key;
    enum status status = STATUS_OK;
    const char *more = NULL;
    char place[16];

    for (uint32_t i = 0; i < key->column_count && *usable && status == STATUS_OK; i++) {
        (void)sqlite3_snprintf((int)sizeof place, place, "%u", i + 1);
        status =
            find_name(database, arena, reading->implicit ? by_place : by_name,
                      key->parent, reading->implicit ? place : key->parent_columns[i],
                      &key->parent_columns[i], err);
        *usable = key->parent_columns[i] != NULL;
    }
    if (status != STATUS_OK || !reading->implicit || !*usable)
        return status;
    (void)sqlite3_snprintf((int)sizeof place, place, "%u", key->column_count + 1);
    status = find_name(database, arena, by_place, key->parent, place, &more, err);
    *usable = more == NULL;
    return status;
}

/* Put the parent's own spelling, and keep the key when SQLite could check it. A missing
 * parent may still be made: named columns are enough then. */
static enum status finish(struct sqlite_database *database, struct arena *arena,
                          struct reading *reading, struct definition *definition,
                          struct error *err)
{
    const char *parent = NULL;
    bool usable = true;
    enum status status = STATUS_OK;

    if (reading->key.column_count == 0)
        return STATUS_OK;
    assert(reading->key.parent_columns != NULL);
    status = find_name(database, arena,
                       "SELECT name FROM main.sqlite_schema"
                       " WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
                       reading->key.parent, NULL, &parent, err);
    if (status == STATUS_OK && parent != NULL) {
        reading->key.parent = parent;
        status = find_parent_columns(database, arena, reading, &usable, err);
    } else if (reading->implicit) {
        usable = false;
    }
    if (reading->names != NULL)
        reading->key.parent =
            table_names_of(reading->names, reading->key.parent, reading->key.parent);
    if (status == STATUS_OK && usable && reading->key.parent != NULL)
        definition->foreign_keys[definition->foreign_key_count++] = reading->key;
    return status;
}

static enum status start(struct arena *arena, sqlite3_stmt *statement,
                         uint32_t columns_max, struct reading *reading, struct error *err)
{
    *reading = (struct reading){.names = reading->names, .key.name = ""};
    reading->implicit = sqlite3_column_type(statement, 4) == SQLITE_NULL;
    reading->key.columns = arena_take(arena, columns_max, sizeof(const char *));
    reading->key.parent_columns = arena_take(arena, columns_max, sizeof(const char *));
    if (reading->key.columns == NULL || reading->key.parent_columns == NULL)
        return no_memory(err);
    return sqlite_copy_text(arena, statement, 2, &reading->key.parent, err);
}

/* One row: (id, seq, parent, column, parent's column). The first of a key ends the one
 * before it. */
static enum status take_row(struct sqlite_database *database, struct arena *arena,
                            sqlite3_stmt *statement, struct reading *reading,
                            struct definition *definition, struct error *err)
{
    enum status status = STATUS_OK;
    uint32_t at;

    if (sqlite3_column_int(statement, 1) == 0) {
        status = finish(database, arena, reading, definition, err);
        if (status == STATUS_OK && definition->foreign_key_count == DEFINITION_KEYS_MAX)
            status = error_set(err, STATUS_REFUSED, "more than %d foreign keys",
                               DEFINITION_KEYS_MAX);
        if (status == STATUS_OK)
            status = start(arena, statement, (uint32_t)sqlite3_column_int(statement, 5),
                           reading, err);
    }
    if (status != STATUS_OK)
        return status;
    at = reading->key.column_count++;
    status = sqlite_copy_text(arena, statement, 3, &reading->key.columns[at], err);
    if (status == STATUS_OK)
        status =
            sqlite_copy_text(arena, statement, 4, &reading->key.parent_columns[at], err);
    return status;
}

enum status sqlite_foreign_keys_read(struct sqlite_database *database,
                                     struct arena *arena, const struct table_names *names,
                                     struct definition *definition, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    struct reading reading = {.names = names, .key.name = ""};
    enum status status;

    definition->foreign_keys =
        arena_take(arena, DEFINITION_KEYS_MAX, sizeof *definition->foreign_keys);
    if (definition->foreign_keys == NULL)
        return no_memory(err);
    /* The newest declared has id 0. */
    status =
        sqlite_query(database,
                     "SELECT id, seq, \"table\", \"from\", \"to\","
                     " count(*) OVER (PARTITION BY id)"
                     " FROM pragma_foreign_key_list(?1, 'main') ORDER BY id DESC, seq",
                     definition->local_name, &statement, err);
    while (status == STATUS_OK) {
        status = sqlite_next_row(database, statement, err);
        if (status == STATUS_OK)
            status = take_row(database, arena, statement, &reading, definition, err);
    }
    (void)sqlite3_finalize(statement);
    if (status == STATUS_NOT_FOUND)
        status = finish(database, arena, &reading, definition, err);
    return status;
}
