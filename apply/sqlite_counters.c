#include "apply/sqlite_counters.h"

#include "log/row_key.h"

enum status sqlite_counters_find(struct sqlite_database *database,
                                 const struct definition *definition, bool *counts,
                                 struct error *err)
{
    int is_counted = 0;

    *counts = false;
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->key_position == 0 || definition->key_count != 1)
            continue;
        if (sqlite3_table_column_metadata(sqlite_database_handle(database), "main",
                                          definition->local_name, column->name, NULL,
                                          NULL, NULL, NULL, &is_counted) != SQLITE_OK)
            return sqlite_failed(database, definition->local_name, err);
    }
    *counts = is_counted != 0;
    return STATUS_OK;
}

enum status sqlite_counters_note(struct sqlite_table *table, struct bytes key,
                                 struct error *err)
{
    struct buffer scratch = {0};
    struct value value;
    enum status status;

    if (!table->counts)
        return STATUS_OK;
    status = row_key_take(&key, &value, &scratch, err);
    buffer_release(&scratch);
    if (status == STATUS_OK && value.type == VALUE_INTEGER &&
        value.integer > table->counted)
        table->counted = value.integer;
    return status;
}

static enum status move(struct sqlite_batch *batch, const struct sqlite_table *table,
                        struct error *err)
{
    static const char *const statements[] = {
        "UPDATE main.sqlite_sequence SET seq = ?1"
        " WHERE name = ?2 AND coalesce(seq, 0) < ?1",
        "INSERT INTO main.sqlite_sequence (name, seq) SELECT ?2, ?1"
        " WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = ?2)",
    };
    enum status status = STATUS_OK;

    for (size_t i = 0; i < 2 && status == STATUS_OK; i++) {
        sqlite3_stmt *statement = NULL;

        status = sqlite_prepare(batch->database, statements[i], &statement, err);
        if (status != STATUS_OK)
            break;
        (void)sqlite3_bind_int64(statement, 1, table->counted);
        (void)sqlite3_bind_text(statement, 2, table->definition->local_name, -1,
                                SQLITE_STATIC);
        if (sqlite3_step(statement) != SQLITE_DONE)
            status = sqlite_failed(batch->database, "sqlite_sequence", err);
        (void)sqlite3_finalize(statement);
    }
    return status;
}

enum status sqlite_counters_move(struct sqlite_batch *batch, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < batch->schema->count && status == STATUS_OK; i++)
        if (batch->schema->tables[i].counted > 0)
            status = move(batch, &batch->schema->tables[i], err);
    return status;
}
