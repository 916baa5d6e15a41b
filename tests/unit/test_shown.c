/* What a database shows, on the examples of the specification and on what only the engine
 * can evaluate. */
#include "engine/sqlite_catalog.h"
#include "node/shown.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_MAX = 5 };

static char path[] = "/tmp/rowferry-shown-XXXXXX";
static struct sqlite_database *database;
static struct catalog catalog;
static struct shown *shown;
static struct error err;

#define MUST(call) cr_assert_eq((call), STATUS_OK, "%s: %s", #call, err.text)

static void set_up(void)
{
    int fd = mkstemp(path);

    cr_assert(fd >= 0);
    cr_assert_eq(close(fd), 0);
    MUST(sqlite_database_open(&database, path, SQLITE_DATABASE_WRITE, 0, &err));
}

static void tear_down(void)
{
    shown_close(shown);
    catalog_release(&catalog);
    sqlite_database_close(database);
    cr_assert_eq(unlink(path), 0);
}

TestSuite(shown, .init = set_up, .fini = tear_down);

static size_t table_named(const char *name)
{
    for (size_t i = 0; i < catalog.count; i++) {
        if (strcmp(catalog.definitions[i]->name, name) == 0)
            return i;
    }
    cr_assert_fail("%s is not in the catalog", name);
    return 0;
}

static void begin(const char *schema, bool foreign_keys)
{
    MUST(sqlite_execute(database, schema, &err));
    MUST(sqlite_begin_read(database, &err));
    MUST(sqlite_catalog_read(database, NULL, NULL, &catalog, &err));
    sqlite_rollback(database);
    MUST(shown_open(&shown, database, NULL, &catalog, foreign_keys, &err));
}

/* A value as a test writes it: "-" NULL, digits an integer, else text. */
static struct value value_of(const char *text)
{
    if (strcmp(text, "-") == 0)
        return (struct value){.type = VALUE_NULL};
    if (strspn(text, "0123456789") == strlen(text))
        return (struct value){.type = VALUE_INTEGER, .integer = atoll(text)};
    return (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text(text)};
}

/* row: "table born column column …"; the columns in the order of the definition. */
static void add(const char *row, const struct definition *definition)
{
    char copy[200];
    char *rest = copy;
    struct value values[8];
    uint32_t count = 0;
    struct buffer key = {0};
    struct buffer image = {0};
    struct version born = {.origin = 1, .origin_seq = 1};
    size_t table;

    (void)snprintf(copy, sizeof copy, "%s", row);
    table = table_named(strsep(&rest, " "));
    born.stamp_us = strtoull(strsep(&rest, " "), NULL, 10);
    while (rest != NULL)
        values[count++] = value_of(strsep(&rest, " "));
    if (definition == NULL)
        definition = catalog.definitions[table];
    cr_assert_eq(count, definition->stored_count, "%s", row);
    MUST(image_key(&key, values, definition, &err));
    image_encode(&image, values, definition);
    MUST(shown_add(shown, table,
                   &(struct shown_row){.key = buffer_view(&key),
                                       .image = buffer_view(&image),
                                       .definition = definition},
                   &born, &err));
    buffer_release(&key);
    buffer_release(&image);
}

struct listing {
    char text[256];
    size_t used;
};

static bool list_row(void *data, const struct shown_row *row)
{
    static const char fates[] = {'.', 'u', 'o', 'i', 'r'};
    struct listing *listing = data;
    struct image image;

    image_init(&image);
    MUST(image_decode(&image, row->image, row->definition, row->key, &err));
    listing->used += (size_t)snprintf(
        listing->text + listing->used, sizeof listing->text - listing->used, "%s%.*s%c",
        listing->used > 0 ? " " : "", (int)image.values[0].bytes.size,
        (const char *)image.values[0].bytes.data, fates[row->fate]);
    image_release(&image);
    return true;
}

/* The rows of t by their first column, in the order of the key: "a." is shown, u taken, o
 * and i orphans, r refused by the schema. */
static const char *fates_of(const char *table)
{
    static struct listing listing;

    listing = (struct listing){.used = 0};
    MUST(shown_visit(shown, table_named(table), list_row, &listing, &err));
    return listing.text;
}

static const char two_tables[] =
    "CREATE TABLE p (id TEXT PRIMARY KEY NOT NULL);"
    "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, u UNIQUE, v UNIQUE,"
    " p TEXT REFERENCES p(id), t TEXT REFERENCES t(id));";

static void expect(const char *const *rows, const char *fates, const char *when)
{
    for (size_t i = 0; i < ROWS_MAX && rows[i] != NULL; i++)
        add(rows[i], NULL);
    MUST(shown_settle(shown, &err));
    cr_expect_str_eq(fates_of("t"), fates, "%s: %s", when, fates_of("t"));
}

Test(shown, follows_the_specification)
{
    static const struct {
        const char *when;
        const char *rows[ROWS_MAX];
        const char *fates;
    } cases[] = {
        {"two nodes took one name",                 {"t 1 a x - - -", "t 2 b x - - -"},   "a. bu"  },
        {"in the other order",                      {"t 2 b x - - -", "t 1 a x - - -"},   "a. bu"  },
        {"the name is free again",                  {"t 2 b x - - -"},                    "b."     },
        {"what is not placed claims nothing",
         {"t 1 r1 1 - - -", "t 2 r2 1 2 - -", "t 3 r3 - 2 - -"},
         "r1. r2u r3."                                                                             },
        {"what comes back evicts",                  {"t 2 r2 1 2 - -", "t 3 r3 - 2 - -"}, "r2. r3u"},
        {"no parent, not shown",                    {"t 1 c 1 - mum -"},                  "co"     },
        {"the parent is there",                     {"t 1 c 1 - mum -", "p 9 mum"},       "c."     },
        {"a row without its parent claims nothing",
         {"t 1 c 1 - mum -", "t 5 d 1 - - -"},
         "co d."                                                                                   },
        {"rows that refer to each other",
         {"t 1 s - - - s", "t 2 u - - - v", "t 3 v - - - u"},
         "s. u. v."                                                                                },
        {"what step 3 hides still claims",
         {"t 1 h 1 - - gone", "t 2 w 1 - - -"},
         "hi wu"                                                                                   },
        {"a chain without its end",
         {"t 1 a - - - b", "t 2 b - - - c", "t 3 c - - - gone"},
         "ai bi ci"                                                                                },
    };

    begin(two_tables, true);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        shown_close(shown);
        MUST(shown_open(&shown, database, NULL, &catalog, true, &err));
        expect(cases[i].rows, cases[i].fates, cases[i].when);
    }
}

