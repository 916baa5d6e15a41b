#include "capture/postgres_relation.h"

#include "engine/postgres_slot.h"
#include "engine/postgres_stored.h"
#include "engine/postgres_type.h"
#include "engine/postgres_value.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "relations: out of memory");
}

void postgres_relation_close(struct postgres_relation *relation)
{
    if (relation == NULL)
        return;
    row_layer_close(relation->layer);
    for (size_t i = 0;
         relation->scratch != NULL && i < 2 * (size_t)relation->column_count; i++)
        buffer_release(&relation->scratch[i]);
    free(relation->scratch);
    free(relation->old_values);
    free(relation->places);
    free(relation->columns);
    free(relation->names);
    PQclear(relation->columns_told);
    free(relation);
}

/* ---- what a RELATION message says */

static const char columns_sql[] =
    "WITH RECURSIVE told AS (SELECT n, type, modifier, type AS base FROM"
    " unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS u(type, modifier, n)"
    " UNION ALL SELECT n, type, modifier, t.typbasetype FROM told JOIN pg_type t"
    " ON t.oid = told.base AND t.typtype = 'd')"
    " SELECT format_type(told.type, modifier), t.oid, t.typname, s.nspname, t.typtype,"
    " t.typcategory, t.typelem, format('%I.%I', $3::text, $4::text)"
    " FROM told LEFT JOIN pg_type t ON t.oid = told.base"
    " LEFT JOIN pg_namespace s ON s.oid = t.typnamespace"
    " WHERE t.typtype IS DISTINCT FROM 'd' ORDER BY n";

enum {
    TOLD_DECLARED,
    TOLD_OID,
    TOLD_NAME,
    TOLD_SCHEMA,
    TOLD_KIND,
    TOLD_CATEGORY,
    TOLD_ELEMENT,
    TOLD_LOCAL_NAME
};

static void put_number(struct buffer *list, int64_t number)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%s%" PRId64, list->size == 1 ? "" : ",", number);
    buffer_put_bytes(list, bytes_of_text(text));
}

static enum status ask_columns(struct postgres *postgres,
                               const struct pgoutput_message *message, PGresult **out,
                               struct error *err)
{
    struct buffer types = {0}, modifiers = {0};
    struct bytes columns = message->relation.columns;
    struct pgoutput_column column;
    enum status status;

    buffer_put(&types, '{', 1);
    buffer_put(&modifiers, '{', 1);
    while (pgoutput_take_column(&columns, &column)) {
        put_number(&types, column.type);
        put_number(&modifiers, column.type_modifier);
    }
    buffer_put(&types, '}', 1);
    buffer_put(&types, 0, 1);
    buffer_put(&modifiers, '}', 1);
    buffer_put(&modifiers, 0, 1);
    status = buffer_check(&types, err);
    if (status == STATUS_OK)
        status = buffer_check(&modifiers, err);
    if (status == STATUS_OK) {
        const char *parameters[] = {(const char *)types.data,
                                    (const char *)modifiers.data,
                                    message->relation.schema, message->relation.name};

        status = postgres_query(postgres, columns_sql, 4, parameters, out, err);
    }
    buffer_release(&types);
    buffer_release(&modifiers);
    return status;
}

static enum fleet_type type_told(const PGresult *told, int row)
{
    const struct postgres_type type = {
        .oid = (uint32_t)strtoul(PQgetvalue(told, row, TOLD_OID), NULL, 10),
        .name = PQgetvalue(told, row, TOLD_NAME),
        .schema = PQgetvalue(told, row, TOLD_SCHEMA),
        .kind = PQgetvalue(told, row, TOLD_KIND)[0],
        .category = PQgetvalue(told, row, TOLD_CATEGORY)[0],
        .element = (uint32_t)strtoul(PQgetvalue(told, row, TOLD_ELEMENT), NULL, 10),
    };

    /* A type that is gone by now. */
    return PQgetisnull(told, row, TOLD_OID) ? FLEET_OTHER : postgres_fleet_type(&type);
}

