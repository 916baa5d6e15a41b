/* The intent of a batch: its records, that it counts only when it is whole, and its fold.
 */
#include "log/intent_record.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

/* ---- records */

static const struct intent header = {
    .from = 5, .to = 9, .counter = 3, .max_stamp_us = 0x0102030405060708, .repair = true};

static const uint8_t golden_header[] = {1, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0,
                                        0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0,
                                        0, 3, 1, 2, 3, 4, 5, 6, 7, 8};

Test(intent, encodes_its_header_to_the_golden_bytes)
{
    struct buffer out = {0};
    struct intent back;

    intent_encode(&out, &header);
    cr_assert_eq(out.size, sizeof golden_header + RECORD_CHECK_SIZE);
    cr_expect_arr_eq(out.data, golden_header, sizeof golden_header);
    OK(intent_decode(buffer_view(&out), &back, &err));
    cr_expect_eq(back.from, header.from);
    cr_expect_eq(back.to, header.to);
    cr_expect_eq(back.counter, header.counter);
    cr_expect_eq(back.max_stamp_us, header.max_stamp_us);
    cr_expect_eq(back.repair, header.repair);
    buffer_release(&out);
}

#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static const struct {
    const char *when;
    struct intent_item item;
    uint8_t golden[64];
    size_t size;
} items[] = {
    {"parked",
     {.kind = INTENT_PARKED,
      .table = 2,
      .key = TEXT("k"),
      .parked = {.kind = PARKED_UNIQUE,
                 .born = {1, 2, 3, 4},
                 .since_us = 7,
                 .constraint = TEXT("u"),
                 .blocker_table = 2,
                 .blocker_key = TEXT("b")}},
     {1, 0, 0, 0, 2, 1, 'k', 1, 0, 0, 0, 0, 0,   0, 0, 7,
      1, 0, 0, 0, 0, 0, 0,   0, 2, 3, 4, 1, 'u', 2, 1, 'b'},
     32},
    {"shown",
     {.kind = INTENT_SHOWN, .table = 3, .key = TEXT("kk")},
     {2, 0, 0, 0, 3, 2, 'k', 'k'},
     8 },
    {"quarantined",
     {.kind = INTENT_QUARANTINED,
      .table = 1,
      .key = TEXT("k"),
      .absent = true,
      .quarantined = {.version = {1, 2, 3, 4}, .since_us = 9, .message = TEXT("no")}},
     {3, 0, 0, 0, 1, 1, 'k', 1, 1, 0, 0, 0, 0, 0,   0,
      0, 2, 3, 4, 0, 0, 0,   0, 0, 0, 0, 9, 2, 'n', 'o'},
     30},
    {"quarantined, and what stays",
     {.kind = INTENT_QUARANTINED,
      .table = 1,
      .key = TEXT("k"),
      .quarantined = {.version = {1, 2, 3, 4}, .since_us = 9, .message = TEXT("no")},
      .definition_origin = 6,
      .definition = 5,
      .image = TEXT("img")},
     {3, 0, 0, 0, 1, 1, 'k', 2,   1, 0, 0, 0, 0, 0, 0, 0, 2, 3, 4,   0,   0,  0,
      0, 0, 0, 0, 9, 2, 'n', 'o', 0, 0, 0, 0, 0, 0, 0, 6, 5, 3, 'i', 'm', 'g'},
     43},
    {"kept",
     {.kind = INTENT_KEPT,
      .table = 1,
      .key = TEXT("k"),
      .definition = 5,
      .image = TEXT("img")},
     {4, 0, 0, 0, 1, 1, 'k', 5, 3, 'i', 'm', 'g'},
     12},
};

Test(intent, encodes_its_items_to_the_golden_bytes_and_back)
{
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        struct buffer out = {0}, again = {0};
        struct intent_item back;

        intent_item_encode(&out, &items[i].item);
        cr_assert_eq(out.size, items[i].size + RECORD_CHECK_SIZE, "%s: %zu bytes",
                     items[i].when, out.size);
        cr_expect_arr_eq(out.data, items[i].golden, items[i].size, "%s", items[i].when);
        OK(intent_item_decode(buffer_view(&out), &back, &err));
        intent_item_encode(&again, &back);
        cr_expect(bytes_equal(buffer_view(&out), buffer_view(&again)), "%s",
                  items[i].when);
        buffer_release(&out);
        buffer_release(&again);
    }
}

