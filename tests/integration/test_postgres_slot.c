/* Slots and publications of a real server; one of them for all, since they start slowly.
 */
#include "engine/lsn.h"
#include "engine/postgres_publication.h"
#include "engine/postgres_slot.h"
#include "tests/support/postgres_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct cluster cluster;
static struct postgres *plain, *replication;
static struct error err;

static void set_up(void)
{
    static const char *const settings[] = {"max_replication_slots=2", NULL};

    cluster_start(&cluster, settings);
    cr_assert_eq(postgres_open(&plain, cluster.url, POSTGRES_WRITE, &err), STATUS_OK);
    cr_assert_eq(postgres_open(&replication, cluster.url, POSTGRES_REPLICATION, &err),
                 STATUS_OK, "%s", err.text);
}

static void tear_down(void)
{
    postgres_close(plain);
    postgres_close(replication);
    cluster_stop(&cluster);
}

static void run(const char *sql)
{
    cr_assert_eq(postgres_execute(plain, sql, &err), STATUS_OK, "%s", err.text);
}

static void expect_number(const char *sql, int64_t wanted)
{
    int64_t found = -1;

    cr_assert_eq(postgres_number(plain, sql, &found, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(found, wanted, "%s", sql);
}

static void expect(enum status found, enum status wanted, const char *saying)
{
    cr_expect_eq(found, wanted, "%s: %s", saying, err.text);
    cr_expect_not_null(strstr(err.text, saying), "%s: %s", saying, err.text);
}

static void drop_slot(const char *name)
{
    cr_assert_eq(postgres_slot_drop(plain, name, &err), STATUS_OK, "%s", err.text);
}

static void drop_tables(void)
{
    run("DROP TABLE IF EXISTS public.t, public.other, \"S x\".\"T.y\";"
        "DROP SCHEMA IF EXISTS \"S x\"; DROP PUBLICATION IF EXISTS p");
}

/* The slot begins where the snapshot ends: of three rows the snapshot has the first, the
 * slot tells the other two. */
static void expect_no_gap(const struct postgres_slot_start *start)
{
    char sql[256];

    run("INSERT INTO public.t VALUES (2), (3)");
    run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    (void)snprintf(sql, sizeof sql, "SET TRANSACTION SNAPSHOT '%s'", start->snapshot);
    run(sql);
    expect_number("SELECT count(*) FROM public.t", 1);
    run("COMMIT");
    expect_number("SELECT count(*) FROM pg_logical_slot_peek_binary_changes('s', NULL, "
                  "NULL, 'proto_version', '1', 'publication_names', 'p') WHERE "
                  "get_byte(data, 0) = ascii('I')",
                  2);
}

static void expect_state(const struct postgres_slot_start *start)
{
    struct postgres_slot slot = {.active_pid = -1};

    cr_assert_eq(postgres_slot_read(plain, "s", &slot, &err), STATUS_OK, "%s", err.text);
    cr_expect_str_eq(slot.plugin, "pgoutput");
    cr_expect_str_eq(slot.database, "test");
    cr_expect_not(slot.two_phase);
    cr_expect_eq(slot.confirmed_lsn, start->lsn);
    cr_expect_gt(slot.restart_lsn, 0);
    cr_expect_leq(slot.restart_lsn, start->lsn);
    cr_expect_eq(slot.wal_status, POSTGRES_WAL_RESERVED);
    cr_expect_not(slot.is_limited);
    cr_expect_eq(slot.active_pid, 0);
}

static void expect_slot_begins_where_its_snapshot_ends(void)
{
    struct postgres_slot_start start;

    run("CREATE TABLE public.t (a int PRIMARY KEY); INSERT INTO public.t VALUES (1);"
        "CREATE PUBLICATION p FOR TABLE public.t");
    cr_assert_eq(postgres_slot_create(replication, "s", &start, &err), STATUS_OK, "%s",
                 err.text);
    expect_state(&start);
    expect_no_gap(&start);
    expect(postgres_slot_create(replication, "s", &start, &err), STATUS_REFUSED,
           "already exists");
    expect(postgres_slot_create(replication, "S x", &start, &err), STATUS_REFUSED,
           "invalid character");
    drop_slot("s");
    expect(postgres_slot_drop(plain, "s", &err), STATUS_NOT_FOUND, "does not exist");
    drop_tables();
}

static void expect_slot_says_what_the_server_lacks(void)
{
    struct postgres_slot slot;
    struct postgres_slot_start start;

    expect(postgres_slot_read(plain, "s", &slot, &err), STATUS_NOT_FOUND,
           "replication slot \"s\" does not exist");
    cr_assert_eq(postgres_slot_create(replication, "a", &start, &err), STATUS_OK);
    cr_assert_eq(postgres_slot_create(replication, "b", &start, &err), STATUS_OK);
    expect(postgres_slot_create(replication, "c", &start, &err), STATUS_REFUSED,
           "all replication slots are in use");
    drop_slot("a");
    drop_slot("b");
}

static void expect_limited_and_lost_slots_say_so(void)
{
    struct postgres_slot slot = {0};
    struct postgres_slot_start start;

    cr_assert_eq(postgres_slot_create(replication, "s", &start, &err), STATUS_OK);
    run("ALTER SYSTEM SET max_slot_wal_keep_size = '16MB'");
    run("SELECT pg_reload_conf()");
    for (int i = 0; i < 5; i++)
        run("SELECT pg_logical_emit_message(false, 'x', 'y'), pg_switch_wal()");
    cr_assert_eq(postgres_slot_read(plain, "s", &slot, &err), STATUS_OK, "%s", err.text);
    cr_expect(slot.is_limited);
    cr_expect_eq(slot.wal_status, POSTGRES_WAL_UNRESERVED);
    cr_expect_leq(slot.safe_wal_size, 0);
    run("CHECKPOINT");
    cr_assert_eq(postgres_slot_read(plain, "s", &slot, &err), STATUS_OK, "%s", err.text);
    cr_expect_eq(slot.wal_status, POSTGRES_WAL_LOST);
    cr_expect_eq(slot.restart_lsn, 0);
    drop_slot("s");
}

static void expect_the_system_that_answers(void)
{
    struct postgres_system system = {0};
    int64_t identifier = 0;

    cr_assert_eq(postgres_identify_system(replication, &system, &err), STATUS_OK, "%s",
                 err.text);
    cr_assert_eq(postgres_number(plain,
                                 "SELECT system_identifier FROM pg_control_system()",
                                 &identifier, &err),
                 STATUS_OK, "%s", err.text);
    cr_expect_eq(system.identifier, (uint64_t)identifier);
    cr_expect_eq(system.timeline, 1);
    cr_expect_gt(system.flushed_lsn, 0);
    expect(postgres_identify_system(plain, &system, &err), STATUS_IO, "IDENTIFY_SYSTEM");
}

static const char *const tables[] = {"public.t", "\"S x\".\"T.y\""};

static void expect_publication_of_tables_and_every_kind_of_change(void)
{
    run("CREATE TABLE public.t (a int PRIMARY KEY); CREATE SCHEMA \"S x\";"
        "CREATE TABLE \"S x\".\"T.y\" (a int PRIMARY KEY)");
    cr_assert_eq(postgres_publication_create(plain, "p \"q", tables, 2, true, &err),
                 STATUS_OK, "%s", err.text);
    cr_expect_eq(postgres_publication_check(plain, "p \"q", tables, 2, &err), STATUS_OK,
                 "%s", err.text);
    expect_number("SELECT pubviaroot::int FROM pg_publication", 1);
    expect(postgres_publication_create(plain, "p \"q", tables, 2, true, &err),
           STATUS_REFUSED, "exists already");
    cr_assert_eq(postgres_publication_drop(plain, "p \"q", &err), STATUS_OK);
    cr_assert_eq(postgres_publication_drop(plain, "p \"q", &err), STATUS_OK);
    expect_number("SELECT count(*) FROM pg_publication", 0);
    run("DROP TABLE public.t");
    expect(postgres_publication_create(plain, "p", tables, 2, false, &err),
           STATUS_NOT_FOUND, "does not exist");
    cr_assert_eq(postgres_publication_create(plain, "p", NULL, 0, false, &err), STATUS_OK,
                 "%s", err.text);
    cr_expect_eq(postgres_publication_check(plain, "p", NULL, 0, &err), STATUS_OK, "%s",
                 err.text);
    drop_tables();
}

static void expect_refusal_of_what_leaves_something_out(void)
{
    static const struct {
        const char *sql, *saying;
        enum status status;
    } cases[] = {
        {"",                                                                      "publication \"p\" does not exist", STATUS_NOT_FOUND},
        {"CREATE PUBLICATION p",                                                  "leaves out 2 of the tables",       STATUS_REFUSED  },
        {"ALTER PUBLICATION p ADD TABLE public.t",
         "leaves out 1 of the tables: ALTER PUBLICATION \"p\" ADD TABLE \"S x\".\"T.y\"",                             STATUS_REFUSED  },
        {"ALTER PUBLICATION p SET TABLE public.t, \"S x\".\"T.y\" (a)",
         "leaves out columns of \"S x\".\"T.y\"",                                                                     STATUS_REFUSED  },
        {"ALTER PUBLICATION p SET TABLE public.t WHERE (a > 1), \"S x\".\"T.y\"",
         "leaves out rows of public.t",                                                                               STATUS_REFUSED  },
        {"ALTER PUBLICATION p SET TABLE public.t, public.other (a), \"S x\".\"T.y\";"
         "ALTER PUBLICATION p SET (publish = 'insert, update')",         "leaves out every delete",          STATUS_REFUSED  },
    };

    run("CREATE TABLE public.t (a int PRIMARY KEY, b int); CREATE SCHEMA \"S x\";"
        "CREATE TABLE public.other (a int PRIMARY KEY, b int);"
        "CREATE TABLE \"S x\".\"T.y\" (a int PRIMARY KEY, b int)");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(cases[i].sql);
        expect(postgres_publication_check(plain, "p", tables, 2, &err), cases[i].status,
               cases[i].saying);
    }
    run("ALTER PUBLICATION p SET (publish = 'insert, update, delete, truncate')");
    cr_expect_eq(postgres_publication_check(plain, "p", tables, 2, &err), STATUS_OK, "%s",
                 err.text);
    run("DROP PUBLICATION p; CREATE PUBLICATION p FOR ALL TABLES");
    cr_expect_eq(postgres_publication_check(plain, "p", tables, 2, &err), STATUS_OK, "%s",
                 err.text);
}

Test(postgres_slot, and_publication_are_what_the_server_has, .init = set_up,
     .fini = tear_down)
{
    expect_slot_begins_where_its_snapshot_ends();
    expect_slot_says_what_the_server_lacks();
    expect_limited_and_lost_slots_say_so();
    expect_the_system_that_answers();
    expect_publication_of_tables_and_every_kind_of_change();
    expect_refusal_of_what_leaves_something_out();
}
