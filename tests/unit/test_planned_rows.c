/* What the plan knew, kept for the fold: whether it still holds, and that the fold does
 * with it what it does without. */
#include "log/intent.h"
#include "log/row_record.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct log_fixture fleet;
static struct log_node *one, *two;
static struct planned_rows rows;
static struct intent intent = {.counter = 8, .max_stamp_us = 1};

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

static void put(int64_t id, const char *a)
{
    one->now_us += 1000000;
    two->now_us = one->now_us;
    (void)log_write(one, id, a, NULL);
}

/* Rows 1 and 2 are written by a batch that waits; the database has row 1. */
static void set_up(void)
{
    log_fixture_open(&fleet, 2);
    one = &fleet.nodes[0];
    two = &fleet.nodes[1];
    log_carry(one, two, 0);
    put(1, "before");
    log_carry(one, two, 0);
    log_take_all(two);
    intent.from = log_last(two);
    put(1, "x");
    put(2, "y");
    put(2, "y again");
    log_carry(one, two, 0);
    intent.to = log_last(two);
}

static void tear_down(void)
{
    planned_rows_release(&rows);
    log_fixture_close(&fleet);
}

TestSuite(planned_rows, .init = set_up, .fini = tear_down);

/* Plan the batch, and write its intent. */
static void plan(void)
{
    struct plan_range range = {.from = intent.from, .to = intent.to};
    struct intent_writer *writer;
    struct plan_cursor *cursor;
    struct planned planned;
    struct store_txn *txn;

    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(planned_rows_begin(&rows, txn, &err));
    OK(plan_open(&cursor, txn, range, &err));
    while (plan_next(cursor, &planned, &err) == STATUS_OK)
        planned_rows_add(&rows, &planned);
    plan_close(cursor);
    planned_rows_end(&rows);
    store_abort(txn);
    OK(intent_writer_open(&writer, two->store, &err));
    OK(intent_writer_end(writer, &intent, &err));
    intent_writer_close(writer);
}

static void fold(const struct planned_rows *planned)
{
    OK(intent_fold(two->store, planned, NULL, 0, &err));
}

static bool hold(void)
{
    struct store_txn *txn;
    bool answer;

    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(planned_rows_hold(&rows, txn, &answer, &err));
    store_abort(txn);
    return answer;
}

/* Copy row 1's held record; or put one there. */
static void held(struct buffer *record, bool back)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];
    struct buffer key = {0};
    struct store_txn *txn;
    struct bytes form, there;

    item_key(&key, 1);
    form = row_lmdb_key(lmdb_key, 1, buffer_view(&key));
    OK(store_begin(two->store, TXN_WRITE, &txn, &err));
    if (back) {
        OK(store_put(txn, DBI_HELD, form, buffer_view(record), &err));
    } else {
        OK(store_get(txn, DBI_HELD, form, &there, &err));
        buffer_clear(record);
        buffer_put_bytes(record, there);
    }
    OK(store_commit(txn, &err));
    buffer_release(&key);
}

Test(planned_rows, hold_until_an_entry_comes)
{
    cr_expect_not(hold(), "not begun");
    plan();
    cr_expect(hold());
    put(3, "z");
    log_carry(one, two, 0);
    cr_expect_not(hold());
}

Test(planned_rows, say_nothing_when_there_are_too_many)
{
    static uint8_t key[1 << 16];
    const struct planned planned = {
        .key = {key, sizeof key},
          .is_winner = true
    };

    plan();
    for (size_t i = 0; i <= PLANNED_ROWS_BYTES / sizeof key; i++)
        planned_rows_add(&rows, &planned);
    planned_rows_end(&rows);
    cr_expect_not(hold());
    cr_expect_null(rows.rows.data);
}

Test(planned_rows, are_what_the_fold_goes_by)
{
    plan();
    buffer_clear(&rows.rows); /* as if nothing had been planned */
    fold(&rows);
    cr_expect_str_eq(log_holding(two, 1), "a=before b=");
    plan();
    fold(&rows);
    cr_expect_str_eq(log_holding(two, 1), "a=x b=");
    cr_expect_str_eq(log_holding(two, 2), "a=y again b=");
}

Test(planned_rows, of_a_row_written_again_the_same_is_held_as_without_them)
{
    struct buffer before = {0}, with = {0}, without = {0};

    put(1, "later");
    log_carry(one, two, 0);
    held(&before, false);
    plan();
    fold(&rows);
    cr_expect_str_eq(log_holding(two, 1), "a=x b=");
    held(&with, false);
    held(&before, true);
    plan();
    fold(NULL);
    held(&without, false);
    cr_expect(bytes_equal(buffer_view(&with), buffer_view(&without)));
    cr_expect_not(bytes_equal(buffer_view(&with), buffer_view(&before)));
    buffer_release(&before);
    buffer_release(&with);
    buffer_release(&without);
}

Test(planned_rows, are_forgotten_when_an_entry_won_over_one_of_them_meanwhile)
{
    plan();
    put(1, "later");
    log_carry(one, two, 0);
    fold(&rows);
    cr_expect_str_eq(log_holding(two, 1), "a=x b=");
    cr_expect_str_eq(log_winner(two, 1), "a=later b=");
    cr_expect_str_eq(log_holding(two, 2), "a=y again b=");
}
