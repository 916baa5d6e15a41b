#include "engine/sqlite_catalog.h"

#include <criterion/criterion.h>
#include <string.h>

static struct sqlite_database *database;
static struct catalog catalog;
static struct error err;

static void set_up(void)
{
    cr_assert_eq(sqlite_memory_open(&database, &err), STATUS_OK);
}

static void tear_down(void)
{
    catalog_release(&catalog);
    sqlite_database_close(database);
}

TestSuite(sqlite_catalog, .init = set_up, .fini = tear_down);

static void execute(const char *sql)
{
    cr_assert_eq(sqlite_execute(database, sql, &err), STATUS_OK, "%s", err.text);
}

static enum status read_only_some(const char *only)
{
    struct table_rules rules = {.only = (char *)(uintptr_t)only};
    enum status status;

    catalog_release(&catalog);
    cr_assert_eq(sqlite_begin_read(database, &err), STATUS_OK);
    status = sqlite_catalog_read(database, &rules, NULL, &catalog, &err);
    sqlite_rollback(database);
    return status;
}

static void read_catalog(const char *sql)
{
    execute(sql);
    cr_assert_eq(read_only_some(NULL), STATUS_OK, "%s", err.text);
}

static const struct definition *find(const char *name)
{
    for (size_t i = 0; i < catalog.count; i++)
        if (strcmp(catalog.definitions[i]->name, name) == 0)
            return catalog.definitions[i];
    cr_assert_fail("table %s is not in the catalog", name);
    return NULL;
}

static const char *why(const char *name)
{
    for (size_t i = 0; i < catalog.skipped_count; i++)
        if (strcmp(catalog.skipped[i].name, name) == 0)
            return catalog.skipped[i].why;
    return "";
}

Test(sqlite_catalog, describes_every_column)
{
    const struct definition *t;

    read_catalog(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, \"x y\" TEXT COLLATE nocase NOT NULL"
        " DEFAULT 'a', u, g AS (u + 1), h DECIMAL(10, 2) AS (u * 2) STORED,"
        " w timestamp DEFAULT CURRENT_TIMESTAMP)");
    t = find("t");
    cr_assert_eq(t->column_count, 6);
    cr_expect_eq(t->stored_count, 4);
    cr_expect_eq(t->key_count, 1);
    cr_expect_eq(t->number, 0);
    cr_expect_eq(t->dialect, DIALECT_SQLITE);
    cr_expect_eq(t->columns[0].key_position, 1);
    cr_expect_eq(t->columns[0].type, FLEET_INTEGER);
    cr_expect_str_eq(t->columns[1].name, "x y");
    cr_expect_str_eq(t->columns[1].default_sql, "'a'");
    cr_expect(t->columns[1].not_null);
    cr_expect_str_eq(t->columns[1].collation, "NOCASE");
    cr_expect_str_eq(t->columns[2].declared_type, "");
    cr_expect_null(t->columns[2].default_sql);
    cr_expect_eq(t->columns[2].type, FLEET_ANY);
    cr_expect_str_eq(t->columns[2].collation, "BINARY");
    cr_expect_eq(t->columns[3].generated, GENERATED_VIRTUAL);
    cr_expect_eq(t->columns[4].generated, GENERATED_STORED);
    cr_expect_str_eq(t->columns[4].declared_type, "DECIMAL(10, 2)");
    cr_expect_eq(t->columns[5].type, FLEET_TIMESTAMP);
    cr_expect_eq(t->unique_count, 0);
}

Test(sqlite_catalog, tables_come_by_name_with_their_kinds)
{
    read_catalog("CREATE TABLE b (a INT, k TEXT PRIMARY KEY) STRICT;"
                 "CREATE TABLE a (x, y, PRIMARY KEY (y DESC, x)) WITHOUT ROWID;"
                 "CREATE TABLE C (i INTEGER PRIMARY KEY);"
                 "CREATE TABLE rowferry_state (i INTEGER PRIMARY KEY);"
                 "CREATE TABLE au (i INTEGER PRIMARY KEY AUTOINCREMENT);"
                 "CREATE VIEW v AS SELECT 1");
    cr_assert_eq(catalog.count, 4);
    cr_expect_str_eq(catalog.definitions[0]->name, "C");
    cr_expect_str_eq(catalog.definitions[1]->name, "a");
    cr_expect_str_eq(catalog.definitions[2]->name, "au");
    cr_expect_str_eq(catalog.definitions[3]->name, "b");
    cr_expect_eq(catalog.skipped_count, 0);
    cr_expect(find("a")->without_rowid && !find("a")->strict);
    cr_expect(find("b")->strict && !find("b")->without_rowid);
    cr_expect_eq(find("a")->columns[0].key_position, 2);
    cr_expect_eq(find("a")->columns[1].key_position, 1);
}

