#include "apply/sqlite_counters.h"

#include "engine/number_range.h"
#include "log/row_key.h"

enum status sqlite_counters_find(struct sqlite_database *database,
                                 const struct definition *definition,
                                 const struct column **column, struct error *err)
{
    *column = NULL;
    for (uint32_t i = 0; i < definition->column_count && *column == NULL; i++) {
        int is_counted = 0;

        if (sqlite3_table_column_metadata(sqlite_database_handle(database), "main",
                                          definition->local_name,
                                          definition->columns[i].name, NULL, NULL, NULL,
                                          NULL, &is_counted) != SQLITE_OK)
            return sqlite_failed(database, definition->local_name, err);
        if (is_counted != 0)
            *column = &definition->columns[i];
    }
    return STATUS_OK;
}

enum status sqlite_counters_note(struct sqlite_table *table, struct bytes key,
                                 struct error *err)
{
    struct buffer scratch = {0};
    struct value value;
    enum status status;

    if (table->counter == NULL)
        return STATUS_OK;
    status = row_key_take(&key, &value, &scratch, err);
    buffer_release(&scratch);
    if (status == STATUS_OK && value.type == VALUE_INTEGER &&
        value.integer > table->counted)
        table->counted = value.integer;
    return status;
}

enum status sqlite_counters_largest(struct sqlite_database *database,
                                    const struct definition *definition,
                                    const struct column *column, int64_t *largest,
                                    struct error *err)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    enum status status;

    sql_put(&sql, "SELECT max(coalesce((SELECT max(seq) FROM main.sqlite_sequence WHERE"
                  " name = ?1 AND typeof(seq) = 'integer'), 0), coalesce(max(");
    sqlite_put_quoted(&sql, column->name);
    sql_put(&sql, "), 0), 0) FROM main.");
    sqlite_put_quoted(&sql, definition->local_name);
    buffer_put(&sql, 0, 1);
    if (sql.failed)
        status = error_set(err, STATUS_NO_MEMORY, "counters: out of memory");
    else
        status = sqlite_prepare(database, (const char *)sql.data, &statement, err);
    buffer_release(&sql);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_text(statement, 1, definition->local_name, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_ROW)
        status = sqlite_failed(database, definition->local_name, err);
    else
        *largest = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return status;
}

enum status sqlite_counters_set(struct sqlite_database *database,
                                const struct definition *definition, int64_t counter,
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

        status = sqlite_prepare(database, statements[i], &statement, err);
        if (status != STATUS_OK)
            break;
        (void)sqlite3_bind_int64(statement, 1, counter);
        (void)sqlite3_bind_text(statement, 2, definition->local_name, -1, SQLITE_STATIC);
        if (sqlite3_step(statement) != SQLITE_DONE)
            status = sqlite_failed(database, "sqlite_sequence", err);
        (void)sqlite3_finalize(statement);
    }
    return status;
}

static enum status move(struct sqlite_batch *batch, const struct sqlite_table *table,
                        struct error *err)
{
    const uint32_t *slot = batch->schema->slot;
    int64_t known = table->counted, largest = 0, counter;
    enum status status = STATUS_OK;

    if (slot != NULL) {
        status = sqlite_counters_largest(batch->database, table->base.definition,
                                         table->counter, &largest, err);
        if (largest > known)
            known = largest;
        if (number_range_counter(*slot, known, &counter))
            known = counter;
    }
    if (status != STATUS_OK || known <= largest)
        return status;
    return sqlite_counters_set(batch->database, table->base.definition, known, err);
}

enum status sqlite_counters_move(struct sqlite_batch *batch, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < batch->schema->base.count && status == STATUS_OK; i++)
        if (batch->schema->tables[i].counter != NULL)
            status = move(batch, &batch->schema->tables[i], err);
    return status;
}
