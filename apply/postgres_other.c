#include "apply/postgres_other.h"

#include "apply/postgres_row.h"
#include "apply/postgres_sql.h"
#include "apply/postgres_unique.h"
#include "engine/postgres_name.h"
#include "engine/postgres_value.h"

#include <stdlib.h>
#include <string.h>

void postgres_other_put_copy(struct buffer *sql, const struct postgres_table *table)
{
    postgres_sql_number(sql, "pg_temp.rowferry_copy_", table->base.index);
}

static void put_kept(struct buffer *sql, const struct postgres_table *table)
{
    postgres_sql_number(sql, "pg_temp.rowferry_other_", table->base.index);
}

/* "c0, c1, …" */
static void put_numbered(struct buffer *sql, const struct postgres_table *table)
{
    for (uint32_t i = 0; i < table->base.definition->stored_count; i++)
        postgres_sql_number(sql, i == 0 ? "c" : ", c", i);
}

/* ---- making */

/* An identity is no default to LIKE. */
static enum status give_identities(struct postgres_schema *schema,
                                   struct postgres_table *table, struct error *err)
{
    static const char identities_sql[] =
        "SELECT format('ALTER TABLE pg_temp.%I ALTER COLUMN %I SET DEFAULT"
        " nextval(%L::regclass)', 'rowferry_copy_' || $2, a.attname,"
        " pg_get_serial_sequence($1, a.attname)) FROM pg_attribute a"
        " WHERE a.attrelid = $1::regclass AND a.attidentity <> '' AND a.attnum > 0"
        " AND NOT a.attisdropped";
    struct buffer number = {0};
    const char *parameters[] = {table->base.definition->local_name, NULL};
    PGresult *rows = NULL;
    enum status status;

    postgres_sql_number(&number, "", table->base.index);
    buffer_put(&number, 0, 1);
    status = buffer_check(&number, err);
    parameters[1] = (const char *)number.data;
    if (status == STATUS_OK)
        status =
            postgres_query(schema->postgres, identities_sql, 2, parameters, &rows, err);
    for (int i = 0; status == STATUS_OK && i < PQntuples(rows); i++)
        status = postgres_execute(schema->postgres, PQgetvalue(rows, i, 0), err);
    PQclear(rows);
    buffer_release(&number);
    return status;
}

static void put_kept_table(struct buffer *sql, const struct postgres_table *table)
{
    const struct definition *definition = table->base.definition;
    uint32_t place = 0;

    postgres_sql_number(sql, "CREATE TEMP TABLE rowferry_other_", table->base.index);
    postgres_sql_put(sql, " ON COMMIT DROP AS SELECT NULL::bigint AS id");
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        postgres_sql_put(sql, ", ");
        postgres_put_name(sql, definition->columns[i].name);
        postgres_sql_number(sql, " AS c", place++);
    }
    postgres_sql_put(sql, " FROM ");
    postgres_sql_put(sql, definition->local_name);
    postgres_sql_put(sql, " WITH NO DATA");
}

static enum status make(struct postgres_schema *schema, struct postgres_table *table,
                        struct error *err)
{
    struct postgres *postgres = schema->postgres;
    const char *name = table->base.definition->local_name;
    struct buffer sql = {0};
    enum status status = postgres_schema_writer(schema, table, err);

    if (status != STATUS_OK || table->other_made)
        return status;
    status = postgres_claims_open(table, postgres, err);
    if (status != STATUS_OK)
        return status;
    postgres_sql_number(&sql, "CREATE TEMP TABLE rowferry_copy_", table->base.index);
    postgres_sql_put(&sql, " (LIKE ");
    postgres_sql_put(&sql, name);
    postgres_sql_put(&sql,
                     " INCLUDING CONSTRAINTS INCLUDING DEFAULTS INCLUDING GENERATED)"
                     " ON COMMIT DROP");
    status = postgres_sql_run(postgres, &sql, NULL, name, NULL, err);
    if (status == STATUS_OK)
        status = give_identities(schema, table, err);
    if (status == STATUS_OK) {
        put_kept_table(&sql, table);
        status = postgres_sql_run(postgres, &sql, NULL, name, NULL, err);
    }
    if (status == STATUS_OK) {
        postgres_sql_put(&sql, "CREATE INDEX ON ");
        put_kept(&sql, table);
        postgres_sql_put(&sql, " (id)");
        status = postgres_sql_run(postgres, &sql, NULL, name, NULL, err);
    }
    table->other_made = status == STATUS_OK;
    buffer_release(&sql);
    return status;
}

/* Make the places, and the statement that empties the copy. That was made in this
 * transaction, so its file is cut: a DELETE would leave dead rows for every later look.
 */
