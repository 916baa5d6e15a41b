/* What init tells an administrator, and that it is enough. */
#include "engine/postgres_check.h"
#include "tests/support/catalog_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct findings findings;

static const struct postgres_needs all_needs = {
    .slot = "rowferry_1", .publication = "rowferry_1", .takes = true};

/* "! text" for a refusal, "- text" for a note, each with " [statement]". */
static const char *told(void)
{
    buffer_clear(&pg_text);
    for (size_t i = 0; i < findings.count; i++) {
        const struct finding *finding = &findings.list[i];

        buffer_put_bytes(
            &pg_text, bytes_of_text(finding->severity == FINDING_REFUSAL ? "! " : "- "));
        buffer_put_bytes(&pg_text, bytes_of_text(finding->text));
        if (finding->sql != NULL) {
            buffer_put_bytes(&pg_text, bytes_of_text(" ["));
            buffer_put_bytes(&pg_text, bytes_of_text(finding->sql));
            buffer_put_bytes(&pg_text, bytes_of_text("]"));
        }
        buffer_put(&pg_text, '\n', 1);
    }
    buffer_put(&pg_text, 0, 1);
    return (const char *)pg_text.data;
}

static void check(const struct postgres_needs *needs)
{
    findings_release(&findings);
    cr_assert_eq(pg_read_catalog(), STATUS_OK, "%s", pg_err.text);
    cr_assert_eq(
        postgres_check(pg_session, &pg_catalog, &pg_rules, needs, &findings, &pg_err),
        STATUS_OK, "%s", pg_err.text);
}

static void expect_nothing(void)
{
    pg_begin("CREATE TABLE t (i int PRIMARY KEY, x text)");
    check(&all_needs);
    cr_expect_str_eq(told(), "");
    cr_expect_not(findings_refuse(&findings));
    pg_execute("ROLLBACK");
}

static void expect_notes(void)
{
    pg_begin(
        "CREATE TABLE n (i serial PRIMARY KEY, x numeric, f float8, UNIQUE (x) "
        "DEFERRABLE); CREATE TABLE skipped (i int NOT NULL UNIQUE, n int REFERENCES n);"
        "CREATE TABLE c (i int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s int "
        "REFERENCES skipped (i)); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql "
        "AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER quiet BEFORE UPDATE ON c FOR EACH "
        "ROW EXECUTE FUNCTION f(); CREATE TRIGGER loud BEFORE UPDATE ON c FOR EACH ROW "
        "EXECUTE FUNCTION f(); ALTER TABLE c ENABLE ALWAYS TRIGGER loud");
    check(&all_needs);
    cr_expect_str_eq(
        told(),
        "- public.c (loud): these triggers fire for what comes from others, too\n"
        "- public.c (quiet): these triggers do not fire for what comes from others: "
        "their "
        "effects come as rows\n"
        "- public.c (i), public.n (i): several nodes would hand out the same numbers as "
        "keys: init --ids range gives each its own, or use uuids\n"
        "- public.n (public.skipped): tables that are not replicated refer to it, and "
        "keep rows whose parents are deleted elsewhere\n"
        "- public.n.x: SQLite nodes carry numeric exactly, but compute with 15 digits\n"
        "- public.n.f: SQLite has no NaN: it stores NULL instead\n"
        "- public.n (n_x_key): deferrable constraints are probed row by row when rows "
        "come from others, which is slow\n"
        "- public.c (skipped): it refers to a table that is not replicated: elsewhere "
        "its rows may have no parent\n"
        "- public.skipped is not replicated: no primary key [ALTER TABLE public.skipped "
        "REPLICA IDENTITY USING INDEX \"skipped_i_key\"]\n",
        "%s", (const char *)pg_text.data);
    pg_execute("ROLLBACK");
}

static const char wanted_of_plain[] =
    "! the role has not the attribute REPLICATION [ALTER ROLE \"Plain\" REPLICATION]\n"
    "! the role may not make a publication [GRANT CREATE ON DATABASE test TO "
    "\"Plain\"]\n"
    "! the role may not make temporary tables, by which constraints are decided [GRANT "
    "TEMPORARY ON DATABASE test TO \"Plain\"]\n"
    "! app: the role may not use the schema [GRANT USAGE ON SCHEMA app TO \"Plain\"]\n"
    "! public.\"T\", app.t: the role may not read it [GRANT SELECT ON TABLE "
    "public.\"T\", app.t TO \"Plain\"]\n"
    "! public.\"T\", app.t: the role may not write it [GRANT INSERT, UPDATE, DELETE ON "
    "TABLE public.\"T\", app.t TO \"Plain\"]\n"
    "! public.\"T\", app.t: only its owner may publish it: let the role be a member of "
    "its owner [GRANT \"Boss\" TO \"Plain\"]\n"
    "! public.\"T\": row-level security hides rows from the role [ALTER ROLE \"Plain\" "
    "BYPASSRLS]\n"
    "! public.\"T\", app.t: it has triggers or foreign keys, and the role may not "
    "silence "
    "them for what comes from others [GRANT SET ON PARAMETER session_replication_role TO "
    "\"Plain\"]\n"
    "- app.t_n_seq: the role may not move the sequence past numbers that come from "
    "others "
    "[GRANT SELECT, UPDATE ON SEQUENCE app.t_n_seq TO \"Plain\"]\n";

