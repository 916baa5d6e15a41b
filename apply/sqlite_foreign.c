#include "apply/sqlite_foreign.h"

#include "apply/sqlite_schema.h"
#include "engine/sqlite_query.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const struct definition *child_of(const struct sqlite_foreign *foreign)
{
    return foreign->base.child->definition;
}

static const struct definition *parent_of(const struct sqlite_foreign *foreign)
{
    return foreign->base.parent->definition;
}

/* The named column; the catalog has checked that there is one. NULL when it is not. */
static const struct column *find_column(const struct definition *definition,
                                        const char *name)
{
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (sqlite3_stricmp(definition->columns[i].name, name) == 0)
            return &definition->columns[i];
    return NULL;
}

static enum status prepare(struct sqlite_foreign *foreign, struct buffer *sql,
                           sqlite3_stmt **out, struct error *err)
{
    enum status status = sql_prepare(foreign->database, sql, out, err);

    buffer_release(sql);
    return status;
}

/* "NOT EXISTS (…)" for the child's row c. */
static void put_no_parent(struct buffer *sql, const struct sqlite_foreign *foreign)
{
    sql_put(sql, "NOT EXISTS (SELECT 1 FROM ");
    sql_put_table(sql, SCHEMA_MAIN, parent_of(foreign));
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        sql_put(sql, i == 0 ? " AS p WHERE " : " AND ");
        sql_put_column(sql, "p", foreign->base.key->parent_columns[i]);
        /* The plus takes away the child's affinity: the parent's counts. */
        sql_put(sql, " = +");
        sql_put_column(sql, "c", foreign->base.key->columns[i]);
    }
    sql_put(sql, ")");
}

static void put_refers(struct buffer *sql, const struct sqlite_foreign *foreign)
{
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        sql_put_column(sql, "c", foreign->base.key->columns[i]);
        sql_put(sql, " IS NOT NULL AND ");
    }
}

enum affinity { AFFINITY_NONE, AFFINITY_TEXT, AFFINITY_NUMERIC };

static enum affinity affinity_of(const struct column *column)
{
    switch (column->type) {
    case FLEET_ANY:
    case FLEET_BLOB:
        return AFFINITY_NONE;
    case FLEET_TEXT:
        return AFFINITY_TEXT;
    default:
        return AFFINITY_NUMERIC;
    }
}

/* ---- life */

enum status sqlite_foreign_open(struct sqlite_foreign *foreign, struct error *err)
{
    uint32_t count = foreign->base.key->column_count;

    foreign->places = calloc(count, sizeof *foreign->places);
    if (foreign->places == NULL)
        return error_set(err, STATUS_NO_MEMORY, "foreign keys: out of memory");
    for (uint32_t i = 0; i < count; i++) {
        const struct definition *child = child_of(foreign);
        const struct column *column = find_column(child, foreign->base.key->columns[i]);
        const struct column *referred =
            find_column(parent_of(foreign), foreign->base.key->parent_columns[i]);
        int32_t place = -1;

        if (column == NULL || referred == NULL)
            return error_set(err, STATUS_CORRUPT, "%s: a foreign key names no column",
                             child->local_name);
        place = definition_image_place(child, (uint32_t)(column - child->columns));
        foreign->base.beyond_key =
            foreign->base.beyond_key || referred->key_position == 0;
        foreign->base.inexact = foreign->base.inexact ||
                                strcmp(referred->collation, "BINARY") != 0 ||
                                affinity_of(column) != affinity_of(referred);
        foreign->places[i] = place < 0 ? UINT32_MAX : (uint32_t)place;
    }
    return STATUS_OK;
}

void sqlite_foreign_release(struct sqlite_foreign *foreign)
{
    (void)sqlite3_finalize(foreign->probe);
    (void)sqlite3_finalize(foreign->violated_main);
    (void)sqlite3_finalize(foreign->violated_scratch);
    (void)sqlite3_finalize(foreign->note);
    (void)sqlite3_finalize(foreign->orphans);
    (void)sqlite3_finalize(foreign->all_orphans);
    (void)sqlite3_finalize(foreign->forget);
    free(foreign->places);
    *foreign = (struct sqlite_foreign){0};
}

/* ---- one child */

static enum status prepare_probe(struct sqlite_foreign *foreign, struct error *err)
{
    struct buffer sql = {0};

    sql_put(&sql, "SELECT 1 FROM ");
    sql_put_table(&sql, SCHEMA_MAIN, parent_of(foreign));
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        sql_put(&sql, i == 0 ? " WHERE " : " AND ");
        sqlite_put_quoted(&sql, foreign->base.key->parent_columns[i]);
        sql_put(&sql, " = ?");
    }
    return prepare(foreign, &sql, &foreign->probe, err);
}

