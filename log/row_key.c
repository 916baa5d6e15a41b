#include "log/row_key.h"

#include <assert.h>
#include <math.h>
#include <sodium.h>
#include <string.h>

enum row_key_tag {
    TAG_INTEGER = 0x10,
    TAG_REAL = 0x20,
    TAG_TEXT = 0x30,
    TAG_BLOB = 0x40,
};

#define SIGN_BIT (UINT64_C(1) << 63)
#define NAN_BITS UINT64_C(0x7ff8000000000000) /* the one that keys have; sorts last */

/* Digits, a point, digits, after an optional minus: what Postgres prints, but for NaN,
 * the infinities and what other people's exponents may be. Those stay as they are. */
static bool is_plain_decimal(struct bytes text, size_t *point)
{
    size_t i = text.size > 0 && text.data[0] == '-' ? 1 : 0;
    size_t first = i;

    *point = text.size;
    for (; i < text.size; i++) {
        if (text.data[i] == '.' && *point == text.size && i > first)
            *point = i;
        else if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    }
    return text.size > first;
}

/* Digits after an optional minus; false when they are not within int64. */
static bool integer_of_digits(struct bytes text, int64_t *out)
{
    bool negative = text.data[0] == '-';
    uint64_t limit = (uint64_t)INT64_MAX + negative;
    uint64_t number = 0;

    for (size_t i = negative; i < text.size; i++) {
        uint64_t digit = text.data[i] - (uint64_t)'0';

        if (number > (limit - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = (int64_t)(negative ? -number : number);
    return true;
}

static struct value canonical_numeric(struct bytes text)
{
    struct value canonical = {.type = VALUE_TEXT};
    size_t point;

    if (is_plain_decimal(text, &point)) {
        if (point < text.size) {
            while (text.data[text.size - 1] == '0')
                text.size--;
            if (text.size == point + 1)
                text.size--;
        }
        if (text.size <= point && integer_of_digits(text, &canonical.integer)) {
            canonical.type = VALUE_INTEGER;
            return canonical;
        }
    }
    canonical.bytes = text;
    return canonical;
}

static double real_of_bits(uint64_t bits)
{
    double real;

    memcpy(&real, &bits, sizeof real);
    return real;
}

struct value row_key_canonical(const struct value *value)
{
    struct value canonical = *value;

    if (value->type == VALUE_REAL && isnan(value->real)) {
        canonical.real = real_of_bits(NAN_BITS);
    } else if (value->type == VALUE_REAL && value->real >= -0x1p63 &&
               value->real < 0x1p63 && trunc(value->real) == value->real) {
        canonical =
            (struct value){.type = VALUE_INTEGER, .integer = (int64_t)value->real};
    } else if (value->type == VALUE_TYPED && value->typed == FLEET_NUMERIC) {
        canonical = canonical_numeric(value->bytes);
    } else if (value->type == VALUE_TYPED) {
        canonical = (struct value){.type = VALUE_TEXT, .bytes = value->bytes};
    }
    return canonical;
}

/* 00 becomes 00 FF, and 00 00 ends it: so a prefix sorts before what it begins. */
static void put_escaped(struct buffer *out, struct bytes bytes)
{
    while (bytes.size > 0) {
        const uint8_t *zero = memchr(bytes.data, 0, bytes.size);
        size_t plain = zero == NULL ? bytes.size : (size_t)(zero - bytes.data);

        buffer_put_bytes(out, (struct bytes){bytes.data, plain});
        if (zero == NULL)
            break;
        buffer_put(out, 0x00ff, 2);
        bytes.data = zero + 1;
        bytes.size -= plain + 1;
    }
    buffer_put(out, 0, 2);
}

static void put_real(struct buffer *out, double real)
{
    uint64_t bits;

    memcpy(&bits, &real, sizeof bits);
    buffer_put(out, (bits & SIGN_BIT) != 0 ? ~bits : bits | SIGN_BIT, 8);
}

enum status row_key_put(struct buffer *out, const struct value *value, struct error *err)
{
    struct value canonical = row_key_canonical(value);

    switch (canonical.type) {
    case VALUE_INTEGER:
        buffer_put(out, TAG_INTEGER, 1);
        buffer_put(out, (uint64_t)canonical.integer ^ SIGN_BIT, 8);
        return STATUS_OK;
    case VALUE_REAL:
        buffer_put(out, TAG_REAL, 1);
        put_real(out, canonical.real);
        return STATUS_OK;
    case VALUE_TEXT:
    case VALUE_BLOB:
        buffer_put(out, canonical.type == VALUE_TEXT ? TAG_TEXT : TAG_BLOB, 1);
        put_escaped(out, canonical.bytes);
        return STATUS_OK;
    case VALUE_NULL:
        return error_set(err, STATUS_REFUSED, "NULL in a primary key");
    case VALUE_TYPED: /* never canonical */
    case VALUE_KEY:
    case VALUE_ABSENT:
        break;
    }
    return error_set(err, STATUS_REFUSED, "a column of the primary key has no value");
}

/* Text without a NUL is a view into *in; other text is put together in scratch. */
static enum status take_escaped(struct bytes *in, struct bytes *out,
                                struct buffer *scratch, struct error *err)
{
    size_t kept = scratch->size;
    bool escaped = false;

    for (struct bytes rest = *in;;) {
        const uint8_t *zero = rest.size == 0 ? NULL : memchr(rest.data, 0, rest.size);
        size_t plain = zero == NULL ? 0 : (size_t)(zero - rest.data);

        if (zero == NULL || rest.size - plain < 2 || (zero[1] != 0x00 && zero[1] != 0xff))
            return error_set(err, STATUS_CORRUPT, "text in a row key has no end");
        if (zero[1] == 0x00 && !escaped) {
            *out = (struct bytes){rest.data, plain};
        } else {
            buffer_put_bytes(scratch, (struct bytes){rest.data, plain});
            if (zero[1] == 0xff)
                buffer_put(scratch, 0, 1);
        }
        rest.data += plain + 2;
        rest.size -= plain + 2;
        if (zero[1] == 0x00) {
            *in = rest;
            break;
        }
        escaped = true;
    }
    if (!escaped)
        return STATUS_OK;
    if (buffer_check(scratch, err) != STATUS_OK)
        return STATUS_NO_MEMORY;
    *out = (struct bytes){scratch->data + kept, scratch->size - kept};
    return STATUS_OK;
}

/* What follows the tag. */
static enum status take_content(struct bytes *in, uint64_t tag, struct value *out,
                                struct buffer *scratch, struct error *err)
{
    uint64_t bits = 0;

    if ((tag == TAG_INTEGER || tag == TAG_REAL) && !bytes_take(in, 8, &bits))
        return error_set(err, STATUS_CORRUPT, "a number in a row key is cut");

    switch (tag) {
    case TAG_INTEGER:
        out->type = VALUE_INTEGER;
        out->integer = (int64_t)(bits ^ SIGN_BIT);
        return STATUS_OK;
    case TAG_REAL:
        out->type = VALUE_REAL;
        out->real = real_of_bits((bits & SIGN_BIT) != 0 ? bits ^ SIGN_BIT : ~bits);
        return STATUS_OK;
    case TAG_TEXT:
        out->type = VALUE_TEXT;
        return take_escaped(in, &out->bytes, scratch, err);
    case TAG_BLOB:
        out->type = VALUE_BLOB;
        return take_escaped(in, &out->bytes, scratch, err);
    default:
        return error_set(err, STATUS_CORRUPT, "row key tag 0x%02x is unknown",
                         (unsigned)tag);
    }
}

enum status row_key_take(struct bytes *in, struct value *out, struct buffer *scratch,
                         struct error *err)
{
    struct bytes rest = *in;
    struct value value = {0};
    enum status status;
    uint64_t tag;

    if (!bytes_take(&rest, 1, &tag))
        return error_set(err, STATUS_CORRUPT, "a column of a row key is missing");
    status = take_content(&rest, tag, &value, scratch, err);
    if (status != STATUS_OK)
        return status;
    if (!row_key_is_exact(&value))
        return error_set(err, STATUS_CORRUPT, "a row key is not in its canonical form");
    *in = rest;
    *out = value;
    return STATUS_OK;
}

bool row_key_is_exact(const struct value *value)
{
    struct value canonical;

    if (value->type == VALUE_NULL || value->type == VALUE_KEY ||
        value->type == VALUE_ABSENT)
        return false;
    canonical = row_key_canonical(value);
    return value_equal(value, &canonical);
}

struct bytes row_key_lmdb(struct bytes key, uint8_t out[ROW_KEY_LMDB_MAX])
{
    enum { HASH = ROW_KEY_LMDB_MAX - ROW_KEY_PREFIX };

    _Static_assert((int)HASH == (int)crypto_generichash_BYTES, "the hash fills the rest");
    if (key.size <= ROW_KEY_PLAIN_MAX)
        return key;
    memcpy(out, key.data, ROW_KEY_PREFIX);
    crypto_generichash(out + ROW_KEY_PREFIX, HASH, key.data, key.size, NULL, 0);
    return (struct bytes){out, ROW_KEY_LMDB_MAX};
}
