#include "node/members.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    struct members *members;
    size_t capacity;
    bool failed;
};

static bool take_member(void *data, const struct member_record *record)
{
    struct reading *reading = data;
    struct members *members = reading->members;
    struct member_name *grown, *added;
    struct bytes name = record->member.name;

    if (members->count == reading->capacity) {
        reading->capacity = reading->capacity == 0 ? 8 : 2 * reading->capacity;
        grown = realloc(members->list, reading->capacity * sizeof *grown);
        if (grown == NULL) {
            reading->failed = true;
            return false;
        }
        members->list = grown;
    }
    added = &members->list[members->count++];
    *added = (struct member_name){
        .node = record->member.node,
        .forgotten = record->member.event == MEMBER_FORGOTTEN,
        .is_postgres = record->member.engine == MEMBER_POSTGRES,
        .seq = record->seq,
    };
    memcpy(added->name, name.data, name.size < NODE_NAME_MAX ? name.size : NODE_NAME_MAX);
    return true;
}

enum status members_read(struct members *members, struct store_txn *txn,
                         struct error *err)
{
    struct reading reading = {.members = members};
    enum status status;

    *members = (struct members){0};
    status = members_visit(txn, take_member, &reading, err);
    if (status == STATUS_OK && reading.failed)
        status = error_set(err, STATUS_NO_MEMORY, "members: out of memory");
    return status;
}

void members_release(struct members *members)
{
    free(members->list);
    *members = (struct members){0};
}

const struct member_name *members_get(const struct members *members, uint64_t node)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->list[i].node == node)
            return &members->list[i];
    }
    return NULL;
}

enum status members_find(const struct members *members, const char *what,
                         const char *text, uint64_t *node, struct error *err)
{
    char id[NODE_ID_TEXT_SIZE];
    size_t matches = 0;

    for (size_t i = 0; i < members->count; i++) {
        node_id_text(members->list[i].node, id);
        if (strcmp(id, text) == 0) {
            *node = members->list[i].node;
            return STATUS_OK;
        }
    }
    for (size_t i = 0; i < members->count; i++) {
        if (strcmp(members->list[i].name, text) == 0) {
            *node = members->list[i].node;
            matches++;
        }
    }
    if (matches == 0) {
        return error_set(err, STATUS_NOT_FOUND,
                         "%s %s: no such member; `rowferry peers` lists them", what,
                         text);
    }
    if (matches > 1) {
        return error_set(
            err, STATUS_USAGE,
            "%s %s: %zu members have this name: give the id, `rowferry peers` lists them",
            what, text, matches);
    }
    return STATUS_OK;
}
