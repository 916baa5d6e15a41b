/* Expressions of indexes, word by word: what is not surely the same in both dialects
 * makes the whole expression one that is not carried over. */
#include "engine/schema_private.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum token { TOKEN_OTHER, TOKEN_LITERAL, TOKEN_TEXT_COLUMN };

struct expression {
    const char *at;
    const struct definition *definition;
    struct buffer *out;
    struct buffer name;
    enum token last; /* a cast may follow a literal or a text, in parentheses or not */
};

static bool is_part(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || (c & 0x80) != 0;
}

static void put_word(struct expression *expression, const char *word)
{
    struct buffer *out = expression->out;

    if (out->size > 0 && out->data[out->size - 1] != '(' &&
        out->data[out->size - 1] != ' ')
        buffer_put(out, ' ', 1);
    schema_put_text(out, word);
}

/* Only where comparison means the same: a number kept as text, a truth value that is a
 * number elsewhere, are other things. */
static bool put_column(struct expression *expression, const char *name, bool any_case)
{
    const struct definition *definition = expression->definition;

    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (any_case ? strcasecmp(column->name, name) != 0
                     : strcmp(column->name, name) != 0)
            continue;
        if (column->generated != GENERATED_NO ||
            (column->type != FLEET_INTEGER && column->type != FLEET_REAL &&
             column->type != FLEET_TEXT))
            return false;
        expression->last = column->type == FLEET_TEXT ? TOKEN_TEXT_COLUMN : TOKEN_OTHER;
        put_word(expression, "");
        schema_put_name(expression->out, column->name);
        return true;
    }
    return false;
}

/* A quoted name or text, from its first quote; without them in name. */
static bool take_quoted(struct expression *expression, char end)
{
    buffer_clear(&expression->name);
    for (expression->at++; *expression->at != '\0'; expression->at++) {
        if (*expression->at == end) {
            expression->at++;
            if (*expression->at != end || end == ']') {
                buffer_put(&expression->name, 0, 1);
                return !expression->name.failed;
            }
        }
        buffer_put(&expression->name, (uint8_t)*expression->at, 1);
    }
    return false;
}

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(word, list[i]) == 0)
            return true;
    return false;
}

static bool take_name(struct expression *expression)
{
    static const char *const words[] = {"AND", "OR", "NOT", "NULL", "IS", "BETWEEN"};
    static const char *const functions[] = {"coalesce", "abs", "length", "lower",
                                            "upper"};
    const char *end = expression->at;
    const char *name;
    bool any_case = expression->definition->dialect == DIALECT_SQLITE;

    while (is_part(*end))
        end++;
    buffer_clear(&expression->name);
    buffer_put_bytes(&expression->name, (struct bytes){(const uint8_t *)expression->at,
                                                       (size_t)(end - expression->at)});
    buffer_put(&expression->name, 0, 1);
    if (expression->name.failed)
        return false;
    expression->at = end;
    name = (const char *)expression->name.data;
    expression->last = TOKEN_OTHER;
    if (is_one_of(name, words, sizeof words / sizeof *words) ||
        (*end == '(' &&
         is_one_of(name, functions, sizeof functions / sizeof *functions))) {
        put_word(expression, name);
        return true;
    }
    return *end != '(' && *end != '.' && *end != '\'' &&
           put_column(expression, name, any_case);
}

/* Postgres writes out what type a literal is of, and that a varchar is compared as text:
 * SQLite's columns say it. */
static bool take_cast(struct expression *expression)
{
    static const char *const types[] = {
        "text", "character varying", "integer", "bigint", "smallint", "double precision"};

    if (expression->definition->dialect != DIALECT_POSTGRES ||
        expression->last == TOKEN_OTHER)
        return false;
    expression->at += 2;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t size = strlen(types[i]);

        if (strncmp(expression->at, types[i], size) == 0 &&
            !is_part(expression->at[size]) && expression->at[size] != '[') {
            expression->at += size;
            return expression->last != TOKEN_TEXT_COLUMN || i == 0;
        }
    }
    return false;
}

static bool take_operator(struct expression *expression)
{
    static const char *const operators[] = {
        "<>", "<=", ">=", "!=", "||", "==", "=", "<", ">", "+", "-", "*"};

    expression->last = TOKEN_OTHER;
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (strncmp(expression->at, operators[i], strlen(operators[i])) != 0)
            continue;
        expression->at += strlen(operators[i]);
        put_word(expression, strcmp(operators[i], "==") == 0   ? "="
                             : strcmp(operators[i], "!=") == 0 ? "<>"
                                                               : operators[i]);
        return *expression->at == '\0' || strchr("<>=|+*~", *expression->at) == NULL;
    }
    return false;
}

static bool take_literal(struct expression *expression)
{
    const char *begin = expression->at;

    put_word(expression, "");
    if (*begin == '\'') {
        if (!take_quoted(expression, '\'') || strchr(begin, '\\') != NULL)
            return false;
    } else {
        while (isdigit((unsigned char)*expression->at) || *expression->at == '.')
            expression->at++;
    }
    expression->last = TOKEN_LITERAL;
    buffer_put_bytes(expression->out, (struct bytes){(const uint8_t *)begin,
                                                     (size_t)(expression->at - begin)});
    return !is_part(*expression->at);
}

static bool take_token(struct expression *expression)
{
    char c = *expression->at;

    if (isspace((unsigned char)c)) {
        expression->at++;
        return true;
    }
    if (c == '\'' || isdigit((unsigned char)c))
        return take_literal(expression);
    if (c == '"' ||
        ((c == '[' || c == '`') && expression->definition->dialect == DIALECT_SQLITE)) {
        return take_quoted(expression, (char)(c == '[' ? ']' : c)) &&
               put_column(expression, (const char *)expression->name.data,
                          expression->definition->dialect == DIALECT_SQLITE);
    }
    if (c == '(' || c == ')' || c == ',') {
        buffer_put(expression->out, (uint8_t)c, 1);
        expression->at++;
        return true;
    }
    if (c == ':' && expression->at[1] == ':')
        return take_cast(expression);
    return is_part(c) ? take_name(expression) : take_operator(expression);
}

bool schema_put_expression(struct buffer *out, const char *sql,
                           const struct definition *definition)
{
    struct expression expression = {.at = sql, .definition = definition, .out = out};
    size_t before = out->size;
    bool same = true;

    while (same && *expression.at != '\0')
        same = take_token(&expression);
    if (!same)
        buffer_cut(out, before);
    buffer_release(&expression.name);
    return same;
}
