#include "apply/sqlite_unique.h"

#include <assert.h>
#include <stdlib.h>

struct sqlite_unique {
    sqlite3_stmt *holder;
};

void sqlite_uniques_close(struct sqlite_table *table)
{
    if (table->uniques != NULL)
        for (uint32_t i = 0; i < table->base.definition->unique_count; i++)
            (void)sqlite3_finalize(table->uniques[i].holder);
    free(table->uniques);
    table->uniques = NULL;
}

static void put_term(struct buffer *sql, const struct unique_key *unique, uint32_t term)
{
    if (unique->is_expression[term]) {
        sql_put(sql, "(");
        sql_put(sql, unique->terms[term]);
        sql_put(sql, ")");
    } else {
        sqlite_put_quoted(sql, unique->terms[term]);
    }
}

/* "(SELECT what FROM copy)" */
static void put_from_copy(struct buffer *sql, const struct definition *definition)
{
    sql_put(sql, " FROM ");
    sql_put_table(sql, SCHEMA_SCRATCH, definition);
    sql_put(sql, ")");
}

/* Terms and condition stand twice: of the user's table, and of the copy's one row. The
 * subqueries keep the columns' affinity, and bare names mean the innermost table. */
static enum status prepare(struct sqlite_schema *schema,
                           const struct definition *definition,
                           const struct unique_key *unique, sqlite3_stmt **out,
                           struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    sql_put(&sql, "SELECT ");
    sql_put_key_columns(&sql, definition, NULL);
    sql_put(&sql, " FROM ");
    sql_put_table(&sql, SCHEMA_MAIN, definition);
    sql_put(&sql, " WHERE ");
    if (unique->where_sql != NULL) {
        sql_put(&sql, "(");
        sql_put(&sql, unique->where_sql);
        sql_put(&sql, "\n) AND (SELECT (");
        sql_put(&sql, unique->where_sql);
        sql_put(&sql, "\n)");
        put_from_copy(&sql, definition);
        sql_put(&sql, " AND ");
    }
    for (uint32_t i = 0; i < unique->term_count; i++) {
        if (i > 0)
            sql_put(&sql, " AND ");
        put_term(&sql, unique, i);
        sql_put(&sql, " COLLATE ");
        sqlite_put_quoted(&sql, unique->collations[i]);
        sql_put(&sql, " = (SELECT ");
        put_term(&sql, unique, i);
        put_from_copy(&sql, definition);
    }
    status = sql_prepare(schema->database, &sql, out, err);
    buffer_release(&sql);
    return status;
}

enum status sqlite_unique_holder(struct sqlite_schema *schema, struct sqlite_table *table,
                                 uint32_t at, struct buffer *key, struct error *err)
{
    const struct definition *definition = table->base.definition;
    enum status status = STATUS_OK;
    sqlite3_stmt *holder;
    int rc;

    assert(at < definition->unique_count);
    if (table->uniques == NULL)
        table->uniques = calloc(definition->unique_count, sizeof *table->uniques);
    if (table->uniques == NULL)
        return error_set(err, STATUS_NO_MEMORY, "unique constraints: out of memory");
    if (table->uniques[at].holder == NULL)
        status = prepare(schema, definition, &definition->uniques[at],
                         &table->uniques[at].holder, err);
    if (status != STATUS_OK)
        return status;
    holder = table->uniques[at].holder;
    buffer_clear(key);
    rc = sqlite3_step(holder);
    if (rc == SQLITE_ROW)
        status = sql_take_key(key, holder, 0, definition, err);
    else {
        status = rc == SQLITE_DONE
                     ? STATUS_NOT_FOUND
                     : sqlite_failed(schema->database, definition->local_name, err);
    }
    (void)sqlite3_reset(holder);
    return status;
}
