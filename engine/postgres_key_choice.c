/* By which columns a table takes part. */
#include "engine/postgres_keys.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct choosing {
    const struct definition *definition;
    const struct postgres_indexes *indexes;
    const struct postgres_table *table;
    const char *told;                /* the rule's columns, or NULL */
    const struct postgres_index *by; /* what was chosen */
    char **why;                      /* not NULL: it can't take part */
    struct error *err;
};

static enum status refuse(const struct choosing *choosing, const char *why,
                          const char *name)
{
    return error_set(choosing->err, STATUS_REFUSED,
                     "rowferry.ini: [table %s] key = %s: %s%s",
                     choosing->table->name->plain, choosing->told, why, name);
}

/* The table is left out: why, and the statement that would change it: "ALTER TABLE t "
 * and what follows. */
static enum status leave_out(struct choosing *choosing, const char *why,
                             const char *alter, const char *index)
{
    struct buffer text = {0};
    enum status status;

    buffer_put_bytes(&text, bytes_of_text(why));
    if (alter != NULL) {
        buffer_put_bytes(&text, bytes_of_text(": ALTER TABLE "));
        buffer_put_bytes(&text, bytes_of_text(choosing->definition->local_name));
        buffer_put(&text, ' ', 1);
        buffer_put_bytes(&text, bytes_of_text(alter));
    }
    if (index != NULL)
        postgres_put_name(&text, index);
    buffer_put(&text, 0, 1);
    status = buffer_check(&text, choosing->err);
    if (status == STATUS_OK)
        *choosing->why = (char *)text.data;
    else
        buffer_release(&text);
    return status;
}

/* ---- indexes */

static const struct column *column_of(const struct choosing *choosing,
                                      const struct unique_key *unique, uint32_t term)
{
    int32_t column = -1;

    if (!unique->is_expression[term])
        column = definition_find_column(choosing->definition, unique->terms[term]);
    return column < 0 ? NULL : &choosing->definition->columns[column];
}

/* Whether each row is one value of the index, and no two rows are the same one. */
static bool could_be_key(const struct choosing *choosing,
                         const struct postgres_index *index)
{
    if (index->unique.where_sql != NULL || index->unique.deferrable)
        return false;
    for (uint32_t i = 0; i < index->unique.term_count; i++) {
        const struct column *column = column_of(choosing, &index->unique, i);

        if (column == NULL || !column->not_null || column->generated != GENERATED_NO)
            return false;
    }
    return true;
}

static bool has_term(const struct unique_key *unique, const char *column)
{
    for (uint32_t i = 0; i < unique->term_count; i++)
        if (!unique->is_expression[i] && strcmp(unique->terms[i], column) == 0)
            return true;
    return false;
}

/* Whether the columns of definition's key are those of the index, in any order. */
static bool has_key_of(const struct unique_key *unique,
                       const struct definition *definition)
{
    if (unique->term_count != definition->key_count)
        return false;
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].key_position > 0 &&
            !has_term(unique, definition->columns[i].name))
            return false;
    }
    return true;
}

/* Whether the list names the index's columns; *count: how many it names. */
static bool is_list_of(const struct unique_key *unique, const char *list,
                       struct buffer *name, uint32_t *count)
{
    *count = 0;
    while (name_list_take(&list, name) && !name->failed) {
        ++*count;
        if (!has_term(unique, (const char *)name->data))
            return false;
    }
    return *count == unique->term_count;
}

static const struct postgres_index *find_primary(const struct choosing *choosing)
{
    for (uint32_t i = 0; i < choosing->indexes->count; i++)
        if (choosing->indexes->list[i].is_primary)
            return &choosing->indexes->list[i];
    return NULL;
}

static const struct postgres_index *find_identity(const struct choosing *choosing)
{
    for (uint32_t i = 0; i < choosing->indexes->count; i++)
        if (choosing->indexes->list[i].is_identity)
            return &choosing->indexes->list[i];
    return NULL;
}

/* The first that could be the key; fleets: NULL, or whose key it must have. */
static const struct postgres_index *find_usable(const struct choosing *choosing,
                                                const struct definition *fleets)
{
    for (uint32_t i = 0; i < choosing->indexes->count; i++) {
        const struct postgres_index *index = &choosing->indexes->list[i];

        if (could_be_key(choosing, index) &&
            (fleets == NULL || has_key_of(&index->unique, fleets)))
            return index;
    }
    return NULL;
}

/* ---- what is told */

static enum status check_told_column(const struct choosing *choosing, const char *name)
{
    int32_t found = definition_find_column(choosing->definition, name);

    if (found < 0)
        return refuse(choosing, "there is no column ", name);
    if (choosing->definition->columns[found].generated != GENERATED_NO)
        return refuse(choosing, "generated is the column ", name);
    if (!choosing->definition->columns[found].not_null)
        return refuse(choosing, "not NOT NULL is the column ", name);
    return STATUS_OK;
}

static enum status find_told(struct choosing *choosing)
{
    const char *list = choosing->told;
    struct buffer name = {0};
    uint32_t count = 0;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && name_list_take(&list, &name)) {
        status = buffer_check(&name, choosing->err);
        if (status == STATUS_OK)
            status = check_told_column(choosing, (const char *)name.data);
        count++;
    }
    if (status == STATUS_OK && count == 0)
        status = refuse(choosing, "it names no column", "");
    for (uint32_t i = 0; i < choosing->indexes->count && status == STATUS_OK; i++) {
        const struct postgres_index *index = &choosing->indexes->list[i];

        if (choosing->by == NULL && could_be_key(choosing, index) &&
            is_list_of(&index->unique, choosing->told, &name, &count))
            choosing->by = index;
        status = buffer_check(&name, choosing->err);
    }
    buffer_release(&name);
    if (status == STATUS_OK && choosing->by == NULL) {
        status = refuse(choosing,
                        "no unique index that is neither partial nor deferrable has "
                        "exactly these columns",
                        "");
    }
    return status;
}

