#include "apply/sqlite_other.h"

#include "engine/sqlite_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sqlite_other_statements {
    sqlite3_stmt *empty_copy, *keep, *take, *number, *load, *place, *drop, *read;
};

enum status sqlite_other_attach(struct sqlite_database *database, struct error *err)
{
    return sqlite_execute(database, "ATTACH DATABASE ':memory:' AS rowferry_scratch",
                          err);
}

void sqlite_other_detach(struct sqlite_database *database)
{
    (void)sqlite3_exec(sqlite_database_handle(database),
                       "DETACH DATABASE rowferry_scratch", NULL, NULL, NULL);
}

/* Drop what list, a query for one DROP statement at a time, names. */
static enum status drop_listed(struct sqlite_database *database, const char *list,
                               struct error *err)
{
    for (;;) {
        sqlite3_stmt *statement = NULL;
        char *drop = NULL;
        enum status status = sqlite_prepare(database, list, &statement, err);
        int rc;

        if (status != STATUS_OK)
            return status;
        rc = sqlite3_step(statement);
        if (rc == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL)
            drop = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
        else if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            status = sqlite_failed(database, "schema", err);
        (void)sqlite3_finalize(statement);
        if (rc != SQLITE_ROW)
            return status;
        status = drop == NULL ? error_set(err, STATUS_NO_MEMORY, "schema: out of memory")
                              : sqlite_execute(database, drop, err);
        sqlite3_free(drop);
        if (status != STATUS_OK)
            return status;
    }
}

enum status sqlite_other_drop_all(struct sqlite_database *database, struct error *err)
{
    enum status status = drop_listed(
        database,
        "SELECT printf('DROP TABLE temp.\"%w\"', name) FROM sqlite_temp_schema"
        " WHERE type = 'table' AND (name GLOB 'rowferry_other_*' OR"
        " name GLOB 'rowferry_gone_*') LIMIT 1",
        err);

    if (status != STATUS_OK)
        return status;
    return drop_listed(database,
                       "SELECT printf('DROP TABLE rowferry_scratch.\"%w\"', name)"
                       " FROM rowferry_scratch.sqlite_schema WHERE type = 'table'"
                       " AND name NOT GLOB 'sqlite_*' LIMIT 1",
                       err);
}

void sqlite_other_forget(struct sqlite_table *table)
{
    struct sqlite_other_statements *other = table->other;

    if (other == NULL)
        return;
    (void)sqlite3_finalize(other->empty_copy);
    (void)sqlite3_finalize(other->keep);
    (void)sqlite3_finalize(other->take);
    (void)sqlite3_finalize(other->number);
    (void)sqlite3_finalize(other->load);
    (void)sqlite3_finalize(other->place);
    (void)sqlite3_finalize(other->drop);
    (void)sqlite3_finalize(other->read);
    free(other);
    table->other = NULL;
}

/* ---- making */

/* What follows the name in "CREATE TABLE name …", as SQLite keeps it. NULL: it is not so.
 */
static const char *after_name(const char *sql)
{
    static const char start[] = "CREATE TABLE ";
    static const char opening[] = "\"'`[", closing[] = "\"'`]";
    const char *quote;

    if (sqlite3_strnicmp(sql, start, (int)sizeof start - 1) != 0)
        return NULL;
    sql += sizeof start - 1;
    quote = *sql == '\0' ? NULL : strchr(opening, *sql);
    if (quote == NULL)
        return sql + strcspn(sql, " \t\n\r\f(/-");
    for (char end = closing[quote - opening]; *++sql != '\0';) {
        if (*sql != end)
            continue;
        if (sql[1] != end || end == ']')
            return sql + 1;
        sql++;
    }
    return NULL;
}

static enum status make_copy(struct sqlite_schema *schema, struct sqlite_table *table,
                             struct error *err)
{
    sqlite3_stmt *statement = NULL;
    struct buffer sql = {0};
    const char *text = NULL, *rest = NULL;
    enum status status = sqlite_query(
        schema->database,
        "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1",
        table->base.definition->local_name, &statement, err);

