/* A SQLite table in Postgres. */
#include "engine/schema_private.h"

#include <string.h>
#include <strings.h>

enum { POSTGRES_NAME_MAX = 63 }; /* what is longer is cut by Postgres */

static const char *type_of(const struct column *column)
{
    switch (column->type) {
    case FLEET_INTEGER:
        return "bigint";
    case FLEET_REAL:
        return "double precision";
    case FLEET_BLOB:
        return "bytea";
    case FLEET_NUMERIC:
        return "numeric";
    case FLEET_BOOLEAN:
        return "boolean";
    default:
        return "text";
    }
}

static enum status check_name(const struct definition *definition, const char *name,
                              struct error *err)
{
    if (strlen(name) <= POSTGRES_NAME_MAX)
        return STATUS_OK;
    return error_set(
        err, STATUS_REFUSED,
        "table %s: %s is longer than the 63 bytes of a name in Postgres: "
        "make the table by hand, and map it in rowferry.ini ([table X] name)",
        definition->name, name);
}

/* The fleet's name of a table is "table" or "schema.table". */
static void put_table(struct buffer *sql, const char *name)
{
    const char *dot = strchr(name, '.');
    struct buffer schema = {0};

    if (dot == NULL || dot == name || dot[1] == '\0') {
        schema_put_text(sql, "public.");
        schema_put_name(sql, name);
        return;
    }
    buffer_put_bytes(&schema,
                     (struct bytes){(const uint8_t *)name, (size_t)(dot - name)});
    buffer_put(&schema, 0, 1);
    if (schema.failed)
        sql->failed = true;
    else
        schema_put_name(sql, (const char *)schema.data);
    schema_put_text(sql, ".");
    schema_put_name(sql, dot + 1);
    buffer_release(&schema);
}

static void put_schema(struct buffer *sql, const char *name)
{
    const char *dot = strchr(name, '.');

    if (dot == NULL || dot == name || dot[1] == '\0')
        return;
    schema_put_text(sql, "CREATE SCHEMA IF NOT EXISTS \"");
    for (const char *at = name; at < dot; at++) {
        if (*at == '"')
            buffer_put(sql, '"', 1);
        buffer_put(sql, (uint8_t)*at, 1);
    }
    schema_put_text(sql, "\";\n");
}

/* ---- columns */

static bool is_row_number(const struct definition *definition,
                          const struct column *column)
{
    return definition->key_count == 1 && column->key_position == 1 &&
           !definition->without_rowid &&
           strcasecmp(column->declared_type, "INTEGER") == 0;
}

static const char *now_of(const char *value)
{
    if (strcasecmp(value, "CURRENT_DATE") == 0)
        return "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')";
    if (strcasecmp(value, "CURRENT_TIME") == 0)
        return "to_char(now() AT TIME ZONE 'UTC', 'HH24:MI:SS')";
    return "to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')";
}

/* Whether a literal is one of the type; else Postgres would refuse the table. */
static bool put_literal(struct buffer *sql, const char *type,
                        const struct schema_literal *literal)
{
    struct bytes text = buffer_view(&literal->bytes);

    if (strcmp(type, "text") == 0 && literal->type != VALUE_BLOB) {
        schema_put_literal(sql, text);
    } else if (strcmp(type, "bytea") == 0 && literal->type == VALUE_BLOB) {
        schema_put_text(sql, "'\\x");
        buffer_put_bytes(sql, text);
        schema_put_text(sql, "'");
    } else if (strcmp(type, "boolean") == 0 && literal->type == VALUE_INTEGER &&
               text.size == 1 && (text.data[0] == '0' || text.data[0] == '1')) {
        schema_put_text(sql, text.data[0] == '1' ? "true" : "false");
    } else if (literal->type == VALUE_INTEGER &&
               (strcmp(type, "numeric") == 0 || strcmp(type, "double precision") == 0 ||
                (strcmp(type, "bigint") == 0 &&
                 memchr(text.data, '.', text.size) == NULL &&
                 memchr(text.data, 'e', text.size) == NULL &&
                 memchr(text.data, 'E', text.size) == NULL))) {
        buffer_put_bytes(sql, text);
    } else {
        return false;
    }
    return true;
}

static void put_default(struct schema_text *text, const struct definition *definition,
                        const struct column *column)
{
    struct buffer *sql = &text->tables;
    struct schema_literal literal;
    size_t before = sql->size;
    bool known;

    if (column->default_sql == NULL)
        return;
    schema_put_text(sql, " DEFAULT ");
    known = schema_take_literal(column->default_sql, &literal);
    if (known && literal.type == VALUE_NULL) {
        buffer_cut(sql, before);
    } else if (known) {
        known = put_literal(sql, type_of(column), &literal);
    } else if (schema_is_now(column->default_sql) &&
               strcmp(type_of(column), "text") == 0) {
        schema_put_text(sql, now_of(column->default_sql));
        known = true;
    }
    buffer_release(&literal.bytes);
    if (known)
        return;
    buffer_cut(sql, before);
    schema_note(text, definition, column->name,
                "its default has no counterpart in Postgres: a value must be given");
}

