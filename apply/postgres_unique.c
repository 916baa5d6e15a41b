#include "apply/postgres_unique.h"

#include "apply/postgres_other.h"
#include "apply/postgres_sql.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct claim {
    const char *name; /* in postgres_claims.rows */
    int first;        /* row of its first term, and how many there are */
    int terms;
    bool exclusion;
    bool late; /* the server may check it as late as at the commit */
};

struct postgres_claims {
    PGresult *rows;
    struct claim
        *list; /* the definition's uniques, then the exclusions; no terms: gone */
    uint32_t count;
};

/* One row for each key column of each index; operators with their schema, since the
 * search_path has pg_catalog only. */
static const char claims_sql[] =
    "SELECT c.relname, i.indisexclusion, NOT i.indimmediate, pg_get_expr(i.indpred,"
    " i.indrelid), pg_get_indexdef(i.indexrelid, k.n, false),"
    " quote_ident(s.nspname) || '.' || o.oprname,"
    " CASE WHEN l.oid IS NOT NULL THEN quote_ident(ls.nspname) || '.' ||"
    "  quote_ident(l.collname) END, coalesce((to_jsonb(i) ->> "
    "'indnullsnotdistinct')::bool,"
    " false)"
    " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS k (n)"
    " LEFT JOIN pg_constraint x ON x.conindid = i.indexrelid AND x.contype = 'x'"
    " LEFT JOIN pg_opclass oc ON oc.oid = i.indclass[k.n - 1]"
    " LEFT JOIN pg_amop e ON e.amopfamily = oc.opcfamily AND e.amopstrategy = 3"
    "  AND e.amoppurpose = 's' AND e.amoplefttype = oc.opcintype"
    "  AND e.amoprighttype = oc.opcintype AND NOT i.indisexclusion"
    " JOIN pg_operator o ON o.oid = coalesce(x.conexclop[k.n], e.amopopr)"
    " JOIN pg_namespace s ON s.oid = o.oprnamespace"
    " LEFT JOIN pg_collation l ON l.oid = i.indcollation[k.n - 1]"
    " LEFT JOIN pg_namespace ls ON ls.oid = l.collnamespace"
    " WHERE i.indrelid = $1::regclass AND i.indisvalid"
    " AND (i.indisunique OR i.indisexclusion)"
    " ORDER BY i.indisexclusion, c.relname COLLATE \"C\", k.n";

enum claim_field {
    CLAIM_NAME,
    CLAIM_EXCLUSION,
    CLAIM_LATE,
    CLAIM_WHERE,
    CLAIM_TERM,
    CLAIM_OPERATOR,
    CLAIM_COLLATION,
    CLAIM_NULLS_EQUAL,
};

/* ---- life */

static struct claim *find_claim(struct postgres_claims *claims,
                                const struct definition *definition, const char *name)
{
    for (uint32_t i = 0; i < definition->unique_count; i++)
        if (strcmp(definition->uniques[i].name, name) == 0)
            return &claims->list[i];
    return NULL;
}

static bool is_true(const PGresult *rows, int row, int field)
{
    return strcmp(PQgetvalue(rows, row, field), "t") == 0;
}

/* The last one, or one more: their rows stand together. */
static struct claim *find_exclusion(struct postgres_claims *claims,
                                    const struct definition *definition, const char *name)
{
    const char *last = NULL;

    assert(claims->list != NULL);
    if (claims->count > definition->unique_count)
        last = claims->list[claims->count - 1].name;
    if (last == NULL || strcmp(last, name) != 0)
        claims->count++;
    return &claims->list[claims->count - 1];
}

/* An index that is not the definition's is the key's own, which claims nothing. */
static void take_claims(struct postgres_claims *claims,
                        const struct definition *definition)
{
    for (int i = 0; i < PQntuples(claims->rows); i++) {
        const char *name = PQgetvalue(claims->rows, i, CLAIM_NAME);
        bool exclusion = is_true(claims->rows, i, CLAIM_EXCLUSION);
        struct claim *claim = exclusion ? find_exclusion(claims, definition, name)
                                        : find_claim(claims, definition, name);

        if (claim == NULL)
            continue;
        if (claim->terms++ == 0) {
            claim->name = name;
            claim->first = i;
            claim->exclusion = exclusion;
            claim->late = is_true(claims->rows, i, CLAIM_LATE);
        }
    }
}

static enum status name_exclusions(struct postgres_table *table, struct error *err)
{
    const struct postgres_claims *claims = table->claims;
    uint32_t first = table->base.definition->unique_count;

    table->base.exclusions =
        calloc((size_t)(claims->count - first) + 1, sizeof(const char *));
    if (table->base.exclusions == NULL)
        return error_set(err, STATUS_NO_MEMORY, "unique constraints: out of memory");
    assert(claims->list != NULL);
    for (uint32_t i = first; i < claims->count; i++)
        table->base.exclusions[table->base.exclusion_count++] = claims->list[i].name;
    return STATUS_OK;
}

enum status postgres_claims_open(struct postgres_table *table, struct postgres *postgres,
                                 struct error *err)
{
    const struct definition *definition = table->base.definition;
    const char *parameters[] = {definition->local_name};
    struct postgres_claims *claims;
    enum status status;

