/* Sets of rows in a batch whose tables are locked. */
#include "apply/postgres_locked.h"

#include "apply/postgres_foreign.h"
#include "apply/postgres_sql.h"

#include <stdlib.h>

bool postgres_locked_is_single(const struct postgres_table *table)
{
    const struct definition *definition = table->base.definition;
    bool is_single = table->probed || table->base.direction == TABLE_IN;

    for (uint32_t i = 0; i < definition->unique_count; i++)
        is_single = is_single || definition->uniques[i].is_primary;
    return is_single;
}

enum status postgres_locked_planned(struct postgres_batch *batch,
                                    const struct planned *planned, struct error *err)
{
    struct batch_row row = {
        .table_id = planned->table.id,
        .table = batch_schema_find(batch->base.schema, planned->table.id),
        .from = planned->table.definition,
        .key = planned->key,
        .image = planned->image,
        .version = planned->version,
        .born = planned->born,
        .live = planned->live,
        .holding = &planned->holding,
    };

    return postgres_locked_write(batch, &row, err);
}

enum status postgres_locked_again(struct postgres_batch *batch,
                                  struct postgres_table *table, struct bytes key,
                                  struct error *err)
{
    struct planned planned;
    enum status status =
        plan_find(batch->base.txn, batch->base.range, table->base.id, key, &planned, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_IO, "%s: a row of the plan is not known",
                         table->base.definition->local_name);
    return status == STATUS_OK ? postgres_locked_planned(batch, &planned, err) : status;
}

/* ---- what parking must know */

static enum status ask(const struct postgres_set *set, struct buffer *sql, PGresult **out,
                       struct error *err)
{
    enum status status;

    buffer_put(sql, 0, 1);
    status = buffer_check(sql, err);
    if (status == STATUS_OK)
        status = postgres_set_ask(set, (const char *)sql->data, out, err);
    buffer_release(sql);
    return status;
}

static enum status note_gone(struct postgres_foreign *foreign,
                             const struct postgres_set *set, struct error *err)
{
    const struct foreign_key *key = foreign->base.key;
    struct buffer sql = {0};
    PGresult *count = NULL;
    enum status status = postgres_foreign_make_gone(foreign, err);

    postgres_sql_put(&sql, "WITH noted AS (INSERT INTO ");
    postgres_foreign_put_gone(&sql, foreign);
    for (uint32_t i = 0; i < key->column_count; i++) {
        postgres_sql_put(&sql, i == 0 ? " SELECT t." : ", t.");
        postgres_put_name(&sql, key->parent_columns[i]);
    }
    postgres_sql_put(&sql, " FROM ");
    postgres_sql_put(&sql, foreign->base.parent->definition->local_name);
    postgres_sql_put(&sql, " AS t JOIN " POSTGRES_SET_ROWS " u ON " POSTGRES_SET_MATCH
                           " RETURNING 1)"
                           " SELECT count(*) FROM noted");
    if (status == STATUS_OK)
        status = ask(set, &sql, &count, err);
    if (status == STATUS_OK)
        foreign->base.gone += strtoull(PQgetvalue(count, 0, 0), NULL, 10);
    PQclear(count);
    buffer_release(&sql);
    return status;
}

enum status postgres_locked_before(struct postgres_table *table,
                                   const struct postgres_set *set, struct error *err)
{
    enum status status = STATUS_OK;

    for (struct batch_foreign *at = table->base.as_parent;
         at != NULL && status == STATUS_OK; at = at->next_of_parent)
        if (set->kind == SET_DELETE || (set->kind == SET_UPDATE && at->beyond_key))
            status = note_gone(postgres_foreign_of(at), set, err);
    return status;
}

static enum status suspect(struct postgres_batch *batch, struct postgres_foreign *foreign,
                           const struct postgres_set *set, struct error *err)
{
    const struct batch_table *child = foreign->base.child;
    struct buffer sql = {0}, key = {0};
    PGresult *rows = NULL;
    enum status status;

    postgres_sql_put(&sql, "SELECT ");
    postgres_sql_key(&sql, child->definition, "t");
    postgres_sql_put(&sql, " FROM ");
    postgres_sql_put(&sql, child->definition->local_name);
    postgres_sql_put(&sql, " AS t JOIN " POSTGRES_SET_ROWS " u ON " POSTGRES_SET_MATCH
                           " WHERE ");
    postgres_foreign_put_lacks(&sql, foreign, "t");
    status = ask(set, &sql, &rows, err);
    for (int i = 0; status == STATUS_OK && i < PQntuples(rows); i++) {
        buffer_clear(&key);
        status = postgres_sql_take_key(&key, rows, i, child->definition, err);
        if (status == STATUS_OK)
            status = suspects_add(batch->base.moved, child->group,
                                  &(struct suspect){child->id, buffer_view(&key)}, err);
    }
    PQclear(rows);
    buffer_release(&key);
    return status;
}

enum status postgres_locked_after(struct postgres_batch *batch,
                                  struct postgres_table *table,
                                  const struct postgres_set *set, struct error *err)
{
    enum status status = STATUS_OK;

    for (struct batch_foreign *at = table->base.as_child;
         at != NULL && status == STATUS_OK && set->kind != SET_DELETE;
         at = at->next_of_child)
        status = suspect(batch, postgres_foreign_of(at), set, err);
    return status;
}
