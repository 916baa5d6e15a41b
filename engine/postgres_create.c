/* Making a table from a definition that came with the log. */
#include "engine/postgres_ddl.h"

#include "engine/schema.h"
#include "log/buffer.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- where a statement ends */

/* The end of what is between quotes; at stands behind the first. NULL: there is none. */
static const char *skip_quoted(const char *at, char quote, bool escapes)
{
    for (; *at != '\0'; at++) {
        if ((escapes && *at == '\\' && at[1] != '\0') || (*at == quote && at[1] == quote))
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return NULL;
}

/* Comments nest; at stands behind the first mark. */
static const char *skip_comment(const char *at)
{
    for (unsigned depth = 1; *at != '\0'; at++) {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at++;
        } else if (at[0] == '*' && at[1] == '/') {
            at++;
            if (--depth == 0)
                return at + 1;
        }
    }
    return NULL;
}

static bool is_word(char letter)
{
    return isalnum((unsigned char)letter) || letter == '_' || letter == '$' ||
           (unsigned char)letter >= 0x80;
}

/* $tag$ … $tag$; at stands on the first $. No tag: at + 1. */
static const char *skip_tagged(const char *at)
{
    const char *end = at + 1;
    size_t size;

    while (*end != '$' && is_word(*end))
        end++;
    if (*end != '$' || isdigit((unsigned char)at[1]))
        return at + 1;
    size = (size_t)(end - at) + 1;
    for (end++; *end != '\0'; end++)
        if (strncmp(end, at, size) == 0)
            return end + size;
    return NULL;
}

/* A word, with the string that its letter may begin: E'…', else any string has no
 * escapes. */
static const char *skip_word(const char *at)
{
    const char *begin = at;

    while (is_word(*at))
        at++;
    if (at == begin + 1 && (*begin == 'e' || *begin == 'E') && *at == '\'')
        return skip_quoted(at + 1, '\'', true);
    return at;
}

/* Behind the string, name, comment, word or sign at `at`; NULL: it has no end. */
static const char *skip_token(const char *at)
{
    if (*at == '\'' || *at == '"')
        return skip_quoted(at + 1, *at, false);
    if (at[0] == '-' && at[1] == '-')
        return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*')
        return skip_comment(at + 2);
    if (*at == '$')
        return skip_tagged(at);
    return is_word(*at) ? skip_word(at) : at + 1;
}

size_t postgres_statement_size(const char *sql)
{
    const char *at = sql;

    while (at != NULL && *at != '\0' && *at != ';')
        at = skip_token(at);
    return at == NULL || *at == '\0' ? 0 : (size_t)(at - sql) + 1;
}

/* Behind the parenthesis that closes the one at `at`; NULL: none does. */
static const char *skip_list(const char *at)
{
    unsigned depth = 0;

    while (at != NULL && *at != '\0') {
        depth += *at == '(';
        if (*at == ')' && --depth == 0)
            return at + 1;
        at = skip_token(at);
    }
    return NULL;
}

/* ---- what a statement does */

enum kind { KIND_OTHER, KIND_SCHEMA, KIND_TYPE, KIND_TABLE, KIND_REFERENCE };

/* The rest of text behind the words, or NULL. */
static const char *behind(const char *text, const char *words)
{
    size_t size = strlen(words);

    return text != NULL && strncmp(text, words, size) == 0 ? text + size : NULL;
}

/* The rest behind a name with its schema, or NULL. */
static const char *behind_name(const char *text)
{
    for (bool quoted = false; text != NULL && *text != '\0'; text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (*text == ' ' && !quoted)
            return text;
    }
    return NULL;
}

static bool begins_any(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (behind(text, words[i]) != NULL)
            return true;
    return false;
}

/* Whether it makes this table, from nothing else than a list of columns. */
static bool makes_table(const char *sql, const struct definition *definition)
{
    const char *rest =
        behind(behind(behind(sql, "CREATE TABLE "), definition->local_name), " ");

    if (rest == NULL || *rest != '(')
        return false;
    rest = skip_list(rest);
    return rest != NULL && (*rest == '\0' || behind(rest, " PARTITION BY ") != NULL);
}

