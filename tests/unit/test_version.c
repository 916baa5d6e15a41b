#include "log/clock.h"
#include "log/version.h"
#include "tests/support/recode.h"

#include <criterion/criterion.h>

#define VIEW(array) ((struct bytes){array, sizeof(array)})

static enum status recode(struct bytes in, struct buffer *out, struct error *err)
{
    struct version version;

    if (!version_take(&in, &version) || in.size > 0)
        return error_set(err, STATUS_CORRUPT, "not a version");
    version_put(out, &version);
    return STATUS_OK;
}

Test(version, encodes_to_the_golden_bytes)
{
    static const uint8_t golden[] = {0xac, 0x02, 0,    0, 0,    0, 0,
                                     0,    0x12, 0x34, 5, 0x80, 1};
    static const struct version version = {300, 0x1234, 5, 128};
    struct buffer out = {0};

    version_put(&out, &version);
    cr_expect(bytes_equal(buffer_view(&out), VIEW(golden)));
    recode_expect_canonical(VIEW(golden), recode);
    buffer_release(&out);
}

Test(version, of_nothing_is_eleven_zeroes)
{
    static const uint8_t golden[11] = {0};

    recode_expect_canonical(VIEW(golden), recode);
}

Test(version, takes_only_whole_versions)
{
    static const struct {
        const char *when;
        size_t size;
        uint8_t bytes[16];
    } cases[] = {
        {"no origin",          11, {1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0}                     },
        {"no number",          11, {1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0}                     },
        {"a place of 33 bits",
         15,                       {1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 255, 255, 255, 255, 31}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes in = {cases[i].bytes, cases[i].size};
        struct version version;

        cr_expect_not(version_take(&in, &version), "%s", cases[i].when);
        cr_expect_eq(in.size, cases[i].size, "%s", cases[i].when);
    }
}

Test(version, text_is_for_people_and_json)
{
    static const struct version largest = {UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                           UINT32_MAX};
    static const struct version version = {1700000000000000, 0xbeef, 12, 3};
    char text[VERSION_TEXT_SIZE];
    char node[NODE_ID_TEXT_SIZE];

    version_text(&version, text);
    cr_expect_str_eq(text, "1700000000000000.000000000000beef.12.3");
    version_text(&largest, text);
    cr_expect_str_eq(text, "18446744073709551615.ffffffffffffffff.18446744073709551615."
                           "4294967295");
    node_id_text(0x1f, node);
    cr_expect_str_eq(node, "000000000000001f");
}

/* Every version over small numbers, and the version of nothing. */
enum { STAMPS = 3, NODES = 3, SEQS = 2, PLACES = 2 };
enum { VERSIONS = 1 + STAMPS * NODES * SEQS * PLACES };

static void fill(struct version versions[VERSIONS])
{
    size_t count = 0;

    versions[count++] = (struct version){0};
    for (unsigned i = 0; count < VERSIONS; i++) {
        versions[count++] = (struct version){
            .stamp_us = i / (PLACES * SEQS * NODES),
            .origin = 1 + i / (PLACES * SEQS) % NODES,
            .origin_seq = 1 + i / PLACES % SEQS,
            .place = i % PLACES,
        };
    }
}

Test(version, transitive_total_order)
{
    struct version versions[VERSIONS];

    fill(versions);
    for (size_t i = 0; i < VERSIONS; i++) {
        for (size_t j = 0; j < VERSIONS; j++) {
            int order = version_compare(&versions[i], &versions[j]);

            cr_assert_eq(order == 0, i == j);
            cr_assert_eq(order<0, version_compare(&versions[j], &versions[i])> 0);
            for (size_t k = 0; k < VERSIONS && order < 0; k++)
                if (version_compare(&versions[j], &versions[k]) < 0)
                    cr_assert_lt(version_compare(&versions[i], &versions[k]), 0);
        }
    }
}

Test(version, nothing_is_below_every_other)
{
    struct version versions[VERSIONS];

    fill(versions);
    cr_expect(version_is_nothing(&versions[0]));
    for (size_t i = 1; i < VERSIONS; i++) {
        cr_expect_not(version_is_nothing(&versions[i]));
        cr_expect_lt(version_compare(&versions[0], &versions[i]), 0);
    }
}

/* Three nodes, each with a hybrid clock; a step is a write at a wall time of 0, 1 or 2,
 * back and ahead as it likes, or one node taking all that another one has. */
enum {
    STEPS = 5,
    WRITE_KINDS = NODES * STAMPS,
    STEP_KINDS = WRITE_KINDS + NODES * (NODES - 1)
};

struct world {
    struct hybrid_clock clocks[NODES];
    unsigned seen[NODES]; /* bit w: the node has write w */
    struct version writes[STEPS];
    unsigned before[STEPS]; /* bit w: write w happened before this one */
    size_t write_count;
};

static void step(struct world *world, unsigned kind)
{
    unsigned node;
    unsigned from;

    if (kind < WRITE_KINDS) {
        size_t write = world->write_count++;

        node = kind / STAMPS;
        world->before[write] = world->seen[node];
        world->writes[write] = (struct version){
            hybrid_clock_next(&world->clocks[node], kind % STAMPS, STAMPS, 0), node + 1,
            write + 1, 0};
        world->seen[node] |= 1U << write;
        return;
    }
    node = (kind - WRITE_KINDS) / (NODES - 1);
    from = (node + 1 + (kind - WRITE_KINDS) % (NODES - 1)) % NODES;
    for (size_t write = 0; write < world->write_count; write++)
        if ((world->seen[from] >> write & 1) != 0)
            hybrid_clock_observe(&world->clocks[node], world->writes[write].stamp_us);
    world->seen[node] |= world->seen[from];
}

static void expect_happens_before_kept(const struct world *world, unsigned schedule)
{
    for (size_t i = 0; i < world->write_count; i++) {
        for (size_t j = 0; j < world->write_count; j++) {
            if ((world->before[j] >> i & 1) == 0 ||
                version_compare(&world->writes[i], &world->writes[j]) < 0)
                continue;
            cr_assert_fail("schedule %u: write %zu is not below %zu", schedule, i, j);
        }
    }
}

Test(version, order_extends_happens_before)
{
    unsigned schedules = 1;

    for (unsigned i = 0; i < STEPS; i++)
        schedules *= STEP_KINDS;
    for (unsigned schedule = 0; schedule < schedules; schedule++) {
        struct world world = {0};

        for (unsigned i = 0, rest = schedule; i < STEPS; i++, rest /= STEP_KINDS)
            step(&world, rest % STEP_KINDS);
        expect_happens_before_kept(&world, schedule);
    }
}