    if (table->claims != NULL)
        return STATUS_OK;
    claims = calloc(1, sizeof *claims);
    if (claims == NULL)
        return error_set(err, STATUS_NO_MEMORY, "unique constraints: out of memory");
    table->claims = claims;
    claims->count = definition->unique_count;
    status = postgres_query(postgres, claims_sql, 1, parameters, &claims->rows, err);
    if (status == STATUS_OK) {
        claims->list = calloc((size_t)claims->count + (size_t)PQntuples(claims->rows) + 1,
                              sizeof *claims->list);
        if (claims->list == NULL)
            status =
                error_set(err, STATUS_NO_MEMORY, "unique constraints: out of memory");
    }
    if (status == STATUS_OK) {
        take_claims(claims, definition);
        status = name_exclusions(table, err);
    }
    if (status != STATUS_OK)
        postgres_claims_close(table);
    return status;
}

void postgres_claims_close(struct postgres_table *table)
{
    if (table->claims != NULL) {
        PQclear(table->claims->rows);
        free(table->claims->list);
    }
    free(table->claims);
    free((void *)table->base.exclusions);
    table->claims = NULL;
    table->base.exclusions = NULL;
    table->base.exclusion_count = 0;
}

/* ---- holders */

static void put_of_copy(struct buffer *sql, const struct postgres_table *table,
                        const char *what, const char *after)
{
    postgres_sql_put(sql, "(SELECT (");
    postgres_sql_put(sql, what);
    postgres_sql_put(sql, ")");
    postgres_sql_put(sql, after);
    postgres_sql_put(sql, " FROM ");
    postgres_other_put_copy(sql, table);
    postgres_sql_put(sql, ")");
}

/* "(term) COLLATE c OPERATOR(s.=) (SELECT (term) FROM copy)": bare names mean the
 * innermost table. The value stands in a subquery, so that the index finds it. */
static void put_term(struct buffer *sql, const struct postgres_table *table, int row)
{
    const PGresult *rows = table->claims->rows;
    const char *term = PQgetvalue(rows, row, CLAIM_TERM);
    bool nulls_equal = is_true(rows, row, CLAIM_NULLS_EQUAL);

    postgres_sql_put(sql, nulls_equal ? "((" : "(");
    postgres_sql_put(sql, term);
    postgres_sql_put(sql, ")");
    if (!PQgetisnull(rows, row, CLAIM_COLLATION)) {
        postgres_sql_put(sql, " COLLATE ");
        postgres_sql_put(sql, PQgetvalue(rows, row, CLAIM_COLLATION));
    }
    postgres_sql_put(sql, " OPERATOR(");
    postgres_sql_put(sql, PQgetvalue(rows, row, CLAIM_OPERATOR));
    postgres_sql_put(sql, ") ");
    put_of_copy(sql, table, term, "");
    if (!nulls_equal)
        return;
    postgres_sql_put(sql, " OR ((");
    postgres_sql_put(sql, term);
    postgres_sql_put(sql, ") IS NULL AND ");
    put_of_copy(sql, table, term, " IS NULL");
    postgres_sql_put(sql, "))");
}

static void put_holder(struct buffer *sql, const struct postgres_table *table,
                       const struct claim *claim)
{
    const PGresult *rows = table->claims->rows;

    postgres_sql_put(sql, "SELECT ");
    postgres_sql_key(sql, table->base.definition, "");
    postgres_sql_put(sql, " FROM ");
    postgres_sql_put(sql, table->base.definition->local_name);
    postgres_sql_put(sql, " WHERE ");
    if (!PQgetisnull(rows, claim->first, CLAIM_WHERE)) {
        const char *where = PQgetvalue(rows, claim->first, CLAIM_WHERE);

        postgres_sql_put(sql, "(");
        postgres_sql_put(sql, where);
        postgres_sql_put(sql, ") AND ");
        put_of_copy(sql, table, where, "");
        postgres_sql_put(sql, " AND ");
    }
    for (int i = 0; i < claim->terms; i++) {
        postgres_sql_put(sql, i == 0 ? "" : " AND ");
        put_term(sql, table, claim->first + i);
    }
}

enum status postgres_unique_holder(struct postgres_schema *schema,
                                   struct postgres_table *table, uint32_t at,
                                   uint32_t skip, struct buffer *key, struct error *err)
{
    const struct claim *claim = &table->claims->list[at];
    struct buffer sql = {0};
    PGresult *rows = NULL;
    enum status status;

    buffer_clear(key);
    if (claim->terms == 0)
        return error_set(err, STATUS_BUSY, "%s: a unique constraint is gone",
                         table->base.definition->local_name);
    put_holder(&sql, table, claim);
    postgres_sql_number(&sql, " LIMIT 1 OFFSET ", skip);
    status = postgres_sql_run(schema->postgres, &sql, NULL,
                              table->base.definition->local_name, &rows, err);
    buffer_release(&sql);
    if (status == STATUS_OK && PQntuples(rows) == 0)
        status = STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = postgres_sql_take_key(key, rows, 0, table->base.definition, err);
    PQclear(rows);
    return status;
}

enum status postgres_unique_probe(struct postgres_schema *schema,
                                  struct postgres_table *table, struct bytes key,
                                  bool *met, struct error *err)
{
    struct buffer holder = {0};
    enum status status = STATUS_OK;

    *met = false;
    for (uint32_t i = 0; i < table->claims->count && status == STATUS_OK && !*met; i++) {
        for (uint32_t skip = 0;
             table->claims->list[i].late && status == STATUS_OK && !*met; skip++) {
            status = postgres_unique_holder(schema, table, i, skip, &holder, err);
            *met = status == STATUS_OK && !bytes_equal(buffer_view(&holder), key);
        }
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    buffer_release(&holder);
    return status;
}
