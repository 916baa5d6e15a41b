/* Steps 1 to 3 of what is shown, on the scratch database: rows enter their table in the
 * order of born, so a UNIQUE violation says that an earlier one has the value. */
#include "node/shown_private.h"

#include "engine/sqlite_row.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void put_text(struct buffer *sql, const char *text)
{
    buffer_put_bytes(sql, bytes_of_text(text));
}

/* Prepare what the buffer holds. */
static enum status prepare(struct shown *shown, struct buffer *sql, sqlite3_stmt **out,
                           struct error *err)
{
    enum status status;

    buffer_put(sql, 0, 1);
    status = buffer_check(sql, err);
    return status == STATUS_OK
               ? sqlite_prepare(shown->scratch, (const char *)sql->data, out, err)
               : status;
}

/* ---- rows of one definition into the table */

struct insertion {
    sqlite3_stmt *statement; /* NULL: not made yet */
    uint32_t *places;        /* owned: in the image, of each parameter, */
    uint32_t *columns;       /* and the table's own column; owned */
    int32_t *all;      /* owned: in the image, of each own stored column; -1: nowhere */
    struct value *row; /* owned: the same columns' values, for a question */
    uint32_t asked;    /* parameters after those: answers of Postgres's */
    uint32_t count;
    bool has_id;       /* the row's id is one parameter more */
    uint32_t *foreign; /* owned: places of the columns that the table lacks */
    uint32_t foreign_count;
};

static void release_insertions(struct insertion *insertions, size_t count)
{
    for (size_t i = 0; insertions != NULL && i < count; i++) {
        (void)sqlite3_finalize(insertions[i].statement);
        free(insertions[i].places);
        free(insertions[i].columns);
        free(insertions[i].all);
        free(insertions[i].row);
        free(insertions[i].foreign);
    }
    free(insertions);
}

/* Where images under from have the own column; -1: nowhere. */
static int32_t find_stored(const struct definition *own, uint32_t i,
                           const struct definition *from)
{
    int32_t column = definition_map_column(own, i, from);

    return column < 0 ? -1 : definition_image_place(from, (uint32_t)column);
}

static void map_columns(struct insertion *insertion, const struct shown *shown,
                        const struct shown_source *source, struct buffer *sql)
{
    const struct definition *own = shown->catalog->definitions[source->table];
    const struct definition *from = source->definition;

    put_text(sql, "INSERT OR ABORT INTO main."); /* whatever ON CONFLICT the table says */
    shown_put_name(shown, sql, own->local_name);
    put_text(sql, " (");
    for (uint32_t i = 0; i < own->column_count; i++) {
        int32_t place = find_stored(own, i, from);

        if (!shown_has_column(shown, source->table, i) || place < 0)
            continue;
        put_text(sql, insertion->count > 0 ? ", " : "");
        insertion->columns[insertion->count] = i;
        insertion->places[insertion->count++] = (uint32_t)place;
        shown_put_name(shown, sql, own->columns[i].name);
    }
    shown_question_put_columns(shown->questions[source->table], sql);
    if (insertion->has_id)
        put_text(sql, insertion->count > 0 ? ", \"rowferry id\"" : "\"rowferry id\"");
    put_text(sql, ") VALUES (");
    for (uint32_t i = 0; i < insertion->count + insertion->asked + insertion->has_id; i++)
        put_text(sql, i > 0 ? ", ?" : "?");
    put_text(sql, ")");
    for (uint32_t i = 0; i < from->column_count; i++) {
        if (from->columns[i].generated == GENERATED_NO &&
            definition_map_column(from, i, own) < 0)
            insertion->foreign[insertion->foreign_count++] =
                (uint32_t)definition_image_place(from, i);
    }
}

static enum status open_insertion(struct shown *shown, const struct shown_source *source,
                                  struct insertion *insertion, struct error *err)
{
    const struct definition *own = shown->catalog->definitions[source->table];
    struct buffer sql;
    uint32_t place = 0;
    enum status status;

