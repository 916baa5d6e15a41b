#include "apply/postgres_checks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct postgres_foreign_checks {
    struct postgres *postgres;
    struct buffer parents, children, all; /* statements; children empty: can't be asked */
};

static void put(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

/* "t.a = p.x AND …": the child's columns against the parent's. */
static void put_reference(struct buffer *sql, const struct foreign_key *key)
{
    for (uint32_t i = 0; i < key->column_count; i++) {
        put(sql, i == 0 ? "t." : " AND t.");
        postgres_put_name(sql, key->columns[i]);
        put(sql, " = p.");
        postgres_put_name(sql, key->parent_columns[i]);
    }
}

static void put_not_null(struct buffer *sql, const struct foreign_key *key)
{
    for (uint32_t i = 0; i < key->column_count; i++) {
        put(sql, i == 0 ? "t." : " AND t.");
        postgres_put_name(sql, key->columns[i]);
        put(sql, " IS NOT NULL");
    }
}

/* The parents' rows are counted by locking each, which waits for who deletes one. */
static void put_parents(struct buffer *sql, const struct batch_foreign *foreign)
{
    put(sql, "SELECT (SELECT count(*) FROM (SELECT FROM " POSTGRES_SET_ROWS " u JOIN ");
    put(sql, foreign->child->definition->local_name);
    put(sql, " AS t ON " POSTGRES_SET_MATCH " WHERE ");
    put_not_null(sql, foreign->key);
    put(sql, ") n) = (SELECT count(*) FROM (SELECT FROM " POSTGRES_SET_ROWS " u JOIN ");
    put(sql, foreign->child->definition->local_name);
    put(sql, " AS t ON " POSTGRES_SET_MATCH " JOIN ");
    put(sql, foreign->parent->definition->local_name);
    put(sql, " AS p ON ");
    put_reference(sql, foreign->key);
    put(sql, " FOR KEY SHARE OF p) m)");
    buffer_put(sql, 0, 1);
}

static void put_all(struct buffer *sql, const struct batch_foreign *foreign)
{
    put(sql, "SELECT NOT EXISTS (SELECT FROM ");
    put(sql, foreign->child->definition->local_name);
    put(sql, " AS t WHERE ");
    put_not_null(sql, foreign->key);
    put(sql, " AND NOT EXISTS (SELECT FROM ");
    put(sql, foreign->parent->definition->local_name);
    put(sql, " AS p WHERE ");
    put_reference(sql, foreign->key);
    put(sql, "))");
    buffer_put(sql, 0, 1);
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

static void put_children(struct buffer *sql, const struct batch_foreign *foreign)
{
    char column[32];

    put(sql, "SELECT NOT EXISTS (SELECT FROM " POSTGRES_SET_ROWS " u JOIN ");
    put(sql, foreign->child->definition->local_name);
    put(sql, " AS t ON ");
    for (uint32_t i = 0; i < foreign->key->column_count; i++) {
        put(sql, i == 0 ? "t." : " AND t.");
        postgres_put_name(sql, foreign->key->columns[i]);
        (void)snprintf(column, sizeof column, " = u.k%" PRId32,
                       key_column_of(foreign, i));
        put(sql, column);
    }
    put(sql, ")");
    buffer_put(sql, 0, 1);
}

enum status postgres_checks_open(struct postgres_foreign *foreign,
                                 struct postgres *postgres, struct error *err)
{
    struct postgres_foreign_checks *checks = calloc(1, sizeof *checks);
    enum status status;

    if (checks == NULL)
        return error_set(err, STATUS_NO_MEMORY, "foreign keys: out of memory");
    foreign->checks = checks;
    foreign->base.beyond_key = !refers_to_key(&foreign->base);
    checks->postgres = postgres;
    put_parents(&checks->parents, &foreign->base);
    put_all(&checks->all, &foreign->base);
    if (!foreign->base.beyond_key)
        put_children(&checks->children, &foreign->base);
    status = buffer_check(&checks->parents, err);
    if (status == STATUS_OK)
        status = buffer_check(&checks->all, err);
    return status == STATUS_OK ? buffer_check(&checks->children, err) : status;
}

void postgres_checks_close(struct postgres_foreign *foreign)
{
    if (foreign->checks == NULL)
        return;
    buffer_release(&foreign->checks->parents);
    buffer_release(&foreign->checks->children);
    buffer_release(&foreign->checks->all);
    free(foreign->checks);
    foreign->checks = NULL;
}

static enum status ask(const struct postgres_set *set, const struct buffer *sql,
                       bool *holds, struct error *err)
{
    PGresult *found = NULL;
    enum status status = postgres_set_ask(set, (const char *)sql->data, &found, err);

    *holds = status == STATUS_OK && PQgetvalue(found, 0, 0)[0] == 't';
    PQclear(found);
    return status;
}

enum status postgres_checks_parents(struct postgres_foreign *foreign,
                                    const struct postgres_set *set, bool *holds,
                                    struct error *err)
{
    return ask(set, &foreign->checks->parents, holds, err);
}

enum status postgres_checks_children(struct postgres_foreign *foreign,
                                     const struct postgres_set *set, bool *holds,
                                     struct error *err)
{
    *holds = false;
    return foreign->base.beyond_key ? STATUS_OK
                                    : ask(set, &foreign->checks->children, holds, err);
}

enum status postgres_checks_all(struct postgres_foreign *foreign, bool *holds,
                                struct error *err)
{
    PGresult *found = NULL;
    enum status status =
        postgres_query(foreign->checks->postgres, (const char *)foreign->checks->all.data,
                       0, NULL, &found, err);

    *holds = status == STATUS_OK && PQgetvalue(found, 0, 0)[0] == 't';
    PQclear(found);
    return status;
}
