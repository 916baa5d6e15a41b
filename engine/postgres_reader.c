#include "engine/postgres_reader.h"

#include "engine/postgres_copy.h"
#include "engine/postgres_value.h"
#include "log/row_key.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct postgres_reader {
    struct postgres *postgres;
    bool copying;
    /* By place in an image. */
    enum fleet_type *types;
    struct bytes *columns;
    struct buffer *scratch;
    uint32_t count;
    struct buffer line;
    char *copied; /* libpq's: the line at hand */
    size_t copied_size;
};

static void put(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

/* ---- what is read */

/* Rows of tables that inherit from one are told as their own; those of partitions as
 * their root's. */
static enum status put_from(struct buffer *sql, struct postgres *postgres,
                            const struct definition *definition, struct error *err)
{
    const char *parameters[] = {definition->local_name};
    PGresult *kind = NULL;
    enum status status =
        postgres_query(postgres, "SELECT relkind FROM pg_class WHERE oid = $1::regclass",
                       1, parameters, &kind, err);

    if (status != STATUS_OK)
        return status;
    put(sql, PQntuples(kind) == 1 && PQgetvalue(kind, 0, 0)[0] == 'p' ? " FROM "
                                                                      : " FROM ONLY ");
    put(sql, definition->local_name);
    PQclear(kind);
    return STATUS_OK;
}

static enum status copy_statement(struct buffer *sql, struct postgres *postgres,
                                  const struct definition *definition, struct error *err)
{
    bool first = true;
    enum status status;

    put(sql, "COPY (SELECT ");
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        put(sql, first ? "" : ", ");
        postgres_put_name(sql, definition->columns[i].name);
        first = false;
    }
    status = put_from(sql, postgres, definition, err);
    put(sql, ") TO STDOUT");
    buffer_put(sql, 0, 1);
    return status == STATUS_OK ? buffer_check(sql, err) : status;
}

static enum status begin_copy(struct postgres_reader *reader,
                              const struct definition *definition, struct error *err)
{
    struct postgres *postgres = reader->postgres;
    struct buffer sql = {0};
    PGresult *result;
    enum status status = copy_statement(&sql, postgres, definition, err);

    if (status == STATUS_OK) {
        result = PQexec(postgres_handle(postgres), (const char *)sql.data);
        reader->copying = PQresultStatus(result) == PGRES_COPY_OUT;
        if (!reader->copying)
            status = postgres_failed(postgres, result, definition->local_name, err);
        PQclear(result);
    }
    buffer_release(&sql);
    return status;
}

/* ---- life */

static enum status take_types(struct postgres_reader *reader,
                              const struct definition *definition, struct error *err)
{
    uint32_t place = 0;

    reader->types = calloc(reader->count, sizeof *reader->types);
    reader->columns = calloc(reader->count, sizeof *reader->columns);
    reader->scratch = calloc(reader->count, sizeof *reader->scratch);
    if (reader->types == NULL || reader->columns == NULL || reader->scratch == NULL)
        return error_set(err, STATUS_NO_MEMORY, "read a table: out of memory");
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (definition->columns[i].generated == GENERATED_NO)
            reader->types[place++] = definition->columns[i].type;
    return STATUS_OK;
}

enum status postgres_reader_open(struct postgres_reader **out, struct postgres *postgres,
                                 const struct definition *definition, struct error *err)
{
    struct postgres_reader *reader = calloc(1, sizeof *reader);
    enum status status;

    *out = NULL;
    if (reader == NULL)
        return error_set(err, STATUS_NO_MEMORY, "read a table: out of memory");
    reader->postgres = postgres;
    reader->count = definition->stored_count;
    status = take_types(reader, definition, err);
    if (status == STATUS_OK)
        status = begin_copy(reader, definition, err);
    if (status != STATUS_OK) {
        postgres_reader_close(reader);
        return status;
    }
    *out = reader;
    return STATUS_OK;
}

/* What is left to come is not wanted. */
static void break_off(struct postgres_reader *reader)
{
    PGconn *handle = postgres_handle(reader->postgres);
    PGcancel *cancel = PQgetCancel(handle);
    char reason[256];
    char *line = NULL;
    PGresult *result;

    if (cancel != NULL)
        (void)PQcancel(cancel, reason, (int)sizeof reason);
    PQfreeCancel(cancel);
    while (PQgetCopyData(handle, &line, 0) > 0)
        PQfreemem(line);
    while ((result = PQgetResult(handle)) != NULL)
        PQclear(result);
}

