#include "capture/scan_table.h"

#include "engine/sqlite_row.h"
#include "engine/sqlite_stored.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct scan_table {
    struct row_layer *layer;
    const struct definition *definition;
    struct sqlite_database *database;
    sqlite3_stmt *select;
    sqlite3_stmt *probe;
    const struct column **key_columns; /* by place in the key */
    uint32_t *key_places;              /* by place in the key: place in an image */
    struct value *values;              /* the layer's */
    struct buffer *scratch;            /* one a key column */
    struct buffer found;               /* the key that the probe found */
    uint64_t matched;                  /* rows of the database that the store knew of */
};

/* ---- statements */

static void put_text(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

/* Append r."column": a bare "column" that is not there would be taken for a text. */
static void put_column(struct buffer *sql, const struct column *column)
{
    put_text(sql, "r.");
    sqlite_put_quoted(sql, column->name);
}

static void put_from(struct buffer *sql, const struct definition *definition)
{
    put_text(sql, " FROM main.");
    sqlite_put_quoted(sql, definition->local_name);
    put_text(sql, " AS r");
}

static enum status finish_statement(struct sqlite_database *database, struct buffer *sql,
                                    sqlite3_stmt **out, struct error *err)
{
    enum status status;

    buffer_put(sql, 0, 1);
    status = buffer_check(sql, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(database, (const char *)sql->data, out, err);
    buffer_release(sql);
    return status;
}

/* All stored columns of all rows. */
static enum status prepare_select(struct scan_table *table,
                                  struct sqlite_database *database, struct error *err)
{
    const struct definition *definition = table->definition;
    struct buffer sql = {0};

    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        put_text(&sql, sql.size == 0 ? "SELECT " : ", ");
        put_column(&sql, &definition->columns[i]);
    }
    put_from(&sql, definition);
    return finish_statement(database, &sql, &table->select, err);
}

/* The collation by which the key's own index compares, so that a search by key finds it.
 * One that is not SQLite's own is not here: then the search is slow, and right. */
static const char *key_collation(const struct definition *definition, const char *column)
{
    for (uint32_t i = 0; i < definition->unique_count; i++) {
        const struct unique_key *unique = &definition->uniques[i];

        for (uint32_t j = 0; unique->is_primary && j < unique->term_count; j++) {
            if (strcmp(unique->terms[j], column) == 0 &&
                (strcmp(unique->collations[j], "NOCASE") == 0 ||
                 strcmp(unique->collations[j], "RTRIM") == 0))
                return unique->collations[j];
        }
    }
    return "BINARY";
}

/* The key columns of the rows that the engine takes for those of a key. */
static enum status prepare_probe(struct scan_table *table,
                                 struct sqlite_database *database, struct error *err)
{
    const struct definition *definition = table->definition;
    struct buffer sql = {0};
    char number[32];

    for (uint32_t i = 0; i < definition->key_count; i++) {
        put_text(&sql, i == 0 ? "SELECT " : ", ");
        put_column(&sql, table->key_columns[i]);
    }
    put_from(&sql, definition);
    for (uint32_t i = 0; i < definition->key_count; i++) {
        put_text(&sql, i == 0 ? " WHERE " : " AND ");
        put_column(&sql, table->key_columns[i]);
        (void)sqlite3_snprintf((int)sizeof number, number, " = ?%u COLLATE ", i + 1);
        put_text(&sql, number);
        put_text(&sql, key_collation(definition, table->key_columns[i]->name));
    }
    return finish_statement(database, &sql, &table->probe, err);
}

/* ---- life */

static enum status fill(struct scan_table *table, struct error *err)
{
    const struct definition *definition = table->definition;
    uint32_t place = 0;
    enum status status;

    table->key_columns =
        (const struct column **)calloc(definition->key_count, sizeof(struct column *));
    table->key_places = calloc(definition->key_count, sizeof *table->key_places);
    table->scratch = calloc(definition->key_count, sizeof *table->scratch);
    if (table->key_columns == NULL || table->key_places == NULL || table->scratch == NULL)
        return error_set(err, STATUS_NO_MEMORY, "scan: out of memory");
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->key_position > 0) {
            table->key_columns[column->key_position - 1] = column;
            table->key_places[column->key_position - 1] = place;
        }
        place += column->generated == GENERATED_NO;
    }
    status = prepare_select(table, table->database, err);
    return status == STATUS_OK ? prepare_probe(table, table->database, err) : status;
}

static enum status open_layer(struct scan_table *table, struct store_txn *txn,
                              const struct table *from, struct error *err)
{
    struct row_comparer *comparer = NULL;
    enum status status =
        sqlite_comparer_open(&comparer, table->database, table->definition, err);

    if (status == STATUS_OK)
        status = row_layer_open(&table->layer, comparer, txn, from, err);
    if (status == STATUS_OK)
        table->values = row_layer_values(table->layer);
    return status;
}

enum status scan_table_open(struct scan_table **out, struct sqlite_database *database,
                            struct store_txn *txn, const struct table *from,
                            struct error *err)
{
    struct scan_table *table = calloc(1, sizeof *table);
    enum status status;

