#include "tests/simulation/oracle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void oracle_init(struct oracle *oracle, const struct model_schema *schema, int node_count,
                 struct tally *tally)
{
    assert(node_count <= (int)ORACLE_NODES_MAX);
    *oracle = (struct oracle){.schema = schema, .node_count = node_count, .tally = tally};
}

void oracle_release(struct oracle *oracle)
{
    free(oracle->entries);
    oracle->entries = NULL;
}

bool oracle_vector_covers(const struct oracle_vector *a, const struct oracle_vector *b)
{
    for (int i = 0; i < (int)ORACLE_NODES_MAX; i++) {
        if (a->of[i] < b->of[i])
            return false;
    }
    return true;
}

/* The pointer lives until the next entry. */
static struct oracle_entry *add_entry(struct oracle *oracle)
{
    if (oracle->entry_count == oracle->entry_capacity) {
        size_t capacity = oracle->entry_capacity == 0 ? 64 : oracle->entry_capacity * 2;
        struct oracle_entry *entries =
            realloc(oracle->entries, capacity * sizeof *entries);

        if (entries == NULL)
            abort();
        oracle->entries = entries;
        oracle->entry_capacity = capacity;
    }
    oracle->entries[oracle->entry_count] = (struct oracle_entry){0};
    return &oracle->entries[oracle->entry_count++];
}

static struct model_version version_of(const struct oracle *oracle,
                                       const struct oracle_entry *entry, uint32_t place)
{
    return (struct model_version){entry->stamp_us, oracle->nodes[entry->node].id,
                                  entry->seq, place};
}

static bool version_is_nothing(const struct model_version *version)
{
    return version->origin == 0;
}

/* Add what the database holds of one row to the entry, against what it held before. */
static void add_change(struct oracle *oracle, struct oracle_entry *entry, int table,
                       int key, const struct model_row *now)
{
    struct oracle_node *node = &oracle->nodes[entry->node];
    struct model_row *held = &node->held.rows[table][key];
    struct oracle_change *change = &entry->changes[entry->change_count];
    bool was_live = held->live;

    *change = (struct oracle_change){.table = table, .key = key, .row = *now};
    change->row.version = version_of(oracle, entry, (uint32_t)entry->change_count);
    change->row.born = was_live ? held->born : change->row.version;
    entry->change_count++;
    *held = change->row;
}

/* The row index as it was just before the entry is merged says what it lies over. */
static void note_overlay(struct oracle *oracle, struct oracle_change *change,
                         const struct model_row *held, const struct model_row *winner,
                         int node)
{
    struct oracle_node *self = &oracle->nodes[node];

    if (model_version_compare(&held->version, &winner->version) != 0)
        oracle->tally->overlays++;
    if (!self->parked[change->table][change->key])
        return;
    oracle->tally->on_parked++;
    self->parked[change->table][change->key] = false;
    change->has_unseen = true;
    change->unseen_seq = winner->version.seq;
    for (int i = 0; i < oracle->node_count; i++) {
        if (oracle->nodes[i].id == winner->version.origin)
            change->unseen_node = i;
    }
}

/* All inserts and updates of a table by key, then its deletes; tables by name. */
static void collect(struct oracle *oracle, struct oracle_entry *entry,
                    const struct model_rows *rows)
{
    const struct oracle_node *node = &oracle->nodes[entry->node];
    struct model_rows index;

    oracle_index(oracle, &node->holds, &index);
    for (int pass = 0; pass < oracle->schema->table_count * 2; pass++) {
        int t = pass / 2;
        bool deletes = pass % 2 == 1;

        for (int k = 0; k < (int)MODEL_KEYS; k++) {
            const struct model_row *now = &rows->rows[t][k];
            struct model_row held = node->held.rows[t][k];

            if (now->live == deletes ||
                model_same_content(now, &held, oracle->schema->tables[t].column_count))
                continue;
            add_change(oracle, entry, t, k, now);
            note_overlay(oracle, &entry->changes[entry->change_count - 1], &held,
                         &index.rows[t][k], entry->node);
        }
    }
}

void oracle_base(struct oracle *oracle, int founder, uint64_t seq,
                 const struct model_rows *rows)
{
    struct oracle_entry *entry = add_entry(oracle);

    entry->node = founder;
    entry->seq = seq;
    collect(oracle, entry, rows);
    for (int i = 0; i < oracle->node_count; i++)
        oracle->nodes[i].held = oracle->nodes[founder].held;
}

bool oracle_capture(struct oracle *oracle, int node, const struct model_rows *rows,
                    uint64_t commit_us)
{
    struct oracle_node *self = &oracle->nodes[node];
    struct oracle_entry *entry = add_entry(oracle);

    entry->node = node;
    entry->seq = self->holds.of[node] + 1;
    entry->stamp_us = commit_us > self->clock_us ? commit_us : self->clock_us + 1;
    entry->context = self->applied;
    entry->context.of[node] = entry->seq - 1;
    collect(oracle, entry, rows);
    if (entry->change_count == 0) {
        oracle->entry_count--;
        return false;
    }
    oracle->tally->entries++;
    for (int i = 0; i < oracle->node_count; i++) {
        if (i != node && self->holds.of[i] > self->applied.of[i]) {
            oracle->tally->pending++;
            break;
        }
    }
    self->clock_us = entry->stamp_us;
    self->holds.of[node] = entry->seq;
    self->applied.of[node] = entry->seq;
    return true;
}

/* Whether what an entry's writer had seen is here, or comes in the same segment. */
static bool is_understood(const struct oracle_entry *entry,
                          const struct oracle_vector *holds,
                          const struct oracle_vector *from,
                          const struct oracle_vector *to)
{
    for (int i = 0; i < (int)ORACLE_NODES_MAX; i++) {
        bool brings = to->of[i] > from->of[i] && to->of[i] >= entry->context.of[i];

        if (entry->context.of[i] > holds->of[i] && !brings)
            return false;
    }
    return true;
}

