#include "node/shown_question.h"

#include "engine/postgres_type.h"
#include "engine/postgres_value.h"
#include "log/row_key.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_SIZE = 48 };

/* One answer. */
struct term {
    uint32_t unique;      /* of the definition's */
    bool is_condition;    /* whether the row is in the index at all; else a value */
    enum fleet_type type; /* of the value */
};

struct shown_question {
    struct postgres *asked;
    struct stored *stored;
    const struct definition *definition;
    char name[NAME_MAX_SIZE]; /* of the prepared statement; "": none */
    struct term *terms;
    uint32_t count;
    struct value *answers;  /* views of result, or into scratch */
    struct buffer *scratch; /* one an answer */
    const char **texts;     /* one a stored column: views into sent, NULL for NULL */
    struct buffer *sent;
    PGresult *result;
};

static void put(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

/* ---- life */

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "diff: out of memory");
}

static enum status add_terms(struct shown_question *question, const uint32_t *uniques,
                             uint32_t count, struct error *err)
{
    size_t most = 1;

    for (uint32_t i = 0; i < count; i++)
        most += question->definition->uniques[uniques[i]].term_count + (size_t)1;
    question->terms = calloc(most, sizeof *question->terms);
    question->answers = calloc(most, sizeof *question->answers);
    question->scratch = calloc(most, sizeof *question->scratch);
    if (question->terms == NULL || question->answers == NULL || question->scratch == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        const struct unique_key *unique = &question->definition->uniques[uniques[i]];

        for (uint32_t t = 0; t < unique->term_count; t++)
            question->terms[question->count++] = (struct term){.unique = uniques[i]};
        if (unique->where_sql != NULL)
            question->terms[question->count++] =
                (struct term){.unique = uniques[i], .is_condition = true};
    }
    return STATUS_OK;
}

/* SELECT what is asked FROM (SELECT the row) */
static void put_statement(const struct shown_question *question, struct buffer *sql)
{
    const struct definition *definition = question->definition;
    uint32_t in_unique = 0, parameter = 0;
    char number[32];

    for (uint32_t i = 0; i < question->count; i++) {
        const struct term *term = &question->terms[i];
        const struct unique_key *unique = &definition->uniques[term->unique];

        put(sql, i == 0 ? "SELECT (" : "), (");
        if (i == 0 || question->terms[i - 1].unique != term->unique)
            in_unique = 0;
        if (term->is_condition)
            put(sql, unique->where_sql);
        else if (unique->is_expression[in_unique])
            put(sql, unique->terms[in_unique++]);
        else
            postgres_put_name(sql, unique->terms[in_unique++]);
    }
    put(sql, ") FROM (SELECT ");
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        (void)snprintf(number, sizeof number, "%sCAST($%u AS ", parameter > 0 ? ", " : "",
                       parameter + 1);
        put(sql, number);
        put(sql, definition->columns[i].declared_type);
        put(sql, ") AS ");
        postgres_put_name(sql, definition->columns[i].name);
        parameter++;
    }
    put(sql, ") AS \"rowferry row\"");
    buffer_put(sql, 0, 1);
}

bool shown_is_comparable(enum fleet_type type, const char *collation)
{
    switch (type) {
    case FLEET_INTEGER:
    case FLEET_REAL:
    case FLEET_BLOB:
    case FLEET_NUMERIC:
    case FLEET_BOOLEAN:
    case FLEET_DATE:
    case FLEET_TIME:
    case FLEET_TIMESTAMP:
    case FLEET_TIMESTAMPTZ:
    case FLEET_UUID:
        return true;
    case FLEET_TEXT:
        return strchr(collation, '.') == NULL; /* Postgres's own are deterministic */
    default:
        return false;
    }
}

/* Of what types the answers are. */
static void describe(struct shown_question *question, const PGresult *described,
                     int64_t *lacking)
{
    uint32_t in_unique = 0;

    for (uint32_t i = 0; *lacking < 0 && i < question->count; i++) {
        struct term *term = &question->terms[i];
        const struct unique_key *unique = &question->definition->uniques[term->unique];
        struct postgres_type type = {
            .oid = PQftype(described, (int)i), .name = "", .schema = "", .kind = 'b'};

        if (i == 0 || question->terms[i - 1].unique != term->unique)
            in_unique = 0;
        term->type = postgres_fleet_type(&type);
        if (!term->is_condition &&
            !shown_is_comparable(term->type, unique->collations[in_unique++]))
            *lacking = term->unique;
    }
}