Test(shown, leaves_foreign_keys_out_where_they_do_not_count)
{
    static const char *const rows[ROWS_MAX] = {"t 1 a - - gone gone"};

    begin(two_tables, false);
    expect(rows, "a.", "foreign keys off");
}

Test(shown, lets_the_engine_compare)
{
    static const struct {
        const char *when;
        const char *schema;
        const char *rows[ROWS_MAX];
        const char *fates;
    } cases[] = {
        {"NOCASE",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, u TEXT COLLATE NOCASE UNIQUE)", {"t 1 a x", "t 2 b X"},
         "a. bu"      },
        {"an expression",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, u);"
         "CREATE UNIQUE INDEX i ON t (u % 10)",                                         {"t 1 a 13", "t 2 b 23", "t 3 c 24"},
         "a. bu c."   },
        {"a partial index",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, u);"
         "CREATE UNIQUE INDEX i ON t (u) WHERE u > 5",                                  {"t 1 a 3", "t 2 b 3", "t 3 c 7", "t 4 d 7"},
         "a. b. c. du"},
        {"a key in another case",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL COLLATE NOCASE)",                {"t 2 A", "t 1 a"},
         "Au a."      },
        {"an affinity",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, u TEXT UNIQUE)",                {"t 1 a 7", "t 2 b 8"},
         "a. b."      },
        {"a table that would replace",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, u UNIQUE ON CONFLICT REPLACE)", {"t 1 a x", "t 2 b x"},
         "a. bu"      },
        {"a generated column",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, u, g AS (u % 2) UNIQUE)",       {"t 1 a 1", "t 2 b 3", "t 3 c 4"},
         "a. bu c."   },
        {"WITHOUT ROWID and a circle",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, s TEXT REFERENCES s(id))"
         " WITHOUT ROWID;"
         "CREATE TABLE s (id TEXT PRIMARY KEY NOT NULL, t TEXT REFERENCES t(id))"
         " WITHOUT ROWID;",                                                             {"t 1 a b", "s 2 b a", "t 3 c d", "s 4 d e"},
         "a. ci"      },
        {"a row that this schema refuses",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, u NOT NULL)",                   {"t 1 a -", "t 2 b 1"},
         "ar b."      },
        {"a trigger that would delete",
         "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL);"
         "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END;",                {"t 1 a", "t 2 b"},
         "a. b."      },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin(cases[i].schema, true);
        expect(cases[i].rows, cases[i].fates, cases[i].when);
        shown_close(shown);
        shown = NULL;
        catalog_release(&catalog);
        MUST(sqlite_execute(database, "DROP TABLE IF EXISTS s; DROP TABLE t", &err));
    }
}

Test(shown, takes_images_of_other_definitions_by_column_name)
{
    struct column columns[] = {
        {.name = "more",        .declared_type = "", .collation = "BINARY"},
        { .name = "id",
         .declared_type = "TEXT",
         .collation = "BINARY",
         .not_null = true,
         .key_position = 1},
    };
    const struct definition theirs = {
        .number = 1,
        .name = "t",
        .local_name = "t",
        .dialect = DIALECT_SQLITE,
        .ddl = "",
        .columns = columns,
        .column_count = 2,
        .stored_count = 2,
        .key_count = 1,
    };
    struct shown_row row;
    struct buffer key = {0};
    struct value id = value_of("a");

    begin("CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, u UNIQUE DEFAULT 4)", true);
    add("t 1 - a", &theirs);
    add("t 2 b 4", NULL);
    add("t 3 wide c", &theirs);
    MUST(shown_settle(shown, &err));
    MUST(row_key_put(&key, &id, &err));
    MUST(shown_find(shown, 0, buffer_view(&key), &row, &err));
    cr_expect_eq(row.fate, SHOWN_AS_IT_IS);
    cr_expect_eq(row.definition, &theirs);
    cr_expect_not(row.seen);
    MUST(shown_mark(shown, 0, buffer_view(&key), &err));
    MUST(shown_find(shown, 0, buffer_view(&key), &row, &err));
    cr_expect(row.seen);
    id = value_of("b");
    buffer_clear(&key);
    MUST(row_key_put(&key, &id, &err));
    MUST(shown_find(shown, 0, buffer_view(&key), &row, &err));
    cr_expect_eq(row.fate, SHOWN_TAKEN,
                 "the default is what the row without a value has");
    id = value_of("c");
    buffer_clear(&key);
    MUST(row_key_put(&key, &id, &err));
    MUST(shown_find(shown, 0, buffer_view(&key), &row, &err));
    cr_expect_eq(row.fate, SHOWN_REFUSED, "the table has no column for a value");
    id = value_of("nowhere");
    buffer_clear(&key);
    MUST(row_key_put(&key, &id, &err));
    cr_expect_eq(shown_find(shown, 0, buffer_view(&key), &row, &err), STATUS_NOT_FOUND);
    buffer_release(&key);
}
