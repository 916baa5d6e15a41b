#include "apply/postgres_writer.h"

#include "engine/number_range.h"
#include "engine/postgres_stored.h"
#include "engine/postgres_value.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- life */

/* Stored columns in their order; a domain by its base; the equality of the unique index
 * that a column is in, the primary key's first. */
static const char columns_sql[] =
    "WITH RECURSIVE told AS (SELECT a.attnum, a.attname, a.attidentity, a.atttypid AS "
    "base"
    " FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attnum > 0"
    " AND NOT a.attisdropped AND a.attgenerated = ''"
    " UNION ALL SELECT d.attnum, d.attname, d.attidentity, t.typbasetype FROM told d"
    " JOIN pg_type t ON t.oid = d.base AND t.typtype = 'd')"
    " SELECT told.attname, format_type(told.base, -1), told.attidentity = 'a',"
    " pg_get_serial_sequence($1::text, told.attname), (SELECT 'OPERATOR(' ||"
    "  quote_ident(s.nspname) || '.' || o.oprname || ')' FROM pg_index i"
    "  CROSS JOIN LATERAL generate_series(0, i.indnkeyatts - 1) AS k (n)"
    "  JOIN pg_opclass oc ON oc.oid = i.indclass[k.n]"
    "  JOIN pg_amop e ON e.amopfamily = oc.opcfamily AND e.amoppurpose = 's'"
    "   AND e.amopstrategy = 3 AND e.amoplefttype = oc.opcintype"
    "   AND e.amoprighttype = oc.opcintype"
    "  JOIN pg_operator o ON o.oid = e.amopopr"
    "  JOIN pg_namespace s ON s.oid = o.oprnamespace"
    "  WHERE i.indrelid = $1::text::regclass AND i.indkey[k.n] = told.attnum"
    "  AND i.indisunique AND i.indisvalid"
    "  ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1)"
    " FROM told JOIN pg_type t ON t.oid = told.base AND t.typtype <> 'd'"
    " ORDER BY told.attnum";

/* Whether the key's index can be told by its columns. */
static const char arbiter_sql[] =
    "SELECT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = $1::regclass"
    " AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL"
    " AND i.indexprs IS NULL AND (SELECT array_agg(a.attname::text ORDER BY a.attname)"
    " FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY"
    " ((i.indkey::int2[])[0:i.indnkeyatts - 1])) = (SELECT array_agg(c ORDER BY c"
    " COLLATE \"C\") FROM unnest($2::text[]) c))";

/* COPY knows nothing of rules, and refuses tables with policies for this role. */
static const char copies_sql[] =
    "SELECT NOT row_security_active(c.oid)"
    " AND NOT EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = c.oid)"
    " FROM pg_class c WHERE c.oid = $1::regclass";

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "write rows: out of memory");
}

static void free_column(struct postgres_column *column)
{
    free(column->type);
    free(column->equals);
    free(column->sequence);
}

void postgres_writer_close(struct postgres_writer *writer)
{
    if (writer == NULL)
        return;
    for (uint32_t i = 0; writer->columns != NULL && i < writer->definition->stored_count;
         i++)
        free_column(&writer->columns[i]);
    stored_close(writer->stored);
    row_maps_release(&writer->maps);
    image_release(&writer->image);
    image_release(&writer->held);
    buffer_release(&writer->scratch);
    free(writer->columns);
    free(writer->key_places);
    free(writer->values);
    free(writer);
}

/* Whether keys of other bytes may be one to the server: a collation that takes letters
 * for the same, citext. */
static bool is_inexact(const struct definition *definition, const struct column *column)
{
    bool is_claimed = false;

    for (uint32_t i = 0; i < definition->unique_count; i++)
        is_claimed = is_claimed || definition->uniques[i].is_primary;
    return is_claimed && (column->type == FLEET_TEXT || column->type == FLEET_OTHER);
}

static enum status take_columns(struct postgres_writer *writer, const PGresult *found,
                                struct error *err)
{
    const struct definition *definition = writer->definition;
    uint32_t place = 0;

