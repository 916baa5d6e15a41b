#include "log/entry.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

enum { MEMBER_FORMAT = 1, MEMBER_NAME_MAX = 255, ITEM_SIZE_MIN = 2 };

static bool take_field(struct bytes *in, uint64_t *tag, struct bytes *value)
{
    return bytes_take_varint(in, tag) && *tag > 0 && bytes_take_sized(in, value);
}

/* False when fields are not whole, or not ascending by tag. */
static bool count_fields(struct bytes fields, uint64_t *count, uint64_t *last)
{
    *count = 0;
    *last = 0;
    while (fields.size > 0) {
        struct bytes value;
        uint64_t tag;

        if (!take_field(&fields, &tag, &value) || tag <= *last)
            return false;
        *last = tag;
        ++*count;
    }
    return true;
}

void entry_field_put(struct buffer *fields, enum entry_field tag, struct bytes value)
{
    uint64_t count;
    uint64_t last;
    bool whole;

    if (fields->failed)
        return;
    whole = count_fields(buffer_view(fields), &count, &last);
    assert(whole);
    assert((uint64_t)tag > last);
    buffer_put_varint(fields, tag);
    buffer_put_sized(fields, value);
}

bool entry_field_find(struct bytes fields, enum entry_field tag, struct bytes *value)
{
    uint64_t found;
    struct bytes content;

    while (take_field(&fields, &found, &content)) {
        if (found != (uint64_t)tag)
            continue;
        *value = content;
        return true;
    }
    return false;
}

/* What is wrong with a header's values, or NULL: what the encoder asserts and the decoder
 * refuses. */
static const char *find_fault(const struct entry_header *header)
{
    bool empty_context = header->context.size == 0 ||
                         (header->context.size == 1 && header->context.data[0] == 0);

    if (header->kind < ENTRY_CHANGES || header->kind > ENTRY_MEMBER)
        return "its kind is unknown";
    if ((header->flags & ~(ENTRY_PARTIAL | ENTRY_BASE)) != 0)
        return "a flag is unknown";
    if (header->flags != 0 && header->kind != ENTRY_CHANGES)
        return "its flags do not fit its kind";
    if (header->origin == 0 || header->origin_seq == 0)
        return "it has no origin or no number";
    if ((header->flags & ENTRY_BASE) != 0 && (header->stamp_us != 0 || !empty_context))
        return "base rows have a timestamp or a context";
    if (header->item_count == 0 && header->body_size != 0)
        return "its body has no items";
    if (header->item_count > header->body_size / ITEM_SIZE_MIN)
        return "its items do not fit its body";
    if (header->kind == ENTRY_MEMBER && header->item_count != 1)
        return "a member entry has one item";
    if (version_vector_view_get(header->context, header->origin) != 0)
        return "its context names its own origin";
    return NULL;
}

/* An entry header's bytes. Integers are big-endian. A newer format is left to a newer
 * rowferry.
 *
 *  offset  size    field
 *       0  1       format      1
 *       1  1       kind        1 changes, 2 tables, 3 member
 *       2  1       flags       bit 0 partial, bit 1 base: with kind 1 only; the rest 0
 *       3  8       origin      at least 1
 *      11  8       origin_seq  at least 1
 *      19  8       stamp_us    0 when base
 *      27  8       commit_us   0 when the source has none
 *      35  4       item_count  1 for a member
 *      39  8       body_size   0 if and only if item_count is; at least 2 an item
 *      47  vector  context     what changed since the origin's previous entry; without
 *                              the origin itself; empty when base
 *     ...  varint  count of fields, then each of them, ascending by tag:
 *          varint  tag         1 note, 2 user, 3 source position; others are kept
 *          sized   value
 */
void entry_header_encode(struct buffer *out, const struct entry_header *header)
{
    static const uint8_t no_context = 0;
    struct bytes context = header->context;
    struct bytes rest;
    struct bytes view;
    uint64_t count;
    uint64_t last;
    bool whole;

    if (context.size == 0)
        context = (struct bytes){&no_context, 1};
    rest = context;
    assert(find_fault(header) == NULL);
    whole = version_vector_take_view(&rest, &view) && rest.size == 0;
    assert(whole);
    whole = count_fields(header->fields, &count, &last);
    assert(whole);
    buffer_put(out, ENTRY_FORMAT, 1);
    buffer_put(out, header->kind, 1);
    buffer_put(out, header->flags, 1);
    buffer_put(out, header->origin, 8);
    buffer_put(out, header->origin_seq, 8);
    buffer_put(out, header->stamp_us, 8);
    buffer_put(out, header->commit_us, 8);
    buffer_put(out, header->item_count, 4);
    buffer_put(out, header->body_size, 8);
    buffer_put_bytes(out, context);
    buffer_put_varint(out, count);
    buffer_put_bytes(out, header->fields);
}

/* The 46 bytes after the format. */
static bool take_fixed(struct bytes *in, struct entry_header *out)
{
    uint64_t kind;
    uint64_t flags;
    uint64_t item_count;

    if (!bytes_take(in, 1, &kind) || !bytes_take(in, 1, &flags) ||
        !bytes_take(in, 8, &out->origin) || !bytes_take(in, 8, &out->origin_seq) ||
        !bytes_take(in, 8, &out->stamp_us) || !bytes_take(in, 8, &out->commit_us) ||
        !bytes_take(in, 4, &item_count) || !bytes_take(in, 8, &out->body_size))
        return false;
    out->kind = (enum entry_kind)kind;
    out->flags = (uint8_t)flags;
    out->item_count = (uint32_t)item_count;
    return true;
}

