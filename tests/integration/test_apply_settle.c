/* A batch that ends half-way: the intent written or not, the database committed or not,
 * the fold begun or not. Whoever opens the node next finishes it, and nothing is done
 * twice. */
#include "engine/sqlite_own_write.h"
#include "log/intent.h"
#include "tests/support/apply_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct apply_node a, b;

static struct error err;

/* ---- the seams */

enum seam { SEAM_NONE, BEFORE_INTENT, BEFORE_COMMIT, AFTER_COMMIT, BEFORE_FOLD, IN_FOLD };

static enum seam seam;
static unsigned store_commits; /* of the fold that succeed before one fails */
static bool folding;

enum status __real_sqlite_commit(struct sqlite_database *database, struct error *error);
enum status __wrap_sqlite_commit(struct sqlite_database *database, struct error *error);
enum status __real_intent_fold(struct store *store, const struct planned_rows *planned,
                               const struct meta_update *updates, size_t count,
                               struct error *error);
enum status __wrap_intent_fold(struct store *store, const struct planned_rows *planned,
                               const struct meta_update *updates, size_t count,
                               struct error *error);
enum status __real_store_commit(struct store_txn *txn, struct error *error);
enum status __wrap_store_commit(struct store_txn *txn, struct error *error);
enum status __real_intent_writer_end(struct intent_writer *writer,
                                     const struct intent *intent, struct error *error);
enum status __wrap_intent_writer_end(struct intent_writer *writer,
                                     const struct intent *intent, struct error *error);

static enum status fail(struct error *error)
{
    return error_set(error, STATUS_IO, "pulled the plug");
}

enum status __wrap_intent_writer_end(struct intent_writer *writer,
                                     const struct intent *intent, struct error *error)
{
    return seam == BEFORE_INTENT ? fail(error)
                                 : __real_intent_writer_end(writer, intent, error);
}

enum status __wrap_sqlite_commit(struct sqlite_database *database, struct error *error)
{
    enum status status = STATUS_OK;

    if (seam != BEFORE_COMMIT)
        status = __real_sqlite_commit(database, error);
    else
        sqlite_rollback(database);
    return seam == BEFORE_COMMIT || seam == AFTER_COMMIT ? fail(error) : status;
}

enum status __wrap_intent_fold(struct store *store, const struct planned_rows *planned,
                               const struct meta_update *updates, size_t count,
                               struct error *error)
{
    enum status status;

    if (seam == BEFORE_FOLD)
        return fail(error);
    folding = true;
    status = __real_intent_fold(store, planned, updates, count, error);
    folding = false;
    return status;
}

enum status __wrap_store_commit(struct store_txn *txn, struct error *error)
{
    if (seam == IN_FOLD && folding && store_commits-- == 0) {
        store_abort(txn);
        return fail(error);
    }
    return __real_store_commit(txn, error);
}

/* ---- the cases */

static const char schema[] =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, x UNIQUE, own DEFAULT (hex(randomblob(4))),"
    " CHECK (x <> 'bad'))";

static void set_up(void)
{
    apply_node_open(&a, "CREATE TABLE t (id INTEGER PRIMARY KEY, x)", true);
    apply_node_open(&b, schema, true);
    apply_write(&a,
                "INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'gone')");
    (void)apply_carry(&a, &b, 0);
    apply_run(&b);
    /* In one batch: written, deleted, moved, parked, quarantined, and with an own column.
     */
    apply_write(&a, "INSERT INTO t VALUES (5, 'five'), (6, 'two'), (7, 'bad');"
                    "DELETE FROM t WHERE id = 4; UPDATE t SET x = 'three' WHERE id = 1;"
                    "UPDATE t SET x = 'one' WHERE id = 3");
    (void)apply_carry(&a, &b, 0);
}

static void tear_down(void)
{
    apply_node_close(&a);
    apply_node_close(&b);
}

TestSuite(apply_settle, .init = set_up, .fini = tear_down);

/* Run one batch that the seam ends. */
static void break_batch(enum seam where)
{
    seam = where;
    if (b.target == NULL) {
        cr_assert_eq(sqlite_target_open(&b.target, b.scan.database, b.scan.store,
                                        &b.options, &err),
                     STATUS_OK);
    }
    cr_assert_eq(b.target->ops->settle(b.target, &err), STATUS_OK, "%s", err.text);
    cr_assert_eq(b.target->ops->apply_batch(b.target, &b.counts, &err), STATUS_IO);
    cr_assert_str_eq(err.text, "pulled the plug");
    seam = SEAM_NONE;
}

static void expect_done(const char *when)
{
    apply_run(&b);
    apply_expect(&b, "SELECT id || x FROM t ORDER BY id", "1three;2two;3one;5five");
    cr_expect_str_eq(apply_parked(&b), "t(6) unique UNIQUE (x) of t(2)", "%s", when);
    cr_expect_str_eq(apply_quarantine(&b), "t(7): CHECK constraint failed: x <> 'bad'",
                     "%s", when);
    apply_expect_quiet(&b);
}