    insertion->places = calloc((size_t)own->column_count + 1, sizeof *insertion->places);
    insertion->columns =
        calloc((size_t)own->column_count + 1, sizeof *insertion->columns);
    insertion->foreign =
        calloc((size_t)source->definition->column_count + 1, sizeof *insertion->foreign);
    insertion->all = calloc((size_t)own->stored_count + 1, sizeof *insertion->all);
    insertion->row = calloc((size_t)own->stored_count + 1, sizeof *insertion->row);
    if (insertion->places == NULL || insertion->columns == NULL ||
        insertion->foreign == NULL || insertion->all == NULL || insertion->row == NULL)
        return error_set(err, STATUS_NO_MEMORY, "diff: out of memory");
    insertion->has_id = shown_has_id(shown, source->table);
    insertion->asked = shown_question_count(shown->questions[source->table]);
    for (uint32_t i = 0; i < own->column_count; i++)
        if (own->columns[i].generated == GENERATED_NO)
            insertion->all[place++] = find_stored(own, i, source->definition);
    buffer_init(&sql);
    map_columns(insertion, shown, source, &sql);
    status = prepare(shown, &sql, &insertion->statement, err);
    buffer_release(&sql);
    return status;
}

/* Whether the image says something that the table has no column for. */
static bool is_too_wide(const struct insertion *insertion, const struct image *image)
{
    for (uint32_t i = 0; i < insertion->foreign_count; i++) {
        enum value_type type = image->values[insertion->foreign[i]].type;

        if (type != VALUE_NULL && type != VALUE_ABSENT)
            return true;
    }
    return false;
}

/* What Postgres says of the row, behind its columns. */
static enum status bind_answers(struct shown *shown, size_t table,
                                const struct insertion *insertion,
                                const struct image *image, struct error *err)
{
    const struct definition *own = shown->catalog->definitions[table];
    const struct value *answers = NULL;
    enum status status;

    for (uint32_t i = 0; i < own->stored_count; i++)
        insertion->row[i] = insertion->all[i] < 0 ? (struct value){.type = VALUE_ABSENT}
                                                  : image->values[insertion->all[i]];
    status = shown_question_ask(shown->questions[table], insertion->row, &answers, err);
    for (uint32_t i = 0; status == STATUS_OK && i < insertion->asked; i++)
        status = sqlite_bind_value(shown->scratch, insertion->statement,
                                   (int)(insertion->count + i) + 1, &answers[i], err);
    return status;
}

/* CONSTRAINT: Postgres takes no such value. */
static enum status bind_row(struct shown *shown, size_t table,
                            const struct insertion *insertion, const struct image *image,
                            struct error *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 0; status == STATUS_OK && i < insertion->count; i++) {
        struct value value = image->values[insertion->places[i]];

        if (shown->asked != NULL)
            status = shown_canonical(shown, table, insertion->columns[i], &value, err);
        if (status == STATUS_OK)
            status = sqlite_bind_value(shown->scratch, insertion->statement, (int)i + 1,
                                       &value, err);
    }
    return status == STATUS_OK && insertion->asked > 0
               ? bind_answers(shown, table, insertion, image, err)
               : status;
}

/* Try to put one row into its table. */
static enum status insert_row(struct shown *shown, size_t table,
                              const struct insertion *insertion, int64_t id,
                              const struct image *image, enum shown_fate *fate,
                              struct error *err)
{
    sqlite3_stmt *statement = insertion->statement;
    enum status status = STATUS_OK;
    int rc;

    *fate = SHOWN_REFUSED;
    if (is_too_wide(insertion, image))
        return STATUS_OK;
    status = bind_row(shown, table, insertion, image, err);
    if (status != STATUS_OK)
        return status == STATUS_CONSTRAINT ? STATUS_OK : status;
    if (insertion->has_id)
        (void)sqlite3_bind_int64(statement,
                                 (int)(insertion->count + insertion->asked) + 1, id);
    rc = sqlite3_step(statement);
    if (rc == SQLITE_DONE)
        *fate = SHOWN_AS_IT_IS;
    else if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY ||
             rc == SQLITE_CONSTRAINT_ROWID)
        *fate = SHOWN_TAKEN;
    else if ((status = sqlite_failed(shown->scratch, "diff's temporary file", err)) ==
             STATUS_CONSTRAINT)
        status = STATUS_OK;
    (void)sqlite3_reset(statement);
    return status;
}

/* ---- foreign keys */

int64_t shown_find_parent(const struct shown *shown, const struct foreign_key *key)
{
    for (size_t i = 0; i < shown->catalog->count; i++) {
        if (strcmp(shown->catalog->definitions[i]->name, key->parent) == 0)
            return shown->asked == NULL || key->counts ? (int64_t)i : -1;
    }
    return -1;
}