Test(sqlite_catalog, names_what_it_leaves_out_and_why)
{
    read_catalog("CREATE TABLE nokey (a, b); CREATE VIRTUAL TABLE f USING fts5(x);"
                 "CREATE TABLE n (k TEXT PRIMARY KEY, v); INSERT INTO n VALUES (NULL, 1),"
                 " (NULL, 2), ('a', 3); CREATE TABLE \"\" (a PRIMARY KEY);"
                 "CREATE TABLE e (\"\" PRIMARY KEY);"
                 "CREATE TABLE ok (i INTEGER PRIMARY KEY)");
    cr_expect_str_eq(why("nokey"), "no primary key");
    cr_expect_str_eq(why("f"), "virtual table");
    cr_expect_str_eq(why("f_data"), "belongs to a virtual table");
    cr_expect_str_eq(why("f_config"), "belongs to a virtual table");
    cr_expect_str_eq(why("n"), "2 rows with NULL in the key are not replicated");
    cr_expect_str_eq(why(""), "its name is empty");
    cr_expect_str_eq(why("e"), "the name of a column is empty");
    cr_expect_eq(catalog.count, 2);
    cr_expect_not_null(find("n"));
}

Test(sqlite_catalog, tables_of_a_module_that_is_not_here_are_left_out)
{
    read_catalog(
        "CREATE TABLE sp_x (i INTEGER PRIMARY KEY); CREATE TABLE spy (i INTEGER"
        " PRIMARY KEY); PRAGMA writable_schema = 1; INSERT INTO sqlite_schema VALUES"
        " ('table', 'sp', 'sp', 0, 'CREATE VIRTUAL TABLE sp USING nomodule(a)');"
        "PRAGMA writable_schema = RESET");
    cr_expect_str_eq(why("sp"), "virtual table");
    cr_expect_str_eq(why("sp_x"),
                     "seems to belong to the virtual table sp, whose module is not here");
    cr_expect_eq(catalog.count, 1);
}

Test(sqlite_catalog, only_some_tables_may_be_wanted)
{
    execute(
        "CREATE TABLE a (i INTEGER PRIMARY KEY); CREATE TABLE b (i INTEGER PRIMARY KEY);"
        "CREATE TABLE c (x); CREATE TABLE \"d,\"\"e\" (i INTEGER PRIMARY KEY);"
        "CREATE VIEW v AS SELECT 1");
    cr_assert_eq(read_only_some("A , c"), STATUS_OK, "%s", err.text);
    cr_expect_eq(catalog.count, 1);
    cr_expect_eq(catalog.skipped_count, 1);
    cr_assert_eq(read_only_some("\"d,\"\"e\",b"), STATUS_OK, "%s", err.text);
    cr_expect_eq(catalog.count, 2);
    cr_expect_eq(read_only_some("a,nosuch"), STATUS_REFUSED);
    cr_expect(strstr(err.text, "nosuch") != NULL, "%s", err.text);
    cr_expect_eq(read_only_some("v"), STATUS_REFUSED);
}

Test(sqlite_catalog, lists_every_unique_index)
{
    const struct definition *t;
    const struct unique_key *key;

    read_catalog("CREATE TABLE t (id INTEGER PRIMARY KEY, a UNIQUE, b COLLATE nocase, c,"
                 " UNIQUE (c, b));"
                 "CREATE UNIQUE INDEX z ON t (lower(a) COLLATE rtrim DESC, c)"
                 " WHERE c > 1 -- (\n;"
                 "CREATE UNIQUE INDEX m ON t (b COLLATE binary);"
                 "CREATE INDEX plain ON t (a)");
    t = find("t");
    cr_assert_eq(t->unique_count, 4);
    key = &t->uniques[0];
    cr_expect_str_eq(key->name, "");
    cr_assert_eq(key->term_count, 1);
    cr_expect_str_eq(key->terms[0], "a");
    cr_expect(!key->is_expression[0] && !key->is_primary);
    key = &t->uniques[1];
    cr_assert_eq(key->term_count, 2);
    cr_expect_str_eq(key->terms[0], "c");
    cr_expect_str_eq(key->collations[1], "NOCASE");
    key = &t->uniques[2];
    cr_expect_str_eq(key->name, "m");
    cr_expect_str_eq(key->collations[0], "BINARY");
    cr_expect_null(key->where_sql);
    key = &t->uniques[3];
    cr_expect_str_eq(key->name, "z");
    cr_expect(key->is_expression[0] && !key->is_expression[1]);
    cr_expect_str_eq(key->terms[0], "lower(a) COLLATE rtrim");
    cr_expect_str_eq(key->collations[0], "RTRIM");
    cr_expect_str_eq(key->terms[1], "c");
    cr_expect_str_eq(key->where_sql, "c > 1");
}

