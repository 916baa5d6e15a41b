#include "engine/sqlite_catalog.h"

#include "engine/sqlite_query.h"
#include "engine/sqlite_table.h"
#include "log/arena.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
}

/* ---- names */

enum status sqlite_has_table(struct sqlite_database *database, const char *table,
                             bool views, bool *has, struct error *err)
{
    static const char tables_only[] = "SELECT 1 FROM main.sqlite_schema WHERE"
                                      " type = 'table' AND name = ?1 COLLATE NOCASE";
    static const char with_views[] =
        "SELECT 1 FROM main.sqlite_schema WHERE"
        " type IN ('table', 'view') AND name = ?1 COLLATE NOCASE";
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_query(database, views ? with_views : tables_only, table, &statement, err);

    if (status == STATUS_OK)
        status = sqlite_next_row(database, statement, err);
    *has = status == STATUS_OK;
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status check_names(struct sqlite_database *database,
                               const struct table_rules *rules, struct error *err)
{
    const char *only = rules != NULL ? rules->only : NULL;
    struct buffer name = {0};
    enum status status = STATUS_OK;

    while (status == STATUS_OK && only != NULL && name_list_take(&only, &name)) {
        bool has = false;

        status = buffer_check(&name, err);
        if (status == STATUS_OK)
            status =
                sqlite_has_table(database, (const char *)name.data, false, &has, err);
        if (status == STATUS_OK && !has) {
            status =
                error_set(err, STATUS_REFUSED,
                          "there is no table %s to replicate: `rowferry init --check` "
                          "without --tables names those there are",
                          (const char *)name.data);
        }
    }
    buffer_release(&name);
    return status;
}

/* ---- tables */

/* SQLite's own, and those that rowferry makes in a user's database. */
static bool is_internal(const char *name)
{
    return sqlite3_strnicmp(name, "sqlite_", 7) == 0 ||
           sqlite3_stricmp(name, "rowferry_state") == 0 ||
           sqlite3_stricmp(name, "rowferry_outbox") == 0;
}

static enum status add_null_keys(struct sqlite_database *database,
                                 struct catalog *catalog,
                                 const struct definition *definition, struct error *err)
{
    char *why = NULL;
    int64_t rows = 0;
    enum status status = sqlite_table_null_keys(database, definition, &rows, err);

    if (status != STATUS_OK || rows == 0)
        return status;
    if (asprintf(&why, "%lld rows with NULL in the key are not replicated",
                 (long long)rows) < 0)
        why = NULL;
    return catalog_add_skipped(catalog, definition->local_name, why, err);
}

/* A collation that only the application registers can be neither compared nor written by
 * others. *unknown becomes name when it is one; a name without text is none. */
static enum status check_collation(struct sqlite_database *database, const char *name,
                                   const char **unknown, struct error *err)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    enum status status;
    int rc = SQLITE_OK;

    if (name[0] == '\0')
        return STATUS_OK;
    buffer_put_bytes(&sql, bytes_of_text("SELECT '' = '' COLLATE "));
    sqlite_put_quoted(&sql, name);
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        rc = sqlite3_prepare_v2(sqlite_database_handle(database), (const char *)sql.data,
                                -1, &statement, NULL);
    if ((rc & 0xff) == SQLITE_ERROR)
        *unknown = name;
    else if (rc != SQLITE_OK)
        status = sqlite_failed(database, name, err);
    (void)sqlite3_finalize(statement);
    buffer_release(&sql);
    return status;
}

/* *unknown is NULL when all are known. */
static enum status find_unknown_collation(struct sqlite_database *database,
                                          const struct definition *definition,
                                          const char **unknown, struct error *err)
{
    enum status status = STATUS_OK;

    *unknown = NULL;
    for (uint32_t i = 0;
         status == STATUS_OK && *unknown == NULL && i < definition->column_count; i++)
        status =
            check_collation(database, definition->columns[i].collation, unknown, err);
    for (uint32_t i = 0; i < definition->unique_count; i++) {
        const struct unique_key *unique = &definition->uniques[i];

        for (uint32_t term = 0;
             status == STATUS_OK && *unknown == NULL && term < unique->term_count; term++)
            status = check_collation(database, unique->collations[term], unknown, err);
    }
    return status;
}

