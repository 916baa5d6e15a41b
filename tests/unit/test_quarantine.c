/* The records of quarantined rows: their bytes, what is refused, and the numbers. */
#include "log/bytes.h"
#include "log/store_private.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>

#define OK(call) cr_assert_eq(call, STATUS_OK, "%s", err.text)

static struct log_fixture fixture;
static struct store_txn *txn;
static struct error err;

static void set_up(void)
{
    log_fixture_open(&fixture, 1);
    OK(store_begin(fixture.nodes[0].store, TXN_WRITE, &txn, &err));
}

static void tear_down(void)
{
    store_abort(txn);
    log_fixture_close(&fixture);
}

TestSuite(quarantine, .init = set_up, .fini = tear_down);

static uint64_t put(const char *key, const char *message)
{
    const struct quarantined row = {
        .key = bytes_of_text(key),
        .version = {1, 2, 3, 4},
        .since_us = 9,
        .message = bytes_of_text(message),
    };
    struct quarantined back;

    OK(quarantine_put(txn, 1, &row, &err));
    OK(quarantine_get(txn, 1, row.key, &back, &err));
    cr_expect(bytes_equal(back.message, row.message));
    cr_expect_eq(back.since_us, 9);
    return back.number;
}

/* The bytes but for the checksum at their end. */
static const uint8_t golden[] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0,   0,   0, 0,
                                 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 9, 2, 'n', 'o', 1, 'k'};

static struct bytes record_of(const char *name, uint8_t lmdb_key[5])
{
    struct bytes record;

    memcpy(lmdb_key, (const uint8_t[5]){0, 0, 0, 1, (uint8_t)name[0]}, 5);
    OK(store_get(txn, DBI_QUARANTINE, (struct bytes){lmdb_key, 5}, &record, &err));
    return record;
}

Test(quarantine, encodes_to_the_golden_bytes)
{
    uint8_t lmdb_key[5];
    struct bytes record;

    put("k", "no");
    record = record_of("k", lmdb_key);
    cr_assert_eq(record.size, sizeof golden + 8);
    cr_expect_arr_eq(record.data, golden, sizeof golden);
}

Test(quarantine, a_cut_record_is_refused)
{
    uint8_t lmdb_key[5], cut[sizeof golden + 8];
    struct quarantined back;
    struct bytes record;
    size_t size;

    put("k", "no");
    record = record_of("k", lmdb_key);
    size = record.size;
    memcpy(cut, record.data, size);
    for (size_t left = 0; left < size; left++) {
        OK(store_put(txn, DBI_QUARANTINE, (struct bytes){lmdb_key, 5},
                     (struct bytes){cut, left}, &err));
        cr_expect_eq(quarantine_get(txn, 1, bytes_of_text("k"), &back, &err),
                     STATUS_CORRUPT, "cut at %zu", left);
    }
}

Test(quarantine, a_row_keeps_its_number_and_none_is_given_twice)
{
    cr_expect_eq(put("a", "no"), 1);
    cr_expect_eq(put("b", "no"), 2);
    cr_expect_eq(put("a", "again"), 1);
    OK(quarantine_delete(txn, 1, bytes_of_text("b"), &err));
    cr_expect_eq(put("b", "no"), 3);
}
