/* Rows that many changes meet: what the merge's walks cost, and that they miss nothing.
 */
#include "log/store_private.h"
#include "log/walks.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* Their square is more than the deadline allows, some hundreds of seconds. */
enum { CHANGES = 12000, DEADLINE_SECONDS = 60 };

/* More than it takes for a walk to be kept. */
enum { MANY = 2 * WALK_STEPS_MIN };

static struct log_fixture fixture;
static struct log_node *a, *b;

static void set_up(void)
{
    log_fixture_open(&fixture, 2);
    a = &fixture.nodes[0];
    b = &fixture.nodes[1];
}

static void tear_down(void)
{
    log_fixture_close(&fixture);
}

TestSuite(walks, .init = set_up, .fini = tear_down);

static void write_number(struct log_node *node, uint64_t now_us, int number)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%d", number);
    node->now_us = now_us;
    (void)log_write(node, 1, text, "");
}

static void exchange(void)
{
    log_carry(a, b, 0);
    log_carry(b, a, 0);
}

Test(walks, many_changes_of_a_row_beside_one_write_cost_what_they_are,
     .timeout = DEADLINE_SECONDS)
{
    for (int i = 0; i < CHANGES; i++)
        write_number(a, 2000000 + (uint64_t)i * 10, i);
    write_number(b, 2000000 + (uint64_t)CHANGES / 2 * 10 - 5, -1);
    exchange();
    cr_expect_eq(log_conflicts(a), CHANGES / 2 + 1);
    cr_expect_eq(log_conflicts(b), CHANGES / 2 + 1);
    cr_expect_str_eq(log_winner(b, 1), log_winner(a, 1));
}

Test(walks, many_changes_of_a_row_on_both_sides_cost_what_they_are,
     .timeout = DEADLINE_SECONDS)
{
    for (int i = 0; i < CHANGES / 2; i++) {
        write_number(a, 2000000 + (uint64_t)i * 10, i);
        write_number(b, 2000005 + (uint64_t)i * 10, -1 - i);
    }
    exchange();
    cr_expect_eq(log_conflicts(a), CHANGES - 1, "all but the last: %d",
                 (int)log_conflicts(a));
    cr_expect_eq(log_conflicts(b), CHANGES - 1);
    cr_expect_str_eq(log_winner(b, 1), log_winner(a, 1));
}

Test(walks, equal_content_on_both_sides_costs_no_square_either,
     .timeout = DEADLINE_SECONDS)
{
    for (int i = 0; i < CHANGES / 2; i++) {
        write_number(a, 2000000 + (uint64_t)i * 10, 7);
        write_number(b, 2000005 + (uint64_t)i * 10, 7);
    }
    exchange();
    cr_expect_eq(log_conflicts(a), 0);
    cr_expect_eq(log_conflicts(b), 0);
}

Test(walks, what_was_equal_to_one_change_is_held_against_the_next)
{
    for (int i = 0; i < MANY; i++)
        write_number(b, 2000000 + (uint64_t)i, 7);
    for (int i = 0; i < WALK_STEPS_MIN; i++)
        write_number(a, 3000000 + (uint64_t)i, 7);
    write_number(a, 4000000, 8);
    exchange();
    cr_expect_eq(log_conflicts(a), MANY);
    cr_expect_eq(log_conflicts(b), MANY);
}

static bool is_linear(struct log_node *node)
{
    struct store_txn *txn;
    struct buffer key = {0};
    struct error err;
    struct row row;

    item_key(&key, 1);
    cr_assert_eq(store_begin(node->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(rows_get(txn, 1, buffer_view(&key), &row, &err), STATUS_OK);
    store_abort(txn);
    buffer_release(&key);
    return row.linear;
}

Test(walks, what_is_equal_to_the_winner_still_loses_to_another_larger_write)
{
    for (int i = 0; i < MANY; i++)
        write_number(b, 2000000 + (uint64_t)i, i);
    write_number(b, 5000000, 8);
    write_number(b, 6000000, 7);
    write_number(a, 3000000, -9);
    write_number(a, 4000000, 7);
    exchange();
    cr_expect_eq(log_conflicts(a), MANY + 2);
    cr_expect_eq(log_conflicts(b), MANY + 2, "%d", (int)log_conflicts(b));
}

Test(walks, who_has_seen_all_of_a_long_row_makes_it_linear)
{
    for (int i = 0; i < MANY; i++) {
        write_number(a, 2000000 + (uint64_t)i * 10, i);
        write_number(b, 2000005 + (uint64_t)i * 10, -1 - i);
    }
    exchange();
    log_take_all(a);
    write_number(a, 3000000, 0);
    exchange();
    cr_expect(is_linear(b));
}

Test(walks, a_loser_on_record_that_was_not_seen_keeps_a_row_from_being_linear)
{
    for (int i = 0; i < MANY; i++)
        write_number(b, 2000000 + (uint64_t)i, i);
    for (int i = 0; i < 4; i++)
        write_number(a, 3000000 + (uint64_t)i, -1 - i);
    exchange();
    cr_expect_not(is_linear(b));
}