/* Whether the values can be compared as they stand: *refers: none is NULL. */
static bool are_plain(const struct sqlite_foreign *foreign, const struct value *values,
                      bool *refers)
{
    bool plain = true;

    *refers = true;
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        uint32_t place = foreign->places[i];

        if (place == UINT32_MAX) {
            plain = false;
            continue;
        }
        if (values[place].type == VALUE_NULL)
            *refers = false;
        else if (!sql_is_stored_as_it_is(
                     find_column(child_of(foreign), foreign->base.key->columns[i]),
                     &values[place]))
            plain = false;
    }
    return plain;
}

enum status sqlite_foreign_holds(struct sqlite_foreign *foreign,
                                 const struct value *values, bool *holds, bool *sure,
                                 struct error *err)
{
    bool refers;
    bool plain = are_plain(foreign, values, &refers);
    enum status status = STATUS_OK;
    int rc;

    *holds = !refers;
    *sure = !refers || plain;
    if (!refers || !plain)
        return STATUS_OK;
    if (foreign->probe == NULL)
        status = prepare_probe(foreign, err);
    for (uint32_t i = 0; i < foreign->base.key->column_count && status == STATUS_OK; i++)
        status = sqlite_bind_value(foreign->database, foreign->probe, (int)i + 1,
                                   &values[foreign->places[i]], err);
    if (status != STATUS_OK)
        return status;
    rc = sqlite3_step(foreign->probe);
    *holds = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = sqlite_failed(foreign->database, parent_of(foreign)->local_name, err);
    (void)sqlite3_reset(foreign->probe);
    return status;
}

static enum status prepare_violated(struct sqlite_foreign *foreign,
                                    enum sql_schema schema, sqlite3_stmt **out,
                                    struct error *err)
{
    struct buffer sql = {0};

    sql_put(&sql, "SELECT 1 FROM ");
    sql_put_table(&sql, schema, child_of(foreign));
    sql_put(&sql, " AS c");
    if (schema == SCHEMA_MAIN)
        sql_put_key_condition(&sql, child_of(foreign), "c", 1);
    sql_put(&sql, schema == SCHEMA_MAIN ? " AND " : " WHERE ");
    put_refers(&sql, foreign);
    put_no_parent(&sql, foreign);
    return prepare(foreign, &sql, out, err);
}

enum status sqlite_foreign_violated(struct sqlite_foreign *foreign,
                                    enum sql_schema schema, bool *violated,
                                    struct error *err)
{
    sqlite3_stmt **statement =
        schema == SCHEMA_MAIN ? &foreign->violated_main : &foreign->violated_scratch;
    enum status status = STATUS_OK;
    int rc;

    if (*statement == NULL)
        status = prepare_violated(foreign, schema, statement, err);
    if (status == STATUS_OK && schema == SCHEMA_MAIN)
        status = sqlite_writer_bind_key(sqlite_table_of(foreign->base.child)->writer,
                                        *statement, 1, err);
    if (status != STATUS_OK)
        return status;
    rc = sqlite3_step(*statement);
    *violated = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        status = sqlite_failed(foreign->database, child_of(foreign)->local_name, err);
    (void)sqlite3_reset(*statement);
    return status;
}

/* ---- parents that went away */

static void put_gone(struct buffer *sql, const struct sqlite_foreign *foreign)
{
    char name[48];

    (void)sqlite3_snprintf((int)sizeof name, name, "rowferry_gone_%u",
                           foreign->base.number);
    sql_put(sql, name);
}

/* "v0, v1" with, or without, the parent's types. */
static void put_gone_columns(struct buffer *sql, const struct sqlite_foreign *foreign,
                             bool typed)
{
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        const struct column *column =
            find_column(parent_of(foreign), foreign->base.key->parent_columns[i]);
        char name[16];

        (void)sqlite3_snprintf((int)sizeof name, name, i == 0 ? "v%u" : ", v%u", i);
        sql_put(sql, name);
        if (!typed)
            continue;
        if (column->type != FLEET_ANY) {
            sql_put(sql, " ");
            sqlite_put_quoted(sql, column->declared_type);
        }
        sql_put(sql, " COLLATE ");
        sqlite_put_quoted(sql, column->collation);
    }
}

static enum status make_gone(struct sqlite_foreign *foreign, struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    sql_put(&sql, "CREATE TEMP TABLE IF NOT EXISTS ");
    put_gone(&sql, foreign);
    sql_put(&sql, " (");
    put_gone_columns(&sql, foreign, true);
    sql_put(&sql, ")");
    status = sql_execute(foreign->database, &sql, err);
    foreign->gone_made = status == STATUS_OK;
    buffer_release(&sql);
    return status == STATUS_OK ? sqlite_foreign_forget_gone(foreign, err) : status;
}

