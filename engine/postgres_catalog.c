#include "engine/postgres_catalog.h"

#include "engine/postgres_name.h"
#include "engine/postgres_table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BROKEN_NAMED_MAX = 3 };

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
}

/* ---- which tables there are */

/* Schemas of Postgres's own begin with pg_, which no other may. */
#define OF_USERS                                                                        \
    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"              \
    "  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'rowferry')" \
    " WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition"                      \
    "  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = "                   \
    "'pg_class'::regclass"                                                              \
    "   AND d.objid = c.oid AND d.deptype = 'e')"

static const char found_sql[] =
    "SELECT c.oid, c.oid::regclass, c.relkind, c.relpersistence, c.relreplident" OF_USERS
    " ORDER BY c.oid::regclass::text COLLATE \"C\"";

enum found_field {
    FOUND_OID,
    FOUND_NAME,
    FOUND_KIND,
    FOUND_PERSISTENCE,
    FOUND_IDENTITY,
};

/* xmin is who wrote a row of the catalog: ANALYZE and VACUUM write theirs in place.
 * Triggers, policies and functions decide what is refused. */
static const char version_sql[] =
    "WITH c AS (SELECT c.oid, c.xmin, c.reltype" OF_USERS ")"
    " SELECT coalesce(sum(hashint8extended(x::text::bigint, o::bigint) % 1000000007), 0)"
    "  FROM (SELECT xmin, oid::bigint FROM c"
    "  UNION ALL SELECT a.xmin, a.attrelid::bigint * 2000 + a.attnum FROM pg_attribute "
    "AS a"
    "   JOIN c ON c.oid = a.attrelid WHERE a.attnum > 0"
    "  UNION ALL SELECT d.xmin, d.oid::bigint FROM pg_attrdef AS d JOIN c ON c.oid = "
    "d.adrelid"
    "  UNION ALL SELECT i.xmin, i.indexrelid::bigint FROM pg_index AS i"
    "   JOIN c ON c.oid = i.indrelid"
    "  UNION ALL SELECT k.xmin, k.oid::bigint FROM pg_constraint AS k"
    "   JOIN c ON c.oid = k.conrelid"
    "  UNION ALL SELECT g.xmin, g.oid::bigint FROM pg_trigger AS g"
    "   JOIN c ON c.oid = g.tgrelid WHERE NOT g.tgisinternal"
    "  UNION ALL SELECT p.xmin, p.oid::bigint FROM pg_policy AS p"
    "   JOIN c ON c.oid = p.polrelid"
    "  UNION ALL SELECT f.xmin, f.oid::bigint FROM pg_proc AS f WHERE f.oid >= 16384"
    "  UNION ALL SELECT h.xmin, h.inhrelid::bigint FROM pg_inherits AS h"
    "  UNION ALL SELECT t.xmin, t.oid::bigint FROM pg_type AS t WHERE t.oid >= 16384"
    "   AND t.typtype IN ('e', 'd')"
    "  UNION ALL SELECT e.xmin, e.oid::bigint FROM pg_enum AS e) AS s (x, o)";

enum status postgres_schema_version(struct postgres *postgres, int64_t *version,
                                    struct error *err)
{
    return postgres_number(postgres, version_sql, version, err);
}

enum status postgres_has_table(struct postgres *postgres, const char *table, bool views,
                               bool *has, struct error *err)
{
    static const char tables_only[] = "SELECT oid::regclass FROM pg_class"
                                      " WHERE relkind IN ('r', 'p', 'f')";
    static const char with_views[] = "SELECT oid::regclass FROM pg_class"
                                     " WHERE relkind IN ('r', 'p', 'f', 'v', 'm')";
    PGresult *result = NULL;
    enum status status =
        postgres_query(postgres, views ? with_views : tables_only, 0, NULL, &result, err);

    *has = false;
    for (int row = 0; status == STATUS_OK && !*has && row < PQntuples(result); row++)
        *has = postgres_name_is(PQgetvalue(result, row, 0), table);
    PQclear(result);
    return status;
}

/* ---- reading */

/* What is read; rows of found_sql are called by their number. */
struct reading {
    struct postgres *postgres;
    const struct table_rules *rules;
    struct catalog *catalog;
    PGresult *found;
    int *candidates;     /* owned; the rows of those that may be replicated */
    const char **tables; /* owned; their names */
    size_t count;
};

static const char *found_text(const struct reading *reading, int row, int field)
{
    return PQgetvalue(reading->found, row, field);
}

/* Whether people mean any of the tables by this name. */
static bool is_found(const struct reading *reading, const char *said)
{
    for (int row = 0; row < PQntuples(reading->found); row++)
        if (postgres_name_is(found_text(reading, row, FOUND_NAME), said))
            return true;
    return false;
}