void postgres_reader_close(struct postgres_reader *reader)
{
    if (reader == NULL)
        return;
    PQfreemem(reader->copied);
    if (reader->copying)
        break_off(reader);
    for (uint32_t i = 0; reader->scratch != NULL && i < reader->count; i++)
        buffer_release(&reader->scratch[i]);
    buffer_release(&reader->line);
    free(reader->scratch);
    free(reader->columns);
    free(reader->types);
    free(reader);
}

/* ---- rows */

static enum status take_line(struct postgres_reader *reader, struct bytes line,
                             struct value *values, struct error *err)
{
    enum status status =
        postgres_copy_take(line, reader->columns, reader->count, &reader->line, err);

    for (uint32_t i = 0; i < reader->count && status == STATUS_OK; i++)
        status = postgres_value_take(reader->types[i], reader->columns[i],
                                     &reader->scratch[i], &values[i], err);
    return status;
}

/* The server has no more rows, or says why it gives none. */
static enum status end_copy(struct postgres_reader *reader, bool failed,
                            struct error *err)
{
    PGconn *handle = postgres_handle(reader->postgres);
    enum status status = STATUS_NOT_FOUND;
    PGresult *result;

    if (failed)
        status = postgres_failed(reader->postgres, NULL, "COPY", err);
    while ((result = PQgetResult(handle)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && status == STATUS_NOT_FOUND)
            status = postgres_failed(reader->postgres, result, "COPY", err);
        PQclear(result);
    }
    reader->copying = false;
    return status;
}

enum status postgres_reader_next(struct postgres_reader *reader, struct value *values,
                                 struct error *err)
{
    int size;

    if (!reader->copying)
        return STATUS_NOT_FOUND;
    PQfreemem(reader->copied);
    reader->copied = NULL;
    size = PQgetCopyData(postgres_handle(reader->postgres), &reader->copied, 0);
    if (size <= 0)
        return end_copy(reader, size == -2, err);
    reader->copied_size = (size_t)size;
    return take_line(reader,
                     (struct bytes){(const uint8_t *)reader->copied, reader->copied_size},
                     values, err);
}

size_t postgres_reader_row_size(const struct postgres_reader *reader)
{
    return reader->copied_size;
}

/* ---- one row */

struct lookup {
    const struct definition *definition;
    const struct column **columns; /* of the key, in its order */
    const char **texts;            /* views into sent */
    struct buffer *sent;
    struct buffer *scratch;
    struct buffer sql, found;
};

static void release_lookup(struct lookup *lookup)
{
    for (uint32_t i = 0; i < lookup->definition->key_count; i++) {
        if (lookup->sent != NULL)
            buffer_release(&lookup->sent[i]);
        if (lookup->scratch != NULL)
            buffer_release(&lookup->scratch[i]);
    }
    free((void *)lookup->columns);
    free((void *)lookup->texts);
    free(lookup->sent);
    free(lookup->scratch);
    buffer_release(&lookup->sql);
    buffer_release(&lookup->found);
}

static enum status init_lookup(struct lookup *lookup, struct error *err)
{
    const struct definition *definition = lookup->definition;
    size_t count = definition->key_count;

    lookup->columns = (const struct column **)calloc(count, sizeof(struct column *));
    lookup->texts = (const char **)calloc(count, sizeof(char *));
    lookup->sent = calloc(count, sizeof *lookup->sent);
    lookup->scratch = calloc(count, sizeof *lookup->scratch);
    if (lookup->columns == NULL || lookup->texts == NULL || lookup->sent == NULL ||
        lookup->scratch == NULL)
        return error_set(err, STATUS_NO_MEMORY, "look for a row: out of memory");
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->key_position > 0)
            lookup->columns[column->key_position - 1] = column;
    }
    return STATUS_OK;
}

/* The key as texts of its columns' types. CONSTRAINT, CORRUPT: it is no key of these. */
static enum status put_texts(struct lookup *lookup, struct bytes key, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < lookup->definition->key_count; i++) {
        struct buffer scratch = {0};
        struct bytes text = {0};
        struct value value;