Test(sqlite_catalog, a_key_compared_otherwise_than_as_bytes_is_unique_too)
{
    static const struct {
        const char *when;
        const char *sql;
        bool listed;
    } cases[] = {
        {"integer",       "CREATE TABLE t (k INTEGER PRIMARY KEY)",                  false},
        {"text",          "CREATE TABLE t (k TEXT PRIMARY KEY)",                     false},
        {"nocase",        "CREATE TABLE t (k TEXT COLLATE nocase PRIMARY KEY)",      true },
        {"in the clause", "CREATE TABLE t (k TEXT, PRIMARY KEY (k COLLATE nocase))",
         true                                                                             },
        {"untyped",       "CREATE TABLE t (k PRIMARY KEY)",                          true },
        {"any",           "CREATE TABLE t (k ANY PRIMARY KEY) STRICT",               true },
        {"no rowid",
         "CREATE TABLE t (a INT, k TEXT COLLATE nocase, PRIMARY KEY (a, k)) WITHOUT "
         "ROWID",                                                                    true },
        {"blob",          "CREATE TABLE t (k BLOB PRIMARY KEY)",                     false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct definition *t;

        read_catalog(cases[i].sql);
        t = find("t");
        cr_assert_eq(t->unique_count, cases[i].listed ? 1 : 0, "%s", cases[i].when);
        if (cases[i].listed) {
            cr_expect(t->uniques[0].is_primary, "%s", cases[i].when);
            cr_expect_eq(t->uniques[0].term_count, t->key_count, "%s", cases[i].when);
        }
        execute("DROP TABLE t");
    }
}

Test(sqlite_catalog, foreign_keys_name_columns_as_their_tables_spell_them)
{
    const struct definition *t;

    read_catalog("CREATE TABLE Parent (A, B UNIQUE, PRIMARY KEY (B, A));"
                 "CREATE TABLE t (id INTEGER PRIMARY KEY, X REFERENCES parent(b), y,"
                 " z REFERENCES missing(q), v REFERENCES missing, w REFERENCES parent,"
                 " FOREIGN KEY (x, Y) REFERENCES PARENT ON DELETE CASCADE)");
    t = find("t");
    cr_assert_eq(t->foreign_key_count, 3);
    cr_expect_str_eq(t->foreign_keys[0].parent, "Parent");
    cr_expect_str_eq(t->foreign_keys[0].columns[0], "X");
    cr_expect_str_eq(t->foreign_keys[0].parent_columns[0], "B");
    cr_expect_str_eq(t->foreign_keys[1].parent, "missing");
    cr_assert_eq(t->foreign_keys[2].column_count, 2);
    cr_expect_str_eq(t->foreign_keys[2].columns[1], "y");
    cr_expect_str_eq(t->foreign_keys[2].parent_columns[0], "B");
    cr_expect_str_eq(t->foreign_keys[2].parent_columns[1], "A");
}

Test(sqlite_catalog, odd_names_are_names)
{
    static const char name[] = "select \"from\" a.b'c";
    const struct definition *t;

    read_catalog(
        "CREATE TABLE \"select \"\"from\"\" a.b'c\" (\"order\" TEXT, \"a.\"\"b\" INT,"
        " \"group\" AS (\"order\" || 1), PRIMARY KEY (\"order\", \"a.\"\"b\"));"
        "CREATE UNIQUE INDEX \"where (\" ON \"select \"\"from\"\" a.b'c\""
        " (lower(\"a.\"\"b\")) WHERE \"order\" <> ')';"
        "INSERT INTO \"select \"\"from\"\" a.b'c\" VALUES (NULL, 1)");
    t = find(name);
    cr_expect_str_eq(t->columns[1].name, "a.\"b");
    cr_assert_eq(t->unique_count, 1);
    cr_expect_str_eq(t->uniques[0].terms[0], "lower(\"a.\"\"b\")");
    cr_expect_str_eq(t->uniques[0].where_sql, "\"order\" <> ')'");
    cr_expect_str_eq(why(name), "1 rows with NULL in the key are not replicated");
}

static const char schema[] =
    "CREATE TABLE t (i INTEGER PRIMARY KEY, a CHECK (length(a) < 9), g AS (upper(a)));"
    "CREATE TABLE other (i INTEGER PRIMARY KEY);"
    "CREATE TRIGGER tr AFTER INSERT ON T BEGIN SELECT 1; INSERT INTO other VALUES (1); "
    "END;"
    "CREATE UNIQUE INDEX ix ON t (lower(a)) WHERE a > 1 -- end";

Test(sqlite_catalog, the_ddl_makes_the_same_table_elsewhere)
{
    struct sqlite_database *elsewhere;
    struct catalog copy = {0};

    read_catalog(schema);
    cr_assert_eq(sqlite_memory_open(&elsewhere, &err), STATUS_OK);
    cr_assert_eq(sqlite_create_table(elsewhere, find("t"), &err), STATUS_OK, "%s",
                 err.text);
    cr_assert_eq(sqlite_begin_read(elsewhere, &err), STATUS_OK);
    cr_assert_eq(sqlite_catalog_read(elsewhere, NULL, NULL, &copy, &err), STATUS_OK, "%s",
                 err.text);
    sqlite_rollback(elsewhere);
    cr_assert_eq(copy.count, 1);
    cr_expect(definition_equal(copy.definitions[0], find("t")));
    cr_expect(strstr(find("t")->ddl, "TRIGGER") != NULL);
    catalog_release(&copy);
    sqlite_database_close(elsewhere);
}

Test(sqlite_catalog, ddl_from_elsewhere_makes_tables_and_nothing_else)
{
    static const char *const cases[] = {"DROP TABLE t;\n",
                                        "DELETE FROM t;\n",
                                        "INSERT INTO t VALUES (1, 2);\n",
                                        "ATTACH 'x' AS y;\n",
                                        "PRAGMA user_version = 1;\n",
                                        "SELECT 1;\n",
                                        "CREATE VIEW v AS SELECT 1;\n",
                                        "ALTER TABLE t ADD COLUMN z;\n",
                                        "CREATE TEMP TABLE z (i);\n",
                                        "UPDATE sqlite_sequence SET seq = 1;\n",
                                        "CREATE VIRTUAL TABLE z USING fts5(a);\n",
                                        "no sql",
                                        "VACUUM;\n",
                                        "BEGIN;\n"};
    int64_t tables = 0;

    execute("CREATE TABLE t (i INTEGER PRIMARY KEY AUTOINCREMENT, a)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct definition definition = {
            .name = "z", .dialect = DIALECT_SQLITE, .ddl = cases[i]};

        cr_expect_neq(sqlite_create_table(database, &definition, &err), STATUS_OK, "%s",
                      cases[i]);
    }
    cr_assert_eq(
        sqlite_number(database, "SELECT count(*) FROM sqlite_schema", &tables, &err),
        STATUS_OK);
    cr_expect_eq(tables, 2);
    execute("DELETE FROM t"); /* the guard is gone */
}

