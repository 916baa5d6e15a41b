#include "engine/postgres_stored.h"

#include "engine/postgres_default.h"
#include "engine/postgres_value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWERS = 256,          /* that are remembered, of all columns together */
    ANSWER_SIZE_MAX = 1024, /* the largest text that is */
    STATEMENT_NAME_MAX = 64,
};

enum default_state { DEFAULT_UNASKED, DEFAULT_CONSTANT, DEFAULT_OTHER };

struct stored_column {
    const struct column *column;
    bool prepared;
    struct buffer sent;          /* text made of a value */
    struct buffer answer;        /* text that a value is a view of */
    struct buffer bytes;         /* a blob that was made of it */
    struct buffer default_text;  /* its value's, and */
    struct buffer default_bytes; /* a blob of it */
    struct value default_value;
    enum default_state default_state;
};

/* What the server said that a text becomes in a column. */
struct answer {
    uint32_t place;
    size_t asked_size;
    struct buffer text; /* asked, then answered; empty: none */
};

struct postgres_stored {
    struct stored stored;
    struct postgres *postgres;
    const struct definition *definition;
    struct stored_column *columns; /* by image place */
    struct answer *answers;        /* by hash */
    uint64_t number;               /* of its prepared statements */
};

static struct postgres_stored *self_of(struct stored *stored)
{
    return (struct postgres_stored *)stored; /* its first member */
}

/* ---- what needs no question */

#define IS(type) (1U << VALUE_##type)

/* Columns of these declared types make these values of the text that is sent, always.
 * Typed text is the column's own, as Postgres printed it. */
static const struct {
    const char *declared;
    unsigned values;
    int64_t smallest, largest; /* of integers */
} plain[] = {
    {"smallint",                    IS(INTEGER),                       INT16_MIN, INT16_MAX},
    {"integer",                     IS(INTEGER),                       INT32_MIN, INT32_MAX},
    {"bigint",                      IS(INTEGER),                       INT64_MIN, INT64_MAX},
    {"boolean",                     IS(INTEGER),                       0,         1        },
    {"double precision",            IS(INTEGER) | IS(REAL),            INT64_MIN, INT64_MAX},
    {"numeric",                     IS(INTEGER) | IS(TYPED),           INT64_MIN, INT64_MAX},
    {"text",                        IS(INTEGER) | IS(REAL) | IS(TEXT), INT64_MIN, INT64_MAX},
    {"character varying",           IS(INTEGER) | IS(REAL) | IS(TEXT), INT64_MIN, INT64_MAX},
    {"bytea",                       IS(BLOB),                          0,         0        },
    {"date",                        IS(TYPED),                         0,         0        },
    {"timestamp without time zone", IS(TYPED),                         0,         0        },
    {"timestamp with time zone",    IS(TYPED),                         0,         0        },
    {"interval",                    IS(TYPED),                         0,         0        },
    {"uuid",                        IS(TYPED),                         0,         0        },
    {"json",                        IS(TYPED),                         0,         0        },
    {"jsonb",                       IS(TYPED),                         0,         0        },
};

static bool is_plain(const struct column *column, const struct value *value)
{
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (strcmp(plain[i].declared, column->declared_type) != 0)
            continue;
        return (plain[i].values & 1U << value->type) != 0 &&
               (value->type != VALUE_TYPED || value->typed == column->type) &&
               (value->type != VALUE_INTEGER || (value->integer >= plain[i].smallest &&
                                                 value->integer <= plain[i].largest));
    }
    return false;
}

/* A column's type alone says whether it changes values of the type that it keeps: text
 * is cut to a length, reals to 32 bits, typed text may be printed otherwise. */
static bool keeps(const struct stored *seam, uint32_t place, enum value_type type)
{
    const struct postgres_stored *stored = (const struct postgres_stored *)seam;
    const struct column *column = stored->columns[place].column;
    const char *declared = column->declared_type;

    assert(place < stored->definition->stored_count);
    switch (type) {
    case VALUE_REAL:
        return strcmp(declared, "double precision") == 0;
    case VALUE_TEXT:
        return strcmp(declared, "text") == 0 ||
               strcmp(declared, "character varying") == 0;
    case VALUE_TYPED:
        return false;
    default:
        return true;
    }
}