static enum status empty_copy(struct postgres_schema *schema,
                              struct postgres_table *table, struct buffer *empty,
                              struct error *err)
{
    enum status status = make(schema, table, err);

    postgres_sql_put(empty, "TRUNCATE ");
    postgres_other_put_copy(empty, table);
    buffer_put(empty, 0, 1);
    return status == STATUS_OK ? buffer_check(empty, err) : status;
}

/* ---- moves */

static void put_columns_of(struct buffer *sql, const struct postgres_writer *writer,
                           bool values)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < writer->definition->stored_count; i++) {
        if (writer->values[i].type == VALUE_ABSENT)
            continue;
        postgres_sql_put(sql, count++ == 0 ? "" : ", ");
        if (values)
            postgres_sql_number(sql, "$", count);
        else
            postgres_put_name(sql, writer->columns[i].column->name);
    }
}

/* What the server says of the copy, it says of the user's table. */
static enum status name_table(const struct postgres_table *table, struct error *err)
{
    struct buffer copy = {0}, plain = {0};
    struct error ignored;
    enum status status = STATUS_OK;
    const char *at;

    postgres_sql_number(&copy, "\"rowferry_copy_", table->base.index);
    postgres_sql_put(&copy, "\"");
    buffer_put(&copy, 0, 1);
    postgres_put_plain_name(&plain, table->base.definition->local_name);
    buffer_put(&plain, 0, 1);
    if (buffer_check(&copy, &ignored) != STATUS_OK ||
        buffer_check(&plain, &ignored) != STATUS_OK) {
        status = error_set(err, STATUS_NO_MEMORY, "apply: out of memory");
    } else if ((at = strstr(err->text, (const char *)copy.data)) != NULL) {
        (void)error_set(err, STATUS_CONSTRAINT, "%.*s\"%s\"%s", (int)(at - err->text),
                        err->text, (const char *)plain.data, at + copy.size - 1);
    }
    buffer_release(&copy);
    buffer_release(&plain);
    return status;
}

enum status postgres_other_try(struct postgres_schema *schema,
                               struct postgres_table *table, enum write_result *result,
                               struct error *err)
{
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0}, empty = {0};
    uint64_t rows;
    enum status status = empty_copy(schema, table, &empty, err);

    *result = WRITE_DONE;
    for (uint32_t i = 0; status == STATUS_OK && *result == WRITE_DONE &&
                         i < table->base.definition->stored_count;
         i++)
        if (table->writer->values[i].type != VALUE_ABSENT)
            status = postgres_sql_add_value(&arguments, table->writer, i, result, err);
    if (status == STATUS_OK && *result == WRITE_DONE) {
        postgres_sql_put(&sql, "INSERT INTO ");
        postgres_other_put_copy(&sql, table);
        postgres_sql_put(&sql, " (");
        put_columns_of(&sql, table->writer, false);
        postgres_sql_put(&sql, ") VALUES (");
        put_columns_of(&sql, table->writer, true);
        postgres_sql_put(&sql, ")");
        arguments.own_path = table->own_path;
        status = postgres_sql_try(schema->postgres, (const char *)empty.data, &sql,
                                  &arguments, "check", &rows, result, err);
        if (status == STATUS_OK && *result != WRITE_DONE)
            status = name_table(table, err);
    }
    postgres_arguments_release(&arguments);
    buffer_release(&empty);
    buffer_release(&sql);
    return status;
}

/* Run sql, with id as its parameter $1; key: the key at hand follows. */
static enum status run(struct postgres_schema *schema, struct postgres_table *table,
                       struct buffer *sql, int64_t id, bool key, struct error *err)
{
    struct postgres_arguments arguments = {0};
    enum status status = STATUS_OK;

    postgres_sql_add_number(&arguments, id);
    if (key)
        status = postgres_sql_add_key(&arguments, table->writer, err);
    if (status == STATUS_OK)
        status = postgres_sql_run(schema->postgres, sql, &arguments,
                                  table->base.definition->local_name, NULL, err);
    postgres_arguments_release(&arguments);
    buffer_release(sql);
    return status;
}

static void put_keep(struct buffer *sql, const struct postgres_table *table)
{
    postgres_sql_put(sql, "INSERT INTO ");
    put_kept(sql, table);
    postgres_sql_put(sql, " SELECT $1::bigint, ");
    postgres_sql_stored(sql, table->base.definition, "t");
    postgres_sql_put(sql, " FROM ");
}

enum status postgres_other_keep(struct postgres_schema *schema,
                                struct postgres_table *table, int64_t id,
                                struct error *err)
{
    struct buffer sql = {0};
    enum status status = make(schema, table, err);

