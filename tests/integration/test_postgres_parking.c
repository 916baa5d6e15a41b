/* What Postgres shows when constraints forbid some rows: against the rule from scratch,
 * as tests/integration/test_parking.c does for SQLite, and what only Postgres has.
 * ROWFERRY_PARKING_SEED and ROWFERRY_PARKING_STEPS change the random run. */
#include "apply/postgres_other.h"
#include "apply/postgres_row.h"
#include "log/row_key.h"
#include "tests/support/parking_writes.h"
#include "tests/support/postgres_batches.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 120, STEPS_LONG = 2000 };

static struct cluster cluster;
static struct batches batches;
static struct apply_node sources[2], target;

static void start(const char *schema, const char *free_schema)
{
    static const char *const settings[] = {"fsync=off", NULL};

    cluster_start(&cluster, settings);
    cluster_run(&cluster, schema);
    apply_node_open(&target, free_schema, false);
    apply_node_open(&sources[0], free_schema, false);
    apply_node_open(&sources[1], free_schema, false);
    batches_open(&batches, &cluster, &target);
}

static void stop(void)
{
    batches_close(&batches);
    apply_node_close(&target);
    apply_node_close(&sources[0]);
    apply_node_close(&sources[1]);
    cluster_stop(&cluster);
}

/* ---- the random run */

/* parking_schema, in Postgres's words. */
static const char constrained[] =
    "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2',"
    " deterministic = false);"
    "CREATE TABLE t (id bigint PRIMARY KEY, u bigint, v bigint, w text, UNIQUE (u, v));"
    "CREATE UNIQUE INDEX t_w ON t (lower(w)) WHERE v > 0;"
    "CREATE TABLE k (id text COLLATE nocase PRIMARY KEY, x bigint UNIQUE);"
    "CREATE TABLE s (id bigint PRIMARY KEY, name text COLLATE nocase UNIQUE,"
    " parent bigint REFERENCES s);"
    "CREATE TABLE a (id bigint PRIMARY KEY, u bigint UNIQUE, b bigint);"
    "CREATE TABLE b (id bigint PRIMARY KEY, u bigint UNIQUE DEFERRABLE INITIALLY "
    "DEFERRED,"
    " a bigint REFERENCES a);"
    "ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES b;"
    "CREATE TABLE p (id bigint PRIMARY KEY, name text UNIQUE, code bigint UNIQUE);"
    "CREATE TABLE c (id bigint PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE,"
    " code int REFERENCES p (code), n bigint, UNIQUE (n));"
    "CREATE TABLE g (id bigint PRIMARY KEY, c bigint REFERENCES c, x bigint);"
    "CREATE INDEX g_c ON g (c)";

static void append(char **sql, size_t *size, const char *text)
{
    size_t more = strlen(text);

    *sql = realloc(*sql, *size + more + 1);
    cr_assert_not_null(*sql);
    memcpy(*sql + *size, text, more + 1);
    *size += more;
}

/* Let the node's application see what Postgres shows. */
static void mirror(void)
{
    char *sql = NULL;
    size_t size = 0;

    for (unsigned i = 0; i < PARKING_TABLES; i++) {
        char ask[400];
        const char *name = parking_tables[i].name;

        (void)snprintf(ask, sizeof ask, "DELETE FROM %s;", name);
        append(&sql, &size, ask);
        (void)snprintf(
            ask, sizeof ask,
            "SELECT format('INSERT INTO %s VALUES (%%s);',"
            " (SELECT string_agg(CASE jsonb_typeof(e.value) WHEN 'string' THEN"
            "  quote_literal(e.value #>> '{}') ELSE e.value::text END, ','"
            "  ORDER BY e.ordinality) FROM jsonb_array_elements(jsonb_build_array"
            "(%s)) WITH ORDINALITY e)) FROM public.%s",
            name,
            name[0] == 't'   ? "id, u, v, w"
            : name[0] == 'k' ? "id, x"
            : name[0] == 's' ? "id, name, parent"
            : name[0] == 'a' ? "id, u, b"
            : name[0] == 'b' ? "id, u, a"
            : name[0] == 'p' ? "id, name, code"
            : name[0] == 'c' ? "id, p, code, n"
                             : "id, c, x",
            name);
        append(&sql, &size, batches_text(&batches, ask));
        append(&sql, &size, ";");
    }
    cr_assert_eq(sqlite3_exec(target.scan.application, sql, NULL, NULL, NULL), SQLITE_OK,
                 "%s in %s", sqlite3_errmsg(target.scan.application), sql);
    free(sql);
}

