#include "apply/postgres_set_private.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_OID = 25, GUARD_PARAMETERS = 3 };

/* ---- life */

void postgres_set_close(struct postgres_set *set)
{
    if (set == NULL)
        return;
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        if (set->texts != NULL)
            buffer_release(&set->texts[i]);
        if (set->offsets != NULL)
            buffer_release(&set->offsets[i]);
    }
    buffer_release(&set->rows);
    buffer_release(&set->row_offsets);
    free(set->columns);
    free(set->settable);
    free(set->texts);
    free(set->offsets);
    free(set);
}

/* An identity that is always generated keeps what the insert gave it. */
static void choose_settable(struct postgres_set *set)
{
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        const struct postgres_column *column = &set->writer->columns[i];
        bool key = column->column->key_position > 0;

        set->settable[i] =
            set->columns[i] && !column->always && (!key || set->kind == SET_UPDATE);
        if (key) /* in any case, to find the row by */
            set->columns[i] = true;
    }
}

enum status postgres_set_open(struct postgres_set **out, struct postgres_writer *writer,
                              enum set_kind kind, const bool *columns,
                              const struct postgres_guard *guard, struct error *err)
{
    struct postgres_set *set = calloc(1, sizeof *set);
    size_t places = (size_t)writer->definition->stored_count + 1;

    *out = NULL;
    if (set == NULL)
        return error_set(err, STATUS_NO_MEMORY, "write rows: out of memory");
    set->writer = writer;
    set->kind = kind;
    set->guard = guard;
    set->columns = calloc(places, sizeof *set->columns);
    set->settable = calloc(places, sizeof *set->settable);
    set->texts = calloc(places, sizeof *set->texts);
    set->offsets = calloc(places, sizeof *set->offsets);
    if (set->columns == NULL || set->settable == NULL || set->texts == NULL ||
        set->offsets == NULL) {
        postgres_set_close(set);
        return error_set(err, STATUS_NO_MEMORY, "write rows: out of memory");
    }
    memcpy(set->columns, columns, (places - 1) * sizeof *columns);
    choose_settable(set);
    *out = set;
    return STATUS_OK;
}

bool postgres_set_is(const struct postgres_set *set, enum set_kind kind,
                     const bool *columns, const struct postgres_guard *guard)
{
    if (set->kind != kind || set->guard != guard)
        return false;
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        const struct postgres_column *column = &set->writer->columns[i];
        bool key = column->column->key_position > 0;

        if (kind == SET_UPDATE ? set->settable[i] != (columns[i] && !column->always)
                               : set->columns[i] != (columns[i] || key))
            return false;
    }
    return true;
}

bool postgres_set_is_full(const struct postgres_set *set)
{
    return set->count >= SET_ROWS_MAX || set->bytes >= SET_BYTES_MAX;
}

void postgres_set_clear(struct postgres_set *set)
{
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        buffer_clear(&set->texts[i]);
        buffer_clear(&set->offsets[i]);
    }
    buffer_clear(&set->rows);
    buffer_clear(&set->row_offsets);
    set->count = 0;
    set->bytes = 0;
}

/* ---- rows */

static enum status add_column(struct postgres_set *set, uint32_t place,
                              enum write_result *result, struct error *err)
{
    struct buffer *texts = &set->texts[place];
    size_t before = texts->size;
    struct bytes text;
    enum status status = postgres_writer_text(set->writer, place, &text, result, err);

    if (status != STATUS_OK || *result != WRITE_DONE)
        return status;
    buffer_put(&set->offsets[place], texts->size, 4);
    buffer_put(texts, text.data == NULL ? UINT32_MAX : text.size, 4);
    if (text.data != NULL)
        buffer_put_bytes(texts, text);
    set->bytes += texts->size - before;
    status = buffer_check(texts, err);
    return status == STATUS_OK ? buffer_check(&set->offsets[place], err) : status;
}

/* Take back what was added of a row that can't be. */
static void cut_row(struct postgres_set *set)
{
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        struct buffer *offsets = &set->offsets[i];

        if (offsets->size <= (size_t)set->count * 4)
            continue;
        buffer_cut(&set->texts[i], bytes_get(offsets->data + (size_t)set->count * 4, 4));
        buffer_cut(offsets, (size_t)set->count * 4);
    }
}