/* ---- the choice */

/* What Postgres logs of an updated or deleted row's old key: without it, it refuses the
 * application's own UPDATEs once the table is published. */
static enum status check_identity(struct choosing *choosing)
{
    const struct postgres_index *by = choosing->by;

    if (choosing->table->rule != NULL && choosing->table->rule->direction == TABLE_IN)
        return STATUS_OK;
    switch (choosing->table->identity) {
    case 'n':
        return leave_out(choosing, "its replica identity is NOTHING",
                         by->is_primary ? "REPLICA IDENTITY DEFAULT"
                                        : "REPLICA IDENTITY USING INDEX ",
                         by->is_primary ? NULL : by->unique.name);
    case 'i':
        if (by->is_identity)
            return STATUS_OK;
        return leave_out(choosing, "the index of its replica identity is gone",
                         by->is_primary ? "REPLICA IDENTITY DEFAULT"
                                        : "REPLICA IDENTITY USING INDEX ",
                         by->is_primary ? NULL : by->unique.name);
    case 'd':
        if (by->is_primary)
            return STATUS_OK;
        return leave_out(choosing, "no primary key, and no replica identity yet",
                         "REPLICA IDENTITY USING INDEX ", by->unique.name);
    default: /* f: the whole row */
        return STATUS_OK;
    }
}

static enum status no_key(struct choosing *choosing)
{
    const struct postgres_index *primary = find_primary(choosing);
    const struct postgres_index *usable = find_usable(choosing, NULL);
    const char *why =
        primary == NULL ? "no primary key" : "its primary key is deferrable";

    return leave_out(choosing, why,
                     usable == NULL ? NULL : "REPLICA IDENTITY USING INDEX ",
                     usable == NULL ? NULL : usable->unique.name);
}

static enum status choose(struct choosing *choosing)
{
    const struct table_name *name = choosing->table->name;
    const struct postgres_index *primary = find_primary(choosing);
    const struct postgres_index *identity =
        choosing->table->identity == 'i' ? find_identity(choosing) : NULL;
    enum status status = STATUS_OK;

    if (primary != NULL && primary->unique.deferrable)
        primary = NULL;
    if (choosing->told != NULL) {
        status = find_told(choosing);
        if (status != STATUS_OK)
            return status;
        if (identity != NULL && identity != choosing->by)
            return refuse(choosing, "its replica identity is the index ",
                          identity->unique.name);
        if (identity == NULL && primary != NULL && primary != choosing->by)
            return refuse(choosing, "the table has a primary key", "");
    } else if (identity != NULL) {
        choosing->by = identity;
    } else {
        choosing->by = primary;
    }
    if (choosing->by == NULL && name->own != NULL)
        choosing->by = find_usable(choosing, name->own);
    if (choosing->by == NULL && name->others != NULL)
        choosing->by = find_usable(choosing, name->others);
    return choosing->by == NULL ? no_key(choosing) : check_identity(choosing);
}

/* Number the key's columns as the index has them; or as the fleet has them, when these
 * are the same columns and not the primary key's: keys are compared as they are written.
 */
static enum status number_key(struct choosing *choosing, struct definition *definition)
{
    const struct table_name *name = choosing->table->name;
    const struct definition *fleets = name->own != NULL ? name->own : name->others;
    const struct unique_key *unique = &choosing->by->unique;

    if (choosing->by->is_primary)
        fleets = NULL;
    if (fleets != NULL && !has_key_of(unique, fleets)) {
        if (choosing->told != NULL)
            return refuse(choosing, "the fleet's key of it has other columns", "");
        fleets = NULL;
    }
    for (uint32_t i = 0; i < unique->term_count; i++) {
        int32_t column = definition_find_column(definition, unique->terms[i]);
        int32_t theirs =
            fleets == NULL ? -1 : definition_find_column(fleets, unique->terms[i]);

        assert(column >= 0);
        definition->columns[column].key_position =
            theirs < 0 ? i + 1 : fleets->columns[theirs].key_position;
    }
    definition->key_count = unique->term_count;
    return STATUS_OK;
}

enum status postgres_key_choose(struct definition *definition,
                                const struct postgres_indexes *indexes,
                                const struct postgres_table *table, struct arena *arena,
                                char **why, struct error *err)
{
    struct choosing choosing = {
        .definition = definition,
        .indexes = indexes,
        .table = table,
        .told = table->rule != NULL ? table->rule->key : NULL,
        .why = why,
        .err = err,
    };
    enum status status = choose(&choosing);

    if (status != STATUS_OK || *why != NULL)
        return status;
    status = number_key(&choosing, definition);
    definition->uniques =
        arena_take(arena, (size_t)indexes->count + 1, sizeof *definition->uniques);
    if (definition->uniques == NULL)
        return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
    for (uint32_t i = 0; i < indexes->count; i++) {
        const struct postgres_index *index = &indexes->list[i];
        struct unique_key *unique = &definition->uniques[definition->unique_count];

        if (index == choosing.by && index->is_exact)
            continue;
        *unique = index->unique;
        unique->is_primary = index == choosing.by;
        definition->unique_count++;
    }
    return status;
}