/* A table of that name in another schema, or of another case: whoever names a table often
 * means it. */
static const char *find_like(const struct reading *reading, const char *said)
{
    for (int row = 0; row < PQntuples(reading->found); row++) {
        const char *name = found_text(reading, row, FOUND_NAME);
        const char *point = strrchr(name, '.');

        if (point != NULL && strcmp(point + 1, said) == 0)
            return name;
    }
    return NULL;
}

static enum status check_names(const struct reading *reading, struct error *err)
{
    const char *only = reading->rules->only;
    struct buffer name = {0};
    enum status status = STATUS_OK;

    while (status == STATUS_OK && only != NULL && name_list_take(&only, &name)) {
        const char *said = (const char *)name.data, *like;

        status = buffer_check(&name, err);
        if (status != STATUS_OK || is_found(reading, said))
            continue;
        like = find_like(reading, said);
        status = error_set(err, STATUS_REFUSED,
                           "there is no table %s to replicate%s%s: `rowferry init "
                           "--check` without --tables names those there are",
                           said, like == NULL ? "" : ", but there is ",
                           like == NULL ? "" : like);
    }
    buffer_release(&name);
    return status;
}

/* Set aside what can't be replicated, whatever else it is. */
static enum status take_found(struct reading *reading, int row, struct error *err)
{
    const char *name = found_text(reading, row, FOUND_NAME);
    char kind = *found_text(reading, row, FOUND_KIND);
    char persistence = *found_text(reading, row, FOUND_PERSISTENCE);
    bool wanted = false;
    char *why = NULL;
    enum status status = table_rules_wants(reading->rules, name, &wanted, err);

    if (status != STATUS_OK || !wanted || persistence == 't')
        return status;
    if (kind == 'f')
        return catalog_add_skipped(reading->catalog, name, strdup("foreign table"), err);
    if (persistence == 'u') {
        if (asprintf(&why, "unlogged: ALTER TABLE %s SET LOGGED", name) < 0)
            why = NULL;
        return catalog_add_skipped(reading->catalog, name, why, err);
    }
    reading->tables[reading->count] = name;
    reading->candidates[reading->count++] = row;
    return STATUS_OK;
}

static enum status query_tables(const struct reading *reading,
                                struct postgres_tables *tables, struct error *err)
{
    struct buffer oids = {0};
    enum status status;

    buffer_put(&oids, '{', 1);
    for (size_t i = 0; i < reading->count; i++) {
        if (i > 0)
            buffer_put(&oids, ',', 1);
        buffer_put_bytes(
            &oids, bytes_of_text(found_text(reading, reading->candidates[i], FOUND_OID)));
    }
    buffer_put(&oids, '}', 1);
    buffer_put(&oids, 0, 1);
    status = buffer_check(&oids, err);
    if (status == STATUS_OK)
        status = postgres_tables_query(reading->postgres, (const char *)oids.data, tables,
                                       err);
    buffer_release(&oids);
    return status;
}

static enum status add_table(struct reading *reading, struct postgres_tables *tables,
                             const struct table_names *names, size_t at,
                             struct error *err)
{
    const struct table_name *name = &names->list[at];
    struct postgres_table table = {
        .place = at + 1,
        .identity = *found_text(reading, reading->candidates[at], FOUND_IDENTITY),
        .name = name,
        .rule = table_rules_find(reading->rules, name->table),
    };
    struct catalog *catalog = reading->catalog;
    struct definition *definition = NULL;
    char *why = NULL;
    enum status status;

    if (name->name == NULL) {
        status = catalog_add_skipped(catalog, name->table, strdup(name->why), err);
        if (status == STATUS_OK)
            catalog->skipped[catalog->skipped_count - 1].ambiguous = true;
        return status;
    }
    status = postgres_table_read(tables, names, &table, &definition, &why, err);
    if (status == STATUS_NOT_FOUND)
        return catalog_add_skipped(catalog, name->table, why, err);
    return status == STATUS_OK ? catalog_add(catalog, definition, err) : status;
}

static enum status read_candidates(struct reading *reading, struct store_txn *txn,
                                   struct error *err)
{
    struct postgres_tables tables = {0};
    struct table_names names = {0};
    enum status status = table_names_match(&names, reading->tables, reading->count,
                                           reading->rules, txn, err);

    if (status == STATUS_OK)
        status = query_tables(reading, &tables, err);
    for (size_t i = 0; i < reading->count && status == STATUS_OK; i++)
        status = add_table(reading, &tables, &names, i, err);
    postgres_tables_release(&tables);
    table_names_release(&names);
    return status;
}

