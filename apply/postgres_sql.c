#include "apply/postgres_sql.h"

#include "apply/postgres_refusal.h"
#include "engine/postgres_value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- pieces */

void postgres_sql_put(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

void postgres_sql_number(struct buffer *sql, const char *before, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRIu64, number);
    postgres_sql_put(sql, before);
    postgres_sql_put(sql, text);
}

static void put_column(struct buffer *sql, const char *alias, const char *name)
{
    postgres_sql_put(sql, alias);
    if (alias[0] != '\0')
        postgres_sql_put(sql, ".");
    postgres_put_name(sql, name);
}

void postgres_sql_stored(struct buffer *sql, const struct definition *definition,
                         const char *alias)
{
    const char *between = "";

    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        postgres_sql_put(sql, between);
        put_column(sql, alias, definition->columns[i].name);
        between = ", ";
    }
}

const struct column *postgres_sql_key_column(const struct definition *definition,
                                             uint32_t place)
{
    uint32_t i = 0;

    assert(place < definition->key_count);
    while (definition->columns[i].key_position != place + 1) {
        i++;
        assert(i < definition->column_count); /* a key has all its columns */
    }
    return &definition->columns[i];
}

void postgres_sql_key(struct buffer *sql, const struct definition *definition,
                      const char *alias)
{
    for (uint32_t i = 0; i < definition->key_count; i++) {
        postgres_sql_put(sql, i == 0 ? "" : ", ");
        put_column(sql, alias, postgres_sql_key_column(definition, i)->name);
    }
}

void postgres_sql_key_match(struct buffer *sql, const struct postgres_writer *writer,
                            const char *alias, uint32_t first)
{
    for (uint32_t i = 0; i < writer->definition->key_count; i++) {
        const struct postgres_column *own = &writer->columns[writer->key_places[i]];

        postgres_sql_put(sql, i == 0 ? "" : " AND ");
        put_column(sql, alias, own->column->name);
        postgres_sql_put(sql, " ");
        postgres_sql_put(sql, own->equals);
        postgres_sql_number(sql, " $", first + i);
        postgres_sql_put(sql, "::");
        postgres_sql_put(sql, own->type);
        if (!own->inexact)
            continue;
        /* The first term finds the row by the key's own index, this one tells it from
         * others that only look the same. */
        postgres_sql_put(sql, " AND ");
        put_column(sql, alias, own->column->name);
        postgres_sql_put(sql, POSTGRES_AS_TEXT " OPERATOR(pg_catalog.=)");
        postgres_sql_number(sql, " $", first + i);
        postgres_sql_put(sql, "::");
        postgres_sql_put(sql, own->type);
        postgres_sql_put(sql, POSTGRES_AS_TEXT);
    }
}

/* ---- parameters */

enum { NO_TEXT = UINT32_MAX };

void postgres_arguments_release(struct postgres_arguments *arguments)
{
    buffer_release(&arguments->texts);
    buffer_release(&arguments->offsets);
    free(arguments->list);
    *arguments = (struct postgres_arguments){0};
}

static void add(struct postgres_arguments *arguments, struct bytes text)
{
    buffer_put(&arguments->offsets, text.data == NULL ? NO_TEXT : arguments->texts.size,
               4);
    if (text.data != NULL) {
        buffer_put_bytes(&arguments->texts, text);
        buffer_put(&arguments->texts, 0, 1);
    }
    arguments->count++;
}

void postgres_sql_add_number(struct postgres_arguments *arguments, int64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, number);
    add(arguments, bytes_of_text(text));
}

enum status postgres_sql_add_value(struct postgres_arguments *arguments,
                                   struct postgres_writer *writer, uint32_t place,
                                   enum write_result *result, struct error *err)
{
    struct bytes text;
    enum status status = postgres_writer_text(writer, place, &text, result, err);

    if (status != STATUS_OK || *result != WRITE_DONE)
        return status;
    if (text.size > 0 && memchr(text.data, 0, text.size) != NULL) {
        *result = WRITE_REFUSED;
        (void)error_set(err, STATUS_CONSTRAINT,
                        "%s: invalid byte sequence for encoding \"UTF8\": 0x00",
                        writer->columns[place].column->name);
        return STATUS_OK;
    }
    add(arguments, text);
    return STATUS_OK;
}

