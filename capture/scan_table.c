#include "capture/scan_table_private.h"

#include "engine/sqlite_row.h"
#include "engine/sqlite_stored.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void scan_run_release(struct scan_run *run)
{
    buffer_release(&run->key);
    buffer_release(&run->image);
    buffer_release(&run->before);
    buffer_release(&run->gone);
    buffer_release(&run->after);
}

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
    const struct definition *definition = table->table.definition;
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
    const struct definition *definition = table->table.definition;
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

static enum status fill(struct scan_table *table, struct sqlite_database *database,
                        struct error *err)
{
    const struct definition *definition = table->table.definition;
    uint32_t place = 0;
    enum status status;

    table->values = calloc(definition->stored_count, sizeof *table->values);
    table->key_columns =
        (const struct column **)calloc(definition->key_count, sizeof(struct column *));
    table->key_places = calloc(definition->key_count, sizeof *table->key_places);
    table->scratch = calloc(definition->key_count, sizeof *table->scratch);
    if (table->values == NULL || table->key_columns == NULL ||
        table->key_places == NULL || table->scratch == NULL)
        return error_set(err, STATUS_NO_MEMORY, "scan: out of memory");
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->key_position > 0) {
            table->key_columns[column->key_position - 1] = column;
            table->key_places[column->key_position - 1] = place;
        }
        place += column->generated == GENERATED_NO;
    }
    status = prepare_select(table, database, err);
    if (status == STATUS_OK)
        status = prepare_probe(table, database, err);
    if (status == STATUS_OK)
        status = sqlite_comparer_open(&table->comparer, database, definition, err);
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
    table->table = *from;
    status = fill(table, database, err);
    if (status == STATUS_OK)
        status = scan_kept_open(table, txn, err);
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
    row_comparer_close(table->comparer);
    for (uint32_t i = 0; table->scratch != NULL && i < table->table.definition->key_count;
         i++)
        buffer_release(&table->scratch[i]);
    free(table->scratch);
    free(table->shared);
    free(table->values);
    free((void *)table->key_columns);
    free(table->key_places);
    free(table);
}

/* ---- rows that are there */

/* The definition of a holding's image; of rows in a row it is mostly the same. */
enum status scan_held_definition(struct scan_table *table, struct store_txn *txn,
                                 const struct row *holding, const struct definition **out,
                                 struct error *err)
{
    struct table found;
    enum status status;

    if (table->held_definition == NULL ||
        table->held_origin != holding->definition_origin ||
        table->held_number != holding->definition) {
        status = tables_find(txn, holding->definition_origin, holding->definition, &found,
                             err);
        if (status != STATUS_OK)
            return status;
        table->held_definition = found.definition;
        table->held_origin = holding->definition_origin;
        table->held_number = holding->definition;
    }
    *out = table->held_definition;
    return STATUS_OK;
}

/* Whether the database has been given the row's winner and does not show it: parked,
 * quarantined, or of a table that takes nothing. */