static enum status fill_columns(struct postgres_relation *relation,
                                const struct pgoutput_message *message, struct error *err)
{
    struct bytes columns = message->relation.columns;
    struct pgoutput_column column;
    struct buffer names = {0};
    size_t at = 0;
    enum status status;

    while (pgoutput_take_column(&columns, &column))
        buffer_put_bytes(&names, (struct bytes){(const uint8_t *)column.name,
                                                strlen(column.name) + 1});
    status = buffer_check(&names, err);
    relation->names = (char *)names.data;
    if (status != STATUS_OK)
        return status;
    columns = message->relation.columns;
    for (int i = 0; pgoutput_take_column(&columns, &column); i++) {
        assert(relation->columns != NULL);
        relation->columns[i] = (struct relation_column){
            .name = relation->names + at,
            .declared = PQgetvalue(relation->columns_told, i, TOLD_DECLARED),
            .type = type_told(relation->columns_told, i),
            .in_identity = column.in_identity,
        };
        at += strlen(column.name) + 1;
    }
    return STATUS_OK;
}

enum status postgres_relation_open(struct postgres_relation **out,
                                   struct postgres *postgres,
                                   const struct pgoutput_message *message,
                                   struct error *err)
{
    struct postgres_relation *relation = calloc(1, sizeof *relation);
    size_t count = message->relation.column_count;
    enum status status;

    *out = NULL;
    if (relation == NULL)
        return no_memory(err);
    relation->oid = message->relation.oid;
    relation->identity = message->relation.identity;
    relation->columns = calloc(count + 1, sizeof *relation->columns);
    relation->places = calloc(count + 1, sizeof *relation->places);
    relation->scratch = calloc(2 * count + 1, sizeof *relation->scratch);
    relation->old_values = calloc(count + 1, sizeof *relation->old_values);
    relation->column_count = message->relation.column_count;
    status = relation->columns == NULL || relation->places == NULL ||
                     relation->scratch == NULL || relation->old_values == NULL
                 ? no_memory(err)
                 : ask_columns(postgres, message, &relation->columns_told, err);
    if (status == STATUS_OK && (size_t)PQntuples(relation->columns_told) != count)
        status = error_set(err, STATUS_CORRUPT, "%s.%s: its columns' types are not known",
                           message->relation.schema, message->relation.name);
    if (status == STATUS_OK)
        status = fill_columns(relation, message, err);
    if (status != STATUS_OK) {
        postgres_relation_close(relation);
        return status;
    }
    relation->local_name =
        count == 0 ? "" : PQgetvalue(relation->columns_told, 0, TOLD_LOCAL_NAME);
    *out = relation;
    return STATUS_OK;
}

/* ---- its definition */

/* Columns that pgoutput tells of, in their order: those that are not generated. */
bool postgres_relation_fits(const struct postgres_relation *relation,
                            const struct definition *definition)
{
    uint16_t at = 0;

    if (definition->stored_count != relation->column_count)
        return false;
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->generated != GENERATED_NO)
            continue;
        if (strcmp(column->name, relation->columns[at].name) != 0 ||
            strcmp(column->declared_type, relation->columns[at].declared) != 0)
            return false;
        at++;
    }
    return true;
}

/* A copy of pattern with the relation's columns; keys stay, so their columns must. */
enum status postgres_relation_reshape(const struct postgres_relation *relation,
                                      const struct definition *pattern,
                                      struct definition **out, struct error *err)
{
    struct definition shaped = *pattern;
    struct buffer bytes = {0};
    uint32_t key_count = 0;
    enum status status;