    if (status != STATUS_OK)
        return status;
    status = sqlite_next_row(schema->database, statement, err);
    if (status == STATUS_OK)
        text = (const char *)sqlite3_column_text(statement, 0);
    if (status == STATUS_OK && text == NULL)
        status = sqlite_failed(schema->database, table->base.definition->local_name, err);
    if (status == STATUS_OK && text != NULL)
        rest = after_name(text);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && rest == NULL)) {
        status =
            error_set(err, STATUS_CORRUPT, "%s: its text in the schema is not a table's",
                      table->base.definition->local_name);
    }
    if (status != STATUS_OK) {
        (void)sqlite3_finalize(statement);
        return status;
    }
    sql_put(&sql, "CREATE TABLE IF NOT EXISTS ");
    sql_put_table(&sql, SCHEMA_SCRATCH, table->base.definition);
    sql_put(&sql, " ");
    sql_put(&sql, rest);
    (void)sqlite3_finalize(statement);
    status = sql_execute(schema->database, &sql, err);
    buffer_release(&sql);
    return status;
}

static void put_other(struct buffer *sql, const struct sqlite_table *table)
{
    char name[48];

    (void)sqlite3_snprintf((int)sizeof name, name, "temp.rowferry_other_%u",
                           table->base.index);
    sql_put(sql, name);
}

/* The caller's number of a row is its rowid: a table as wide as SQLite's get has no room
 * for a column more. Nor has a SELECT: such a row is numbered once it is there. */
static bool is_full(const struct sqlite_schema *schema, const struct sqlite_table *table)
{
    int most =
        sqlite3_limit(sqlite_database_handle(schema->database), SQLITE_LIMIT_COLUMN, -1);

    return table->base.definition->stored_count >= (uint32_t)most;
}

/* "c0, c1, …": untyped, so that what the table or its copy has stored stays as it is. */
static void put_numbered_columns(struct buffer *sql, const struct sqlite_table *table)
{
    for (uint32_t i = 0; i < table->base.definition->stored_count; i++) {
        char name[16];

        (void)sqlite3_snprintf((int)sizeof name, name, i == 0 ? "c%u" : ", c%u", i);
        sql_put(sql, name);
    }
}

static enum status make(struct sqlite_schema *schema, struct sqlite_table *table,
                        struct error *err)
{
    struct buffer sql = {0};
    enum status status = sqlite_schema_writer(schema, table, err);

    if (status != STATUS_OK || (table->other != NULL && table->other_made))
        return status;
    if (table->other == NULL)
        table->other = calloc(1, sizeof *table->other);
    if (table->other == NULL)
        return error_set(err, STATUS_NO_MEMORY, "parking: out of memory");
    status = make_copy(schema, table, err);
    if (status == STATUS_OK) {
        sql_put(&sql, "CREATE TABLE IF NOT EXISTS ");
        put_other(&sql, table);
        sql_put(&sql, " (");
        put_numbered_columns(&sql, table);
        sql_put(&sql, ")");
        status = sql_execute(schema->database, &sql, err);
    }
    buffer_release(&sql);
    if (status == STATUS_OK) {
        table->other_made = true;
        table->other_used = true;
        status = sqlite_other_clear(schema, table, err);
    }
    return status;
}

enum status sqlite_other_clear(struct sqlite_schema *schema, struct sqlite_table *table,
                               struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    if (!table->other_used)
        return STATUS_OK;
    table->other_used = false;
    sql_put(&sql, "DELETE FROM ");
    put_other(&sql, table);
    sql_put(&sql, "; DELETE FROM ");
    sql_put_table(&sql, SCHEMA_SCRATCH, table->base.definition);
    status = sql_execute(schema->database, &sql, err);
    buffer_release(&sql);
    return status;
}

/* ---- statements */

enum other_move { COPY_TO_OTHER, MAIN_TO_OTHER, OTHER_TO_COPY, OTHER_TO_MAIN };

