/* Rows of a set that are new, by COPY: the server writes those of a page with one record
 * of its WAL, and decodes them from that one. */
#include "apply/postgres_set_private.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 1 << 16 }; /* so that the server begins before we have ended */

/* ---- rows as COPY reads them */

/* The letter behind a backslash that a byte is written as; 0: it stands for itself. */
static char escape_of(uint8_t byte)
{
    switch (byte) {
    case '\\':
        return '\\';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

static void put_text(struct buffer *out, struct bytes text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.size; i++) {
        char letter;

        if (text.data[i] > '\\' || (letter = escape_of(text.data[i])) == 0)
            continue;
        buffer_put_bytes(out, (struct bytes){text.data + from, i - from});
        buffer_put(out, '\\', 1);
        buffer_put(out, (uint8_t)letter, 1);
        from = i + 1;
    }
    buffer_put_bytes(out, (struct bytes){text.data + from, text.size - from});
}

static void put_row(struct buffer *out, const struct postgres_set *set, uint32_t row)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < postgres_set_places(set); i++) {
        const uint8_t *at;
        uint32_t size;

        if (!set->columns[i])
            continue;
        at = set->texts[i].data + bytes_get(set->offsets[i].data + (size_t)row * 4, 4);
        size = (uint32_t)bytes_get(at, 4);
        if (count++ > 0)
            buffer_put(out, '\t', 1);
        if (size == UINT32_MAX)
            buffer_put_bytes(out, bytes_of_text("\\N"));
        else
            put_text(out, (struct bytes){at + 4, size});
    }
    buffer_put(out, '\n', 1);
}

/* ---- running */

/* A lost connection is told by the result. */
static enum status send_rows(const struct postgres_set *set, PGconn *handle,
                             uint32_t first, uint32_t count, struct error *err)
{
    struct buffer chunk = {0};
    enum status status = STATUS_OK;
    bool sent = true;

    for (uint32_t i = 0; i < count && sent && status == STATUS_OK; i++) {
        put_row(&chunk, set, first + i);
        status = buffer_check(&chunk, err);
        if (status != STATUS_OK || (chunk.size < CHUNK_BYTES && i + 1 < count))
            continue;
        sent = PQputCopyData(handle, (const char *)chunk.data, (int)chunk.size) == 1;
        buffer_clear(&chunk);
    }
    buffer_release(&chunk);
    return status;
}

/* The last result, the caller's: there may be more than one after a failure. */
static PGresult *last_result(PGconn *handle)
{
    PGresult *last = NULL, *next;

    while ((next = PQgetResult(handle)) != NULL) {
        PQclear(last);
        last = next;
        if (PQresultStatus(last) == PGRES_COPY_IN) /* the connection is lost */
            break;
    }
    return last;
}

static enum status copy(const struct postgres_set *set, const char *sql, uint32_t first,
                        uint32_t count, uint32_t *written, enum refusal_kind *kind,
                        struct error *err)
{
    struct postgres *postgres = set->writer->postgres;
    const char *name = set->writer->definition->local_name;
    PGconn *handle = postgres_handle(postgres);
    PGresult *result = PQexec(handle, sql);
    enum status status = STATUS_OK;

    if (PQresultStatus(result) == PGRES_COPY_IN) {
        PQclear(result);
        status = send_rows(set, handle, first, count, err);
        (void)PQputCopyEnd(handle, status == STATUS_OK ? NULL : "out of memory");
        result = last_result(handle);
    }
    if (status == STATUS_OK && PQresultStatus(result) == PGRES_COMMAND_OK) {
        *written = (uint32_t)strtoul(PQcmdTuples(result), NULL, 10);
    } else if (status == STATUS_OK) {
        *kind = postgres_refusal_kind(result);
        status = postgres_refusal(postgres, result, name, err);
    }
    PQclear(result);
    return status;
}

enum status postgres_set_copy(struct postgres_set *set, uint32_t first, uint32_t count,
                              uint32_t *written, enum refusal_kind *kind,
                              struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    *written = 0;
    *kind = REFUSAL_OTHER;
    postgres_set_put_copy(&sql, set);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = copy(set, (const char *)sql.data, first, count, written, kind, err);
    buffer_release(&sql);
    return status;
}