/* Append "AND (each column of c null, or its parent there)" for the table's keys inside
 * or outside of its group; whether there are any. The + takes the child column's affinity
 * away: the parent's holds, and its collation, as SQLite's own enforcement has it. */
static bool put_parents(const struct shown *shown, size_t table, bool inner,
                        struct buffer *sql)
{
    const struct definition *own = shown->catalog->definitions[table];
    bool any = false;

    for (uint32_t i = 0; i < own->foreign_key_count && shown->lacks[table] == NULL; i++) {
        const struct foreign_key *key = &own->foreign_keys[i];
        int64_t parent = shown_find_parent(shown, key);

        if (parent < 0 || (shown->group[parent] == shown->group[table]) != inner)
            continue;
        any = true;
        put_text(sql, " AND (");
        for (uint32_t c = 0; c < key->column_count; c++) {
            put_text(sql, "c.");
            shown_put_name(shown, sql, key->columns[c]);
            put_text(sql, " IS NULL OR ");
        }
        put_text(sql, "EXISTS (SELECT 1 FROM main.");
        shown_put_name(shown, sql, shown->catalog->definitions[parent]->local_name);
        put_text(sql, " AS p WHERE TRUE");
        for (uint32_t c = 0; c < key->column_count; c++) {
            put_text(sql, " AND p.");
            shown_put_name(shown, sql, key->parent_columns[c]);
            put_text(sql, " = +c.");
            shown_put_name(shown, sql, key->columns[c]);
        }
        put_text(sql, "))");
    }
    return any;
}

/* Two statements about the row with one id: whether all outer parents are there, and its
 * removal. Both NULL when there is no foreign key to ask. */
struct candidacy {
    sqlite3_stmt *check;
    sqlite3_stmt *removal;
};

static enum status open_candidacy(struct shown *shown, size_t table,
                                  struct candidacy *out, struct error *err)
{
    const struct definition *own = shown->catalog->definitions[table];
    struct buffer sql;
    enum status status = STATUS_OK;

    *out = (struct candidacy){0};
    buffer_init(&sql);
    put_text(&sql, "SELECT TRUE");
    if (shown->foreign_keys && put_parents(shown, table, false, &sql)) {
        put_text(&sql, " FROM main.");
        shown_put_name(shown, &sql, own->local_name);
        put_text(&sql, " AS c WHERE c.\"rowferry id\" = ?1");
        status = prepare(shown, &sql, &out->check, err);
        buffer_clear(&sql);
        put_text(&sql, "DELETE FROM main.");
        shown_put_name(shown, &sql, own->local_name);
        put_text(&sql, " WHERE \"rowferry id\" = ?1");
        if (status == STATUS_OK)
            status = prepare(shown, &sql, &out->removal, err);
    }
    buffer_release(&sql);
    return status;
}

static enum status check_candidate(struct shown *shown, const struct candidacy *candidacy,
                                   int64_t id, enum shown_fate *fate, struct error *err)
{
    enum status status = STATUS_OK;
    bool is_candidate = false;

    if (candidacy->check == NULL)
        return STATUS_OK;
    (void)sqlite3_bind_int64(candidacy->check, 1, id);
    if (sqlite3_step(candidacy->check) == SQLITE_ROW)
        is_candidate = sqlite3_column_int(candidacy->check, 0) != 0;
    else
        status = sqlite_failed(shown->scratch, "diff's temporary file", err);
    (void)sqlite3_reset(candidacy->check);
    if (status != STATUS_OK || is_candidate)
        return status;
    *fate = SHOWN_ORPHAN_OUTER;
    (void)sqlite3_bind_int64(candidacy->removal, 1, id);
    if (sqlite3_step(candidacy->removal) != SQLITE_DONE)
        status = sqlite_failed(shown->scratch, "diff's temporary file", err);
    (void)sqlite3_reset(candidacy->removal);
    return status;
}

/* ---- the steps */

struct placing {
    struct shown *shown;
    struct insertion *insertions; /* one a source */
    struct candidacy candidacy;
    struct image image;
};

