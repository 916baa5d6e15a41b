/* SQLite tables in Postgres, which itself reads what is made for it. */
#include "engine/postgres_ddl.h"
#include "engine/schema.h"
#include "engine/sqlite_catalog.h"
#include "tests/support/postgres_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const char tables[] =
    "CREATE TABLE place (id INTEGER PRIMARY KEY, name TEXT NOT NULL COLLATE NOCASE "
    "UNIQUE,"
    " twice AS (id * 2));"
    "CREATE TABLE \"shop.item\" (code TEXT, part INT DEFAULT -1, place INTEGER "
    "REFERENCES place,"
    " price DECIMAL(10,2) DEFAULT 1.50, ok BOOLEAN NOT NULL DEFAULT 1, at DATETIME "
    "DEFAULT"
    " CURRENT_TIMESTAMP, data BLOB DEFAULT x'00ff', ratio REAL DEFAULT 1e3, any_value, "
    "odd TEXT"
    " DEFAULT (upper('x')), note TEXT DEFAULT 'it''s', PRIMARY KEY (part, code)) WITHOUT "
    "ROWID;"
    "CREATE UNIQUE INDEX positive ON \"shop.item\" (lower(code), price) WHERE part > 0;"
    "CREATE UNIQUE INDEX odd_one ON \"shop.item\" (code) WHERE code LIKE 'a%';"
    "CREATE TABLE \"select\" (\"a \"\"b\" TEXT PRIMARY KEY NOT NULL, n INTEGER) STRICT;";

static void read_definitions(struct sqlite_database *database, struct catalog *catalog)
{
    struct error err;

    cr_assert_eq(sqlite_execute(database, tables, &err), STATUS_OK, "%s", err.text);
    cr_assert_eq(sqlite_begin_read(database, &err), STATUS_OK);
    cr_assert_eq(sqlite_catalog_read(database, NULL, NULL, catalog, &err), STATUS_OK,
                 "%s", err.text);
    sqlite_rollback(database);
    catalog_count_foreign_keys(catalog, true);
}

static void expect_run(struct postgres *postgres, const char *sql, bool works)
{
    struct error err;
    enum status status = postgres_execute(postgres, sql, &err);

    cr_expect_eq(status == STATUS_OK, works, "%s: %s", sql,
                 status == STATUS_OK ? "works" : err.text);
}

static void expect_number(struct postgres *postgres, const char *sql, int64_t wanted)
{
    struct error err;
    int64_t found = -1;

    cr_expect_eq(postgres_number(postgres, sql, &found, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(found, wanted, "%s: %lld", sql, (long long)found);
}

static void expect_tables(struct postgres *postgres)
{
    expect_run(postgres, "INSERT INTO public.place (name) VALUES ('Here'), ('There')",
               true);
    expect_run(postgres, "INSERT INTO public.place (name) VALUES ('HERE')", false);
    expect_run(postgres, "INSERT INTO shop.item (code, place) VALUES ('a', 1)", true);
    expect_run(postgres, "INSERT INTO shop.item (code, place) VALUES ('b', 9)", false);
    expect_number(postgres,
                  "SELECT (part = -1 AND price = 1.50 AND ok AND data = '\\x00ff'"
                  " AND ratio = 1000 AND note = 'it''s' AND length(at) = 19)::int"
                  " FROM shop.item",
                  1);
    expect_run(
        postgres,
        "INSERT INTO shop.item (code, part, price) VALUES ('b', 1, 2), ('b', 2, 3)",
        true);
    expect_run(postgres, "INSERT INTO shop.item (code, part, price) VALUES ('B', 3, 2)",
               false);
    expect_run(postgres, "INSERT INTO public.\"select\" VALUES ('x', 1)", true);
    expect_run(postgres, "INSERT INTO public.\"select\" VALUES ('x', 1)", false);
}

/* All tables, then what refers to them; what is printed is what is run. */
static void make_tables(struct postgres *postgres, const struct catalog *catalog)
{
    struct error err;

    for (int phase = POSTGRES_TABLES; phase <= POSTGRES_REFERENCES; phase++) {
        for (size_t i = 0; i < catalog->count; i++) {
            char *left = NULL;

            cr_expect_eq(postgres_create_table(postgres, catalog->definitions[i],
                                               (enum postgres_phase)phase, &left, &err),
                         STATUS_OK, "%s", err.text);
            cr_expect_null(left, "%s", left);
            free(left);
        }
    }
}

Test(schema_postgres, sqlite_tables)
{
    struct sqlite_database *database;
    struct catalog catalog;
    struct cluster cluster;
    struct postgres *postgres;
    struct schema_text text = {0};
    struct error err;

    cr_assert_eq(sqlite_memory_open(&database, &err), STATUS_OK);
    read_definitions(database, &catalog);
    for (size_t i = 0; i < catalog.count; i++) {
        cr_assert_eq(schema_put(&text, catalog.definitions[i], DIALECT_POSTGRES, &err),
                     STATUS_OK, "%s", err.text);
    }
    buffer_put_bytes(&text.tables, buffer_view(&text.links));
    buffer_put(&text.tables, 0, 1);
    buffer_put(&text.notes, 0, 1);
    cr_assert_eq(buffer_check(&text.tables, &err), STATUS_OK);

    cluster_start(&cluster, NULL);
    cr_assert_eq(postgres_open(&postgres, cluster.url, POSTGRES_WRITE, &err), STATUS_OK,
                 "%s", err.text);
    expect_run(postgres, "BEGIN", true);
    make_tables(postgres, &catalog);
    expect_run(postgres, "COMMIT", true);
    expect_tables(postgres);
    expect_run(postgres, "DROP TABLE public.place, shop.item, public.\"select\" CASCADE",
               true);
    expect_run(postgres, (const char *)text.tables.data, true);
    expect_tables(postgres);
    cr_expect_str_eq(
        (const char *)text.notes.data,
        "place.twice: a generated column, left out: add it as Postgres computes it, if "
        "it "
        "is wanted\n"
        "place: SQLite keeps any value in any column; one that its type in Postgres "
        "can't "
        "have is quarantined there\n"
        "shop.item.any_value: has no type in SQLite and is text in Postgres: a number "
        "written there comes back as text\n"
        "shop.item.odd: its default has no counterpart in Postgres: a value must be "
        "given\n"
        "shop.item.odd_one: this unique index has no counterpart in Postgres: rows that "
        "SQLite would refuse are parked there\n"
        "shop.item: SQLite keeps any value in any column; one that its type in Postgres "
        "can't have is quarantined there\n");
    postgres_close(postgres);
    cluster_stop(&cluster);
    schema_text_release(&text);
    catalog_release(&catalog);
    sqlite_database_close(database);
}