enum status postgres_set_add(struct postgres_set *set, struct bytes note,
                             enum write_result *result, struct error *err)
{
    enum status status = STATUS_OK;

    *result = WRITE_DONE;
    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        if (!set->columns[i])
            continue;
        status = add_column(set, i, result, err);
        if (status != STATUS_OK)
            return status;
        if (*result != WRITE_DONE) {
            cut_row(set);
            return STATUS_OK;
        }
    }
    buffer_put(&set->row_offsets, set->rows.size, 4);
    buffer_put_sized(&set->rows, note);
    set->bytes += note.size;
    set->count++;
    status = buffer_check(&set->rows, err);
    return status == STATUS_OK ? buffer_check(&set->row_offsets, err) : status;
}

struct bytes postgres_set_note(const struct postgres_set *set, uint32_t row)
{
    size_t at = bytes_get(set->row_offsets.data + (size_t)row * 4, 4);
    struct bytes rest = {set->rows.data + at, set->rows.size - at}, note = {NULL, 0};

    (void)bytes_take_sized(&rest, &note);
    return note;
}

/* ---- statements */

static enum status prepare(struct postgres_set *set, struct error *err)
{
    static atomic_ullong last;
    struct postgres *postgres = set->writer->postgres;
    char name[sizeof set->statement];
    struct buffer sql = {0};
    PGresult *result;
    enum status status;

    postgres_set_put_statement(&sql, set);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK) {
        (void)snprintf(name, sizeof name, "rowferry_set_%llu",
                       atomic_fetch_add(&last, 1) + 1);
        result =
            PQprepare(postgres_handle(postgres), name, (const char *)sql.data, 0, NULL);
        if (PQresultStatus(result) == PGRES_COMMAND_OK) {
            memcpy(set->statement, name, sizeof name);
        } else {
            status = postgres_refusal(postgres, result,
                                      set->writer->definition->local_name, err);
        }
        PQclear(result);
    }
    buffer_release(&sql);
    return status;
}

/* ---- running */

/* A column's part of an array: dimensions, whether there are NULLs, the element's type,
 * length, lower bound, elements; each of four bytes. */
static enum status put_array(struct buffer *out, const struct postgres_set *set,
                             uint32_t place, uint32_t first, uint32_t count,
                             struct error *err)
{
    const struct buffer *texts = &set->texts[place];
    const struct buffer *offsets = &set->offsets[place];
    size_t from = bytes_get(offsets->data + (size_t)first * 4, 4);
    size_t to = first + count < set->count
                    ? bytes_get(offsets->data + ((size_t)first + count) * 4, 4)
                    : texts->size;

    buffer_clear(out);
    buffer_put(out, 1, 4);
    buffer_put(out, 1, 4);
    buffer_put(out, TEXT_OID, 4);
    buffer_put(out, count, 4);
    buffer_put(out, 1, 4);
    buffer_put_bytes(out, (struct bytes){texts->data + from, to - from});
    return buffer_check(out, err);
}

struct set_parameters {
    const char **values;
    int *sizes;
    int *formats;
    struct buffer *arrays;
    size_t room;
    int count;
};

static enum status parameters_open(struct set_parameters *parameters,
                                   const struct postgres_set *set, struct error *err)
{
    size_t room = (size_t)postgres_set_places(set) + GUARD_PARAMETERS;

    *parameters = (struct set_parameters){
        .values = calloc(room, sizeof *parameters->values),
        .sizes = calloc(room, sizeof *parameters->sizes),
        .formats = calloc(room, sizeof *parameters->formats),
        .arrays = calloc(room, sizeof *parameters->arrays),
        .room = room,
    };
    return parameters->values == NULL || parameters->sizes == NULL ||
                   parameters->formats == NULL || parameters->arrays == NULL
               ? error_set(err, STATUS_NO_MEMORY, "write rows: out of memory")
               : STATUS_OK;
}

