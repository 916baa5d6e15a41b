#include "apply/postgres_row.h"

#include "apply/postgres_sql.h"
#include "engine/postgres_value.h"

#include <stdlib.h>

enum status postgres_row_find(struct postgres_table *table, bool *found,
                              struct error *err)
{
    struct postgres_writer *writer = table->writer;
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0};
    enum status status = postgres_sql_add_key(&arguments, writer, err);

    postgres_sql_put(&sql, "SELECT EXISTS (SELECT FROM ");
    postgres_sql_put(&sql, writer->definition->local_name);
    postgres_sql_put(&sql, " AS t WHERE ");
    postgres_sql_key_match(&sql, writer, "t", 1);
    postgres_sql_put(&sql, ")");
    if (status == STATUS_OK)
        status = postgres_sql_ask(writer->postgres, &sql, &arguments,
                                  writer->definition->local_name, found, NULL, err);
    postgres_arguments_release(&arguments);
    buffer_release(&sql);
    return status;
}

enum status postgres_row_encode(const struct definition *definition, const PGresult *rows,
                                struct buffer *image, struct error *err)
{
    size_t count = (size_t)definition->stored_count + 1;
    struct value *values = calloc(count, sizeof *values);
    struct buffer *scratch = calloc(count, sizeof *scratch);
    enum status status = values == NULL || scratch == NULL
                             ? error_set(err, STATUS_NO_MEMORY, "apply: out of memory")
                             : STATUS_OK;
    int place = 0;

    for (uint32_t i = 0; i < definition->column_count && status == STATUS_OK; i++) {
        struct bytes text;

        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        text = (struct bytes){(const uint8_t *)PQgetvalue(rows, 0, place),
                              (size_t)PQgetlength(rows, 0, place)};
        if (PQgetisnull(rows, 0, place))
            text = (struct bytes){NULL, 0};
        status = postgres_value_take(definition->columns[i].type, text, &scratch[place],
                                     &values[place], err);
        place++;
    }
    if (status == STATUS_OK) {
        image_encode(image, values, definition);
        status = buffer_check(image, err);
    }
    for (size_t i = 0; scratch != NULL && i < count; i++)
        buffer_release(&scratch[i]);
    free(scratch);
    free(values);
    return status;
}

enum status postgres_row_image(struct postgres_table *table, bool *found,
                               struct buffer *image, struct error *err)
{
    struct postgres_writer *writer = table->writer;
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0};
    PGresult *rows = NULL;
    enum status status = postgres_sql_add_key(&arguments, writer, err);

    postgres_sql_put(&sql, "SELECT ");
    postgres_sql_stored(&sql, writer->definition, "t");
    postgres_sql_put(&sql, " FROM ");
    postgres_sql_put(&sql, writer->definition->local_name);
    postgres_sql_put(&sql, " AS t WHERE ");
    postgres_sql_key_match(&sql, writer, "t", 1);
    if (status == STATUS_OK)
        status = postgres_sql_run(writer->postgres, &sql, &arguments,
                                  writer->definition->local_name, &rows, err);
    buffer_clear(image);
    *found = status == STATUS_OK && PQntuples(rows) > 0;
    if (*found)
        status = postgres_row_encode(writer->definition, rows, image, err);
    PQclear(rows);
    postgres_arguments_release(&arguments);
    buffer_release(&sql);
    return status;
}

/* Run a statement that writes exactly one row. */
static enum status write_one(const struct postgres_table *table, struct buffer *sql,
                             struct postgres_arguments *arguments,
                             enum write_result *result, struct error *err)
{
    const char *name = table->base.definition->local_name;
    uint64_t rows = 0;
    enum status status;

    arguments->own_path = table->own_path;
    status = postgres_sql_try(table->writer->postgres, NULL, sql, arguments, name, &rows,
                              result, err);
    if (status == STATUS_OK && *result == WRITE_DONE && rows != 1) {
        *result = WRITE_REFUSED;
        (void)error_set(err, STATUS_CONSTRAINT,
                        "%s: a trigger, rule or policy keeps the row from being written",
                        name);
    }
    return status;
}

enum status postgres_row_insert(struct postgres_table *table, enum write_result *result,
                                struct error *err)
{
    struct postgres_writer *writer = table->writer;
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0}, values = {0};
    enum status status = STATUS_OK;

    *result = WRITE_DONE;
    postgres_sql_put(&sql, "INSERT INTO ");
    postgres_sql_put(&sql, writer->definition->local_name);
    for (uint32_t i = 0; i < writer->definition->stored_count && status == STATUS_OK &&
                         *result == WRITE_DONE;
         i++) {
        if (writer->values[i].type == VALUE_ABSENT)
            continue;
        postgres_sql_put(&sql, arguments.count == 0 ? " (" : ", ");
        postgres_put_name(&sql, writer->columns[i].column->name);
        status = postgres_sql_add_value(&arguments, writer, i, result, err);
        postgres_sql_number(&values, arguments.count == 1 ? "$" : ", $",
                            (uint64_t)arguments.count);
    }
    postgres_sql_put(&sql, ") OVERRIDING SYSTEM VALUE VALUES (");
    buffer_put_bytes(&sql, buffer_view(&values));
    postgres_sql_put(&sql, ")");
    if (status == STATUS_OK && *result == WRITE_DONE)
        status = write_one(table, &sql, &arguments, result, err);
    postgres_arguments_release(&arguments);
    buffer_release(&values);
    buffer_release(&sql);
    return status;
}

