#include "apply/postgres_held.h"

#include <stdlib.h>
#include <string.h>

static void put(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

/* ---- tables */

bool postgres_held_put_lock(struct buffer *sql, const struct postgres_schema *schema,
                            const bool *components, const char *mode)
{
    bool any = false;

    buffer_clear(sql);
    put(sql, "LOCK TABLE ");
    for (size_t i = 0; i < schema->base.count; i++) {
        if (!components[schema->tables[i].component])
            continue;
        put(sql, any ? ", " : "");
        put(sql, schema->tables[i].base.definition->local_name);
        any = true;
    }
    put(sql, " IN ");
    put(sql, mode);
    buffer_put(sql, 0, 1);
    return any;
}

enum status postgres_held_try(struct postgres_batch *batch, const char *sql, bool *held,
                              struct error *err)
{
    enum status status =
        postgres_execute(batch->postgres, "SAVEPOINT rowferry_lock", err);

    *held = false;
    if (status == STATUS_OK)
        status = postgres_execute(batch->postgres, sql, err);
    if (status == STATUS_OK)
        return postgres_execute(batch->postgres, "RELEASE rowferry_lock", err);
    *held = status == STATUS_BUSY;
    return *held
               ? postgres_execute(batch->postgres,
                                  "ROLLBACK TO rowferry_lock; RELEASE rowferry_lock", err)
               : status;
}

enum status postgres_held_tables(struct postgres_batch *batch,
                                 struct postgres_table *table, bool *held,
                                 struct error *err)
{
    bool *components = calloc(batch->schema->base.count + 1, sizeof *components);
    struct buffer sql = {0};
    enum status status = STATUS_OK;

    if (components == NULL)
        return error_set(err, STATUS_NO_MEMORY, "lock tables: out of memory");
    components[table->component] = true;
    *held = batch->schema->tables[table->component].hold == HOLD_OTHERS;
    if (batch->schema->tables[table->component].hold == HOLD_UNKNOWN) {
        (void)postgres_held_put_lock(&sql, batch->schema, components,
                                     "ROW EXCLUSIVE MODE NOWAIT");
        status = buffer_check(&sql, err);
        if (status == STATUS_OK)
            status = postgres_held_try(batch, (const char *)sql.data, held, err);
        batch->schema->tables[table->component].hold = *held ? HOLD_OTHERS : HOLD_OURS;
    }
    buffer_release(&sql);
    free(components);
    return status;
}

/* ---- rows */

static enum status ask(const struct postgres_set *set, const char *select,
                       const char *lock, PGresult **out, struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    put(&sql, select);
    put(&sql, " FROM ");
    put(&sql, set->writer->definition->local_name);
    put(&sql, " AS t JOIN " POSTGRES_SET_ROWS " u ON " POSTGRES_SET_MATCH);
    put(&sql, lock);
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = postgres_set_ask(set, (const char *)sql.data, out, err);
    buffer_release(&sql);
    return status;
}

enum status postgres_held_rows(const struct postgres_set *set, bool *free, uint32_t *held,
                               struct error *err)
{
    const char *lock = set->kind == SET_DELETE ? " FOR UPDATE OF t SKIP LOCKED"
                                               : " FOR NO KEY UPDATE OF t SKIP LOCKED";
    uint32_t count = 0, there;
    PGresult *found = NULL;
    enum status status = ask(set, "SELECT u.n", lock, &found, err);

    *held = 0;
    memset(free, 0, set->count * sizeof *free);
    for (int i = 0; status == STATUS_OK && i < PQntuples(found); i++) {
        unsigned long row = strtoul(PQgetvalue(found, i, 0), NULL, 10);

        if (row < 1 || row > set->count)
            continue;
        count += !free[row - 1];
        free[row - 1] = true;
    }
    PQclear(found);
    if (status != STATUS_OK || count == set->count)
        return status;
    found = NULL;
    status = ask(set, "SELECT count(*)", "", &found, err);
    if (status == STATUS_OK) {
        there = (uint32_t)strtoul(PQgetvalue(found, 0, 0), NULL, 10);
        *held = there > count ? there - count : 0;
    }
    PQclear(found);
    return status;
}