/* ---- what was answered before */

static struct answer *slot_of(const struct postgres_stored *stored, uint32_t place,
                              struct bytes asked)
{
    uint64_t hash = UINT64_C(14695981039346656037) ^ place; /* FNV-1a */

    for (size_t i = 0; i < asked.size; i++)
        hash = (hash ^ asked.data[i]) * UINT64_C(1099511628211);
    return &stored->answers[(hash ^ hash >> 32) % ANSWERS];
}

static bool recall(const struct postgres_stored *stored, uint32_t place,
                   struct bytes asked, struct bytes *answer)
{
    const struct answer *slot = slot_of(stored, place, asked);
    struct bytes text = buffer_view(&slot->text);

    if (text.size == 0 || slot->place != place || slot->asked_size != asked.size ||
        (asked.size > 0 && memcmp(text.data, asked.data, asked.size) != 0))
        return false;
    *answer = (struct bytes){text.data + asked.size, text.size - asked.size};
    return true;
}

/* Without memory it is asked again, that is all. */
static void remember(const struct postgres_stored *stored, uint32_t place,
                     struct bytes asked, struct bytes answer)
{
    struct answer *slot = slot_of(stored, place, asked);

    if (asked.size > ANSWER_SIZE_MAX || answer.size > ANSWER_SIZE_MAX)
        return;
    slot->place = place;
    slot->asked_size = asked.size;
    buffer_clear(&slot->text);
    buffer_put_bytes(&slot->text, asked);
    buffer_put_bytes(&slot->text, answer);
    if (slot->text.failed)
        buffer_clear(&slot->text);
}

/* ---- what the server says */

static void name_statement(const struct postgres_stored *stored, uint32_t place,
                           char name[STATEMENT_NAME_MAX])
{
    (void)snprintf(name, STATEMENT_NAME_MAX, "rowferry_stored_%" PRIu64 "_%" PRIu32,
                   stored->number, place);
}

/* A cast would cut text to a length in silence, which an INSERT refuses. As a member of
 * a record each type's own input function gets the text, and the length with it; but for
 * json, to which the member itself is json. */
static enum status prepare(struct postgres_stored *stored, uint32_t place,
                           struct error *err)
{
    const struct column *column = stored->columns[place].column;
    bool json = column->type == FLEET_JSON || column->type == FLEET_JSONB;
    char name[STATEMENT_NAME_MAX];
    struct buffer sql = {0};
    PGresult *result;
    enum status status;

    buffer_put_bytes(&sql,
                     bytes_of_text(json ? "SELECT $1::"
                                        : "SELECT x.v FROM json_to_record("
                                          "json_build_object('v', $1::text)) x(v "));
    buffer_put_bytes(&sql, bytes_of_text(column->declared_type));
    buffer_put_bytes(&sql, bytes_of_text(json ? "" : ")"));
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK) {
        name_statement(stored, place, name);
        result = PQprepare(postgres_handle(stored->postgres), name,
                           (const char *)sql.data, 1, NULL);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            status = postgres_failed(stored->postgres, result, column->name, err);
        stored->columns[place].prepared = status == STATUS_OK;
        PQclear(result);
    }
    buffer_release(&sql);
    return status;
}

/* text has a zero behind it. */
static enum status execute(struct postgres_stored *stored, uint32_t place,
                           const char *text, struct buffer *answer, struct error *err)
{
    const char *column = stored->columns[place].column->name;
    char name[STATEMENT_NAME_MAX];
    PGresult *result;
    enum status status = STATUS_OK;

    name_statement(stored, place, name);
    result =
        PQexecPrepared(postgres_handle(stored->postgres), name, 1, &text, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        status = postgres_failed(stored->postgres, result, column, err);
    } else if (PQntuples(result) != 1 || PQgetisnull(result, 0, 0) != 0) {
        status =
            error_set(err, STATUS_CORRUPT, "%s: stored, text became nothing", column);
    } else {
        buffer_clear(answer);
        buffer_put_bytes(answer, (struct bytes){(const uint8_t *)PQgetvalue(result, 0, 0),
                                                (size_t)PQgetlength(result, 0, 0)});
        buffer_put(answer, 0, 1); /* so that it has an address when empty */
        status = buffer_check(answer, err);
        if (status == STATUS_OK)
            buffer_cut(answer, answer->size - 1);
    }
    PQclear(result);
    return status;
}

