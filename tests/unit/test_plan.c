/* What a batch of entries means for the database: DESIGN section 7's rule, change by
 * change. */
#include "log/image.h"
#include "log/plan.h"
#include "log/plan_rows.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct log_fixture fleet;
static struct log_node *one, *two;

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

static void set_up(void)
{
    log_fixture_open(&fleet, 2);
    one = &fleet.nodes[0];
    two = &fleet.nodes[1];
    log_carry(one, two, 0);
    log_carry(two, one, 0);
    log_take_all(one);
    log_take_all(two);
}

static void tear_down(void)
{
    log_fixture_close(&fleet);
}

TestSuite(plan, .init = set_up, .fini = tear_down);

/* Time passes, then the node writes. */
static uint64_t put(struct log_node *node, int64_t id, const char *a)
{
    one->now_us += 1000000;
    two->now_us = one->now_us;
    return log_write(node, id, a, NULL);
}

static void print_planned(FILE *out, const struct planned *planned)
{
    struct bytes key = planned->key;
    struct buffer scratch = {0};
    struct image image;
    struct value id;

    OK(row_key_take(&key, &id, &scratch, &err));
    (void)fprintf(out, "%s%lld", ftell(out) > 0 ? " " : "", (long long)id.integer);
    image_init(&image);
    if (planned->live) {
        OK(image_decode(&image, planned->image, planned->table.definition, planned->key,
                        &err));
        (void)fprintf(out, "=%.*s", (int)image.values[1].bytes.size,
                      (const char *)image.values[1].bytes.data);
    } else {
        (void)fputs("-", out);
    }
    (void)fprintf(out, "%s%s", planned->holding.live ? " over" : "",
                  planned->is_winner ? "" : " passing");
    image_release(&image);
    buffer_release(&scratch);
}

static size_t stretch; /* 0: as usual */
static uint64_t written;
static bool in_log_order;

/* The plan of from+1 .. to as text: "1=x 2- over 3=y passing": key, value or a delete,
 * "over" when the database holds the row, "passing" when a later entry has written it
 * again. */
static const char *plan_text(struct log_node *node, uint64_t from, uint64_t to_seq)
{
    static char *text;
    static size_t size;
    struct plan_cursor *cursor;
    struct planned planned;
    struct store_txn *txn;
    enum status status;
    FILE *out;

    free(text);
    out = open_memstream(&text, &size);
    OK(store_begin(node->store, TXN_READ, &txn, &err));
    OK(plan_open(&cursor, txn,
                 (struct plan_range){.from = from, .to = to_seq, .written = written},
                 &err));
    if (stretch > 0)
        plan_stretch(cursor, stretch);
    plan_restart(cursor, in_log_order);
    while ((status = plan_next(cursor, &planned, &err)) == STATUS_OK)
        print_planned(out, &planned);
    cr_assert_eq(status, STATUS_NOT_FOUND, "%s", err.text);
    plan_close(cursor);
    store_abort(txn);
    (void)fclose(out);
    return text;
}

static const char *plan_of_all(struct log_node *node)
{
    return plan_text(node, 0, log_last(node));
}

Test(plan, inserts_updates_and_deletes_by_what_the_database_holds)
{
    put(two, 3, "old");
    log_carry(two, one, 0);
    log_take_all(one);
    put(one, 1, "x");
    put(one, 3, "new");
    log_carry(one, two, 0);
    cr_expect_str_eq(plan_of_all(two), "1=x 3=new over");
    log_take_all(two);
    cr_expect_str_eq(plan_of_all(two), "", "what is held is not written again");
    put(one, 1, NULL);
    log_carry(one, two, 0);
    cr_expect_str_eq(plan_of_all(two), "1- over");
}

