/* A store without a database, and an engine that stores every value as it is: what is
 * left of capture is the layer. */
#include "capture/row_layer.h"

#include "log/tables.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct log_fixture fixture;
static struct log_node *node;
static struct row_layer *layer;
static struct layer_run run;
static struct error err;

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

static bool keeps(const struct stored *stored, uint32_t place, enum value_type type)
{
    (void)stored, (void)place, (void)type;
    return true;
}

static enum status value(struct stored *stored, uint32_t place, const struct value *given,
                         struct value *out, struct error *error)
{
    (void)stored, (void)place, (void)error;
    *out = *given;
    return STATUS_OK;
}

static enum status default_value(struct stored *stored, uint32_t place, struct value *out,
                                 struct error *error)
{
    (void)stored, (void)place, (void)out, (void)error;
    return STATUS_NOT_FOUND;
}

static void close_stored(struct stored *stored)
{
    (void)stored;
}

static const struct stored_ops plain_ops = {keeps, value, default_value, close_stored};
static struct stored plain = {&plain_ops};

static void set_up(void)
{
    struct row_comparer *comparer;
    struct store_txn *txn;
    struct table table;

    log_fixture_open(&fixture, 1);
    node = &fixture.nodes[0];
    OK(appender_open(&run.appender, node->store, APPENDER_CAPTURE, &err));
    OK(appender_txn(run.appender, &txn, &err));
    OK(tables_find(txn, 1, 1, &table, &err));
    OK(row_comparer_open(&comparer, &plain, table.definition, &err));
    OK(row_layer_open(&layer, comparer, txn, &table, &err));
}

static void tear_down(void)
{
    row_layer_close(layer);
    pending_close(run.pending);
    appender_close(run.appender);
    layer_run_release(&run);
    log_fixture_close(&fixture);
}

TestSuite(row_layer, .init = set_up, .fini = tear_down);

/* NULL: the source does not tell. */
static void say(int64_t id, const char *a, const char *b)
{
    const char *texts[] = {a, b};
    struct value *values = row_layer_values(layer);

    values[0] = (struct value){.type = VALUE_INTEGER, .integer = id};
    for (size_t i = 0; i < 2; i++) {
        values[i + 1] = (struct value){.type = VALUE_ABSENT};
        if (texts[i] != NULL)
            values[i + 1] =
                (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text(texts[i])};
    }
}

static void put(int64_t id, const char *a, const char *b)
{
    bool held;

    say(id, a, b);
    OK(row_layer_put(layer, &run, &held, &err));
}

static void remove_row(int64_t id)
{
    say(id, NULL, NULL);
    OK(row_layer_delete(layer, &run, &err));
}

/* Returns how many changes the entry has. */
static uint32_t end_entry(void)
{
    struct local_entry entry = {.kind = ENTRY_CHANGES};
    uint32_t count = appender_item_count(run.appender);
    uint64_t seq;

    if (count > 0)
        OK(appender_end_local(run.appender, &entry, &seq, &err));
    OK(appender_commit(run.appender, &err));
    return count;
}

Test(row_layer, only_what_differs_becomes_a_change)
{
    put(1, "x", "y");
    put(2, "x", "y");
    cr_expect_eq(end_entry(), 2);
    put(1, "x", "y");
    put(2, "z", "y");
    cr_expect_eq(end_entry(), 1);
    cr_expect_str_eq(log_winner(node, 2), "a=z b=y");
    remove_row(1);
    remove_row(3);
    cr_expect_eq(end_entry(), 1);
    cr_expect_str_eq(log_winner(node, 1), "deleted");
}

Test(row_layer, a_value_that_is_not_told_is_what_it_was)
{
    bool held = true;

    put(1, "x", "long");
    (void)end_entry();
    put(1, "z", NULL);
    cr_expect_eq(end_entry(), 1);
    cr_expect_str_eq(log_winner(node, 1), "a=z b=long");
    say(2, "z", NULL);
    cr_expect_eq(row_layer_put(layer, &run, &held, &err), STATUS_NOT_FOUND);
    cr_expect_not(held);
    cr_expect_eq(end_entry(), 0);
}

static enum status only_2_is_there(void *data, struct bytes key, bool *there,
                                   struct error *error)
{
    struct buffer two = {0};

    (void)data, (void)error;
    item_key(&two, 2);
    *there = bytes_equal(key, buffer_view(&two));
    buffer_release(&two);
    return STATUS_OK;
}

Test(row_layer, rows_that_are_gone_are_deleted)
{
    uint64_t count = 0;

    for (int64_t id = 1; id <= 3; id++)
        put(id, "x", "y");
    (void)end_entry();
    OK(row_layer_count(layer, &run, &count, &err));
    cr_expect_eq(count, 3);
    OK(row_layer_gone(layer, &run, only_2_is_there, NULL, &err));
    cr_expect_eq(end_entry(), 2);
    cr_expect_str_eq(log_winner(node, 1), "deleted");
    cr_expect_str_eq(log_winner(node, 2), "a=x b=y");
}

Test(row_layer, a_truncate_takes_what_its_own_transaction_made_too)
{
    for (int64_t id = 1; id <= 3; id++)
        put(id, "x", "y");
    (void)end_entry();
    OK(pending_open(&run.pending, 1, &err));
    put(1, "z", "y");
    remove_row(2);
    put(4, "x", "y");
    OK(row_layer_gone(layer, &run, NULL, NULL, &err));
    cr_expect_eq(end_entry(), 6, "each row is deleted once");
    for (int64_t id = 1; id <= 4; id++)
        cr_expect_str_eq(log_winner(node, id), "deleted", "row %d", (int)id);
    OK(pending_clear(run.pending, &err));
    put(5, "x", "y");
    OK(row_layer_gone(layer, &run, NULL, NULL, &err));
    cr_expect_eq(end_entry(), 2);
    cr_expect_str_eq(log_winner(node, 5), "deleted");
}
