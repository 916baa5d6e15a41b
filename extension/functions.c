/* The SQL functions of a connection, which share one recorder. */
#include "extension/recorder.h"
#include "extension/session_table.h"

#include <stdlib.h>

struct functions {
    struct rowferry_recorder *recorder;
    int strict;
    int references; /* SQLite's: one a function */
};

static void release(void *data)
{
    struct functions *functions = data;

    if (--functions->references > 0)
        return;
    recorder_free(functions->recorder);
    free(functions);
}

/* ---- functions */

static struct functions *functions_of(sqlite3_context *context)
{
    return sqlite3_user_data(context);
}

/* Always a plain SQLITE_ERROR: SQLite would run the statement again for some codes. */
static void set_failure(sqlite3_context *context)
{
    const struct functions *functions = functions_of(context);

    if (functions->strict)
        sqlite3_result_error(context, rowferry_recorder_error(functions->recorder), -1);
    else
        sqlite3_result_null(context);
}

static void commit_function(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    int stored = 0;

    (void)argc;
    (void)argv;
    if (rowferry_recorder_commit(functions_of(context)->recorder, &stored) == SQLITE_OK)
        sqlite3_result_int(context, stored);
    else
        set_failure(context);
}

static void note_function(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    if (argc < 1 || argc > 2) {
        sqlite3_result_error(context, "rowferry_note(why [, who])", -1);
        return;
    }
    if (rowferry_recorder_note(
            functions_of(context)->recorder, (const char *)sqlite3_value_text(argv[0]),
            argc == 2 ? (const char *)sqlite3_value_text(argv[1]) : NULL) == SQLITE_OK)
        sqlite3_result_int(context, 1);
    else
        set_failure(context);
}

static void strict_function(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    static const char *const words[2][3] = {
        {"0", "off", "false"},
        {"1", "on",  "true" },
    };
    const char *wish = (const char *)sqlite3_value_text(argv[0]);

    (void)argc;
    for (int on = 0; wish != NULL && on < 2; on++) {
        for (size_t i = 0; i < 3; i++) {
            if (sqlite3_stricmp(wish, words[on][i]) == 0) {
                functions_of(context)->strict = on;
                return;
            }
        }
    }
    sqlite3_result_error(context, "rowferry_strict(on): 1, 'on', 0 or 'off'", -1);
}

static void error_function(sqlite3_context *context, int argc, sqlite3_value **argv)
{
    const char *error = rowferry_recorder_error(functions_of(context)->recorder);

    (void)argc;
    (void)argv;
    if (error[0] != '\0')
        sqlite3_result_text(context, error, -1, SQLITE_TRANSIENT);
}

static const struct {
    const char *name;
    int argc;
    void (*call)(sqlite3_context *context, int argc, sqlite3_value **argv);
} all[] = {
    {"rowferry_commit", 0,  commit_function},
    {"rowferry_note",   -1, note_function  },
    {"rowferry_strict", 1,  strict_function},
    {"rowferry_error",  0,  error_function },
};

/* Each of them gives its reference back, those too that SQLite did not take. */
static int register_all(struct functions *functions, sqlite3 *db)
{
    int rc = SQLITE_OK;

    for (size_t i = 0; rc == SQLITE_OK && i < sizeof all / sizeof *all; i++) {
        functions->references++;
        rc = sqlite3_create_function_v2(db, all[i].name, all[i].argc,
                                        SQLITE_UTF8 | SQLITE_DIRECTONLY, functions,
                                        all[i].call, NULL, NULL, release);
    }
    return rc;
}

/* A host takes a library that failed to load out of memory: nothing may point into it. */
static void unregister_all(sqlite3 *db)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        (void)sqlite3_create_function_v2(db, all[i].name, all[i].argc, SQLITE_UTF8, NULL,
                                         NULL, NULL, NULL, NULL);
    session_table_unregister(db);
}

int rowferry_functions_register(sqlite3 *db)
{
    struct functions *functions = calloc(1, sizeof *functions);
    int rc;

    if (functions == NULL)
        return SQLITE_NOMEM;
    functions->references = 1; /* ours, until the end of this function */
    rc = rowferry_recorder_open(&functions->recorder, db);
    if (rc == SQLITE_OK)
        rc = register_all(functions, db);
    if (rc != SQLITE_OK)
        unregister_all(db);
    release(functions);
    return rc;
}