/* The statement stands on one of the table's rows. */
static enum status place_row(struct placing *placing, sqlite3_stmt *rows,
                             struct error *err)
{
    struct shown *shown = placing->shown;
    int64_t id = sqlite3_column_int64(rows, 0);
    size_t number = (size_t)sqlite3_column_int64(rows, 2);
    const struct shown_source *source = &shown->sources[number];
    struct insertion *insertion = &placing->insertions[number];
    struct bytes image = {sqlite3_column_blob(rows, 1),
                          (size_t)sqlite3_column_bytes(rows, 1)};
    struct bytes key = {sqlite3_column_blob(rows, 3),
                        (size_t)sqlite3_column_bytes(rows, 3)};
    enum shown_fate fate = SHOWN_AS_IT_IS;
    enum status status =
        image_decode(&placing->image, image, source->definition, key, err);

    if (status == STATUS_OK && insertion->statement == NULL)
        status = open_insertion(shown, source, insertion, err);
    if (status == STATUS_OK)
        status =
            insert_row(shown, source->table, insertion, id, &placing->image, &fate, err);
    if (status == STATUS_OK && fate == SHOWN_AS_IT_IS)
        status = check_candidate(shown, &placing->candidacy, id, &fate, err);
    if (status == STATUS_OK && fate != SHOWN_AS_IT_IS)
        status = shown_set_fate(shown, id, fate, err);
    return status;
}

enum status shown_place_table(struct shown *shown, size_t table, struct error *err)
{
    struct placing placing = {.shown = shown};
    sqlite3_stmt *rows = NULL;
    enum status status;
    int rc = SQLITE_DONE;

    image_init(&placing.image);
    placing.insertions = calloc(shown->source_count + 1, sizeof *placing.insertions);
    if (placing.insertions == NULL)
        return error_set(err, STATUS_NO_MEMORY, "diff: out of memory");
    status = open_candidacy(shown, table, &placing.candidacy, err);
    if (status == STATUS_OK) {
        status = sqlite_prepare(shown->scratch,
                                "SELECT r.id, i.image, i.source, r.key"
                                " FROM \"rowferry row\" r CROSS JOIN \"rowferry image\" i"
                                " USING (id) WHERE r.tbl = ?1 ORDER BY r.born",
                                &rows, err);
    }
    if (status == STATUS_OK)
        (void)sqlite3_bind_int64(rows, 1, (sqlite3_int64)table);
    while (status == STATUS_OK && (rc = sqlite3_step(rows)) == SQLITE_ROW)
        status = place_row(&placing, rows, err);
    if (status == STATUS_OK && rc != SQLITE_DONE)
        status = sqlite_failed(shown->scratch, "diff's temporary file", err);
    (void)sqlite3_finalize(rows);
    (void)sqlite3_finalize(placing.candidacy.check);
    (void)sqlite3_finalize(placing.candidacy.removal);
    release_insertions(placing.insertions, shown->source_count);
    image_release(&placing.image);
    return status;
}

/* Remove the table's rows that miss a parent of the group now; *removed tells whether
 * there were any. */
static enum status remove_orphans(struct shown *shown, size_t table, bool *removed,
                                  struct error *err)
{
    sqlite3_stmt *statement = NULL;
    struct buffer sql;
    enum status status = STATUS_OK;
    int rc = SQLITE_DONE;

    buffer_init(&sql);
    put_text(&sql, "DELETE FROM main.");
    shown_put_name(shown, &sql, shown->catalog->definitions[table]->local_name);
    put_text(&sql, " AS c WHERE NOT (TRUE");
    if (put_parents(shown, table, true, &sql)) {
        put_text(&sql, ") RETURNING \"rowferry id\"");
        status = prepare(shown, &sql, &statement, err);
        while (status == STATUS_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
            *removed = true;
            status = shown_set_fate(shown, sqlite3_column_int64(statement, 0),
                                    SHOWN_ORPHAN_INNER, err);
        }
        if (status == STATUS_OK && rc != SQLITE_DONE)
            status = sqlite_failed(shown->scratch, "diff's temporary file", err);
        (void)sqlite3_finalize(statement);
    }
    buffer_release(&sql);
    return status;
}

enum status shown_hide_orphans(struct shown *shown, uint32_t group, struct error *err)
{
    enum status status = STATUS_OK;
    bool removed = true;

    while (status == STATUS_OK && removed) {
        removed = false;
        for (size_t i = 0; status == STATUS_OK && i < shown->catalog->count; i++) {
            if (shown->group[i] == group)
                status = remove_orphans(shown, i, &removed, err);
        }
    }
    return status;
}