Test(sqlite_catalog, equal_schemas_give_equal_definitions)
{
    struct catalog first;

    read_catalog(schema);
    first = catalog;
    catalog = (struct catalog){0};
    read_catalog("SELECT 1");
    cr_expect(definition_equal(first.definitions[1], catalog.definitions[1]));
    read_catalog("DROP TRIGGER tr");
    cr_expect(!definition_equal(first.definitions[1], catalog.definitions[1]));
    cr_expect_gt(catalog.schema_version, first.schema_version);
    catalog_release(&first);
}

Test(sqlite_catalog, an_unknown_collation_hinders_nobody)
{
    read_catalog(
        "CREATE TABLE ok (i INTEGER PRIMARY KEY);"
        "CREATE TABLE c (k TEXT PRIMARY KEY, v); PRAGMA writable_schema = 1;"
        "UPDATE sqlite_schema SET sql = 'CREATE TABLE c (k TEXT COLLATE localized"
        " PRIMARY KEY, v COLLATE localized UNIQUE)' WHERE name = 'c';"
        "PRAGMA writable_schema = RESET");
    cr_expect_eq(catalog.count, 1);
    cr_assert_eq(catalog.skipped_count, 1);
    cr_expect_str_eq(catalog.skipped[0].name, "c");
    cr_expect(strstr(catalog.skipped[0].why, "localized") != NULL);
}

