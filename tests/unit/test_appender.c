#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

static struct log_fixture fixture;
static struct log_node *a, *b;
static struct error err;

enum { MANY = 12000 }; /* three parts by count */

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

TestSuite(appender, .init = set_up, .fini = tear_down);

/* Add inserts of the rows from first on, without ending the entry. */
static void add_rows(struct appender *appender, int64_t first, int64_t count,
                     const char *text)
{
    struct buffer key = {0}, image = {0};

    for (int64_t id = first; id < first + count; id++) {
        struct change change = {.op = CHANGE_INSERT, .definition = 1};

        buffer_clear(&key);
        buffer_clear(&image);
        item_key(&key, id);
        item_image(&image, id, text, "");
        change.key = buffer_view(&key);
        change.image = buffer_view(&image);
        cr_assert_eq(appender_add_change(appender, &change, &err), STATUS_OK, "%s",
                     err.text);
    }
    buffer_release(&key);
    buffer_release(&image);
}

static struct appender *open_appender(struct log_node *node)
{
    struct appender *appender;

    cr_assert_eq(appender_open(&appender, node->store, APPENDER_CAPTURE, &err), STATUS_OK,
                 "%s", err.text);
    return appender;
}

static void end_and_close(struct appender *appender)
{
    uint64_t seq;

    cr_assert_eq(appender_end_local(
                     appender, &(struct local_entry){.kind = ENTRY_CHANGES}, &seq, &err),
                 STATUS_OK, "%s", err.text);
    cr_assert_eq(appender_commit(appender, &err), STATUS_OK, "%s", err.text);
    appender_close(appender);
}

