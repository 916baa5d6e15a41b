/* What a Postgres database shows, in tables of SQLite: only the columns that a constraint
 * asks for, without types, holding what Postgres makes of each value in a form that is
 * equal when the value is. Expressions and conditions of indexes are asked of Postgres
 * (node/shown_question.h). What can't be told so (types and collations whose equal values
 * print differently) is lacking: shown_lacks() says it. */
#include "node/shown_private.h"

#include "engine/postgres_stored.h"
#include "log/row_key.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names that differ by case only are one to SQLite. */
void shown_put_name(const struct shown *shown, struct buffer *sql, const char *name)
{
    if (shown->asked == NULL) {
        sqlite_put_quoted(sql, name);
        return;
    }
    buffer_put(sql, '"', 1);
    for (; *name != '\0'; name++) {
        if ((*name >= 'A' && *name <= 'Z') || *name == '"' || *name == '^')
            buffer_put(sql, '^', 1);
        buffer_put(sql, *name == '"' ? '\'' : (uint8_t)*name, 1);
    }
    buffer_put(sql, '"', 1);
}

/* ---- what can be told */

static bool is_comparable(const struct column *column, const char *collation)
{
    static const char *const texts[] = {"text", "character varying", "character", "name"};

    if (!shown_is_comparable(column->type, collation))
        return false;
    if (column->type != FLEET_TEXT)
        return true;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t size = strlen(texts[i]);

        if (strncmp(column->declared_type, texts[i], size) == 0 &&
            (column->declared_type[size] == '\0' || column->declared_type[size] == '('))
            return true;
    }
    return false; /* citext, a domain */
}

static bool is_simple(const struct definition *definition,
                      const struct unique_key *unique)
{
    if (unique->where_sql != NULL || unique->nulls_equal)
        return false;
    for (uint32_t i = 0; i < unique->term_count; i++) {
        int32_t column = unique->is_expression[i]
                             ? -1
                             : definition_find_column(definition, unique->terms[i]);

        if (column < 0 || definition->columns[column].generated != GENERATED_NO ||
            !is_comparable(&definition->columns[column], unique->collations[i]))
            return false;
    }
    return true;
}

static bool is_foreign_simple(const struct definition *definition,
                              const char *const *columns, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int32_t column = definition_find_column(definition, columns[i]);

        if (column < 0 || definition->columns[column].generated != GENERATED_NO ||
            !is_comparable(&definition->columns[column],
                           definition->columns[column].collation))
            return false;
    }
    return true;
}

static enum status note_lack(struct shown *shown, size_t table, const char *what,
                             const char *name, struct error *err)
{
    if (shown->lacks[table] == NULL &&
        asprintf(&shown->lacks[table],
                 "%s %s is over values that only Postgres can compare", what, name) < 0) {
        shown->lacks[table] = NULL;
        return error_set(err, STATUS_NO_MEMORY, "diff: out of memory");
    }
    return STATUS_OK;
}

/* Have Postgres evaluate the unique indexes that are more than columns. */
static enum status open_question(struct shown *shown, size_t table, struct error *err)
{
    const struct definition *own = shown->catalog->definitions[table];
    uint32_t *asked = calloc((size_t)own->unique_count + 1, sizeof *asked);
    uint32_t count = 0;
    int64_t lacking = -1;
    enum status status = STATUS_OK;

    if (asked == NULL)
        return error_set(err, STATUS_NO_MEMORY, "diff: out of memory");
    for (uint32_t i = 0; i < own->unique_count; i++)
        if (!is_simple(own, &own->uniques[i]))
            asked[count++] = i;
    if (count > 0) {
        status =
            shown_question_open(&shown->questions[table], shown->asked,
                                shown->stored[table], own, asked, count, &lacking, err);
    }
    if (status == STATUS_OK && lacking >= 0)
        status =
            note_lack(shown, table, "the unique index", own->uniques[lacking].name, err);
    free(asked);
    return status;
}

static enum status find_lacks(struct shown *shown, size_t table, struct error *err)
{
    const struct definition *own = shown->catalog->definitions[table];
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < own->foreign_key_count; i++) {
        const struct foreign_key *key = &own->foreign_keys[i];
        int64_t parent = shown_find_parent(shown, key);

        if (shown->foreign_keys && parent >= 0 &&
            (!is_foreign_simple(own, key->columns, key->column_count) ||
             !is_foreign_simple(shown->catalog->definitions[parent], key->parent_columns,
                                key->column_count)))
            status = note_lack(shown, table, "the foreign key", key->name, err);
    }
    return status == STATUS_OK && shown->lacks[table] == NULL
               ? open_question(shown, table, err)
               : status;
}

/* ---- tables */

