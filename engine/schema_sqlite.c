/* A Postgres table in SQLite. */
#include "engine/schema_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_type(const struct column *column, const char *name)
{
    size_t size = strlen(name);

    return strncmp(column->declared_type, name, size) == 0 &&
           (column->declared_type[size] == '\0' || column->declared_type[size] == '(');
}

/* The number in "character varying(20)"; 0: none. */
static unsigned long length_of(const struct column *column)
{
    const char *open = strchr(column->declared_type, '(');

    return open == NULL ? 0 : strtoul(open + 1, NULL, 10);
}

static const char *storage_of(const struct column *column)
{
    switch (column->type) {
    case FLEET_INTEGER:
    case FLEET_BOOLEAN:
        return "INTEGER";
    case FLEET_REAL:
        return "REAL";
    case FLEET_BLOB:
        return "BLOB";
    case FLEET_NUMERIC: /* whole numbers are integers in keys (log/row_key.h), others text
                         */
        return column->key_position > 0 ? "ANY" : "TEXT";
    default:
        return "TEXT";
    }
}

static bool is_row_number(const struct definition *definition,
                          const struct column *column)
{
    return definition->key_count == 1 && column->key_position == 1 &&
           column->type == FLEET_INTEGER;
}

/* ---- defaults */

/* As Postgres would print it, but for what is left out at the end of a fraction. */
static const char *now_of(const struct column *column)
{
    switch (column->type) {
    case FLEET_TIMESTAMPTZ:
        return "(strftime('%Y-%m-%d %H:%M:%f+00', 'now'))";
    case FLEET_TIMESTAMP:
        return "(strftime('%Y-%m-%d %H:%M:%f', 'now'))";
    case FLEET_DATE:
        return "(date('now'))";
    case FLEET_TIME:
        return "(strftime('%H:%M:%f', 'now'))";
    default:
        return NULL;
    }
}

static const char random_uuid[] =
    "(lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || "
    "substr(hex(randomblob(2)), 2) || '-' || substr('89ab', 1 + (random() & 3), 1) || "
    "substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))))";

static void put_literal(struct buffer *sql, const struct column *column,
                        const struct schema_literal *literal)
{
    struct bytes text = buffer_view(&literal->bytes);
    const char *storage = storage_of(column);

    if (column->type == FLEET_BOOLEAN && !literal->is_truth) {
        buffer_put(sql, text.size > 0 && strchr("tTyY1", text.data[0]) ? '1' : '0', 1);
    } else if (strcmp(storage, "BLOB") == 0) {
        /* '\x00ff' */
        buffer_put(sql, 'x', 1);
        schema_put_literal(
            sql, text.size < 2 ? text : (struct bytes){text.data + 2, text.size - 2});
    } else if (strcmp(storage, "TEXT") == 0 ||
               (strcmp(storage, "ANY") == 0 && memchr(text.data, '.', text.size))) {
        schema_put_literal(sql, text);
    } else {
        buffer_put_bytes(sql, text);
    }
}

static void put_default(struct schema_text *text, const struct definition *definition,
                        const struct column *column)
{
    struct schema_literal literal;
    struct buffer *sql = &text->tables;
    const char *value = column->default_sql;
    const char *instead = NULL;

    if (value == NULL || is_row_number(definition, column))
        return;
    if (schema_take_literal(value, &literal)) {
        if (literal.type != VALUE_NULL) {
            schema_put_text(sql, " DEFAULT ");
            put_literal(sql, column, &literal);
        }
    } else {
        if (schema_is_now(value))
            instead = now_of(column);
        else if (column->type == FLEET_UUID && (strcmp(value, "gen_random_uuid()") == 0 ||
                                                strstr(value, "uuid_generate_v4()")))
            instead = random_uuid;
        if (instead != NULL) {
            schema_put_text(sql, " DEFAULT ");
            schema_put_text(sql, instead);
        } else {
            schema_note(text, definition, column->name,
                        strncmp(value, "nextval(", 8) == 0
                            ? "is numbered by a sequence in Postgres; in SQLite a value "
                              "must be given"
                            : "its default has no counterpart in SQLite: a value must be "
                              "given");
        }
    }
    buffer_release(&literal.bytes);
}

/* ---- columns */

/* What Postgres would refuse is refused here, too. */
static void put_check(struct buffer *sql, const struct column *column)
{
    unsigned long length = length_of(column);
    char text[128] = "";
    const char *end = "";

    schema_put_text(sql, "");
    if (column->type == FLEET_BOOLEAN)
        end = " IN (0, 1))";
    else if (is_type(column, "smallint"))
        end = " BETWEEN -32768 AND 32767)";
    else if (is_type(column, "integer"))
        end = " BETWEEN -2147483648 AND 2147483647)";
    if (end[0] != '\0') {
        schema_put_text(sql, " CHECK (");
        schema_put_name(sql, column->name);
        schema_put_text(sql, end);
        return;
    }
    if (length == 0 || column->type != FLEET_TEXT)
        return;
    (void)snprintf(text, sizeof text, ") %s %lu)",
                   is_type(column, "character") ? "=" : "<=", length);
    schema_put_text(sql, " CHECK (length(");
    schema_put_name(sql, column->name);
    schema_put_text(sql, text);
}