/* Cut anywhere, or with any byte changed, or with a wrong tag under a right checksum. */
Test(intent, refuses_what_is_damaged)
{
    for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
        struct buffer out = {0};
        struct intent_item back;

        intent_item_encode(&out, &items[i].item);
        for (size_t size = 0; size < out.size; size++)
            cr_expect_eq(intent_item_decode((struct bytes){out.data, size}, &back, &err),
                         STATUS_CORRUPT);
        for (size_t at = 0; at < out.size; at++) {
            out.data[at] ^= 0x20;
            cr_expect_eq(intent_item_decode(buffer_view(&out), &back, &err),
                         STATUS_CORRUPT);
            out.data[at] ^= 0x20;
        }
        out.size -= RECORD_CHECK_SIZE;
        out.data[0] = 9;
        record_seal(&out);
        cr_expect_eq(intent_item_decode(buffer_view(&out), &back, &err), STATUS_CORRUPT);
        buffer_release(&out);
    }
}

Test(intent, refuses_a_damaged_header)
{
    struct buffer out = {0};
    struct intent back;

    intent_encode(&out, &header);
    for (size_t size = 0; size < out.size; size++)
        cr_expect_eq(intent_decode((struct bytes){out.data, size}, &back, &err),
                     STATUS_CORRUPT);
    out.size -= RECORD_CHECK_SIZE;
    out.data[0] = INTENT_FORMAT + 1;
    record_seal(&out);
    cr_expect_eq(intent_decode(buffer_view(&out), &back, &err), STATUS_CORRUPT);
    buffer_release(&out);
}

/* ---- in a store */

static struct log_fixture fleet;
static struct log_node *one, *two;

static void set_up(void)
{
    log_fixture_open(&fleet, 2);
    one = &fleet.nodes[0];
    two = &fleet.nodes[1];
    log_carry(one, two, 0);
    log_take_all(two);
}

static void tear_down(void)
{
    log_fixture_close(&fleet);
}

TestSuite(intent_fold, .init = set_up, .fini = tear_down);

static void put(int64_t id, const char *a)
{
    one->now_us += 1000000;
    (void)log_write(one, id, a, NULL);
}

static struct intent range_of(uint64_t from, uint64_t to)
{
    return (struct intent){.from = from, .to = to, .counter = 8, .max_stamp_us = 1};
}

static void write_intent(const struct intent *intent, const struct intent_item *item)
{
    struct intent_writer *writer;

    OK(intent_writer_open(&writer, two->store, &err));
    if (item != NULL)
        OK(intent_writer_add(writer, item, &err));
    OK(intent_writer_end(writer, intent, &err));
    intent_writer_close(writer);
}

static uint64_t meta(enum meta_key key)
{
    struct store_txn *txn;
    uint64_t value;

    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(meta_get(txn, key, &value, &err));
    store_abort(txn);
    return value;
}

/* Whether there is an intent, a held record, a parked or a quarantined row of key 1. */
static bool has(const char *what)
{
    struct buffer key = {0};
    struct store_txn *txn;
    struct intent intent;
    struct row row;
    struct parked parked;
    struct quarantined quarantined;
    enum status status;

    item_key(&key, 1);
    OK(store_begin(two->store, TXN_READ, &txn, &err));
    switch (what[0]) {
    case 'i':
        status = intent_get(txn, &intent, &err);
        break;
    case 'h':
        status = held_get(txn, 1, buffer_view(&key), &row, &err);
        break;
    case 'p':
        status = parked_get(txn, 1, buffer_view(&key), &parked, &err);
        break;
    default:
        status = quarantine_get(txn, 1, buffer_view(&key), &quarantined, &err);
    }
    store_abort(txn);
    buffer_release(&key);
    return status == STATUS_OK;
}

Test(intent_fold, counts_only_when_it_is_whole)
{
    struct intent_writer *writer;

    OK(intent_writer_open(&writer, two->store, &err));
    OK(intent_writer_add(writer, &items[1].item, &err));
    intent_writer_close(writer);
    cr_expect_not(has("intent"));
    cr_expect_eq(intent_fold(two->store, NULL, NULL, 0, &err), STATUS_NOT_FOUND);
    write_intent(&(struct intent){.counter = 8}, NULL);
    cr_expect(has("intent"));
    cr_expect_eq(meta(META_SEEN), 7);
    OK(intent_drop(two->store, &err));
    cr_expect_not(has("intent"));
}

