#include "log/buffer.h"
#include "tests/support/failing_memory.h"

#include <criterion/criterion.h>
#include <string.h>

static struct buffer buffer;
static struct error err;

static void set_up(void)
{
    buffer_init(&buffer);
}

static void tear_down(void)
{
    buffer_release(&buffer);
}

TestSuite(buffer, .init = set_up, .fini = tear_down);

Test(buffer, puts_follow_each_other)
{
    static const uint8_t golden[] = {0, 7, 0xac, 0x02, 'a', 'b', 1, 'c'};

    buffer_put(&buffer, 7, 2);
    buffer_put_varint(&buffer, 300);
    buffer_put_bytes(&buffer, bytes_of_text("ab"));
    buffer_put_bytes(&buffer, (struct bytes){NULL, 0});
    buffer_put_sized(&buffer, bytes_of_text("c"));
    cr_assert_eq(buffer_check(&buffer, &err), STATUS_OK);
    cr_assert_eq(buffer.size, sizeof golden);
    cr_expect_arr_eq(buffer.data, golden, sizeof golden);
}

Test(buffer, grows_and_keeps_what_it_has)
{
    for (uint64_t i = 0; i < 10000; i++)
        buffer_put(&buffer, i, 4);
    cr_assert_eq(buffer.size, 40000);
    for (uint64_t i = 0; i < 10000; i++)
        cr_assert_eq(bytes_get(buffer.data + i * 4, 4), i);
}

Test(buffer, cut_and_clear_keep_the_memory)
{
    size_t capacity;

    buffer_put_bytes(&buffer, bytes_of_text("abcdef"));
    capacity = buffer.capacity;
    buffer_cut(&buffer, 2);
    cr_expect(bytes_equal(buffer_view(&buffer), bytes_of_text("ab")));
    buffer_clear(&buffer);
    cr_expect_eq(buffer.size, 0);
    cr_expect_eq(buffer.capacity, capacity);
}

Test(buffer, reserved_bytes_count_when_the_caller_says)
{
    uint8_t *room = buffer_reserve(&buffer, 3);

    cr_assert_not_null(room);
    memset(room, 'a', 3);
    cr_expect_eq(buffer.size, 0);
    buffer.size += 2;
    cr_expect(bytes_equal(buffer_view(&buffer), bytes_of_text("aa")));
    cr_expect_not_null(buffer_reserve(&buffer, 0));
}

Test(buffer, no_memory_sticks_until_the_clear)
{
    buffer_put(&buffer, 1, 1);
    failing_memory_start(0);
    cr_expect_null(buffer_reserve(&buffer, 1000));
    buffer_put(&buffer, 2, 1); /* there would be room for this one */
    failing_memory_stop();
    buffer_put(&buffer, 3, 1);
    cr_expect_eq(buffer_check(&buffer, &err), STATUS_NO_MEMORY);
    cr_expect_eq(buffer.size, 1);
    buffer_clear(&buffer);
    buffer_put(&buffer, 4, 1);
    cr_expect_eq(buffer_check(&buffer, &err), STATUS_OK);
    cr_expect_eq(buffer.data[0], 4);
}

Test(buffer, impossible_size_is_no_memory)
{
    buffer_put(&buffer, 1, 1);
    cr_expect_null(buffer_reserve(&buffer, SIZE_MAX));
    cr_expect_eq(buffer_check(&buffer, &err), STATUS_NO_MEMORY);
}