enum status sqlite_foreign_note_gone(struct sqlite_foreign *foreign, struct error *err)
{
    enum status status = foreign->gone_made ? STATUS_OK : make_gone(foreign, err);

    if (status == STATUS_OK && foreign->note == NULL) {
        struct buffer sql = {0};

        sql_put(&sql, "INSERT INTO temp.");
        put_gone(&sql, foreign);
        for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
            sql_put(&sql, i == 0 ? " SELECT " : ", ");
            sql_put_column(&sql, "p", foreign->base.key->parent_columns[i]);
        }
        sql_put(&sql, " FROM ");
        sql_put_table(&sql, SCHEMA_MAIN, parent_of(foreign));
        sql_put(&sql, " AS p");
        sql_put_key_condition(&sql, parent_of(foreign), "p", 1);
        status = prepare(foreign, &sql, &foreign->note, err);
    }
    if (status == STATUS_OK)
        status = sqlite_writer_bind_key(sqlite_table_of(foreign->base.parent)->writer,
                                        foreign->note, 1, err);
    if (status == STATUS_OK)
        status = sql_run(foreign->database, foreign->note, "note a parent", err);
    if (status == STATUS_OK)
        foreign->base.gone++;
    return status;
}

enum status sqlite_foreign_forget_gone(struct sqlite_foreign *foreign, struct error *err)
{
    enum status status = STATUS_OK;

    if (foreign->gone_made && foreign->forget == NULL) {
        struct buffer sql = {0};

        sql_put(&sql, "DELETE FROM temp.");
        put_gone(&sql, foreign);
        status = prepare(foreign, &sql, &foreign->forget, err);
    }
    foreign->base.gone = 0;
    if (status != STATUS_OK || !foreign->gone_made)
        return status;
    return sql_run(foreign->database, foreign->forget, "forget parents", err);
}

/* "temp.gone AS g CROSS JOIN main.child AS c WHERE g.v0 = c.x AND … AND "; once: each
 * child no more than once, though its parent went more than once. */
static void put_of_gone(struct buffer *sql, const struct sqlite_foreign *foreign,
                        bool once)
{
    const struct definition *child = child_of(foreign);

    sql_put(sql, once ? "(SELECT DISTINCT * FROM temp." : "temp.");
    put_gone(sql, foreign);
    sql_put(sql, once ? ") AS g CROSS JOIN " : " AS g CROSS JOIN ");
    sql_put_table(sql, SCHEMA_MAIN, child);
    sql_put(sql, " AS c WHERE ");
    for (uint32_t i = 0; i < foreign->base.key->column_count; i++) {
        const struct column *mine = find_column(child, foreign->base.key->columns[i]);
        const struct column *theirs =
            find_column(parent_of(foreign), foreign->base.key->parent_columns[i]);
        char text[24];
        bool plain;

        /* Without the plus an index of the child's can be used; where both have one
         * affinity it makes no difference. With RTRIM an automatic index would miss
         * rows (SQLite 3.40). */
        plain = affinity_of(mine) == affinity_of(theirs) &&
                sqlite3_stricmp(theirs->collation, "RTRIM") != 0;
        (void)sqlite3_snprintf((int)sizeof text, text, "g.v%u = %s", i, plain ? "" : "+");
        sql_put(sql, text);
        sql_put_column(sql, "c", mine->name);
        sql_put(sql, " AND ");
    }
}

static void put_orphans(struct buffer *sql, const struct sqlite_foreign *foreign,
                        bool all)
{
    const struct definition *child = child_of(foreign);

    sql_put(sql, "SELECT ");
    sql_put_key_columns(sql, child, "c");
    sql_put(sql, " FROM ");
    if (all) {
        sql_put_table(sql, SCHEMA_MAIN, child);
        sql_put(sql, " AS c WHERE ");
    } else {
        put_of_gone(sql, foreign, false);
    }
    put_refers(sql, foreign);
    put_no_parent(sql, foreign);
    for (uint32_t i = 0; i < child->key_count; i++) { /* others are not replicated */
        sql_put(sql, " AND ");
        sql_put_column(sql, "c", sql_key_column(child, i)->name);
        sql_put(sql, " IS NOT NULL");
    }
}

enum status sqlite_foreign_next_orphan(struct sqlite_foreign *foreign, bool all,
                                       struct buffer *key, struct error *err)
{
    sqlite3_stmt **statement = all ? &foreign->all_orphans : &foreign->orphans;
    enum status status = STATUS_OK;
    int rc;

