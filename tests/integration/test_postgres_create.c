/* Tables made by the statements of their definitions are the same tables again. */
#include "engine/postgres_ddl.h"
#include "tests/support/catalog_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(postgres_create, .init = catalog_set_up, .fini = catalog_tear_down);

/* Make all tables of the catalog in this transaction. */
static enum status create_all(const struct catalog *from, char **left)
{
    enum status status = STATUS_OK;

    *left = NULL;
    for (int phase = POSTGRES_TABLES; phase <= POSTGRES_REFERENCES; phase++)
        for (size_t i = 0; i < from->count && status == STATUS_OK; i++) {
            free(*left);
            status = postgres_create_table(pg_session, from->definitions[i],
                                           (enum postgres_phase)phase, left, &pg_err);
        }
    return status;
}

static void expect_made_again(const char *when)
{
    struct catalog first = pg_catalog;
    char *left = NULL;

    pg_catalog = (struct catalog){0};
    pg_execute("ROLLBACK; BEGIN");
    cr_assert_eq(create_all(&first, &left), STATUS_OK, "%s: %s", when, pg_err.text);
    cr_expect_null(left, "%s: %s", when, left);
    cr_assert_eq(pg_read_catalog(), STATUS_OK, "%s: %s", when, pg_err.text);
    cr_assert_eq(pg_catalog.count, first.count, "%s", when);
    for (size_t i = 0; i < first.count; i++) {
        cr_expect_str_eq(pg_catalog.definitions[i]->ddl, first.definitions[i]->ddl, "%s",
                         when);
        cr_expect(definition_equal(pg_catalog.definitions[i], first.definitions[i]),
                  "%s: %s", when, first.definitions[i]->local_name);
    }
    catalog_release(&first);
    free(left);
}

static const char odd_names[] =
    "CREATE SCHEMA \"S.x \"\"y\"; CREATE TYPE \"S.x \"\"y\".\"order\" AS ENUM ('it''s',"
    " 'a\\b', ';'); CREATE TABLE \"S.x \"\"y\".\"Groß; --\" (\"select\" serial PRIMARY "
    "KEY,"
    " \"a'b\" \"S.x \"\"y\".\"order\" DEFAULT ';', \"$q$\" text DEFAULT E'\\\\;\n$q$;\n' "
    "CHECK (\"$q$\" <> '/*'), \"" /* 63 bytes */
    "abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_abcdefghi\" int GENERATED"
    " ALWAYS AS IDENTITY (START 7 INCREMENT 3 CYCLE) UNIQUE, \" \" int REFERENCES "
    "\"S.x \"\"y\".\"Groß; --\")";

static const char many_kinds[] =
    "CREATE SCHEMA a; CREATE SCHEMA z; CREATE TYPE z.mood AS ENUM ('x', 'y');"
    "CREATE DOMAIN z.d AS z.mood[] DEFAULT '{x}' NOT NULL CONSTRAINT c CHECK "
    "(cardinality(VALUE) < 9); CREATE TYPE a.pair AS (m z.mood, d z.d, t text COLLATE "
    "\"C\"); CREATE TYPE z.span AS RANGE (SUBTYPE = a.pair);"
    "CREATE SEQUENCE z.shared AS smallint INCREMENT -2 MINVALUE -9 CYCLE;"
    "CREATE TABLE z.p (i int PRIMARY KEY, x text, UNIQUE (x) INCLUDE (i), "
    "UNIQUE (x, i) DEFERRABLE INITIALLY DEFERRED);"
    "CREATE TABLE a.c (i bigint DEFAULT nextval('z.shared') PRIMARY KEY, p a.pair, s "
    "z.span, m z.span_multirange, pp a.pair[], x text REFERENCES z.p (x) ON DELETE "
    "CASCADE "
    "DEFERRABLE, g text GENERATED ALWAYS AS (upper(x)) STORED, n numeric(5,2) NOT NULL "
    "DEFAULT 1.50, EXCLUDE USING gist (int8range(i, i + 1) WITH &&), UNIQUE NULLS NOT "
    "DISTINCT (x, n));"
    "ALTER TABLE a.c ADD CONSTRAINT late CHECK (n > 0) NOT VALID, ADD CONSTRAINT later "
    "FOREIGN KEY (x) REFERENCES z.p (x) NOT VALID;"
    "CREATE UNIQUE INDEX ON a.c (lower(x), ((p).t)) WHERE i > 3; CREATE INDEX ON a.c "
    "USING "
    "hash (x);"
    "CREATE TABLE a.child (y int, PRIMARY KEY (i)) INHERITS (z.p);"
    "CREATE TABLE u (d date PRIMARY KEY); CREATE TABLE r (i int NOT NULL, d date "
    "REFERENCES u, PRIMARY KEY (i, d)) PARTITION "
    "BY RANGE (d); CREATE INDEX ON r (d);"
    "CREATE TABLE a.r1 PARTITION OF r FOR VALUES FROM ('2020-01-01') TO (MAXVALUE) "
    "PARTITION BY HASH (i);"
    "CREATE TABLE z.r11 PARTITION OF a.r1 FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
    "CREATE TABLE k (i int NOT NULL, j int NOT NULL); CREATE UNIQUE INDEX kx ON k (j, i);"
    "ALTER TABLE k REPLICA IDENTITY USING INDEX kx; ALTER TABLE z.p REPLICA IDENTITY "
    "FULL";

