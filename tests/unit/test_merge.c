#include "log/conflicts.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>

static struct log_fixture fixture;
static struct log_node *a, *b, *c;
static struct error err;

static void set_up(void)
{
    log_fixture_open(&fixture, 3);
    a = &fixture.nodes[0];
    b = &fixture.nodes[1];
    c = &fixture.nodes[2];
}

static void tear_down(void)
{
    log_fixture_close(&fixture);
}

TestSuite(merge, .init = set_up, .fini = tear_down);

static void exchange(struct log_node *x, struct log_node *y)
{
    log_carry(x, y, 0);
    log_carry(y, x, 0);
}

Test(merge, a_later_write_wins_and_the_earlier_is_recorded)
{
    a->now_us = 2000000;
    b->now_us = 3000000;
    log_write(a, 1, "from a", "");
    log_write(b, 1, "from b", "");
    exchange(a, b);
    cr_expect_str_eq(log_winner(a, 1), "a=from b b=");
    cr_expect_str_eq(log_winner(b, 1), "a=from b b=");
    cr_expect_eq(log_conflicts(a), 1);
    cr_expect_eq(log_conflicts(b), 1);
}

Test(merge, equal_timestamps_are_decided_by_the_larger_origin)
{
    log_write(a, 1, "from a", "");
    log_write(b, 1, "from b", "");
    exchange(a, b);
    cr_expect_str_eq(log_winner(a, 1), "a=from b b=");
    cr_expect_str_eq(log_winner(b, 1), "a=from b b=");
}

Test(merge, a_write_that_had_seen_another_wins_without_a_record)
{
    a->now_us = 9000000;
    b->now_us = 2000000; /* its clock is behind: the hybrid clock is not */
    log_write(a, 1, "first", "");
    log_carry(a, b, 0);
    log_take_all(b);
    log_write(b, 1, "second", "");
    log_carry(b, a, 0);
    cr_expect_str_eq(log_winner(a, 1), "a=second b=");
    cr_expect_eq(log_conflicts(a), 0);
    cr_expect_eq(log_conflicts(b), 0);
}

Test(merge, an_entry_in_the_log_that_the_database_has_not_taken_was_not_seen)
{
    b->now_us = 2000000;
    log_write(a, 1, "imported", "");
    log_carry(a, b, 0);
    log_write(b, 1, "unaware", "");
    cr_expect_str_eq(log_winner(b, 1), "a=unaware b=");
    cr_expect_eq(log_conflicts(b), 1);
}

Test(merge, equal_writes_do_not_conflict)
{
    log_write(a, 1, "same", "");
    log_write(b, 1, "same", "");
    exchange(a, b);
    cr_expect_eq(log_conflicts(a), 0);
    cr_expect_eq(log_conflicts(b), 0);
}

Test(merge, a_successor_of_one_of_two_equal_writes_conflicts_with_the_other)
{
    log_write(a, 1, "same", "");
    log_write(b, 1, "same", "");
    log_write(b, 1, "edited", ""); /* has seen b's, not a's */
    exchange(a, b);
    cr_expect_str_eq(log_winner(a, 1), "a=edited b=");
    cr_expect_eq(log_conflicts(a), 1);
    cr_expect_eq(log_conflicts(b), 1);
}

Test(merge, records_the_same_losers_in_every_order_of_arrival)
{
    struct version loser;
    uint64_t number;
    struct log_node *nodes[] = {a, c};

    a->now_us = 5000000;
    log_write(a, 1, "x", ""); /* the larger of x and y */
    log_write(b, 1, "y", ""); /* smaller, concurrent with x */
    b->now_us = 9000000;
    log_write(b, 1, "z", ""); /* successor of y, beats x */
    log_carry(b, c, 0);       /* c meets y, z, then x */
    log_carry(a, c, 0);
    log_carry(b, a, 0); /* a meets x, then y, z */
    for (size_t i = 0; i < 2; i++) {
        struct store_txn *txn;

        cr_expect_eq(log_conflicts(nodes[i]), 2,
                     "x and y both lost to a concurrent write");
        cr_assert_eq(store_begin(nodes[i]->store, TXN_READ, &txn, &err), STATUS_OK);
        loser = (struct version){5000000, 1, 3, 0};
        cr_expect_eq(conflict_of_loser(txn, &loser, &number, &err), STATUS_OK);
        loser = (struct version){1000002, 2, 3, 0};
        cr_expect_eq(conflict_of_loser(txn, &loser, &number, &err), STATUS_OK);
        store_abort(txn);
    }
}

Test(merge, an_import_keeps_what_the_database_holds)
{
    b->now_us = 2000000;
    log_write(a, 1, "mine", "");
    log_write(b, 1, "theirs", "");
    log_carry(b, a, 0);
    cr_expect_str_eq(log_winner(a, 1), "a=theirs b=");
    cr_expect_str_eq(log_holding(a, 1), "a=mine b=");
    cr_expect_str_eq(log_holding(b, 1), "a=theirs b=");
}

