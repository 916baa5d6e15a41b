#include "log/version_vector.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SLOT_SIZE_MIN = 9, SLOTS_MIN = 4 };

void version_vector_init(struct version_vector *vector)
{
    *vector = (struct version_vector){0};
}

void version_vector_release(struct version_vector *vector)
{
    free(vector->slots);
    version_vector_init(vector);
}

/* The first slot whose origin is not below origin; count when there is none. */
static size_t find_place(const struct version_vector *vector, uint64_t origin)
{
    size_t low = 0;
    size_t high = vector->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (vector->slots[middle].origin < origin)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t version_vector_get(const struct version_vector *vector, uint64_t origin)
{
    size_t place = find_place(vector, origin);

    if (place == vector->count || vector->slots[place].origin != origin)
        return 0;
    return vector->slots[place].seq;
}

static enum status reserve(struct version_vector *vector, size_t count, struct error *err)
{
    size_t capacity = vector->capacity < SLOTS_MIN ? SLOTS_MIN : vector->capacity;
    struct vector_slot *slots;

    if (count > VERSION_VECTOR_ORIGINS_MAX)
        return error_set(err, STATUS_REFUSED, "a fleet has at most %d nodes",
                         VERSION_VECTOR_ORIGINS_MAX);
    if (count <= vector->capacity)
        return STATUS_OK;
    while (capacity < count)
        capacity *= 2;
    slots = realloc(vector->slots, capacity * sizeof *slots);
    if (slots == NULL)
        return error_set(err, STATUS_NO_MEMORY, "version vector of %zu: out of memory",
                         count);
    vector->slots = slots;
    vector->capacity = capacity;
    return STATUS_OK;
}

static void remove_place(struct version_vector *vector, size_t place)
{
    size_t after = vector->count - place - 1;

    memmove(vector->slots + place, vector->slots + place + 1,
            after * sizeof *vector->slots);
    vector->count--;
}

enum status version_vector_set(struct version_vector *vector, uint64_t origin,
                               uint64_t seq, struct error *err)
{
    size_t place = find_place(vector, origin);
    bool found = place < vector->count && vector->slots[place].origin == origin;
    enum status status;

    assert(origin != 0);
    if (found && seq == 0) {
        remove_place(vector, place);
        return STATUS_OK;
    }
    if (seq == 0)
        return STATUS_OK;
    if (!found) {
        status = reserve(vector, vector->count + 1, err);
        if (status != STATUS_OK)
            return status;
        memmove(vector->slots + place + 1, vector->slots + place,
                (vector->count - place) * sizeof *vector->slots);
        vector->count++;
    }
    vector->slots[place] = (struct vector_slot){origin, seq};
    return STATUS_OK;
}

/* How many of other's origins vector does not have. */
static size_t count_missing(const struct version_vector *vector,
                            const struct version_vector *other)
{
    size_t missing = 0;

    for (size_t i = 0, j = 0; j < other->count; j++) {
        while (i < vector->count && vector->slots[i].origin < other->slots[j].origin)
            i++;
        if (i == vector->count || vector->slots[i].origin != other->slots[j].origin)
            missing++;
    }
    return missing;
}

enum status version_vector_merge(struct version_vector *vector,
                                 const struct version_vector *other, struct error *err)
{
    size_t missing = count_missing(vector, other);
    enum status status = reserve(vector, vector->count + missing, err);
    size_t i = vector->count;

    if (status != STATUS_OK)
        return status;
    vector->count += missing;
    /* From the back, so that every slot moves once and none is overwritten unread. */
    for (size_t j = other->count, k = vector->count; j > 0;) {
        const struct vector_slot *slot = &other->slots[j - 1];

        if (i > 0 && vector->slots[i - 1].origin > slot->origin) {
            vector->slots[--k] = vector->slots[--i];
            continue;
        }
        k--;
        j--;
        if (i > 0 && vector->slots[i - 1].origin == slot->origin) {
            i--;
            vector->slots[k] = vector->slots[i];
            if (vector->slots[k].seq < slot->seq)
                vector->slots[k].seq = slot->seq;
        } else {
            vector->slots[k] = *slot;
        }
    }
    return STATUS_OK;
}

enum status version_vector_copy(struct version_vector *out,
                                const struct version_vector *from, struct error *err)
{
    enum status status = reserve(out, from->count, err);

    if (status != STATUS_OK)
        return status;
    if (from->count > 0)
        memmove(out->slots, from->slots, from->count * sizeof *out->slots);
    out->count = from->count;
    return STATUS_OK;
}

bool version_vector_covers(const struct version_vector *a, const struct version_vector *b)
{
    for (size_t i = 0, j = 0; j < b->count; j++) {
        while (i < a->count && a->slots[i].origin < b->slots[j].origin)
            i++;
        if (i == a->count || a->slots[i].origin != b->slots[j].origin ||
            a->slots[i].seq < b->slots[j].seq)
            return false;
    }
    return true;
}

bool version_vector_equal(const struct version_vector *a, const struct version_vector *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->slots[i].origin != b->slots[i].origin ||
            a->slots[i].seq != b->slots[i].seq)
            return false;
    }
    return true;
}