static void put_move(struct buffer *sql, struct sqlite_table *table, enum other_move move,
                     bool full)
{
    bool into_other = move == COPY_TO_OTHER || move == MAIN_TO_OTHER;
    enum sql_schema schema =
        move == MAIN_TO_OTHER || move == OTHER_TO_MAIN ? SCHEMA_MAIN : SCHEMA_SCRATCH;

    sql_put(sql, into_other ? "INSERT INTO " : sqlite_writer_verb(table->writer));
    if (into_other) {
        put_other(sql, table);
        sql_put(sql, full ? " (" : " (rowid, ");
        put_numbered_columns(sql, table);
        sql_put(sql, full ? ") SELECT " : ") SELECT ?1, ");
        sql_put_stored_columns(sql, table->base.definition);
    } else {
        sql_put_table(sql, schema, table->base.definition);
        sql_put(sql, " (");
        sql_put_stored_columns(sql, table->base.definition);
        sql_put(sql, ") SELECT ");
        put_numbered_columns(sql, table);
    }
    sql_put(sql, " FROM ");
    if (into_other)
        sql_put_table(sql, schema, table->base.definition);
    else
        put_other(sql, table);
    if (move == MAIN_TO_OTHER)
        sql_put_key_condition(sql, table->base.definition, NULL, 2);
    else if (!into_other)
        sql_put(sql, " WHERE rowid = ?1");
}

/* The statement of a move, with id bound. */
static enum status prepare_move(struct sqlite_schema *schema, struct sqlite_table *table,
                                enum other_move move, int64_t id, sqlite3_stmt **out,
                                struct error *err)
{
    enum status status = make(schema, table, err);
    sqlite3_stmt **statement;

    if (status != STATUS_OK)
        return status;
    statement = move == COPY_TO_OTHER   ? &table->other->keep
                : move == MAIN_TO_OTHER ? &table->other->take
                : move == OTHER_TO_COPY ? &table->other->load
                                        : &table->other->place;
    if (*statement == NULL) {
        struct buffer sql = {0};

        put_move(&sql, table, move, is_full(schema, table));
        status = sql_prepare(schema->database, &sql, statement, err);
        buffer_release(&sql);
    }
    if (status == STATUS_OK)
        (void)sqlite3_bind_int64(*statement, 1, id);
    table->other_used = true;
    *out = *statement;
    return status;
}

static enum status empty_copy(struct sqlite_schema *schema, struct sqlite_table *table,
                              struct error *err)
{
    enum status status = make(schema, table, err);

    if (status == STATUS_OK && table->other->empty_copy == NULL) {
        struct buffer sql = {0};

        sql_put(&sql, "DELETE FROM ");
        sql_put_table(&sql, SCHEMA_SCRATCH, table->base.definition);
        status = sql_prepare(schema->database, &sql, &table->other->empty_copy, err);
        buffer_release(&sql);
    }
    return status == STATUS_OK
               ? sql_run(schema->database, table->other->empty_copy, "empty a copy", err)
               : status;
}

/* ---- moves */

/* Run a move into the place where rows are kept. */
static enum status keep(struct sqlite_schema *schema, struct sqlite_table *table,
                        sqlite3_stmt *move, int64_t id, struct error *err)
{
    sqlite3_stmt **number = &table->other->number;
    enum status status = sql_run(schema->database, move, "keep a row", err);

    if (status != STATUS_OK || !is_full(schema, table))
        return status;
    if (*number == NULL) {
        struct buffer sql = {0};

        sql_put(&sql, "UPDATE ");
        put_other(&sql, table);
        sql_put(&sql, " SET rowid = ?1 WHERE rowid = last_insert_rowid()");
        status = sql_prepare(schema->database, &sql, number, err);
        buffer_release(&sql);
    }
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_int64(*number, 1, id);
    return sql_run(schema->database, *number, "keep a row", err);
}

enum status sqlite_other_try(struct sqlite_schema *schema, struct sqlite_table *table,
                             enum write_result *result, struct error *err)
{
    enum status status = empty_copy(schema, table, err);

