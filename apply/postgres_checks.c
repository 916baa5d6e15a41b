#include "apply/postgres_checks.h"

#include "apply/postgres_foreign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct postgres_foreign_checks {
    struct postgres *postgres;
};

static void put(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

static void put_rows(struct buffer *sql, const struct postgres_foreign *foreign)
{
    put(sql, "(SELECT count(*) FROM (SELECT FROM " POSTGRES_SET_ROWS " u JOIN ");
    put(sql, foreign->base.child->definition->local_name);
    put(sql, " AS t ON " POSTGRES_SET_MATCH);
}

/* The parents' rows are counted by locking each, which waits for who deletes one, or
 * counts those that nobody holds. */
static void put_parents(struct buffer *sql, const struct postgres_foreign *foreign,
                        bool wait)
{
    put(sql, "SELECT ");
    put_rows(sql, foreign);
    put(sql, " WHERE ");
    postgres_foreign_put_refers(sql, foreign, "t");
    put(sql, ") n) = ");
    put_rows(sql, foreign);
    put(sql, " JOIN ");
    put(sql, foreign->base.parent->definition->local_name);
    put(sql, " AS p ON ");
    postgres_foreign_put_match(sql, foreign, "t");
    put(sql, " FOR KEY SHARE OF p");
    put(sql, wait ? ") m)" : " SKIP LOCKED) m)");
}

static void put_all(struct buffer *sql, const struct postgres_foreign *foreign)
{
    put(sql, "SELECT NOT EXISTS (SELECT FROM ");
    put(sql, foreign->base.child->definition->local_name);
    put(sql, " AS t WHERE ");
    postgres_foreign_put_lacks(sql, foreign, "t");
    put(sql, ")");
}

/* The parent's key column that a child's column refers to; -1: none. */
static int32_t key_column_of(const struct batch_foreign *foreign, uint32_t i)
{
    const struct definition *parent = foreign->parent->definition;
    int32_t column = definition_find_column(parent, foreign->key->parent_columns[i]);

    return column >= 0 && parent->columns[column].key_position > 0
               ? (int32_t)parent->columns[column].key_position - 1
               : -1;
}

static bool refers_to_key(const struct batch_foreign *foreign)
{
    if (foreign->key->column_count != foreign->parent->definition->key_count)
        return false;
    for (uint32_t i = 0; i < foreign->key->column_count; i++)
        if (key_column_of(foreign, i) < 0)
            return false;
    return true;
}

static void put_children(struct buffer *sql, const struct postgres_foreign *foreign)
{
    char column[32];

    put(sql, "SELECT NOT EXISTS (SELECT FROM " POSTGRES_SET_ROWS " u JOIN ");
    put(sql, foreign->base.child->definition->local_name);
    put(sql, " AS t ON ");
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        (void)snprintf(column, sizeof column, "%su.k%" PRId32, i == 0 ? "" : " AND ",
                       key_column_of(&foreign->base, i));
        put(sql, column);
        postgres_foreign_put_child(sql, foreign, "t", i);
    }
    put(sql, ")");
}

enum status postgres_checks_open(struct postgres_foreign *foreign,
                                 struct postgres *postgres, struct error *err)
{
    struct postgres_foreign_checks *checks = calloc(1, sizeof *checks);

    if (checks == NULL)
        return error_set(err, STATUS_NO_MEMORY, "foreign keys: out of memory");
    foreign->checks = checks;
    foreign->base.beyond_key = !refers_to_key(&foreign->base);
    checks->postgres = postgres;
    return STATUS_OK;
}

void postgres_checks_close(struct postgres_foreign *foreign)
{
    free(foreign->checks);
    foreign->checks = NULL;
}

/* What the server compares by is asked when it is first needed. */
static enum status open_reference(struct postgres_foreign *foreign, struct error *err)
{
    return postgres_foreign_open(foreign, foreign->checks->postgres, err);
}

/* Ask about the set's rows; sql becomes empty. */
static enum status ask(const struct postgres_set *set, struct buffer *sql, bool *holds,
                       struct error *err)
{
    PGresult *found = NULL;
    enum status status;

    buffer_put(sql, 0, 1);
    status = buffer_check(sql, err);
    if (status == STATUS_OK)
        status = postgres_set_ask(set, (const char *)sql->data, &found, err);
    *holds = status == STATUS_OK && PQgetvalue(found, 0, 0)[0] == 't';
    PQclear(found);
    buffer_release(sql);
    return status;
}

enum status postgres_checks_parents(struct postgres_foreign *foreign,
                                    const struct postgres_set *set, bool wait,
                                    bool *holds, struct error *err)
{
    struct buffer sql = {0};
    enum status status = open_reference(foreign, err);

    if (status != STATUS_OK)
        return status;
    put_parents(&sql, foreign, wait);
    return ask(set, &sql, holds, err);
}

enum status postgres_checks_children(struct postgres_foreign *foreign,
                                     const struct postgres_set *set, bool *holds,
                                     struct error *err)
{
    struct buffer sql = {0};
    enum status status = open_reference(foreign, err);

    *holds = false;
    if (status != STATUS_OK || foreign->base.beyond_key)
        return status;
    put_children(&sql, foreign);
    return ask(set, &sql, holds, err);
}

enum status postgres_checks_all(struct postgres_foreign *foreign, bool *holds,
                                struct error *err)
{
    struct buffer sql = {0};
    PGresult *found = NULL;
    enum status status = open_reference(foreign, err);

    if (status == STATUS_OK) {
        put_all(&sql, foreign);
        status = postgres_query_buffer(foreign->checks->postgres, &sql, &found, err);
    }
    *holds = status == STATUS_OK && PQgetvalue(found, 0, 0)[0] == 't';
    PQclear(found);
    return status;
}