static void parameters_close(struct set_parameters *parameters)
{
    for (size_t i = 0; parameters->arrays != NULL && i < parameters->room; i++)
        buffer_release(&parameters->arrays[i]);
    free(parameters->values);
    free(parameters->sizes);
    free(parameters->formats);
    free(parameters->arrays);
}

static enum status bind(struct set_parameters *parameters, const struct postgres_set *set,
                        uint32_t first, uint32_t count, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < postgres_set_places(set) && status == STATUS_OK; i++) {
        int at = parameters->count;

        if (!set->columns[i])
            continue;
        status = put_array(&parameters->arrays[at], set, i, first, count, err);
        parameters->values[at] = (const char *)parameters->arrays[at].data;
        parameters->sizes[at] = (int)parameters->arrays[at].size;
        parameters->formats[at] = 1;
        parameters->count++;
    }
    if (status == STATUS_OK && set->guard != NULL &&
        (set->kind != SET_INSERT || set->writer->arbiter)) {
        postgres_guard_bind(set->guard, parameters->values + parameters->count);
        parameters->count += GUARD_PARAMETERS;
    }
    return status;
}

static enum status execute(struct postgres_set *set,
                           const struct set_parameters *parameters, uint32_t *written,
                           enum refusal_kind *kind, struct error *err)
{
    struct postgres *postgres = set->writer->postgres;
    PGresult *result =
        PQexecPrepared(postgres_handle(postgres), set->statement, parameters->count,
                       parameters->values, parameters->sizes, parameters->formats, 0);
    enum status status = STATUS_OK;

    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        *written = (uint32_t)strtoul(PQcmdTuples(result), NULL, 10);
    } else {
        *kind = postgres_refusal_kind(result);
        status =
            postgres_refusal(postgres, result, set->writer->definition->local_name, err);
    }
    PQclear(result);
    return status;
}

enum status postgres_set_run(struct postgres_set *set, uint32_t first, uint32_t count,
                             uint32_t *written, enum refusal_kind *kind,
                             struct error *err)
{
    struct set_parameters parameters;
    enum status status = parameters_open(&parameters, set, err);

    *written = 0;
    *kind = REFUSAL_OTHER;
    if (status == STATUS_OK && set->statement[0] == '\0')
        status = prepare(set, err);
    if (status == STATUS_OK)
        status = bind(&parameters, set, first, count, err);
    if (status == STATUS_OK)
        status = execute(set, &parameters, written, kind, err);
    parameters_close(&parameters);
    return status;
}

/* ---- questions */

static enum status ask(const struct postgres_set *set, const char *sql,
                       struct set_parameters *parameters, PGresult **out,
                       struct error *err)
{
    struct postgres *postgres = set->writer->postgres;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < set->writer->definition->key_count && status == STATUS_OK;
         i++) {
        status = put_array(&parameters->arrays[i], set, set->writer->key_places[i], 0,
                           set->count, err);
        parameters->values[i] = (const char *)parameters->arrays[i].data;
        parameters->sizes[i] = (int)parameters->arrays[i].size;
        parameters->formats[i] = 1;
        parameters->count++;
    }
    if (status != STATUS_OK)
        return status;
    *out = PQexecParams(postgres_handle(postgres), sql, parameters->count, NULL,
                        parameters->values, parameters->sizes, parameters->formats, 0);
    if (PQresultStatus(*out) == PGRES_TUPLES_OK)
        return STATUS_OK;
    status = postgres_failed(postgres, *out, set->writer->definition->local_name, err);
    PQclear(*out);
    *out = NULL;
    return status;
}

enum status postgres_set_ask(const struct postgres_set *set, const char *sql,
                             PGresult **out, struct error *err)
{
    struct set_parameters parameters = {0};
    struct buffer text = {0};
    enum status status = parameters_open(&parameters, set, err);

    *out = NULL;
    postgres_set_put_question(&text, set, sql);
    if (status == STATUS_OK)
        status = buffer_check(&text, err);
    if (status == STATUS_OK)
        status = ask(set, (const char *)text.data, &parameters, out, err);
    parameters_close(&parameters);
    buffer_release(&text);
    return status;
}
