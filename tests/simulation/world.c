#include "tests/simulation/world.h"

#include "tests/simulation/observe.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX = SCHEDULE_OPS_MAX };

struct kept {
    char path[FLEET_PATH_MAX];
    struct oracle_vector from;
    struct oracle_vector to;
    int delivered;
};

struct world {
    const struct schedule *schedule;
    const struct model_schema *schema;
    struct fleet fleet;
    struct oracle oracle;
    struct oracle_vector folder; /* what the shared folder offers */
    struct oracle_vector
        series[ORACLE_NODES_MAX]; /* each node's kept segments went so far */
    struct kept kept[KEPT_MAX];
    int kept_count;
    FILE *report;
};

/* ---- the same seed, the same node ids and nonces */

static struct random sodium_random;

static const char *implementation_name(void)
{
    return "rowferry simulation";
}

static uint32_t random_number(void)
{
    return (uint32_t)random_next(&sodium_random);
}

static void random_bytes(void *const out, const size_t size)
{
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)random_next(&sodium_random);
}

static void seed_sodium(uint64_t seed)
{
    static struct randombytes_implementation implementation = {
        .implementation_name = implementation_name,
        .random = random_number,
        .buf = random_bytes,
    };

    cr_assert_eq(randombytes_set_implementation(&implementation), 0);
    cr_assert(sodium_init() >= 0); /* the first one draws, too */
    sodium_random.state = seed;
}

/* ---- steps */

static bool failed(struct world *world, int node, const char *what, const char *why)
{
    (void)fprintf(world->report, "%c: %s: %s\n", 'a' + node, what, why);
    return false;
}

/* The application's transaction: what a constraint refuses is left out of it. */
static void write_statements(struct fleet_node *node, char *statements, bool foreign_keys)
{
    char *rest = statements;
    char *statement;

    cr_assert_eq(sqlite3_exec(node->application,
                              foreign_keys ? "PRAGMA foreign_keys = ON; BEGIN"
                                           : "PRAGMA foreign_keys = OFF; BEGIN",
                              NULL, NULL, NULL),
                 SQLITE_OK);
    while ((statement = strsep(&rest, "\n")) != NULL) {
        int rc = sqlite3_exec(node->application, statement, NULL, NULL, NULL);

        cr_assert(rc == SQLITE_OK || rc == SQLITE_CONSTRAINT, "%s: %s", statement,
                  sqlite3_errmsg(node->application));
    }
    fleet_write(node, "COMMIT");
}

static void write_rows(struct world *world, int number, uint64_t seed, bool twin)
{
    char statements[4096];

    schedule_statements(world->schema, seed, twin, statements, sizeof statements);
    write_statements(&world->fleet.nodes[number], statements,
                     !twin && (seed >> 32) % 4 != 0);
}

/* Insert one of the rows that the node's database hides. */
static void retake_row(struct world *world, int number, uint64_t seed)
{
    const struct oracle_node *self = &world->oracle.nodes[number];
    int parked[ORACLE_CHANGES_MAX];
    char statement[256];
    int count = 0;
    int pick;

    for (int i = 0; i < world->schema->table_count * (int)MODEL_KEYS; i++) {
        if (self->parked[i / MODEL_KEYS][i % MODEL_KEYS])
            parked[count++] = i;
    }
    if (count == 0)
        return;
    pick = parked[seed % (uint64_t)count];
    schedule_insert(world->schema, seed, pick / MODEL_KEYS, 1 + pick % MODEL_KEYS,
                    statement, sizeof statement);
    write_statements(&world->fleet.nodes[number], statement, false);
}

/* What the oracle must know before a scan. */
static void expect_capture(struct world *world, int number)
{
    struct fleet_node *node = &world->fleet.nodes[number];
    struct model_rows rows;

    observe_rows(node, world->schema, &rows);
    (void)oracle_capture(&world->oracle, number, &rows, node->written_us);
}

static bool capture(struct world *world, int number)
{
    struct capture_counts counts;
    struct error err;

    expect_capture(world, number);
    if (node_capture(world->fleet.nodes[number].node, &counts, &err) != STATUS_OK)
        return failed(world, number, "capture", err.text);
    return observe_store(&world->oracle, number, &world->fleet.nodes[number],
                         world->report);
}

