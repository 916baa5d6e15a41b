#include "capture/pending.h"
#include "capture/pending_rows.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGE_SIZE = 1024, MORE_THAN_MEMORY = PENDING_ROWS_BYTES_MAX / IMAGE_SIZE + 100 };

static struct table table = {.id = 7};
static struct pending *pending;
static struct error err;
static uint8_t key_bytes[4];
static uint8_t image_bytes[IMAGE_SIZE];

#define OK(call) cr_assert_eq((call), STATUS_OK, "%s", err.text)

static void set_up(void)
{
    OK(pending_open(&pending, 3, &err));
}

static void tear_down(void)
{
    pending_close(pending);
}

TestSuite(pending, .init = set_up, .fini = tear_down);

static struct bytes key_of(uint32_t id)
{
    bytes_put(key_bytes, id, 4);
    return (struct bytes){key_bytes, 4};
}

static void put(uint32_t id, uint8_t content)
{
    struct change change = {
        .op = CHANGE_UPDATE,
        .definition = 5,
        .key = key_of(id),
        .has_born = true,
        .born = {1,  2, id + 1, 4},
        .image = {image_bytes, sizeof image_bytes },
    };

    memset(image_bytes, content, sizeof image_bytes);
    OK(pending_put(pending, &table, &change, &err));
}

static void put_gone(uint32_t id)
{
    struct change change = {.op = CHANGE_DELETE, .definition = 5, .key = key_of(id)};

    OK(pending_put(pending, &table, &change, &err));
}

static void expect_row(uint32_t id, uint8_t content)
{
    struct row row;

    OK(pending_get(pending, table.id, key_of(id), &row, &err));
    cr_assert(row.live, "row %u", id);
    cr_expect_eq(row.definition_origin, 3);
    cr_expect_eq(row.definition, 5);
    cr_expect_eq(row.born.origin_seq, id + 1);
    cr_assert_eq(row.image.size, IMAGE_SIZE);
    cr_expect_eq(row.image.data[0], content, "row %u", id);
    cr_expect_eq(row.image.data[IMAGE_SIZE - 1], content, "row %u", id);
}

static void expect_nothing(uint32_t table_id, uint32_t id)
{
    struct row row;

    cr_expect_eq(pending_get(pending, table_id, key_of(id), &row, &err), STATUS_NOT_FOUND,
                 "row %u", id);
}

static void expect_gone(uint32_t id)
{
    struct row row;

    OK(pending_get(pending, table.id, key_of(id), &row, &err));
    cr_expect_not(row.live, "row %u", id);
}

Test(pending, a_row_is_as_its_last_change_left_it)
{
    expect_nothing(7, 1);
    put(1, 'a');
    put(2, 'b');
    put(1, 'c');
    put_gone(3);
    put(4, 'd');
    put_gone(4);
    expect_row(1, 'c');
    expect_row(2, 'b');
    expect_gone(3);
    expect_gone(4);
    expect_nothing(7, 5);
    expect_nothing(8, 1);
}

/* The rows that are in memory at each time overtake those that had no room in it. */
Test(pending, rows_are_found_when_there_are_more_than_memory_has_room_for)
{
    for (uint32_t id = 0; id < MORE_THAN_MEMORY; id++)
        put(id, 'a');
    put(0, 'b');
    put_gone(1);
    expect_row(0, 'b');
    expect_gone(1);
    for (uint32_t id = 2; id < MORE_THAN_MEMORY; id++)
        expect_row(id, 'a');
    for (uint32_t id = MORE_THAN_MEMORY; id < 2 * MORE_THAN_MEMORY; id++)
        put(id, 'c');
    expect_row(0, 'b');
    expect_gone(1);
    expect_nothing(7, 2 * MORE_THAN_MEMORY);
}

Test(pending, a_row_may_be_larger_than_memory_has_room_for)
{
    struct change change = {.op = CHANGE_INSERT, .definition = 5, .key = key_of(1)};
    uint8_t *large = calloc(1, PENDING_ROWS_BYTES_MAX);
    struct row row;

    put(1, 'a');
    put(2, 'b');
    cr_assert_not_null(large);
    change.key = key_of(1);
    change.image = (struct bytes){large, PENDING_ROWS_BYTES_MAX};
    OK(pending_put(pending, &table, &change, &err));
    OK(pending_get(pending, table.id, key_of(1), &row, &err));
    cr_expect_eq(row.image.size, (size_t)PENDING_ROWS_BYTES_MAX);
    expect_row(2, 'b');
    put(1, 'c');
    expect_row(1, 'c');
    free(large);
}

static uint32_t next_after(uint32_t id)
{
    struct bytes after = id == 0 ? (struct bytes){NULL, 0} : key_of(id), key;
    enum status status = pending_next(pending, table.id, after, &key, &err);

    if (status == STATUS_NOT_FOUND)
        return 0;
    OK(status);
    cr_assert_eq(key.size, 4);
    return (uint32_t)bytes_get(key.data, 4);
}

Test(pending, keys_are_walked_in_their_order_while_rows_go)
{
    cr_expect_eq(next_after(0), 0);
    put(300, 'a');
    put(2, 'a');
    put_gone(4);
    put(5, 'a');
    cr_expect_eq(next_after(0), 2);
    put_gone(2);
    cr_expect_eq(next_after(2), 5);
    put_gone(5);
    cr_expect_eq(next_after(5), 300);
    put_gone(300);
    cr_expect_eq(next_after(300), 0);
    cr_expect_eq(next_after(0), 0);
}

Test(pending, an_entry_knows_nothing_of_the_one_before)
{
    for (uint32_t id = 0; id < MORE_THAN_MEMORY; id++)
        put(id, 'a');
    OK(pending_clear(pending, &err));
    for (uint32_t id = 0; id < MORE_THAN_MEMORY; id++)
        expect_nothing(7, id);
    cr_expect_eq(next_after(0), 0);
    for (uint32_t round = 0; round < 100; round++) {
        put(round, 'b');
        expect_row(round, 'b');
        OK(pending_clear(pending, &err));
        expect_nothing(7, round);
    }
}