static enum status read_tables(struct reading *reading, struct store_txn *txn,
                               struct error *err)
{
    enum status status =
        postgres_query(reading->postgres, found_sql, 0, NULL, &reading->found, err);
    size_t count;

    if (status != STATUS_OK)
        return status;
    count = (size_t)PQntuples(reading->found) + 1;
    reading->candidates = calloc(count, sizeof *reading->candidates);
    reading->tables = (const char **)calloc(count, sizeof *reading->tables);
    if (reading->candidates == NULL || reading->tables == NULL)
        return no_memory(err);
    status = check_names(reading, err);
    for (int row = 0; row < PQntuples(reading->found) && status == STATUS_OK; row++)
        status = take_found(reading, row, err);
    return status == STATUS_OK ? read_candidates(reading, txn, err) : status;
}

enum status postgres_catalog_read(struct postgres *postgres,
                                  const struct table_rules *rules, struct store_txn *txn,
                                  struct catalog *out, struct error *err)
{
    struct table_rules own = rules != NULL ? *rules : (struct table_rules){0};
    struct reading reading = {.postgres = postgres, .rules = &own, .catalog = out};
    enum status status;

    assert(PQtransactionStatus(postgres_handle(postgres)) == PQTRANS_INTRANS);
    *out = (struct catalog){0};
    own.postgres = true;
    status = postgres_schema_version(postgres, &out->schema_version, err);
    if (status == STATUS_OK)
        status = read_tables(&reading, txn, err);
    free(reading.candidates);
    free((void *)reading.tables);
    PQclear(reading.found);
    if (status == STATUS_OK) {
        catalog_sort(out);
        out->lacks = (char **)calloc(out->count + 1, sizeof(char *));
        if (out->lacks != NULL)
            return STATUS_OK;
        status = no_memory(err);
    }
    catalog_release(out);
    return error_wrap(err, status, postgres_url(postgres));
}

/* ---- what else is asked of tables */

enum status postgres_count_rows(struct postgres *postgres, const char *local_name,
                                bool estimate, int64_t *rows, struct error *err)
{
    struct buffer sql = {0};

    if (estimate) {
        /* A partitioned table's own number is rarely there: its partitions have theirs.
         */
        buffer_put_bytes(&sql,
                         bytes_of_text("SELECT coalesce(sum(c.reltuples)::bigint, -1)"
                                       " FROM pg_partition_tree(to_regclass("));
        postgres_put_literal(&sql, local_name);
        buffer_put_bytes(&sql,
                         bytes_of_text(")) AS t JOIN pg_class AS c ON c.oid = t.relid"
                                       " WHERE t.isleaf AND c.reltuples >= 0"));
    } else {
        buffer_put_bytes(&sql, bytes_of_text("SELECT count(*) FROM "));
        buffer_put_bytes(&sql, bytes_of_text(local_name));
    }
    return postgres_number_buffer(postgres, &sql, rows, err);
}

static bool has_definition(const struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (strcmp(catalog->definitions[i]->name, name) == 0)
            return true;
    return false;
}

/* One more reason, of which the first few are named. */
static void add_reason(struct buffer *why, unsigned *reasons,
                       const struct definition *child, const struct foreign_key *key)
{
    char text[420];

    ++*reasons;
    if (*reasons > BROKEN_NAMED_MAX + 1)
        return;
    if (*reasons > 1)
        buffer_put_bytes(why, bytes_of_text(*reasons <= BROKEN_NAMED_MAX ? ", " : ", …"));
    if (*reasons > BROKEN_NAMED_MAX)
        return;
    (void)snprintf(text, sizeof text, "%.100s of %.140s to %.140s is NOT VALID",
                   key->name, child->local_name, key->parent);
    buffer_put_bytes(why, bytes_of_text(text));
}

enum status postgres_foreign_keys_broken(const struct catalog *catalog, char **why,
                                         struct error *err)
{
    struct buffer text = {0};
    unsigned reasons = 0;
    enum status status;

    *why = NULL;
    for (size_t i = 0; i < catalog->count; i++) {
        const struct definition *child = catalog->definitions[i];

        for (uint32_t key = 0; key < child->foreign_key_count; key++) {
            if (!child->foreign_keys[key].counts &&
                has_definition(catalog, child->foreign_keys[key].parent))
                add_reason(&text, &reasons, child, &child->foreign_keys[key]);
        }
    }
    buffer_put(&text, 0, 1);
    status = buffer_check(&text, err);
    if (status == STATUS_OK && reasons > 0)
        *why = (char *)text.data;
    else
        buffer_release(&text);
    return status;
}
