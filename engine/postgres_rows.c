#include "engine/postgres_rows.h"

#include <assert.h>
#include <stdlib.h>

enum status postgres_rows_query(struct postgres *postgres, const char *sql,
                                const char *oids, struct postgres_rows *out,
                                struct error *err)
{
    *out = (struct postgres_rows){.at = -1};
    return postgres_query(postgres, sql, 1, &oids, &out->result, err);
}

void postgres_rows_release(struct postgres_rows *rows)
{
    PQclear(rows->result);
    *rows = (struct postgres_rows){0};
}

static size_t place_of(const struct postgres_rows *rows, int row)
{
    return row < PQntuples(rows->result)
               ? strtoul(PQgetvalue(rows->result, row, 0), NULL, 10)
               : SIZE_MAX;
}

bool postgres_rows_take(struct postgres_rows *rows, size_t place)
{
    while (place_of(rows, rows->at + 1) < place)
        rows->at++;
    if (place_of(rows, rows->at + 1) != place)
        return false;
    rows->at++;
    return true;
}

uint32_t postgres_rows_left(const struct postgres_rows *rows, size_t place)
{
    uint32_t count = 0;

    for (int row = rows->at + 1; place_of(rows, row) <= place; row++)
        count += place_of(rows, row) == place;
    return count;
}

const char *postgres_rows_text(const struct postgres_rows *rows, int field)
{
    assert(rows->at >= 0);
    return PQgetisnull(rows->result, rows->at, field)
               ? NULL
               : PQgetvalue(rows->result, rows->at, field);
}

bool postgres_rows_bool(const struct postgres_rows *rows, int field)
{
    return postgres_rows_letter(rows, field) == 't';
}

uint32_t postgres_rows_number(const struct postgres_rows *rows, int field)
{
    const char *text = postgres_rows_text(rows, field);

    return text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

char postgres_rows_letter(const struct postgres_rows *rows, int field)
{
    const char *text = postgres_rows_text(rows, field);

    if (text == NULL)
        return '\0';
    return *text;
}
