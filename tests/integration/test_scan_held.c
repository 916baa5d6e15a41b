/* A scan compares with what the store says the database holds, which need not be the row
 * index's winner. */
#include "log/image.h"
#include "tests/support/scan_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct scan_node node;
static struct error err;

static void tear_down(void)
{
    scan_node_close(&node);
}

TestSuite(scan_held, .fini = tear_down);

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

/* The table of every test: t (i, price, note), table 1, with row 1. */
static void open_node(void)
{
    scan_node_open(&node,
                   "CREATE TABLE t (i INTEGER PRIMARY KEY, price DECIMAL(9, 2), note);"
                   "INSERT INTO t VALUES (1, 1.5, 'a')");
}

static struct value integer(int64_t number)
{
    return (struct value){.type = VALUE_INTEGER, .integer = number};
}

static struct value text(enum value_type type, const char *bytes)
{
    return (struct value){
        .type = type, .typed = FLEET_NUMERIC, .bytes = bytes_of_text(bytes)};
}

/* Say that the database holds this of row 1: NULL for nothing. */
static void hold(const struct value *values)
{
    struct buffer key = {0};
    struct buffer image = {0};
    struct store_txn *txn;
    struct table table;
    struct row row;

    OK(store_begin(node.store, TXN_WRITE, &txn, &err));
    OK(tables_newest(txn, node.identity.node, 1, &table, &err));
    OK(row_key_put(&key, &(struct value){.type = VALUE_INTEGER, .integer = 1}, &err));
    OK(rows_get(txn, 1, buffer_view(&key), &row, &err));
    row.live = values != NULL;
    if (values != NULL)
        image_encode(&image, values, table.definition);
    row.image = buffer_view(&image);
    if (values == NULL) {
        row.born = (struct version){0};
        row.version = (struct version){0};
        row.winner = (struct place){0};
    }
    OK(held_put(txn, 1, &row, &err));
    OK(store_commit(txn, &err));
    buffer_release(&key);
    buffer_release(&image);
}

static void park(void)
{
    struct buffer key = {0};
    struct parked parked = {.kind = PARKED_UNIQUE};
    struct store_txn *txn;

    OK(row_key_put(&key, &(struct value){.type = VALUE_INTEGER, .integer = 1}, &err));
    parked.key = buffer_view(&key);
    OK(store_begin(node.store, TXN_WRITE, &txn, &err));
    OK(parked_put(txn, 1, &parked, &err));
    OK(store_commit(txn, &err));
    buffer_release(&key);
}

Test(scan_held, a_value_that_is_carried_and_not_changed_stays_as_it_was)
{
    const struct value values[] = {integer(1), text(VALUE_TYPED, "1.50"),
                                   text(VALUE_TEXT, "a")};

    open_node();
    hold(values);
    scan_node_restart(&node);
    cr_expect_eq(scan_capture(&node), 0);
    scan_write(&node, "UPDATE t SET note = 'b'");
    scan_expect(&node, "update t(1): 1,t'1.50','b' was 2='a'");
    scan_write(&node, "UPDATE t SET price = 1.6");
    scan_expect(&node, "update t(1): 1,1.6000000000000001r,'b' was 1=t'1.50'");
}

Test(scan_held, the_held_image_is_compared_and_not_the_winner)
{
    const struct value values[] = {integer(1), integer(7), text(VALUE_TEXT, "held")};

    open_node();
    hold(values);
    scan_write(&node, "UPDATE t SET price = 7, note = 'held'");
    cr_expect_eq(scan_capture(&node), 0);
    scan_write(&node, "UPDATE t SET note = 'mine'");
    scan_expect(&node, "update t(1): 1,7,'mine' was 2='held'");
}

Test(scan_held, a_row_held_as_absent_is_no_delete)
{
    open_node();
    hold(NULL);
    scan_write(&node, "DELETE FROM t");
    cr_expect_eq(scan_capture(&node), 0);
}

Test(scan_held, a_local_insert_over_a_parked_row_is_a_new_life_that_has_not_seen_it)
{
    char changes[128];

    open_node();
    hold(NULL);
    park();
    scan_write(&node, "DELETE FROM t; INSERT INTO t VALUES (1, 2, 'new')");
    (void)snprintf(changes, sizeof changes, "insert t(1): 1,2,'new' unseen %llx.3",
                   (unsigned long long)node.identity.node);
    scan_expect(&node, changes);
}

Test(scan_held, a_local_delete_of_a_quarantined_row_has_not_seen_it)
{
    const struct value values[] = {integer(1), integer(7), text(VALUE_TEXT, "old")};
    struct quarantined row = {.message = bytes_of_text("refused")};
    struct buffer key = {0};
    struct store_txn *txn;
    char changes[128];

    open_node();
    hold(values);
    OK(row_key_put(&key, &values[0], &err));
    row.key = buffer_view(&key);
    OK(store_begin(node.store, TXN_WRITE, &txn, &err));
    OK(quarantine_put(txn, 1, &row, &err));
    OK(store_commit(txn, &err));
    scan_write(&node, "DELETE FROM t");
    (void)snprintf(changes, sizeof changes,
                   "delete t(1) was 0=key,1=7,2='old' unseen %llx.3",
                   (unsigned long long)node.identity.node);
    scan_expect(&node, changes);
    buffer_release(&key);
}
