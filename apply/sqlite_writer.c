#include "apply/sqlite_writer_private.h"

#include "engine/sqlite_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- life */

static enum status ask_encoding(struct sqlite_writer *writer, struct error *err)
{
    const char *name;
    enum status status = sqlite_encoding(writer->database, &name, err);

    if (status == STATUS_OK)
        writer->utf16 = strcmp(name, "UTF-8") != 0;
    return status;
}

/* A primary key beside a key that was chosen is one constraint among others. */
static enum status ask_primary(struct sqlite_writer *writer, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t count = 0;
    enum status status = sqlite_query(
        writer->database, "SELECT name FROM pragma_table_info(?1, 'main') WHERE pk > 0",
        writer->definition->local_name, &statement, err);

    while (status == STATUS_OK) {
        const char *name;
        int32_t column;

        status = sqlite_next_row(writer->database, statement, err);
        if (status != STATUS_OK)
            break;
        name = (const char *)sqlite3_column_text(statement, 0);
        if (name == NULL) {
            status = sqlite_failed(writer->database, writer->definition->local_name, err);
            break;
        }
        column = definition_find_column(writer->definition, name);
        if (column < 0 || writer->definition->columns[column].key_position == 0)
            writer->primary_is_unique = true;
        count++;
    }
    (void)sqlite3_finalize(statement);
    if (count > 0 && count != writer->definition->key_count)
        writer->primary_is_unique = true;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static bool says_conflict(const char *ddl)
{
    static const char word[] = "CONFLICT";

    for (; *ddl != '\0'; ddl++)
        if (sqlite3_strnicmp(ddl, word, (int)sizeof word - 1) == 0)
            return true;
    return false;
}

static bool allocate(struct sqlite_writer *writer)
{
    const struct definition *definition = writer->definition;

    writer->columns = calloc(definition->stored_count, sizeof(struct column *));
    writer->key_places = calloc(definition->key_count, sizeof *writer->key_places);
    writer->values = calloc(definition->stored_count, sizeof *writer->values);
    writer->present = calloc(definition->stored_count, sizeof *writer->present);
    writer->differs = calloc(definition->stored_count, sizeof *writer->differs);
    return writer->columns != NULL && writer->key_places != NULL &&
           writer->values != NULL && writer->present != NULL && writer->differs != NULL;
}

enum status sqlite_writer_open(struct sqlite_writer **out,
                               struct sqlite_database *database,
                               const struct definition *definition, bool guarded,
                               struct error *err)
{
    struct sqlite_writer *writer = calloc(1, sizeof *writer);
    enum status status;
    uint32_t place = 0;

    *out = NULL;
    if (writer == NULL)
        return error_set(err, STATUS_NO_MEMORY, "write rows: out of memory");
    writer->database = database;
    writer->definition = definition;
    writer->guarded = guarded;
    image_init(&writer->image);
    image_init(&writer->held);
    if (!allocate(writer)) {
        sqlite_writer_close(writer);
        return error_set(err, STATUS_NO_MEMORY, "write rows: out of memory");
    }
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->generated != GENERATED_NO)
            continue;
        if (column->key_position > 0)
            writer->key_places[column->key_position - 1] = place;
        writer->columns[place++] = column;
    }
    for (uint32_t i = 0; i < definition->unique_count; i++)
        writer->primary_is_unique |= definition->uniques[i].is_primary;
    writer->or_abort = says_conflict(definition->ddl);
    status = ask_encoding(writer, err);
    if (status == STATUS_OK)
        status = ask_primary(writer, err);
    if (status != STATUS_OK) {
        sqlite_writer_close(writer);
        return status;
    }
    *out = writer;
    return STATUS_OK;
}

void sqlite_writer_close(struct sqlite_writer *writer)
{
    if (writer == NULL)
        return;
    while (writer->variants != NULL) {
        struct variant *next = writer->variants->next;

        sqlite_variant_close(writer->variants);
        writer->variants = next;
    }
    row_maps_release(&writer->maps);
    (void)sqlite3_finalize(writer->remove);
    (void)sqlite3_finalize(writer->find);
    (void)sqlite3_finalize(writer->read);
    (void)sqlite3_finalize(writer->savepoint);
    (void)sqlite3_finalize(writer->release);
    (void)sqlite3_finalize(writer->undo);
    stored_close(writer->stored);
    image_release(&writer->image);
    image_release(&writer->held);
    buffer_release(&writer->sql);
    free(writer->columns);
    free(writer->key_places);
    free(writer->values);
    free(writer->present);
    free(writer->differs);
    free(writer);
}

struct value *sqlite_writer_values(struct sqlite_writer *writer)
{
    return writer->values;
}

/* ---- mapping */

static enum status find_map(struct sqlite_writer *writer, const struct definition *from,
                            struct row_map **out, struct error *err)
{
    return row_map_find(&writer->maps, writer->definition, from, out, err);
}

enum status sqlite_writer_lacks(struct sqlite_writer *writer,
                                const struct definition *from, bool *lacks,
                                struct error *err)
{
    struct row_map *map;
    enum status status = find_map(writer, from, &map, err);

    *lacks = status == STATUS_OK && map->lacks;
    return status;
}

/* Let SQLite say in its own words that the table has no such column. */
static void name_missing_column(struct sqlite_writer *writer, const char *name,
                                struct error *err)
{
    sqlite3_stmt *statement = NULL;

