#include "apply/postgres_guard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Transactions that may begin between the snapshot and the statement. Rows that were
 * frozen 4 billion transactions ago less this many look as new as theirs: they wait. */
enum { NEWER_MAX = 1 << 24 };

void postgres_guard_release(struct postgres_guard *guard)
{
    buffer_release(&guard->known_text);
}

static enum status write_known(struct postgres_guard *guard, struct error *err)
{
    struct buffer *text = &guard->known_text;
    char number[24];

    buffer_clear(text);
    buffer_put(text, '{', 1);
    for (uint32_t i = 0; i < guard->known_count; i++) {
        (void)snprintf(number, sizeof number, "%s%" PRIu32, i == 0 ? "" : ",",
                       (uint32_t)guard->known[i]);
        buffer_put_bytes(text, bytes_of_text(number));
    }
    buffer_put(text, '}', 1);
    buffer_put(text, 0, 1);
    return buffer_check(text, err);
}

/* What is below the floor is known anyway; the oldest go when there are too many. */
static void keep_known(struct postgres_guard *guard)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < guard->known_count; i++)
        if (guard->known[i] >= guard->floor)
            guard->known[count++] = guard->known[i];
    for (uint32_t i = 0; i < guard->learned_count; i++) {
        if (guard->learned[i] < guard->floor)
            continue;
        if (count == GUARD_KNOWN_MAX)
            memmove(guard->known, guard->known + 1, --count * sizeof *guard->known);
        guard->known[count++] = guard->learned[i];
    }
    guard->known_count = count;
    guard->learned_count = 0;
}

enum status postgres_guard_take(struct postgres_guard *guard, struct postgres *postgres,
                                struct error *err)
{
    PGresult *found = NULL;
    uint64_t next;
    enum status status = postgres_query(postgres,
                                        "SELECT pg_snapshot_xmin(s), pg_snapshot_xmax(s)"
                                        " FROM pg_current_snapshot() s",
                                        0, NULL, &found, err);

    if (status != STATUS_OK)
        return status;
    guard->floor = strtoull(PQgetvalue(found, 0, 0), NULL, 10);
    next = strtoull(PQgetvalue(found, 0, 1), NULL, 10);
    PQclear(found);
    (void)snprintf(guard->floor_text, sizeof guard->floor_text, "%" PRIu32,
                   (uint32_t)guard->floor);
    (void)snprintf(guard->window_text, sizeof guard->window_text, "%" PRIu64,
                   next - guard->floor + NEWER_MAX);
    keep_known(guard);
    return write_known(guard, err);
}

enum status postgres_guard_own(struct postgres_guard *guard, struct postgres *postgres,
                               struct error *err)
{
    int64_t xid = 0;
    enum status status =
        postgres_number(postgres, "SELECT pg_current_xact_id()::text::bigint", &xid, err);

    if (status != STATUS_OK)
        return status;
    if (guard->known_count == GUARD_KNOWN_MAX)
        memmove(guard->known, guard->known + 1,
                --guard->known_count * sizeof *guard->known);
    guard->known[guard->known_count++] = (uint64_t)xid;
    return write_known(guard, err);
}

/* The full id of 32 bits, near the floor. */
static uint64_t full_id(const struct postgres_guard *guard, uint32_t xmin)
{
    return guard->floor + (uint32_t)(xmin - (uint32_t)guard->floor);
}

enum status postgres_guard_learn(struct postgres_guard *guard, struct postgres *postgres,
                                 uint32_t xmin, bool *learned, struct error *err)
{
    uint64_t id = full_id(guard, xmin);
    char text[24];
    const char *parameters[] = {text};
    PGresult *found = NULL;
    enum status status;

    *learned = false;
    for (uint32_t i = 0; i < guard->known_count; i++)
        if (guard->known[i] == id)
            return STATUS_OK;
    for (uint32_t i = 0; i < guard->learned_count; i++)
        if (guard->learned[i] == id)
            return STATUS_OK;
    if (guard->learned_count == GUARD_KNOWN_MAX)
        return STATUS_OK;
    (void)snprintf(text, sizeof text, "%" PRIu64, id);
    status = postgres_query(postgres,
                            "SELECT pg_xact_status($1::xid8) = 'committed' WHERE $1::xid8"
                            " < pg_snapshot_xmax(pg_current_snapshot())",
                            1, parameters, &found, err);
    *learned =
        status == STATUS_OK && PQntuples(found) == 1 && PQgetvalue(found, 0, 0)[0] == 't';
    if (*learned)
        guard->learned[guard->learned_count++] = id;
    PQclear(found);
    return status;
}

bool postgres_guard_lets(const struct postgres_guard *guard, uint32_t xmin)
{
    int64_t window = strtoll(guard->window_text, NULL, 10);
    bool lets = xmin < 3 || (uint32_t)guard->floor - 1 - xmin <= UINT32_MAX - 1 - window;

    for (uint32_t i = 0; i < guard->known_count; i++)
        lets = lets || (uint32_t)guard->known[i] == xmin;
    return lets;
}

/* As a number; operators are named with their schema, whatever the search_path is. */
#define XMIN ".xmin::pg_catalog.text::bigint"

void postgres_guard_put(struct buffer *sql, const char *table, uint32_t first)
{
    char text[512];

    /* How far behind the floor it is, less 1, modulo 2^32: the far end of that is ahead
     * of it, or the floor itself. 1 and 2 are frozen rows of old. Operators of one kind
     * bind to the left. */
    (void)snprintf(text, sizeof text,
                   "(($%" PRIu32 "::bigint OPERATOR(pg_catalog.-) 1"
                   " OPERATOR(pg_catalog.-) %s" XMIN " OPERATOR(pg_catalog.&) 4294967295)"
                   " OPERATOR(pg_catalog.<=) (4294967294 OPERATOR(pg_catalog.-) $%" PRIu32
                   "::bigint) OR %s" XMIN " OPERATOR(pg_catalog.<) 3"
                   " OR %s" XMIN " OPERATOR(pg_catalog.=) ANY ($%" PRIu32 "::bigint[]))",
                   first, table, first + 1, table, table, first + 2);
    buffer_put_bytes(sql, bytes_of_text(text));
}

void postgres_guard_bind(const struct postgres_guard *guard, const char *parameters[3])
{
    parameters[0] = guard->floor_text;
    parameters[1] = guard->window_text;
    parameters[2] = (const char *)guard->known_text.data;
}
