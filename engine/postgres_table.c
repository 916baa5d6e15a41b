#include "engine/postgres_table.h"

#include "engine/postgres_ddl.h"
#include "engine/postgres_keys.h"
#include "engine/postgres_type.h"

#include <stdlib.h>
#include <string.h>

/* ---- columns */

/* A domain is told as the type that it is made of in the end. */
static const char columns_sql[] =
    "WITH RECURSIVE domain (oid, base) AS ("
    " SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'"
    " UNION ALL SELECT d.oid, t.typbasetype FROM domain AS d"
    "  JOIN pg_type AS t ON t.oid = d.base WHERE t.typtype = 'd'),"
    " made_of (oid, base) AS (SELECT d.oid, d.base FROM domain AS d"
    "  JOIN pg_type AS t ON t.oid = d.base WHERE t.typtype <> 'd')"
    "SELECT t.place, a.attname, format_type(a.atttypid, a.atttypmod),"
    " a.attnotnull, CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) "
    "END,"
    " a.attgenerated,"
    " CASE WHEN c.collnamespace = 'pg_catalog'::regnamespace THEN c.collname::text"
    "  ELSE c.oid::regcollation::text END,"
    " b.oid, b.typname, b.typnamespace::regnamespace, b.typtype, b.typcategory, "
    "b.typelem,"
    " coalesce(em.base, e.oid), eb.typtype"
    " FROM unnest($1::oid[]) WITH ORDINALITY AS t (oid, place)"
    " JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0"
    "  AND NOT a.attisdropped"
    " LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " LEFT JOIN pg_collation AS c ON c.oid = a.attcollation"
    " LEFT JOIN made_of AS m ON m.oid = a.atttypid"
    " JOIN pg_type AS b ON b.oid = coalesce(m.base, a.atttypid)"
    " LEFT JOIN pg_type AS e ON e.oid = b.typelem AND b.typcategory = 'A'"
    " LEFT JOIN made_of AS em ON em.oid = e.oid"
    " LEFT JOIN pg_type AS eb ON eb.oid = coalesce(em.base, e.oid)"
    " ORDER BY t.place, a.attnum";

enum column_field {
    COLUMN_NAME = 1,
    COLUMN_DECLARED,
    COLUMN_NOT_NULL,
    COLUMN_DEFAULT,
    COLUMN_GENERATED,
    COLUMN_COLLATION,
    COLUMN_TYPE_OID,
    COLUMN_TYPE_NAME,
    COLUMN_TYPE_SCHEMA,
    COLUMN_TYPE_KIND,
    COLUMN_TYPE_CATEGORY,
    COLUMN_TYPE_ELEMENT,
    COLUMN_ELEMENT_OID, /* an array's, its domain resolved */
    COLUMN_ELEMENT_KIND,
};

enum { NUMERIC_OID = 1700 };

/* Whether two values of a built-in type are equal exactly when they print alike: not so
 * char(n), reals, intervals, jsonb. A nondeterministic collation is the index's affair.
 */
static bool prints_exactly(uint32_t oid, char kind)
{
    static const uint32_t exact[] = {
        16,   /* boolean */
        17,   /* bytea */
        18,   /* "char" */
        19,   /* name */
        20,   /* bigint */
        21,   /* smallint */
        23,   /* integer */
        25,   /* text */
        26,   /* oid */
        650,  /* cidr */
        774,  /* macaddr8 */
        790,  /* money */
        829,  /* macaddr */
        869,  /* inet */
        1043, /* character varying */
        1082, /* date */
        1083, /* time without time zone */
        1114, /* timestamp without time zone */
        1184, /* timestamp with time zone */
        1560, /* bit */
        1562, /* bit varying */
        2950, /* uuid */
        3220, /* pg_lsn */
    };

    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (oid == exact[i])
            return true;
    return kind == 'e';
}

static bool is_exact(const struct postgres_rows *rows, enum fleet_type type)
{
    uint32_t oid = postgres_rows_number(rows, COLUMN_TYPE_OID);

    if (type == FLEET_ARRAY)
        return prints_exactly(postgres_rows_number(rows, COLUMN_ELEMENT_OID),
                              postgres_rows_letter(rows, COLUMN_ELEMENT_KIND));
    /* A numeric has one form as a key; those in an array have not. */
    return oid == NUMERIC_OID ||
           prints_exactly(oid, postgres_rows_letter(rows, COLUMN_TYPE_KIND));
}

static void read_column(const struct postgres_rows *rows, struct column *column,
                        bool *exact)
{
    struct postgres_type type = {
        .oid = postgres_rows_number(rows, COLUMN_TYPE_OID),
        .name = postgres_rows_text(rows, COLUMN_TYPE_NAME),
        .schema = postgres_rows_text(rows, COLUMN_TYPE_SCHEMA),
        .kind = postgres_rows_letter(rows, COLUMN_TYPE_KIND),
        .category = postgres_rows_letter(rows, COLUMN_TYPE_CATEGORY),
        .element = postgres_rows_number(rows, COLUMN_TYPE_ELEMENT),
    };
    const char *collation = postgres_rows_text(rows, COLUMN_COLLATION);
    char generated = postgres_rows_letter(rows, COLUMN_GENERATED);

    *column = (struct column){
        .name = postgres_rows_text(rows, COLUMN_NAME),
        .declared_type = postgres_rows_text(rows, COLUMN_DECLARED),
        .default_sql = postgres_rows_text(rows, COLUMN_DEFAULT),
        .collation = collation == NULL ? "" : collation,
        .type = postgres_fleet_type(&type),
        .generated = generated == 's'   ? GENERATED_STORED
                     : generated == 'v' ? GENERATED_VIRTUAL
                                        : GENERATED_NO,
        .not_null = postgres_rows_bool(rows, COLUMN_NOT_NULL),
    };
    *exact = is_exact(rows, column->type);
}

