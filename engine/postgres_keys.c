#include "engine/postgres_keys.h"

#include "engine/postgres_name.h"

#include <assert.h>
#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
}

/* ---- unique indexes */

/* One row for each key column of each index. Before 15 no index takes NULLs for equal. */
static const char indexes_sql[] =
    " AS nulls_equal, i.indexrelid, c.relname, i.indisprimary, i.indisreplident,"
    " NOT i.indimmediate, pg_get_expr(i.indpred, i.indrelid, true), i.indnkeyatts,"
    " coalesce(a.attname::text, pg_get_indexdef(i.indexrelid, k.n, true)),"
    " a.attname IS NULL,"
    " CASE WHEN o.collnamespace = 'pg_catalog'::regnamespace THEN o.collname::text"
    "  ELSE o.oid::regcollation::text END, coalesce(o.collisdeterministic, true)"
    " FROM unnest($1::oid[]) WITH ORDINALITY AS t (oid, place)"
    " JOIN pg_index AS i ON i.indrelid = t.oid AND i.indisunique AND i.indisvalid"
    "  AND NOT i.indisexclusion"
    " JOIN pg_class AS c ON c.oid = i.indexrelid"
    " CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS k (n)"
    " LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid"
    "  AND a.attnum = i.indkey[k.n - 1] AND a.attnum <> 0"
    " LEFT JOIN pg_collation AS o ON o.oid = i.indcollation[k.n - 1]"
    " ORDER BY t.place, NOT i.indisprimary, c.relname COLLATE \"C\", k.n";

enum index_field {
    INDEX_NULLS_EQUAL = 1,
    INDEX_OID,
    INDEX_NAME,
    INDEX_PRIMARY,
    INDEX_IDENTITY,
    INDEX_DEFERRABLE,
    INDEX_WHERE,
    INDEX_TERM_COUNT,
    INDEX_TERM,
    INDEX_EXPRESSION,
    INDEX_COLLATION,
    INDEX_DETERMINISTIC,
};

enum status postgres_indexes_query(struct postgres *postgres, const char *oids,
                                   struct postgres_rows *out, struct error *err)
{
    bool has_nulls = PQserverVersion(postgres_handle(postgres)) >= 150000;
    struct buffer sql = {0};
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("SELECT t.place, "));
    buffer_put_bytes(&sql, bytes_of_text(has_nulls ? "i.indnullsnotdistinct" : "false"));
    buffer_put_bytes(&sql, bytes_of_text(indexes_sql));
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = postgres_rows_query(postgres, (const char *)sql.data, oids, out, err);
    buffer_release(&sql);
    return status;
}

static enum status start_index(const struct postgres_rows *rows, struct arena *arena,
                               struct postgres_index *index, struct error *err)
{
    uint32_t terms = postgres_rows_number(rows, INDEX_TERM_COUNT);

    *index = (struct postgres_index){
        .unique = {.name = postgres_rows_text(rows, INDEX_NAME),
                   .where_sql = postgres_rows_text(rows, INDEX_WHERE),
                   .terms = arena_take(arena, terms, sizeof(const char *)),
                   .collations = arena_take(arena, terms, sizeof(const char *)),
                   .is_expression = arena_take(arena, terms, sizeof(bool)),
                   .nulls_equal = postgres_rows_bool(rows, INDEX_NULLS_EQUAL),
                   .deferrable = postgres_rows_bool(rows, INDEX_DEFERRABLE)},
        .is_primary = postgres_rows_bool(rows, INDEX_PRIMARY),
        .is_identity = postgres_rows_bool(rows, INDEX_IDENTITY),
        .is_exact = true,
    };
    if (index->unique.terms == NULL || index->unique.collations == NULL ||
        index->unique.is_expression == NULL)
        return no_memory(err);
    return STATUS_OK;
}

static void take_term(const struct postgres_rows *rows,
                      const struct definition *definition, const bool *exact,
                      struct postgres_index *index)
{
    uint32_t at = index->unique.term_count++;
    const char *term = postgres_rows_text(rows, INDEX_TERM);
    const char *collation = postgres_rows_text(rows, INDEX_COLLATION);
    bool expression = postgres_rows_bool(rows, INDEX_EXPRESSION);
    int32_t column = expression ? -1 : definition_find_column(definition, term);

    index->unique.terms[at] = term;
    index->unique.collations[at] = collation == NULL ? "" : collation;
    /* A system column is none of the table's. */
    index->unique.is_expression[at] = column < 0;
    index->is_exact = index->is_exact && column >= 0 && exact[column] &&
                      postgres_rows_bool(rows, INDEX_DETERMINISTIC);
}

enum status postgres_indexes_read(struct postgres_rows *rows, size_t place,
                                  const struct definition *definition, const bool *exact,
                                  struct arena *arena, struct postgres_indexes *out,
                                  struct error *err)
{
    uint32_t count = postgres_rows_left(rows, place), oid = 0;
    enum status status = STATUS_OK;

