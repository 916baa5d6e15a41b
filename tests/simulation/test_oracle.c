/* The promise of DESIGN section 3: whatever the order, repetition, delay and loss of
 * segments, nodes end with equal row indexes, equal shown rows and the same losers on
 * record.
 *
 * ROWFERRY_SEED=n runs one seed; ROWFERRY_SEEDS=n how many (200, with sanitizers the
 * first 40; 2000 with ROWFERRY_LONG); ROWFERRY_SHRINK=n tries up to n shorter runs of a
 * failing seed. */
#include "tests/simulation/world.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL && text[0] != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static void fail_with(struct schedule *schedule, char *report)
{
    int runs = (int)number_of("ROWFERRY_SHRINK", 0);
    struct tally tally = {0};

    if (runs > 0) {
        free(report);
        world_shrink(schedule, runs);
        (void)world_run(schedule, &tally, NULL, &report);
    }
    (void)fprintf(stderr, "\n%s  ROWFERRY_SEED=%" PRIu64 " runs it again\n", report,
                  schedule->seed);
    free(report);
    cr_assert_fail("seed %" PRIu64, schedule->seed);
}

static void print_tally(const struct tally *tally)
{
#define TALLY_PRINT(name, text) \
    (void)fprintf(stderr, "  %7" PRIu64 "  %s\n", tally->name, text);
    TALLY_MAP(TALLY_PRINT)
#undef TALLY_PRINT
}

#ifdef __SANITIZE_ADDRESS__
enum { SEEDS = 40 };
#else
enum { SEEDS = 200 };
#endif

static void expect_all_met(const struct tally *tally)
{
#define TALLY_CHECK(name, text) cr_expect(tally->name > 0, "never met: %s", text);
    TALLY_MAP(TALLY_CHECK)
#undef TALLY_CHECK
}

Test(oracle, nodes_come_to_the_same_rows_and_losers_whatever_the_order)
{
    bool is_long = getenv("ROWFERRY_LONG") != NULL;
    uint64_t first = number_of("ROWFERRY_SEED", 1);
    bool one = getenv("ROWFERRY_SEED") != NULL;
    uint64_t count = number_of("ROWFERRY_SEEDS", one ? 1 : is_long ? 2000 : SEEDS);
    struct tally tally = {0};

    for (uint64_t seed = first; seed < first + count; seed++) {
        struct schedule schedule;
        char *report = NULL;

        (void)fprintf(stderr, "%s%" PRIu64, seed > first ? " " : "seeds ", seed);
        schedule_make(&schedule, seed);
        if (!world_run(&schedule, &tally, NULL, &report))
            fail_with(&schedule, report);
        free(report);
    }
    (void)fprintf(stderr, "\n");
    print_tally(&tally);
    if (count >= 100)
        expect_all_met(&tally);
}

Test(oracle, the_same_seed_gives_the_same_run)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct schedule schedule;
        struct tally tallies[2] = {{0}, {0}};
        uint64_t digests[2] = {0};

        schedule_make(&schedule, seed);
        for (int i = 0; i < 2; i++) {
            char *report = NULL;

            (void)world_run(&schedule, &tallies[i], &digests[i], &report);
            free(report);
        }
        cr_expect_gt(tallies[0].entries, 0);
        cr_expect_eq(digests[0], digests[1], "seed %" PRIu64, seed);
        cr_expect_arr_eq(&tallies[0], &tallies[1], sizeof tallies[0], "seed %" PRIu64,
                         seed);
    }
}
