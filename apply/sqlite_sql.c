#include "apply/sqlite_sql.h"

#include "engine/sqlite_row.h"
#include "log/row_key.h"

#include <assert.h>
#include <string.h>

void sql_put(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

void sql_put_table(struct buffer *sql, enum sql_schema schema,
                   const struct definition *definition)
{
    sql_put(sql, schema == SCHEMA_MAIN ? "main." : "rowferry_scratch.");
    sqlite_put_quoted(sql, definition->local_name);
}

void sql_put_column(struct buffer *sql, const char *alias, const char *name)
{
    if (alias != NULL) {
        sql_put(sql, alias);
        sql_put(sql, ".");
    }
    sqlite_put_quoted(sql, name);
}

const struct column *sql_key_column(const struct definition *definition, uint32_t place)
{
    uint32_t i = 0;

    assert(place < definition->key_count);
    while (definition->columns[i].key_position != place + 1) {
        i++;
        assert(i < definition->column_count); /* a key has all its columns */
    }
    return &definition->columns[i];
}

void sql_put_key_condition(struct buffer *sql, const struct definition *definition,
                           const char *alias, int first)
{
    for (uint32_t i = 0; i < definition->key_count; i++) {
        const struct column *column = sql_key_column(definition, i);
        char parameter[16];

        (void)sqlite3_snprintf((int)sizeof parameter, parameter, " = ?%d",
                               first + (int)i);
        sql_put(sql, i == 0 ? " WHERE " : " AND ");
        sql_put_column(sql, alias, column->name);
        sql_put(sql, parameter);
        if (sqlite3_stricmp(column->collation, "BINARY") == 0)
            continue;
        /* The first term finds the row by the key's own index, this one tells it from
         * others that only look the same to the collation. */
        sql_put(sql, " AND ");
        sql_put_column(sql, alias, column->name);
        sql_put(sql, parameter);
        sql_put(sql, " COLLATE BINARY");
    }
}

void sql_put_key_columns(struct buffer *sql, const struct definition *definition,
                         const char *alias)
{
    for (uint32_t i = 0; i < definition->key_count; i++) {
        if (i > 0)
            sql_put(sql, ", ");
        sql_put_column(sql, alias, sql_key_column(definition, i)->name);
    }
}

void sql_put_stored_columns(struct buffer *sql, const struct definition *definition)
{
    const char *between = "";

    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        sql_put(sql, between);
        sqlite_put_quoted(sql, definition->columns[i].name);
        between = ", ";
    }
}

bool sql_is_stored_as_it_is(const struct column *column, const struct value *value)
{
    switch (value->type) {
    case VALUE_BLOB:
        return true;
    case VALUE_INTEGER:
        return column->type != FLEET_TEXT && column->type != FLEET_REAL;
    case VALUE_TEXT:
        return column->type == FLEET_TEXT || column->type == FLEET_ANY ||
               column->type == FLEET_BLOB;
    default:
        return false;
    }
}

enum status sql_take_key(struct buffer *key, sqlite3_stmt *statement, int first,
                         const struct definition *definition, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < definition->key_count && status == STATUS_OK; i++) {
        struct value value;

        status = sqlite_column_value(statement, first + (int)i, &value, err);
        if (status == STATUS_OK)
            status = row_key_put(key, &value, err);
    }
    return status == STATUS_OK ? buffer_check(key, err) : status;
}

void sql_bind_bytes(sqlite3_stmt *statement, int parameter, struct bytes bytes)
{
    (void)sqlite3_bind_blob64(statement, parameter,
                              bytes.size > 0 ? (const void *)bytes.data : "", bytes.size,
                              SQLITE_STATIC);
}

struct bytes sql_column_bytes(sqlite3_stmt *statement, int column)
{
    struct bytes bytes = {.data = sqlite3_column_blob(statement, column)};

    bytes.size = (size_t)sqlite3_column_bytes(statement, column);
    return bytes;
}

enum status sql_prepare(struct sqlite_database *database, struct buffer *sql,
                        sqlite3_stmt **out, struct error *err)
{
    enum status status;

    *out = NULL;
    buffer_put(sql, 0, 1);
    status = buffer_check(sql, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(database, (const char *)sql->data, out, err);
    buffer_clear(sql);
    return status;
}

enum status sql_execute(struct sqlite_database *database, struct buffer *sql,
                        struct error *err)
{
    enum status status;

    buffer_put(sql, 0, 1);
    status = buffer_check(sql, err);
    if (status == STATUS_OK)
        status = sqlite_execute(database, (const char *)sql->data, err);
    buffer_clear(sql);
    return status;
}

enum status sql_prepare_once(struct sqlite_database *database, const char *text,
                             sqlite3_stmt **statement, struct error *err)
{
    return *statement != NULL ? STATUS_OK
                              : sqlite_prepare(database, text, statement, err);
}

enum status sql_run(struct sqlite_database *database, sqlite3_stmt *statement,
                    const char *what, struct error *err)
{
    int rc = sqlite3_step(statement);
    enum status status =
        rc == SQLITE_DONE ? STATUS_OK : sqlite_failed(database, what, err);

    (void)sqlite3_reset(statement);
    return status;
}