        assert(lookup->columns[i] != NULL);
        status = row_key_take(&key, &value, &lookup->scratch[i], err);
        if (status == STATUS_OK)
            status = postgres_value_text(&value, lookup->columns[i]->type, &scratch,
                                         &text, err);
        if (status == STATUS_OK && text.size > 0 &&
            memchr(text.data, 0, text.size) != NULL)
            status = STATUS_CONSTRAINT;
        if (status == STATUS_OK) {
            buffer_put_bytes(&lookup->sent[i], text);
            buffer_put(&lookup->sent[i], 0, 1);
            status = buffer_check(&lookup->sent[i], err);
            lookup->texts[i] = (const char *)lookup->sent[i].data;
        }
        buffer_release(&scratch);
    }
    return status == STATUS_OK && key.size > 0 ? STATUS_CORRUPT : status;
}

static enum status put_statement(struct lookup *lookup, struct postgres *postgres,
                                 struct error *err)
{
    struct buffer *sql = &lookup->sql;
    char number[32];
    enum status status;

    put(sql, "SELECT ");
    for (uint32_t i = 0; i < lookup->definition->key_count; i++) {
        put(sql, i == 0 ? "" : ", ");
        postgres_put_name(sql, lookup->columns[i]->name);
    }
    status = put_from(sql, postgres, lookup->definition, err);
    for (uint32_t i = 0; i < lookup->definition->key_count; i++) {
        put(sql, i == 0 ? " WHERE " : " AND ");
        postgres_put_name(sql, lookup->columns[i]->name);
        (void)snprintf(number, sizeof number, " = $%u::", i + 1);
        put(sql, number);
        put(sql, lookup->columns[i]->declared_type);
    }
    buffer_put(sql, 0, 1);
    return status == STATUS_OK ? buffer_check(sql, err) : status;
}

/* What the database takes for equal may be another row: of another case, say. */
static enum status is_key_of(struct lookup *lookup, const PGresult *result, int row,
                             struct bytes key, bool *same, struct error *err)
{
    enum status status = STATUS_OK;

    buffer_clear(&lookup->found);
    for (int i = 0; status == STATUS_OK && i < (int)lookup->definition->key_count; i++) {
        struct bytes text = {(const uint8_t *)PQgetvalue(result, row, i),
                             (size_t)PQgetlength(result, row, i)};
        struct value value;

        status = postgres_value_take(lookup->columns[i]->type, text, &lookup->scratch[i],
                                     &value, err);
        if (status == STATUS_OK)
            status = row_key_put(&lookup->found, &value, err);
    }
    if (status == STATUS_OK)
        status = buffer_check(&lookup->found, err);
    *same = status == STATUS_OK && bytes_equal(buffer_view(&lookup->found), key);
    return status;
}

static enum status look_for(struct lookup *lookup, struct postgres *postgres,
                            struct bytes key, bool *there, struct error *err)
{
    PGresult *result = NULL;
    enum status ended,
        status = postgres_execute(postgres, "SAVEPOINT rowferry_find", err);

    if (status != STATUS_OK)
        return status;
    status =
        postgres_query(postgres, (const char *)lookup->sql.data,
                       (int)lookup->definition->key_count, lookup->texts, &result, err);
    for (int i = 0; status == STATUS_OK && !*there && i < PQntuples(result); i++)
        status = is_key_of(lookup, result, i, key, there, err);
    PQclear(result);
    if (status != STATUS_OK && status != STATUS_CONSTRAINT)
        return status;
    ended = postgres_execute(postgres,
                             status == STATUS_OK
                                 ? "RELEASE rowferry_find"
                                 : "ROLLBACK TO rowferry_find; RELEASE rowferry_find",
                             err);
    return ended;
}

enum status postgres_reader_find(struct postgres *postgres,
                                 const struct definition *definition, struct bytes key,
                                 bool *there, struct error *err)
{
    struct lookup lookup = {.definition = definition};
    enum status status = init_lookup(&lookup, err);

    *there = false;
    if (status == STATUS_OK)
        status = put_texts(&lookup, key, err);
    if (status == STATUS_OK)
        status = put_statement(&lookup, postgres, err);
    if (status == STATUS_OK)
        status = look_for(&lookup, postgres, key, there, err);
    release_lookup(&lookup);
    return status == STATUS_CONSTRAINT || status == STATUS_CORRUPT ? STATUS_OK : status;
}
