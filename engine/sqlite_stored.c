#include "engine/sqlite_stored.h"

#include "engine/sqlite_row.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum default_state { DEFAULT_UNASKED, DEFAULT_CONSTANT, DEFAULT_OTHER };

struct stored_column {
    const struct column *column;
    sqlite3_stmt *put;
    sqlite3_stmt *get;
    sqlite3_stmt *get_default; /* stands on its row */
    enum default_state default_state;
};

struct sqlite_stored {
    struct stored stored;
    struct sqlite_database *memory;
    const struct definition *definition;
    struct stored_column *columns; /* by image place */
    bool called;                   /* a function, while the authorizer is set */
    bool utf8;
};

static struct sqlite_stored *self_of(struct stored *stored)
{
    return (struct sqlite_stored *)stored; /* its first member */
}

static void close_stored(struct stored *seam)
{
    struct sqlite_stored *stored = self_of(seam);

    for (uint32_t i = 0; stored->columns != NULL && i < stored->definition->stored_count;
         i++) {
        (void)sqlite3_finalize(stored->columns[i].put);
        (void)sqlite3_finalize(stored->columns[i].get);
        (void)sqlite3_finalize(stored->columns[i].get_default);
    }
    sqlite_database_close(stored->memory);
    free(stored->columns);
    free(stored);
}

/* Make a table of one column v with the column's type, and with default_sql (NULL: none).
 */
static enum status make_table(struct sqlite_stored *stored, uint32_t place,
                              const char *kind, const char *default_sql, bool parentheses,
                              struct error *err)
{
    const char *type = stored->columns[place].column->declared_type;
    bool strict = stored->definition->strict;
    struct buffer sql = {0};
    char name[32];
    enum status status;

    (void)sqlite3_snprintf((int)sizeof name, name, "%s%u", kind, place);
    buffer_put_bytes(&sql, bytes_of_text("CREATE TABLE "));
    sqlite_put_quoted(&sql, name);
    buffer_put_bytes(&sql, bytes_of_text(" (v "));
    /* A quoted type has the same affinity, and may be any text; STRICT knows six words.
     */
    if (strict)
        buffer_put_bytes(&sql, bytes_of_text(type));
    else if (type[0] != '\0')
        sqlite_put_quoted(&sql, type);
    if (default_sql != NULL) {
        buffer_put_bytes(&sql, bytes_of_text(parentheses ? " DEFAULT (" : " DEFAULT "));
        buffer_put_bytes(&sql, bytes_of_text(default_sql));
        /* The newline ends what may be a comment. */
        buffer_put_bytes(&sql, bytes_of_text(parentheses ? "\n)" : "\n"));
    }
    buffer_put_bytes(&sql, bytes_of_text(strict ? ") STRICT" : ")"));
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = sqlite_execute(stored->memory, (const char *)sql.data, err);
    buffer_release(&sql);
    return status;
}

static enum status prepare_for(struct sqlite_stored *stored, const char *format,
                               uint32_t place, sqlite3_stmt **out, struct error *err)
{
    char sql[128];

    (void)sqlite3_snprintf((int)sizeof sql, sql, format, place);
    return sqlite_prepare(stored->memory, sql, out, err);
}

static enum status prepare_column(struct sqlite_stored *stored, uint32_t place,
                                  struct error *err)
{
    struct stored_column *column = &stored->columns[place];
    enum status status = make_table(stored, place, "value", NULL, false, err);

    if (status == STATUS_OK) {
        status = prepare_for(stored,
                             "INSERT OR REPLACE INTO value%u (rowid, v) VALUES (1, ?1)",
                             place, &column->put, err);
    }
    if (status == STATUS_OK)
        status = prepare_for(stored, "SELECT v FROM value%u", place, &column->get, err);
    return status;
}

static bool keeps(const struct stored *seam, uint32_t place, enum value_type type)
{
    const struct sqlite_stored *stored = (const struct sqlite_stored *)seam;

    (void)place;
    return type == VALUE_INTEGER || type == VALUE_BLOB ||
           (type == VALUE_TEXT && stored->utf8);
}

static enum status put_value(struct stored *seam, uint32_t place,
                             const struct value *value, struct value *out,
                             struct error *err)
{
    struct sqlite_stored *stored = self_of(seam);
    struct stored_column *column = &stored->columns[place];
    enum status status = STATUS_OK;

    assert(place < stored->definition->stored_count);
    if (column->get == NULL)
        status = prepare_column(stored, place, err);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_reset(column->get);
    status = sqlite_bind_value(stored->memory, column->put, 1, value, err);
    if (status == STATUS_OK && sqlite3_step(column->put) != SQLITE_DONE)
        status = sqlite_failed(stored->memory, column->column->name, err);
    (void)sqlite3_reset(column->put);
    (void)sqlite3_clear_bindings(column->put);
    if (status != STATUS_OK)
        return status;
    if (sqlite3_step(column->get) != SQLITE_ROW)
        return sqlite_failed(stored->memory, column->column->name, err);
    return sqlite_column_value(column->get, 0, out, err);
}

static int refuse_functions(void *data, int action, const char *third, const char *fourth,
                            const char *database, const char *trigger)
{
    struct sqlite_stored *stored = data;

    (void)third, (void)fourth, (void)database, (void)trigger;
    if (action != SQLITE_FUNCTION)
        return SQLITE_OK;
    stored->called = true;
    return SQLITE_DENY;
}