bool entry_header_peek(struct bytes in, struct entry_header *out)
{
    uint64_t format;

    *out = (struct entry_header){0};
    return bytes_take(&in, 1, &format) && format == ENTRY_FORMAT && take_fixed(&in, out);
}

enum status entry_header_decode(struct bytes in, struct entry_header *out,
                                struct error *err)
{
    struct entry_header header = {0};
    const char *fault;
    uint64_t format;
    uint64_t said;
    uint64_t count;
    uint64_t last;

    if (!bytes_take(&in, 1, &format))
        return error_set(err, STATUS_CORRUPT, "an entry without a header");
    if (format > ENTRY_FORMAT) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "entry format %u is newer than this rowferry reads; update it",
                         (unsigned)format);
    }
    if (format == 0)
        return error_set(err, STATUS_CORRUPT, "entry format 0 is unknown");
    if (!take_fixed(&in, &header))
        return error_set(err, STATUS_CORRUPT, "an entry header is cut");
    if (!version_vector_take_view(&in, &header.context))
        return error_set(err, STATUS_CORRUPT, "an entry's context does not decode");
    fault = find_fault(&header);
    if (fault != NULL)
        return error_set(err, STATUS_CORRUPT, "an entry header: %s", fault);
    if (!bytes_take_varint(&in, &said) || !count_fields(in, &count, &last) ||
        said != count)
        return error_set(err, STATUS_CORRUPT, "an entry's fields do not decode");
    if (in.size > 0)
        header.fields = in;
    *out = header;
    return STATUS_OK;
}

void entry_hash(uint8_t out[HASH_SIZE], const uint8_t previous[HASH_SIZE],
                struct bytes header, const uint8_t body_hash[HASH_SIZE])
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, HASH_SIZE);
    crypto_generichash_update(&state, previous, HASH_SIZE);
    crypto_generichash_update(&state, header.data, header.size);
    crypto_generichash_update(&state, body_hash, HASH_SIZE);
    crypto_generichash_final(&state, out, HASH_SIZE);
}

/* A node's name is printed in lines of text: it must not break or fake one. */
static bool is_printable(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < 0x20 || name.data[i] == 0x7f)
            return false;
    return bytes_are_utf8(name);
}

static const char *find_member_fault(const struct member *member)
{
    if (member->event != MEMBER_JOINED && member->event != MEMBER_FORGOTTEN)
        return "its event is unknown";
    if (member->engine != MEMBER_SQLITE && member->engine != MEMBER_POSTGRES)
        return "its engine is unknown";
    if (member->node == 0 || member->formats_max == 0)
        return "it has no node id or reads no format";
    if (member->name.size == 0 || member->name.size > MEMBER_NAME_MAX)
        return "its name is empty or too long";
    if (!is_printable(member->name))
        return "its name is not printable UTF-8";
    return NULL;
}

/* A member record's bytes.
 *
 *  offset  size      field
 *       0  1         format       1
 *       1  1         event        1 joined, 2 forgotten
 *       2  8         node         at least 1
 *      10  1         engine       1 SQLite, 2 Postgres
 *      11  1         formats_max  at least 1
 *      12  32        public_key   Ed25519
 *      44  the rest  name         1 to 255 bytes of UTF-8, no control characters
 */
void member_encode(struct buffer *out, const struct member *member)
{
    assert(find_member_fault(member) == NULL);
    buffer_put(out, MEMBER_FORMAT, 1);
    buffer_put(out, member->event, 1);
    buffer_put(out, member->node, 8);
    buffer_put(out, member->engine, 1);
    buffer_put(out, member->formats_max, 1);
    buffer_put_bytes(out, (struct bytes){member->public_key, PUBLIC_KEY_SIZE});
    buffer_put_bytes(out, member->name);
}

enum status member_decode(struct bytes in, struct member *out, struct error *err)
{
    struct member member = {0};
    struct bytes public_key;
    const char *fault;
    uint64_t format;
    uint64_t event;
    uint64_t engine;
    uint64_t formats_max;

    if (!bytes_take(&in, 1, &format) || !bytes_take(&in, 1, &event) ||
        !bytes_take(&in, 8, &member.node) || !bytes_take(&in, 1, &engine) ||
        !bytes_take(&in, 1, &formats_max) ||
        !bytes_take_view(&in, PUBLIC_KEY_SIZE, &public_key))
        return error_set(err, STATUS_CORRUPT, "a member record is cut");
    if (format != MEMBER_FORMAT)
        return error_set(err, STATUS_CORRUPT, "member record format %u is unknown",
                         (unsigned)format);
    member.event = event == 1 ? MEMBER_JOINED : event == 2 ? MEMBER_FORGOTTEN : 0;
    member.engine = engine == 1 ? MEMBER_SQLITE : engine == 2 ? MEMBER_POSTGRES : 0;
    member.formats_max = (uint8_t)formats_max;
    memcpy(member.public_key, public_key.data, PUBLIC_KEY_SIZE);
    member.name = in;
    fault = find_member_fault(&member);
    if (fault != NULL)
        return error_set(err, STATUS_CORRUPT, "a member record: %s", fault);
    *out = member;
    return STATUS_OK;
}
