#include "apply/postgres_numbers.h"

#include "engine/number_range.h"
#include "log/buffer.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TABLE, COLUMN, SEQUENCE, INCREMENT, LARGEST };

/* An identity's sequence depends on its column; a default depends on what it calls. A
 * domain over a domain is not looked into. */
static const char numbers_sql[] =
    "SELECT c.oid::regclass, a.attname, s.seqrelid::regclass, s.seqincrement,"
    " least(s.seqmax, CASE k.kind WHEN 'int2'::regtype THEN 32767"
    "  WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END)"
    " FROM (SELECT d.refobjid, d.refobjsubid, d.objid FROM pg_depend d"
    "  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass"
    "  AND d.deptype = 'i' AND d.refobjsubid > 0"
    "  UNION SELECT f.adrelid, f.adnum, d.refobjid FROM pg_attrdef f"
    "  JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid"
    "  AND d.refclassid = 'pg_class'::regclass) AS fed (rel, place, seq)"
    " JOIN pg_sequence s ON s.seqrelid = fed.seq"
    " JOIN pg_class c ON c.oid = fed.rel AND c.relkind IN ('r', 'p')"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = fed.place"
    " JOIN pg_type t ON t.oid = a.atttypid"
    " CROSS JOIN LATERAL (SELECT CASE t.typtype WHEN 'd' THEN t.typbasetype"
    "  ELSE t.oid END) AS k (kind)"
    " WHERE ($1::text IS NULL OR c.oid = $1::text::regclass)"
    " AND k.kind IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)"
    " ORDER BY c.oid, a.attnum";

enum status postgres_numbers_read(struct postgres *postgres, const char *table,
                                  PGresult **out, struct error *err)
{
    const char *parameters[] = {table};

    return postgres_query(postgres, numbers_sql, 1, parameters, out, err);
}

struct postgres_numbers postgres_numbers_at(const PGresult *found, int row)
{
    return (struct postgres_numbers){
        .table = PQgetvalue(found, row, TABLE),
        .column = PQgetvalue(found, row, COLUMN),
        .sequence = PQgetvalue(found, row, SEQUENCE),
        .increment = strtoll(PQgetvalue(found, row, INCREMENT), NULL, 10),
        .largest = strtoll(PQgetvalue(found, row, LARGEST), NULL, 10),
    };
}

bool postgres_numbers_fit(const struct postgres_numbers *numbers)
{
    return numbers->increment > 0 && numbers->increment <= NUMBER_RANGE_SURE &&
           numbers->largest >= NUMBER_RANGE_ROUND - 1;
}

bool postgres_numbers_counter(const struct postgres_numbers *numbers, uint32_t slot,
                              int64_t known, int64_t *counter)
{
    return number_range_counter(slot, known, counter) &&
           *counter <= numbers->largest - NUMBER_RANGE_SURE;
}

/* One less than the number that it gives next; 0 or more. */
static enum status read_known(struct postgres *postgres,
                              const struct postgres_numbers *numbers, int64_t *known,
                              struct error *err)
{
    struct buffer sql = {0};
    PGresult *found = NULL;
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("SELECT last_value, is_called FROM "));
    buffer_put_bytes(&sql, bytes_of_text(numbers->sequence));
    status = postgres_query_buffer(postgres, &sql, &found, err);
    if (status == STATUS_OK) {
        int64_t last = strtoll(PQgetvalue(found, 0, 0), NULL, 10);
        int64_t step = PQgetvalue(found, 0, 1)[0] == 't' ? numbers->increment : 0;

        *known = last > INT64_MAX - step ? INT64_MAX : last + step - 1;
        if (*known < 0)
            *known = 0;
    }
    PQclear(found);
    return status;
}

/* The largest number in a row of the table, of those from first to last; 0: there is
 * none. */
static enum status read_largest(struct postgres *postgres,
                                const struct postgres_numbers *numbers, int64_t first,
                                int64_t last, int64_t *largest, struct error *err)
{
    struct buffer sql = {0};
    char text[120];

    buffer_put_bytes(&sql, bytes_of_text("SELECT coalesce(max("));
    postgres_put_name(&sql, numbers->column);
    buffer_put_bytes(&sql, bytes_of_text("), 0) FROM "));
    buffer_put_bytes(&sql, bytes_of_text(numbers->table));
    buffer_put_bytes(&sql, bytes_of_text(" WHERE "));
    postgres_put_name(&sql, numbers->column);
    (void)snprintf(text, sizeof text, " BETWEEN %" PRId64 " AND %" PRId64, first, last);
    buffer_put_bytes(&sql, bytes_of_text(text));
    return postgres_number_buffer(postgres, &sql, largest, err);
}

enum status postgres_numbers_look(struct postgres *postgres,
                                  const struct postgres_numbers *numbers, uint32_t slot,
                                  bool *right, bool *left, int64_t *counter,
                                  struct error *err)
{
    int64_t known = 0, largest = 0;
    enum status status = read_known(postgres, numbers, &known, err);

    assert(postgres_numbers_fit(numbers));
    if (status != STATUS_OK)
        return status;
    *left = postgres_numbers_counter(numbers, slot, known, counter);
    *right = *left && *counter == known;
    if (!*left || *right)
        return STATUS_OK;
    /* Rows that came with numbers of their own may be in the block; then behind all. */
    status = read_largest(postgres, numbers, *counter + 1,
                          *counter + NUMBER_RANGE_BLOCK - 1, &largest, err);
    if (status != STATUS_OK || largest == 0)
        return status;
    status = read_largest(postgres, numbers, known, INT64_MAX, &largest, err);
    if (status == STATUS_OK)
        *left = postgres_numbers_counter(numbers, slot, largest, counter);
    return status;
}

enum status postgres_numbers_set(struct postgres *postgres,
                                 const struct postgres_numbers *numbers, int64_t counter,
                                 struct error *err)
{
    struct buffer sql = {0};
    char text[160];

    buffer_put_bytes(&sql, bytes_of_text("SELECT setval("));
    postgres_put_literal(&sql, numbers->sequence);
    (void)snprintf(text, sizeof text, ", %" PRId64 ", false) FROM ", counter + 1);
    buffer_put_bytes(&sql, bytes_of_text(text));
    buffer_put_bytes(&sql, bytes_of_text(numbers->sequence));
    (void)snprintf(text, sizeof text, " WHERE last_value <= %" PRId64, counter);
    buffer_put_bytes(&sql, bytes_of_text(text));
    return postgres_execute_buffer(postgres, &sql, err);
}