    *out = (struct postgres_indexes){arena_take(arena, count + 1, sizeof *out->list), 0};
    if (out->list == NULL)
        return no_memory(err);
    while (status == STATUS_OK && postgres_rows_take(rows, place)) {
        if (postgres_rows_number(rows, INDEX_OID) != oid) {
            oid = postgres_rows_number(rows, INDEX_OID);
            status = start_index(rows, arena, &out->list[out->count++], err);
        }
        if (status == STATUS_OK && postgres_rows_text(rows, INDEX_TERM) == NULL)
            status = error_set(err, STATUS_IO, "an index was dropped while it was read");
        if (status == STATUS_OK)
            take_term(rows, definition, exact, &out->list[out->count - 1]);
    }
    return status;
}

/* ---- foreign keys */

const char postgres_foreign_keys_sql[] =
    "SELECT t.place, f.oid, f.conname, f.convalidated, f.confrelid::regclass,"
    " cardinality(f.conkey), a.attname, b.attname"
    " FROM unnest($1::oid[]) WITH ORDINALITY AS t (oid, place)"
    " JOIN pg_constraint AS f ON f.conrelid = t.oid AND f.contype = 'f'"
    "  AND f.conparentid = 0"
    " JOIN pg_class AS p ON p.oid = f.confrelid AND NOT p.relispartition"
    " CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (child, "
    "parent, n)"
    " JOIN pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.child"
    " JOIN pg_attribute AS b ON b.attrelid = f.confrelid AND b.attnum = k.parent"
    " ORDER BY t.place, f.conname COLLATE \"C\", f.oid, k.n";

enum foreign_key_field {
    FOREIGN_OID = 1,
    FOREIGN_NAME,
    FOREIGN_VALIDATED,
    FOREIGN_PARENT,
    FOREIGN_COLUMN_COUNT,
    FOREIGN_COLUMN,
    FOREIGN_PARENT_COLUMN,
};

/* The fleet's name of a parent; *out is NULL when the fleet has none. */
static enum status name_parent(const struct table_names *names, const char *local,
                               struct arena *arena, const char **out, struct error *err)
{
    struct buffer plain = {0};
    enum status status;
    char *copy = NULL;
    size_t size;

    postgres_put_plain_name(&plain, local);
    buffer_put(&plain, 0, 1);
    status = buffer_check(&plain, err);
    if (status == STATUS_OK) {
        *out = table_names_of(names, local, (const char *)plain.data);
        size = *out == NULL ? 0 : strlen(*out) + 1;
        copy = arena_take(arena, size + 1, 1);
        if (copy == NULL)
            status = no_memory(err);
        else if (*out != NULL)
            *out = memcpy(copy, *out, size);
    }
    buffer_release(&plain);
    return status;
}

static enum status start_foreign_key(const struct postgres_rows *rows,
                                     const struct table_names *names, struct arena *arena,
                                     struct foreign_key *key, struct error *err)
{
    uint32_t columns = postgres_rows_number(rows, FOREIGN_COLUMN_COUNT);

    *key = (struct foreign_key){
        .name = postgres_rows_text(rows, FOREIGN_NAME),
        .columns = arena_take(arena, columns, sizeof(const char *)),
        .parent_columns = arena_take(arena, columns, sizeof(const char *)),
        .counts = postgres_rows_bool(rows, FOREIGN_VALIDATED),
    };
    if (key->columns == NULL || key->parent_columns == NULL)
        return no_memory(err);
    return name_parent(names, postgres_rows_text(rows, FOREIGN_PARENT), arena,
                       &key->parent, err);
}

enum status postgres_foreign_keys_read(struct postgres_rows *rows, size_t place,
                                       const struct table_names *names,
                                       struct arena *arena, struct definition *definition,
                                       struct error *err)
{
    uint32_t count = postgres_rows_left(rows, place), oid = 0, kept = 0;
    struct foreign_key *keys = arena_take(arena, count + 1, sizeof *keys);
    struct foreign_key *key = NULL;
    enum status status = STATUS_OK;

    if (keys == NULL)
        return no_memory(err);
    count = 0;
    while (status == STATUS_OK && postgres_rows_take(rows, place)) {
        if (key == NULL || postgres_rows_number(rows, FOREIGN_OID) != oid) {
            oid = postgres_rows_number(rows, FOREIGN_OID);
            key = &keys[count++];
            status = start_foreign_key(rows, names, arena, key, err);
        }
        if (status != STATUS_OK)
            break;
        key->columns[key->column_count] = postgres_rows_text(rows, FOREIGN_COLUMN);
        key->parent_columns[key->column_count++] =
            postgres_rows_text(rows, FOREIGN_PARENT_COLUMN);
    }
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        if (keys[i].parent != NULL)
            keys[kept++] = keys[i];
    definition->foreign_keys = keys;
    definition->foreign_key_count = kept;
    return status;
}