/* A batch captures under its lock; without one there is nothing that must. */
static bool apply(struct world *world, int number)
{
    struct fleet_node *node = &world->fleet.nodes[number];
    const struct oracle_node *self = &world->oracle.nodes[number];
    struct apply_counts counts;
    struct error err;

    if (oracle_vector_covers(&self->applied, &self->holds) && !capture(world, number))
        return false;
    expect_capture(world, number);
    oracle_apply(&world->oracle, number);
    if (node_apply(node->node, &counts, &err) != STATUS_OK)
        return failed(world, number, "apply", err.text);
    return observe_store(&world->oracle, number, node, world->report) &
           observe_database(&world->oracle, number, node, world->report);
}

static bool visit_folder(struct world *world, int number)
{
    struct fleet_node *node = &world->fleet.nodes[number];
    static const struct oracle_vector nothing;
    struct visit_report report;
    struct error err;

    expect_capture(world, number);
    (void)oracle_receive(&world->oracle, number, &nothing, &world->folder);
    oracle_apply(&world->oracle, number);
    world->folder = world->oracle.nodes[number].holds;
    if (fleet_sync_try(&world->fleet, node, &report, &err) != STATUS_OK)
        return failed(world, number, "sync", err.text);
    return observe_store(&world->oracle, number, node, world->report) &
           observe_database(&world->oracle, number, node, world->report);
}

/* Write a segment of what `from` has beyond base_of; *made tells whether there was
 * anything. */
static bool make_segment(struct world *world, int from,
                         const struct oracle_vector *base_of, struct kept *out,
                         bool *made)
{
    const struct oracle_node *sender = &world->oracle.nodes[from];
    struct version_vector base;
    struct version_vector end;
    bool same = true;

    *out = (struct kept){.from = *base_of};
    version_vector_init(&base);
    version_vector_init(&end);
    observe_to_vector(&world->oracle, &out->from, &base);
    *made =
        fleet_export(&world->fleet, &world->fleet.nodes[from], &base, 0, out->path, &end);
    if (*made == oracle_vector_covers(&out->from, &sender->holds))
        same = failed(world, from, "export", *made ? "nothing new" : "nothing made");
    if (*made) {
        out->to = observe_vector(&world->oracle, &end);
        if (!oracle_vector_covers(&out->to, &sender->holds))
            same = failed(world, from, "export", "the segment lacks entries");
    }
    version_vector_release(&base);
    version_vector_release(&end);
    return same;
}

static bool deliver(struct world *world, int number, const struct kept *segment)
{
    struct fleet_node *node = &world->fleet.nodes[number];
    bool accepted = oracle_receive(&world->oracle, number, &segment->from, &segment->to);
    struct error err = {""};
    enum status status = fleet_import_try(node, segment->path, &err);

    world->oracle.tally->early += !accepted;
    if (accepted && status != STATUS_OK)
        return failed(world, number, "import", err.text);
    if (!accepted && status != STATUS_REFUSED)
        return failed(world, number, "import",
                      "took a segment that lacks what is before it");
    return observe_store(&world->oracle, number, node, world->report);
}

static bool pass(struct world *world, int from, int to)
{
    struct kept segment;
    bool made = false;

    if (!make_segment(world, from, &world->oracle.nodes[to].holds, &segment, &made))
        return false;
    if (!made)
        return true;
    return deliver(world, to, &segment);
}

/* What goes on from the node's last such segment, or for one reader. */
static bool keep(struct world *world, int from, int to, uint64_t seed)
{
    struct kept *segment = &world->kept[world->kept_count];
    const struct oracle_vector *base =
        seed % 8 != 0 ? &world->series[from] : &world->oracle.nodes[to].holds;
    bool made = false;

    if (!make_segment(world, from, base, segment, &made))
        return false;
    if (made && seed % 8 != 0)
        world->series[from] = segment->to;
    world->kept_count += made;
    return true;
}