static void one_step(void)
{
    unsigned which = parking_pick(2);

    switch (parking_pick(8)) {
    case 0:
        (void)apply_carry(&sources[0], &sources[1], 0);
        apply_run(&sources[1]);
        break;
    case 1:
        (void)apply_carry(&sources[1], &sources[0], 0);
        apply_run(&sources[0]);
        break;
    default:
        parking_write_somewhere(&sources[which], false);
        (void)scan_capture(&sources[which].scan);
    }
}

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

Test(postgres_parking, shows_what_the_rule_says_whatever_arrives_when)
{
    unsigned seed = number_from("ROWFERRY_PARKING_SEED", 1);
    unsigned steps = number_from("ROWFERRY_PARKING_STEPS",
                                 getenv("ROWFERRY_LONG") != NULL ? STEPS_LONG : STEPS);
    char where[96];

    start(constrained, parking_schema_free);
    parking_seed(seed);
    for (unsigned step = 0; step < steps; step++) {
        one_step();
        if (parking_pick(3) > 0)
            continue;
        (void)snprintf(where, sizeof where, "seed %u, step %u", seed, step);
        (void)apply_carry(&sources[parking_pick(2)], &target, parking_pick(4));
        batches_run(&batches, 1 + parking_pick(6), parking_pick(4) == 0);
        mirror();
        parking_compare(&target, where);
    }
    (void)fprintf(stderr,
                  "parking: seed %u: parked %llu, evicted %llu, released %llu, parked by "
                  "parent %llu\n",
                  seed, (unsigned long long)batches.counts.parked,
                  (unsigned long long)batches.counts.evicted,
                  (unsigned long long)batches.counts.released,
                  (unsigned long long)batches.counts.parked_by_parent);
    cr_expect_gt(batches.counts.parked, 0);
    cr_expect_gt(batches.counts.evicted, 0);
    cr_expect_gt(batches.counts.released, 0);
    cr_expect_gt(batches.counts.parked_by_parent, 0);
    stop();
}

/* ---- what only Postgres has */

Test(postgres_parking, an_exclusion_is_decided_by_birth_as_a_unique_value_is)
{
    start("CREATE TABLE r (id bigint PRIMARY KEY, during int8range,"
          " CONSTRAINT alone EXCLUDE USING gist (during WITH &&))",
          "CREATE TABLE r (id INTEGER PRIMARY KEY, during TEXT)");
    apply_write(&sources[0], "INSERT INTO r VALUES (2, '[4,8)')");
    sources[1].scan.now_us = sources[0].scan.now_us;
    apply_write(&sources[1],
                "INSERT INTO r VALUES (1, '[1,5)'), (3, '[7,9)'), (4, NULL)");
    (void)apply_carry(&sources[1], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id FROM public.r ORDER BY 1", "1;3;4");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id FROM public.r ORDER BY 1", "2;4");
    cr_expect_str_eq(apply_parked(&target),
                     "r(1) unique alone of r(2);r(3) unique alone of r(2)");
    apply_write(&sources[0], "UPDATE r SET during = '[4,5)'");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id FROM public.r ORDER BY 1", "2;3;4");
    cr_expect_str_eq(apply_parked(&target), "r(1) unique alone of r(2)");
    stop();
}

