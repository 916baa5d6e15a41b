/* The counter in rowferry_state, time stamps, locks: what a capture does besides looking.
 */
#include "engine/sqlite_own_write.h"
#include "engine/sqlite_settle.h"
#include "tests/support/scan_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

static struct scan_node node;
static struct error err;

static void set_up(void)
{
    scan_node_open(
        &node, "CREATE TABLE t (i INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1)");
}

static void tear_down(void)
{
    scan_node_close(&node);
}

TestSuite(scan_state, .init = set_up, .fini = tear_down);

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

/* A capture must be refused, in one line that says text. */
static void expect_refused(const char *when, const char *says)
{
    struct capture_counts counts;
    uint64_t last = scan_last_seq(&node);

    scan_node_restart(&node);
    cr_expect_eq(scan_capture_try(&node, &counts, &err), STATUS_REFUSED, "%s", when);
    cr_expect(strstr(err.text, says) != NULL, "%s: %s", when, err.text);
    cr_expect(strchr(err.text, '\n') == NULL, "%s", when);
    cr_expect_eq(scan_last_seq(&node), last, "%s", when);
}

Test(scan_state, each_capture_that_logs_raises_the_counter_and_no_other)
{
    uint64_t counter = scan_state(&node).counter;

    cr_expect_eq(scan_capture(&node), 0);
    cr_expect_eq(scan_state(&node).counter, counter);
    scan_write(&node, "INSERT INTO t VALUES (2, 2)");
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(scan_state(&node).counter, counter + 1);
    cr_expect_eq(scan_meta(&node, META_SEEN), counter + 1);
    cr_expect_eq(scan_capture(&node), 0);
    scan_node_restart(&node);
    cr_expect_eq(scan_capture(&node), 0);
    cr_expect_eq(scan_state(&node).counter, counter + 1);
}

static long file_size(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size;

    cr_assert_not_null(file);
    (void)fseek(file, 0, SEEK_END);
    size = ftell(file);
    (void)fclose(file);
    return size;
}

Test(scan_state, an_empty_capture_writes_nothing)
{
    char data[160];
    long size;
    uint64_t modified = 0, now = 0;

    (void)snprintf(data, sizeof data, "%s/data.mdb", node.place);
    OK(sqlite_modified_us(node.database, &modified, &err));
    size = file_size(data);
    for (int i = 0; i < 10; i++) {
        scan_node_restart(&node);
        cr_expect_eq(scan_capture(&node), 0);
    }
    OK(sqlite_modified_us(node.database, &now, &err));
    cr_expect_eq(now, modified);
    cr_expect_eq(file_size(data), size);
}

/* ---- restored copies */

Test(scan_state, a_crash_between_the_two_commits_is_no_restored_copy)
{
    struct sqlite_state state = scan_state(&node);

    /* The database has committed c + 1, the store has not heard of it. */
    state.counter++;
    scan_set_state(&node, &state);
    scan_node_restart(&node);
    scan_write(&node, "INSERT INTO t VALUES (2, 2)");
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(scan_state(&node).counter, state.counter + 1);
}

Test(scan_state, what_a_crash_took_from_the_store_is_learnt_at_the_next_capture)
{
    struct sqlite_state state = scan_state(&node);

    state.counter++;
    scan_set_state(&node, &state);
    cr_expect_eq(scan_capture(&node), 0);
    cr_expect_eq(scan_meta(&node, META_SEEN), state.counter);
    state.counter--;
    scan_set_state(&node, &state);
    expect_refused("the copy from before the crash", "database was restored");
}