    assert(writer->columns != NULL);
    assert(writer->key_places != NULL);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];
        struct postgres_column *own = &writer->columns[place];

        if (column->generated != GENERATED_NO)
            continue;
        if ((int)place >= PQntuples(found) ||
            strcmp(PQgetvalue(found, (int)place, 0), column->name) != 0)
            return error_set(err, STATUS_NOT_FOUND, "%s: its columns are others by now",
                             definition->local_name);
        *own = (struct postgres_column){
            .column = column,
            .type = strdup(PQgetvalue(found, (int)place, 1)),
            .equals = strdup(PQgetisnull(found, (int)place, 4)
                                 ? "OPERATOR(pg_catalog.=)"
                                 : PQgetvalue(found, (int)place, 4)),
            .inexact = is_inexact(definition, column),
            .always = PQgetvalue(found, (int)place, 2)[0] == 't',
        };
        if (!PQgetisnull(found, (int)place, 3))
            own->sequence = strdup(PQgetvalue(found, (int)place, 3));
        if (own->type == NULL || own->equals == NULL ||
            (own->sequence == NULL && !PQgetisnull(found, (int)place, 3)))
            return no_memory(err);
        if (column->key_position > 0)
            writer->key_places[column->key_position - 1] = place;
        place++;
    }
    return STATUS_OK;
}

static enum status ask_columns(struct postgres_writer *writer, struct error *err)
{
    const char *parameters[] = {writer->definition->local_name};
    PGresult *found = NULL;
    enum status status =
        postgres_query(writer->postgres, columns_sql, 1, parameters, &found, err);

    if (status == STATUS_OK)
        status = take_columns(writer, found, err);
    PQclear(found);
    return status;
}

/* Where two keys may be one to the server, a row of the other key is in the way: it is
 * not to be overwritten. */
static enum status ask_arbiter(struct postgres_writer *writer, struct error *err)
{
    const struct definition *definition = writer->definition;
    const char *parameters[] = {definition->local_name, NULL};
    struct buffer *names = &writer->scratch;
    PGresult *found = NULL;
    enum status status;

    for (uint32_t i = 0; i < definition->unique_count; i++)
        if (definition->uniques[i].is_primary)
            return STATUS_OK;
    buffer_clear(names);
    for (uint32_t i = 0; i < definition->key_count; i++) {
        buffer_put(names, i == 0 ? '{' : ',', 1);
        buffer_put(names, '"', 1);
        for (const char *at = writer->columns[writer->key_places[i]].column->name;
             *at != '\0'; at++) {
            if (*at == '"' || *at == '\\')
                buffer_put(names, '\\', 1);
            buffer_put(names, (uint8_t)*at, 1);
        }
        buffer_put(names, '"', 1);
    }
    buffer_put(names, '}', 1);
    buffer_put(names, 0, 1);
    status = buffer_check(names, err);
    parameters[1] = (const char *)names->data;
    if (status == STATUS_OK)
        status =
            postgres_query(writer->postgres, arbiter_sql, 2, parameters, &found, err);
    if (status == STATUS_OK)
        writer->arbiter = PQgetvalue(found, 0, 0)[0] == 't';
    PQclear(found);
    return status;
}

static enum status ask_copies(struct postgres_writer *writer, struct error *err)
{
    const char *parameters[] = {writer->definition->local_name};
    PGresult *found = NULL;
    enum status status =
        postgres_query(writer->postgres, copies_sql, 1, parameters, &found, err);

    if (status == STATUS_OK)
        writer->copies = PQntuples(found) == 1 && PQgetvalue(found, 0, 0)[0] == 't';
    PQclear(found);
    return status;
}

enum status postgres_writer_open(struct postgres_writer **out, struct postgres *postgres,
                                 const struct definition *definition, struct error *err)
{
    struct postgres_writer *writer = calloc(1, sizeof *writer);
    enum status status = STATUS_OK;

    *out = NULL;
    if (writer == NULL)
        return no_memory(err);
    writer->postgres = postgres;
    writer->definition = definition;
    image_init(&writer->image);
    image_init(&writer->held);
    writer->columns =
        calloc((size_t)definition->stored_count + 1, sizeof *writer->columns);
    writer->key_places = calloc((size_t)definition->key_count + 1, sizeof(uint32_t));
    writer->values = calloc((size_t)definition->stored_count + 1, sizeof *writer->values);
    if (writer->columns == NULL || writer->key_places == NULL || writer->values == NULL)
        status = no_memory(err);
    if (status == STATUS_OK)
        status = ask_columns(writer, err);
    if (status == STATUS_OK)
        status = ask_arbiter(writer, err);
    if (status == STATUS_OK)
        status = ask_copies(writer, err);
    if (status != STATUS_OK) {
        postgres_writer_close(writer);
        return status;
    }
    *out = writer;
    return STATUS_OK;
}

