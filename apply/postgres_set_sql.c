/* The statements of a set, and questions about its rows. */
#include "apply/postgres_set_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- statements */

static void put(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

static void put_number(struct buffer *sql, const char *before, uint32_t number)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%s%" PRIu32, before, number);
    put(sql, text);
}

static void put_value(struct buffer *sql, const struct postgres_set *set, uint32_t place)
{
    put_number(sql, "u.c", place);
    put(sql, "::");
    put(sql, set->writer->columns[place].type);
}

static void put_name(struct buffer *sql, const struct postgres_set *set, uint32_t place)
{
    postgres_put_name(sql, set->writer->columns[place].column->name);
}

/* ROWS FROM (unnest($1), unnest($2)) AS u(c0, c3): what unnest($1, $2) is, which can't
 * be written with its schema. */
static uint32_t put_source(struct buffer *sql, const struct postgres_set *set)
{
    uint32_t count = 0, named = 0;

    put(sql, "ROWS FROM (");
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        if (!set->columns[i])
            continue;
        put(sql, count == 0 ? "" : ", ");
        put_number(sql, "pg_catalog.unnest($", ++count);
        put(sql, "::pg_catalog.text[])");
    }
    put(sql, ") AS u(");
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        if (!set->columns[i])
            continue;
        put(sql, named++ == 0 ? "" : ", ");
        put_number(sql, "c", i);
    }
    put(sql, ")");
    return count;
}

static void put_key_match(struct buffer *sql, const struct postgres_set *set)
{
    for (uint32_t i = 0; i < set->writer->definition->key_count; i++) {
        uint32_t place = set->writer->key_places[i];
        const struct postgres_column *column = &set->writer->columns[place];

        put(sql, i == 0 ? " WHERE t." : " AND t.");
        put_name(sql, set, place);
        put(sql, " ");
        put(sql, column->equals);
        put(sql, " ");
        put_value(sql, set, place);
        if (!column->inexact)
            continue;
        put(sql, " AND t.");
        put_name(sql, set, place);
        put(sql, POSTGRES_AS_TEXT " OPERATOR(pg_catalog.=) (");
        put_value(sql, set, place);
        put(sql, ")" POSTGRES_AS_TEXT);
    }
}

static void put_guard(struct buffer *sql, const struct postgres_set *set,
                      const char *before, uint32_t parameters)
{
    if (set->guard == NULL)
        return;
    put(sql, before);
    postgres_guard_put(sql, "t", parameters + 1);
}

/* "a = value, …" of what is set; of nothing: the key, so that the row is written. */
static void put_assignments(struct buffer *sql, const struct postgres_set *set)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        if (!set->settable[i])
            continue;
        put(sql, count++ == 0 ? " SET " : ", ");
        put_name(sql, set, i);
        put(sql, " = ");
        if (set->kind == SET_UPDATE) {
            put_value(sql, set, i);
        } else {
            put(sql, "excluded.");
            put_name(sql, set, i);
        }
    }
    if (count > 0)
        return;
    put(sql, " SET ");
    put_name(sql, set, set->writer->key_places[0]);
    put(sql, " = t.");
    put_name(sql, set, set->writer->key_places[0]);
}

/* The table, what is between, and the columns that are sent. */
static void put_table(struct buffer *sql, const struct postgres_set *set,
                      const char *between)
{
    uint32_t count = 0;

    put(sql, set->writer->definition->local_name);
    put(sql, between);
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        if (!set->columns[i])
            continue;
        put(sql, count++ == 0 ? "" : ", ");
        put_name(sql, set, i);
    }
}

void postgres_set_put_copy(struct buffer *sql, const struct postgres_set *set)
{
    put(sql, "COPY ");
    put_table(sql, set, " (");
    put(sql, ") FROM STDIN");
    buffer_put(sql, 0, 1);
}