static bool is_among(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

bool shown_has_column(const struct shown *shown, size_t table, uint32_t column)
{
    const struct definition *own = shown->catalog->definitions[table];
    const char *name = own->columns[column].name;
    bool used = own->columns[column].key_position > 0;

    if (own->columns[column].generated != GENERATED_NO)
        return false;
    if (shown->asked == NULL)
        return true;
    for (uint32_t i = 0; !used && i < own->unique_count; i++)
        used = is_among(own->uniques[i].terms, own->uniques[i].term_count, name);
    for (uint32_t i = 0; !used && i < own->foreign_key_count; i++)
        used = is_among(own->foreign_keys[i].columns, own->foreign_keys[i].column_count,
                        name);
    for (size_t t = 0; !used && t < shown->catalog->count; t++) {
        const struct definition *child = shown->catalog->definitions[t];

        for (uint32_t i = 0; !used && i < child->foreign_key_count; i++) {
            const struct foreign_key *key = &child->foreign_keys[i];

            used = strcmp(key->parent, own->name) == 0 &&
                   is_among(key->parent_columns, key->column_count, name);
        }
    }
    return used;
}

static void put_unique(struct shown *shown, struct buffer *sql, size_t table,
                       uint32_t number)
{
    const struct definition *own = shown->catalog->definitions[table];
    const struct unique_key *unique = &own->uniques[number];
    char index[96];

    if (!is_simple(own, unique))
        return;
    (void)snprintf(index, sizeof index,
                   "CREATE UNIQUE INDEX \"rowferry unique %zu %u\" ON ", table, number);
    buffer_put_bytes(sql, bytes_of_text(index));
    shown_put_name(shown, sql, own->local_name);
    for (uint32_t i = 0; i < unique->term_count; i++) {
        buffer_put_bytes(sql, bytes_of_text(i == 0 ? " (" : ", "));
        shown_put_name(shown, sql, unique->terms[i]);
    }
    buffer_put_bytes(sql, bytes_of_text(");"));
}

/* The primary key is no unique constraint here, since rows have one key each in the
 * store: its index is for those who look for parents. */
static void put_key(struct shown *shown, struct buffer *sql, size_t table)
{
    const struct definition *own = shown->catalog->definitions[table];
    uint32_t found = 0;
    char index[96];

    (void)snprintf(index, sizeof index, "CREATE INDEX \"rowferry key %zu\" ON ", table);
    for (uint32_t position = 1; position <= own->key_count; position++) {
        for (uint32_t i = 0; i < own->column_count; i++) {
            if (own->columns[i].key_position != position ||
                !shown_has_column(shown, table, i))
                continue;
            if (found == 0) {
                buffer_put_bytes(sql, bytes_of_text(index));
                shown_put_name(shown, sql, own->local_name);
            }
            buffer_put_bytes(sql, bytes_of_text(found++ == 0 ? " (" : ", "));
            shown_put_name(shown, sql, own->columns[i].name);
        }
    }
    buffer_put_bytes(sql, bytes_of_text(found > 0 ? ");" : ""));
}

static void put_uniques(struct shown *shown, struct buffer *sql, size_t table)
{
    const struct definition *own = shown->catalog->definitions[table];
    struct buffer name = {0};

    if (shown->lacks[table] != NULL)
        return;
    for (uint32_t i = 0; i < own->unique_count; i++)
        put_unique(shown, sql, table, i);
    shown_put_name(shown, &name, own->local_name);
    sql->failed = sql->failed || name.failed;
    shown_question_put_indexes(shown->questions[table], table, buffer_view(&name), sql);
    buffer_release(&name);
}

enum status shown_make_postgres(struct shown *shown, size_t table, struct error *err)
{
    const struct definition *own = shown->catalog->definitions[table];
    struct buffer sql = {0};
    bool any = false;
    enum status status =
        postgres_stored_open(&shown->stored[table], shown->asked, own, err);

    if (status == STATUS_OK)
        status = find_lacks(shown, table, err);
    if (status != STATUS_OK)
        return status;
    buffer_put_bytes(&sql, bytes_of_text("CREATE TABLE main."));
    shown_put_name(shown, &sql, own->local_name);
    for (uint32_t i = 0; i < own->column_count; i++) {
        if (!shown_has_column(shown, table, i))
            continue;
        buffer_put_bytes(&sql, bytes_of_text(any ? ", " : " ("));
        shown_put_name(shown, &sql, own->columns[i].name);
        any = true;
    }
    shown_question_put_columns(shown->questions[table], &sql);
    buffer_put_bytes(&sql, bytes_of_text(");"));
    put_key(shown, &sql, table);
    put_uniques(shown, &sql, table);
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = sqlite_execute(shown->scratch, (const char *)sql.data, err);
    buffer_release(&sql);
    return status;
}

/* ---- values */

enum status shown_canonical(struct shown *shown, size_t table, uint32_t column,
                            struct value *value, struct error *err)
{
    const struct definition *own = shown->catalog->definitions[table];
    struct stored *stored = shown->stored[table];
    struct value becomes;
    enum status status;

    if (value->type == VALUE_NULL || value->type == VALUE_ABSENT)
        return STATUS_OK;
    status = stored->ops->value(stored, (uint32_t)definition_image_place(own, column),
                                value, &becomes, err);
    if (status != STATUS_OK)
        return status;
    if (becomes.type == VALUE_REAL && isnan(becomes.real)) /* to SQLite it is NULL */
        becomes = (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text("NaN")};
    *value = row_key_canonical(&becomes);
    return STATUS_OK;
}