Test(scan_state, restored_copies_are_refused)
{
    const struct sqlite_state state = {node.identity.node, node.identity.incarnation, 0,
                                       10};
    struct sqlite_state other;

    scan_set_meta(&node, META_SEEN, 10);
    other = state;
    other.counter = 9;
    scan_set_state(&node, &other);
    expect_refused("counter below", "the database was restored");
    cr_expect(strstr(err.text, "rowferry resync") != NULL);
    other.counter = 12;
    scan_set_state(&node, &other);
    expect_refused("counter above", "the store was restored");
    other = state;
    other.applied = 3;
    scan_set_state(&node, &other);
    expect_refused("database ahead", "the store was restored");
    scan_set_state(&node, &state);
    scan_set_meta(&node, META_APPLIED, 3);
    expect_refused("database behind", "the database was restored");
    scan_set_meta(&node, META_APPLIED, 0);
    other = state;
    other.incarnation++;
    scan_set_state(&node, &other);
    expect_refused("another incarnation", "rowferry resync");
    other = state;
    other.store++;
    scan_set_state(&node, &other);
    expect_refused("another store", "belongs to another store");
    OK(sqlite_execute(node.database, "DROP TABLE rowferry_state", &err));
    expect_refused("no state", "rowferry_state");
    scan_set_state(&node, &state);
    cr_expect_eq(scan_capture(&node), 0);
}

/* What a comparison of the store with this state says. */
static enum status check(const struct sqlite_state *state)
{
    struct store_txn *txn;
    enum status status;

    OK(store_begin(node.store, TXN_READ, &txn, &err));
    status = sqlite_settle_check(txn, state, &err);
    store_abort(txn);
    return status;
}

Test(scan_state, that_is_not_the_stores_is_refused)
{
    const struct sqlite_state own = scan_state(&node);
    const uint64_t store = own.store, incarnation = own.incarnation;
    const struct {
        struct sqlite_state state;
        enum status status;
        const char *says;
    } cases[] = {
        {{store, incarnation, 5, 7},     STATUS_OK,      ""                                  },
        {{store, incarnation, 5, 8},
         STATUS_OK,                                      ""                                  }, /* a crash before the store's commit */
        {{0, 0, 0, 0},                   STATUS_REFUSED, "it has no rowferry_state"          },
        {{store + 1, incarnation, 5, 7}, STATUS_REFUSED, "belongs to another store"          },
        {{store, incarnation + 1, 5, 7}, STATUS_REFUSED, "from before a resync"              },
        {{store, incarnation, 5, 6},     STATUS_REFUSED, "its counter went back"             },
        {{store, incarnation, 5, 9},     STATUS_REFUSED, "it has not seen"                   },
        {{store, incarnation, 4, 7},
         STATUS_REFUSED,                                 "it lacks entries that were applied"},
        {{store, incarnation, 6, 7},
         STATUS_REFUSED,                                 "it lacks entries that the database"},
    };

    scan_set_meta(&node, META_APPLIED, 5);
    scan_set_meta(&node, META_SEEN, 7);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        err.text[0] = '\0';
        cr_expect_eq(check(&cases[i].state), cases[i].status, "%s", cases[i].says);
        cr_expect_not_null(strstr(err.text, cases[i].says), "%s", err.text);
    }
}

/* Settle must fail so, and leave no transaction open. */
static void expect_unsettled(enum status status)
{
    struct sqlite_state state;

    cr_expect_eq(
        sqlite_settle_begin(node.database, node.store, SQLITE_SETTLE_WRITE, &state, &err),
        status, "%s", err.text);
    cr_expect_neq(sqlite3_get_autocommit(sqlite_database_handle(node.database)), 0);
}

Test(scan_state, that_can_not_be_settled_leaves_no_transaction)
{
    OK(store_lock(node.store, LOCK_APPLY, &err));
    scan_write(&node, "BEGIN IMMEDIATE");
    expect_unsettled(STATUS_BUSY);
    scan_write(&node, "ROLLBACK; UPDATE rowferry_state SET counter = counter + 2");
    expect_unsettled(STATUS_REFUSED);
    scan_write(&node, "UPDATE rowferry_state SET \"format\" = 2");
    expect_unsettled(STATUS_UNAVAILABLE);
    scan_write(&node, "DROP TABLE rowferry_state; CREATE TABLE rowferry_state (a)");
    expect_unsettled(STATUS_CORRUPT);
    store_unlock(node.store, LOCK_APPLY);
}

/* ---- intents */