    return status == STATUS_OK
               ? sqlite_writer_insert(table->writer, SCHEMA_SCRATCH, result, err)
               : status;
}

enum status sqlite_other_keep(struct sqlite_schema *schema, struct sqlite_table *table,
                              int64_t id, struct error *err)
{
    sqlite3_stmt *move;
    enum status status = prepare_move(schema, table, COPY_TO_OTHER, id, &move, err);

    return status == STATUS_OK ? keep(schema, table, move, id, err) : status;
}

enum status sqlite_other_take(struct sqlite_schema *schema, struct sqlite_table *table,
                              int64_t id, struct error *err)
{
    sqlite3_stmt *take;
    enum status status = prepare_move(schema, table, MAIN_TO_OTHER, id, &take, err);

    if (status == STATUS_OK)
        status = sqlite_writer_bind_key(table->writer, take, 2, err);
    return status == STATUS_OK ? keep(schema, table, take, id, err) : status;
}

enum status sqlite_other_load(struct sqlite_schema *schema, struct sqlite_table *table,
                              int64_t id, enum write_result *result, struct error *err)
{
    sqlite3_stmt *load;
    enum status status = empty_copy(schema, table, err);

    if (status == STATUS_OK)
        status = prepare_move(schema, table, OTHER_TO_COPY, id, &load, err);
    return status == STATUS_OK
               ? sqlite_writer_step(table->writer, load, "check", result, err)
               : status;
}

enum status sqlite_other_place(struct sqlite_schema *schema, struct sqlite_table *table,
                               int64_t id, enum write_result *result, struct error *err)
{
    sqlite3_stmt *place;
    enum status status = prepare_move(schema, table, OTHER_TO_MAIN, id, &place, err);

    if (status != STATUS_OK)
        return status;
    sqlite_schema_fire(schema, table->base.fires);
    return sqlite_writer_step(table->writer, place, "insert into", result, err);
}

enum status sqlite_other_drop(struct sqlite_schema *schema, struct sqlite_table *table,
                              int64_t id, struct error *err)
{
    enum status status = make(schema, table, err);

    if (status == STATUS_OK && table->other->drop == NULL) {
        struct buffer sql = {0};

        sql_put(&sql, "DELETE FROM ");
        put_other(&sql, table);
        sql_put(&sql, " WHERE rowid = ?1");
        status = sql_prepare(schema->database, &sql, &table->other->drop, err);
        buffer_release(&sql);
    }
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_int64(table->other->drop, 1, id);
    return sql_run(schema->database, table->other->drop, "drop a row", err);
}

static enum status prepare_read(struct sqlite_schema *schema, struct sqlite_table *table,
                                struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    sql_put(&sql, "SELECT ");
    put_numbered_columns(&sql, table);
    sql_put(&sql, " FROM ");
    put_other(&sql, table);
    sql_put(&sql, " WHERE rowid = ?1");
    status = sql_prepare(schema->database, &sql, &table->other->read, err);
    buffer_release(&sql);
    return status;
}

enum status sqlite_other_image(struct sqlite_schema *schema, struct sqlite_table *table,
                               int64_t id, struct buffer *image, struct error *err)
{
    struct value *values = sqlite_writer_values(table->writer);
    enum status status = make(schema, table, err);

    if (status == STATUS_OK && table->other->read == NULL)
        status = prepare_read(schema, table, err);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_int64(table->other->read, 1, id);
    if (sqlite3_step(table->other->read) == SQLITE_ROW) {
        for (uint32_t i = 0;
             i < table->base.definition->stored_count && status == STATUS_OK; i++)
            status = sqlite_column_value(table->other->read, (int)i, &values[i], err);
        if (status == STATUS_OK) {
            image_encode(image, values, table->base.definition);
            status = buffer_check(image, err);
        }
    } else {
        status = sqlite_failed(schema->database, table->base.definition->local_name, err);
    }
    (void)sqlite3_reset(table->other->read);
    return status;
}