static void put_insert(struct buffer *sql, const struct postgres_set *set)
{
    const struct postgres_writer *writer = set->writer;
    uint32_t count = 0, parameters;

    put(sql, "INSERT INTO ");
    put_table(sql, set, " AS t (");
    put(sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        if (!set->columns[i])
            continue;
        put(sql, count++ == 0 ? "" : ", ");
        put_value(sql, set, i);
    }
    put(sql, " FROM ");
    parameters = put_source(sql, set);
    if ((set->guard == NULL && set->kind != SET_UPSERT) || !writer->arbiter)
        return;
    put(sql, " ON CONFLICT (");
    for (uint32_t i = 0; i < writer->definition->key_count; i++) {
        put(sql, i == 0 ? "" : ", ");
        put_name(sql, set, writer->key_places[i]);
    }
    put(sql, ") DO UPDATE");
    put_assignments(sql, set);
    put_guard(sql, set, " WHERE ", parameters);
}

void postgres_set_put_statement(struct buffer *sql, const struct postgres_set *set)
{
    uint32_t parameters;

    if (set->kind == SET_INSERT || set->kind == SET_UPSERT) {
        put_insert(sql, set);
    } else if (set->kind == SET_DELETE) {
        put(sql, "DELETE FROM ");
        put(sql, set->writer->definition->local_name);
        put(sql, " AS t USING ");
        parameters = put_source(sql, set);
        put_key_match(sql, set);
        put_guard(sql, set, " AND ", parameters);
    } else {
        put(sql, "UPDATE ");
        put(sql, set->writer->definition->local_name);
        put(sql, " AS t");
        put_assignments(sql, set);
        put(sql, " FROM ");
        parameters = put_source(sql, set);
        put_key_match(sql, set);
        put_guard(sql, set, " AND ", parameters);
    }
    buffer_put(sql, 0, 1);
}

/* ---- questions */

static void put_keys(struct buffer *sql, const struct postgres_set *set)
{
    const struct postgres_writer *writer = set->writer;

    put(sql, "(SELECT ");
    for (uint32_t i = 0; i < writer->definition->key_count; i++) {
        put_number(sql, i == 0 ? "c" : ", c", i);
        put(sql, "::");
        put(sql, writer->columns[writer->key_places[i]].type);
        put_number(sql, " AS k", i);
    }
    put(sql, ", n FROM unnest(");
    for (uint32_t i = 0; i < writer->definition->key_count; i++) {
        put_number(sql, i == 0 ? "$" : ", $", i + 1);
        put(sql, "::text[]");
    }
    put(sql, ") WITH ORDINALITY AS v(");
    for (uint32_t i = 0; i < writer->definition->key_count; i++)
        put_number(sql, i == 0 ? "c" : ", c", i);
    put(sql, ", n))");
}

static void put_match(struct buffer *sql, const struct postgres_set *set)
{
    for (uint32_t i = 0; i < set->writer->definition->key_count; i++) {
        uint32_t place = set->writer->key_places[i];
        const struct postgres_column *column = &set->writer->columns[place];

        put(sql, i == 0 ? "t." : " AND t.");
        put_name(sql, set, place);
        put(sql, " ");
        put(sql, column->equals);
        put_number(sql, " u.k", i);
        if (!column->inexact)
            continue;
        put(sql, " AND t.");
        put_name(sql, set, place);
        put(sql, POSTGRES_AS_TEXT " OPERATOR(pg_catalog.=)");
        put_number(sql, " u.k", i);
        put(sql, POSTGRES_AS_TEXT);
    }
}

/* Copy sql with the two words replaced. */
void postgres_set_put_question(struct buffer *out, const struct postgres_set *set,
                               const char *sql)
{
    static const char rows[] = POSTGRES_SET_ROWS, match[] = POSTGRES_SET_MATCH;

    while (*sql != '\0') {
        if (strncmp(sql, rows, sizeof rows - 1) == 0) {
            put_keys(out, set);
            sql += sizeof rows - 1;
        } else if (strncmp(sql, match, sizeof match - 1) == 0) {
            put_match(out, set);
            sql += sizeof match - 1;
        } else {
            buffer_put(out, (uint8_t)*sql++, 1);
        }
    }
    buffer_put(out, 0, 1);
}
