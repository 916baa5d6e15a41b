/* rowferry.so as a host loads it. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <sqlite3.h>
#include <sqlite3ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* sqlite3ext.h turns the names into calls by an extension's table: this is a host. */
#undef sqlite3_close
#undef sqlite3_enable_load_extension
#undef sqlite3_exec
#undef sqlite3_free
#undef sqlite3_load_extension
#undef sqlite3_mprintf
#undef sqlite3_open

static char path[4096];

static void set_up(void)
{
    const char *binary = getenv("ROWFERRY");

    cr_assert_not_null(binary, "ROWFERRY names the binary");
    (void)snprintf(path, sizeof path, "%.*s/rowferry.so",
                   (int)(strrchr(binary, '/') - binary), binary);
}

TestSuite(extension, .init = set_up);

Test(extension, loads_twice_into_a_connection_and_lets_it_close)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    cr_assert_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    cr_assert_eq(sqlite3_enable_load_extension(db, 1), SQLITE_OK);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(sqlite3_load_extension(db, path, NULL, &message), SQLITE_OK, "%s",
                     message);
    cr_expect_eq(sqlite3_exec(db,
                              "CREATE TABLE t (id INTEGER PRIMARY KEY);"
                              "BEGIN; INSERT INTO t VALUES (1); SELECT rowferry_commit();"
                              "COMMIT",
                              NULL, NULL, NULL),
                 SQLITE_OK);
    cr_expect_eq(sqlite3_close(db), SQLITE_OK);
}

/* A function of this program stands for one of a SQLite that was linked into the host. */
static int its_own(sqlite3 *db, const char *name, int argc, int encoding, void *data,
                   void (*function)(sqlite3_context *, int, sqlite3_value **),
                   void (*step)(sqlite3_context *, int, sqlite3_value **),
                   void (*final)(sqlite3_context *), void (*destroy)(void *))
{
    (void)db, (void)name, (void)argc, (void)encoding, (void)data;
    (void)function, (void)step, (void) final, (void)destroy;
    cr_assert_fail("it was registered all the same");
    return SQLITE_ERROR;
}

Test(extension, refuses_a_host_with_another_sqlite_in_one_line)
{
    sqlite3_api_routines api = {.create_function_v2 = its_own,
                                .mprintf = sqlite3_mprintf};
    int (*init)(sqlite3 * db, char **message, const sqlite3_api_routines *api) = NULL;
    void *library = dlopen(path, RTLD_NOW);
    char *message = NULL;

    cr_assert_not_null(library, "%s", dlerror());
    *(void **)&init = dlsym(library, "sqlite3_rowferry_init");
    cr_assert_not_null(init);
    cr_expect_eq(init(NULL, &message, &api), SQLITE_ERROR);
    cr_assert_not_null(message);
    cr_expect_not_null(strstr(message, "rowferry: this program has a SQLite of its own"));
    cr_expect_null(strchr(message, '\n'));
    sqlite3_free(message);
}