Test(postgres_parking, a_full_match_refers_to_nothing_only_when_all_is_null)
{
    start("CREATE TABLE p (id bigint PRIMARY KEY, x bigint, y bigint, UNIQUE (x, y));"
          "CREATE TABLE f (id bigint PRIMARY KEY, a bigint, b bigint,"
          " FOREIGN KEY (a, b) REFERENCES p (x, y) MATCH FULL);"
          "CREATE TABLE m (id bigint PRIMARY KEY, a bigint, b bigint,"
          " FOREIGN KEY (a, b) REFERENCES p (x, y))",
          "CREATE TABLE p (id INTEGER PRIMARY KEY, x INTEGER, y INTEGER);"
          "CREATE TABLE f (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER);"
          "CREATE TABLE m (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER)");
    apply_write(
        &sources[0],
        "INSERT INTO p VALUES (1, 1, 1);"
        "INSERT INTO f VALUES (1, 1, 1), (2, 1, NULL), (3, NULL, NULL), (4, 1, 2);"
        "INSERT INTO m SELECT * FROM f");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id FROM public.f ORDER BY 1", "1;3");
    batches_expect(&batches, "SELECT id FROM public.m ORDER BY 1", "1;2;3");
    apply_write(&sources[0], "UPDATE p SET y = 2");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id FROM public.f ORDER BY 1", "3;4");
    batches_expect(&batches, "SELECT id FROM public.m ORDER BY 1", "2;3;4");
    stop();
}

Test(postgres_parking, a_constraint_that_may_be_checked_late_is_kept_all_the_same)
{
    start("CREATE TABLE d (id bigint PRIMARY KEY, u bigint UNIQUE DEFERRABLE INITIALLY"
          " DEFERRED, v bigint, n bigint GENERATED ALWAYS AS IDENTITY)",
          "CREATE TABLE d (id INTEGER PRIMARY KEY, u INTEGER, v INTEGER)");
    apply_write(&sources[0], "INSERT INTO d VALUES (1, 1, 1), (2, 2, 2), (3, 1, 3)");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id || ':' || u FROM public.d ORDER BY 1", "1:1;2:2");
    /* Values change hands, and a row that keeps its own is updated. */
    apply_write(&sources[0], "UPDATE d SET u = 3 - u WHERE id < 3; UPDATE d SET v = 9");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id || ':' || u || ':' || v FROM public.d ORDER BY 1",
                   "1:2:9;2:1:9");
    cr_expect_str_eq(apply_parked(&target), "d(3) unique d_u_key of d(2)");
    batches_expect(&batches, "SELECT count(DISTINCT n) FROM public.d", "2");
    stop();
}

Test(postgres_parking, an_exclusion_that_may_be_checked_late_is_kept_all_the_same)
{
    start("CREATE TABLE r (id bigint PRIMARY KEY, during int8range, EXCLUDE USING gist"
          " (during WITH &&) DEFERRABLE INITIALLY DEFERRED)",
          "CREATE TABLE r (id INTEGER PRIMARY KEY, during TEXT)");
    apply_write(&sources[0], "INSERT INTO r VALUES (1, '[1,5)'), (2, '[4,8)')");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id FROM public.r ORDER BY 1", "1");
    cr_expect_str_eq(apply_parked(&target), "r(2) unique r_during_excl of r(1)");
    stop();
}

Test(postgres_parking, a_key_that_is_two_to_the_fleet_and_one_to_the_server_stays_two)
{
    start("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2',"
          " deterministic = false);"
          "CREATE TABLE k (id text COLLATE nocase PRIMARY KEY, n bigint)",
          "CREATE TABLE k (id TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID");
    apply_write(&sources[0], "INSERT INTO k VALUES ('x', 1)");
    apply_write(&sources[0], "INSERT INTO k VALUES ('X', 2)");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 1, false);
    batches_expect(&batches, "SELECT id || n FROM public.k", "x1");
    cr_expect_str_eq(apply_parked(&target), "k(X) unique k_pkey of k(x)");
    cr_expect(!batches.schema.tables[0].writer->arbiter,
              "an insert would overwrite another row");
    apply_write(&sources[0], "UPDATE k SET n = 3 WHERE id = 'X'");
    apply_write(&sources[0], "DELETE FROM k WHERE id = 'x'");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 1, false);
    batches_expect(&batches, "SELECT id || n FROM public.k", "X3");
    stop();
}