static bool is_set(const struct postgres_writer *writer, const bool *differs,
                   uint32_t place)
{
    return differs[place] && writer->values[place].type != VALUE_ABSENT;
}

/* The values that a row is to have, or the one that it had. */
static enum status put_values(struct buffer *sql, struct postgres_arguments *arguments,
                              struct postgres_writer *writer, const bool *differs,
                              enum write_result *result, struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < writer->definition->stored_count && status == STATUS_OK &&
                         *result == WRITE_DONE;
         i++) {
        postgres_sql_put(sql, i == 0 ? "" : ", ");
        if (!is_set(writer, differs, i)) {
            postgres_sql_put(sql, "gone.");
            postgres_put_name(sql, writer->columns[i].column->name);
            continue;
        }
        status = postgres_sql_add_value(arguments, writer, i, result, err);
        postgres_sql_number(sql, "$", (uint64_t)arguments->count);
        postgres_sql_put(sql, "::");
        postgres_sql_put(sql, writer->columns[i].type);
    }
    return status;
}

/* An identity that is always generated can be set by an insert alone: the row goes and
 * comes again in one statement, with all that it had. */
static enum status replace(struct postgres_table *table, const bool *differs,
                           enum write_result *result, struct error *err)
{
    struct postgres_writer *writer = table->writer;
    const struct definition *definition = writer->definition;
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0};
    enum status status = postgres_sql_add_key(&arguments, writer, err);

    *result = WRITE_DONE;
    postgres_sql_put(&sql, "WITH gone AS (DELETE FROM ");
    postgres_sql_put(&sql, definition->local_name);
    postgres_sql_put(&sql, " AS t WHERE ");
    postgres_sql_key_match(&sql, writer, "t", 1);
    postgres_sql_put(&sql, " RETURNING ");
    postgres_sql_stored(&sql, definition, "t");
    postgres_sql_put(&sql, ") INSERT INTO ");
    postgres_sql_put(&sql, definition->local_name);
    postgres_sql_put(&sql, " (");
    postgres_sql_stored(&sql, definition, "");
    postgres_sql_put(&sql, ") OVERRIDING SYSTEM VALUE SELECT ");
    if (status == STATUS_OK)
        status = put_values(&sql, &arguments, writer, differs, result, err);
    postgres_sql_put(&sql, " FROM gone");
    if (status == STATUS_OK && *result == WRITE_DONE)
        status = write_one(table, &sql, &arguments, result, err);
    postgres_arguments_release(&arguments);
    buffer_release(&sql);
    return status;
}

enum status postgres_row_update(struct postgres_table *table, const bool *differs,
                                enum write_result *result, struct error *err)
{
    struct postgres_writer *writer = table->writer;
    bool replaces = false;
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0};
    uint32_t keys = writer->definition->key_count, count = 0;
    enum status status;

    for (uint32_t i = 0; i < writer->definition->stored_count; i++)
        replaces = replaces ||
                   (is_set(writer, differs, i) && postgres_writer_is_fixed(writer, i));
    if (replaces)
        return replace(table, differs, result, err);
    status = postgres_sql_add_key(&arguments, writer, err);
    *result = WRITE_DONE;
    postgres_sql_put(&sql, "UPDATE ");
    postgres_sql_put(&sql, writer->definition->local_name);
    postgres_sql_put(&sql, " AS t SET ");
    for (uint32_t i = 0; i < writer->definition->stored_count && status == STATUS_OK &&
                         *result == WRITE_DONE;
         i++) {
        if (!is_set(writer, differs, i) || writer->columns[i].always)
            continue;
        postgres_sql_put(&sql, count++ == 0 ? "" : ", ");
        postgres_put_name(&sql, writer->columns[i].column->name);
        postgres_sql_number(&sql, " = $", keys + count);
        status = postgres_sql_add_value(&arguments, writer, i, result, err);
    }
    postgres_sql_put(&sql, " WHERE ");
    postgres_sql_key_match(&sql, writer, "t", 1);
    if (status == STATUS_OK && *result == WRITE_DONE && count > 0)
        status = write_one(table, &sql, &arguments, result, err);
    postgres_arguments_release(&arguments);
    buffer_release(&sql);
    return status;
}

enum status postgres_row_delete(struct postgres_table *table, enum write_result *result,
                                struct error *err)
{
    struct postgres_writer *writer = table->writer;
    struct postgres_arguments arguments = {0};
    struct buffer sql = {0};
    enum status status = postgres_sql_add_key(&arguments, writer, err);

    *result = WRITE_DONE;
    postgres_sql_put(&sql, "DELETE FROM ");
    postgres_sql_put(&sql, writer->definition->local_name);
    postgres_sql_put(&sql, " AS t WHERE ");
    postgres_sql_key_match(&sql, writer, "t", 1);
    if (status == STATUS_OK)
        status = write_one(table, &sql, &arguments, result, err);
    postgres_arguments_release(&arguments);
    buffer_release(&sql);
    return status;
}
