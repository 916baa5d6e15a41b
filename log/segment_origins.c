#include "log/segment_origins.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void segment_origins_release(struct segment_origins *origins)
{
    for (size_t i = 0; i < origins->count; i++) {
        struct segment_origin *origin = &origins->items[i];

        version_vector_release(&origin->context);
        for (uint32_t j = 0; j < origin->definition_count; j++)
            definition_close(origin->definitions[j]);
        free(origin->definitions);
    }
    free(origins->items);
    version_vector_release(&origins->vector);
    *origins = (struct segment_origins){0};
}

struct segment_origin *segment_origins_find(const struct segment_origins *origins,
                                            uint64_t origin)
{
    size_t low = 0;
    size_t high = origins->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (origins->items[middle].origin < origin)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == origins->count || origins->items[low].origin != origin)
        return NULL;
    return &origins->items[low];
}

uint64_t segment_origins_available(const struct segment_origins *origins, uint64_t origin)
{
    const struct segment_origin *found = segment_origins_find(origins, origin);

    if (found == NULL)
        return version_vector_get(&origins->vector, origin);
    return found->at > found->held ? found->at : found->held;
}

uint64_t segment_origins_accepted(const struct segment_origins *origins, uint64_t origin)
{
    const struct segment_origin *found = segment_origins_find(origins, origin);

    if (found == NULL)
        return version_vector_get(&origins->vector, origin);
    return found->accepted;
}

/* ---- messages */

void segment_origins_label(const struct segment_origins *origins, struct store_txn *txn,
                           uint64_t node, char out[NODE_LABEL_SIZE])
{
    const struct segment_origin *found = segment_origins_find(origins, node);
    struct error ignored; /* a name is an extra: the id says which node */
    struct member_record member;
    char id[NODE_ID_TEXT_SIZE];

    node_id_text(node, id);
    if (found != NULL && found->name[0] != '\0')
        (void)snprintf(out, NODE_LABEL_SIZE, "node %s (%s)", id, found->name);
    else if (member_find(txn, node, &member, &ignored) == STATUS_OK) {
        (void)snprintf(out, NODE_LABEL_SIZE, "node %s (%.*s)", id,
                       (int)member.member.name.size,
                       (const char *)member.member.name.data);
    } else {
        (void)snprintf(out, NODE_LABEL_SIZE, "node %s", id);
    }
}

enum status segment_missing(const char *name, const char *label, uint64_t first,
                            uint64_t last, enum refusal *refusal, struct error *err)
{
    *refusal = REFUSAL_MISSING;
    if (first == last) {
        return error_set(err, STATUS_REFUSED,
                         "segment %s must wait: entry %" PRIu64
                         " of %s is missing: meet a node that has it",
                         name, first, label);
    }
    return error_set(err, STATUS_REFUSED,
                     "segment %s must wait: entries %" PRIu64 "..%" PRIu64
                     " of %s are missing: meet a node that has them",
                     name, first, last, label);
}

enum status segment_fork(const char *name, const char *label, uint64_t origin_seq,
                         bool own, enum refusal *refusal, struct error *err)
{
    *refusal = REFUSAL_FORK;
    if (own) {
        return error_set(
            err, STATUS_REFUSED,
            "segment %s has an entry %" PRIu64
            " of this node that is not in its store: the store came back from "
            "a backup, or a copy of it is in use: bring back the newer one, "
            "or " STORE_JOIN_ANEW,
            name, origin_seq);
    }
    return error_set(
        err, STATUS_REFUSED,
        "segment %s: %s has two histories, its entry %" PRIu64
        " is not the one held here: one of its stores is a copy or came back "
        "from a backup; bring back the newer one there, or " STORE_JOIN_ANEW,
        name, label, origin_seq);
}

/* ---- beginning */