Test(postgres_parking,
     a_parked_row_is_not_taken_for_the_one_whose_key_only_looks_the_same)
{
    start("CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2',"
          " deterministic = false);"
          "CREATE TABLE k (id text COLLATE nocase PRIMARY KEY, n bigint UNIQUE)",
          "CREATE TABLE k (id TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID");
    apply_write(&sources[0], "INSERT INTO k VALUES ('z', 1)");
    apply_write(&sources[0], "INSERT INTO k VALUES ('X', 2)");
    apply_write(&sources[0], "INSERT INTO k VALUES ('x', 3)");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 1, false);
    batches_expect(&batches, "SELECT id || n FROM public.k ORDER BY n", "z1;X2");
    /* X goes, so x comes, though it was looked at before X went. */
    apply_write(&sources[0], "UPDATE k SET n = 2 WHERE id = 'z'");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 1, true);
    batches_expect(&batches, "SELECT id || n FROM public.k ORDER BY n", "z2;x3");
    cr_expect_str_eq(apply_parked(&target), "k(X) unique k_n_key of k(z)");
    stop();
}

Test(postgres_parking, all_children_of_a_parent_go_and_come_back)
{
    start("CREATE TABLE p (id bigint PRIMARY KEY);"
          "CREATE TABLE c (id bigint PRIMARY KEY, p bigint REFERENCES p)",
          "CREATE TABLE p (id INTEGER PRIMARY KEY);"
          "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER)");
    apply_write(&sources[0], "INSERT INTO p VALUES (1), (2); WITH RECURSIVE n (i) AS"
                             " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 130)"
                             " INSERT INTO c SELECT i, 1 + (i > 120) FROM n");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 1000, false);
    batches_expect(&batches, "SELECT count(*) FROM public.c", "130");
    apply_write(&sources[0], "DELETE FROM p WHERE id = 1");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 1000, false);
    batches_expect(&batches, "SELECT count(*) FROM public.c", "10");
    cr_expect_eq(batches.counts.parked_by_parent, 120);
    apply_write(&sources[0], "INSERT INTO p VALUES (1)");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 1000, false);
    batches_expect(&batches, "SELECT count(*) FROM public.c", "130");
    cr_expect_str_eq(apply_parked(&target), "");
    stop();
}

Test(postgres_parking, what_the_server_does_not_take_waits_alone)
{
    start("CREATE TABLE q (id bigint PRIMARY KEY, u bigint UNIQUE, n bigint,"
          " CONSTRAINT small CHECK (n < 10), twice bigint GENERATED ALWAYS AS (n * 2)"
          " STORED, UNIQUE (twice))",
          "CREATE TABLE q (id INTEGER PRIMARY KEY, u INTEGER, n INTEGER)");
    apply_write(&sources[0], "INSERT INTO q VALUES (1, 1, 1), (2, 1, 2), (3, 3, 30),"
                             " (4, 4, 1), (5, 'x', 5)");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id FROM public.q", "1");
    cr_expect_str_eq(apply_parked(&target),
                     "q(2) unique q_u_key of q(1);q(4) unique q_twice_key of q(1)");
    cr_expect_str_eq(
        apply_quarantine(&target),
        "q(3): new row for relation \"q\" violates check constraint \"small\";"
        "q(5): invalid input syntax for type bigint: \"x\"");
    /* A parked row that a new constraint forbids is refused when its turn comes. */
    cluster_run(&cluster, "ALTER TABLE q ADD CONSTRAINT odd CHECK (id <> 2)");
    apply_write(&sources[0], "DELETE FROM q WHERE id = 1");
    (void)apply_carry(&sources[0], &target, 0);
    batches_run(&batches, 100, false);
    batches_expect(&batches, "SELECT id FROM public.q", "4");
    cr_expect_not_null(strstr(apply_quarantine(&target),
                              "q(2): new row for relation \"q\" violates check constraint"
                              " \"odd\""),
                       "%s", apply_quarantine(&target));
    stop();
}