/* What a plain role lacks; what is told is run, and nothing is refused any more. */
static void expect_grants(void)
{
    pg_begin(
        "REVOKE TEMPORARY ON DATABASE test FROM PUBLIC; "
        "CREATE ROLE \"Plain\"; CREATE ROLE \"Boss\"; CREATE SCHEMA app; CREATE TABLE "
        "app.t (i int PRIMARY KEY, n serial); CREATE TABLE \"T\" (i int PRIMARY KEY, p "
        "int REFERENCES app.t ON DELETE "
        "CASCADE); ALTER TABLE \"T\" ENABLE ROW LEVEL SECURITY; CREATE TABLE own (i int "
        "PRIMARY KEY); ALTER TABLE own OWNER TO \"Plain\"; ALTER TABLE app.t "
        "OWNER TO \"Boss\"; ALTER TABLE \"T\" OWNER TO \"Boss\"");
    pg_execute("SET LOCAL SESSION AUTHORIZATION \"Plain\"");
    check(&all_needs);
    cr_expect(findings_refuse(&findings));
    cr_expect_eq(strncmp(told(), wanted_of_plain, strlen(wanted_of_plain)), 0, "%s",
                 (const char *)pg_text.data);
    pg_execute("RESET SESSION AUTHORIZATION");
    for (size_t i = 0; i < findings.count; i++)
        if (findings.list[i].sql != NULL)
            pg_execute(findings.list[i].sql);
    pg_execute("SET LOCAL SESSION AUTHORIZATION \"Plain\"");
    check(&all_needs);
    cr_expect_str_eq(told(), "");
    pg_execute("ROLLBACK");
}

/* A table that only takes or only gives needs half of it; one without foreign keys
 * needs no silence. */
static void expect_less_for_less(void)
{
    const struct postgres_needs needs = {.takes = true};
    struct table_rule *rule = NULL;

    pg_rules.postgres = true;
    cr_assert_eq(table_rules_add(&pg_rules, "o", &rule, &pg_err), STATUS_OK);
    rule->direction = TABLE_OUT;
    pg_begin("CREATE ROLE \"Plain\" REPLICATION; CREATE TABLE o (i int PRIMARY KEY);"
             "CREATE TABLE c (i int PRIMARY KEY REFERENCES o);"
             "GRANT SELECT ON o, c TO \"Plain\"; GRANT UPDATE, INSERT, DELETE ON c TO "
             "\"Plain\"");
    pg_execute("SET LOCAL SESSION AUTHORIZATION \"Plain\"");
    check(&needs);
    cr_expect_str_eq(told(),
                     "! public.c: it has triggers or foreign keys, and the role may not "
                     "silence them for what comes from others [GRANT SET ON PARAMETER "
                     "session_replication_role TO \"Plain\"]\n");
    pg_execute("RESET SESSION AUTHORIZATION; ALTER TABLE public.c DROP CONSTRAINT "
               "c_i_fkey; SET LOCAL SESSION AUTHORIZATION \"Plain\"");
    check(&needs);
    cr_expect_not(findings_refuse(&findings), "%s", told());
    pg_execute("ROLLBACK");
}

Test(postgres_check, tells_what_is_lacking_and_that_is_enough, .init = catalog_set_up,
     .fini = catalog_tear_down)
{
    expect_nothing();
    expect_notes();
    expect_grants();
    expect_less_for_less();
    findings_release(&findings);
}

Test(postgres_check, refuses_servers_that_can_not_do_it)
{
    static const char *const settings[] = {"wal_level=replica", "max_replication_slots=0",
                                           "max_wal_senders=0", NULL};
    char *name;

    cluster_start(&pg_cluster, settings);
    cluster_run(&pg_cluster,
                "CREATE DATABASE tesX ENCODING 'SQL_ASCII' TEMPLATE template0");
    name = strstr(pg_cluster.url, "/test");
    cr_assert_not_null(name);
    memcpy(name, "/tesx", 5);
    cr_assert_eq(postgres_open(&pg_session, pg_cluster.url, POSTGRES_READ, &pg_err),
                 STATUS_OK, "%s", pg_err.text);
    pg_execute("BEGIN");
    check(&all_needs);
    cr_expect_str_eq(
        told(),
        "! wal_level is not logical (restart the server after the change) [ALTER SYSTEM "
        "SET wal_level = 'logical']\n"
        "! no replication slot is left: drop one that nobody uses, or raise the limit "
        "(restart the server after the change) [ALTER SYSTEM SET max_replication_slots = "
        "5]\n"
        "! no WAL sender is left (restart the server after the change) [ALTER SYSTEM SET "
        "max_wal_senders = 5]\n"
        "! the database's encoding is not UTF8: dump it and restore it into one that "
        "is\n",
        "%s", (const char *)pg_text.data);
    findings_release(&findings);
    catalog_tear_down();
}