/* Add a table that could be replicated, or say why it can't after all. Takes definition.
 */
static enum status add_known(struct sqlite_database *database, struct catalog *catalog,
                             struct definition *definition, struct error *err)
{
    const char *unknown;
    char *why = NULL;
    enum status status = find_unknown_collation(database, definition, &unknown, err);

    if (status == STATUS_OK && unknown == NULL) {
        status = catalog_add(catalog, definition, err);
        return status == STATUS_OK ? add_null_keys(database, catalog, definition, err)
                                   : status;
    }
    if (status == STATUS_OK) {
        if (asprintf(&why, "its collation %s is the application's own", unknown) < 0)
            why = NULL;
        status = catalog_add_skipped(catalog, definition->local_name, why, err);
    }
    definition_close(definition);
    return status;
}

/* Tables that may be replicated, before anything is known of them but their names. */
struct found_tables {
    struct arena arena;
    const char **names;               /* owned */
    struct sqlite_table_flags *flags; /* owned */
    size_t count;
};

static void release_found(struct found_tables *found)
{
    free((void *)found->names);
    free(found->flags);
    arena_release(&found->arena);
}

static enum status add_found(struct found_tables *found, const char *name,
                             struct sqlite_table_flags flags, struct error *err)
{
    const char *copy = sqlite_arena_text(&found->arena, name, strlen(name));
    const char **names = catalog_grow((void *)found->names, found->count, sizeof *names);
    struct sqlite_table_flags *more;

    if (names != NULL)
        found->names = names;
    more = catalog_grow(found->flags, found->count, sizeof *more);
    if (more != NULL)
        found->flags = more;
    if (copy == NULL || names == NULL || more == NULL)
        return no_memory(err);
    found->names[found->count] = copy;
    found->flags[found->count++] = flags;
    return STATUS_OK;
}

static enum status add_table(struct sqlite_database *database, struct catalog *catalog,
                             const struct table_names *names,
                             const struct table_name *name, const struct table_rule *rule,
                             struct sqlite_table_flags flags, struct error *err)
{
    struct definition *definition = NULL;
    const char *why = NULL;
    enum status status;

    if (name->name == NULL) {
        status = catalog_add_skipped(catalog, name->table, strdup(name->why), err);
        if (status == STATUS_OK)
            catalog->skipped[catalog->skipped_count - 1].ambiguous = true;
        return status;
    }
    status =
        sqlite_table_read(database, names, name, rule, flags, &definition, &why, err);
    if (status == STATUS_NOT_FOUND)
        return catalog_add_skipped(catalog, name->table, strdup(why), err);
    return status == STATUS_OK ? add_known(database, catalog, definition, err) : status;
}

/* One row of PRAGMA table_list: (name, type, without rowid, strict, foreign module's
 * table). A module that is not loaded here can't name its own tables: those whose names
 * begin with the virtual table's are taken for them. */
static enum status take_table(struct catalog *catalog, const struct table_rules *rules,
                              sqlite3_stmt *statement, struct found_tables *found,
                              struct error *err)
{
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    const char *type = (const char *)sqlite3_column_text(statement, 1);
    const char *owner = (const char *)sqlite3_column_text(statement, 4);
    struct sqlite_table_flags flags = {
        .without_rowid = sqlite3_column_int(statement, 2) != 0,
        .strict = sqlite3_column_int(statement, 3) != 0,
    };
    enum status status;
    char *why = NULL;
    bool wanted = false;

    if (name == NULL || type == NULL)
        return no_memory(err);
    if (is_internal(name) || strcmp(type, "view") == 0)
        return STATUS_OK;
    status = table_rules_wants(rules, name, &wanted, err);
    if (status != STATUS_OK || !wanted)
        return status;
    if (strcmp(type, "virtual") == 0)
        return catalog_add_skipped(catalog, name, strdup("virtual table"), err);
    if (strcmp(type, "shadow") == 0)
        return catalog_add_skipped(catalog, name, strdup("belongs to a virtual table"),
                                   err);
    if (owner == NULL)
        return add_found(found, name, flags, err);
    if (asprintf(&why,
                 "seems to belong to the virtual table %s, whose module is not here",
                 owner) < 0)
        why = NULL;
    return catalog_add_skipped(catalog, name, why, err);
}