static void leave_intent(uint64_t to, uint64_t counter)
{
    struct intent_writer *writer;
    struct intent intent = {.to = to, .counter = counter};

    OK(intent_writer_open(&writer, node.store, &err));
    OK(intent_writer_end(writer, &intent, &err));
    intent_writer_close(writer);
}

static bool has_intent(void)
{
    struct store_txn *txn;
    struct intent intent;
    enum status status;

    OK(store_begin(node.store, TXN_READ, &txn, &err));
    status = intent_get(txn, &intent, &err);
    store_abort(txn);
    return status == STATUS_OK;
}

Test(scan_state, a_batch_that_the_database_did_not_commit_is_dropped_before_a_capture)
{
    leave_intent(3, 1);
    cr_assert(has_intent());
    scan_write(&node, "INSERT INTO t VALUES (2, 2)");
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect(!has_intent());
    cr_expect_eq(scan_meta(&node, META_APPLIED), 0);
}

Test(scan_state, a_batch_that_the_database_committed_is_folded_before_a_capture)
{
    struct sqlite_state state = scan_state(&node);

    leave_intent(3, state.counter + 1);
    state.counter++;
    state.applied = 3;
    scan_set_state(&node, &state);
    scan_write(&node, "INSERT INTO t VALUES (2, 2)");
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect(!has_intent());
    cr_expect_eq(scan_meta(&node, META_APPLIED), 3);
    cr_expect_eq(scan_state(&node).applied, 3);
}

/* ---- time */

static void set_time(uint64_t us)
{
    struct timeval times[2];
    char wal[160];

    times[0].tv_sec = (time_t)(us / 1000000);
    times[0].tv_usec = (suseconds_t)(us % 1000000);
    times[1] = times[0];
    cr_assert_eq(utimes(node.path, times), 0);
    (void)snprintf(wal, sizeof wal, "%s-wal", node.path);
    (void)utimes(wal, times);
}

static uint64_t stamp_of_last(void)
{
    struct store_txn *txn;
    struct log_entry entry;
    uint64_t stamp_us;

    OK(store_begin(node.store, TXN_READ, &txn, &err));
    OK(log_get(txn, scan_last_seq(&node), &entry, &err));
    stamp_us = entry.header.stamp_us;
    cr_expect_leq(entry.header.commit_us, stamp_us);
    store_abort(txn);
    return stamp_us;
}

/* Long before and after the times that our own writes leave on the file: today's. */
#define EARLIER_US UINT64_C(1000000000000000)
#define LATER_US   UINT64_C(3000000000000000)

Test(scan_state, an_entry_is_stamped_by_the_files_modification)
{
    scan_write(&node, "INSERT INTO t VALUES (2, 2)");
    node.now_us = UINT64_C(4000000000000000);
    scan_set_meta(&node, META_CLOCK, 5);
    set_time(LATER_US);
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(stamp_of_last(), LATER_US);
}

Test(scan_state, never_later_than_now)
{
    node.now_us = UINT64_C(2000000000000000);
    scan_set_meta(&node, META_CLOCK, 5);
    scan_write(&node, "INSERT INTO t VALUES (2, 2)");
    set_time(LATER_US);
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(stamp_of_last(), node.now_us);
}

Test(scan_state, our_own_last_write_does_not_count_as_the_applications)
{
    node.now_us = UINT64_C(4000000000000000);
    scan_set_meta(&node, META_CLOCK, 5);
    scan_write(&node, "INSERT INTO t VALUES (2, 2)");
    set_time(EARLIER_US);
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(scan_meta(&node, META_APP_MTIME_US), EARLIER_US);
    /* An application's write that our own has covered: the file tells nothing of it. */
    scan_write(&node, "INSERT INTO t VALUES (3, 3)");
    set_time(scan_meta(&node, META_OWN_MTIME_US));
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(stamp_of_last(), EARLIER_US + 1);
    cr_expect_eq(scan_meta(&node, META_APP_MTIME_US), EARLIER_US);
}

