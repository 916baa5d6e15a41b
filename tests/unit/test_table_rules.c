#include "engine/table_rules.h"

#include "engine/sqlite_catalog.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct sqlite_database *database;
static struct catalog catalog;
static struct table_rules rules;
static struct error err;

static void set_up(void)
{
    cr_assert_eq(sqlite_memory_open(&database, &err), STATUS_OK, "%s", err.text);
}

static void tear_down(void)
{
    catalog_release(&catalog);
    table_rules_release(&rules);
    sqlite_database_close(database);
}

TestSuite(table_rules, .init = set_up, .fini = tear_down);

static void execute(const char *sql)
{
    cr_assert_eq(sqlite_execute(database, sql, &err), STATUS_OK, "%s", err.text);
}

static struct table_rule *rule_for(const char *table)
{
    struct table_rule *rule = NULL;

    cr_assert_eq(table_rules_add(&rules, table, &rule, &err), STATUS_OK);
    return rule;
}

static void set(char **text, const char *value)
{
    cr_assert_eq(table_rules_set(text, value, &err), STATUS_OK);
}

static enum status read_catalog(void)
{
    enum status status;

    catalog_release(&catalog);
    execute("BEGIN");
    status = sqlite_catalog_read(database, &rules, NULL, &catalog, &err);
    execute("ROLLBACK");
    return status;
}

Test(table_rules, are_found_without_case_and_made_once)
{
    rule_for("Person")->direction = TABLE_IN;
    cr_expect_eq(table_rules_direction(&rules, "PERSON"), TABLE_IN);
    cr_expect_eq(rule_for("person"), &rules.list[0]);
    cr_expect_eq(rules.count, 1);
    cr_expect_null(table_rules_find(&rules, "pers"));
    cr_expect_null(table_rules_find(NULL, "person"));
    cr_expect_eq(table_rules_direction(NULL, "person"), TABLE_BOTH);
}

Test(table_rules, differ_in_their_fingerprint_where_they_differ)
{
    uint64_t before = table_rules_fingerprint(NULL), now;

    cr_expect_eq(table_rules_fingerprint(&rules), before);
    set(&rules.only, "a");
    cr_expect_neq(now = table_rules_fingerprint(&rules), before);
    before = now;
    rule_for("t")->direction = TABLE_IN;
    cr_expect_neq(now = table_rules_fingerprint(&rules), before);
    before = now;
    set(&rule_for("t")->name, "x");
    cr_expect_neq(now = table_rules_fingerprint(&rules), before);
    before = now;
    free(rules.list[0].name);
    rules.list[0].name = NULL;
    set(&rule_for("t")->key, "x");
    cr_expect_neq(table_rules_fingerprint(&rules), before);
}

Test(table_rules, name_tables_and_parents_to_the_fleet)
{
    const struct definition *child;

    execute("CREATE TABLE p (id INTEGER PRIMARY KEY);"
            "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES P, q REFERENCES q);"
            "CREATE TABLE q (v)");
    set(&rule_for("P")->name, "parent");
    set(&rules.only, "p, c");
    set(&rule_for("c")->name, "q"); /* so the fleet knows another table as q */
    cr_assert_eq(read_catalog(), STATUS_OK, "%s", err.text);
    cr_assert_eq(catalog.count, 2);
    cr_expect_str_eq(catalog.definitions[0]->name, "parent");
    cr_expect_str_eq(catalog.definitions[0]->local_name, "p");
    child = catalog.definitions[1];
    cr_expect_str_eq(child->name, "q");
    cr_expect_str_eq(child->local_name, "c");
    cr_assert_eq(child->foreign_key_count, 1, "one to a table that nobody knows");
    cr_expect_str_eq(child->foreign_keys[0].parent, "parent");
    cr_expect_str_eq(child->foreign_keys[0].parent_columns[0], "id");
}

Test(table_rules, let_no_two_tables_be_one)
{
    execute("CREATE TABLE a (id INTEGER PRIMARY KEY);"
            "CREATE TABLE b (id INTEGER PRIMARY KEY)");
    set(&rule_for("a")->name, "b");
    cr_expect_eq(read_catalog(), STATUS_REFUSED);
    cr_expect(strstr(err.text, "a and b") != NULL, "%s", err.text);
    set(&rule_for("b")->name, "a"); /* but they may change places */
    cr_assert_eq(read_catalog(), STATUS_OK, "%s", err.text);
    cr_expect_str_eq(catalog.definitions[0]->local_name, "b");
}

