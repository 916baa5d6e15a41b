#include "log/late_records.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>

static struct log_fixture fixture;
static struct store *store;
static struct store_txn *txn;
static struct error err;

static void begin(enum txn_mode mode)
{
    cr_assert_eq(store_begin(store, mode, &txn, &err), STATUS_OK, "%s", err.text);
}

static void set_up(void)
{
    log_fixture_open(&fixture, 1);
    store = fixture.nodes[0].store;
    begin(TXN_WRITE);
}

static void tear_down(void)
{
    store_abort(txn);
    log_fixture_close(&fixture);
}

TestSuite(late_records, .init = set_up, .fini = tear_down);

static void commit(void)
{
    cr_assert_eq(store_commit(txn, &err), STATUS_OK, "%s", err.text);
    begin(TXN_READ);
}

static void put(uint8_t key, const char *text)
{
    cr_assert_eq(
        late_put(txn, DBI_REPAIR, (struct bytes){&key, 1}, bytes_of_text(text), &err),
        STATUS_OK, "%s", err.text);
}

static void expect_value(uint8_t key, const char *text)
{
    struct bytes value = {NULL, 0};

    cr_assert_eq(late_get(txn, DBI_REPAIR, (struct bytes){&key, 1}, &value, &err),
                 STATUS_OK, "record %d", key);
    cr_expect(bytes_equal(value, bytes_of_text(text)), "record %d", key);
}

static bool is_in_store(uint8_t key)
{
    struct bytes value;

    return store_get(txn, DBI_REPAIR, (struct bytes){&key, 1}, &value, &err) == STATUS_OK;
}

Test(late_records, the_last_of_what_was_put_stays)
{
    put(1, "first");
    expect_value(1, "first");
    put(1, "");
    expect_value(1, "");
    put(1, "the last");
    expect_value(1, "the last");
    cr_expect(!is_in_store(1), "put once for each entry again");
    commit();
    expect_value(1, "the last");
}

Test(late_records, there_may_be_any_number)
{
    for (int round = 0; round < 2; round++)
        for (int key = 1; key <= 100; key++)
            put((uint8_t)key, round == 0 ? "first" : "second");
    expect_value(1, "second");
    expect_value(100, "second");
    commit();
    for (int key = 1; key <= 100; key++)
        expect_value((uint8_t)key, "second");
}

Test(late_records, go_with_a_transaction_that_is_given_up)
{
    put(1, "x");
    store_abort(txn);
    begin(TXN_READ);
    cr_expect(!is_in_store(1));
}