static void note_column(struct schema_text *text, const struct definition *definition,
                        const struct column *column)
{
    if (column->type == FLEET_REAL) {
        schema_note(text, definition, column->name,
                    "NaN reads as NULL and -0 as 0 in SQLite; unless changed there, they "
                    "come back as they were");
    }
    if (column->type == FLEET_NUMERIC && column->key_position > 0) {
        schema_note(text, definition, column->name,
                    "write a whole number as an integer, another one as text without "
                    "zeros at its end, so that it is the same key in Postgres");
    }
    if (is_type(column, "citext")) {
        schema_note(text, definition, column->name,
                    "citext is compared without case in SQLite for ASCII letters only");
    }
}

static void put_column(struct schema_text *text, const struct definition *definition,
                       const struct column *column)
{
    struct buffer *sql = &text->tables;

    schema_put_text(sql, "    ");
    schema_put_name(sql, column->name);
    schema_put_text(sql, " ");
    schema_put_text(sql, storage_of(column));
    if (is_row_number(definition, column))
        schema_put_text(sql, " PRIMARY KEY");
    else if (column->not_null)
        schema_put_text(sql, " NOT NULL");
    put_default(text, definition, column);
    if (is_type(column, "citext"))
        schema_put_text(sql, " COLLATE NOCASE");
    put_check(sql, column);
    note_column(text, definition, column);
}

/* ---- keys */

static void put_key(struct buffer *sql, const struct definition *definition)
{
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (is_row_number(definition, &definition->columns[i]))
            return;
    schema_put_key(sql, definition);
}

static void put_foreign_keys(struct buffer *sql, const struct definition *definition)
{
    for (uint32_t i = 0; i < definition->foreign_key_count; i++) {
        const struct foreign_key *key = &definition->foreign_keys[i];

        if (!key->counts)
            continue;
        schema_put_text(sql, ",\n    FOREIGN KEY");
        schema_put_names(sql, key->columns, key->column_count);
        schema_put_text(sql, " REFERENCES ");
        schema_put_name(sql, key->parent);
        schema_put_names(sql, key->parent_columns, key->column_count);
    }
}

static bool put_term(struct buffer *sql, const struct definition *definition,
                     const struct unique_key *unique, uint32_t term)
{
    if (!unique->is_expression[term]) {
        schema_put_name(sql, unique->terms[term]);
        return true;
    }
    return schema_put_expression(sql, unique->terms[term], definition);
}

static bool is_numeric(const struct definition *definition, const char *name)
{
    int32_t column = definition_find_column(definition, name);

    return column >= 0 && definition->columns[column].type == FLEET_NUMERIC;
}

static void put_unique(struct schema_text *text, const struct definition *definition,
                       const struct unique_key *unique)
{
    struct buffer *sql = &text->tables;
    size_t before = sql->size;
    bool same = true, numeric = false;

    schema_put_text(sql, "CREATE UNIQUE INDEX ");
    schema_put_name(sql, unique->name);
    schema_put_text(sql, " ON ");
    schema_put_name(sql, definition->name);
    schema_put_text(sql, " (");
    for (uint32_t i = 0; i < unique->term_count && same; i++) {
        schema_put_text(sql, i == 0 ? "" : ", ");
        same = put_term(sql, definition, unique, i);
        numeric = numeric ||
                  (!unique->is_expression[i] && is_numeric(definition, unique->terms[i]));
    }
    schema_put_text(sql, ")");
    if (same && unique->where_sql != NULL) {
        schema_put_text(sql, " WHERE ");
        same = schema_put_expression(sql, unique->where_sql, definition);
    }
    schema_put_text(sql, ";\n");
    if (!same) {
        buffer_cut(sql, before);
        schema_note(text, definition, unique->name,
                    "this unique index has no counterpart in SQLite: rows that Postgres "
                    "would refuse are parked there");
    } else if (numeric) {
        schema_note(text, definition, unique->name,
                    "1.0 and 1.00 are equal in Postgres and two texts in SQLite");
    }
}

void schema_put_sqlite(struct schema_text *text, const struct definition *definition)
{
    struct buffer *sql = &text->tables;
    bool first = true;

    schema_put_text(sql, "CREATE TABLE ");
    schema_put_name(sql, definition->name);
    schema_put_text(sql, " (\n");
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->generated != GENERATED_NO) {
            schema_note(text, definition, column->name,
                        "a generated column, left out: add it as SQLite computes it, if "
                        "it is wanted");
            continue;
        }
        schema_put_text(sql, first ? "" : ",\n");
        put_column(text, definition, column);
        first = false;
    }
    put_key(sql, definition);
    put_foreign_keys(sql, definition);
    schema_put_text(sql, "\n) STRICT;\n");
    for (uint32_t i = 0; i < definition->unique_count; i++)
        if (!definition->uniques[i].is_primary)
            put_unique(text, definition, &definition->uniques[i]);
}