    *out = NULL;
    if (table == NULL)
        return error_set(err, STATUS_NO_MEMORY, "scan: out of memory");
    table->definition = from->definition;
    table->database = database;
    status = fill(table, err);
    if (status == STATUS_OK)
        status = open_layer(table, txn, from, err);
    if (status != STATUS_OK) {
        scan_table_close(table);
        return error_wrap(err, status, from->definition->name);
    }
    *out = table;
    return STATUS_OK;
}

void scan_table_close(struct scan_table *table)
{
    if (table == NULL)
        return;
    (void)sqlite3_finalize(table->select);
    (void)sqlite3_finalize(table->probe);
    row_layer_close(table->layer);
    for (uint32_t i = 0; table->scratch != NULL && i < table->definition->key_count; i++)
        buffer_release(&table->scratch[i]);
    buffer_release(&table->found);
    free(table->scratch);
    free((void *)table->key_columns);
    free(table->key_places);
    free(table);
}

struct row_layer *scan_table_layer(struct scan_table *table)
{
    return table->layer;
}

/* ---- is it there? */

/* Bind the key's columns to the probe; *fits: false when the key is of another shape (the
 * table's primary key was changed since). */
static enum status bind_key(struct scan_table *table, struct bytes key, bool *fits,
                            struct error *err)
{
    for (uint32_t i = 0; i < table->definition->key_count; i++) {
        struct value value;
        enum status status = STATUS_CORRUPT;

        buffer_clear(&table->scratch[i]);
        if (key.size > 0)
            status = row_key_take(&key, &value, &table->scratch[i], err);
        *fits = status == STATUS_OK;
        if (status == STATUS_CORRUPT)
            return STATUS_OK;
        if (status == STATUS_OK)
            status =
                sqlite_bind_value(table->database, table->probe, (int)i + 1, &value, err);
        if (status != STATUS_OK)
            return status;
    }
    *fits = key.size == 0;
    return STATUS_OK;
}

/* Whether the probe's current row has exactly this key. What the engine takes for equal
 * (another case, another type) may be another row. */
static enum status is_key_of_row(struct scan_table *table, struct bytes key, bool *same,
                                 struct error *err)
{
    struct buffer *found = &table->found;
    enum status status = STATUS_OK;

    buffer_clear(found);
    for (uint32_t i = 0; i < table->definition->key_count; i++) {
        struct value value;

        status = sqlite_column_value(table->probe, (int)i, &value, err);
        if (status != STATUS_OK)
            return status;
        assert(value.type != VALUE_NULL); /* it was equal to something */
        status = row_key_put(found, &value, err);
        if (status != STATUS_OK)
            return status;
    }
    *same = bytes_equal(buffer_view(found), key);
    return buffer_check(found, err);
}

static enum status is_there(void *data, struct bytes key, bool *there, struct error *err)
{
    struct scan_table *table = data;
    sqlite3_stmt *probe = table->probe;
    bool fits = false;
    int rc = SQLITE_DONE;
    enum status status = bind_key(table, key, &fits, err);

    *there = false;
    while (status == STATUS_OK && fits && !*there &&
           (rc = sqlite3_step(probe)) == SQLITE_ROW)
        status = is_key_of_row(table, key, there, err);
    if (status == STATUS_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
        status = sqlite_failed(table->database, "look for a row", err);
    (void)sqlite3_reset(probe);
    (void)sqlite3_clear_bindings(probe);
    return status;
}

/* ---- rows that are there */

/* *whole is false when a key column is NULL: the catalog names how many such rows there
 * are. */
static enum status take_row(struct scan_table *table, bool *whole, struct error *err)
{
    const struct definition *definition = table->definition;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < definition->stored_count; i++)
        status = sqlite_column_value(table->select, (int)i, &table->values[i], err);
    *whole = true;
    for (uint32_t i = 0; status == STATUS_OK && i < definition->key_count; i++)
        *whole = *whole && table->values[table->key_places[i]].type != VALUE_NULL;
    return status;
}

static enum status scan_rows(struct scan_table *table, struct layer_run *run,
                             struct error *err)
{
    enum status status = STATUS_OK;
    int rc = SQLITE_ROW;

    table->matched = 0;
    run->progress.state.part = table->definition->name;
    while (status == STATUS_OK && (rc = sqlite3_step(table->select)) == SQLITE_ROW) {
        bool whole, held = false;

        progress_add(&run->progress, 1);
        status = take_row(table, &whole, err);
        if (status == STATUS_OK && whole)
            status = row_layer_put(table->layer, run, &held, err);
        table->matched += held;
    }
    if (status == STATUS_OK && rc != SQLITE_DONE)
        status = sqlite_failed(table->database, "scan", err);
    (void)sqlite3_reset(table->select);
    return status;
}

/* Rows that the store says the database holds, and that it has not. Their number tells
 * whether there are any; only then is each looked for. */
static enum status scan_gone(struct scan_table *table, struct layer_run *run,
                             struct error *err)
{
    uint64_t count = 0;
    enum status status = row_layer_count(table->layer, run, &count, err);

    if (status != STATUS_OK || count == table->matched)
        return status;
    return row_layer_gone(table->layer, run, is_there, table, err);
}

enum status scan_table_run(struct scan_table *table, struct layer_run *run,
                           struct error *err)
{
    enum status status = scan_rows(table, run, err);

    if (status == STATUS_OK && !run->yields)
        status = scan_gone(table, run, err);
    return status == STATUS_OK ? status
                               : error_wrap(err, status, table->definition->name);
}
