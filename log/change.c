#include "log/change.h"

#include "log/definition.h"

#include <assert.h>

enum {
    OP_MASK = 0x03,
    FLAG_BORN = 0x04,
    FLAG_UNSEEN = 0x08,
    FLAGS_KNOWN = OP_MASK | FLAG_BORN | FLAG_UNSEEN,
};

/* What is wrong with a change, or NULL: what the encoder asserts and the decoder refuses.
 */
static const char *find_fault(const struct change *change)
{
    if (change->op < CHANGE_INSERT || change->op > CHANGE_DELETE)
        return "its operation is unknown";
    if (change->definition == 0)
        return "it names no definition";
    if (change->key.size == 0)
        return "it has no key";
    if (change->has_born && version_is_nothing(&change->born))
        return "born is nothing";
    if (change->has_unseen && (change->unseen_origin == 0 || change->unseen_seq == 0))
        return "unseen is nothing";
    if ((change->op == CHANGE_DELETE) != (change->image.size == 0))
        return "its image does not fit its operation";
    if (change->op == CHANGE_INSERT && change->before.size > 0)
        return "an insert has values before";
    return NULL;
}

enum status change_take_before(struct bytes *before, uint32_t *place, struct value *out,
                               struct error *err)
{
    struct bytes rest = *before;
    uint64_t taken;
    enum status status;

    if (!bytes_take_varint(&rest, &taken) || taken >= DEFINITION_COLUMNS_MAX)
        return error_set(err, STATUS_CORRUPT, "a column before has no place");
    status = value_take(&rest, out, err);
    if (status != STATUS_OK)
        return error_wrap(err, status, "a value before");
    *before = rest;
    *place = (uint32_t)taken;
    return STATUS_OK;
}

static enum status check_before(struct bytes before, struct error *err)
{
    uint32_t place = 0;
    uint32_t least = 0;
    struct value value;
    enum status status;

    while (before.size > 0) {
        status = change_take_before(&before, &place, &value, err);
        if (status != STATUS_OK)
            return status;
        if (place < least)
            return error_set(err, STATUS_CORRUPT, "the columns before do not ascend");
        least = place + 1;
    }
    return STATUS_OK;
}

static size_t version_size(const struct version *version)
{
    return varint_size(version->stamp_us) + 8 + varint_size(version->origin_seq) +
           varint_size(version->place);
}

static size_t sized_size(struct bytes bytes)
{
    return varint_size(bytes.size) + bytes.size;
}

/* Without the size itself. */
static size_t content_size(const struct change *change)
{
    size_t size = 1 + varint_size(change->definition) + sized_size(change->key) +
                  sized_size(change->image) + change->before.size;

    if (change->has_born)
        size += version_size(&change->born);
    if (change->has_unseen)
        size += 8 + varint_size(change->unseen_seq);
    return size;
}

/* A change's bytes, one item of a body.
 *
 *  size      field
 *  varint    size        of all that follows
 *  1         flags       bits 0-1: 1 insert, 2 update, 3 delete; bit 2: has born;
 *                        bit 3: has unseen; the others 0
 *  varint    definition  the origin's number, 1 to 2^32 - 1
 *  sized     key         not empty (row_key.h)
 *  version   born        only with bit 2; not the version of nothing
 *  8         unseen      only with bit 3: the origin, at least 1
 *  varint                and its number, at least 1
 *  sized     image       empty if and only if a delete (image.h)
 *  the rest  before      for each column, ascending: place in the image, a varint below
 *                        32767, then the value; empty for an insert
 */
void change_put(struct buffer *out, const struct change *change)
{
    size_t size = content_size(change);
    size_t start;

    assert(find_fault(change) == NULL);
    buffer_put_varint(out, size);
    start = out->size;
    buffer_put(out,
               (uint64_t)change->op | (change->has_born ? FLAG_BORN : 0) |
                   (change->has_unseen ? FLAG_UNSEEN : 0),
               1);
    buffer_put_varint(out, change->definition);
    buffer_put_sized(out, change->key);
    if (change->has_born)
        version_put(out, &change->born);
    if (change->has_unseen) {
        buffer_put(out, change->unseen_origin, 8);
        buffer_put_varint(out, change->unseen_seq);
    }
    buffer_put_sized(out, change->image);
    buffer_put_bytes(out, change->before);
    assert(out->failed || out->size - start == size);
}

/* Flags and definition. */
static bool take_head(struct bytes *in, struct change *out)
{
    uint64_t flags;
    uint64_t definition;

    if (!bytes_take(in, 1, &flags) || (flags & ~(uint64_t)FLAGS_KNOWN) != 0 ||
        !bytes_take_varint(in, &definition) || definition > UINT32_MAX)
        return false;
    out->op = (enum change_op)(flags & OP_MASK);
    out->has_born = (flags & FLAG_BORN) != 0;
    out->has_unseen = (flags & FLAG_UNSEEN) != 0;
    out->definition = (uint32_t)definition;
    return true;
}

enum status change_take(struct bytes *in, struct change *out, struct error *err)
{
    struct bytes rest = *in;
    struct change change = {0};
    struct bytes item;
    const char *fault;
    enum status status;

    if (!bytes_take_sized(&rest, &item))
        return error_set(err, STATUS_CORRUPT, "a change is cut");
    if (!take_head(&item, &change) || !bytes_take_sized(&item, &change.key) ||
        (change.has_born && !version_take(&item, &change.born)) ||
        (change.has_unseen && (!bytes_take(&item, 8, &change.unseen_origin) ||
                               !bytes_take_varint(&item, &change.unseen_seq))) ||
        !bytes_take_sized(&item, &change.image))
        return error_set(err, STATUS_CORRUPT, "a change does not decode");
    if (change.image.size == 0)
        change.image.data = NULL; /* "no row" to image_same_content() */
    if (item.size > 0)
        change.before = item;
    fault = find_fault(&change);
    if (fault != NULL)
        return error_set(err, STATUS_CORRUPT, "a change: %s", fault);
    status = check_before(change.before, err);
    if (status != STATUS_OK)
        return status;
    *in = rest;
    *out = change;
    return STATUS_OK;
}