Test(plan, has_nothing_of_tables_that_take_nothing)
{
    static const uint8_t table[] = {0, 0, 0, 1};
    struct plan_range range = {
        .out = {table, sizeof table}
    };
    struct plan_cursor *cursor;
    struct planned planned;
    struct buffer key = {0};
    struct store_txn *txn;

    put(one, 1, "x");
    log_carry(one, two, 0);
    range.to = log_last(two);
    item_key(&key, 1);
    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(plan_open(&cursor, txn, range, &err));
    cr_expect_eq(plan_next(cursor, &planned, &err), STATUS_NOT_FOUND);
    plan_close(cursor);
    OK(plan_open(&cursor, txn, range, &err));
    cr_expect_eq(plan_next_shown(cursor, &planned, &err), STATUS_NOT_FOUND);
    plan_close(cursor);
    cr_expect_eq(plan_find(txn, range, 1, buffer_view(&key), &planned, &err),
                 STATUS_NOT_FOUND);
    store_abort(txn);
    buffer_release(&key);
}

Test(plan, takes_of_one_row_the_largest_and_once)
{
    put(one, 1, "first");
    put(one, 1, "second");
    put(one, 1, "third");
    log_carry(one, two, 0);
    cr_expect_str_eq(plan_of_all(two), "1=third");
}

Test(plan, a_batch_that_ends_earlier_writes_what_stood_there_then)
{
    uint64_t before = log_last(two);

    put(one, 1, "first");
    put(one, 1, "second");
    put(one, 1, NULL);
    log_carry(one, two, 0);
    cr_expect_str_eq(plan_text(two, before, before + 1), "1=first passing");
    cr_expect_str_eq(plan_text(two, before, before + 2), "1=second passing");
    cr_expect_str_eq(plan_text(two, before, before + 3), "1-");
}

Test(plan, knows_of_a_batch_that_was_written_and_not_folded)
{
    uint64_t before = log_last(two);

    put(one, 1, "first");
    put(one, 2, "gone soon");
    put(one, 3, "stays");
    put(one, 1, "second");
    put(one, 2, NULL);
    put(one, 4, "new");
    put(one, 1, "third");
    log_carry(one, two, 0);
    in_log_order = true;
    cr_expect_str_eq(plan_text(two, before + 3, before + 6), "1=second passing 2- 4=new",
                     "nothing is there yet");
    for (written = 1; written < 4; written++)
        cr_expect_str_eq(plan_text(two, before + 3, before + 6),
                         written == 1   ? "1=second passing 2- 4=new"
                         : written == 2 ? "1=second passing 2- over 4=new"
                                        : "1=second over passing 2- over 4=new");
    written = 6;
    cr_expect_str_eq(plan_text(two, before + 6, before + 7), "1=third over");
    written = 0;
    in_log_order = false;
}

Test(plan, takes_what_was_written_before_only_where_nothing_newer_is_held)
{
    uint64_t before = log_last(two);

    put(one, 1, "first");
    put(one, 2, "first");
    put(one, 2, "second");
    log_carry(one, two, 0);
    put(two, 1, "ours"); /* captured: the batch has not written over it */
    put(two, 1, NULL);
    put(one, 1, "theirs");
    log_carry(one, two, 0);
    written = 2;
    cr_expect_str_eq(plan_text(two, before + 2, log_last(two)), "1=theirs 2=second over");
    written = 0;
}

Test(plan, never_writes_local_entries_or_what_lost_to_them)
{
    put(one, 1, "theirs");
    put(two, 1, "ours, later");
    put(two, 2, "ours");
    log_carry(one, two, 0);
    cr_expect_str_eq(plan_of_all(two), "");
}

Test(plan, does_not_overwrite_a_local_write_that_came_after_the_import)
{
    put(one, 1, "theirs");
    log_carry(one, two, 0);
    put(two, 1, "ours, later");
    cr_expect_str_eq(plan_of_all(two), "");
}

Test(plan, writes_a_change_over_a_local_write_that_it_beats)
{
    put(two, 1, "ours");
    put(one, 1, "theirs, later");
    log_carry(one, two, 0);
    cr_expect_str_eq(plan_of_all(two), "1=theirs, later over");
}