Test(merge, an_import_over_nothing_holds_that_the_database_has_no_row)
{
    log_write(b, 1, "theirs", "");
    log_carry(b, a, 0);
    cr_expect_str_eq(log_holding(a, 1), "nothing");
    log_take_all(a);
    cr_expect_str_eq(log_holding(a, 1), "a=theirs b=");
}

Test(merge, a_losing_local_write_is_what_the_database_holds)
{
    b->now_us = 9000000;
    log_write(b, 1, "theirs", "");
    log_carry(b, a, 0);
    log_write(a, 1, "mine", "");
    cr_expect_str_eq(log_winner(a, 1), "a=theirs b=");
    cr_expect_str_eq(log_holding(a, 1), "a=mine b=");
}

Test(merge, a_delete_leaves_a_tombstone_that_beats_older_writes)
{
    log_write(a, 1, "old", "");
    log_carry(a, b, 0);
    log_take_all(b);
    b->now_us = 5000000;
    log_write(b, 1, NULL, NULL);
    a->now_us = 3000000;
    log_write(a, 1, "edited meanwhile", "");
    exchange(a, b);
    cr_expect_str_eq(log_winner(a, 1), "deleted");
    cr_expect_str_eq(log_winner(b, 1), "deleted");
    cr_expect_eq(log_conflicts(a), 1);
    cr_expect_eq(log_conflicts(b), 1);
}

/* dynamo_4_4: D3 and D4 both follow D2; D5 had both. */
Test(merge, dynamo_4_4)
{
    log_write(a, 1, "D1", "");
    log_write(a, 1, "D2", "");
    log_carry(a, b, 0);
    log_carry(a, c, 0);
    log_take_all(b);
    log_take_all(c);
    log_write(b, 1, "D3", "");
    log_write(c, 1, "D4", "");
    exchange(a, b);
    exchange(a, c);
    exchange(a, b);
    cr_expect_eq(log_conflicts(a), 1);
    cr_expect_eq(log_conflicts(b), 1);
    cr_expect_eq(log_conflicts(c), 1);
    log_take_all(a);
    log_write(a, 1, "D5", "");
    exchange(a, b);
    exchange(a, c);
    cr_expect_str_eq(log_winner(b, 1), "a=D5 b=");
    cr_expect_str_eq(log_winner(c, 1), "a=D5 b=");
    cr_expect_eq(log_conflicts(b), 1);
    cr_expect_eq(log_conflicts(c), 1);
}

/* Whether who sees a row's winner has seen all of the row. */
static bool is_linear(struct log_node *node, int64_t id)
{
    struct buffer key = {0};
    struct store_txn *txn;
    struct row row;
    bool linear;

    item_key(&key, id);
    cr_assert_eq(store_begin(node->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(rows_get(txn, 1, buffer_view(&key), &row, &err), STATUS_OK);
    linear = row.linear;
    store_abort(txn);
    buffer_release(&key);
    return linear;
}

Test(merge, a_row_is_linear_while_each_write_has_seen_those_before)
{
    log_write(a, 1, "first", "");
    log_write(a, 1, "second", "");
    cr_expect(is_linear(a, 1));
    log_carry(a, b, 0);
    cr_expect(is_linear(b, 1));
    log_write(b, 1, "unaware", ""); /* its database has taken nothing yet */
    cr_expect_not(is_linear(b, 1));
    exchange(a, b);
    cr_expect_not(is_linear(a, 1));
    log_take_all(a);
    log_write(a, 1, "has seen all", "");
    exchange(a, b);
    cr_expect(is_linear(a, 1));
    cr_expect(is_linear(b, 1));
    cr_expect_eq(log_conflicts(a), 2);
    cr_expect_eq(log_conflicts(b), 2);
}

Test(merge, a_rows_history_is_a_walk_through_every_version_losers_too)
{
    static const char *const expected[] = {"three", "two", "one"};
    struct buffer key = {0};
    struct store_txn *txn;
    struct place at;
    struct row row;
    size_t count = 0;

    a->now_us = 5000000;
    log_write(a, 1, "one", "");
    log_write(a, 1, "two", "");
    log_write(b, 1, "three", "");
    log_carry(b, a, 0);
    item_key(&key, 1);
    cr_assert_eq(store_begin(a->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(rows_get(txn, 1, buffer_view(&key), &row, &err), STATUS_OK);
    for (at = row.last; at.seq != 0; count++) {
        struct log_change change;

        cr_assert_eq(log_change_at(txn, at, &change, &err), STATUS_OK, "%s", err.text);
        cr_expect_eq(change.won, count != 0);
        cr_assert_lt(count, 3);
        cr_expect(memmem(change.change.image.data, change.change.image.size,
                         expected[count], strlen(expected[count])) != NULL);
        at = change.previous;
    }
    cr_expect_eq(count, 3);
    store_abort(txn);
    buffer_release(&key);
}
