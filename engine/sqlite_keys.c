#include "engine/sqlite_keys.h"

#include "engine/sqlite_index_sql.h"
#include "engine/sqlite_query.h"
#include "engine/sqlite_type.h"

#include <assert.h>
#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
}

/* A unique index as PRAGMA index_list names it. */
struct listed_index {
    const char *name;
    bool is_primary;
    bool is_automatic; /* made by a constraint: columns only */
};

/* One key column as PRAGMA index_xinfo tells it. */
enum term_place { TERM_EXPRESSION = -2, TERM_ROWID = -1 };

static const char xinfo_sql[] =
    "SELECT cid, name, coll FROM pragma_index_xinfo(?1, 'main') WHERE \"key\""
    " ORDER BY seqno";

/* Count the key columns; *usable: false when the rowid is one, so that no two rows can
 * ever be equal in it. */
static enum status count_terms(struct sqlite_database *database, const char *index,
                               uint32_t *count, bool *usable, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_query(database, xinfo_sql, index, &statement, err);

    *count = 0;
    *usable = true;
    while (status == STATUS_OK) {
        status = sqlite_next_row(database, statement, err);
        if (status != STATUS_OK)
            break;
        *count += 1;
        if (sqlite3_column_int(statement, 0) == TERM_ROWID)
            *usable = false;
    }
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status split_sql(struct sqlite_database *database, struct arena *arena,
                             const char *index, struct sqlite_index_sql *out,
                             struct error *err)
{
    sqlite3_stmt *statement = NULL;
    const char *sql = NULL;
    enum status status = sqlite_query(
        database, "SELECT sql FROM main.sqlite_schema WHERE type = 'index' AND name = ?1",
        index, &statement, err);

    if (status == STATUS_OK)
        status = sqlite_next_row(database, statement, err);
    if (status == STATUS_OK)
        status = sqlite_copy_text(arena, statement, 0, &sql, err);
    (void)sqlite3_finalize(statement);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && sql == NULL))
        return error_set(err, STATUS_CORRUPT, "no text of index %s", index);
    if (status == STATUS_OK)
        status = sqlite_index_split(arena, sql, out, err);
    return status == STATUS_OK ? status : error_wrap(err, status, index);
}

/* Fill in the terms of a unique constraint from its index. */
static enum status read_terms(struct sqlite_database *database, struct arena *arena,
                              const char *index, const struct sqlite_index_sql *text,
                              struct unique_key *unique, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status = sqlite_query(database, xinfo_sql, index, &statement, err);

    for (uint32_t i = 0; i < unique->term_count && status == STATUS_OK; i++) {
        status = sqlite_next_row(database, statement, err);
        assert(status != STATUS_NOT_FOUND); /* counted in this very transaction */
        if (status != STATUS_OK)
            break;
        unique->is_expression[i] = sqlite3_column_int(statement, 0) == TERM_EXPRESSION;
        if (unique->is_expression[i])
            unique->terms[i] = text->terms[i];
        else
            status = sqlite_copy_text(arena, statement, 1, &unique->terms[i], err);
        if (status == STATUS_OK)
            status = sqlite_copy_text(arena, statement, 2, &unique->collations[i], err);
        if (status == STATUS_OK)
            unique->collations[i] = sqlite_collation(unique->collations[i]);
    }
    (void)sqlite3_finalize(statement);
    return status;
}

/* Whether rows with other bytes in this key may be equal to the engine. */
static bool compares_otherwise(const struct definition *definition,
                               const struct unique_key *key)
{
    for (uint32_t i = 0; i < key->term_count; i++) {
        int32_t column = definition_find_column(definition, key->terms[i]);

        assert(column >= 0);
        if (strcmp(key->collations[i], "BINARY") != 0 ||
            definition->columns[column].type == FLEET_ANY)
            return true;
    }
    return false;
}

/* Whether these are exactly the key's columns, in any order. */
static bool is_key(const struct definition *definition, const struct unique_key *unique)
{
    if (unique->where_sql != NULL || unique->term_count != definition->key_count)
        return false;
    for (uint32_t i = 0; i < unique->term_count; i++) {
        int32_t column = -1;

        if (!unique->is_expression[i])
            column = definition_find_column(definition, unique->terms[i]);
        if (column < 0 || definition->columns[column].key_position == 0)
            return false;
    }
    return true;
}

static enum status read_unique(struct sqlite_database *database, struct arena *arena,
                               const struct listed_index *index, bool chosen,
                               struct definition *definition, struct error *err)
{
    struct unique_key *unique = &definition->uniques[definition->unique_count];
    struct sqlite_index_sql text = {0};
    bool usable = true;
    enum status status =
        count_terms(database, index->name, &unique->term_count, &usable, err);

    if (status != STATUS_OK || !usable)
        return status;
    unique->name = index->is_automatic ? "" : index->name;
    unique->is_primary = index->is_primary;
    unique->terms = arena_take(arena, unique->term_count, sizeof *unique->terms);
    unique->collations = arena_take(arena, unique->term_count, sizeof *unique->terms);
    unique->is_expression =
        arena_take(arena, unique->term_count, sizeof *unique->is_expression);
    if (unique->terms == NULL || unique->collations == NULL ||
        unique->is_expression == NULL)
        return no_memory(err);
    if (!index->is_automatic)
        status = split_sql(database, arena, index->name, &text, err);
    if (status != STATUS_OK)
        return status;
    if (!index->is_automatic && text.term_count != unique->term_count)
        return error_set(err, STATUS_CORRUPT, "the text of index %s has %u terms, not %u",
                         index->name, text.term_count, unique->term_count);
    unique->where_sql = text.where;
    status = read_terms(database, arena, index->name, &text, unique, err);
    if (status != STATUS_OK)
        return status;
    if (chosen)
        unique->is_primary = is_key(definition, unique);
    if (!unique->is_primary || compares_otherwise(definition, unique))
        definition->unique_count++;
    return STATUS_OK;
}

enum status sqlite_uniques_read(struct sqlite_database *database, struct arena *arena,
                                bool chosen, struct definition *definition,
                                struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status;

    definition->uniques =
        arena_take(arena, DEFINITION_KEYS_MAX, sizeof *definition->uniques);
    if (definition->uniques == NULL)
        return no_memory(err);
    /* Automatic ones are numbered at the end of their names. */
    status = sqlite_query(
        database,
        "SELECT name, origin FROM pragma_index_list(?1, 'main') WHERE \"unique\""
        " ORDER BY origin = 'c', iif(origin = 'c', 0, length(name)), name",
        definition->local_name, &statement, err);
    while (status == STATUS_OK) {
        struct listed_index index = {0};
        const char *origin;

        status = sqlite_next_row(database, statement, err);
        if (status == STATUS_OK && definition->unique_count == DEFINITION_KEYS_MAX)
            status = error_set(err, STATUS_REFUSED, "more than %d unique indexes",
                               DEFINITION_KEYS_MAX);
        if (status == STATUS_OK)
            status = sqlite_copy_text(arena, statement, 0, &index.name, err);
        if (status != STATUS_OK)
            break;
        origin = (const char *)sqlite3_column_text(statement, 1);
        if (origin == NULL) {
            status = sqlite_failed(database, "read the schema", err);
            break;
        }
        index.is_primary = strcmp(origin, "pk") == 0;
        index.is_automatic = strcmp(origin, "c") != 0;
        status = read_unique(database, arena, &index, chosen, definition, err);
    }
    (void)sqlite3_finalize(statement);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