Test(plan, finds_one_row_as_the_walk_does)
{
    uint64_t before = log_last(two);
    struct buffer key = {0};
    struct planned planned;
    struct store_txn *txn;

    put(one, 1, "first");
    put(one, 1, "second");
    log_carry(one, two, 0);
    item_key(&key, 1);
    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(plan_find(txn, (struct plan_range){.from = before, .to = before + 1}, 1,
                 buffer_view(&key), &planned, &err));
    cr_expect_eq(planned.place.seq, before + 1);
    cr_expect_not(planned.is_winner);
    cr_expect_not(planned.holding.live);
    OK(plan_find(txn, (struct plan_range){.from = before, .to = before + 2}, 1,
                 buffer_view(&key), &planned, &err));
    cr_expect_eq(planned.place.seq, before + 2);
    cr_expect(planned.is_winner);
    cr_expect_eq(plan_find(txn, (struct plan_range){.from = before + 2, .to = before + 2},
                           1, buffer_view(&key), &planned, &err),
                 STATUS_NOT_FOUND);
    buffer_clear(&key);
    item_key(&key, 77);
    cr_expect_eq(plan_find(txn, (struct plan_range){.from = 0, .to = before + 2}, 1,
                           buffer_view(&key), &planned, &err),
                 STATUS_NOT_FOUND);
    cr_expect_not(planned.holding.live);
    store_abort(txn);
    buffer_release(&key);
}

static uint64_t seq_at(struct log_node *node, uint64_t to_seq, int64_t id)
{
    struct buffer key = {0};
    struct store_txn *txn;
    struct row row = {0};
    bool is_winner;

    item_key(&key, id);
    OK(store_begin(node->store, TXN_READ, &txn, &err));
    if (plan_row_at(txn, to_seq, 1, buffer_view(&key), &row, &is_winner, &err) !=
        STATUS_OK)
        row.winner.seq = 0;
    store_abort(txn);
    buffer_release(&key);
    return row.winner.seq;
}

Test(plan, a_row_at_a_position_is_the_largest_up_to_there_or_local)
{
    uint64_t before = log_last(two), local;

    put(one, 1, "first");
    put(one, 1, "second");
    log_carry(one, two, 0);
    cr_expect_eq(seq_at(two, before, 1), 0);
    cr_expect_eq(seq_at(two, before + 1, 1), before + 1);
    cr_expect_eq(seq_at(two, before + 2, 1), before + 2);
    local = put(two, 1, "ours");
    cr_expect_eq(seq_at(two, before + 1, 1), local);
    put(one, 1, "later");
    log_carry(one, two, 0);
    cr_expect_eq(seq_at(two, before + 2, 1), local);
    cr_expect_eq(seq_at(two, local + 1, 1), local + 1);
}

/* ---- walking */

static bool wants_deletes(void *data, const struct table *table, bool live)
{
    cr_expect_eq(table->id, 1);
    ++*(unsigned *)data;
    return !live;
}

Test(plan, goes_on_after_a_place_and_leaves_out_what_is_not_wanted)
{
    struct plan_cursor *cursor;
    struct planned planned;
    struct store_txn *txn;
    struct place place;
    unsigned asked = 0;

    put(one, 1, "x");
    put(one, 2, "y");
    log_carry(one, two, 0);
    log_take_all(two);
    put(one, 3, "z");
    put(one, 1, NULL);
    put(one, 2, NULL);
    log_carry(one, two, 0);
    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(plan_open(&cursor, txn,
                 (struct plan_range){.from = log_last(two) - 3, .to = log_last(two)},
                 &err));
    plan_filter(cursor, wants_deletes, &asked);
    OK(plan_next(cursor, &planned, &err));
    cr_expect_not(planned.live);
    cr_expect_eq(asked, 1);
    place = planned.place;
    plan_close(cursor);
    OK(plan_open(&cursor, txn,
                 (struct plan_range){.from = log_last(two) - 3, .to = log_last(two)},
                 &err));
    OK(plan_seek_after(cursor, place, &err));
    OK(plan_next_shown(cursor, &planned, &err));
    cr_expect_eq(planned.place.seq, place.seq + 1);
    cr_expect_eq(plan_next_shown(cursor, &planned, &err), STATUS_NOT_FOUND);
    plan_close(cursor);
    store_abort(txn);
}

/* Rows 5 and 3 are there; 9 and 7 come, with other values in between. */
static uint64_t write_here_and_there(void)
{
    uint64_t before;

    put(one, 3, "x");
    put(one, 5, "x");
    log_carry(one, two, 0);
    log_take_all(two);
    before = log_last(two);
    put(one, 9, "first");
    put(one, 5, "y");
    put(one, 7, "x");
    put(one, 9, "x");
    put(one, 3, "y");
    log_carry(one, two, 0);
    return before;
}