/* Whether the expression calls a function (CURRENT_TIMESTAMP is one too). */
static enum status calls_function(struct sqlite_stored *stored, const char *default_sql,
                                  bool *calls, struct error *err)
{
    sqlite3 *handle = sqlite_database_handle(stored->memory);
    sqlite3_stmt *statement = NULL;
    char *sql = sqlite3_mprintf("SELECT (%s\n)", default_sql);

    int rc = SQLITE_NOMEM;

    stored->called = false;
    (void)sqlite3_set_authorizer(handle, refuse_functions, stored);
    /* That it may fail otherwise (DEFAULT word is the text 'word') does not matter here.
     */
    if (sql != NULL)
        rc = sqlite3_prepare_v2(handle, sql, -1, &statement, NULL);
    (void)sqlite3_set_authorizer(handle, NULL, NULL);
    (void)sqlite3_finalize(statement);
    sqlite3_free(sql);
    *calls = stored->called;
    return (rc & 0xff) != SQLITE_NOMEM
               ? STATUS_OK
               : error_set(err, STATUS_NO_MEMORY, "a default: out of memory");
}

static enum status ask_default(struct sqlite_stored *stored, uint32_t place,
                               struct error *err)
{
    struct stored_column *column = &stored->columns[place];
    const char *default_sql = column->column->default_sql;
    char insert[64];
    bool calls = false;
    enum status status = STATUS_OK;

    if (default_sql != NULL)
        status = calls_function(stored, default_sql, &calls, err);
    if (status != STATUS_OK || calls)
        return status == STATUS_OK ? STATUS_NOT_FOUND : status;
    status = make_table(stored, place, "default", default_sql, true, err);
    if (status == STATUS_IO)
        status = make_table(stored, place, "default", default_sql, false, err);
    (void)sqlite3_snprintf((int)sizeof insert, insert,
                           "INSERT INTO default%u DEFAULT VALUES", place);
    if (status == STATUS_OK)
        status = sqlite_execute(stored->memory, insert, err);
    /* Something that SQLite takes only where it stands, or not even there. */
    if (status == STATUS_IO || status == STATUS_CONSTRAINT)
        return STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        status = prepare_for(stored, "SELECT v FROM default%u", place,
                             &column->get_default, err);
    if (status == STATUS_OK && sqlite3_step(column->get_default) != SQLITE_ROW)
        status = sqlite_failed(stored->memory, column->column->name, err);
    return status;
}

static enum status default_value(struct stored *seam, uint32_t place, struct value *out,
                                 struct error *err)
{
    struct sqlite_stored *stored = self_of(seam);
    struct stored_column *column = &stored->columns[place];

    assert(place < stored->definition->stored_count);
    if (column->default_state == DEFAULT_UNASKED) {
        enum status status = ask_default(stored, place, err);

        if (status != STATUS_OK && status != STATUS_NOT_FOUND)
            return status;
        column->default_state = status == STATUS_OK ? DEFAULT_CONSTANT : DEFAULT_OTHER;
    }
    if (column->default_state == DEFAULT_OTHER)
        return STATUS_NOT_FOUND;
    return sqlite_column_value(column->get_default, 0, out, err);
}

/* ---- life */

static const struct stored_ops sqlite_ops = {keeps, put_value, default_value,
                                             close_stored};

static enum status open_memory(struct sqlite_stored *stored,
                               struct sqlite_database *database, struct error *err)
{
    const char *encoding = "";
    enum status status = sqlite_memory_open(&stored->memory, err);

    if (status == STATUS_OK)
        status = sqlite_copy_encoding(database, stored->memory, err);
    if (status == STATUS_OK)
        status = sqlite_encoding(database, &encoding, err);
    stored->utf8 = status == STATUS_OK && strcmp(encoding, "UTF-8") == 0;
    /* Never ended: a commit for each value costs more than the value. */
    return status == STATUS_OK ? sqlite_execute(stored->memory, "BEGIN", err) : status;
}

enum status sqlite_stored_open(struct stored **out, struct sqlite_database *database,
                               const struct definition *definition, struct error *err)
{
    struct sqlite_stored *stored = calloc(1, sizeof *stored);
    enum status status;
    uint32_t place = 0;

    assert(definition->stored_count > 0);
    *out = NULL;
    if (stored == NULL)
        return error_set(err, STATUS_NO_MEMORY, "stored values: out of memory");
    stored->stored.ops = &sqlite_ops;
    stored->definition = definition;
    stored->columns = calloc(definition->stored_count, sizeof *stored->columns);
    for (uint32_t i = 0; stored->columns != NULL && i < definition->column_count; i++)
        if (definition->columns[i].generated == GENERATED_NO)
            stored->columns[place++].column = &definition->columns[i];
    if (stored->columns == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "stored values: out of memory");
    else
        status = open_memory(stored, database, err);
    if (status != STATUS_OK) {
        close_stored(&stored->stored);
        return status;
    }
    assert(place == definition->stored_count);
    *out = &stored->stored;
    return STATUS_OK;
}

enum status sqlite_comparer_open(struct row_comparer **out,
                                 struct sqlite_database *database,
                                 const struct definition *definition, struct error *err)
{
    struct stored *stored = NULL;
    enum status status = sqlite_stored_open(&stored, database, definition, err);

    *out = NULL;
    return status == STATUS_OK ? row_comparer_open(out, stored, definition, err) : status;
}