/* In a transaction, *within, questions stand in a savepoint. */
static enum status begin_asking(struct postgres *postgres, bool *within,
                                struct error *err)
{
    *within = PQtransactionStatus(postgres_handle(postgres)) == PQTRANS_INTRANS;
    return *within ? postgres_execute(postgres, "SAVEPOINT rowferry_stored", err)
                   : STATUS_OK;
}

static enum status end_asking(struct postgres *postgres, bool within, enum status status,
                              struct error *err)
{
    struct error ignored;

    if (within && status == STATUS_OK)
        return postgres_execute(postgres, "RELEASE rowferry_stored", err);
    /* When this fails, so will whatever comes next. */
    if (within)
        (void)!postgres_execute(
            postgres, "ROLLBACK TO rowferry_stored; RELEASE rowferry_stored", &ignored);
    return status;
}

static enum status ask(struct postgres_stored *stored, uint32_t place, const char *text,
                       struct buffer *answer, struct error *err)
{
    bool within;
    enum status status = begin_asking(stored->postgres, &within, err);

    if (status != STATUS_OK)
        return status;
    if (!stored->columns[place].prepared)
        status = prepare(stored, place, err);
    if (status == STATUS_OK)
        status = execute(stored, place, text, answer, err);
    return end_asking(stored->postgres, within, status, err);
}

/* ---- the seam */

/* A value of its type out of text, which is kept in answer; a blob in bytes. */
static enum status take_answer(const struct column *column, struct bytes text,
                               struct buffer *answer, struct buffer *bytes,
                               struct value *out, struct error *err)
{
    enum status status;

    if (text.data != answer->data) {
        buffer_clear(answer);
        buffer_put_bytes(answer, text);
        buffer_put(answer, 0, 1); /* so that it has an address when empty */
        status = buffer_check(answer, err);
        if (status != STATUS_OK)
            return status;
        text.data = answer->data;
    }
    status = postgres_value_take(column->type, text, bytes, out, err);
    return status == STATUS_OK ? status : error_wrap(err, status, column->name);
}

static enum status stored_value(struct stored *seam, uint32_t place,
                                const struct value *value, struct value *out,
                                struct error *err)
{
    struct postgres_stored *stored = self_of(seam);
    struct stored_column *column = &stored->columns[place];
    struct bytes text, answer;
    enum status status;

    assert(place < stored->definition->stored_count);
    status = postgres_value_text(value, column->column->type, &column->sent, &text, err);
    if (status != STATUS_OK)
        return error_wrap(err, status, column->column->name);
    if (text.data == NULL) {
        *out = (struct value){.type = VALUE_NULL};
        return STATUS_OK;
    }
    if (is_plain(column->column, value)) {
        answer = text;
    } else if (!recall(stored, place, text, &answer)) {
        if (text.data != column->sent.data)
            buffer_put_bytes(&column->sent, text);
        buffer_put(&column->sent, 0, 1);
        status = buffer_check(&column->sent, err);
        if (status == STATUS_OK)
            status =
                ask(stored, place, (const char *)column->sent.data, &column->answer, err);
        if (status != STATUS_OK)
            return status;
        text = (struct bytes){column->sent.data, column->sent.size - 1};
        answer = buffer_view(&column->answer);
        remember(stored, place, text, answer);
    }
    return take_answer(column->column, answer, &column->answer, &column->bytes, out, err);
}

/* The column's default, which is a constant. */
static enum status query_default(struct postgres_stored *stored,
                                 const struct column *column, PGresult **out,
                                 struct error *err)
{
    struct buffer sql = {0};
    enum status status;
    bool within;

    buffer_put_bytes(&sql, bytes_of_text("SELECT CAST("));
    buffer_put_bytes(&sql, bytes_of_text(column->default_sql));
    buffer_put_bytes(&sql, bytes_of_text(" AS "));
    buffer_put_bytes(&sql, bytes_of_text(column->declared_type));
    buffer_put_bytes(&sql, bytes_of_text(")"));
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = begin_asking(stored->postgres, &within, err);
    if (status == STATUS_OK) {
        status =
            postgres_query(stored->postgres, (const char *)sql.data, 0, NULL, out, err);
        status = end_asking(stored->postgres, within, status, err);
    }
    buffer_release(&sql);
    return status;
}