    assert(all || foreign->gone_made);
    if (*statement == NULL) {
        struct buffer sql = {0};

        put_orphans(&sql, foreign, all);
        status = prepare(foreign, &sql, statement, err);
    }
    if (status != STATUS_OK)
        return status;
    rc = sqlite3_step(*statement);
    if (rc == SQLITE_ROW)
        return sql_take_key(key, *statement, 0, child_of(foreign), err);
    if (rc != SQLITE_DONE)
        status = sqlite_failed(foreign->database, child_of(foreign)->local_name, err);
    (void)sqlite3_reset(*statement);
    return status == STATUS_OK ? STATUS_NOT_FOUND : status;
}

/* " AND NOT (…)": not counted for the child's other key already. */
static void put_not_of(struct buffer *sql, const struct sqlite_foreign *other)
{
    sql_put(sql, " AND NOT (");
    put_refers(sql, other);
    put_no_parent(sql, other);
    for (uint32_t i = 0; i < other->base.key->column_count; i++) {
        sql_put(sql, i == 0 ? " AND (+" : ", +");
        sql_put_column(sql, "c", other->base.key->columns[i]);
        sql_put(sql, " COLLATE ");
        sqlite_put_quoted(
            sql,
            find_column(parent_of(other), other->base.key->parent_columns[i])->collation);
    }
    sql_put(sql, ") IN (SELECT ");
    put_gone_columns(sql, other, false);
    sql_put(sql, " FROM temp.");
    put_gone(sql, other);
    sql_put(sql, "))");
}

enum status sqlite_foreign_count_orphans(struct sqlite_foreign *foreign, uint64_t *count,
                                         struct error *err)
{
    enum status status = STATUS_OK;

    assert(foreign->gone_made);
    for (struct batch_foreign *at = foreign->base.next_of_child;
         at != NULL && status == STATUS_OK; at = at->next_of_child)
        if (!sqlite_foreign_of(at)->gone_made)
            status = make_gone(sqlite_foreign_of(at), err);
    if (status == STATUS_OK && foreign->orphans == NULL) {
        struct buffer sql = {0};

        sql_put(&sql, "SELECT count(*) FROM ");
        put_of_gone(&sql, foreign, true);
        put_refers(&sql, foreign);
        put_no_parent(&sql, foreign);
        for (struct batch_foreign *at = foreign->base.next_of_child; at != NULL;
             at = at->next_of_child)
            put_not_of(&sql, sqlite_foreign_of(at));
        status = prepare(foreign, &sql, &foreign->orphans, err);
    }
    if (status != STATUS_OK)
        return status;
    if (sqlite3_step(foreign->orphans) == SQLITE_ROW)
        *count += (uint64_t)sqlite3_column_int64(foreign->orphans, 0);
    else
        status = sqlite_failed(foreign->database, child_of(foreign)->local_name, err);
    (void)sqlite3_reset(foreign->orphans);
    return status;
}

void sqlite_foreign_stop(struct sqlite_foreign *foreign)
{
    (void)sqlite3_reset(foreign->orphans);
    (void)sqlite3_reset(foreign->all_orphans);
}

enum status sqlite_foreign_blocker(struct sqlite_foreign *foreign, struct buffer *key,
                                   struct error *err)
{
    const struct definition *parent = parent_of(foreign);
    enum status status = STATUS_OK;
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    size_t before = key->size;

    if (foreign->base.beyond_key || foreign->base.key->column_count != parent->key_count)
        return STATUS_OK;
    for (uint32_t i = 0; i < parent->key_count; i++) {
        const char *wanted = sql_key_column(parent, i)->name;
        uint32_t at = 0;

        while (at < parent->key_count &&
               sqlite3_stricmp(foreign->base.key->parent_columns[at], wanted) != 0)
            at++;
        if (at == parent->key_count) {
            buffer_release(&sql);
            return STATUS_OK;
        }
        sql_put(&sql, i == 0 ? "SELECT " : ", ");
        sqlite_put_quoted(&sql, foreign->base.key->columns[at]);
    }
    sql_put(&sql, " FROM ");
    sql_put_table(&sql, SCHEMA_SCRATCH, child_of(foreign));
    status = prepare(foreign, &sql, &statement, err);
    if (status == STATUS_OK)
        status = sqlite_next_row(foreign->database, statement, err);
    if (status == STATUS_OK)
        status = sql_take_key(key, statement, 0, parent, err);
    if (status == STATUS_REFUSED) /* a NULL in it */
        buffer_cut(key, before);
    (void)sqlite3_finalize(statement);
    return status == STATUS_REFUSED || status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