/* ---- keys */

static bool is_plain_uuid(struct bytes text)
{
    if (text.size != 36)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        uint8_t c = text.data[i];

        if (dash ? c != '-' : !(isdigit(c) || (c >= 'a' && c <= 'f')))
            return false;
    }
    return true;
}

/* Whether a key column stores this value as itself, for what comes often; else the
 * server is asked. What is too long for its column is refused when it is written. */
static bool stores_exactly(const struct column *column, const struct value *value)
{
    bool text = value->type == VALUE_TEXT;

    switch (column->type) {
    case FLEET_INTEGER:
        return value->type == VALUE_INTEGER;
    case FLEET_TEXT:
        return text && strncmp(column->declared_type, "character(", 10) != 0 &&
               (value->bytes.size == 0 ||
                value->bytes.data[value->bytes.size - 1] != ' ' ||
                strcmp(column->declared_type, "text") == 0);
    case FLEET_UUID:
        return (text || value->type == VALUE_TYPED) && is_plain_uuid(value->bytes);
    case FLEET_BLOB:
        return value->type == VALUE_BLOB;
    case FLEET_NUMERIC:
        return value->type == VALUE_INTEGER &&
               strcmp(column->declared_type, "numeric") == 0;
    default:
        return value->type == VALUE_TYPED && value->typed == column->type &&
               strchr(column->declared_type, '(') == NULL;
    }
}

/* A key that would be stored as another value could never be found again. */
static enum status check_key(struct postgres_writer *writer, enum write_result *result,
                             struct error *err)
{
    for (uint32_t i = 0; i < writer->definition->key_count; i++) {
        uint32_t place = writer->key_places[i];
        const struct column *column = writer->columns[place].column;
        const struct value *value = &writer->values[place];
        struct value stored, before, after;
        enum status status = STATUS_OK;

        if (stores_exactly(column, value))
            continue;
        if (writer->stored == NULL)
            status = postgres_stored_open(&writer->stored, writer->postgres,
                                          writer->definition, err);
        if (status == STATUS_OK)
            status =
                writer->stored->ops->value(writer->stored, place, value, &stored, err);
        if (status == STATUS_CONSTRAINT) {
            *result = WRITE_REFUSED;
            return STATUS_OK;
        }
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
                        column->declared_type);
        return STATUS_OK;
    }
    return STATUS_OK;
}

static void refuse_key(const struct postgres_writer *writer, enum write_result *result,
                       struct error *err)
{
    *result = WRITE_REFUSED;
    (void)error_set(err, STATUS_CONSTRAINT,
                    "the primary key of %s has other columns where the row comes from",
                    writer->definition->local_name);
}

/* ---- rows */

static void refuse_column(const struct postgres_writer *writer,
                          const struct definition *from, uint32_t missing,
                          enum write_result *result, struct error *err)
{
    uint32_t place = 0, column = 0;

    while (from->columns[column].generated != GENERATED_NO || place++ < missing)
        column++;
    *result = WRITE_REFUSED;
    (void)error_set(err, STATUS_CONSTRAINT, "column \"%s\" of relation %s does not exist",
                    from->columns[column].name, writer->definition->local_name);
}

enum status postgres_writer_map(struct postgres_writer *writer,
                                const struct definition *from, struct bytes image,
                                struct bytes key, enum write_result *result,
                                struct error *err)
{
    struct row_map *map;
    enum status status = row_map_find(&writer->maps, writer->definition, from, &map, err);