/* ---- rows that are kept */

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

Test(postgres_parking, a_row_that_is_kept_comes_back_as_it_was)
{
    static const char row_sql[] = "SELECT (r.*)::text FROM public.every r";
    enum write_result result = WRITE_DONE;
    struct buffer key = {0}, image = {0};
    struct postgres_table *table;
    struct store_txn *txn;
    bool there = true;
    char *before;

    start(
        "CREATE TYPE mood AS ENUM ('low', 'high'); CREATE DOMAIN short AS varchar(9);"
        "CREATE TABLE every (id uuid, \"a \"\"name\" text, n numeric(12,4), r float8,"
        " z float8, b bytea, t timestamptz, j jsonb, l text[], g int4range, i inet,"
        " m mood, c char(5), o boolean, v interval, d short, e text, s int GENERATED BY"
        " DEFAULT AS IDENTITY, x text GENERATED ALWAYS AS (upper(d)) STORED, k text,"
        " PRIMARY KEY (k, id));"
        "INSERT INTO every VALUES ('01234567-89ab-cdef-0123-456789abcdef', 'it''s', 1.50,"
        " 'NaN', '-0', '\\x00ff', '2024-02-29 23:59:59.5+02', '{\"a\": [1, null]}',"
        " '{x,NULL,\"y z\"}', '[1,9)', '::1/64', 'high', 'abc', true, '1 mon -3 days',"
        " 'dom', NULL, 5, DEFAULT, '')",
        "CREATE TABLE every (id INTEGER PRIMARY KEY)");
    before = strdup(batches_text(&batches, row_sql));
    OK(store_begin(target.scan.store, TXN_READ, &txn, &err));
    OK(postgres_begin(batches.postgres, &err));
    OK(postgres_schema_load(&batches.schema, batches.postgres, txn, NULL, true, &err));
    table = &batches.schema.tables[0];
    OK(row_key_put(&key,
                   &(struct value){
                       .type = VALUE_TEXT, .bytes = {NULL, 0}
    },
                   &err));
    OK(row_key_put(
        &key,
        &(struct value){.type = VALUE_TEXT,
                        .bytes = bytes_of_text("01234567-89ab-cdef-0123-456789abcdef")},
        &err));
    OK(postgres_schema_writer(&batches.schema, table, &err));
    OK(postgres_writer_key(table->writer, NULL, buffer_view(&key), &result, &err));
    OK(postgres_other_take(&batches.schema, table, 7, &err));
    OK(postgres_row_delete(table, &result, &err));
    OK(postgres_row_find(table, &there, &err));
    cr_expect(!there && result == WRITE_DONE);
    OK(postgres_other_load(&batches.schema, table, 7, &result, &err));
    OK(postgres_other_place(&batches.schema, table, 7, &result, &err));
    cr_expect_eq(result, WRITE_DONE, "%s", err.text);
    cr_expect_str_eq(batches_text(&batches, row_sql), before);
    OK(postgres_other_place(&batches.schema, table, 7, &result, &err));
    cr_expect_eq(result, WRITE_UNIQUE);

    OK(postgres_other_image(&batches.schema, table, 7, &image, &err));
    OK(postgres_row_delete(table, &result, &err));
    OK(postgres_writer_map(table->writer, table->base.definition, buffer_view(&image),
                           buffer_view(&key), &result, &err));
    OK(postgres_row_insert(table, &result, &err));
    cr_expect_eq(result, WRITE_DONE, "%s", err.text);
    cr_expect_str_eq(batches_text(&batches, row_sql), before);
    OK(postgres_other_drop(&batches.schema, table, 7, &err));
    cr_expect_neq(postgres_other_image(&batches.schema, table, 7, &image, &err),
                  STATUS_OK);
    postgres_rollback(batches.postgres);
    store_abort(txn);
    buffer_release(&key);
    buffer_release(&image);
    free(before);
    stop();
}