static enum status ask_default(struct postgres_stored *stored,
                               struct stored_column *column, struct error *err)
{
    PGresult *result = NULL;
    enum status status;

    column->default_value = (struct value){.type = VALUE_NULL};
    if (column->column->default_sql == NULL)
        return STATUS_OK;
    if (!postgres_default_is_constant(column->column->default_sql))
        return STATUS_NOT_FOUND;
    status = query_default(stored, column->column, &result, err);
    if (status == STATUS_OK) {
        struct bytes text = {(const uint8_t *)PQgetvalue(result, 0, 0),
                             (size_t)PQgetlength(result, 0, 0)};

        if (PQgetisnull(result, 0, 0) == 0)
            status = take_answer(column->column, text, &column->default_text,
                                 &column->default_bytes, &column->default_value, err);
    }
    PQclear(result);
    return status;
}

static enum status stored_default(struct stored *seam, uint32_t place, struct value *out,
                                  struct error *err)
{
    struct postgres_stored *stored = self_of(seam);
    struct stored_column *column = &stored->columns[place];

    assert(place < stored->definition->stored_count);
    if (column->default_state == DEFAULT_UNASKED) {
        enum status status = ask_default(stored, column, err);

        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
        column->default_state = status == STATUS_OK ? DEFAULT_CONSTANT : DEFAULT_OTHER;
    }
    if (column->default_state == DEFAULT_OTHER)
        return STATUS_NOT_FOUND;
    *out = column->default_value;
    return STATUS_OK;
}

static void forget_statement(const struct postgres_stored *stored, uint32_t place)
{
    char name[STATEMENT_NAME_MAX];
    char sql[STATEMENT_NAME_MAX + 16];

    if (!stored->columns[place].prepared)
        return;
    name_statement(stored, place, name);
    (void)snprintf(sql, sizeof sql, "DEALLOCATE %s", name);
    /* Its name is nobody else's, so it does no harm if it stays. */
    PQclear(PQexec(postgres_handle(stored->postgres), sql));
}

static void close_stored(struct stored *seam)
{
    struct postgres_stored *stored = self_of(seam);

    for (uint32_t i = 0; stored->columns != NULL && i < stored->definition->stored_count;
         i++) {
        struct stored_column *column = &stored->columns[i];

        forget_statement(stored, i);
        buffer_release(&column->sent);
        buffer_release(&column->answer);
        buffer_release(&column->bytes);
        buffer_release(&column->default_text);
        buffer_release(&column->default_bytes);
    }
    for (size_t i = 0; stored->answers != NULL && i < ANSWERS; i++)
        buffer_release(&stored->answers[i].text);
    free(stored->answers);
    free(stored->columns);
    free(stored);
}

static const struct stored_ops ops = {keeps, stored_value, stored_default, close_stored};

enum status postgres_stored_open(struct stored **out, struct postgres *postgres,
                                 const struct definition *definition, struct error *err)
{
    static atomic_uint_fast64_t count;
    struct postgres_stored *stored = calloc(1, sizeof *stored);
    uint32_t place = 0;

    assert(definition->stored_count > 0);
    *out = NULL;
    if (stored != NULL) {
        stored->stored.ops = &ops;
        stored->definition = definition;
        stored->postgres = postgres;
        stored->number = atomic_fetch_add(&count, 1);
        stored->columns = calloc(definition->stored_count, sizeof *stored->columns);
        stored->answers = calloc(ANSWERS, sizeof *stored->answers);
    }
    if (stored == NULL || stored->columns == NULL || stored->answers == NULL) {
        if (stored != NULL)
            close_stored(&stored->stored);
        return error_set(err, STATUS_NO_MEMORY, "stored values: out of memory");
    }
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (definition->columns[i].generated == GENERATED_NO)
            stored->columns[place++].column = &definition->columns[i];
    assert(place == definition->stored_count);
    *out = &stored->stored;
    return STATUS_OK;
}