    *result = WRITE_DONE;
    if (status == STATUS_OK)
        status = image_decode(&writer->image, image, from, key, err);
    if (status != STATUS_OK)
        return status;
    if (map->key_differs) {
        refuse_key(writer, result, err);
        return STATUS_OK;
    }
    for (uint32_t i = 0; map->lacks && i < writer->definition->stored_count; i++)
        writer->values[i] = (struct value){.type = VALUE_ABSENT};
    for (uint32_t i = 0; i < writer->image.count; i++) {
        const struct value *value = &writer->image.values[i];

        if (map->own[i] >= 0) {
            writer->values[map->own[i]] = *value;
        } else if (map->own[i] == ROW_MAP_MISSING && value->type != VALUE_NULL &&
                   value->type != VALUE_ABSENT) {
            refuse_column(writer, from, i, result, err);
            return STATUS_OK;
        }
    }
    return check_key(writer, result, err);
}

enum status postgres_writer_key(struct postgres_writer *writer,
                                const struct definition *from, struct bytes key,
                                enum write_result *result, struct error *err)
{
    struct row_map *map;
    enum status status = STATUS_OK;

    *result = WRITE_DONE;
    if (from != NULL) {
        status = row_map_find(&writer->maps, writer->definition, from, &map, err);
        if (status == STATUS_OK && map->key_differs) {
            refuse_key(writer, result, err);
            return STATUS_OK;
        }
    }
    if (status == STATUS_OK)
        status = image_decode_key(&writer->image, writer->definition, key, err);
    if (status != STATUS_OK)
        return status;
    memcpy(writer->values, writer->image.values,
           writer->definition->stored_count * sizeof *writer->values);
    return from == NULL ? STATUS_OK : check_key(writer, result, err);
}

enum status postgres_writer_carry(struct postgres_writer *writer,
                                  const struct definition *from, struct bytes image,
                                  struct bytes key, bool *carried, struct error *err)
{
    struct row_map *map;
    enum status status = row_map_find(&writer->maps, writer->definition, from, &map, err);

    *carried = false;
    if (status == STATUS_OK)
        status = image_decode(&writer->held, image, from, key, err);
    for (uint32_t i = 0; status == STATUS_OK && i < writer->held.count; i++) {
        int32_t own = map->own[i];

        if (own < 0 || writer->values[own].type != VALUE_ABSENT ||
            writer->held.values[i].type == VALUE_ABSENT)
            continue;
        writer->values[own] = writer->held.values[i];
        *carried = true;
    }
    return status;
}

enum status postgres_writer_differ(struct postgres_writer *writer,
                                   const struct definition *from, struct bytes held,
                                   struct bytes key, bool *differs, bool *any,
                                   struct error *err)
{
    struct row_map *map;
    enum status status = row_map_find(&writer->maps, writer->definition, from, &map, err);

    *any = false;
    if (status == STATUS_OK)
        status = image_decode(&writer->held, held, from, key, err);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < writer->definition->stored_count; i++)
        differs[i] = writer->values[i].type != VALUE_ABSENT;
    for (uint32_t i = 0; i < writer->held.count; i++) {
        if (map->own[i] >= 0 &&
            value_equal(&writer->held.values[i], &writer->values[map->own[i]]))
            differs[map->own[i]] = false;
    }
    for (uint32_t i = 0; i < writer->definition->stored_count; i++)
        *any = *any || differs[i];
    return STATUS_OK;
}

enum status postgres_writer_text(struct postgres_writer *writer, uint32_t place,
                                 struct bytes *text, enum write_result *result,
                                 struct error *err)
{
    struct postgres_column *own = &writer->columns[place];
    const struct column *column = own->column;
    const struct value *value = &writer->values[place];
    enum status status =
        postgres_value_text(value, column->type, &writer->scratch, text, err);

    if (own->sequence != NULL && value->type == VALUE_INTEGER &&
        value->integer > own->counted &&
        (own->slot == NULL || number_range_is_own(*own->slot, value->integer)))
        own->counted = value->integer;

    *result = status == STATUS_CONSTRAINT ? WRITE_REFUSED : WRITE_DONE;
    if (status != STATUS_CONSTRAINT)
        return status;
    (void)error_wrap(err, status, column->name);
    return STATUS_OK;
}