/* A statement that Postgres does not take so is no failure: of a generated column, say,
 * which is no part of the row. */
static enum status prepare(struct shown_question *question, int64_t *lacking,
                           struct error *err)
{
    static unsigned long number;
    PGconn *handle = postgres_handle(question->asked);
    struct buffer sql = {0};
    PGresult *result = NULL;
    enum status status;

    put_statement(question, &sql);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK) {
        (void)snprintf(question->name, sizeof question->name, "rowferry_question_%lu",
                       ++number);
        result = PQprepare(handle, question->name, (const char *)sql.data, 0, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK) {
            *lacking = question->terms[0].unique;
            question->name[0] = '\0';
        }
    }
    PQclear(result);
    buffer_release(&sql);
    if (status != STATUS_OK || *lacking >= 0)
        return status;
    result = PQdescribePrepared(handle, question->name);
    if (PQresultStatus(result) == PGRES_COMMAND_OK)
        describe(question, result, lacking);
    else
        status =
            postgres_failed(question->asked, result, question->definition->name, err);
    PQclear(result);
    return status;
}

enum status shown_question_open(struct shown_question **out, struct postgres *asked,
                                struct stored *stored,
                                const struct definition *definition,
                                const uint32_t *uniques, uint32_t count, int64_t *lacking,
                                struct error *err)
{
    struct shown_question *question = calloc(1, sizeof *question);
    enum status status;

    assert(count > 0);
    *out = NULL;
    *lacking = -1;
    if (question == NULL)
        return no_memory(err);
    question->asked = asked;
    question->stored = stored;
    question->definition = definition;
    question->texts = (const char **)calloc(definition->stored_count, sizeof(char *));
    question->sent = calloc(definition->stored_count, sizeof *question->sent);
    status = question->texts == NULL || question->sent == NULL
                 ? no_memory(err)
                 : add_terms(question, uniques, count, err);
    if (status == STATUS_OK)
        status = prepare(question, lacking, err);
    if (status == STATUS_OK && *lacking < 0) {
        *out = question;
        question = NULL;
    }
    shown_question_close(question);
    return status;
}

void shown_question_close(struct shown_question *question)
{
    char sql[NAME_MAX_SIZE + 16];

    if (question == NULL)
        return;
    if (question->name[0] != '\0') {
        /* Its name is nobody else's, so it does no harm if it stays. */
        (void)snprintf(sql, sizeof sql, "DEALLOCATE %s", question->name);
        PQclear(PQexec(postgres_handle(question->asked), sql));
    }
    for (uint32_t i = 0; question->sent != NULL && i < question->definition->stored_count;
         i++)
        buffer_release(&question->sent[i]);
    for (uint32_t i = 0; question->scratch != NULL && i < question->count; i++)
        buffer_release(&question->scratch[i]);
    PQclear(question->result);
    free((void *)question->texts);
    free(question->sent);
    free(question->scratch);
    free(question->answers);
    free(question->terms);
    free(question);
}

/* ---- columns and indexes */

uint32_t shown_question_count(const struct shown_question *question)
{
    return question == NULL ? 0 : question->count;
}

static void put_column(struct buffer *sql, const char *before, uint32_t term)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s\"rowferry term %u\"", before, term);
    put(sql, name);
}

void shown_question_put_columns(const struct shown_question *question, struct buffer *sql)
{
    for (uint32_t i = 0; i < shown_question_count(question); i++)
        put_column(sql, ", ", i);
}

void shown_question_put_indexes(const struct shown_question *question, size_t number,
                                struct bytes table, struct buffer *sql)
{
    uint32_t count = shown_question_count(question);
    char index[96];