enum status postgres_sql_add_key(struct postgres_arguments *arguments,
                                 struct postgres_writer *writer, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < writer->definition->key_count && status == STATUS_OK; i++) {
        enum write_result result;

        status = postgres_sql_add_value(arguments, writer, writer->key_places[i], &result,
                                        err);
        if (status == STATUS_OK && result != WRITE_DONE)
            status = STATUS_CONSTRAINT; /* such a key is not the table's */
    }
    return status;
}

static enum status list_arguments(struct postgres_arguments *arguments, struct error *err)
{
    enum status status = buffer_check(&arguments->texts, err);

    if (status == STATUS_OK)
        status = buffer_check(&arguments->offsets, err);
    if (status != STATUS_OK)
        return status;
    arguments->list = calloc((size_t)arguments->count + 1, sizeof *arguments->list);
    if (arguments->list == NULL)
        return error_set(err, STATUS_NO_MEMORY, "apply: out of memory");
    for (int i = 0; i < arguments->count; i++) {
        uint64_t offset = bytes_get(arguments->offsets.data + (size_t)i * 4, 4);

        if (offset != NO_TEXT)
            arguments->list[i] = (const char *)arguments->texts.data + offset;
    }
    return STATUS_OK;
}

/* ---- running */

/* The result, whatever it is; NULL with a status. sql becomes empty. */
static enum status execute(struct postgres *postgres, struct buffer *sql,
                           struct postgres_arguments *arguments, PGresult **out,
                           struct error *err)
{
    struct postgres_arguments none = {0};
    enum status status;

    *out = NULL;
    if (arguments == NULL)
        arguments = &none;
    buffer_put(sql, 0, 1);
    status = buffer_check(sql, err);
    if (status == STATUS_OK)
        status = list_arguments(arguments, err);
    if (status == STATUS_OK)
        *out = PQexecParams(postgres_handle(postgres), (const char *)sql->data,
                            arguments->count, NULL, arguments->list, NULL, NULL, 0);
    buffer_clear(sql);
    postgres_arguments_release(arguments);
    return status;
}

static bool is_done(const PGresult *result)
{
    ExecStatusType type = PQresultStatus(result);

    return type == PGRES_COMMAND_OK || type == PGRES_TUPLES_OK;
}

enum status postgres_sql_run(struct postgres *postgres, struct buffer *sql,
                             struct postgres_arguments *arguments, const char *what,
                             PGresult **out, struct error *err)
{
    PGresult *result = NULL;
    enum status status = execute(postgres, sql, arguments, &result, err);

    if (out != NULL)
        *out = NULL;
    if (status == STATUS_OK && !is_done(result))
        status = postgres_failed(postgres, result, what, err);
    if (status == STATUS_OK && out != NULL) {
        *out = result;
        result = NULL;
    }
    PQclear(result);
    return status;
}

/* The statement was refused: take it back. err holds its message. */
static enum status undo(struct postgres *postgres, struct error *err)
{
    struct error message = *err;
    enum status status =
        postgres_execute(postgres, "ROLLBACK TO rowferry_row; RELEASE rowferry_row", err);

    if (status == STATUS_OK)
        *err = message;
    return status;
}

enum { AROUND_MAX = 6 }; /* statements that go out together */

/* Send statements together, of which one has parameters, and wait for all: what a server
 * that is far away makes cheap. results: of each, NULL where none came. */
static enum status run_together(struct postgres *postgres, const char *const *statements,
                                int count, int with,
                                const struct postgres_arguments *arguments,
                                PGresult *results[AROUND_MAX], struct error *err)
{
    PGconn *handle = postgres_handle(postgres);
    enum status status = STATUS_OK;
    bool sent = PQenterPipelineMode(handle) == 1;
    PGresult *end;

    for (int i = 0; i < count && sent; i++) {
        sent = PQsendQueryParams(handle, statements[i], i == with ? arguments->count : 0,
                                 NULL, i == with ? arguments->list : NULL, NULL, NULL,
                                 0) == 1;
    }
    sent = sent && PQpipelineSync(handle) == 1;
    for (int i = 0; i < count && sent; i++) {
        results[i] = PQgetResult(handle);
        sent = results[i] != NULL && PQgetResult(handle) == NULL;
    }
    end = sent ? PQgetResult(handle) : NULL;
    sent = sent && PQresultStatus(end) == PGRES_PIPELINE_SYNC;
    PQclear(end);
    if (PQexitPipelineMode(handle) != 1 || !sent)
        status = postgres_failed(postgres, NULL, "apply", err);
    return status;
}