static enum status put_column(struct schema_text *text,
                              const struct definition *definition,
                              const struct column *column, struct error *err)
{
    struct buffer *sql = &text->tables;

    schema_put_text(sql, "    ");
    schema_put_name(sql, column->name);
    schema_put_text(sql, " ");
    schema_put_text(sql, type_of(column));
    if (is_row_number(definition, column))
        schema_put_text(sql, " GENERATED BY DEFAULT AS IDENTITY");
    else
        put_default(text, definition, column);
    if (column->not_null)
        schema_put_text(sql, " NOT NULL");
    if (column->type == FLEET_ANY) {
        schema_note(text, definition, column->name,
                    "has no type in SQLite and is text in Postgres: a number written "
                    "there comes back as text");
    }
    return check_name(definition, column->name, err);
}

/* ---- keys */

static const struct column *column_named(const struct definition *definition,
                                         const char *name)
{
    int32_t column = definition_find_column(definition, name);

    return column < 0 ? NULL : &definition->columns[column];
}

/* A text compared by one of SQLite's collations, as bytes that are equal when it is. */
static void put_compared(struct buffer *sql, const struct column *column,
                         const char *name, const char *collation)
{
    bool text = column != NULL && strcmp(type_of(column), "text") == 0;

    if (text && strcmp(collation, "NOCASE") == 0) {
        schema_put_text(sql, "lower(");
        schema_put_name(sql, name);
        schema_put_text(sql, " COLLATE \"C\")");
    } else if (text && strcmp(collation, "RTRIM") == 0) {
        schema_put_text(sql, "rtrim(");
        schema_put_name(sql, name);
        schema_put_text(sql, ", ' ')");
    } else {
        schema_put_name(sql, name);
    }
}

static void put_unique(struct schema_text *text, const struct definition *definition,
                       const struct unique_key *unique)
{
    struct buffer *sql = &text->tables;
    size_t before = sql->size;
    bool same = true;

    schema_put_text(sql, "CREATE UNIQUE INDEX ON ");
    put_table(sql, definition->name);
    schema_put_text(sql, " (");
    for (uint32_t i = 0; i < unique->term_count && same; i++) {
        schema_put_text(sql, i == 0 ? "" : ", ");
        if (!unique->is_expression[i]) {
            put_compared(sql, column_named(definition, unique->terms[i]),
                         unique->terms[i], unique->collations[i]);
            continue;
        }
        schema_put_text(sql, "(");
        same = schema_put_expression(sql, unique->terms[i], definition);
        schema_put_text(sql, ")");
    }
    schema_put_text(sql, ")");
    if (same && unique->where_sql != NULL) {
        schema_put_text(sql, " WHERE ");
        same = schema_put_expression(sql, unique->where_sql, definition);
    }
    schema_put_text(sql, ";\n");
    if (same)
        return;
    buffer_cut(sql, before);
    schema_note(text, definition, unique->name,
                "this unique index has no counterpart in Postgres: rows that SQLite "
                "would refuse are parked there");
}

static void put_foreign_key(struct buffer *sql, const struct definition *definition,
                            const struct foreign_key *key)
{
    schema_put_text(sql, "ALTER TABLE ");
    put_table(sql, definition->name);
    schema_put_text(sql, " ADD FOREIGN KEY");
    schema_put_names(sql, key->columns, key->column_count);
    schema_put_text(sql, " REFERENCES ");
    put_table(sql, key->parent);
    schema_put_names(sql, key->parent_columns, key->column_count);
    schema_put_text(sql, ";\n");
}

enum status schema_put_postgres(struct schema_text *text,
                                const struct definition *definition, struct error *err)
{
    struct buffer *sql = &text->tables;
    enum status status = check_name(definition, definition->name, err);
    bool first = true;

    put_schema(sql, definition->name);
    schema_put_text(sql, "CREATE TABLE ");
    put_table(sql, definition->name);
    schema_put_text(sql, " (\n");
    for (uint32_t i = 0; i < definition->column_count && status == STATUS_OK; i++) {
        const struct column *column = &definition->columns[i];

        if (column->generated != GENERATED_NO) {
            schema_note(text, definition, column->name,
                        "a generated column, left out: add it as Postgres computes it, "
                        "if it is wanted");
            continue;
        }
        schema_put_text(sql, first ? "" : ",\n");
        status = put_column(text, definition, column, err);
        first = false;
    }
    schema_put_key(sql, definition);
    schema_put_text(sql, "\n);\n");
    for (uint32_t i = 0; i < definition->unique_count; i++)
        put_unique(text, definition, &definition->uniques[i]);
    for (uint32_t i = 0; i < definition->foreign_key_count; i++)
        if (definition->foreign_keys[i].counts)
            put_foreign_key(&text->links, definition, &definition->foreign_keys[i]);
    if (!definition->strict) {
        schema_note(text, definition, NULL,
                    "SQLite keeps any value in any column; one that its type in Postgres "
                    "can't have is quarantined there");
    }
    return status;
}
