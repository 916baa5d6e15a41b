#include "log/value.h"

#include <assert.h>
#include <string.h>

/* Small integers of either sign become small unsigned ones: 0, -1, 1, -2, 2 … */
static uint64_t zigzag(int64_t integer)
{
    uint64_t bits = (uint64_t)integer;

    return bits << 1 ^ (integer < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t bits)
{
    return (int64_t)(bits >> 1 ^ ((bits & 1) != 0 ? UINT64_MAX : 0));
}

static uint64_t real_bits(double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    return bits;
}

bool fleet_type_is_typed(enum fleet_type type)
{
    return type == FLEET_NUMERIC || (type >= FLEET_DATE && type < FLEET_TYPES);
}

void value_put(struct buffer *out, const struct value *value)
{
    assert(value->type <= VALUE_ABSENT);
    assert(value->type != VALUE_TYPED || value->typed < FLEET_TYPES);

    buffer_put(out, value->type, 1);
    switch (value->type) {
    case VALUE_INTEGER:
        buffer_put_varint(out, zigzag(value->integer));
        break;
    case VALUE_REAL:
        buffer_put(out, real_bits(value->real), 8);
        break;
    case VALUE_TYPED:
        buffer_put(out, value->typed, 1);
        buffer_put_sized(out, value->bytes);
        break;
    case VALUE_TEXT:
    case VALUE_BLOB:
        buffer_put_sized(out, value->bytes);
        break;
    case VALUE_NULL:
    case VALUE_KEY:
    case VALUE_ABSENT:
        break;
    }
}

/* What follows the tag, which the caller has set; false when it is cut. */
static bool take_content(struct bytes *in, struct value *out)
{
    uint64_t bits;

    switch (out->type) {
    case VALUE_INTEGER:
        if (!bytes_take_varint(in, &bits))
            return false;
        out->integer = unzigzag(bits);
        return true;
    case VALUE_REAL:
        if (!bytes_take(in, 8, &bits))
            return false;
        memcpy(&out->real, &bits, sizeof out->real);
        return true;
    case VALUE_TYPED:
        if (!bytes_take(in, 1, &bits))
            return false;
        out->typed = (enum fleet_type)bits; /* the caller checks it */
        return bytes_take_sized(in, &out->bytes);
    case VALUE_TEXT:
    case VALUE_BLOB:
        return bytes_take_sized(in, &out->bytes);
    case VALUE_NULL:
    case VALUE_KEY:
    case VALUE_ABSENT:
        return true;
    }
    return false;
}

enum status value_take(struct bytes *in, struct value *out, struct error *err)
{
    struct bytes rest = *in;
    struct value value = {0};
    uint64_t tag;

    if (!bytes_take(&rest, 1, &tag))
        return error_set(err, STATUS_CORRUPT, "a value is missing");
    if (tag > VALUE_ABSENT)
        return error_set(err, STATUS_CORRUPT, "value tag %u is unknown", (unsigned)tag);
    value.type = (enum value_type)tag;
    if (!take_content(&rest, &value))
        return error_set(err, STATUS_CORRUPT, "a value with tag %u is cut or too long",
                         (unsigned)tag);
    if (value.type == VALUE_TYPED && value.typed >= FLEET_TYPES)
        return error_set(err, STATUS_CORRUPT, "fleet type %u is unknown",
                         (unsigned)value.typed);
    *in = rest;
    *out = value;
    return STATUS_OK;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VALUE_INTEGER:
        return a->integer == b->integer;
    case VALUE_REAL:
        return real_bits(a->real) == real_bits(b->real);
    case VALUE_TYPED:
        return a->typed == b->typed && bytes_equal(a->bytes, b->bytes);
    case VALUE_TEXT:
    case VALUE_BLOB:
        return bytes_equal(a->bytes, b->bytes);
    case VALUE_NULL:
    case VALUE_KEY:
    case VALUE_ABSENT:
        break;
    }
    return true;
}