Test(table_rules, give_a_key_to_a_table_without_one)
{
    const struct definition *table;

    execute("CREATE TABLE t (a TEXT NOT NULL, b INT NOT NULL, c, UNIQUE (b, A));"
            "CREATE UNIQUE INDEX by_c ON t (c);");
    set(&rule_for("t")->key, " B ,\"a\"");
    cr_assert_eq(read_catalog(), STATUS_OK, "%s", err.text);
    cr_assert_eq(catalog.count, 1);
    table = catalog.definitions[0];
    cr_expect_eq(table->key_count, 2);
    cr_expect_eq(table->columns[0].key_position, 2);
    cr_expect_eq(table->columns[1].key_position, 1);
    cr_assert_eq(table->unique_count, 1, "the key is compared as bytes: by_c is left");
    cr_expect_str_eq(table->uniques[0].name, "by_c");
}

Test(table_rules, list_a_key_that_the_engine_compares_otherwise)
{
    execute("CREATE TABLE t (a TEXT COLLATE NOCASE NOT NULL UNIQUE, p PRIMARY KEY)");
    set(&rule_for("t")->key, "a");
    cr_assert_eq(read_catalog(), STATUS_OK, "%s", err.text);
    cr_assert_eq(catalog.definitions[0]->unique_count, 2);
    for (int i = 0; i < 2; i++) {
        const struct unique_key *unique = &catalog.definitions[0]->uniques[i];

        cr_expect_eq(unique->is_primary, strcmp(unique->terms[0], "a") == 0);
    }
    cr_expect_eq(catalog.definitions[0]->columns[1].key_position, 0);
}

Test(table_rules, refuse_what_is_no_key_and_say_why)
{
    static const struct {
        const char *sql, *key, *why;
    } cases[] = {
        {"a INTEGER PRIMARY KEY, b INT NOT NULL UNIQUE",      "b",       "has a primary key"           },
        {"a INT NOT NULL PRIMARY KEY, b INT NOT NULL UNIQUE", "b",       "has a primary key"           },
        {"a INT NOT NULL UNIQUE",                             "x",       "no column x"                 },
        {"a INT NOT NULL, b INT NOT NULL, UNIQUE (a, b)",     "a, b, A", "twice A"                     },
        {"a INT UNIQUE",                                      "a",       "not NOT NULL is the column a"},
        {"b INT, a INT NOT NULL AS (b) UNIQUE",               "a",       "generated is the column a"   },
        {"a INT NOT NULL, b INT NOT NULL, UNIQUE (a, b)",     "a",       "exactly these"               },
        {"a INT NOT NULL UNIQUE, b INT NOT NULL",             "a, b",    "exactly these"               },
        {"a INT NOT NULL UNIQUE",                             ",",       "names no column"             },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *sql =
            sqlite3_mprintf("DROP TABLE IF EXISTS t; CREATE TABLE t (%s)", cases[i].sql);

        execute(sql);
        sqlite3_free(sql);
        set(&rule_for("T")->key, cases[i].key);
        cr_expect_eq(read_catalog(), STATUS_REFUSED, "%s", cases[i].sql);
        cr_expect(strstr(err.text, cases[i].why) != NULL, "%s: %s", cases[i].sql,
                  err.text);
        cr_expect(strstr(err.text, "[table t] key = ") != NULL, "%s", err.text);
    }
    execute("DROP TABLE t; CREATE TABLE t (a INT NOT NULL);"
            "CREATE UNIQUE INDEX part ON t (a) WHERE a > 0;"
            "CREATE UNIQUE INDEX expression ON t (a + 0)");
    set(&rule_for("t")->key, "a");
    cr_expect_eq(read_catalog(), STATUS_REFUSED);
    cr_expect(strstr(err.text, "is partial") != NULL, "%s", err.text);
    execute("DROP INDEX part");
    cr_expect_eq(read_catalog(), STATUS_REFUSED);
    cr_expect(strstr(err.text, "exactly these") != NULL, "%s", err.text);
}

Test(table_rules, a_list_has_names_between_commas_and_in_quotes)
{
    const char *list = " a b , \"c,\"\"d\" ,,\te";
    struct buffer name = {0};
    static const char *const names[] = {"a b", "c,\"d", "e"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_assert(name_list_take(&list, &name));
        cr_expect_str_eq((const char *)name.data, names[i]);
    }
    cr_expect_not(name_list_take(&list, &name));
    buffer_release(&name);
}