static uint64_t part_count(struct log_node *node)
{
    struct store_txn *txn;
    uint64_t run;

    cr_assert_eq(store_begin(node->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(meta_get(txn, META_NEXT_RUN, &run, &err), STATUS_OK);
    store_abort(txn);
    return run;
}

Test(appender, numbers_entries_from_1_without_gaps)
{
    cr_expect_eq(log_last(a), 2); /* member, definition */
    cr_expect_eq(log_write(a, 1, "x", ""), 3);
    cr_expect_eq(log_write(a, 1, "y", ""), 4);
    log_node_reopen(a);
    cr_expect_eq(log_write(a, 1, "z", ""), 5);
}

Test(appender, a_large_entry_is_merged_whole_and_reads_like_a_small_one)
{
    struct appender *appender = open_appender(a);
    struct change_cursor *cursor;
    struct log_change change;
    struct store_txn *txn;
    uint32_t count = 0;

    add_rows(appender, 1, MANY, "large");
    end_and_close(appender);
    cr_expect_eq(log_last(a), 3);
    cr_expect_eq(part_count(a), 2, "written in parts");
    cr_expect_str_eq(log_winner(a, MANY), "a=large b=");
    cr_assert_eq(store_begin(a->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(change_cursor_open(&cursor, txn, &err), STATUS_OK);
    cr_assert_eq(change_cursor_start(cursor, 3, 0, &err), STATUS_OK);
    while (change_cursor_next(cursor, &change, &err) == STATUS_OK)
        cr_assert_eq(change.index, count++);
    cr_expect_eq(count, MANY);
    cr_assert_eq(log_change_at(txn, (struct place){3, 7777}, &change, &err), STATUS_OK);
    cr_expect_eq(change.index, 7777);
    change_cursor_close(cursor);
    store_abort(txn);
    log_carry(a, b, 0);
    cr_expect_str_eq(log_winner(b, MANY), "a=large b=");
}

Test(appender, what_was_not_ended_is_dropped_by_the_next_owner)
{
    struct appender *appender = open_appender(a);

    add_rows(appender, 1, MANY, "never");
    appender_close(appender);
    cr_expect_eq(log_last(a), 2);
    appender = open_appender(a);
    add_rows(appender, 1, 1, "kept");
    end_and_close(appender);
    cr_expect_eq(log_last(a), 3);
    cr_expect_str_eq(log_winner(a, 1), "a=kept b=");
    cr_expect_str_eq(log_winner(a, 2), "nothing");
}

Test(appender, a_row_changed_twice_in_one_entry_ends_with_the_later_change)
{
    struct appender *appender = open_appender(a);

    add_rows(appender, 1, 1, "first");
    add_rows(appender, 1, 1, "second");
    end_and_close(appender);
    cr_expect_str_eq(log_winner(a, 1), "a=second b=");
    log_write(b, 1, "other", "");
    log_carry(a, b, 0);
    cr_expect_eq(log_conflicts(b), 2, "both lost, or beat, the other's");
}

Test(appender, refuses_an_import_whose_body_is_not_the_headers)
{
    struct appender *appender;
    struct log_entry entry;
    struct store_txn *txn;
    uint64_t seq;

    cr_assert_eq(store_begin(a->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(log_get(txn, 1, &entry, &err), STATUS_OK);
    cr_assert_eq(appender_open(&appender, b->store, APPENDER_IMPORT, &err), STATUS_OK);
    cr_assert_eq(appender_add_items(appender, entry.body, &err), STATUS_OK);
    entry.hash[5] ^= 1;
    cr_expect_eq(
        appender_end_import(appender, entry.header_bytes, entry.hash, &seq, &err),
        STATUS_REFUSED);
    appender_close(appender);
    store_abort(txn);
    cr_expect_eq(log_last(b), 2);
}

Test(appender, the_chain_binds_each_entry_to_the_one_before)
{
    struct log_entry first, second;
    struct origin_head head;
    struct store_txn *txn;

    log_write(a, 1, "x", "");
    cr_assert_eq(store_begin(a->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(log_get(txn, 2, &first, &err), STATUS_OK);
    cr_assert_eq(log_get(txn, 3, &second, &err), STATUS_OK);
    cr_assert_eq(log_head(txn, 1, &head, &err), STATUS_OK);
    cr_expect_eq(head.seq, 3);
    cr_expect_arr_eq(head.hash, second.hash, HASH_SIZE);
    cr_expect_neq(memcmp(first.hash, second.hash, HASH_SIZE), 0);
    store_abort(txn);
}

/* Add rows until one can not be added: the store's file may grow by so many bytes. */
static enum status add_without_room(struct appender *appender, rlim_t room)
{
    struct buffer key = {0}, image = {0};
    enum status status = STATUS_OK;
    struct rlimit limit, low;
    struct stat file;
    char path[256];

    (void)snprintf(path, sizeof path, "%s/data.mdb", a->folder);
    cr_assert_eq(stat(path, &file), 0);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    low = limit;
    low.rlim_cur = (rlim_t)file.st_size + room;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    for (int64_t id = 1; id <= MANY && status == STATUS_OK; id++) {
        struct change change = {.op = CHANGE_INSERT, .definition = 1};

        buffer_clear(&key);
        buffer_clear(&image);
        item_key(&key, id);
        item_image(&image, id, "never", "");
        change.key = buffer_view(&key);
        change.image = buffer_view(&image);
        status = appender_add_change(appender, &change, &err);
    }
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    buffer_release(&key);
    buffer_release(&image);
    return status;
}

Test(appender, what_finds_no_room_is_dropped)
{
    struct appender *appender = open_appender(a);

    cr_expect_eq(add_without_room(appender, 0), STATUS_FULL, "%s", err.text);
    appender_close(appender);
    appender = open_appender(a);
    cr_expect_eq(add_without_room(appender, 4096), STATUS_IO, "%s", err.text);
    appender_close(appender);
    cr_expect_eq(log_last(a), 2);
    appender = open_appender(a);
    add_rows(appender, 1, MANY, "kept");
    end_and_close(appender);
    cr_expect_str_eq(log_winner(a, MANY), "a=kept b=");
}

static void end_entry(struct appender *appender)
{
    uint64_t seq;

    cr_assert_eq(appender_end_local(
                     appender, &(struct local_entry){.kind = ENTRY_CHANGES}, &seq, &err),
                 STATUS_OK, "%s", err.text);
}

Test(appender, counts_what_is_durable)
{
    struct appender *appender = open_appender(a);
    struct rlimit limit, low;

    add_rows(appender, 1, 3, "kept");
    end_entry(appender);
    cr_expect_eq(appender_counts(appender).entries, 0);
    cr_assert_eq(appender_commit(appender, &err), STATUS_OK, "%s", err.text);
    add_rows(appender, 4, 2, "never");
    end_entry(appender);
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    low = limit;
    low.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
    cr_expect_eq(appender_commit(appender, &err), STATUS_FULL, "%s", err.text);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(appender_counts(appender).entries, 1);
    cr_expect_eq(appender_counts(appender).changes, 3);
    appender_close(appender);
}
