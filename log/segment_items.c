#include "log/segment_items.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void segment_items_release(struct segment_items *items)
{
    image_release(&items->image);
}

/* ---- changes */

static enum status find_definition(struct segment_origin *origin, struct store_txn *txn,
                                   uint32_t number, const struct definition **out,
                                   struct error *err)
{
    struct table table;
    enum status status;

    if (number > origin->stored_definitions) {
        uint32_t place = number - origin->stored_definitions - 1;

        if (place >= origin->definition_count) {
            return error_set(err, STATUS_CORRUPT,
                             "it names definition %" PRIu32
                             ", which its node has not logged before",
                             number);
        }
        *out = origin->definitions[place];
        return STATUS_OK;
    }
    status = tables_find(txn, origin->origin, number, &table, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT,
                         "store: definition %" PRIu32 " is not in it", number);
    if (status == STATUS_OK)
        *out = table.definition;
    return status;
}

static enum status check_image(struct segment_items *items, const struct change *change,
                               const struct definition *definition, struct error *err)
{
    struct bytes before = change->before;
    enum status status;

    assert(definition != NULL);
    status =
        change->op == CHANGE_DELETE
            ? image_decode_key(&items->image, definition, change->key, err)
            : image_decode(&items->image, change->image, definition, change->key, err);

    while (status == STATUS_OK && before.size > 0) {
        struct value value;
        uint32_t place;

        status = change_take_before(&before, &place, &value, err);
        if (status == STATUS_OK && place >= definition->stored_count)
            status = error_set(err, STATUS_CORRUPT, "%s: a value before is of no column",
                               definition->name);
    }
    return status;
}

/* A change may refer only to what its node can have seen: earlier changes of its own, and
 * entries that this segment or the store has. */
static bool is_seen(const struct segment_origins *origins, const struct version *version,
                    const struct version *own)
{
    if (version_compare(version, own) >= 0)
        return false;
    if (version->origin == own->origin && version->origin_seq == own->origin_seq)
        return version->place < own->place;
    return version->origin_seq <= segment_origins_available(origins, version->origin);
}

static enum status check_change(struct segment_items *items,
                                struct segment_origin *origin, struct store_txn *txn,
                                const struct version *own, struct bytes *piece,
                                struct error *err)
{
    const struct definition *definition = NULL;
    struct change change;
    enum status status = change_take(piece, &change, err);

    if (status != STATUS_OK)
        return status;
    if (change.has_born && !is_seen(items->origins, &change.born, own))
        return error_set(err, STATUS_CORRUPT,
                         "its row was born where it can't have been");
    if (change.has_unseen &&
        change.unseen_seq >
            segment_origins_available(items->origins, change.unseen_origin))
        return error_set(err, STATUS_CORRUPT, "it names an entry that nobody knows");
    status = find_definition(origin, txn, change.definition, &definition, err);
    if (status == STATUS_OK)
        status = check_image(items, &change, definition, err);
    return status;
}

/* ---- definitions and members */

static enum status check_definition(struct segment_origin *origin, struct bytes item,
                                    struct error *err)
{
    uint32_t count = origin->definition_count;
    struct definition *definition = NULL;
    enum status status = definition_decode(item, &definition, err);

    if (status != STATUS_OK)
        return status;
    if (definition->number != origin->stored_definitions + count + 1) {
        status = error_set(err, STATUS_CORRUPT,
                           "definition %" PRIu32 " comes where %" PRIu32 " should",
                           definition->number, origin->stored_definitions + count + 1);
    } else if (count == origin->definition_capacity) {
        uint32_t capacity = count == 0 ? 16 : count * 2;
        struct definition **definitions =
            realloc(origin->definitions, capacity * sizeof(void *));

        if (definitions == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "definitions: out of memory");
        else
            origin->definitions = definitions;
        if (definitions != NULL)
            origin->definition_capacity = capacity;
    }
    if (status == STATUS_OK) {
        origin->definitions[origin->definition_count++] = definition;
        definition = NULL;
    }
    definition_close(definition);
    return status;
}

/* The public key by which a node's heads are checked must never change. */
static enum status check_key(struct segment_items *items, struct store_txn *txn,
                             const struct member *member, struct error *err)
{
    const struct segment_origin *known =
        segment_origins_find(items->origins, member->node);
    const uint8_t *key = known != NULL && known->has_key ? known->public_key : NULL;
    struct member_record record;
    enum status status = STATUS_OK;

    if (key == NULL) {
        status = member_find(txn, member->node, &record, err);
        if (status == STATUS_OK)
            key = record.member.public_key;
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    if (status == STATUS_OK && key != NULL &&
        memcmp(key, member->public_key, PUBLIC_KEY_SIZE) != 0)
        return error_set(err, STATUS_CORRUPT, "it gives a member another key");
    return status;
}

static enum status check_member(struct segment_items *items,
                                struct segment_origin *origin, struct store_txn *txn,
                                const struct entry_header *header, struct bytes item,
                                struct error *err)
{
    struct member member;
    enum status status = member_decode(item, &member, err);

    if (status == STATUS_OK)
        status = check_key(items, txn, &member, err);
    if (status != STATUS_OK)
        return status;
    if ((member.event == MEMBER_JOINED) != (header->origin_seq == 1))
        return error_set(err, STATUS_CORRUPT, "a node joins by its first entry, once");
    if (member.event != MEMBER_JOINED)
        return STATUS_OK;
    if (member.node != header->origin)
        return error_set(err, STATUS_CORRUPT, "it lets another node join");
    origin->has_key = true;
    memcpy(origin->public_key, member.public_key, PUBLIC_KEY_SIZE);
    (void)snprintf(origin->name, sizeof origin->name, "%.*s", (int)member.name.size,
                   (const char *)member.name.data);
    return STATUS_OK;
}

enum status segment_items_check(struct segment_items *items, struct store_txn *txn,
                                const struct entry_header *header, struct bytes piece,
                                uint32_t index, uint32_t *count, struct error *err)
{
    struct segment_origin *origin = segment_origins_find(items->origins, header->origin);
    struct version own = {header->stamp_us, header->origin, header->origin_seq, index};
    enum status status = STATUS_OK;

    assert(origin != NULL);
    assert(origin->is_loaded);
    for (*count = 0; piece.size > 0 && status == STATUS_OK; ++*count, own.place++) {
        struct bytes item;

        if (own.place >= header->item_count)
            return error_set(err, STATUS_CORRUPT, "it has more items than it says");
        if (header->kind == ENTRY_CHANGES)
            status = check_change(items, origin, txn, &own, &piece, err);
        else if (!bytes_take_sized(&piece, &item))
            status = error_set(err, STATUS_CORRUPT, "an item is cut");
        else if (header->kind == ENTRY_TABLES)
            status = check_definition(origin, item, err);
        else
            status = check_member(items, origin, txn, header, item, err);
    }
    return status;
}