    sql_put(&writer->sql, "INSERT INTO ");
    sqlite_put_quoted(&writer->sql, writer->definition->local_name);
    sql_put(&writer->sql, " (");
    sqlite_put_quoted(&writer->sql, name);
    sql_put(&writer->sql, ") VALUES (NULL)");
    buffer_put(&writer->sql, 0, 1);
    if (!writer->sql.failed &&
        sqlite3_prepare_v2(sqlite_database_handle(writer->database),
                           (const char *)writer->sql.data, -1, &statement,
                           NULL) != SQLITE_OK) {
        (void)error_set(err, STATUS_CONSTRAINT, "%s",
                        sqlite3_errmsg(sqlite_database_handle(writer->database)));
    } else {
        (void)error_set(err, STATUS_CONSTRAINT, "no column named %s", name);
    }
    (void)sqlite3_finalize(statement);
    buffer_clear(&writer->sql);
}

enum status sqlite_writer_stored(struct sqlite_writer *writer, struct error *err)
{
    if (writer->stored != NULL)
        return STATUS_OK;
    return sqlite_stored_open(&writer->stored, writer->database, writer->definition, err);
}

/* A key that would be stored as another value could never be found again. */
static enum status check_key(struct sqlite_writer *writer, enum write_result *result,
                             struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; i < writer->definition->key_count; i++) {
        uint32_t place = writer->key_places[i];
        const struct column *column = writer->columns[place];
        const struct value *value = &writer->values[place];
        struct value stored, before, after;

        if (sql_is_stored_as_it_is(column, value) &&
            !(writer->utf16 && value->type == VALUE_TEXT))
            continue;
        status = sqlite_writer_stored(writer, err);
        if (status == STATUS_OK)
            status =
                writer->stored->ops->value(writer->stored, place, value, &stored, err);
        if (status ==
            STATUS_CONSTRAINT) /* STRICT says it in its own words when written */
            return STATUS_OK;
        if (status != STATUS_OK)
            return status;
        before = row_key_canonical(value);
        after = row_key_canonical(&stored);
        if (value_equal(&before, &after))
            continue;
        *result = WRITE_REFUSED;
        (void)error_set(err, STATUS_CONSTRAINT,
                        "the key column %s.%s (%s) would store the key as another value",
                        writer->definition->local_name, column->name,
                        column->declared_type[0] != '\0' ? column->declared_type
                                                         : "no type");
        return STATUS_OK;
    }
    return STATUS_OK;
}

static void refuse_key(const struct sqlite_writer *writer, enum write_result *result,
                       struct error *err)
{
    *result = WRITE_REFUSED;
    (void)error_set(err, STATUS_CONSTRAINT,
                    "the primary key of %s has other columns where the row comes from",
                    writer->definition->local_name);
}

enum status sqlite_writer_map(struct sqlite_writer *writer, const struct definition *from,
                              struct bytes image, struct bytes key,
                              enum write_result *result, struct error *err)
{
    struct row_map *map;
    enum status status = find_map(writer, from, &map, err);

    *result = WRITE_DONE;
    if (status == STATUS_OK)
        status = image_decode(&writer->image, image, from, key, err);
    if (status != STATUS_OK)
        return status;
    if (map->key_differs) {
        refuse_key(writer, result, err);
        return STATUS_OK;
    }
    if (map->lacks)
        for (uint32_t i = 0; i < writer->definition->stored_count; i++)
            writer->values[i] = (struct value){.type = VALUE_ABSENT};
    for (uint32_t i = 0; i < writer->image.count; i++) {
        const struct value *value = &writer->image.values[i];

        if (map->own[i] >= 0) {
            writer->values[map->own[i]] = *value;
        } else if (map->own[i] == ROW_MAP_MISSING && value->type != VALUE_NULL &&
                   value->type != VALUE_ABSENT) {
            uint32_t place = 0, column = 0;

            while (from->columns[column].generated != GENERATED_NO || place++ < i)
                column++;
            name_missing_column(writer, from->columns[column].name, err);
            *result = WRITE_REFUSED;
            return STATUS_OK;
        }
    }
    for (uint32_t i = 0; i < writer->definition->key_count; i++) {
        struct value *value = &writer->values[writer->key_places[i]];

        /* As SQLite's own rows have it: whole numbers are integers. */
        if (value->type == VALUE_TYPED)
            *value = row_key_canonical(value);
    }
    return check_key(writer, result, err);
}

enum status sqlite_writer_key(struct sqlite_writer *writer, const struct definition *from,
                              struct bytes key, enum write_result *result,
                              struct error *err)
{
    struct row_map *map;
    enum status status = STATUS_OK;

    *result = WRITE_DONE;
    if (from != NULL) {
        status = find_map(writer, from, &map, err);
        if (status == STATUS_OK && map->key_differs) {
            refuse_key(writer, result, err);
            return STATUS_OK;
        }
    }
    if (status == STATUS_OK)
        status = image_decode_key(&writer->image, writer->definition, key, err);
    if (status == STATUS_OK)
        memcpy(writer->values, writer->image.values,
               writer->definition->stored_count * sizeof *writer->values);
    return status;
}

enum status sqlite_writer_carry(struct sqlite_writer *writer,
                                const struct definition *held_from, struct bytes held,
                                struct bytes key, bool *carried, struct error *err)
{
    struct row_map *map;
    enum status status = find_map(writer, held_from, &map, err);

    *carried = false;
    if (status == STATUS_OK)
        status = image_decode(&writer->held, held, held_from, key, err);
    if (status != STATUS_OK)
        return status;
    assert(map != NULL);
    for (uint32_t i = 0; i < writer->held.count; i++) {
        int32_t own = map->own[i];

        if (own < 0 || writer->values[own].type != VALUE_ABSENT ||
            writer->held.values[i].type == VALUE_ABSENT)
            continue;
        writer->values[own] = writer->held.values[i];
        *carried = true;
    }
    return STATUS_OK;
}

const char *sqlite_writer_verb(const struct sqlite_writer *writer)
{
    return writer->or_abort ? "INSERT OR ABORT INTO " : "INSERT INTO ";
}
