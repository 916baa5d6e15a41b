#include "engine/sqlite_table.h"

#include "engine/sqlite_keys.h"
#include "engine/sqlite_query.h"
#include "engine/sqlite_type.h"

#include <assert.h>
#include <string.h>

/* A longer one does not fit a key of the store. */
enum { NAME_SIZE_MAX = 500 };

/* hidden in PRAGMA table_xinfo. */
enum { HIDDEN_VIRTUAL = 2, HIDDEN_STORED = 3 };

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
}

static enum status read_column(struct sqlite_database *database, struct arena *arena,
                               sqlite3_stmt *statement,
                               const struct definition *definition, struct column *column,
                               struct error *err)
{
    const char *collation = NULL;
    enum status status = sqlite_copy_text(arena, statement, 0, &column->name, err);
    int hidden = sqlite3_column_int(statement, 5);

    if (status == STATUS_OK)
        status = sqlite_copy_text(arena, statement, 1, &column->declared_type, err);
    if (status == STATUS_OK)
        status = sqlite_copy_text(arena, statement, 3, &column->default_sql, err);
    if (status != STATUS_OK)
        return status;
    column->not_null = sqlite3_column_int(statement, 2) != 0;
    column->key_position = (uint32_t)sqlite3_column_int(statement, 4);
    column->type = sqlite_fleet_type(column->declared_type, definition->strict);
    column->generated = hidden == HIDDEN_VIRTUAL  ? GENERATED_VIRTUAL
                        : hidden == HIDDEN_STORED ? GENERATED_STORED
                                                  : GENERATED_NO;
    /* No PRAGMA tells a column's collation. */
    if (sqlite3_table_column_metadata(sqlite_database_handle(database), "main",
                                      definition->local_name, column->name, NULL,
                                      &collation, NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_failed(database, column->name, err);
    collation = sqlite_collation(collation);
    column->collation = sqlite_arena_text(arena, collation, strlen(collation));
    return column->collation != NULL ? STATUS_OK : no_memory(err);
}

static enum status read_columns(struct sqlite_database *database, struct arena *arena,
                                struct definition *definition, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_query(database,
                     "SELECT name, type, \"notnull\", dflt_value, pk, hidden,"
                     " count(*) OVER () FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
                     definition->local_name, &statement, err);

    if (status == STATUS_OK)
        status = sqlite_next_row(database, statement, err);
    if (status == STATUS_OK) {
        definition->columns =
            arena_take(arena, (size_t)sqlite3_column_int64(statement, 6),
                       sizeof *definition->columns);
        if (definition->columns == NULL)
            status = no_memory(err);
    }
    while (status == STATUS_OK) {
        struct column *column = &definition->columns[definition->column_count++];

        assert(definition->columns != NULL);
        status = read_column(database, arena, statement, definition, column, err);
        definition->stored_count += column->generated == GENERATED_NO;
        definition->key_count += column->key_position > 0;
        if (status == STATUS_OK)
            status = sqlite_next_row(database, statement, err);
    }
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Append one statement of the schema, ended by ";\n". */
static void put_statement(struct buffer *ddl, const char *sql)
{
    char *ended = sqlite3_mprintf("%s;", sql);

    buffer_put_bytes(ddl, bytes_of_text(sql));
    /* A comment at its end would swallow the semicolon. */
    if (ended == NULL)
        ddl->failed = true;
    else if (sqlite3_complete(ended) == 0)
        buffer_put(ddl, '\n', 1);
    sqlite3_free(ended);
    buffer_put_bytes(ddl, bytes_of_text(";\n"));
}

static enum status read_ddl(struct sqlite_database *database, struct buffer *ddl,
                            struct definition *definition, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_query(
        database,
        "SELECT sql FROM main.sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE"
        " AND sql IS NOT NULL AND type IN ('table', 'index', 'trigger') ORDER BY"
        " CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, rowid",
        definition->local_name, &statement, err);

    while (status == STATUS_OK) {
        const char *sql;

        status = sqlite_next_row(database, statement, err);
        if (status != STATUS_OK)
            break;
        sql = (const char *)sqlite3_column_text(statement, 0);
        if (sql == NULL)
            ddl->failed = true;
        else
            put_statement(ddl, sql);
    }
    (void)sqlite3_finalize(statement);
    buffer_put(ddl, 0, 1);
    if (status == STATUS_NOT_FOUND)
        status = buffer_check(ddl, err);
    definition->ddl = (const char *)ddl->data;
    return status;
}

/* Why the table can't be replicated; NULL when it can. */
static const char *obstacle(const struct definition *definition)
{
    if (definition->key_count == 0)
        return "no primary key";
    if (definition->local_name[0] == '\0' || definition->name[0] == '\0')
        return "its name is empty";
    if (strlen(definition->name) > NAME_SIZE_MAX)
        return "its name is over 500 bytes";
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (definition->columns[i].name[0] == '\0')
            return "the name of a column is empty";
    return NULL;
}

/* A copy that owns its memory, as whatever comes out of the log does. */
static enum status own_copy(struct definition *from, struct definition **out,
                            struct error *err)
{
    struct buffer bytes = {0};
    enum status status;

    from->number = 1; /* numbers begin there; the real one is given when it is logged */
    definition_encode(&bytes, from);
    status = buffer_check(&bytes, err);
    if (status == STATUS_OK)
        status = definition_decode(buffer_view(&bytes), out, err);
    if (status == STATUS_OK)
        (*out)->number = 0;
    buffer_release(&bytes);
    return status;
}

enum status sqlite_table_read(struct sqlite_database *database,
                              const struct table_names *names,
                              const struct table_name *name,
                              const struct table_rule *rule,
                              struct sqlite_table_flags flags, struct definition **out,
                              const char **why, struct error *err)
{
    const char *told = rule != NULL ? rule->key : NULL;
    bool chosen = false;
    struct arena arena = {0};
    struct buffer ddl = {0};
    struct definition definition = {
        .name = name->name,
        .local_name = name->table,
        .dialect = DIALECT_SQLITE,
        .without_rowid = flags.without_rowid,
        .strict = flags.strict,
    };
    enum status status = read_columns(database, &arena, &definition, err);

    *out = NULL;
    *why = NULL;
    if (status == STATUS_OK)
        status = sqlite_key_choose(database, &definition, told, name, &chosen, err);
    if (status != STATUS_OK)
        goto out;
    *why = obstacle(&definition);
    if (*why != NULL) {
        status = STATUS_NOT_FOUND;
        goto out;
    }
    status = sqlite_uniques_read(database, &arena, chosen, &definition, err);
    if (status == STATUS_OK)
        status = sqlite_foreign_keys_read(database, &arena, names, &definition, err);
    if (status == STATUS_OK)
        status = read_ddl(database, &ddl, &definition, err);
    if (status == STATUS_OK)
        status = own_copy(&definition, out, err);
    if (status != STATUS_OK)
        status = error_wrap(err, status, name->table);

out:
    buffer_release(&ddl);
    arena_release(&arena);
    return status;
}

enum status sqlite_table_read_references(struct sqlite_database *database,
                                         const char *name, struct arena *arena,
                                         struct definition *out, struct error *err)
{
    enum status status;

    *out =
        (struct definition){.name = name, .local_name = name, .dialect = DIALECT_SQLITE};
    status = read_columns(database, arena, out, err);
    return status == STATUS_OK ? sqlite_foreign_keys_read(database, arena, NULL, out, err)
                               : error_wrap(err, status, name);
}

/* Whether SQLite lets NULL into the key. */
static bool key_may_be_null(const struct definition *definition)
{
    if (definition->without_rowid)
        return false;
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (definition->columns[i].key_position > 0 && !definition->columns[i].not_null)
            return true;
    return false;
}

enum status sqlite_table_null_keys(struct sqlite_database *database,
                                   const struct definition *definition, int64_t *rows,
                                   struct error *err)
{
    struct buffer sql = {0};
    const char *between = " WHERE t.";
    enum status status;

    *rows = 0;
    if (!key_may_be_null(definition))
        return STATUS_OK;
    buffer_put_bytes(&sql, bytes_of_text("SELECT count(*) FROM main."));
    sqlite_put_quoted(&sql, definition->local_name);
    buffer_put_bytes(&sql, bytes_of_text(" AS t"));
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].key_position == 0 || definition->columns[i].not_null)
            continue;
        buffer_put_bytes(&sql, bytes_of_text(between));
        sqlite_put_quoted(&sql, definition->columns[i].name);
        buffer_put_bytes(&sql, bytes_of_text(" IS NULL"));
        between = " OR t.";
    }
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = sqlite_number(database, (const char *)sql.data, rows, err);
    buffer_release(&sql);
    return status;
}