/* Statements that make the table, or what it needs: exactly those of postgres_ddl_sql. A
 * statement is one to the server, too, since it is sent as one with parameters. */
static enum kind kind_of(const char *sql, const struct definition *definition)
{
    static const char *const made[] = {"CREATE SEQUENCE IF NOT EXISTS ", "CREATE INDEX ",
                                       "CREATE UNIQUE INDEX "};
    static const char *const added[] = {" ADD CONSTRAINT ", " REPLICA IDENTITY ",
                                        " INHERIT "};
    const char *rest;

    if (behind(sql, "CREATE SCHEMA IF NOT EXISTS ") != NULL)
        return KIND_SCHEMA;
    if (behind(sql, "CREATE TYPE ") != NULL || behind(sql, "CREATE DOMAIN ") != NULL)
        return KIND_TYPE;
    if (makes_table(sql, definition) ||
        behind(behind_name(behind(sql, "CREATE TABLE ")), " PARTITION OF ") != NULL ||
        behind(behind_name(behind(sql, "ALTER SEQUENCE ")), " OWNED BY ") != NULL ||
        begins_any(sql, made, sizeof made / sizeof *made))
        return KIND_TABLE;
    rest = behind(behind(sql, "ALTER TABLE "), definition->local_name);
    if (rest != NULL && begins_any(rest, added, sizeof added / sizeof *added))
        return KIND_REFERENCE;
    return KIND_OTHER;
}

/* ---- running */

struct creating {
    struct postgres *postgres;
    const struct definition *definition;
    enum postgres_phase phase;
    bool translated;    /* the statements are our own, and all of them of this phase */
    struct buffer left; /* references that were left out */
    struct error *err;
};

/* Whether there is a schema already: who may not make one may still use it. */
static enum status has_schema(struct creating *creating, const char *name, bool *has)
{
    PGresult *result = NULL;
    enum status status =
        postgres_query(creating->postgres,
                       "SELECT FROM pg_namespace WHERE $1 IN (quote_ident(nspname),"
                       " '\"' || replace(nspname, '\"', '\"\"') || '\"')",
                       1, &name, &result, creating->err);

    *has = status == STATUS_OK && PQntuples(result) > 0;
    PQclear(result);
    return status;
}

static void leave_out(struct creating *creating, const char *sql, const PGresult *result)
{
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (creating->left.size > 0)
        buffer_put_bytes(&creating->left, bytes_of_text(", "));
    buffer_put_bytes(&creating->left, bytes_of_text(sql));
    buffer_put_bytes(&creating->left, bytes_of_text(": "));
    buffer_put_bytes(&creating->left, bytes_of_text(message == NULL ? "" : message));
}

/* Whether a reference can't be made here: to a table that is not there; of SQLite's,
 * which asks less of them, also to columns that are no key, or of another type. */
static bool is_left_out(const struct creating *creating, const char *state)
{
    static const char *const states[] = {"42703", "42804", "42830"};
    bool found = strcmp(state, "42P01") == 0;

    for (size_t i = 0; creating->translated && i < sizeof states / sizeof *states; i++)
        found = found || strcmp(state, states[i]) == 0;
    return found;
}

/* Run one statement under a savepoint. A type that is there, and a reference that can't
 * be, are no failures. */
static enum status run_guarded(struct creating *creating, enum kind kind, const char *sql)
{
    PGresult *result;
    const char *state;
    enum status status =
        postgres_execute(creating->postgres, "SAVEPOINT rowferry_ddl", creating->err);
    bool done = false;

    if (status != STATUS_OK)
        return status;
    result = PQexecParams(postgres_handle(creating->postgres), sql, 0, NULL, NULL, NULL,
                          NULL, 0);
    state = postgres_sqlstate(result);
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        done = true;
    } else if (kind == KIND_REFERENCE && is_left_out(creating, state)) {
        leave_out(creating, sql, result);
    } else if (kind != KIND_TYPE || strcmp(state, "42710") != 0) {
        status =
            postgres_failed(creating->postgres, result, "its statements", creating->err);
    }
    PQclear(result);
    if (status != STATUS_OK)
        return status;
    return postgres_execute(creating->postgres,
                            done ? "RELEASE rowferry_ddl"
                                 : "ROLLBACK TO rowferry_ddl; RELEASE rowferry_ddl",
                            creating->err);
}

