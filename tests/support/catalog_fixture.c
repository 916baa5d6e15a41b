#include "tests/support/catalog_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct cluster pg_cluster;
struct postgres *pg_session;
struct catalog pg_catalog;
struct table_rules pg_rules;
struct error pg_err;
struct buffer pg_text;

void catalog_set_up(void)
{
    cluster_start(&pg_cluster, NULL);
    cr_assert_eq(postgres_open(&pg_session, pg_cluster.url, POSTGRES_WRITE, &pg_err),
                 STATUS_OK, "%s", pg_err.text);
}

void catalog_tear_down(void)
{
    buffer_release(&pg_text);
    catalog_release(&pg_catalog);
    table_rules_release(&pg_rules);
    postgres_close(pg_session);
    cluster_stop(&pg_cluster);
}

void pg_execute(const char *sql)
{
    cr_assert_eq(postgres_execute(pg_session, sql, &pg_err), STATUS_OK, "%s",
                 pg_err.text);
}

void pg_begin(const char *sql)
{
    pg_execute("BEGIN");
    pg_execute("SET LOCAL search_path = public");
    pg_execute(sql);
    pg_execute("SET LOCAL search_path = pg_catalog");
}

enum status pg_read_catalog(void)
{
    catalog_release(&pg_catalog);
    return postgres_catalog_read(pg_session, &pg_rules, NULL, &pg_catalog, &pg_err);
}

static void put(const char *part)
{
    buffer_put_bytes(&pg_text, bytes_of_text(part));
}

static void put_column(const struct column *column)
{
    static const char *const types[FLEET_TYPES] = {
        [FLEET_ANY] = "any",         [FLEET_INTEGER] = "integer",
        [FLEET_REAL] = "real",       [FLEET_TEXT] = "text",
        [FLEET_BLOB] = "blob",       [FLEET_NUMERIC] = "numeric",
        [FLEET_BOOLEAN] = "boolean", [FLEET_DATE] = "date",
        [FLEET_TIME] = "time",       [FLEET_TIMESTAMP] = "timestamp",
        [FLEET_TIMESTAMPTZ] = "tz",  [FLEET_INTERVAL] = "interval",
        [FLEET_UUID] = "uuid",       [FLEET_JSON] = "json",
        [FLEET_JSONB] = "jsonb",     [FLEET_ARRAY] = "array",
        [FLEET_OTHER] = "other",
    };
    static const char *const generated[] = {"", " virtual", " stored"};
    char number[16];

    put(" ");
    put(column->name);
    put(":");
    put(column->declared_type);
    put("/");
    put(types[column->type]);
    if (column->collation[0] != '\0' && strcmp(column->collation, "default") != 0) {
        put(" ~");
        put(column->collation);
    }
    put(column->not_null ? " !" : "");
    put(generated[column->generated]);
    if (column->key_position > 0) {
        (void)snprintf(number, sizeof number, " #%u", column->key_position);
        put(number);
    }
    if (column->default_sql != NULL) {
        put(" =");
        put(column->default_sql);
    }
    put(",");
}

static void put_unique(const struct unique_key *unique)
{
    put("\n ");
    put(unique->is_primary ? "KEY " : "");
    put(unique->nulls_equal ? "NULLS " : "");
    put(unique->deferrable ? "DEFERRABLE " : "");
    put(unique->name);
    for (uint32_t i = 0; i < unique->term_count; i++) {
        put(i == 0 ? " (" : ", ");
        put(unique->is_expression[i] ? "=" : "");
        put(unique->terms[i]);
        if (unique->collations[i][0] != '\0' &&
            strcmp(unique->collations[i], "default") != 0) {
            put(" ~");
            put(unique->collations[i]);
        }
    }
    put(")");
    put(unique->where_sql == NULL ? "" : " WHERE ");
    put(unique->where_sql == NULL ? "" : unique->where_sql);
}

static void put_foreign_key(const struct foreign_key *key)
{
    put("\n ");
    put(key->name);
    for (uint32_t i = 0; i < key->column_count; i++) {
        put(i == 0 ? " (" : ", ");
        put(key->columns[i]);
    }
    put(") -> ");
    put(key->parent);
    for (uint32_t i = 0; i < key->column_count; i++) {
        put(i == 0 ? " (" : ", ");
        put(key->parent_columns[i]);
    }
    put(key->counts ? ")" : ") not counting");
}

const char *pg_described(void)
{
    buffer_clear(&pg_text);
    for (size_t i = 0; i < pg_catalog.count; i++) {
        const struct definition *definition = pg_catalog.definitions[i];

        put(definition->name);
        put(" = ");
        put(definition->local_name);
        put(":");
        for (uint32_t at = 0; at < definition->column_count; at++)
            put_column(&definition->columns[at]);
        for (uint32_t at = 0; at < definition->unique_count; at++)
            put_unique(&definition->uniques[at]);
        for (uint32_t at = 0; at < definition->foreign_key_count; at++)
            put_foreign_key(&definition->foreign_keys[at]);
        put("\n");
    }
    for (size_t i = 0; i < pg_catalog.skipped_count; i++) {
        put("- ");
        put(pg_catalog.skipped[i].name);
        put(": ");
        put(pg_catalog.skipped[i].why);
        put("\n");
    }
    buffer_put(&pg_text, 0, 1);
    return (const char *)pg_text.data;
}
