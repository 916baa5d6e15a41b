/* Updates: which columns differ from what the database holds, and the statement that sets
 * those and no other, so that a trigger on a column that stays as it was does not fire
 * and no index is written for nothing. */
#include "apply/sqlite_writer_private.h"

#include <assert.h>
#include <string.h>

/* Whether an update may set the column: the key's bytes are what the row was found by, so
 * it is not set, but in a column without affinity, where the same key may be another
 * number (1 and 1.0). */
static bool is_settable(const struct sqlite_writer *writer, uint32_t place)
{
    const struct column *column = writer->columns[place];

    return writer->values[place].type != VALUE_ABSENT &&
           (column->key_position == 0 || column->type == FLEET_ANY ||
            column->type == FLEET_BLOB);
}

void sqlite_writer_differ_all(struct sqlite_writer *writer, bool *differs)
{
    *differs = false;
    for (uint32_t i = 0; i < writer->definition->stored_count; i++) {
        writer->differs[i] = is_settable(writer, i);
        *differs = *differs || writer->differs[i];
    }
}

enum status sqlite_writer_differ(struct sqlite_writer *writer,
                                 const struct definition *held_from, struct bytes held,
                                 struct bytes key, bool *differs, struct error *err)
{
    struct row_map *map;
    enum status status =
        row_map_find(&writer->maps, writer->definition, held_from, &map, err);

    if (status == STATUS_OK)
        status = image_decode(&writer->held, held, held_from, key, err);
    if (status != STATUS_OK)
        return status;
    /* A column that held lacks has its default, or what was set here: nobody knows. */
    sqlite_writer_differ_all(writer, differs);
    for (uint32_t i = 0; i < writer->held.count; i++) {
        int32_t own = map->own[i];

        if (own >= 0 && is_settable(writer, (uint32_t)own))
            writer->differs[own] =
                !value_equal(&writer->held.values[i], &writer->values[own]);
    }
    *differs = false;
    for (uint32_t i = 0; i < writer->definition->stored_count && !*differs; i++)
        *differs = writer->differs[i];
    return STATUS_OK;
}

/* Whether the database would store the value at hand as the one that stands there. */
static enum status is_present(struct sqlite_writer *writer, uint32_t place,
                              const struct value *there, bool *same, struct error *err)
{
    const struct value *value = &writer->values[place];
    struct value stored;
    enum status status;

    *same = value_equal(value, there);
    if (*same || (sql_is_stored_as_it_is(writer->columns[place], value) &&
                  !(writer->utf16 && value->type == VALUE_TEXT)))
        return STATUS_OK;
    status = sqlite_writer_stored(writer, err);
    if (status == STATUS_OK)
        status = writer->stored->ops->value(writer->stored, place, value, &stored, err);
    if (status == STATUS_CONSTRAINT) /* STRICT says it when it is written */
        return STATUS_OK;
    if (status == STATUS_OK)
        *same = value_equal(&stored, there);
    return status;
}

enum status sqlite_writer_differ_present(struct sqlite_writer *writer, bool *differs,
                                         struct error *err)
{
    enum status status = sqlite_writer_read(writer, err);

    sqlite_writer_differ_all(writer, differs);
    *differs = false;
    for (uint32_t i = 0; i < writer->definition->stored_count && status == STATUS_OK;
         i++) {
        struct value there;
        bool same;

        if (!writer->differs[i])
            continue;
        status = sqlite_column_value(writer->read, (int)i, &there, err);
        if (status == STATUS_OK)
            status = is_present(writer, i, &there, &same, err);
        if (status != STATUS_OK)
            break;
        writer->differs[i] = !same;
        *differs = *differs || !same;
    }
    (void)sqlite3_reset(writer->read);
    return status;
}

/* ---- the statement */

void sqlite_writer_put_update(struct sqlite_writer *writer, const bool *columns)
{
    struct buffer *sql = &writer->sql;
    int count = 0;

    sql_put(sql, writer->or_abort ? "UPDATE OR ABORT " : "UPDATE ");
    sql_put_table(sql, SCHEMA_MAIN, writer->definition);
    for (uint32_t i = 0; i < writer->definition->stored_count; i++) {
        char parameter[16];

        if (!columns[i])
            continue;
        sql_put(sql, count == 0 ? " SET " : ", ");
        sqlite_put_quoted(sql, writer->columns[i]->name);
        count++;
        (void)sqlite3_snprintf((int)sizeof parameter, parameter, " = ?%d", count);
        sql_put(sql, parameter);
    }
    assert(count > 0);
    sql_put_key_condition(sql, writer->definition, NULL, count + 1);
}

/* The statement for the columns that differ. Where no trigger looks, one that sets all of
 * them does as well: so rows that differ in ever other columns don't each prepare one. */
static enum status find_update(struct sqlite_writer *writer, struct variant **out,
                               enum write_result *result, struct error *err)
{
    bool any;

    *result = WRITE_DONE;
    *out = sqlite_variant_known(writer, VARIANT_UPDATE, writer->differs);
    if (*out != NULL)
        return STATUS_OK;
    if (!writer->guarded && writer->variant_count == VARIANTS_MAX)
        sqlite_writer_differ_all(writer, &any);
    return sqlite_variant_find(writer, VARIANT_UPDATE, writer->differs, out, result, err);
}

enum status sqlite_writer_update(struct sqlite_writer *writer, enum write_result *result,
                                 struct error *err)
{
    struct variant *variant;
    int parameter = 0;
    enum status status = find_update(writer, &variant, result, err);

    if (status != STATUS_OK || variant == NULL)
        return status;
    for (uint32_t i = 0; i < writer->definition->stored_count && status == STATUS_OK;
         i++) {
        if (writer->differs[i])
            status = sqlite_bind_value(writer->database, variant->statement, ++parameter,
                                       &writer->values[i], err);
    }
    if (status == STATUS_OK)
        status = sqlite_writer_bind_key(writer, variant->statement, parameter + 1, err);
    if (status == STATUS_CONSTRAINT) { /* too large to bind */
        *result = WRITE_REFUSED;
        return STATUS_OK;
    }
    return status == STATUS_OK
               ? sqlite_writer_step(writer, variant->statement, "update", result, err)
               : status;
}
