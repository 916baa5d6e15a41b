#include "log/segment_plan.h"

#include "log/log_record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A walk over the log that decides how far each origin goes. */
struct planner {
    struct store_txn *txn;
    const struct version_vector *from;
    struct segment_ranges *ranges;
    uint64_t *at;      /* for each range: how far the walk has accepted it */
    bool *is_unsigned; /* for each range: its `at` is no signed head */
    size_t unsigned_count;
    uint64_t entries_max; /* 0: no limit */
    uint64_t entries;
};

enum status segment_plan_signed(struct store_txn *txn, uint64_t origin, uint64_t at_most,
                                uint64_t *origin_seq, struct error *err)
{
    uint8_t signature[SIGNATURE_SIZE];
    enum status status;

    *origin_seq = 0;
    if (origin == store_identity(store_of(txn))->node) {
        *origin_seq = at_most;
        return STATUS_OK;
    }
    if (at_most == 0)
        return STATUS_OK;
    status = log_signature_find(txn, origin, at_most, origin_seq, signature, err);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Every origin's signed entries that `from` lacks. *is_whole: nothing unsigned is left
 * out. */
static enum status plan_signed(struct store_txn *txn, const struct version_vector *from,
                               struct segment_ranges *ranges, bool *is_whole,
                               struct error *err)
{
    struct version_vector vector;
    enum status status;

    version_vector_init(&vector);
    *is_whole = true;
    ranges->count = 0;
    status = meta_get_vector(txn, META_VECTOR, &vector, err);
    for (size_t i = 0; i < vector.count && status == STATUS_OK; i++) {
        struct segment_range range = {.origin = vector.slots[i].origin};

        range.from = version_vector_get(from, range.origin);
        if (vector.slots[i].seq <= range.from)
            continue;
        status =
            segment_plan_signed(txn, range.origin, vector.slots[i].seq, &range.to, err);
        if (status == STATUS_OK && range.to < vector.slots[i].seq)
            *is_whole = false;
        if (status == STATUS_OK && range.to > range.from)
            status = segment_ranges_add(ranges, &range, err);
    }
    version_vector_release(&vector);
    return status;
}

/* The lowest seq of the ranges' entries; 0 when there are none. */
static enum status find_first(struct store_txn *txn, const struct segment_ranges *ranges,
                              uint64_t *first_seq, struct error *err)
{
    enum status status = STATUS_OK;

    *first_seq = 0;
    for (size_t i = 0; i < ranges->count && status == STATUS_OK; i++) {
        uint64_t seq = 0;

        status =
            log_find(txn, ranges->items[i].origin, ranges->items[i].from + 1, &seq, err);
        if (status == STATUS_NOT_FOUND) {
            status = error_set(err, STATUS_CORRUPT,
                               "store: an entry of an origin is not in the log: run "
                               "`rowferry verify`");
        }
        if (status == STATUS_OK && (*first_seq == 0 || seq < *first_seq))
            *first_seq = seq;
    }
    return status;
}

/* Whether the reader has all that the entry had seen. */
static bool is_covered(const struct planner *planner, struct bytes context,
                       struct version_vector *scratch, enum status *status,
                       struct error *err)
{
    scratch->count = 0;
    if (context.size > 0)
        *status = version_vector_take(&context, scratch, err);
    for (size_t i = 0; *status == STATUS_OK && i < scratch->count; i++) {
        const struct vector_slot *slot = &scratch->slots[i];
        const struct segment_range *range =
            segment_ranges_find(planner->ranges, slot->origin);

        if (version_vector_get(planner->from, slot->origin) >= slot->seq)
            continue;
        if (range == NULL || planner->at[range - planner->ranges->items] < slot->seq)
            return false;
    }
    return *status == STATUS_OK;
}

/* Whether this very entry is a signed head, or can be made one. */
static enum status is_head(struct store_txn *txn, uint64_t origin, uint64_t origin_seq,
                           bool *head, struct error *err)
{
    uint8_t key[ORIGIN_KEY_SIZE];
    struct bytes record = {0};
    enum status status = STATUS_OK;

    *head = origin == store_identity(store_of(txn))->node;
    if (*head)
        return STATUS_OK;
    status =
        store_get(txn, DBI_ORIGIN, origin_key(key, origin, origin_seq), &record, err);
    *head = record.size == 8 + SIGNATURE_SIZE;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status accept(struct planner *planner, size_t place, uint64_t origin_seq,
                          struct error *err)
{
    bool head = true;
    enum status status = STATUS_OK;

    planner->at[place] = origin_seq;
    planner->entries++;
    if (planner->entries_max > 0)
        status = is_head(planner->txn, planner->ranges->items[place].origin, origin_seq,
                         &head, err);
    if (status != STATUS_OK || planner->is_unsigned[place] == !head)
        return status;
    planner->is_unsigned[place] = !head;
    planner->unsigned_count += head ? (size_t)-1 : 1;
    return STATUS_OK;
}

/* Look at one entry. *cut: its origin had to be ended before it. */
static enum status visit(struct planner *planner, uint64_t seq,
                         struct version_vector *scratch, bool *cut, struct error *err)
{
    struct log_entry entry;
    struct segment_range *range;
    uint64_t origin_seq;
    size_t place;
    enum status status = log_get(planner->txn, seq, &entry, err);

    if (status != STATUS_OK)
        return status;
    range = segment_ranges_find(planner->ranges, entry.header.origin);
    origin_seq = entry.header.origin_seq;
    if (range == NULL || origin_seq <= range->from || origin_seq > range->to)
        return STATUS_OK;
    place = (size_t)(range - planner->ranges->items);
    if (is_covered(planner, entry.header.context, scratch, &status, err))
        return accept(planner, place, origin_seq, err);
    if (status != STATUS_OK)
        return status;
    *cut = true;
    status =
        segment_plan_signed(planner->txn, range->origin, origin_seq - 1, &range->to, err);
    if (status == STATUS_OK && range->to < range->from)
        range->to = range->from;
    return status;
}

/* One walk. *cut: a range became shorter, and what was accepted may depend on what it
 * lost. */
static enum status walk(struct planner *planner, uint64_t first_seq, uint64_t last_seq,
                        bool *cut, struct error *err)
{
    struct version_vector scratch;
    enum status status = STATUS_OK;

    assert(planner->at != NULL);
    assert(planner->is_unsigned != NULL);
    *cut = false;
    planner->entries = 0;
    planner->unsigned_count = 0;
    for (size_t i = 0; i < planner->ranges->count; i++) {
        planner->at[i] = planner->ranges->items[i].from;
        planner->is_unsigned[i] = false;
    }
    version_vector_init(&scratch);
    for (uint64_t seq = first_seq; seq <= last_seq && status == STATUS_OK; seq++) {
        if (planner->entries_max > 0 && planner->entries >= planner->entries_max &&
            planner->unsigned_count == 0 && !*cut) {
            for (size_t i = 0; i < planner->ranges->count; i++)
                planner->ranges->items[i].to = planner->at[i];
            break;
        }
        status = visit(planner, seq, &scratch, cut, err);
    }
    version_vector_release(&scratch);
    return status;
}

/* Walk until no range becomes shorter any more: each walk but the last shortens one. */
static enum status settle(struct store_txn *txn, const struct version_vector *from,
                          uint64_t entries_max, struct segment_ranges *ranges,
                          uint64_t first_seq, uint64_t last_seq, struct error *err)
{
    struct planner planner = {
        .txn = txn, .from = from, .ranges = ranges, .entries_max = entries_max};
    bool cut = true;
    size_t kept = 0;
    enum status status = STATUS_OK;

    planner.at = calloc(ranges->count, sizeof *planner.at);
    planner.is_unsigned = calloc(ranges->count, sizeof *planner.is_unsigned);
    if (planner.at == NULL || planner.is_unsigned == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "plan a segment: out of memory");
    while (cut && status == STATUS_OK)
        status = walk(&planner, first_seq, last_seq, &cut, err);
    free(planner.at);
    free(planner.is_unsigned);
    for (size_t i = 0; i < ranges->count; i++)
        if (ranges->items[i].to > ranges->items[i].from)
            ranges->items[kept++] = ranges->items[i];
    ranges->count = kept;
    return status;
}

/* The chain's hash where each range begins. */
static enum status fill_hashes(struct store_txn *txn, struct segment_ranges *ranges,
                               struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < ranges->count && status == STATUS_OK; i++) {
        struct segment_range *range = &ranges->items[i];
        struct log_entry entry;
        uint64_t seq = 0;

        if (range->from == 0)
            continue;
        status = log_find(txn, range->origin, range->from, &seq, err);
        if (status == STATUS_OK)
            status = log_get(txn, seq, &entry, err);
        if (status == STATUS_NOT_FOUND) {
            status = error_set(err, STATUS_CORRUPT,
                               "store: an entry of an origin is not in the log: run "
                               "`rowferry verify`");
        }
        if (status == STATUS_OK)
            memcpy(range->hash, entry.hash, HASH_SIZE);
    }
    return status;
}

enum status segment_plan_make(struct store_txn *txn, const struct version_vector *from,
                              uint64_t entries_max, struct segment_ranges *ranges,
                              uint64_t *first_seq, uint64_t *last_seq, struct error *err)
{
    bool is_whole = true;
    enum status status = plan_signed(txn, from, ranges, &is_whole, err);

    *first_seq = 0;
    *last_seq = 0;
    if (status == STATUS_OK)
        status = meta_get(txn, META_LAST_SEQ, last_seq, err);
    if (status == STATUS_OK)
        status = find_first(txn, ranges, first_seq, err);
    if (status == STATUS_OK && ranges->count > 0 && (!is_whole || entries_max > 0)) {
        status = settle(txn, from, entries_max, ranges, *first_seq, *last_seq, err);
        if (status == STATUS_OK)
            status = find_first(txn, ranges, first_seq, err);
    }
    if (status == STATUS_OK)
        status = fill_hashes(txn, ranges, err);
    return status;
}

enum status segment_plan(struct store *store, const struct version_vector *from,
                         uint64_t entries_max, struct segment_ranges *ranges,
                         struct error *err)
{
    struct store_txn *txn = NULL;
    uint64_t first_seq;
    uint64_t last_seq;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status =
            segment_plan_make(txn, from, entries_max, ranges, &first_seq, &last_seq, err);
    store_abort(txn);
    return status;
}