static void expect_broken(const char *expected)
{
    char *broken = NULL;

    catalog_release(&catalog);
    read_catalog("");
    cr_assert_eq(sqlite_foreign_keys_broken(database, &catalog, &broken, &err), STATUS_OK,
                 "%s", err.text);
    if (expected == NULL)
        cr_expect_null(broken, "%s", broken);
    else
        cr_expect(broken != NULL && strstr(broken, expected) != NULL, "%s", broken);
    free(broken);
}

Test(sqlite_catalog, what_is_broken_among_foreign_keys_is_named)
{
    execute("CREATE TABLE p (i INTEGER PRIMARY KEY, v);"
            "CREATE TABLE c (i INTEGER PRIMARY KEY, p REFERENCES p);"
            "INSERT INTO p VALUES (1, 1); INSERT INTO c VALUES (1, 1), (2, NULL)");
    expect_broken(NULL);
    execute("INSERT INTO c VALUES (3, 9)");
    expect_broken("c has 1 row without a parent in p");
    execute("INSERT INTO c VALUES (4, 9)");
    expect_broken("c has 2 rows without a parent in p");
    execute("DELETE FROM c; CREATE TABLE m (i INTEGER PRIMARY KEY, x REFERENCES p (v));"
            "INSERT INTO m VALUES (1, 1)");
    expect_broken("those of m can't be checked (foreign key mismatch");
}

Test(sqlite_catalog, keys_of_or_to_tables_that_are_not_replicated_break_nothing)
{
    execute(
        "CREATE TABLE p (i INTEGER PRIMARY KEY); CREATE TABLE keyless (p REFERENCES p);"
        "INSERT INTO keyless VALUES (7); CREATE TABLE other (i UNIQUE);"
        "CREATE TABLE c (i INTEGER PRIMARY KEY, o REFERENCES other (i));"
        "INSERT INTO c VALUES (1, 7)");
    expect_broken(NULL);
}

Test(sqlite_catalog, foreign_keys_say_whether_they_count)
{
    execute("CREATE TABLE p (i INTEGER PRIMARY KEY);"
            "CREATE TABLE c (i INTEGER PRIMARY KEY, p REFERENCES p)");
    read_catalog("");
    cr_expect_not(find("c")->foreign_keys[0].counts);
    catalog_count_foreign_keys(&catalog, true);
    cr_expect(find("c")->foreign_keys[0].counts);
}

/* ---- groups */

Test(sqlite_catalog, parents_come_before_children_and_circles_are_one_group)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    uint32_t group[7];

    /* d and e and f are a circle; a -> d, d -> g, c -> c, b -> a */
    read_catalog(
        "CREATE TABLE a (i INTEGER PRIMARY KEY, x REFERENCES d);"
        "CREATE TABLE b (i INTEGER PRIMARY KEY, x REFERENCES a, y REFERENCES nosuch(q));"
        "CREATE TABLE c (i INTEGER PRIMARY KEY, x REFERENCES c);"
        "CREATE TABLE d (i INTEGER PRIMARY KEY, x REFERENCES e, y REFERENCES g);"
        "CREATE TABLE e (i INTEGER PRIMARY KEY, x REFERENCES f);"
        "CREATE TABLE f (i INTEGER PRIMARY KEY, x REFERENCES d);"
        "CREATE TABLE g (i INTEGER PRIMARY KEY)");
    cr_assert_eq(catalog.count, 7);
    for (size_t i = 0; i < 7; i++)
        cr_assert_str_eq(catalog.definitions[i]->name, names[i]);
    cr_assert_eq(foreign_key_groups((const struct definition *const *)catalog.definitions,
                                    7, group, &err),
                 STATUS_OK);
    cr_expect_eq(group[3], group[4]);
    cr_expect_eq(group[4], group[5]);
    cr_expect_lt(group[6], group[3]);
    cr_expect_lt(group[3], group[0]);
    cr_expect_lt(group[0], group[1]);
    cr_expect_neq(group[2], group[3]);
    for (size_t i = 0; i < 7; i++)
        cr_expect_lt(group[i], 5, "five groups are numbered from 0");
}
