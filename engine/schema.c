#include "engine/schema_private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

void schema_text_release(struct schema_text *text)
{
    buffer_release(&text->tables);
    buffer_release(&text->links);
    buffer_release(&text->notes);
}

void schema_put_text(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

static void put_quoted(struct buffer *sql, struct bytes text, uint8_t quote)
{
    buffer_put(sql, quote, 1);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == quote)
            buffer_put(sql, quote, 1);
        buffer_put(sql, text.data[i], 1);
    }
    buffer_put(sql, quote, 1);
}

void schema_put_name(struct buffer *sql, const char *name)
{
    put_quoted(sql, bytes_of_text(name), '"');
}

void schema_put_literal(struct buffer *sql, struct bytes text)
{
    put_quoted(sql, text, '\'');
}

void schema_put_names(struct buffer *sql, const char *const *names, uint32_t count)
{
    schema_put_text(sql, " (");
    for (uint32_t i = 0; i < count; i++) {
        schema_put_text(sql, i == 0 ? "" : ", ");
        schema_put_name(sql, names[i]);
    }
    schema_put_text(sql, ")");
}

void schema_put_key(struct buffer *sql, const struct definition *definition)
{
    schema_put_text(sql, ",\n    PRIMARY KEY (");
    for (uint32_t position = 1; position <= definition->key_count; position++) {
        for (uint32_t i = 0; i < definition->column_count; i++) {
            if (definition->columns[i].key_position != position)
                continue;
            schema_put_text(sql, position == 1 ? "" : ", ");
            schema_put_name(sql, definition->columns[i].name);
        }
    }
    schema_put_text(sql, ")");
}

void schema_note(struct schema_text *text, const struct definition *definition,
                 const char *column, const char *what)
{
    schema_put_text(&text->notes, definition->name);
    if (column != NULL && column[0] != '\0') {
        schema_put_text(&text->notes, ".");
        schema_put_text(&text->notes, column);
    }
    schema_put_text(&text->notes, ": ");
    schema_put_text(&text->notes, what);
    schema_put_text(&text->notes, "\n");
}

/* ---- defaults */

/* The part of sql without the parentheses and blanks around it. */
static struct bytes strip(struct bytes sql)
{
    while (sql.size > 0 && isspace(sql.data[0])) {
        sql.data++;
        sql.size--;
    }
    while (sql.size > 0 && isspace(sql.data[sql.size - 1]))
        sql.size--;
    if (sql.size < 2 || sql.data[0] != '(' || sql.data[sql.size - 1] != ')' ||
        memchr(sql.data + 1, '(', sql.size - 2) != NULL ||
        memchr(sql.data + 1, '\'', sql.size - 2) != NULL)
        return sql;
    return strip((struct bytes){sql.data + 1, sql.size - 2});
}

/* Whether sql is this word, in any case. */
static bool is_word(struct bytes sql, const char *word)
{
    return sql.size == strlen(word) &&
           strncasecmp((const char *)sql.data, word, sql.size) == 0;
}

bool schema_is_now(const char *sql)
{
    static const char *const words[] = {"now()",
                                        "CURRENT_TIMESTAMP",
                                        "LOCALTIMESTAMP",
                                        "CURRENT_DATE",
                                        "CURRENT_TIME",
                                        "LOCALTIME",
                                        "statement_timestamp()",
                                        "clock_timestamp()",
                                        "transaction_timestamp()"};
    struct bytes text = strip(bytes_of_text(sql));

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(text, words[i]))
            return true;
    return false;
}

/* What follows a literal may be casts: "::", then the words of a type. */
static bool is_cast(struct bytes rest)
{
    if (rest.size == 0)
        return true;
    if (rest.size < 3 || rest.data[0] != ':' || rest.data[1] != ':')
        return false;
    for (size_t i = 2; i < rest.size; i++)
        if (strchr("'+-*/|<>=~;", rest.data[i]) != NULL)
            return false;
    return true;
}

static bool take_quoted(struct bytes sql, struct schema_literal *literal)
{
    size_t i = 1;

    for (; i < sql.size; i++) {
        if (sql.data[i] == '\'' && (i + 1 == sql.size || sql.data[i + 1] != '\''))
            break;
        i += sql.data[i] == '\'';
        buffer_put(&literal->bytes, sql.data[i], 1);
    }
    return i < sql.size && is_cast((struct bytes){sql.data + i + 1, sql.size - i - 1});
}

static bool take_number(struct bytes sql, struct schema_literal *literal)
{
    size_t i = 0;
    bool digits = false;

    while (i < sql.size && (sql.data[i] == '+' || sql.data[i] == '-'))
        i++;
    if (i > 1)
        return false;
    for (; i < sql.size && strchr("0123456789.eE", sql.data[i]) != NULL; i++) {
        digits = digits || isdigit(sql.data[i]);
        if ((sql.data[i] == 'e' || sql.data[i] == 'E') && i + 1 < sql.size &&
            (sql.data[i + 1] == '-' || sql.data[i + 1] == '+'))
            i++;
    }
    if (!digits || !is_cast((struct bytes){sql.data + i, sql.size - i}))
        return false;
    literal->type = VALUE_INTEGER;
    buffer_put_bytes(&literal->bytes, (struct bytes){sql.data, i});
    return true;
}

bool schema_take_literal(const char *sql, struct schema_literal *literal)
{
    struct bytes text = strip(bytes_of_text(sql));

    *literal = (struct schema_literal){.type = VALUE_TEXT};
    if (text.size == 0)
        return false;
    if (is_word(text, "true") || is_word(text, "false")) {
        literal->is_truth = true;
        literal->type = VALUE_INTEGER;
        schema_put_text(&literal->bytes, is_word(text, "true") ? "1" : "0");
        return true;
    }
    if (text.size >= 4 && strncasecmp((const char *)text.data, "null", 4) == 0) {
        literal->type = VALUE_NULL;
        return is_cast((struct bytes){text.data + 4, text.size - 4});
    }
    if (text.data[0] == '\'')
        return take_quoted(text, literal);
    if (text.size > 2 && (text.data[0] == 'x' || text.data[0] == 'X') &&
        text.data[1] == '\'') {
        literal->type = VALUE_BLOB;
        return take_quoted((struct bytes){text.data + 1, text.size - 1}, literal);
    }
    return take_number(text, literal);
}

/* ---- both */

enum status schema_put(struct schema_text *text, const struct definition *definition,
                       enum dialect to, struct error *err)
{
    enum status status = STATUS_OK;

    if (to == definition->dialect)
        schema_put_text(&text->tables, definition->ddl);
    else if (to == DIALECT_SQLITE)
        schema_put_sqlite(text, definition);
    else
        status = schema_put_postgres(text, definition, err);
    if (status == STATUS_OK)
        status = buffer_check(&text->tables, err);
    if (status == STATUS_OK)
        status = buffer_check(&text->links, err);
    return status == STATUS_OK ? buffer_check(&text->notes, err) : status;
}