static bool deliver_kept(struct world *world, int number, uint64_t seed)
{
    struct kept *segment;

    if (world->kept_count == 0)
        return true;
    segment = &world->kept[seed % (uint64_t)world->kept_count];
    world->oracle.tally->repeated += segment->delivered > 0;
    world->oracle.tally->delayed += segment->delivered == 0;
    segment->delivered++;
    return deliver(world, number, segment);
}

static bool step(struct world *world, const struct op *op)
{
    switch (op->kind) {
    case OP_WRITE:
        write_rows(world, op->a, op->seed, false);
        return true;
    case OP_TWIN:
        write_rows(world, op->a, op->seed, true);
        write_rows(world, op->b, op->seed, true);
        return true;
    case OP_RETAKE:
        retake_row(world, op->a, op->seed);
        return true;
    case OP_CAPTURE:
        return capture(world, op->a);
    case OP_PASS:
        return (op->seed % 4 < 2 || capture(world, op->a)) && pass(world, op->a, op->b);
    case OP_KEEP:
        return capture(world, op->a) && keep(world, op->a, op->b, op->seed);
    case OP_DELIVER:
        return deliver_kept(world, op->a, op->seed);
    case OP_APPLY:
        return apply(world, op->a);
    case OP_SYNC:
        return visit_folder(world, op->a);
    case OP_KINDS:
        break;
    }
    return true;
}

/* ---- a run */

/* What all nodes agree on after they have joined is where the oracle begins. */
static void begin(struct world *world)
{
    struct oracle *oracle = &world->oracle;
    struct version_vector vector;
    struct model_rows rows;
    bool any = false;

    for (int i = 0; i < oracle->node_count; i++)
        oracle->nodes[i].id = world->fleet.nodes[i].id;
    version_vector_init(&vector);
    for (int i = 0; i < oracle->node_count; i++) {
        fleet_vector(&world->fleet.nodes[i], &vector);
        oracle->nodes[i].holds = observe_vector(oracle, &vector);
        oracle->nodes[i].applied = oracle->nodes[i].holds;
        oracle->nodes[i].clock_us = observe_clock(&world->fleet.nodes[i]);
        cr_assert(oracle_vector_covers(&oracle->nodes[i].holds, &oracle->nodes[0].holds),
                  "after joining %c does not have all", 'a' + i);
    }
    version_vector_release(&vector);
    world->folder = oracle->nodes[0].holds;
    for (int i = 0; i < oracle->node_count; i++)
        world->series[i] = world->folder;
    observe_rows(&world->fleet.nodes[0], world->schema, &rows);
    for (int t = 0; t < world->schema->table_count; t++) {
        for (int k = 0; k < (int)MODEL_KEYS; k++)
            any |= rows.rows[t][k].live;
    }
    if (any)
        oracle_base(oracle, 0, oracle->nodes[0].holds.of[0], &rows);
    for (int i = 0; i < oracle->node_count; i++)
        model_shown(oracle->schema, &oracle->nodes[i].held, &oracle->nodes[i].fates);
}

/* Everybody meets everybody: then all are equal. */
static bool quiesce(struct world *world)
{
    bool same = true;

    /* The last of the first round has everything already. */
    for (int i = 0; same && i < 2 * world->oracle.node_count - 1; i++)
        same = visit_folder(world, i % world->oracle.node_count);
    for (int i = 0; same && i < world->oracle.node_count; i++) {
        same = observe_diff(&world->oracle, i, &world->fleet.nodes[i], world->report);
        if (same && !oracle_vector_covers(&world->oracle.nodes[i].holds,
                                          &world->oracle.nodes[0].holds))
            same = failed(world, i, "the end", "does not have all");
    }
    oracle_finish(&world->oracle);
    for (int i = 0; i < world->kept_count; i++)
        world->oracle.tally->lost += world->kept[i].delivered == 0;
    return same;
}

