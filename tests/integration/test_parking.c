/* What is shown when constraints forbid some rows, against the rule from scratch: random
 * histories of two sources that know no constraints, arriving in random pieces, with
 * local writes between. ROWFERRY_PARKING_SEED and ROWFERRY_PARKING_STEPS change the run.
 */
#include "tests/support/parking_writes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 600, WORLDS = 4 };

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

/* writes: the target's application writes too, so that its batches look everywhere. */
static void one_step(struct apply_node *target, struct apply_node *sources, bool writes)
{
    struct apply_node *source = &sources[parking_pick(2)];

    switch (parking_pick(10)) {
    case 0:
        (void)apply_carry(&sources[0], &sources[1], 0);
        apply_run(&sources[1]);
        break;
    case 1:
        (void)apply_carry(&sources[1], &sources[0], 0);
        apply_run(&sources[0]);
        break;
    case 2:
        (void)apply_carry(target, source, 0);
        apply_run(source);
        break;
    case 3:
    case 4:
        if (writes) {
            parking_write_somewhere(target, parking_pick(2) == 0);
            break;
        }
        /* Fall through. */
    default:
        parking_write_somewhere(source, false);
        (void)scan_capture(&source->scan);
    }
}

static struct apply_counts run_world(uint64_t seed, unsigned steps)
{
    static struct apply_node sources[2], target;
    struct apply_counts counts;
    char where[96];

    parking_seed(seed);
    apply_node_open(&target, parking_schema, true);
    apply_node_open(&sources[0], parking_schema_free, false);
    apply_node_open(&sources[1], parking_schema_free, false);
    cr_assert_eq(sqlite3_exec(target.scan.application, "PRAGMA foreign_keys = ON", NULL,
                              NULL, NULL),
                 SQLITE_OK);
    for (unsigned step = 0; step < steps; step++) {
        (void)snprintf(where, sizeof where, "seed %llu, step %u",
                       (unsigned long long)seed, step);
        if (step % 100 == 0) {
            apply_node_restart(&target);
            target.options.batch_changes_max = 1 + parking_pick(6);
        }
        one_step(&target, sources, seed % 2 == 0);
        if (parking_pick(3) > 0)
            continue;
        /* With something to apply, local writes are captured under the lock. */
        if (apply_carry(&sources[parking_pick(2)], &target, parking_pick(4)) == 0)
            (void)scan_capture(&target.scan);
        apply_run(&target);
        parking_compare(&target, where);
        if (parking_pick(40) == 0)
            apply_expect_quiet(&target);
    }
    counts = target.counts;
    apply_node_close(&target);
    apply_node_close(&sources[0]);
    apply_node_close(&sources[1]);
    return counts;
}

Test(parking, shows_what_the_rule_says_whatever_arrives_when)
{
    unsigned seed = number_from("ROWFERRY_PARKING_SEED", 1);
    unsigned steps = number_from("ROWFERRY_PARKING_STEPS", STEPS);
    struct apply_counts all = {0};

    for (unsigned i = 0; i < WORLDS; i++) {
        struct apply_counts counts = run_world(seed + i, steps);

        apply_counts_add(&all, &counts);
    }
    (void)fprintf(stderr,
                  "parking: seeds %u to %u: parked %llu, evicted %llu, released %llu, "
                  "parked by parent %llu\n",
                  seed, seed + WORLDS - 1, (unsigned long long)all.parked,
                  (unsigned long long)all.evicted, (unsigned long long)all.released,
                  (unsigned long long)all.parked_by_parent);
    cr_expect_gt(all.parked, 0);
    cr_expect_gt(all.evicted, 0);
    cr_expect_gt(all.released, 0);
    cr_expect_gt(all.parked_by_parent, 0);
}