bool oracle_receive(struct oracle *oracle, int node, const struct oracle_vector *from,
                    const struct oracle_vector *to)
{
    struct oracle_vector *holds = &oracle->nodes[node].holds;

    for (int i = 0; i < oracle->node_count; i++) {
        if (to->of[i] > from->of[i] && holds->of[i] < from->of[i])
            return false;
    }
    for (size_t e = 0; e < oracle->entry_count; e++) {
        const struct oracle_entry *entry = &oracle->entries[e];

        if (entry->seq > from->of[entry->node] && entry->seq <= to->of[entry->node] &&
            entry->seq > holds->of[entry->node] && !is_understood(entry, holds, from, to))
            return false;
    }
    for (int i = 0; i < oracle->node_count; i++) {
        if (to->of[i] > from->of[i] && to->of[i] > holds->of[i])
            holds->of[i] = to->of[i];
    }
    return true;
}

void oracle_index(const struct oracle *oracle, const struct oracle_vector *holds,
                  struct model_rows *out)
{
    memset(out, 0, sizeof *out);
    for (size_t e = 0; e < oracle->entry_count; e++) {
        const struct oracle_entry *entry = &oracle->entries[e];

        if (entry->seq > holds->of[entry->node])
            continue;
        for (int i = 0; i < entry->change_count; i++) {
            const struct oracle_change *change = &entry->changes[i];
            struct model_row *row = &out->rows[change->table][change->key];

            if (version_is_nothing(&row->version) ||
                model_version_compare(&change->row.version, &row->version) > 0)
                *row = change->row;
        }
    }
}

/* What became of a row between two applies, for the tally. */
static void note_fate(struct tally *tally, enum model_fate before, enum model_fate now)
{
    bool was_parked = before != FATE_DEAD && before != FATE_SHOWN;
    bool is_parked = now != FATE_DEAD && now != FATE_SHOWN;

    tally->parked += is_parked && !was_parked;
    tally->evicted += is_parked && before == FATE_SHOWN;
    tally->released += was_parked && now == FATE_SHOWN;
    tally->parent_parked += is_parked && !was_parked && now != FATE_TAKEN;
}

void oracle_apply(struct oracle *oracle, int node)
{
    struct oracle_node *self = &oracle->nodes[node];
    struct model_fates before = self->fates;

    self->applied = self->holds;
    for (size_t e = 0; e < oracle->entry_count; e++) {
        const struct oracle_entry *entry = &oracle->entries[e];

        if (entry->seq <= self->holds.of[entry->node] && entry->stamp_us > self->clock_us)
            self->clock_us = entry->stamp_us;
    }
    oracle_index(oracle, &self->holds, &self->held);
    model_shown(oracle->schema, &self->held, &self->fates);
    for (int t = 0; t < oracle->schema->table_count; t++) {
        for (int k = 0; k < (int)MODEL_KEYS; k++) {
            struct model_row *row = &self->held.rows[t][k];

            note_fate(oracle->tally, before.of[t][k], self->fates.of[t][k]);
            self->parked[t][k] = row->live && self->fates.of[t][k] != FATE_SHOWN;
            if (self->parked[t][k]) /* the database holds its absence */
                *row = (struct model_row){0};
        }
    }
}

/* Whether the writer of `later` had seen `earlier`, of the same row. */
static bool has_seen(const struct oracle_entry *later, const struct oracle_change *change,
                     const struct oracle_entry *earlier)
{
    if (change->has_unseen && change->unseen_node == earlier->node &&
        change->unseen_seq == earlier->seq)
        return false;
    return later->context.of[earlier->node] >= earlier->seq;
}

/* How a change fared against concurrent larger ones: whether one of them differs, and
 * whether one is equal. */
struct fared {
    bool lost;
    bool absorbed;
};

static struct fared compare_with_all(const struct oracle *oracle,
                                     const struct oracle_vector *holds,
                                     const struct oracle_entry *entry,
                                     const struct oracle_change *change)
{
    int columns = oracle->schema->tables[change->table].column_count;
    struct fared fared = {false, false};

    for (size_t e = 0; e < oracle->entry_count; e++) {
        const struct oracle_entry *other = &oracle->entries[e];

        if (other == entry || other->seq > holds->of[other->node])
            continue;
        for (int i = 0; i < other->change_count; i++) {
            const struct oracle_change *rival = &other->changes[i];
            bool same;

            if (rival->table != change->table || rival->key != change->key ||
                model_version_compare(&rival->row.version, &change->row.version) < 0 ||
                has_seen(other, rival, entry) || has_seen(entry, change, other))
                continue;
            same = model_same_content(&rival->row, &change->row, columns);
            fared.lost |= !same;
            fared.absorbed |= same;
        }
    }
    return fared;
}

bool oracle_is_loser(const struct oracle *oracle, const struct oracle_vector *holds,
                     const struct oracle_entry *entry, const struct oracle_change *change)
{
    return compare_with_all(oracle, holds, entry, change).lost;
}

void oracle_finish(struct oracle *oracle)
{
    for (size_t e = 0; e < oracle->entry_count; e++) {
        const struct oracle_entry *entry = &oracle->entries[e];

        for (int i = 0; i < entry->change_count; i++) {
            struct fared fared = compare_with_all(oracle, &oracle->nodes[0].holds, entry,
                                                  &entry->changes[i]);

            oracle->tally->conflicts += fared.lost;
            oracle->tally->absorbed += fared.absorbed;
        }
    }
}
