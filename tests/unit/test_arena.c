#include "log/arena.h"
#include "tests/support/failing_memory.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

Test(arena, gives_zeroed_memory_of_any_size)
{
    static const size_t sizes[] = {1, 0, 7, 4096, 100000, 3, 4095};
    struct arena arena = {0};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *memory = arena_take(&arena, sizes[i], 1);

        cr_assert_not_null(memory);
        cr_expect_eq((uintptr_t)memory % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < sizes[i]; j++)
            cr_assert_eq(memory[j], 0);
        memset(memory, 0xff, sizes[i]);
    }
    arena_release(&arena);
    cr_expect_null(arena.chunks);
    arena_release(&arena);
}

Test(arena, no_memory_leaves_what_was_taken)
{
    struct arena arena;
    char *kept;

    arena_init(&arena);
    kept = arena_take(&arena, 1, 1);
    cr_assert_not_null(kept);
    failing_memory_start(0);
    cr_expect_null(arena_take(&arena, 1, 100000));
    failing_memory_stop();
    cr_expect_null(arena_take(&arena, SIZE_MAX, SIZE_MAX));
    cr_expect_null(arena_take(&arena, SIZE_MAX, 1));
    *kept = 1;
    arena_release(&arena);
}