/* Which statement failed; count: none. */
static int first_failed(PGresult *const *results, int count)
{
    int i = 0;

    while (i < count && is_done(results[i]))
        i++;
    return i;
}

/* Run it in a savepoint, after another statement (or NULL); *out is NULL unless *result
 * is DONE. */
static enum status run_guarded(struct postgres *postgres, const char *before,
                               struct buffer *sql, struct postgres_arguments *arguments,
                               const char *what, PGresult **out,
                               enum write_result *result, struct error *err)
{
    const char *statements[AROUND_MAX] = {before};
    PGresult *results[AROUND_MAX] = {NULL};
    int count = before == NULL ? 0 : 1, failed, own;
    bool own_path = arguments->own_path;
    enum status status;

    *out = NULL;
    *result = WRITE_DONE;
    buffer_put(sql, 0, 1);
    status = buffer_check(sql, err);
    if (status == STATUS_OK)
        status = list_arguments(arguments, err);
    statements[count++] = "SAVEPOINT rowferry_row";
    if (own_path)
        statements[count++] = POSTGRES_OWN_PATH;
    own = count;
    statements[count++] = (const char *)sql->data;
    if (own_path)
        statements[count++] = POSTGRES_OUR_PATH;
    statements[count++] = "RELEASE rowferry_row";
    if (status == STATUS_OK)
        status = run_together(postgres, statements, count, own, arguments, results, err);
    failed = status == STATUS_OK ? first_failed(results, count) : count;
    if (failed < count)
        status = failed == own ? postgres_refusal(postgres, results[own], what, err)
                               : postgres_failed(postgres, results[failed], what, err);
    if (status == STATUS_CONSTRAINT && failed == own) {
        *result = postgres_refusal_kind(results[own]) == REFUSAL_UNIQUE ? WRITE_UNIQUE
                                                                        : WRITE_REFUSED;
        status = undo(postgres, err);
    } else if (status == STATUS_OK) {
        *out = results[own];
        results[own] = NULL;
    }
    for (int i = 0; i < count; i++)
        PQclear(results[i]);
    buffer_clear(sql);
    postgres_arguments_release(arguments);
    return status;
}

enum status postgres_sql_try(struct postgres *postgres, const char *before,
                             struct buffer *sql, struct postgres_arguments *arguments,
                             const char *what, uint64_t *rows, enum write_result *result,
                             struct error *err)
{
    PGresult *told = NULL;
    enum status status =
        run_guarded(postgres, before, sql, arguments, what, &told, result, err);

    *rows = told == NULL ? 0 : strtoull(PQcmdTuples(told), NULL, 10);
    PQclear(told);
    return status;
}

enum status postgres_sql_ask(struct postgres *postgres, struct buffer *sql,
                             struct postgres_arguments *arguments, const char *what,
                             bool *yes, enum write_result *result, struct error *err)
{
    PGresult *rows = NULL;
    enum status status =
        result == NULL
            ? postgres_sql_run(postgres, sql, arguments, what, &rows, err)
            : run_guarded(postgres, NULL, sql, arguments, what, &rows, result, err);

    *yes =
        rows != NULL && PQntuples(rows) > 0 && strcmp(PQgetvalue(rows, 0, 0), "t") == 0;
    PQclear(rows);
    return status;
}

enum status postgres_sql_take_key(struct buffer *key, const PGresult *rows, int row,
                                  const struct definition *definition, struct error *err)
{
    struct buffer scratch = {0};
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < definition->key_count && status == STATUS_OK; i++) {
        const struct column *column = postgres_sql_key_column(definition, i);
        struct bytes text = {(const uint8_t *)PQgetvalue(rows, row, (int)i),
                             (size_t)PQgetlength(rows, row, (int)i)};
        struct value value;

        if (PQgetisnull(rows, row, (int)i))
            text = (struct bytes){NULL, 0};
        status = postgres_value_take(column->type, text, &scratch, &value, err);
        if (status == STATUS_OK)
            status = row_key_put(key, &value, err);
    }
    buffer_release(&scratch);
    return status == STATUS_OK ? buffer_check(key, err) : status;
}