Test(intent_fold, carries_the_plan_into_what_is_held_and_the_position)
{
    struct meta_update update = {META_SCHEMA_VERSION, 77};
    uint64_t from = log_last(two);
    struct intent intent;

    put(1, "x");
    put(2, "y");
    log_carry(one, two, 0);
    intent = range_of(from, from + 2);
    intent.max_stamp_us = one->now_us + 5;
    write_intent(&intent, NULL);
    cr_expect_str_eq(log_holding(two, 1), "nothing");
    OK(intent_fold(two->store, NULL, &update, 1, &err));
    cr_expect_str_eq(log_holding(two, 1), "a=x b=");
    cr_expect_not(has("held"));
    cr_expect_not(has("intent"));
    cr_expect_eq(meta(META_APPLIED), from + 2);
    cr_expect_eq(meta(META_CLOCK), one->now_us + 5);
    cr_expect_eq(meta(META_SCHEMA_VERSION), 77);
}

Test(intent_fold, keeps_what_was_written_where_a_later_entry_waits)
{
    uint64_t from = log_last(two);
    struct intent intent = range_of(from, from + 1);

    put(1, "x");
    put(1, "later");
    log_carry(one, two, 0);
    write_intent(&intent, NULL);
    OK(intent_fold(two->store, NULL, NULL, 0, &err));
    cr_expect_str_eq(log_holding(two, 1), "a=x b=");
    cr_expect_str_eq(log_winner(two, 1), "a=later b=");
    intent = range_of(from + 1, from + 2);
    write_intent(&intent, NULL);
    OK(intent_fold(two->store, NULL, NULL, 0, &err));
    cr_expect_not(has("held"));
}

/* One change of row 1 and an item about it, folded twice: the second time as after a
 * crash that lost the removal. */
static void fold_item(struct intent_item *item)
{
    uint64_t from = log_last(two);
    struct intent intent = range_of(from, from + 1);
    struct buffer key = {0};

    put(1, "x");
    log_carry(one, two, 0);
    item_key(&key, 1);
    item->table = 1;
    item->key = buffer_view(&key);
    for (int i = 0; i < 2; i++) {
        write_intent(&intent, item);
        OK(intent_fold(two->store, NULL, NULL, 0, &err));
    }
    buffer_release(&key);
}

Test(intent_fold, a_parked_row_is_held_as_absent)
{
    struct intent_item item = {
        .kind = INTENT_PARKED, .parked = {.kind = PARKED_UNIQUE, .born = {1, 2, 3, 4}}
    };

    fold_item(&item);
    cr_expect(has("parked"));
    cr_expect(has("held"));
    cr_expect_str_eq(log_holding(two, 1), "deleted");
    put(1, "y");
    log_carry(one, two, 0);
    item = (struct intent_item){.kind = INTENT_SHOWN};
    fold_item(&item);
    cr_expect_not(has("parked"));
    cr_expect_not(has("held"));
}

Test(intent_fold, what_a_row_was_when_it_was_parked_stays_while_it_is_parked)
{
    struct intent_item item = {
        .kind = INTENT_PARKED,
        .parked = {.kind = PARKED_UNIQUE,
                   .shown = TEXT("as shown"),
                   .shown_origin = 9,
                   .shown_definition = 5}
    };
    struct buffer key = {0};
    struct store_txn *txn;
    struct parked parked;

    fold_item(&item);
    item.parked = (struct parked){.kind = PARKED_PARENT_OUTER};
    fold_item(&item);
    item_key(&key, 1);
    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(parked_get(txn, 1, buffer_view(&key), &parked, &err));
    cr_expect_eq(parked.kind, PARKED_PARENT_OUTER);
    cr_expect(bytes_equal(parked.shown, bytes_of_text("as shown")));
    cr_expect_eq(parked.shown_origin, 9);
    cr_expect_eq(parked.shown_definition, 5);
    store_abort(txn);
    buffer_release(&key);
}

/* Parked before the batch, it is not freed by a change that it has won over. */
Test(intent_fold, a_local_row_stays_parked)
{
    uint64_t from = log_last(two);
    struct intent intent = range_of(from, from + 2);
    struct parked parked = {.kind = PARKED_UNIQUE};
    struct buffer key = {0};
    struct store_txn *txn;

    put(1, "x");
    log_carry(one, two, 0);
    two->now_us = one->now_us + 1000000;
    (void)log_write(two, 1, "local", NULL);
    item_key(&key, 1);
    parked.key = buffer_view(&key);
    OK(store_begin(two->store, TXN_WRITE, &txn, &err));
    OK(parked_put(txn, 1, &parked, &err));
    OK(store_commit(txn, &err));
    write_intent(&intent, NULL);
    OK(intent_fold(two->store, NULL, NULL, 0, &err));
    cr_expect(has("parked"));
    buffer_release(&key);
}