static void expect_tables_again(void)
{
    char *left = NULL;

    pg_begin(odd_names);
    cr_assert_eq(pg_read_catalog(), STATUS_OK, "%s", pg_err.text);
    cr_assert_eq(pg_catalog.count, 1);
    expect_made_again("odd names");
    /* What is there stays; the table itself may not be. */
    cr_expect_eq(create_all(&pg_catalog, &left), STATUS_IO, "%s", pg_err.text);
    cr_expect_not_null(strstr(pg_err.text, "already exists"), "%s", pg_err.text);
    pg_execute("ROLLBACK");
    pg_begin(many_kinds);
    cr_assert_eq(pg_read_catalog(), STATUS_OK, "%s", pg_err.text);
    cr_assert_eq(pg_catalog.count, 6);
    expect_made_again("many kinds");
    pg_execute("ROLLBACK");
}

static void expect_lacks(void)
{
    static const struct {
        const char *when, *sql, *drop;
        enum status status;
        const char *saying;
    } cases[] = {
        {"a function",
         "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
         "CREATE TABLE t (i int PRIMARY KEY DEFAULT public.f())",                        "DROP FUNCTION public.f CASCADE",  STATUS_NOT_FOUND, "function public.f()"},
        {"an extension's type",
         "CREATE EXTENSION citext; CREATE TABLE t (i citext PRIMARY KEY)",               "DROP EXTENSION citext CASCADE",   STATUS_NOT_FOUND, "public.citext"      },
        {"a collation",
         "CREATE COLLATION x FROM \"C\"; CREATE TABLE t (i text COLLATE x PRIMARY KEY)", "DROP COLLATION public.x CASCADE", STATUS_NOT_FOUND, "public.x"           },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *left = NULL;

        pg_begin(cases[i].sql);
        cr_assert_eq(pg_read_catalog(), STATUS_OK, "%s: %s", cases[i].when, pg_err.text);
        pg_execute("DROP TABLE public.t");
        pg_execute(cases[i].drop);
        cr_expect_eq(create_all(&pg_catalog, &left), cases[i].status, "%s: %s",
                     cases[i].when, pg_err.text);
        cr_expect_not_null(strstr(pg_err.text, cases[i].saying), "%s: %s", cases[i].when,
                           pg_err.text);
        free(left);
        pg_execute("ROLLBACK");
    }
}

static void expect_left_out(void)
{
    char *left = NULL;

    pg_begin(
        "CREATE TABLE p (i int PRIMARY KEY); CREATE TABLE c (i int PRIMARY KEY, x int "
        "REFERENCES p)");
    cr_assert_eq(pg_read_catalog(), STATUS_OK, "%s", pg_err.text);
    pg_execute("DROP TABLE public.c, public.p");
    for (int phase = POSTGRES_TABLES; phase <= POSTGRES_REFERENCES; phase++) {
        cr_assert_null(left);
        cr_assert_eq(postgres_create_table(pg_session, pg_catalog.definitions[0],
                                           (enum postgres_phase)phase, &left, &pg_err),
                     STATUS_OK, "%s", pg_err.text);
    }
    cr_assert_not_null(left);
    cr_expect_not_null(strstr(left, "c_x_fkey"), "%s", left);
    cr_expect_not_null(strstr(left, "\"public.p\" does not exist"), "%s", left);
    free(left);
    pg_execute("ROLLBACK");
}

static void expect_nothing_else(void)
{
    static const char *const statements[] = {
        "DROP TABLE public.t",
        "CREATE TABLE public.x (i int)",
        "CREATE TABLE public.t (i) AS SELECT 1",
        "CREATE TABLE public.t AS SELECT 1",
        "ALTER TABLE public.t OWNER TO postgres",
        "ALTER TABLE public.x ADD CONSTRAINT c CHECK (true)",
        "COPY public.t TO PROGRAM 'true'",
        "DO $$ BEGIN END $$",
        "SELECT 1",
        " CREATE TABLE public.t (i int)",
    };
    struct definition definition = {
        .name = "t", .local_name = "public.t", .dialect = DIALECT_POSTGRES};

    pg_execute("BEGIN");
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        char ddl[200], *left = NULL;

        (void)snprintf(ddl, sizeof ddl, "%s;\n", statements[i]);
        definition.ddl = ddl;
        cr_expect_eq(postgres_create_table(pg_session, &definition, POSTGRES_TABLES,
                                           &left, &pg_err),
                     STATUS_REFUSED, "%s", ddl);
        cr_expect_not_null(strstr(pg_err.text, "does more"), "%s: %s", ddl, pg_err.text);
    }
    pg_execute("ROLLBACK");
}

Test(postgres_create, makes_the_same_tables_and_nothing_else)
{
    expect_tables_again();
    expect_lacks();
    expect_left_out();
    expect_nothing_else();
}

Test(postgres_statement, ends_where_postgres_ends_it)
{
    static const struct {
        const char *sql;
        size_t size;
    } cases[] = {
        {"",             0 },
        {"a",            0 },
        {"a;b;",         2 },
        {"';';",         4 },
        {"''';';",       6 },
        {"'\\';';'",     4 },
        {"E'\\';';",     7 },
        {"xe'\\';",      6 },
        {"\";\";",       4 },
        {"\"\"\";\";",   6 },
        {"--;\n;",       5 },
        {"/*;/*;*/;*/;", 12},
        {"$$;$$;",       6 },
        {"$a$;$$;$a$;",  11},
        {"a$a$;a$",      5 },
        {"$1;",          3 },
        {"'a",           0 },
        {"/* ;",         0 },
        {"$a$;",         0 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(postgres_statement_size(cases[i].sql), cases[i].size, "%s: %zu",
                     cases[i].sql, postgres_statement_size(cases[i].sql));
}
