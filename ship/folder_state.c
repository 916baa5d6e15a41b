#include "ship/folder_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED_MIN = 16, LISTED_SIZE_MIN = 3 };

void folder_state_init(struct folder_state *state)
{
    *state = (struct folder_state){0};
}

void folder_state_release(struct folder_state *state)
{
    acknowledgement_release(&state->ack);
    for (size_t i = 0; i < state->listed_count; i++)
        segment_ranges_release(&state->listed[i].ranges);
    free(state->listed);
    folder_state_init(state);
}

/* Make room for one more and count it, all zero. NULL: out of memory. */
static struct folder_listed *add_listed(struct folder_state *state, struct error *err)
{
    size_t capacity =
        state->listed_capacity == 0 ? LISTED_MIN : state->listed_capacity * 2;
    struct folder_listed *listed = state->listed;

    if (state->listed_count == state->listed_capacity) {
        listed = realloc(listed, capacity * sizeof *listed);
        if (listed == NULL) {
            (void)error_set(err, STATUS_NO_MEMORY, "list of segments: out of memory");
            return NULL;
        }
        state->listed = listed;
        state->listed_capacity = capacity;
    }
    listed += state->listed_count++;
    *listed = (struct folder_listed){0};
    return listed;
}

enum status folder_state_list(struct folder_state *state, uint64_t number, uint64_t size,
                              const struct segment_ranges *ranges, struct error *err)
{
    struct folder_listed *listed;

    assert(state->listed_count == 0 ||
           state->listed[state->listed_count - 1].number < number);
    listed = add_listed(state, err);
    if (listed == NULL)
        return STATUS_NO_MEMORY;
    listed->number = number;
    listed->size = size;
    return segment_ranges_copy(&listed->ranges, ranges, err);
}

/* A state file's content.
 *
 *  size    field
 *  8       node     at least 1
 *  sized   name     1 to 255 bytes of UTF-8
 *  sized   ack      the node's acknowledgement (acknowledgement.c)
 *  varint  count of its segments in this folder, then each, ascending by number:
 *  varint  number   at least 1
 *  varint  size     of the whole file, in bytes
 *  ranges  ranges   without hashes (segment_ranges.c); at least one
 */
void folder_state_encode(struct buffer *out, const struct folder_state *state)
{
    struct buffer ack = {0};
    uint64_t last = 0;

    assert(state->node != 0);
    assert(state->node == state->ack.node);
    assert(state->name[0] != '\0');
    acknowledgement_put(&ack, &state->ack);
    buffer_put(out, state->node, 8);
    buffer_put_sized(out, bytes_of_text(state->name));
    buffer_put_sized(out, buffer_view(&ack));
    buffer_put_varint(out, state->listed_count);
    for (size_t i = 0; i < state->listed_count; i++) {
        const struct folder_listed *listed = &state->listed[i];

        assert(listed->number > last);
        assert(listed->ranges.count > 0);
        last = listed->number;
        buffer_put_varint(out, listed->number);
        buffer_put_varint(out, listed->size);
        segment_ranges_put(out, &listed->ranges, false);
    }
    out->failed = out->failed || ack.failed;
    buffer_release(&ack);
}

static bool take_name(struct bytes *in, char out[NODE_NAME_MAX + 1])
{
    struct bytes name;

    if (!bytes_take_sized(in, &name) || name.size == 0 || name.size > NODE_NAME_MAX ||
        !bytes_are_utf8(name))
        return false;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < 0x20 || name.data[i] == 0x7f)
            return false;
    memcpy(out, name.data, name.size);
    out[name.size] = '\0';
    return true;
}

static enum status take_listed(struct bytes *in, struct folder_state *out, uint64_t count,
                               struct error *err)
{
    uint64_t last = 0;

    for (uint64_t i = 0; i < count; i++) {
        struct folder_listed *listed = add_listed(out, err);
        enum status status;

        if (listed == NULL)
            return STATUS_NO_MEMORY;
        if (!bytes_take_varint(in, &listed->number) || listed->number <= last ||
            !bytes_take_varint(in, &listed->size))
            return error_set(err, STATUS_CORRUPT, "its list of segments does not decode");
        last = listed->number;
        status = segment_ranges_take(in, &listed->ranges, false, err);
        if (status != STATUS_OK)
            return status;
        if (listed->ranges.count == 0)
            return error_set(err, STATUS_CORRUPT, "it lists a segment without entries");
    }
    return STATUS_OK;
}

enum status folder_state_decode(struct bytes in, struct folder_state *out,
                                struct error *err)
{
    struct bytes ack;
    uint64_t count;
    enum status status;

    folder_state_release(out);
    if (!bytes_take(&in, 8, &out->node) || out->node == 0 || !take_name(&in, out->name) ||
        !bytes_take_sized(&in, &ack))
        return error_set(err, STATUS_CORRUPT, "its beginning does not decode");
    status = acknowledgement_take(&ack, &out->ack, err);
    if (status != STATUS_OK)
        return status;
    if (ack.size > 0 || out->ack.node != out->node)
        return error_set(err, STATUS_CORRUPT, "its acknowledgement is not its node's");
    if (!bytes_take_varint(&in, &count) || count > FOLDER_SEGMENTS_MAX ||
        count > in.size / LISTED_SIZE_MIN)
        return error_set(err, STATUS_CORRUPT, "its list of segments does not decode");
    status = take_listed(&in, out, count, err);
    if (status == STATUS_OK && in.size > 0)
        status = error_set(err, STATUS_CORRUPT, "bytes follow its list of segments");
    return status;
}