static const struct {
    const char *when;
    enum seam seam;
    bool committed;
} cuts[] = {
    {"before the intent",                 BEFORE_INTENT, false},
    {"between intent and commit",         BEFORE_COMMIT, false},
    {"between the commit and its answer", AFTER_COMMIT,  true },
    {"between commit and fold",           BEFORE_FOLD,   true },
    {"in the fold's only step",           IN_FOLD,       true },
};

Test(apply_settle, finishes_what_another_process_left)
{
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct sqlite_state before = scan_state(&b.scan), after;

        store_commits = 0;
        break_batch(cuts[i].seam);
        after = scan_state(&b.scan);
        cr_expect_eq(after.counter - before.counter, cuts[i].committed, "%s",
                     cuts[i].when);
        apply_node_restart(&b);
        expect_done(cuts[i].when);
        tear_down();
        set_up();
    }
}

Test(apply_settle, finishes_what_it_left_itself)
{
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        store_commits = 0;
        break_batch(cuts[i].seam);
        expect_done(cuts[i].when);
        tear_down();
        set_up();
    }
}

Test(apply_settle, lets_capture_finish_it_too)
{
    break_batch(BEFORE_FOLD);
    scan_write(&b.scan, "INSERT INTO t VALUES (100, 'local', 1)");
    apply_node_restart(&b);
    cr_expect_eq(scan_capture(&b.scan), 1);
    apply_run(&b);
    apply_expect(&b, "SELECT id || x FROM t ORDER BY id",
                 "1three;2two;3one;5five;100local");
    apply_expect_quiet(&b);
}

Test(apply_settle, takes_entries_that_came_between_commit_and_fold)
{
    break_batch(BEFORE_FOLD);
    apply_write(&a, "UPDATE t SET x = 'V' WHERE id = 5; DELETE FROM t WHERE id = 2");
    (void)apply_carry(&a, &b, 0);
    apply_node_restart(&b);
    apply_run(&b);
    apply_expect(&b, "SELECT id || x FROM t ORDER BY id", "1three;3one;5V;6two");
    cr_expect_str_eq(apply_parked(&b), "");
    apply_expect_quiet(&b);
}

Test(apply_settle, goes_on_with_a_fold_of_many_steps)
{
    apply_write(&a,
                "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE"
                " i < 13000) INSERT INTO t SELECT i, i FROM n");
    (void)apply_carry(&a, &b, 0);
    for (unsigned commits = 1; commits <= 2; commits++) {
        store_commits = commits;
        seam = IN_FOLD;
        b.options.batch_changes_max = 100000;
        if (b.target == NULL) {
            cr_assert_eq(sqlite_target_open(&b.target, b.scan.database, b.scan.store,
                                            &b.options, &err),
                         STATUS_OK);
        }
        if (commits == 1) {
            cr_assert_eq(b.target->ops->apply_batch(b.target, &b.counts, &err),
                         STATUS_IO);
        } else {
            cr_assert_eq(b.target->ops->settle(b.target, &err), STATUS_IO);
        }
    }
    seam = SEAM_NONE;
    apply_node_restart(&b);
    apply_run(&b);
    apply_expect(&b, "SELECT count(*) FROM t", "12005");
    apply_expect_quiet(&b);
}

/* ---- resync --prefer log */

TestSuite(apply_rewrite, .init = set_up, .fini = tear_down);

Test(apply_rewrite, brings_back_what_log_and_schema_say)
{
    apply_run(&b);
    scan_write(&b.scan,
               "DELETE FROM t WHERE id IN (1, 2); INSERT INTO t VALUES (50, 'x', 1);"
               "UPDATE t SET x = 'changed' WHERE id = 5; INSERT INTO t VALUES"
               " (6, 'two', 2)");
    cr_assert_eq(sqlite_target_rewrite(b.target,
                                       store_identity(b.scan.store)->incarnation,
                                       &b.counts, &err),
                 STATUS_OK, "%s", err.text);
    expect_done("rewritten");
    cr_expect_eq(b.counts.removed, 1, "50: %d", (int)b.counts.removed);
}

Test(apply_rewrite, takes_entries_that_wait_as_well)
{
    cr_assert_eq(sqlite_target_rewrite(b.target,
                                       store_identity(b.scan.store)->incarnation,
                                       &b.counts, &err),
                 STATUS_OK, "%s", err.text);
    cr_expect_eq(scan_state(&b.scan).applied, scan_last_seq(&b.scan));
    expect_done("rewritten");
}

Test(apply_rewrite, is_finished_by_the_next_one_after_a_crash_before_the_fold)
{
    seam = BEFORE_FOLD;
    cr_assert_eq(sqlite_target_rewrite(b.target,
                                       store_identity(b.scan.store)->incarnation,
                                       &b.counts, &err),
                 STATUS_IO);
    seam = SEAM_NONE;
    apply_node_restart(&b);
    expect_done("restarted");
}

Test(apply_rewrite, changes_nothing_when_it_fails_before_its_commit)
{
    seam = BEFORE_COMMIT;
    cr_assert_eq(sqlite_target_rewrite(b.target,
                                       store_identity(b.scan.store)->incarnation,
                                       &b.counts, &err),
                 STATUS_IO);
    seam = SEAM_NONE;
    apply_node_restart(&b);
    expect_done("restarted");
}