/* Whether the chain that the segment goes on with is the one that is held here. */
static enum status check_start(struct segment_origins *origins, struct store_txn *txn,
                               const struct segment_range *range, const char *name,
                               enum refusal *refusal, struct error *err)
{
    uint64_t own = store_identity(store_of(txn))->node;
    char label[NODE_LABEL_SIZE];
    struct log_entry entry;
    uint64_t held = version_vector_get(&origins->vector, range->origin);
    uint64_t seq;
    enum status status;

    segment_origins_label(origins, txn, range->origin, label);
    if (range->origin == own && range->to > held)
        return segment_fork(name, label, held + 1, true, refusal, err);
    if (range->from > held)
        return segment_missing(name, label, held + 1, range->from, refusal, err);
    if (range->from == 0)
        return STATUS_OK;
    status = log_find(txn, range->origin, range->from, &seq, err);
    if (status == STATUS_OK)
        status = log_get(txn, seq, &entry, err);
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_CORRUPT,
                         "store: entry %" PRIu64
                         " of %s is not in the log: run `rowferry verify`",
                         range->from, label);
    }
    if (status == STATUS_OK && memcmp(entry.hash, range->hash, HASH_SIZE) != 0)
        return segment_fork(name, label, range->from, range->origin == own, refusal, err);
    return status;
}

static enum status begin_origin(struct segment_origins *origins, struct store_txn *txn,
                                const struct segment_range *range, struct error *err)
{
    struct segment_origin *origin = &origins->items[origins->count];
    struct member_record member;
    enum status status;

    *origin = (struct segment_origin){
        .origin = range->origin,
        .from = range->from,
        .to = range->to,
        .held = version_vector_get(&origins->vector, range->origin),
        .at = range->from,
    };
    origin->accepted = origin->held;
    memcpy(origin->hash, range->hash, HASH_SIZE);
    origins->count++;
    status = member_find(txn, range->origin, &member, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status != STATUS_OK)
        return status;
    origin->has_key = true;
    memcpy(origin->public_key, member.member.public_key, PUBLIC_KEY_SIZE);
    (void)snprintf(origin->name, sizeof origin->name, "%.*s",
                   (int)member.member.name.size, (const char *)member.member.name.data);
    return STATUS_OK;
}

enum status segment_origins_init(struct segment_origins *origins, struct store_txn *txn,
                                 const struct segment_ranges *ranges, const char *name,
                                 enum refusal *refusal, struct error *err)
{
    enum status status = meta_get_vector(txn, META_VECTOR, &origins->vector, err);

    if (status != STATUS_OK)
        return status;
    origins->items = calloc(ranges->count + 1, sizeof *origins->items);
    if (origins->items == NULL)
        return error_set(err, STATUS_NO_MEMORY, "check a segment: out of memory");
    for (size_t i = 0; i < ranges->count && status == STATUS_OK; i++)
        status = begin_origin(origins, txn, &ranges->items[i], err);
    for (size_t i = 0; i < ranges->count && status == STATUS_OK; i++)
        status = check_start(origins, txn, &ranges->items[i], name, refusal, err);
    return status;
}

enum status segment_origins_load(struct segment_origin *origin, struct store_txn *txn,
                                 struct error *err)
{
    struct log_entry entry;
    uint64_t seq;
    enum status status;

    if (origin->is_loaded)
        return STATUS_OK;
    status = log_head_context(txn, origin->origin, &origin->context, err);
    if (status == STATUS_OK)
        status = tables_highest(txn, origin->origin, &origin->stored_definitions, err);
    if (status == STATUS_OK)
        status = log_find(txn, origin->origin, origin->held, &seq, err);
    if (status == STATUS_OK)
        status = log_get(txn, seq, &entry, err);
    if (status == STATUS_OK)
        origin->stamp_us =
            entry.header.stamp_us; /* 0 of a base entry: nothing to compare */
    origin->is_loaded = status == STATUS_OK || status == STATUS_NOT_FOUND;
    return origin->is_loaded ? STATUS_OK : status;
}
