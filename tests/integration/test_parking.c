/* What is shown when constraints forbid some rows, against the rule from scratch: random
 * histories of two sources that know no constraints, arriving in random pieces, with
 * local writes between. ROWFERRY_PARKING_SEED and ROWFERRY_PARKING_STEPS change the run.
 */
#include "tests/support/parking_schema.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS = 5, STEPS = 600, WORLDS = 4 };

/* ---- chance */

static uint64_t chance;

static unsigned pick(unsigned below)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)((chance >> 16) % below);
}

/* ---- writing */

static void put_value(FILE *out, const char *column)
{
    static const char *const texts[] = {"'x'", "'X'", "'y'", "'Z'"};

    if (pick(5) == 0)
        (void)fputs("NULL", out);
    else if (strchr(column, '\'') != NULL)
        (void)fputs(texts[pick(4)], out);
    else
        (void)fprintf(out, "%u", pick(IDS) + (pick(2) == 0 ? 0 : 1));
}

static void put_key(FILE *out, unsigned table)
{
    static const char *const keys[] = {"'x'", "'X'", "'y'", "'Y'", "'z'"};

    if (strcmp(parking_tables[table].name, "k") == 0)
        (void)fputs(keys[pick(5)], out);
    else
        (void)fprintf(out, "%u", pick(IDS) + 1);
}

static void put_columns(FILE *out, unsigned table, bool values)
{
    for (size_t i = 0; i < PARKING_COLUMNS && parking_tables[table].columns[i] != NULL;
         i++) {
        const char *column = parking_tables[table].columns[i];

        (void)fputs(", ", out);
        if (values)
            put_value(out, column);
        else
            (void)fprintf(out, "%.*s", (int)strcspn(column, "'"), column);
    }
}

static void put_statement(FILE *out, unsigned table, bool gentle)
{
    const char *name = parking_tables[table].name;
    unsigned count = 1, column;

    while (count < PARKING_COLUMNS && parking_tables[table].columns[count] != NULL)
        count++;
    column = pick(count);
    switch (pick(6)) {
    case 0:
    case 1:
        (void)fprintf(out, "DELETE FROM %s WHERE id = ", name);
        put_key(out, table);
        break;
    case 2:
    case 3:
        (void)fprintf(out, "UPDATE %s SET %.*s = ", name,
                      (int)strcspn(parking_tables[table].columns[column], "'"),
                      parking_tables[table].columns[column]);
        put_value(out, parking_tables[table].columns[column]);
        (void)fputs(" WHERE id = ", out);
        put_key(out, table);
        break;
    default:
        (void)fprintf(out, "INSERT %sINTO %s (id", gentle ? "" : "OR REPLACE ", name);
        put_columns(out, table, false);
        (void)fputs(") VALUES (", out);
        put_key(out, table);
        put_columns(out, table, true);
        (void)fputs(")", out);
    }
    (void)fputs(";", out);
}

static void write_somewhere(struct apply_node *node, bool gentle)
{
    char *sql = NULL;
    size_t size;
    FILE *out = open_memstream(&sql, &size);
    unsigned count = 1 + pick(4), table = pick(PARKING_TABLES);

    (void)fputs("BEGIN;", out);
    for (unsigned i = 0; i < count; i++)
        put_statement(out, pick(3) == 0 ? pick(PARKING_TABLES) : table, gentle);
    (void)fputs("COMMIT", out);
    (void)fclose(out);
    if (sqlite3_exec(node->scan.application, sql, NULL, NULL, NULL) != SQLITE_OK)
        (void)sqlite3_exec(node->scan.application, "ROLLBACK", NULL, NULL, NULL);
    free(sql);
    node->scan.now_us += 1000000 + pick(100000);
    apply_touch(node);
}

/* ---- the random run */

static unsigned number_from(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 10);
}

/* writes: the target's application writes too, so that its batches look everywhere. */
static void one_step(struct apply_node *target, struct apply_node *sources, bool writes)
{
    struct apply_node *source = &sources[pick(2)];

    switch (pick(10)) {
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
            write_somewhere(target, pick(2) == 0);
            break;
        }
        /* Fall through. */
    default:
        write_somewhere(source, false);
        (void)scan_capture(&source->scan);
    }
}

static struct apply_counts run_world(uint64_t seed, unsigned steps)
{
    static struct apply_node sources[2], target;
    struct apply_counts counts;
    char where[96];

    chance = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
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
            target.options.batch_changes_max = 1 + pick(6);
        }
        one_step(&target, sources, seed % 2 == 0);
        if (pick(3) > 0)
            continue;
        /* With something to apply, local writes are captured under the lock. */
        if (apply_carry(&sources[pick(2)], &target, pick(4)) == 0)
            (void)scan_capture(&target.scan);
        apply_run(&target);
        parking_compare(&target, where);
        if (pick(40) == 0)
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