static void print_failure(struct world *world, int at)
{
    const struct schedule *schedule = world->schedule;
    char statements[4096];
    char line[128];

    (void)fprintf(world->report, "  seed %llu, schema %s, %d nodes, %s, clocks ahead by",
                  (unsigned long long)schedule->seed, world->schema->name,
                  schedule->node_count, schedule->write_ahead ? "WAL" : "no WAL");
    for (int i = 0; i < schedule->node_count; i++)
        (void)fprintf(world->report, " %lld", (long long)schedule->skews_us[i]);
    (void)fprintf(world->report, " us\n");
    for (int i = 0; i < schedule->op_count && i <= at; i++) {
        const struct op *op = &schedule->ops[i];

        if (op->dropped)
            continue;
        schedule_print(schedule, i, line, sizeof line);
        (void)fprintf(world->report, "  %s\n", line);
        if (op->kind != OP_WRITE && op->kind != OP_TWIN)
            continue;
        schedule_statements(world->schema, op->seed, op->kind == OP_TWIN, statements,
                            sizeof statements);
        for (char *rest = statements, *statement;
             (statement = strsep(&rest, "\n")) != NULL && statement[0] != '\0';)
            (void)fprintf(world->report, "          %s\n", statement);
    }
    if (at == schedule->op_count)
        (void)fprintf(world->report, "  and all visit the folder, twice\n");
}

/* FNV-1a over the versions of all changes. */
static uint64_t digest_of(const struct oracle *oracle)
{
    uint64_t digest = UINT64_C(14695981039346656037);

    for (size_t e = 0; e < oracle->entry_count; e++) {
        const struct oracle_entry *entry = &oracle->entries[e];
        const uint64_t parts[] = {entry->stamp_us, oracle->nodes[entry->node].id,
                                  entry->seq, (uint64_t)entry->change_count};

        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
            digest = (digest ^ parts[i]) * UINT64_C(1099511628211);
    }
    return digest;
}

bool world_run(const struct schedule *schedule, struct tally *tally, uint64_t *digest,
               char **report)
{
    struct world *world = calloc(1, sizeof *world);
    char sql[8192];
    size_t used = 0;
    size_t size;
    bool same = true;
    int at;

    cr_assert_not_null(world);
    world->schedule = schedule;
    world->schema = &model_schemas[schedule->schema];
    world->report = open_memstream(report, &size);
    cr_assert_not_null(world->report);
    seed_sodium(schedule->seed);
    oracle_init(&world->oracle, world->schema, schedule->node_count, tally);
    used = (size_t)snprintf(sql, sizeof sql, "%s", world->schema->sql);
    schedule_base(world->schema, schedule->seed, sql + used, sizeof sql - used);
    fleet_run_rows_min = schedule->seed % 2 == 0 ? 1 : 0;
    fleet_walk_steps_min = schedule->seed % 3 != 0 ? 1 : 0;
    fleet_open(&world->fleet, (size_t)schedule->node_count, sql, schedule->skews_us);
    for (int i = 0; schedule->write_ahead && i < schedule->node_count; i++)
        fleet_write(&world->fleet.nodes[i], "PRAGMA journal_mode = WAL");
    begin(world);
    for (at = 0; same && at < schedule->op_count; at++) {
        if (schedule->ops[at].dropped)
            continue;
        fleet_pass_time(&world->fleet, schedule->ops[at].pause_us);
        same = step(world, &schedule->ops[at]);
    }
    at -= !same;
    if (same)
        same = quiesce(world);
    if (!same)
        print_failure(world, at);
    if (digest != NULL)
        *digest = digest_of(&world->oracle);
    (void)fclose(world->report);
    fleet_close(&world->fleet);
    oracle_release(&world->oracle);
    free(world);
    return same;
}

/* ---- shrinking */

static bool still_fails(const struct schedule *schedule, int *runs)
{
    struct tally tally = {0};
    char *report = NULL;
    bool fails;

    (*runs)--;
    fails = !world_run(schedule, &tally, NULL, &report);
    free(report);
    return fails;
}

void world_shrink(struct schedule *schedule, int runs_max)
{
    int runs = runs_max;

    for (int size = schedule->op_count / 2; size >= 1; size /= 2) {
        for (int from = 0; from < schedule->op_count && runs > 0; from += size) {
            struct schedule less = *schedule;
            bool is_less = false;

            for (int i = from; i < from + size && i < schedule->op_count; i++) {
                is_less |= !less.ops[i].dropped;
                less.ops[i].dropped = true;
            }
            if (is_less && still_fails(&less, &runs))
                *schedule = less;
        }
    }
}
