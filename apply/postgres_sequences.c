#include "apply/postgres_sequences.h"

#include "engine/number_range.h"

#include <inttypes.h>
#include <stdio.h>

static enum status move(struct postgres *postgres, const struct postgres_column *column,
                        int64_t counter, struct error *err)
{
    struct buffer sql = {0};
    char text[160];
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("SAVEPOINT rowferry_sequence; SELECT setval("));
    postgres_put_literal(&sql, column->sequence);
    (void)snprintf(text, sizeof text, ", %" PRId64 ") FROM ", counter);
    buffer_put_bytes(&sql, bytes_of_text(text));
    buffer_put_bytes(&sql, bytes_of_text(column->sequence));
    (void)snprintf(text, sizeof text,
                   " WHERE last_value < %" PRId64 " OR (last_value = %" PRId64
                   " AND NOT is_called); RELEASE rowferry_sequence",
                   counter, counter);
    buffer_put_bytes(&sql, bytes_of_text(text));
    status = postgres_execute_buffer(postgres, &sql, err);
    if (status != STATUS_UNAVAILABLE && status != STATUS_CONSTRAINT)
        return status;
    return postgres_execute(
        postgres, "ROLLBACK TO rowferry_sequence; RELEASE rowferry_sequence", err);
}

static bool counts_down(struct postgres *postgres, const char *sequence)
{
    const char *parameters[] = {sequence};
    PGresult *found = NULL;
    struct error ignored;
    enum status status = postgres_query(
        postgres,
        "SELECT seqincrement < 0 FROM pg_sequence WHERE seqrelid = $1::regclass", 1,
        parameters, &found, &ignored);
    bool down =
        status != STATUS_OK || PQntuples(found) == 0 || PQgetvalue(found, 0, 0)[0] == 't';

    PQclear(found);
    return down;
}

static enum status move_column(struct postgres_schema *schema,
                               struct postgres_column *column, struct error *err)
{
    int64_t counter = column->counted, next;
    enum status status = STATUS_OK;

    if (column->sequence == NULL || column->counted <= column->advanced)
        return STATUS_OK;
    if (column->slot != NULL && number_range_counter(*column->slot, counter, &next))
        counter = next;
    if (!counts_down(schema->postgres, column->sequence))
        status = move(schema->postgres, column, counter, err);
    column->advanced = column->counted;
    return status;
}

enum status postgres_sequences_move(struct postgres_schema *schema, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < schema->base.count; i++) {
        struct postgres_writer *writer = schema->tables[i].writer;

        for (uint32_t place = 0; writer != NULL && status == STATUS_OK &&
                                 place < writer->definition->stored_count;
             place++)
            status = move_column(schema, &writer->columns[place], err);
    }
    return status;
}
