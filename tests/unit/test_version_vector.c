#include "log/version_vector.h"
#include "tests/support/failing_memory.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

#define VIEW(array) ((struct bytes){array, sizeof(array)})

static struct version_vector a;
static struct version_vector b;
static struct version_vector c;
static struct error err;

static void set_up(void)
{
    version_vector_init(&a);
    version_vector_init(&b);
    version_vector_init(&c);
}

static void tear_down(void)
{
    version_vector_release(&a);
    version_vector_release(&b);
    version_vector_release(&c);
}

TestSuite(version_vector, .init = set_up, .fini = tear_down);

static void set(struct version_vector *vector, uint64_t origin, uint64_t seq)
{
    cr_assert_eq(version_vector_set(vector, origin, seq, &err), STATUS_OK, "%s",
                 err.text);
}

static enum status recode(struct bytes in, struct buffer *out, struct error *reason)
{
    struct version_vector vector;
    enum status status;

    version_vector_init(&vector);
    status = version_vector_take(&in, &vector, reason);
    if (status == STATUS_OK && in.size > 0)
        status = error_set(reason, STATUS_CORRUPT, "something follows");
    if (status == STATUS_OK)
        version_vector_put(out, &vector);
    version_vector_release(&vector);
    return status;
}

static const uint8_t golden[] = {2, 0, 0, 0, 0, 0, 0, 0, 7, 0xac,
                                 2, 1, 2, 3, 4, 5, 6, 7, 8, 1};

Test(version_vector, encodes_to_the_golden_bytes)
{
    static const uint8_t empty[] = {0};
    struct buffer out = {0};

    set(&a, 0x0102030405060708, 1);
    set(&a, 7, 300);
    version_vector_put(&out, &a);
    cr_expect(bytes_equal(buffer_view(&out), VIEW(golden)));
    recode_expect_canonical(VIEW(golden), recode);
    recode_expect_canonical(VIEW(empty), recode);
    buffer_release(&out);
}

Test(version_vector, take_refuses_and_keeps_what_was)
{
    static const struct {
        const char *when;
        size_t size;
        uint8_t bytes[24];
    } cases[] = {
        {"nothing",                  0,  {0}                                                      },
        {"a count beyond the bytes", 10, {2, 0, 0, 0, 0, 0, 0, 0, 1, 1}                           },
        {"a count beyond the limit", 10, {0x81, 0x80, 0x04, 0, 0, 0, 0, 0, 0, 1}                  },
        {"origin 0",                 10, {1, 0, 0, 0, 0, 0, 0, 0, 0, 1}                           },
        {"seq 0",                    10, {1, 0, 0, 0, 0, 0, 0, 0, 1, 0}                           },
        {"not ascending",            19, {2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1}},
        {"twice",                    19, {2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1}},
    };

    set(&a, 9, 9);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes in = {cases[i].bytes, cases[i].size};
        struct bytes view;

        cr_expect_eq(version_vector_take(&in, &a, &err), STATUS_CORRUPT, "%s",
                     cases[i].when);
        cr_expect_not(version_vector_take_view(&in, &view), "%s", cases[i].when);
        cr_expect_eq(in.size, cases[i].size, "%s", cases[i].when);
        cr_expect_eq(version_vector_get(&a, 9), 9, "%s", cases[i].when);
    }
}

Test(version_vector, set_is_exact_and_zero_removes)
{
    set(&a, 5, 10);
    set(&a, 3, 1);
    set(&a, 9, 2);
    set(&a, 5, 4);
    cr_expect_eq(version_vector_get(&a, 5), 4);
    cr_expect_eq(version_vector_get(&a, 4), 0);
    cr_expect_eq(a.count, 3);
    cr_expect_eq(a.slots[0].origin, 3);
    set(&a, 3, 0);
    set(&a, 4, 0);
    cr_expect_eq(a.count, 2);
    cr_expect_eq(version_vector_get(&a, 3), 0);
    cr_expect_eq(version_vector_get(&a, 9), 2);
}

Test(version_vector, merge_takes_the_larger_of_each)
{
    set(&a, 1, 5);
    set(&a, 3, 5);
    set(&b, 2, 7);
    set(&b, 3, 4);
    set(&b, 4, 1);
    cr_assert_eq(version_vector_merge(&a, &b, &err), STATUS_OK);
    cr_expect_eq(a.count, 4);
    cr_expect_eq(version_vector_get(&a, 1), 5);
    cr_expect_eq(version_vector_get(&a, 2), 7);
    cr_expect_eq(version_vector_get(&a, 3), 5);
    cr_expect_eq(version_vector_get(&a, 4), 1);
    cr_assert_eq(version_vector_merge(&a, &a, &err), STATUS_OK);
    cr_expect_eq(a.count, 4);
    cr_assert_eq(version_vector_merge(&c, &a, &err), STATUS_OK);
    cr_expect(version_vector_equal(&c, &a));
}