Test(scan_state, a_write_right_after_our_own_is_not_taken_for_ours)
{
    struct sqlite_state state = scan_state(&node);
    struct meta_update updates[SQLITE_OWN_WRITE_UPDATES];
    struct sqlite_own_write own;
    struct store_txn *txn;
    size_t count;

    OK(sqlite_begin_write(node.database, &err));
    OK(store_begin(node.store, TXN_READ, &txn, &err));
    OK(sqlite_own_write_before(node.database, txn, &own, &err));
    store_abort(txn);
    state.counter++;
    OK(sqlite_state_write(node.database, &state, &err));
    OK(sqlite_commit(node.database, &err));
    scan_write(&node, "INSERT INTO t VALUES (2, 2)");
    OK(sqlite_own_write_after(node.database, &own, state.counter, updates, &count, &err));
    OK(sqlite_own_write_put(node.store, updates, count, &err));
    cr_expect_eq(scan_meta(&node, META_SEEN), state.counter);
    cr_expect_eq(scan_meta(&node, META_OWN_MTIME_US), 0);
}

Test(scan_state, closing_the_connection_does_not_look_like_a_write)
{
    uint64_t modified = 0;

    scan_write(&node, "PRAGMA journal_mode = wal; INSERT INTO t VALUES (2, 2)");
    cr_expect_eq(scan_capture(&node), 1);
    (void)sqlite3_close(node.application);
    node.application = NULL;
    set_time(LATER_US);
    scan_node_restart(&node); /* the last one out moves what is left in the -wal */
    OK(sqlite_modified_us(node.database, &modified, &err));
    cr_expect_eq(modified, LATER_US);
}

/* ---- other writers */

Test(scan_state, a_writer_in_the_way_of_the_counter_is_no_error)
{
    struct sqlite_state state = scan_state(&node);

    scan_write(&node, "PRAGMA journal_mode = wal; INSERT INTO t VALUES (2, 2);"
                      "BEGIN IMMEDIATE; INSERT INTO t VALUES (3, 3)");
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(scan_state(&node).counter, state.counter);
    cr_expect_eq(scan_meta(&node, META_SEEN), state.counter);
    scan_write(&node, "COMMIT");
    cr_expect_eq(scan_capture(&node), 1);
    cr_expect_eq(scan_state(&node).counter, state.counter + 1);
}

Test(scan_state, a_locked_database_is_busy)
{
    struct capture_counts counts;

    scan_write(&node, "BEGIN EXCLUSIVE");
    cr_expect_eq(scan_capture_try(&node, &counts, &err), STATUS_BUSY);
    cr_expect(strstr(err.text, "locked") != NULL, "%s", err.text);
    scan_write(&node, "ROLLBACK");
    cr_expect_eq(scan_capture(&node), 0);
}

Test(scan_state, a_scan_looks_again_only_when_somebody_else_has_committed)
{
    cr_expect_eq(scan_capture(&node), 0);
    OK(sqlite_execute(node.database, "INSERT INTO t VALUES (2, 2)", &err));
    cr_expect_eq(scan_capture(&node), 0, "an own commit, as the applier's are");
    sqlite_scan_forget(node.source);
    cr_expect_eq(scan_capture(&node), 1);
    scan_write(&node, "INSERT INTO t VALUES (3, 3)");
    cr_expect_eq(scan_capture(&node), 1);
}

Test(scan_state, under_the_appliers_lock_the_same_is_logged_and_the_database_left_alone)
{
    struct sqlite_state state = scan_state(&node);
    bool logged = false;

    cr_expect_eq(scan_capture(&node), 0);
    scan_write(&node, "UPDATE t SET v = 2");
    OK(sqlite_begin_write(node.database, &err));
    OK(sqlite_scan_locked(node.source, &logged, &err));
    cr_expect(logged);
    cr_expect_str_eq(scan_text(&node, scan_last_seq(&node)), "update t(1): 1,2 was 1=1");
    OK(sqlite_scan_locked(node.source, &logged, &err));
    cr_expect(!logged);
    sqlite_rollback(node.database);
    cr_expect_eq(scan_state(&node).counter, state.counter);
    cr_expect_eq(scan_meta(&node, META_SEEN), state.counter);
    scan_node_restart(&node);
    cr_expect_eq(scan_capture(&node), 0);
}