    for (uint32_t i = 0; i < count;) {
        const struct term *first = &question->terms[i];
        const char *before = " (";

        (void)snprintf(index, sizeof index,
                       "CREATE UNIQUE INDEX \"rowferry asked %zu %u\" ON ", number, i);
        put(sql, index);
        buffer_put_bytes(sql, table);
        for (; i < count && question->terms[i].unique == first->unique; i++) {
            if (question->terms[i].is_condition) {
                put_column(sql, ") WHERE ", i);
                before = NULL;
                continue;
            }
            put_column(sql, before, i);
            before = ", ";
        }
        put(sql, before == NULL ? ";" : ");");
    }
}

/* ---- rows */

/* What Postgres has in a column. */
static enum status find_stored(const struct shown_question *question, uint32_t place,
                               const struct value *value, struct value *out,
                               struct error *err)
{
    struct stored *stored = question->stored;
    enum status status;

    if (value->type != VALUE_ABSENT)
        return stored->ops->value(stored, place, value, out, err);
    status = stored->ops->default_value(stored, place, out, err);
    if (status == STATUS_NOT_FOUND) /* it is no constant */
        *out = (struct value){.type = VALUE_NULL};
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* The row's columns as the text that Postgres has of them. */
static enum status put_row(struct shown_question *question, const struct value *row,
                           struct error *err)
{
    const struct definition *definition = question->definition;
    uint32_t place = 0;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < definition->column_count; i++) {
        struct buffer scratch = {0};
        struct bytes text = {0};
        struct value becomes;

        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        status = find_stored(question, place, &row[place], &becomes, err);
        if (status == STATUS_OK)
            status = postgres_value_text(&becomes, definition->columns[i].type, &scratch,
                                         &text, err);
        buffer_clear(&question->sent[place]);
        if (status == STATUS_OK) {
            buffer_put_bytes(&question->sent[place], text);
            buffer_put(&question->sent[place], 0, 1);
            status = buffer_check(&question->sent[place], err);
            question->texts[place] =
                text.data == NULL ? NULL : (const char *)question->sent[place].data;
        }
        buffer_release(&scratch);
        place++;
    }
    return status;
}

/* As a value that is equal, to SQLite, when it is to the index. */
static enum status take_answer(struct shown_question *question, uint32_t i,
                               struct error *err)
{
    const struct term *term = &question->terms[i];
    struct value *answer = &question->answers[i];
    bool nulls_equal = question->definition->uniques[term->unique].nulls_equal;
    struct bytes text = {(const uint8_t *)PQgetvalue(question->result, 0, (int)i),
                         (size_t)PQgetlength(question->result, 0, (int)i)};
    struct value value;
    enum status status;

    *answer = (struct value){.type = VALUE_NULL};
    if (PQgetisnull(question->result, 0, (int)i) != 0) {
        /* What no value of the type is. */
        if (nulls_equal && !term->is_condition) {
            answer->type = term->type == FLEET_BLOB ? VALUE_TEXT : VALUE_BLOB;
            answer->bytes = bytes_of_text("NULL");
        }
        return STATUS_OK;
    }
    status = postgres_value_take(term->is_condition ? FLEET_BOOLEAN : term->type, text,
                                 &question->scratch[i], &value, err);
    if (status != STATUS_OK)
        return status;
    if (value.type == VALUE_REAL && isnan(value.real)) /* to SQLite it is NULL */
        value = (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text("NaN")};
    *answer = row_key_canonical(&value);
    return STATUS_OK;
}

enum status shown_question_ask(struct shown_question *question, const struct value *row,
                               const struct value **answers, struct error *err)
{
    enum status status = put_row(question, row, err);

    if (status != STATUS_OK)
        return status;
    PQclear(question->result);
    question->result = PQexecPrepared(postgres_handle(question->asked), question->name,
                                      (int)question->definition->stored_count,
                                      question->texts, NULL, NULL, 0);
    if (PQresultStatus(question->result) != PGRES_TUPLES_OK)
        return postgres_failed(question->asked, question->result,
                               question->definition->name, err);
    for (uint32_t i = 0; status == STATUS_OK && i < question->count; i++)
        status = take_answer(question, i, err);
    *answers = question->answers;
    return status;
}