Test(version_vector, covers_is_no_total_order)
{
    cr_expect(version_vector_covers(&a, &b), "nothing covers nothing");
    set(&a, 1, 2);
    set(&b, 2, 1);
    cr_expect_not(version_vector_covers(&a, &b));
    cr_expect_not(version_vector_covers(&b, &a));
    set(&b, 1, 2);
    cr_expect(version_vector_covers(&b, &a));
    cr_expect_not(version_vector_covers(&a, &b));
    cr_expect_not(version_vector_equal(&a, &b));
    set(&a, 2, 1);
    cr_expect(version_vector_equal(&a, &b));
}

Test(version_vector, view_answers_without_decoding)
{
    struct bytes in = VIEW(golden);
    struct bytes view;

    cr_assert(version_vector_take_view(&in, &view));
    cr_expect_eq(in.size, 0);
    cr_expect_eq(view.size, sizeof golden);
    cr_expect_eq(version_vector_view_get(view, 7), 300);
    cr_expect_eq(version_vector_view_get(view, 0x0102030405060708), 1);
    cr_expect_eq(version_vector_view_get(view, 8), 0);
    cr_expect_eq(version_vector_view_get(view, UINT64_MAX), 0);
    cr_expect_eq(version_vector_view_get((struct bytes){NULL, 0}, 7), 0);
}

/* before and what changed since give now, whatever they are. */
Test(version_vector, delta_and_merge_undo_each_other)
{
    unsigned seed = (unsigned)time(NULL);
    struct version_vector delta;

    version_vector_init(&delta);
    srand(seed);
    for (unsigned round = 0; round < 2000; round++) {
        set(&a, 1 + (uint64_t)rand() % 20, 1 + (uint64_t)rand() % 5);
        set(&b, 1 + (uint64_t)rand() % 20, 1 + (uint64_t)rand() % 5);
        if (round % 50 == 0) {
            version_vector_release(&a);
            version_vector_release(&b);
        }
        cr_assert_eq(version_vector_copy(&c, &a, &err), STATUS_OK);
        cr_assert_eq(version_vector_merge(&c, &b, &err), STATUS_OK);
        cr_assert(version_vector_covers(&c, &a), "seed %u", seed);
        cr_assert(version_vector_covers(&c, &b), "seed %u", seed);
        cr_assert_eq(version_vector_delta(&delta, &a, &c, &err), STATUS_OK);
        cr_assert(version_vector_covers(&b, &delta), "seed %u, round %u", seed, round);
        cr_assert_eq(version_vector_merge(&a, &delta, &err), STATUS_OK);
        cr_assert(version_vector_equal(&a, &c), "seed %u, round %u", seed, round);
        cr_assert_eq(version_vector_delta(&delta, &a, &c, &err), STATUS_OK);
        cr_assert_eq(delta.count, 0, "seed %u, round %u", seed, round);
    }
    version_vector_release(&delta);
}

Test(version_vector, no_memory_leaves_it_as_it_was)
{
    struct bytes in = VIEW(golden);

    for (uint64_t i = 1; i <= 4; i++)
        set(&a, i, i);
    set(&b, 9, 9);
    failing_memory_start(0);
    cr_expect_eq(version_vector_set(&a, 5, 5, &err), STATUS_NO_MEMORY);
    cr_expect_eq(version_vector_merge(&a, &b, &err), STATUS_NO_MEMORY);
    cr_expect_eq(version_vector_copy(&c, &a, &err), STATUS_NO_MEMORY);
    cr_expect_eq(version_vector_delta(&c, &b, &b, &err), STATUS_NO_MEMORY);
    cr_expect_eq(version_vector_take(&in, &c, &err), STATUS_NO_MEMORY);
    failing_memory_stop();
    cr_expect_eq(a.count, 4);
    cr_expect_eq(c.count, 0);
    cr_expect_eq(in.size, sizeof golden);
}

Test(version_vector, refuses_more_nodes_than_a_fleet_has)
{
    for (uint64_t i = 1; i <= VERSION_VECTOR_ORIGINS_MAX; i++)
        set(&a, i, 1);
    cr_expect_eq(version_vector_set(&a, UINT64_MAX, 1, &err), STATUS_REFUSED);
    set(&b, UINT64_MAX, 1);
    cr_expect_eq(version_vector_merge(&a, &b, &err), STATUS_REFUSED);
    cr_expect_eq(a.count, VERSION_VECTOR_ORIGINS_MAX);
    set(&a, 1, 2);
}
