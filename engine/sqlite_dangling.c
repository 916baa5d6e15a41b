#include "engine/sqlite_dangling.h"

#include "engine/sqlite_catalog.h"
#include "engine/sqlite_query.h"

#include <string.h>

struct trigger {
    struct trigger *next;
    const struct definition *definition; /* NULL: of another table */
    const char *name, *sql;
    const char *why; /* NULL: it compiles, as far as can be told */
};

struct triggers {
    struct arena arena;
    struct trigger *first; /* in the order in which they were made */
};

static const struct definition *find(const struct definition *const *definitions,
                                     uint32_t count, const char *table)
{
    for (uint32_t i = 0; i < count; i++)
        if (sqlite3_stricmp(definitions[i]->local_name, table) == 0)
            return definitions[i];
    return NULL;
}

static enum status list(struct triggers *triggers, struct sqlite_database *database,
                        const struct definition *const *definitions, uint32_t count,
                        struct error *err)
{
    struct trigger **end = &triggers->first;
    sqlite3_stmt *rows = NULL;
    enum status status = sqlite_query(database,
                                      "SELECT name, sql, tbl_name FROM main.sqlite_schema"
                                      " WHERE type = 'trigger' ORDER BY rowid",
                                      NULL, &rows, err);

    while (status == STATUS_OK) {
        struct trigger *trigger;
        const char *table = NULL;

        status = sqlite_next_row(database, rows, err);
        if (status != STATUS_OK)
            break;
        trigger = arena_take(&triggers->arena, 1, sizeof *trigger);
        if (trigger == NULL) {
            status = error_set(err, STATUS_NO_MEMORY, "triggers: out of memory");
            break;
        }
        status = sqlite_copy_text(&triggers->arena, rows, 0, &trigger->name, err);
        if (status == STATUS_OK)
            status = sqlite_copy_text(&triggers->arena, rows, 1, &trigger->sql, err);
        if (status == STATUS_OK)
            status = sqlite_copy_text(&triggers->arena, rows, 2, &table, err);
        if (status == STATUS_OK && table != NULL)
            trigger->definition = find(definitions, count, table);
        *end = trigger;
        end = &trigger->next;
    }
    (void)sqlite3_finalize(rows);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status drop(struct sqlite_database *database, const struct trigger *trigger,
                        struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("DROP TRIGGER main."));
    sqlite_put_quoted(&sql, trigger->name);
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = sqlite_execute(database, (const char *)sql.data, err);
    buffer_release(&sql);
    return status;
}

/* One statement of each kind, so that every trigger of the table comes by. */
enum { INSERTING, UPDATING, DELETING, KINDS };

static void put_statement(struct buffer *sql, const struct definition *definition,
                          int kind)
{
    static const char *const starts[KINDS] = {"INSERT INTO main.", "UPDATE main.",
                                              "DELETE FROM main."};
    const char *between = " SET ";

    buffer_put_bytes(sql, bytes_of_text(starts[kind]));
    sqlite_put_quoted(sql, definition->local_name);
    if (kind == INSERTING)
        buffer_put_bytes(sql, bytes_of_text(" DEFAULT VALUES"));
    for (uint32_t i = 0; kind == UPDATING && i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        buffer_put_bytes(sql, bytes_of_text(between));
        sqlite_put_quoted(sql, definition->columns[i].name);
        buffer_put_bytes(sql, bytes_of_text(" = NULL"));
        between = ", ";
    }
    buffer_put(sql, 0, 1);
}

/* Compile it, with the trigger that is there, if there is one. *works: it does; else the
 * reason is the connection's. */
static enum status compile(struct sqlite_database *database,
                           const struct definition *definition, int kind, bool *works,
                           struct error *err)
{
    sqlite3 *handle = sqlite_database_handle(database);
    sqlite3_stmt *statement = NULL;
    struct buffer sql = {0};
    enum status status;
    int rc;

    put_statement(&sql, definition, kind);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK) {
        rc = sqlite3_prepare_v2(handle, (const char *)sql.data, -1, &statement, NULL);
        *works = rc == SQLITE_OK;
        if ((rc & 0xff) != SQLITE_OK && (rc & 0xff) != SQLITE_ERROR)
            status = sqlite_failed(database, definition->local_name, err);
        (void)sqlite3_finalize(statement);
    }
    buffer_release(&sql);
    return status;
}

/* What only the application's program may have, or allow. */
static bool is_the_applications(const char *message)
{
    return sqlite_is_lacking(message) || strstr(message, "unsafe use of") != NULL;
}

/* The table has no trigger but this one, nor has any other. */
static enum status try_alone(struct triggers *triggers, struct sqlite_database *database,
                             struct trigger *trigger, struct error *err)
{
    sqlite3 *handle = sqlite_database_handle(database);
    bool before[KINDS] = {false};
    enum status status = STATUS_OK;

    for (int kind = 0; kind < KINDS && status == STATUS_OK; kind++)
        status = compile(database, trigger->definition, kind, &before[kind], err);
    if (status == STATUS_OK)
        status = sqlite_execute(database, trigger->sql, err);
    for (int kind = 0; kind < KINDS && status == STATUS_OK && trigger->why == NULL;
         kind++) {
        bool works = true;
        const char *message;

        if (before[kind])
            status = compile(database, trigger->definition, kind, &works, err);
        if (status != STATUS_OK || works)
            continue;
        message = sqlite3_errmsg(handle);
        if (is_the_applications(message))
            continue;
        trigger->why = sqlite_arena_text(&triggers->arena, message, strlen(message));
        if (trigger->why == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "triggers: out of memory");
    }
    return status == STATUS_OK ? drop(database, trigger, err) : status;
}

/* Each one alone: a trigger is not to blame for those of the tables that it writes. */
static enum status try_all(struct triggers *triggers, struct sqlite_database *database,
                           struct error *err)
{
    sqlite3 *handle = sqlite_database_handle(database);
    struct trigger *trigger;
    enum status status = sqlite_execute(database, "SAVEPOINT trying", err);

    for (trigger = triggers->first; trigger != NULL && status == STATUS_OK;
         trigger = trigger->next)
        status = drop(database, trigger, err);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
    for (trigger = triggers->first; trigger != NULL && status == STATUS_OK;
         trigger = trigger->next)
        if (trigger->definition != NULL)
            status = try_alone(triggers, database, trigger, err);
    (void)sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    if (status == STATUS_OK)
        status = sqlite_execute(database, "ROLLBACK TO trying", err);
    return status == STATUS_OK ? sqlite_execute(database, "RELEASE trying", err) : status;
}

enum status sqlite_dangling_drop(struct sqlite_database *database,
                                 const struct definition *const *definitions,
                                 uint32_t count, sqlite_dangling_cb left, void *data,
                                 struct error *err)
{
    struct triggers triggers = {0};
    enum status status = list(&triggers, database, definitions, count, err);

    if (status == STATUS_OK && count > 0 && triggers.first != NULL)
        status = try_all(&triggers, database, err);
    for (struct trigger *trigger = triggers.first; trigger != NULL && status == STATUS_OK;
         trigger = trigger->next) {
        if (trigger->why == NULL)
            continue;
        status = drop(database, trigger, err);
        if (status == STATUS_OK)
            left(data, trigger->name, trigger->definition->local_name, trigger->why);
    }
    arena_release(&triggers.arena);
    return status;
}