static enum status is_hidden(struct store_txn *txn, uint32_t table, struct bytes key,
                             bool *hidden, struct error *err)
{
    struct parked parked;
    struct quarantined quarantined;
    struct row winner, held;
    enum status status = parked_get(txn, table, key, &parked, err);

    if (status == STATUS_NOT_FOUND)
        status = quarantine_get(txn, table, key, &quarantined, err);
    *hidden = status == STATUS_OK;
    if (status != STATUS_NOT_FOUND)
        return status;
    status = held_get(txn, table, key, &held, err);
    if (status == STATUS_OK)
        status = rows_get(txn, table, key, &winner, err);
    *hidden = status == STATUS_OK && version_compare(&held.version, &winner.version) < 0;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* A write over a row whose winner the database does not show has not seen that winner,
 * whatever the entry's context says of its origin. One that the database has not been
 * given yet is beyond the context anyway. */
static enum status find_unseen(struct scan_run *run, struct store_txn *txn,
                               uint32_t table, struct bytes key, struct change *change,
                               struct error *err)
{
    struct row winner;
    bool hidden = false;
    enum status status = is_hidden(txn, table, key, &hidden, err);

    if (status != STATUS_OK || !hidden)
        return status;
    status = rows_get(txn, table, key, &winner, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK && (winner.local || winner.winner.seq <= run->applied)) {
        change->has_unseen = true;
        change->unseen_origin = winner.version.origin;
        change->unseen_seq = winner.version.origin_seq;
    }
    return status;
}

enum status scan_holding(struct scan_table *table, struct scan_run *run, struct bytes key,
                         struct store_txn **txn, struct row *out, struct error *err)
{
    bool from_held = false;
    enum status status = appender_txn(run->appender, txn, err);

    if (status == STATUS_OK && run->pending != NULL) {
        status = pending_get(run->pending, table->table.id, key, out, err);
        if (status != STATUS_NOT_FOUND)
            return status;
        status = STATUS_OK;
    }
    if (status == STATUS_OK)
        status = rows_holding(*txn, table->table.id, key, out, &from_held, err);
    return status;
}

enum status scan_add(struct scan_table *table, struct scan_run *run,
                     struct store_txn *txn, struct change *change,
                     const struct row *holding, struct error *err)
{
    enum status status = find_unseen(run, txn, table->table.id, change->key, change, err);

    if (status != STATUS_OK)
        return status;
    change->definition = table->table.definition->number;
    /* A row that this very entry made has no version yet to be born of. */
    if (holding->live && holding->born.origin_seq != 0) {
        change->has_born = true;
        change->born = holding->born;
    }
    if (change->op == CHANGE_UPDATE && !change->has_born) {
        change->op = CHANGE_INSERT;
        change->before = (struct bytes){NULL, 0};
    }
    status = appender_add_change(run->appender, change, err);
    if (status == STATUS_OK && run->pending != NULL)
        status = pending_put(run->pending, &table->table, change, err);
    return status;
}

enum status scan_add_delete(struct scan_table *table, struct scan_run *run,
                            struct store_txn *txn, struct bytes key,
                            const struct row *holding, struct error *err)
{
    struct change change = {.op = CHANGE_DELETE, .key = key};
    const struct definition *definition = NULL;
    enum status status = scan_held_definition(table, txn, holding, &definition, err);

    assert(holding->live);
    if (status == STATUS_OK)
        status = row_compare_gone(table->comparer, key, holding->image, definition,
                                  &run->before, err);
    change.before = buffer_view(&run->before);
    if (status == STATUS_OK)
        status = scan_add(table, run, txn, &change, holding, err);
    return status;
}

/* Whether a changeset did not tell all of the row. */
static bool is_partial(const struct scan_table *table)
{
    for (uint32_t i = 0; i < table->table.definition->stored_count; i++)
        if (table->values[i].type == VALUE_ABSENT)
            return true;
    return false;
}

static enum status fill_row(struct scan_table *table, struct bytes key,
                            struct bytes image, const struct definition *definition,
                            struct error *err)
{
    if (!is_partial(table))
        return STATUS_OK;
    return row_compare_fill(table->comparer, key, image, definition, table->values, err);
}

/* Compare the row in table->values with its holding, both of the key in run->key. */
static enum status compare_with(struct scan_table *table, struct scan_run *run,
                                struct store_txn *txn, const struct row *holding,
                                struct error *err)
{
    const struct definition *definition = NULL;
    struct bytes key = buffer_view(&run->key);
    struct bytes image = holding->live ? holding->image : (struct bytes){NULL, 0};
    bool changed = false;
    enum status status = STATUS_OK;

    if (holding->live)
        status = scan_held_definition(table, txn, holding, &definition, err);
    if (status == STATUS_OK && holding->live)
        status = fill_row(table, key, image, definition, err);
    if (status == STATUS_OK) {
        status = row_compare_held(table->comparer, key, image, definition, table->values,
                                  &changed, &run->image, &run->before, err);
    }
    if (status == STATUS_OK && changed) {
        struct change change = {
            .op = holding->live ? CHANGE_UPDATE : CHANGE_INSERT,
            .key = key,
            .image = buffer_view(&run->image),
            .before = buffer_view(&run->before),
        };

        if (run->yields)
            status = scan_yield(table, txn, &change, &changed, err);
        if (status == STATUS_OK && changed)
            status = scan_add(table, run, txn, &change, holding, err);
    }
    return status;
}

static enum status put_key(struct scan_table *table, struct scan_run *run,
                           struct error *err)
{
    enum status status;

    buffer_clear(&run->key);
    status = image_key(&run->key, table->values, table->table.definition, err);
    return status == STATUS_OK ? buffer_check(&run->key, err) : status;
}

/* Find the holding of the row in table->values; its key is left in run->key. */
static enum status find_holding(struct scan_table *table, struct scan_run *run,
                                struct store_txn **txn, struct row *holding,
                                struct error *err)
{
    enum status status = put_key(table, run, err);

    return status == STATUS_OK
               ? scan_holding(table, run, buffer_view(&run->key), txn, holding, err)
               : status;
}

const struct definition *scan_table_definition(const struct scan_table *table)
{
    return table->table.definition;
}

struct value *scan_table_values(struct scan_table *table)
{
    return table->values;
}

enum status scan_table_put(struct scan_table *table, struct scan_run *run,
                           struct error *err)
{
    struct store_txn *txn;
    struct row holding;
    enum status status = find_holding(table, run, &txn, &holding, err);

    if (status == STATUS_OK && !holding.live && is_partial(table))
        return STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = compare_with(table, run, txn, &holding, err);
    return status;
}

enum status scan_table_delete(struct scan_table *table, struct scan_run *run,
                              struct error *err)
{
    struct store_txn *txn;
    struct row holding;
    enum status status = find_holding(table, run, &txn, &holding, err);

    if (status == STATUS_OK && holding.live)
        status = scan_add_delete(table, run, txn, buffer_view(&run->key), &holding, err);
    return status;
}

/* *whole is false when a key column is NULL: the catalog names how many such rows there
 * are. */
static enum status take_row(struct scan_table *table, bool *whole, struct error *err)
{
    const struct definition *definition = table->table.definition;
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < definition->stored_count; i++)
        status = sqlite_column_value(table->select, (int)i, &table->values[i], err);
    *whole = true;
    for (uint32_t i = 0; status == STATUS_OK && i < definition->key_count; i++)
        *whole = *whole && table->values[table->key_places[i]].type != VALUE_NULL;
    return status;
}