enum status version_vector_delta(struct version_vector *out,
                                 const struct version_vector *before,
                                 const struct version_vector *now, struct error *err)
{
    enum status status;

    assert(out != before);
    assert(out != now);
    assert(version_vector_covers(now, before));
    status = reserve(out, now->count, err);
    if (status != STATUS_OK)
        return status;
    out->count = 0;
    for (size_t i = 0, j = 0; i < now->count; i++) {
        while (j < before->count && before->slots[j].origin < now->slots[i].origin)
            j++;
        if (j == before->count || before->slots[j].origin != now->slots[i].origin ||
            before->slots[j].seq != now->slots[i].seq)
            out->slots[out->count++] = now->slots[i];
    }
    return STATUS_OK;
}

/* A version vector's bytes.
 *
 *  size    field
 *  varint  count       at most 65536
 *          then for each origin, ascending:
 *  8       origin      at least 1
 *  varint  origin_seq  at least 1
 */
void version_vector_put(struct buffer *out, const struct version_vector *vector)
{
    assert(vector->count <= VERSION_VECTOR_ORIGINS_MAX);
    buffer_put_varint(out, vector->count);
    for (size_t i = 0; i < vector->count; i++) {
        assert(vector->slots[i].origin > (i == 0 ? 0 : vector->slots[i - 1].origin));
        assert(vector->slots[i].seq > 0);
        buffer_put(out, vector->slots[i].origin, 8);
        buffer_put_varint(out, vector->slots[i].seq);
    }
}

static bool take_count(struct bytes *in, size_t *count)
{
    uint64_t value;

    if (!bytes_take_varint(in, &value) || value > VERSION_VECTOR_ORIGINS_MAX ||
        value > in->size / SLOT_SIZE_MIN)
        return false;
    *count = (size_t)value;
    return true;
}

/* last is the origin before, 0 at first. */
static bool take_slot(struct bytes *in, uint64_t last, struct vector_slot *out)
{
    return bytes_take(in, 8, &out->origin) && out->origin > last &&
           bytes_take_varint(in, &out->seq) && out->seq > 0;
}

bool version_vector_take_view(struct bytes *in, struct bytes *out)
{
    struct bytes rest = *in;
    struct vector_slot slot = {0};
    size_t count;

    if (!take_count(&rest, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!take_slot(&rest, slot.origin, &slot))
            return false;
    *out = (struct bytes){in->data, in->size - rest.size};
    *in = rest;
    return true;
}

uint64_t version_vector_view_get(struct bytes view, uint64_t origin)
{
    struct vector_slot slot = {0};
    size_t count;

    if (!take_count(&view, &count))
        return 0;
    for (size_t i = 0; i < count && slot.origin < origin; i++)
        if (!take_slot(&view, slot.origin, &slot))
            return 0;
    return slot.origin == origin ? slot.seq : 0;
}

enum status version_vector_take(struct bytes *in, struct version_vector *out,
                                struct error *err)
{
    struct bytes rest = *in;
    struct bytes view;
    enum status status;
    size_t count;

    if (!version_vector_take_view(&rest, &view) || !take_count(&view, &count))
        return error_set(err, STATUS_CORRUPT, "a version vector does not decode");
    status = reserve(out, count, err);
    if (status != STATUS_OK)
        return status;
    out->count = 0;
    for (uint64_t last = 0; out->count < count; out->count++) {
        bool whole = take_slot(&view, last, &out->slots[out->count]);

        assert(whole); /* the view has been checked */
        last = out->slots[out->count].origin;
    }
    *in = rest;
    return STATUS_OK;
}
