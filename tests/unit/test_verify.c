#include "log/store_private.h"
#include "log/verify.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct log_fixture fixture;
static struct log_node *a, *b;
static struct error err;

#define WRITES UINT64_C(6)

static void set_up(void)
{
    log_fixture_open(&fixture, 2);
    a = &fixture.nodes[0];
    b = &fixture.nodes[1];
    for (int64_t id = 1; id <= (int64_t)WRITES; id++) {
        log_write(a, id, "from a", "");
        log_write(b, id, "from b", "x");
    }
    log_carry(b, a, 0);
}

static void tear_down(void)
{
    log_fixture_close(&fixture);
}

TestSuite(verify, .init = set_up, .fini = tear_down);

static enum status verify(struct log_node *node, struct verify_report *report)
{
    return verify_store(node->store, report, &err);
}

/* Change the nth record of a sub-database: one byte of its value flipped, or all removed.
 */
static size_t damage(struct log_node *node, enum store_dbi dbi, size_t nth, size_t byte,
                     bool remove)
{
    uint8_t copy[4096];
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_txn *txn;
    size_t size;

    cr_assert_eq(mdb_txn_begin(node->store->env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_cursor_open(txn, node->store->dbi[dbi], &cursor), 0);
    cr_assert_eq(mdb_cursor_get(cursor, &key, &value, MDB_FIRST), 0);
    for (size_t i = 0; i < nth; i++)
        cr_assert_eq(mdb_cursor_get(cursor, &key, &value, MDB_NEXT), 0);
    size = value.mv_size;
    cr_assert_leq(size, sizeof copy);
    if (remove) {
        cr_assert_eq(mdb_cursor_del(cursor, 0), 0);
    } else {
        memcpy(copy, value.mv_data, size);
        copy[byte % size] ^= 0x10;
        value.mv_data = copy;
        cr_assert_eq(mdb_cursor_put(cursor, &key, &value, MDB_CURRENT), 0);
    }
    mdb_cursor_close(cursor);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    return size;
}

Test(verify, finds_nothing_wrong_with_a_store_as_it_was_made)
{
    struct verify_report report;

    cr_expect_eq(verify(a, &report), STATUS_OK, "%s", err.text);
    cr_expect_eq(report.entries, 4 + 2 * WRITES);
    cr_expect_eq(report.changes, 2 * WRITES);
    cr_expect_eq(report.rows, WRITES);
}

Test(verify, names_the_entry_of_which_any_byte_was_changed)
{
    struct verify_report report;
    size_t size = 1;

    for (size_t byte = 0; byte < size; byte++) {
        size = damage(a, DBI_LOG, 4, byte, false);
        cr_expect_eq(verify(a, &report), STATUS_DIFFERENT, "byte %zu", byte);
        cr_expect_eq(report.bad_seq, 5, "byte %zu: %s", byte, err.text);
        cr_expect(strncmp(err.text, "entry 5: ", 9) == 0, "%s", err.text);
        damage(a, DBI_LOG, 4, byte, false); /* flip it back */
    }
    cr_expect_eq(verify(a, &report), STATUS_OK, "%s", err.text);
}

Test(verify, names_the_first_entry_of_the_row_of_which_any_byte_was_changed)
{
    struct verify_report report;
    size_t size = 1;

    for (size_t byte = 0; byte < size; byte++) {
        size = damage(a, DBI_ROW, 2, byte, false);
        cr_expect_eq(verify(a, &report), STATUS_DIFFERENT, "byte %zu", byte);
        cr_expect_eq(report.bad_seq, 5, "byte %zu: %s", byte, err.text);
        damage(a, DBI_ROW, 2, byte, false);
    }
}

Test(verify, names_an_entry_that_was_removed)
{
    struct verify_report report;

    damage(a, DBI_LOG, 6, 0, true);
    cr_expect_eq(verify(a, &report), STATUS_DIFFERENT);
    cr_expect_eq(report.bad_seq, 7, "%s", err.text);
    cr_expect_str_eq(err.text, "entry 7: it is missing");
}

Test(verify, misses_a_row_that_was_removed)
{
    struct verify_report report;

    damage(a, DBI_ROW, 0, 0, true);
    cr_expect_eq(verify(a, &report), STATUS_DIFFERENT);
    cr_expect_eq(report.bad_seq, 3, "%s", err.text);
}

/* A row whose record is whole, but which no entry of the log wrote. */
Test(verify, names_a_row_that_the_log_does_not_account_for)
{
    struct verify_report report;
    struct buffer key = {0}, scratch = {0};
    struct store_txn *txn;
    MDB_cursor *cursor;
    MDB_txn *raw;
    MDB_val k, v;
    struct row row;

    item_key(&key, 2);
    cr_assert_eq(store_begin(a->store, TXN_WRITE, &txn, &err), STATUS_OK);
    cr_assert_eq(rows_get(txn, 1, buffer_view(&key), &row, &err), STATUS_OK);
    row.version.stamp_us++;
    cr_assert_eq(held_put(txn, 1, &row, &err), STATUS_OK);
    cr_assert_eq(store_commit(txn, &err), STATUS_OK);
    cr_expect_eq(verify(a, &report), STATUS_OK, "a held image is not the index");
    cr_assert_eq(store_begin(a->store, TXN_WRITE, &txn, &err), STATUS_OK);
    cr_assert_eq(rows_get(txn, 1, buffer_view(&key), &row, &err), STATUS_OK);
    buffer_clear(&key);
    item_key(&key, 99);
    row.key = buffer_view(&key);
    buffer_put_bytes(&scratch, row.image);
    row.image = buffer_view(&scratch);
    cr_assert_eq(held_put(txn, 1, &row, &err), STATUS_OK);
    cr_assert_eq(store_commit(txn, &err), STATUS_OK);
    cr_assert_eq(mdb_txn_begin(a->store->env, NULL, 0, &raw), 0);
    cr_assert_eq(mdb_cursor_open(raw, a->store->dbi[DBI_HELD], &cursor), 0);
    cr_assert_eq(mdb_cursor_get(cursor, &k, &v, MDB_LAST), 0);
    cr_assert_eq(mdb_put(raw, a->store->dbi[DBI_ROW], &k, &v, 0), 0);
    mdb_cursor_close(cursor);
    cr_assert_eq(mdb_txn_commit(raw), 0);
    cr_expect_eq(verify(a, &report), STATUS_DIFFERENT);
    cr_expect_neq(report.bad_seq, 0);
    cr_expect_eq(report.rows, WRITES + 1);
    buffer_release(&key);
    buffer_release(&scratch);
}

Test(verify, names_a_wrong_count)
{
    static const int counts[] = {META_PRIVATE_ROWS, META_PRIVATE_HELD};
    struct verify_report report;

    for (size_t i = 0; i < 2; i++) {
        struct store_txn *txn;
        uint64_t count;

        cr_assert_eq(store_begin(a->store, TXN_WRITE, &txn, &err), STATUS_OK);
        cr_assert_eq(meta_get(txn, (enum meta_key)counts[i], &count, &err), STATUS_OK);
        cr_assert_eq(meta_put(txn, (enum meta_key)counts[i], count + 1, &err), STATUS_OK);
        cr_assert_eq(store_commit(txn, &err), STATUS_OK);
        cr_expect_eq(verify(a, &report), STATUS_DIFFERENT);
        cr_expect(strstr(err.text, "miscounted") != NULL, "%s", err.text);
        cr_assert_eq(store_begin(a->store, TXN_WRITE, &txn, &err), STATUS_OK);
        cr_assert_eq(meta_put(txn, (enum meta_key)counts[i], count, &err), STATUS_OK);
        cr_assert_eq(store_commit(txn, &err), STATUS_OK);
    }
    cr_expect_eq(verify(a, &report), STATUS_OK, "%s", err.text);
}