static enum status scan_row(struct scan_table *table, struct scan_run *run,
                            struct error *err)
{
    struct store_txn *txn;
    struct row holding;
    enum status status = find_holding(table, run, &txn, &holding, err);

    if (status != STATUS_OK)
        return status;
    table->matched += holding.live;
    return compare_with(table, run, txn, &holding, err);
}

static enum status scan_rows(struct scan_table *table, struct scan_run *run,
                             struct error *err)
{
    enum status status = STATUS_OK;
    int rc = SQLITE_ROW;

    table->matched = 0;
    run->progress.state.part = table->table.definition->name;
    while (status == STATUS_OK && (rc = sqlite3_step(table->select)) == SQLITE_ROW) {
        bool whole;

        progress_add(&run->progress, 1);
        status = take_row(table, &whole, err);
        if (status == STATUS_OK && whole)
            status = scan_row(table, run, err);
    }
    if (status == STATUS_OK && rc != SQLITE_DONE)
        status = sqlite_failed(run->database, "scan", err);
    (void)sqlite3_reset(table->select);
    return status;
}

enum status scan_table_run(struct scan_table *table, struct scan_run *run,
                           struct error *err)
{
    enum status status = scan_rows(table, run, err);

    if (status == STATUS_OK && !run->yields)
        status = scan_gone(table, run, err);
    return status == STATUS_OK ? status
                               : error_wrap(err, status, table->table.definition->name);
}
