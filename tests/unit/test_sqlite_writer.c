/* What writing a row answers: done, refused with the database's message, or a failure of
 * the whole database. */
#include "apply/sqlite_writer.h"
#include "engine/sqlite_catalog.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char schema[] =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, u UNIQUE, v NOT NULL);"
    "CREATE TRIGGER r BEFORE INSERT ON t WHEN new.v = 'rollback'"
    " BEGIN SELECT RAISE(ROLLBACK, 'all of it'); END;"
    "CREATE TRIGGER i BEFORE INSERT ON t WHEN new.v = 'ignore'"
    " BEGIN SELECT RAISE(IGNORE); END";

static char folder[64], path[96];
static struct sqlite_database *database, *other;
static struct catalog catalog;
static struct sqlite_writer *writer;
static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

static void set_up(void)
{
    (void)snprintf(folder, sizeof folder, "%s/rowferry-test-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    cr_assert_not_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/x.db", folder);
    OK(sqlite_database_open(&database, path, SQLITE_DATABASE_CREATE, 0, &err));
    OK(sqlite_execute(database, schema, &err));
    OK(sqlite_database_open(&other, path, SQLITE_DATABASE_WRITE, 0, &err));
    OK(sqlite_begin_read(database, &err));
    OK(sqlite_catalog_read(database, NULL, NULL, &catalog, &err));
    sqlite_rollback(database);
    OK(sqlite_writer_open(&writer, database, catalog.definitions[0], false, &err));
}

static void tear_down(void)
{
    sqlite_writer_close(writer);
    catalog_release(&catalog);
    sqlite_database_close(other);
    sqlite_database_close(database);
    (void)unlink(path);
    (void)rmdir(folder);
}

TestSuite(sqlite_writer, .init = set_up, .fini = tear_down);

/* Put a row at hand. v: NULL for SQL NULL. */
static void put(int64_t id, int64_t u, struct bytes v)
{
    struct value *values = sqlite_writer_values(writer);

    values[0] = (struct value){.type = VALUE_INTEGER, .integer = id};
    values[1] = (struct value){.type = VALUE_INTEGER, .integer = u};
    values[2] = v.data == NULL ? (struct value){.type = VALUE_NULL}
                               : (struct value){.type = VALUE_TEXT, .bytes = v};
}

static enum status insert(int64_t id, int64_t u, const char *v, enum write_result *result)
{
    put(id, u, v == NULL ? (struct bytes){0} : bytes_of_text(v));
    return sqlite_writer_insert(writer, SCHEMA_MAIN, result, &err);
}

Test(sqlite_writer, a_row_that_is_refused_is_no_failure)
{
    static const struct {
        int64_t id, u;
        const char *v;
        enum write_result result;
        const char *says;
    } cases[] = {
        {2, 1, "x",  WRITE_UNIQUE,  "UNIQUE constraint failed: t.u"  },
        {2, 2, NULL, WRITE_REFUSED, "NOT NULL constraint failed: t.v"},
    };
    enum write_result result;

    OK(sqlite_begin_write(database, &err));
    OK(insert(1, 1, "x", &result));
    cr_expect_eq(result, WRITE_DONE);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OK(insert(cases[i].id, cases[i].u, cases[i].v, &result));
        cr_expect_eq(result, cases[i].result);
        cr_expect_str_eq(err.text, cases[i].says);
    }
    sqlite_rollback(database);
}

/* The primary key of t is the key; that of n is not: there another column was told. */
Test(sqlite_writer, a_primary_key_beside_the_chosen_key_is_a_unique_constraint)
{
    struct table_rule rule = {.table = (char[]){"n"}, .key = (char[]){"v"}};
    struct table_rules rules = {.list = &rule, .count = 1};
    enum write_result result;

    OK(sqlite_execute(database,
                      "CREATE TABLE n (id TEXT PRIMARY KEY, u UNIQUE, v TEXT NOT NULL "
                      "UNIQUE)",
                      &err));
    sqlite_writer_close(writer);
    catalog_release(&catalog);
    OK(sqlite_begin_write(database, &err));
    OK(sqlite_catalog_read(database, &rules, NULL, &catalog, &err));
    OK(sqlite_writer_open(&writer, database, catalog.definitions[0], false, &err));
    OK(insert(1, 1, "x", &result));
    OK(insert(1, 2, "y", &result));
    cr_expect_eq(result, WRITE_UNIQUE);
    cr_expect_str_eq(err.text, "UNIQUE constraint failed: n.id");
    sqlite_writer_close(writer);
    OK(sqlite_writer_open(&writer, database, catalog.definitions[1], false, &err));
    OK(insert(1, 1, "x", &result));
    cr_expect_eq(insert(1, 2, "y", &result), STATUS_IO, "the key itself: not ours");
    sqlite_rollback(database);
}

Test(sqlite_writer, a_trigger_may_refuse_a_row_or_end_the_transaction)
{
    enum write_result result;

    (void)sqlite3_db_config(sqlite_database_handle(database),
                            SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL);
    OK(sqlite_begin_write(database, &err));
    OK(insert(1, 1, "ignore", &result));
    cr_expect_eq(result, WRITE_REFUSED);
    cr_expect_str_eq(err.text, "a trigger of t left the row out");
    OK(insert(1, 1, "rollback", &result));
    cr_expect_eq(result, WRITE_ENDED);
    cr_expect_str_eq(err.text, "all of it");
    sqlite_rollback(database);
}

Test(sqlite_writer, a_database_that_is_not_what_the_store_says_fails)
{
    enum write_result result;
    bool differs;

    OK(sqlite_begin_write(database, &err));
    OK(insert(1, 1, "x", &result));
    cr_expect_eq(insert(1, 2, "x", &result), STATUS_IO);
    cr_expect_str_eq(err.text, "insert into: UNIQUE constraint failed: t.id");
    put(2, 2, bytes_of_text("x"));
    sqlite_writer_differ_all(writer, &differs);
    cr_expect(differs);
    cr_expect_eq(sqlite_writer_update(writer, &result, &err), STATUS_IO);
    cr_expect_not_null(strstr(err.text, "update t: 0 rows instead of 1"), "%s", err.text);
    cr_expect_eq(sqlite_writer_delete(writer, &result, &err), STATUS_IO);
    cr_expect_not_null(strstr(err.text, "delete from t: 0 rows instead of 1"), "%s",
                       err.text);
    sqlite_rollback(database);
}

Test(sqlite_writer, a_database_that_does_not_take_anything_fails)
{
    static const uint8_t large[1 << 15] = {'x'};
    enum write_result result;
    int64_t pages;

    OK(sqlite_number(database, "PRAGMA max_page_count = 4", &pages, &err));
    OK(sqlite_begin_write(database, &err));
    put(1, 1, (struct bytes){large, sizeof large});
    cr_expect_eq(sqlite_writer_insert(writer, SCHEMA_MAIN, &result, &err), STATUS_FULL);
    cr_expect_not_null(strstr(err.text, "x.db: database or disk is full"), "%s",
                       err.text);
    sqlite_rollback(database);
    OK(sqlite_begin_write(other, &err));
    cr_expect_eq(insert(1, 1, "x", &result), STATUS_BUSY, "%s", err.text);
    sqlite_rollback(other);
    OK(sqlite_execute(database, "PRAGMA query_only = 1", &err));
    cr_expect_eq(insert(1, 1, "x", &result), STATUS_UNAVAILABLE);
    OK(sqlite_execute(database, "PRAGMA query_only = 0", &err));
    OK(insert(1, 1, "x", &result));
    cr_expect_eq(result, WRITE_DONE);
}