Test(plan, gives_what_was_there_by_key_and_then_what_is_inserted_as_it_came)
{
    uint64_t before = write_here_and_there();

    cr_expect_str_eq(plan_text(two, before, log_last(two)), "3=y over 5=y over 9=x 7=x");
    in_log_order = true;
    cr_expect_str_eq(plan_text(two, before, log_last(two)), "9=x 5=y over 7=x 3=y over");
}

Test(plan, begins_again_in_another_order)
{
    static const struct {
        size_t stretch;
        const char *first, *again; /* keys */
    } cases[] = {
        {PLAN_ROWS_MAX, "3579", "9573"},
        {1,             "5793", "5793"},
    };
    uint64_t before = write_here_and_there();

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan_range range = {.from = before, .to = log_last(two)};
        struct plan_cursor *cursor;
        struct planned planned;
        struct store_txn *txn;

        OK(store_begin(two->store, TXN_READ, &txn, &err));
        OK(plan_open(&cursor, txn, range, &err));
        plan_stretch(cursor, cases[i].stretch);
        OK(plan_next(cursor, &planned, &err));
        cr_expect_eq(planned.key.data[8], cases[i].first[0] - '0');
        plan_restart(cursor, true);
        for (const char *key = cases[i].again; *key != '\0'; key++) {
            OK(plan_next(cursor, &planned, &err));
            cr_expect_eq(planned.key.data[8], *key - '0');
        }
        cr_expect_eq(plan_next(cursor, &planned, &err), STATUS_NOT_FOUND);
        plan_close(cursor);
        store_abort(txn);
    }
}

Test(plan, gives_each_row_once_however_long_its_stretches_are)
{
    uint64_t before = write_here_and_there();

    put(one, 5, "later");
    put(one, 9, "later");
    log_carry(one, two, 0);
    for (stretch = 1; stretch < 6; stretch++) {
        const char *text = plan_text(two, before, before + 5);

        cr_expect_eq(strlen(text), strlen("3=y over 5=y over passing 9=x passing 7=x"),
                     "stretches of %zu: %s", stretch, text);
        cr_expect(strstr(text, "5=y over passing") != NULL, "%s", text);
        cr_expect(strstr(text, "9=x passing") != NULL, "%s", text);
    }
}

Test(plan, a_local_write_hides_a_waiting_row_under_a_later_one)
{
    uint64_t before = log_last(two);

    put(one, 1, "theirs");
    log_carry(one, two, 0);
    put(two, 1, "ours, later");
    log_carry(two, one, 0);
    put(one, 1, "theirs, still later");
    log_carry(one, two, 0);
    cr_expect_str_eq(plan_text(two, before, before + 1), "");
}

Test(plan, a_batch_is_whole_entries_and_at_least_one)
{
    uint64_t before = log_last(two);
    static const struct {
        uint64_t changes_max, entries;
    } cases[] = {
        {1,   1},
        {2,   2},
        {3,   3},
        {100, 4}
    };

    put(one, 1, "x");
    put(one, 2, "x");
    put(one, 3, "x");
    log_carry(one, two, 0);
    put(two, 4, "local: costs nothing");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan_extent extent;
        struct store_txn *txn;

        OK(store_begin(two->store, TXN_READ, &txn, &err));
        OK(plan_extent(txn, before, cases[i].changes_max, &extent, &err));
        store_abort(txn);
        /* The local entry rides along with the last foreign one. */
        cr_expect_eq(extent.to - before, cases[i].entries == 3 ? 4 : cases[i].entries,
                     "at most %llu changes", (unsigned long long)cases[i].changes_max);
        cr_expect_eq(extent.local, extent.to == log_last(two));
    }
}

Test(plan, an_extent_of_nothing_stays_where_it_is)
{
    struct plan_extent extent;
    struct store_txn *txn;

    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(plan_extent(txn, log_last(two), 10, &extent, &err));
    store_abort(txn);
    cr_expect_eq(extent.to, log_last(two));
    cr_expect_not(extent.local);
}
