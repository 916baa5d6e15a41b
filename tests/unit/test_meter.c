#include "cli/meter.h"

#include "log/progress.h"

#include <criterion/criterion.h>
#include <string.h>

enum { SECOND = 1000000, START = 5 * SECOND };

static struct meter meter;
static char line[METER_LINE_SIZE];

static struct progress_state rows(uint64_t done, uint64_t all)
{
    return (struct progress_state){
        .step = "read", .part = "item", .unit = PROGRESS_ROWS, .done = done, .all = all};
}

static void set_up(void)
{
    meter_init(&meter, START);
}

TestSuite(meter, .init = set_up);

Test(meter, is_silent_for_half_a_second_then_speaks_five_times_a_second)
{
    static const struct {
        const char *when;
        uint64_t us;
        bool shows;
    } cases[] = {
        {"at the start",      0,       false},
        {"just before",       499999,  false},
        {"half a second",     500000,  true },
        {"at once again",     500001,  false},
        {"just before again", 699999,  false},
        {"a fifth of one on", 700000,  true },
        {"much later",        9000000, true },
        {"and soon after",    9100000, false},
    };
    struct progress_state state = rows(0, 0);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        state.done = i;
        cr_expect_eq(meter_note(&meter, &state, START + cases[i].us), cases[i].shows,
                     "%s", cases[i].when);
    }
}

static const char *after_ten_seconds(const struct progress_state *state, size_t columns)
{
    struct progress_state begun = *state;
    size_t taken;

    begun.done = 0;
    (void)meter_note(&meter, &begun, START);
    taken = meter_line(&meter, "init", state, START + 10 * SECOND, columns, line);
    cr_expect_leq(taken, columns, "%s", line);
    return line;
}

Test(meter, says_how_far_how_fast_and_how_long_yet)
{
    struct progress_state state = rows(1000, 4000);

    cr_expect_str_eq(after_ten_seconds(&state, 79),
                     "init: read item: 1000 of 4000 rows (25%), 100/s, 30 seconds left");
}

Test(meter, says_no_more_than_it_knows)
{
    static const struct {
        const char *when;
        struct progress_state state;
        const char *line;
    } cases[] = {
        {"nothing is done yet",
         {"read", "item", PROGRESS_ROWS, 0, 100, 0},
         "init: read item"                                                            },
        {"the whole is not known",
         {"read", "item", PROGRESS_ROWS, 1000, 0, 0},
         "init: read item: 1000 rows, 100/s"                                          },
        {"it is done",
         {"read", NULL, PROGRESS_ENTRIES, 1000, 1000, 0},
         "init: read: 1000 of 1000 entries (100%), 100/s"                             },
        {"there is more than was thought",
         {"read", NULL, PROGRESS_ROWS, 1000, 900, 0},
         "init: read: 1000 rows, 100/s"                                               },
        {"the step is the command",
         {"init", "item", PROGRESS_ROWS, 1000, 0, 0},
         "init: item: 1000 rows, 100/s"                                               },
        {"rows and their bytes",
         {"read", "item", PROGRESS_ROWS, 1000, 4000, 5 << 19},
         "init: read item: 1000 of 4000 rows (25%), 2.5 MiB, 100/s, 30 seconds left"  },
        {"bytes",
         {"check", "a.rfseg", PROGRESS_BYTES, 1 << 20, 3 << 20, 0},
         "init: check a.rfseg: 1.0 MiB of 3.0 MiB (33%), 102.4 KiB/s, 20 seconds left"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_str_eq(after_ten_seconds(&cases[i].state, 79), cases[i].line, "%s: %s",
                         cases[i].when, line);
}

Test(meter, cuts_the_name_before_the_numbers)
{
    struct progress_state state = rows(1000, 4000);

    state.part = "a_table_with_a_name_that_is_as_long_as_the_line_itself_would_be";
    cr_expect_str_eq(after_ten_seconds(&state, 79),
                     "init: read a_table_with_a_name: 1000 of 4000 rows (25%), 100/s, 30 "
                     "seconds left");
    cr_expect_str_eq(after_ten_seconds(&state, 10), ": 1000 of ");
}

Test(meter, lets_no_name_command_the_terminal)
{
    struct progress_state state = rows(0, 0);

    state.part = "x\033[2J\n\xc2\x9b"
                 "1m\xc3\xa9";
    cr_expect_str_eq(after_ten_seconds(&state, 79), "init: read x?[2J??1m\xc3\xa9");
    state.part = "\xe8\xa1\xa8\xe8\xa1\xa8"; /* two columns each */
    cr_expect_str_eq(after_ten_seconds(&state, 14), "init: read \xe8\xa1\xa8");
}

/* The rate is that of the step at hand, also after another has come between. */
Test(meter, counts_the_rate_of_a_step_from_where_it_comes_back)
{
    struct progress_state read = rows(0, 0), index = {.step = "index"};

    (void)meter_note(&meter, &read, START);
    (void)meter_note(&meter, &index, START + SECOND);
    read.done = 5000;
    (void)meter_note(&meter, &read, START + 100 * SECOND);
    read.done = 6000;
    (void)meter_line(&meter, "init", &read, START + 110 * SECOND, 79, line);
    cr_expect_str_eq(line, "init: read item: 6000 rows, 100/s");
}

/* ---- counting */

static uint64_t told[8];
static size_t tellings;

static void listen(void *data, const struct progress_state *state)
{
    cr_assert_lt(tellings, sizeof told / sizeof *told);
    cr_expect_null(data);
    told[tellings++] = state->done;
}

Test(progress, tells_of_the_beginning_and_of_every_hundredth_row)
{
    static const struct progress listener = {listen, NULL};
    struct progress_state state = rows(0, 250);
    struct progress_step step;

    progress_begin(&step, &listener, &state);
    for (int i = 0; i < 250; i++)
        progress_add(&step, 1);
    progress_reach(&step, 240); /* less than there is */
    progress_reach(&step, 1000);
    cr_assert_eq(tellings, 4);
    cr_expect_eq(told[0], 0);
    cr_expect_eq(told[1], 100);
    cr_expect_eq(told[2], 200);
    cr_expect_eq(told[3], 1000);
}

Test(progress, counts_the_bytes_beside)
{
    struct progress_state state = rows(0, 250);
    struct progress_step step;

    progress_begin(&step, NULL, &state);
    progress_add_sized(&step, 30);
    progress_add_sized(&step, 12);
    cr_expect_eq(step.state.done, 2);
    cr_expect_eq(step.state.bytes, 42);
}

Test(progress, needs_nobody_to_listen)
{
    struct progress_state state = rows(0, 250);
    struct progress_step step = {0};

    progress_add(&step, 1000);
    progress_begin(&step, NULL, &state);
    progress_add(&step, 1000);
    cr_expect_eq(step.state.done, 1000);
}