    shaped.columns = calloc((size_t)relation->column_count + 1, sizeof *shaped.columns);
    if (shaped.columns == NULL)
        return no_memory(err);
    shaped.column_count = shaped.stored_count = relation->column_count;
    for (uint16_t i = 0; i < relation->column_count; i++) {
        const struct relation_column *told = &relation->columns[i];
        int32_t known = definition_find_column(pattern, told->name);
        struct column *column = &shaped.columns[i];

        *column = known >= 0 ? pattern->columns[known] : (struct column){.collation = ""};
        column->name = told->name;
        column->declared_type = told->declared;
        column->type = told->type;
        column->generated = GENERATED_NO;
        key_count += column->key_position > 0;
    }
    if (key_count != pattern->key_count) {
        free(shaped.columns);
        return error_set(
            err, STATUS_REFUSED,
            "%s: its key has other columns than before: " POSTGRES_BEGIN_ANEW,
            relation->local_name);
    }
    shaped.unique_count = 0;
    shaped.foreign_key_count = 0;
    definition_encode(&bytes, &shaped);
    free(shaped.columns);
    status = buffer_check(&bytes, err);
    if (status == STATUS_OK)
        status = definition_decode(buffer_view(&bytes), out, err);
    buffer_release(&bytes);
    return status;
}

enum status postgres_relation_use(struct postgres_relation *relation,
                                  struct postgres *postgres, struct store_txn *txn,
                                  const struct table *table, struct error *err)
{
    const struct definition *definition = table->definition;
    struct row_comparer *comparer = NULL;
    struct stored *stored = NULL;
    enum status status = postgres_stored_open(&stored, postgres, definition, err);

    for (uint16_t i = 0; i < relation->column_count; i++) {
        int32_t column = definition_find_column(definition, relation->columns[i].name);

        assert(column >= 0);
        relation->places[i] = definition_image_place(definition, (uint32_t)column);
    }
    if (status == STATUS_OK)
        status = row_comparer_open(&comparer, stored, definition, err);
    if (status == STATUS_OK)
        status = row_layer_open(&relation->layer, comparer, txn, table, err);
    if (status == STATUS_OK)
        relation->table = *table;
    return status;
}

/* ---- its rows */

uint32_t postgres_relation_table(const struct postgres_relation *relation)
{
    return relation->table.id;
}

struct row_layer *postgres_relation_layer(struct postgres_relation *relation)
{
    return relation->layer;
}

const struct definition *
postgres_relation_definition(const struct postgres_relation *relation)
{
    return relation->table.definition;
}

static enum status take_value(const struct relation_column *column,
                              const struct pgoutput_value *told, struct buffer *scratch,
                              struct value *out, struct error *err)
{
    enum status status;

    switch (told->kind) {
    case PGOUTPUT_NULL:
        *out = (struct value){.type = VALUE_NULL};
        return STATUS_OK;
    case PGOUTPUT_UNCHANGED:
        *out = (struct value){.type = VALUE_ABSENT};
        return STATUS_OK;
    case PGOUTPUT_TEXT:
        status = postgres_value_take(column->type, told->data, scratch, out, err);
        return status == STATUS_OK ? status : error_wrap(err, status, column->name);
    default:
        return error_set(err, STATUS_CORRUPT,
                         "%s: told in binary, which was not asked for", column->name);
    }
}

static enum status take_tuple(struct postgres_relation *relation,
                              const struct pgoutput_tuple *tuple, struct value *values,
                              struct buffer *scratch, struct error *err)
{
    struct bytes columns = tuple->columns;
    struct pgoutput_value told;
    enum status status = STATUS_OK;

    if (tuple->column_count != relation->column_count) {
        return error_set(err, STATUS_CORRUPT, "%s: a row of %u columns, of %u",
                         relation->local_name, tuple->column_count,
                         relation->column_count);
    }
    for (uint16_t i = 0; status == STATUS_OK && pgoutput_take_value(&columns, &told); i++)
        status = take_value(&relation->columns[i], &told, &scratch[i],
                            &values[relation->places[i]], err);
    return status == STATUS_OK ? status : error_wrap(err, status, relation->local_name);
}

enum status postgres_relation_take(struct postgres_relation *relation,
                                   const struct pgoutput_tuple *tuple, struct error *err)
{
    return take_tuple(relation, tuple, row_layer_values(relation->layer),
                      relation->scratch, err);
}

enum status postgres_relation_take_old(struct postgres_relation *relation,
                                       const struct pgoutput_tuple *tuple,
                                       struct value **values, struct error *err)
{
    *values = relation->old_values;
    return take_tuple(relation, tuple, relation->old_values,
                      relation->scratch + relation->column_count, err);
}