Test(intent_fold, a_quarantined_row_stays_held_as_it_was)
{
    struct intent_item item = {.kind = INTENT_QUARANTINED,
                               .quarantined = {.version = {1, 2, 3, 4}}};

    put(1, "old");
    log_carry(one, two, 0);
    log_take_all(two);
    fold_item(&item);
    cr_expect(has("quarantine"));
    cr_expect_str_eq(log_holding(two, 1), "a=old b=");
    item.absent = true;
    fold_item(&item);
    cr_expect_str_eq(log_holding(two, 1), "nothing");
    item = (struct intent_item){.kind = INTENT_SHOWN};
    fold_item(&item);
    cr_expect_not(has("quarantine"));
    cr_expect_str_eq(log_holding(two, 1), "a=x b=");
}

Test(intent_fold, a_kept_image_is_held_under_the_own_definition)
{
    struct buffer image = {0};
    struct intent_item item = {.kind = INTENT_KEPT, .definition = 1};

    item_image(&image, 1, "x", "mine");
    item.image = buffer_view(&image);
    fold_item(&item);
    cr_expect_str_eq(log_holding(two, 1), "a=x b=mine");
    buffer_release(&image);
}

Test(intent_fold, a_repair_lets_every_row_without_an_item_be_its_winner)
{
    struct intent intent = {.repair = true, .counter = 8};

    put(1, "x");
    put(2, "y");
    log_carry(one, two, 0);
    intent.to = log_last(two);
    intent.from = intent.to;
    write_intent(&intent, NULL);
    OK(intent_fold(two->store, NULL, NULL, 0, &err));
    cr_expect_str_eq(log_holding(two, 1), "a=x b=");
    cr_expect_str_eq(log_holding(two, 2), "a=y b=");
    cr_expect_eq(meta(META_APPLIED), log_last(two));
}

Test(intent_fold, leaves_tables_that_take_nothing_and_remembers_them)
{
    static const uint8_t table[] = {0, 0, 0, 1};
    uint64_t from = log_last(two);
    struct intent intent;
    struct store_txn *txn;
    struct bytes known;

    put(1, "x");
    log_carry(one, two, 0);
    for (int repair = 0; repair <= 1; repair++) {
        intent = range_of(from, from + 1);
        intent.repair = repair != 0;
        intent.out = (struct bytes){table, sizeof table};
        write_intent(&intent, NULL);
        OK(intent_fold(two->store, NULL, NULL, 0, &err));
        cr_expect_str_eq(log_holding(two, 1), "nothing");
        cr_expect_eq(meta(META_APPLIED), from + 1);
        OK(store_begin(two->store, TXN_READ, &txn, &err));
        OK(meta_get_bytes(txn, META_OUT, &known, &err));
        cr_expect(bytes_equal(known, intent.out));
        store_abort(txn);
    }
    intent = range_of(from, from + 1);
    write_intent(&intent, NULL);
    OK(intent_fold(two->store, NULL, NULL, 0, &err));
    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(meta_get_bytes(txn, META_OUT, &known, &err));
    cr_expect_eq(known.size, 0);
    store_abort(txn);
}

/* More rows than one transaction takes, and more bytes. */
Test(intent_fold, goes_in_steps_over_many_rows_and_items)
{
    enum { ROWS = 2 * STEP_CHANGES + 100 };
    struct intent_writer *writer;
    struct intent intent = {.counter = 8};
    struct store_txn *txn;
    uint64_t count;

    OK(intent_writer_open(&writer, two->store, &err));
    for (int64_t id = 1; id <= ROWS; id++) {
        struct buffer key = {0};

        item_key(&key, id);
        OK(intent_writer_add(writer,
                             &(struct intent_item){.kind = INTENT_PARKED,
                                                   .table = 1,
                                                   .key = buffer_view(&key),
                                                   .parked = {.kind = PARKED_UNIQUE}},
                             &err));
        buffer_release(&key);
    }
    OK(intent_writer_end(writer, &intent, &err));
    intent_writer_close(writer);
    OK(intent_fold(two->store, NULL, NULL, 0, &err));
    OK(store_begin(two->store, TXN_READ, &txn, &err));
    OK(parked_count(txn, &count, &err));
    store_abort(txn);
    cr_expect_eq(count, ROWS);
}