    if (status != STATUS_OK)
        return status;
    put_keep(&sql, table);
    postgres_other_put_copy(&sql, table);
    postgres_sql_put(&sql, " AS t");
    return run(schema, table, &sql, id, false, err);
}

enum status postgres_other_take(struct postgres_schema *schema,
                                struct postgres_table *table, int64_t id,
                                struct error *err)
{
    struct buffer sql = {0};
    enum status status = make(schema, table, err);

    if (status != STATUS_OK)
        return status;
    put_keep(&sql, table);
    postgres_sql_put(&sql, table->base.definition->local_name);
    postgres_sql_put(&sql, " AS t WHERE ");
    postgres_sql_key_match(&sql, table->writer, "t", 2);
    return run(schema, table, &sql, id, true, err);
}

/* Insert the kept row into the copy, which `empty` empties, or (NULL) the user's table.
 */
static enum status insert_kept(struct postgres_schema *schema,
                               struct postgres_table *table, const char *empty,
                               int64_t id, enum write_result *result, struct error *err)
{
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0};
    uint64_t rows = 0;
    enum status status;

    postgres_sql_put(&sql, "INSERT INTO ");
    if (empty != NULL)
        postgres_other_put_copy(&sql, table);
    else
        postgres_sql_put(&sql, table->base.definition->local_name);
    postgres_sql_put(&sql, " (");
    postgres_sql_stored(&sql, table->base.definition, "");
    postgres_sql_put(&sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    put_numbered(&sql, table);
    postgres_sql_put(&sql, " FROM ");
    put_kept(&sql, table);
    postgres_sql_put(&sql, " WHERE id = $1::bigint");
    postgres_sql_add_number(&arguments, id);
    arguments.own_path = table->own_path;
    status = postgres_sql_try(schema->postgres, empty, &sql, &arguments,
                              table->base.definition->local_name, &rows, result, err);
    buffer_release(&sql);
    if (status == STATUS_OK && *result != WRITE_DONE && empty != NULL)
        status = name_table(table, err);
    if (status == STATUS_OK && *result == WRITE_DONE && rows != 1) {
        *result = WRITE_REFUSED;
        (void)error_set(err, STATUS_CONSTRAINT,
                        "%s: a trigger, rule or policy keeps the row from being written",
                        table->base.definition->local_name);
    }
    return status;
}

enum status postgres_other_load(struct postgres_schema *schema,
                                struct postgres_table *table, int64_t id,
                                enum write_result *result, struct error *err)
{
    struct buffer empty = {0};
    enum status status = empty_copy(schema, table, &empty, err);

    if (status == STATUS_OK)
        status = insert_kept(schema, table, (const char *)empty.data, id, result, err);
    buffer_release(&empty);
    return status;
}

enum status postgres_other_place(struct postgres_schema *schema,
                                 struct postgres_table *table, int64_t id,
                                 enum write_result *result, struct error *err)
{
    enum status status = make(schema, table, err);

    return status == STATUS_OK ? insert_kept(schema, table, NULL, id, result, err)
                               : status;
}

enum status postgres_other_drop(struct postgres_schema *schema,
                                struct postgres_table *table, int64_t id,
                                struct error *err)
{
    struct buffer sql = {0};
    enum status status = make(schema, table, err);

    if (status != STATUS_OK)
        return status;
    postgres_sql_put(&sql, "DELETE FROM ");
    put_kept(&sql, table);
    postgres_sql_put(&sql, " WHERE id = $1::bigint");
    return run(schema, table, &sql, id, false, err);
}

/* ---- reading */

enum status postgres_other_image(struct postgres_schema *schema,
                                 struct postgres_table *table, int64_t id,
                                 struct buffer *image, struct error *err)
{
    const struct definition *definition = table->base.definition;
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0};
    PGresult *rows = NULL;
    enum status status = make(schema, table, err);

    if (status != STATUS_OK)
        return status;
    postgres_sql_put(&sql, "SELECT ");
    put_numbered(&sql, table);
    postgres_sql_put(&sql, " FROM ");
    put_kept(&sql, table);
    postgres_sql_put(&sql, " WHERE id = $1::bigint");
    postgres_sql_add_number(&arguments, id);
    status = postgres_sql_run(schema->postgres, &sql, &arguments, definition->local_name,
                              &rows, err);
    buffer_release(&sql);
    if (status == STATUS_OK && PQntuples(rows) != 1)
        status = error_set(err, STATUS_IO, "%s: a row that was kept is gone",
                           definition->local_name);
    if (status == STATUS_OK)
        status = postgres_row_encode(definition, rows, image, err);
    PQclear(rows);
    return status;
}