static enum status read_columns(struct postgres_rows *rows, size_t place,
                                struct arena *arena, struct definition *definition,
                                bool **exact, struct error *err)
{
    uint32_t count = postgres_rows_left(rows, place);

    definition->columns = arena_take(arena, count + 1, sizeof *definition->columns);
    *exact = arena_take(arena, count + 1, sizeof **exact);
    if (definition->columns == NULL || *exact == NULL)
        return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
    while (postgres_rows_take(rows, place)) {
        uint32_t i = definition->column_count++;

        read_column(rows, &definition->columns[i], &(*exact)[i]);
        definition->stored_count += definition->columns[i].generated == GENERATED_NO;
    }
    return STATUS_OK;
}

/* ---- all of a table */

enum status postgres_tables_query(struct postgres *postgres, const char *oids,
                                  struct postgres_tables *out, struct error *err)
{
    enum status status;

    *out = (struct postgres_tables){0};
    status = postgres_rows_query(postgres, columns_sql, oids, &out->columns, err);
    if (status == STATUS_OK)
        status = postgres_indexes_query(postgres, oids, &out->indexes, err);
    if (status == STATUS_OK)
        status = postgres_rows_query(postgres, postgres_foreign_keys_sql, oids,
                                     &out->foreign_keys, err);
    if (status == STATUS_OK)
        status =
            postgres_rows_query(postgres, postgres_ddl_sql, oids, &out->statements, err);
    return status;
}

void postgres_tables_release(struct postgres_tables *tables)
{
    postgres_rows_release(&tables->columns);
    postgres_rows_release(&tables->indexes);
    postgres_rows_release(&tables->foreign_keys);
    postgres_rows_release(&tables->statements);
}

/* Why the table can't be replicated, whatever its key; NULL when it can. */
static const char *obstacle(const struct definition *definition)
{
    if (definition->column_count == 0)
        return "it has no columns";
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].key_position > 0 &&
            definition->columns[i].generated != GENERATED_NO)
            return "a column of its key is generated";
    }
    if (definition->unique_count > DEFINITION_KEYS_MAX ||
        definition->foreign_key_count > DEFINITION_KEYS_MAX)
        return "it has over 1,000 unique constraints or foreign keys";
    return NULL;
}

static void put_statements(struct buffer *ddl, struct postgres_rows *rows, size_t place)
{
    while (postgres_rows_take(rows, place)) {
        const char *statement = postgres_rows_text(rows, 1);

        if (statement == NULL) /* what it would make was just dropped */
            continue;
        buffer_put_bytes(ddl, bytes_of_text(statement));
        buffer_put_bytes(ddl, bytes_of_text(";\n"));
    }
    buffer_put(ddl, 0, 1);
}

/* A copy that owns its memory, as whatever comes out of the log does. */
static enum status own_copy(struct definition *from, struct definition **out,
                            struct error *err)
{
    struct buffer bytes = {0};
    enum status status;

    from->number = 1; /* numbers begin there; the real one is given when it is logged */
    definition_encode(&bytes, from);
    status = buffer_check(&bytes, err);
    if (status == STATUS_OK)
        status = definition_decode(buffer_view(&bytes), out, err);
    if (status == STATUS_OK)
        (*out)->number = 0;
    buffer_release(&bytes);
    return status;
}

static enum status read_all(struct postgres_tables *tables,
                            const struct table_names *names,
                            const struct postgres_table *table, struct arena *arena,
                            struct definition *definition, char **why, struct error *err)
{
    struct postgres_indexes indexes;
    const char *found;
    bool *exact = NULL;
    enum status status =
        read_columns(&tables->columns, table->place, arena, definition, &exact, err);

    if (status == STATUS_OK)
        status = postgres_indexes_read(&tables->indexes, table->place, definition, exact,
                                       arena, &indexes, err);
    if (status == STATUS_OK)
        status = postgres_key_choose(definition, &indexes, table, arena, why, err);
    if (status == STATUS_OK)
        status = postgres_foreign_keys_read(&tables->foreign_keys, table->place, names,
                                            arena, definition, err);
    if (status != STATUS_OK || *why != NULL)
        return status;
    found = obstacle(definition);
    if (found != NULL && (*why = strdup(found)) == NULL)
        return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
    return STATUS_OK;
}

enum status postgres_table_read(struct postgres_tables *tables,
                                const struct table_names *names,
                                const struct postgres_table *table,
                                struct definition **out, char **why, struct error *err)
{
    struct arena arena = {0};
    struct buffer ddl = {0};
    struct definition definition = {
        .name = table->name->name,
        .local_name = table->name->table,
        .dialect = DIALECT_POSTGRES,
    };
    enum status status;

    *out = NULL;
    *why = NULL;
    status = read_all(tables, names, table, &arena, &definition, why, err);
    if (status == STATUS_OK && *why != NULL)
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK) {
        put_statements(&ddl, &tables->statements, table->place);
        status = buffer_check(&ddl, err);
        definition.ddl = (const char *)ddl.data;
    }
    if (status == STATUS_OK)
        status = own_copy(&definition, out, err);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        status = error_wrap(err, status, table->name->plain);
    buffer_release(&ddl);
    arena_release(&arena);
    return status;
}