/* A virtual table whose module is not loaded is one of which PRAGMA table_list knows no
 * columns. */
static const char tables_sql[] =
    "SELECT l.name, l.type, l.wr, l.strict, (SELECT v.name FROM pragma_table_list AS v"
    "  WHERE v.schema = 'main' AND v.type = 'virtual' AND v.ncol = 0"
    "  AND substr(l.name, 1, length(v.name) + 1) = v.name || '_' COLLATE NOCASE)"
    " FROM pragma_table_list AS l WHERE l.schema = 'main' ORDER BY l.name";

static enum status find_tables(struct sqlite_database *database,
                               const struct table_rules *rules, struct catalog *catalog,
                               struct found_tables *found, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_query(database, tables_sql, NULL, &statement, err);

    while (status == STATUS_OK) {
        status = sqlite_next_row(database, statement, err);
        if (status == STATUS_OK)
            status = take_table(catalog, rules, statement, found, err);
    }
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status read_tables(struct sqlite_database *database,
                               const struct table_rules *rules, struct store_txn *txn,
                               struct catalog *catalog, struct error *err)
{
    struct found_tables found = {0};
    struct table_names names = {0};
    enum status status = find_tables(database, rules, catalog, &found, err);

    if (status == STATUS_OK)
        status = table_names_match(&names, found.names, found.count, rules, txn, err);
    for (size_t i = 0; i < found.count && status == STATUS_OK; i++) {
        const struct table_rule *rule = table_rules_find(rules, found.names[i]);

        status = add_table(database, catalog, &names, &names.list[i], rule,
                           found.flags[i], err);
    }
    table_names_release(&names);
    release_found(&found);
    return status;
}

/* Which tables need what only the application has: SQLite says so when it makes them. A
 * connection that only reads does not look at their CHECKs. */
static enum status find_lacking(struct catalog *catalog, struct error *err)
{
    struct sqlite_database *memory = NULL;
    struct error why;
    enum status made, status = sqlite_memory_open(&memory, err);

    catalog->lacks = (char **)calloc(catalog->count + 1, sizeof(char *));
    if (status == STATUS_OK && catalog->lacks == NULL)
        status = no_memory(err);
    for (size_t i = 0; i < catalog->count && status == STATUS_OK; i++) {
        made = sqlite_create_table(memory, catalog->definitions[i], &why);
        if (made == STATUS_NO_MEMORY)
            status = no_memory(err);
        if (made != STATUS_NOT_FOUND)
            continue;
        assert(catalog->lacks != NULL);
        catalog->lacks[i] = strdup(why.text);
        if (catalog->lacks[i] == NULL)
            status = no_memory(err);
    }
    sqlite_database_close(memory);
    return status;
}

enum status sqlite_catalog_read(struct sqlite_database *database,
                                const struct table_rules *rules, struct store_txn *txn,
                                struct catalog *out, struct error *err)
{
    enum status status;

    *out = (struct catalog){0};
    assert(sqlite3_get_autocommit(sqlite_database_handle(database)) == 0);
    status = check_names(database, rules, err);
    if (status == STATUS_OK)
        status = sqlite_schema_version(database, &out->schema_version, err);
    if (status == STATUS_OK)
        status = read_tables(database, rules, txn, out, err);
    if (status != STATUS_OK) {
        catalog_release(out);
        return sqlite_wrap(database, status, err);
    }
    /* By bytes: SQLite's own order depends on the database's encoding. */
    catalog_sort(out);
    status = find_lacking(out, err);
    if (status == STATUS_OK)
        return status;
    catalog_release(out);
    return sqlite_wrap(database, status, err);
}

bool sqlite_numbers_rows(const struct definition *definition)
{
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->key_position > 0)
            return definition->key_count == 1 && !definition->without_rowid &&
                   sqlite3_stricmp(column->declared_type, "INTEGER") == 0;
    }
    return false;
}