/* Of our own only a schema, and a reference, are not run as they are. */
static enum kind kind_of_translated(const char *sql, enum postgres_phase phase)
{
    if (behind(sql, "CREATE SCHEMA IF NOT EXISTS ") != NULL)
        return KIND_SCHEMA;
    return phase == POSTGRES_REFERENCES ? KIND_REFERENCE : KIND_TABLE;
}

static enum status run_statement(struct creating *creating, const char *sql)
{
    enum kind kind = creating->translated ? kind_of_translated(sql, creating->phase)
                                          : kind_of(sql, creating->definition);
    PGresult *result = NULL;
    bool has = false;
    enum status status = STATUS_OK;

    if (kind == KIND_OTHER) {
        return error_set(creating->err, STATUS_REFUSED,
                         "a statement does more than make it: %.200s", sql);
    }
    if ((kind == KIND_REFERENCE) != (creating->phase == POSTGRES_REFERENCES))
        return STATUS_OK;
    if (kind == KIND_SCHEMA) {
        status = has_schema(creating, behind(sql, "CREATE SCHEMA IF NOT EXISTS "), &has);
        if (status != STATUS_OK || has)
            return status;
    }
    if (kind == KIND_TYPE || kind == KIND_REFERENCE)
        return run_guarded(creating, kind, sql);
    status = postgres_query(creating->postgres, sql, 0, NULL, &result, creating->err);
    PQclear(result);
    return status;
}

/* Run the first statement of *sql and move *sql behind it. */
static enum status run_first(struct creating *creating, const char **sql)
{
    size_t size = postgres_statement_size(*sql);
    enum status status;
    char *statement;

    if (size == 0)
        return error_set(creating->err, STATUS_REFUSED, "its last statement has no end");
    statement = strndup(*sql, size - 1);
    if (statement == NULL)
        return error_set(creating->err, STATUS_NO_MEMORY, "out of memory");
    *sql += size;
    *sql += strspn(*sql, "\n");
    status = run_statement(creating, statement);
    free(statement);
    return status;
}

static enum status run_all(struct creating *creating, const char *sql)
{
    enum status status = STATUS_OK;

    while (status == STATUS_OK && *sql != '\0')
        status = run_first(creating, &sql);
    return status;
}

/* The statements that `rowferry schema --for postgres` prints. */
static enum status run_translated(struct creating *creating)
{
    struct schema_text text = {0};
    struct buffer *sql = creating->phase == POSTGRES_TABLES ? &text.tables : &text.links;
    enum status status =
        schema_put(&text, creating->definition, DIALECT_POSTGRES, creating->err);

    creating->translated = true;
    buffer_put(sql, 0, 1);
    if (status == STATUS_OK)
        status = buffer_check(sql, creating->err);
    if (status == STATUS_OK)
        status = run_all(creating, (const char *)sql->data);
    schema_text_release(&text);
    return status;
}

enum status postgres_create_table(struct postgres *postgres,
                                  const struct definition *definition,
                                  enum postgres_phase phase, char **left,
                                  struct error *err)
{
    struct creating creating = {
        .postgres = postgres, .definition = definition, .phase = phase, .err = err};
    enum status status;

    *left = NULL;
    status = definition->dialect == DIALECT_POSTGRES ? run_all(&creating, definition->ddl)
                                                     : run_translated(&creating);
    if (status == STATUS_OK && creating.left.size > 0) {
        buffer_put(&creating.left, 0, 1);
        status = buffer_check(&creating.left, err);
    }
    if (status == STATUS_OK && creating.left.size > 0)
        *left = (char *)creating.left.data;
    else
        buffer_release(&creating.left);
    return status == STATUS_OK ? status : error_wrap(err, status, definition->name);
}
