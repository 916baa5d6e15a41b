/* Views of bytes, and the integers in them: big-endian, or variable-length.
 *
 * A varint is the unsigned LEB128 of DWARF and protobuf: 7 bits a byte, the low ones
 * first, the top bit set on all but the last; at most 10; shortest form only.
 *
 * Every decoder is made of these, some tens of calls a row: so the short ones are inline.
 */
#ifndef LOG_BYTES_H
#define LOG_BYTES_H

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { VARINT_SIZE_MAX = 10 };

/* A view. It never owns; who made it says how long it lives. data may be NULL only when
 * size is 0. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

struct bytes bytes_of_text(const char *text);
bool bytes_equal(struct bytes a, struct bytes b);

/* memcmp order; of two with one prefix the shorter is smaller. Returns <0, 0, >0. */
int bytes_compare(struct bytes a, struct bytes b);

/* Whether text is UTF-8: no surrogates, no overlong forms. A NUL is. */
bool bytes_are_utf8(struct bytes text);

/* Write value as size (1 to 8) big-endian bytes; return what follows them. value fits. */
static inline uint8_t *bytes_put(uint8_t *out, uint64_t value, size_t size)
{
    assert(size >= 1);
    assert(size <= 8);
    assert(size == 8 || value >> (size * 8) == 0);
    if (size == 8) {
        uint64_t whole = htobe64(value);

        memcpy(out, &whole, sizeof whole);
        return out + size;
    }
    for (size_t i = size; i-- > 0; value >>= 8)
        out[i] = (uint8_t)value;
    return out + size;
}

static inline uint64_t bytes_get(const uint8_t *in, size_t size)
{
    uint64_t value = 0;

    assert(size >= 1);
    assert(size <= 8);
    if (size == 8) {
        memcpy(&value, in, sizeof value);
        return be64toh(value);
    }
    for (size_t i = 0; i < size; i++)
        value = value << 8 | in[i];
    return value;
}

/* Take from the front of *in. False, with *in and the out parameter as they were, when
 * *in is too short (or, for a varint, is not in its shortest form or exceeds 64 bits).
 * Views point into *in. */
static inline bool bytes_take(struct bytes *in, size_t size, uint64_t *value)
{
    if (size > in->size)
        return false;
    *value = bytes_get(in->data, size);
    in->data += size;
    in->size -= size;
    return true;
}

bool bytes_take_long_varint(struct bytes *in, uint64_t *value); /* Private. */

static inline bool bytes_take_varint(struct bytes *in, uint64_t *value)
{
    if (in->size == 0 || in->data[0] >= 0x80)
        return bytes_take_long_varint(in, value);
    *value = *in->data++; /* nearly all of them */
    in->size--;
    return true;
}

static inline bool bytes_take_view(struct bytes *in, uint64_t size, struct bytes *out)
{
    if (size > in->size)
        return false;
    *out = (struct bytes){in->data, (size_t)size};
    if (size > 0)
        in->data += size;
    in->size -= (size_t)size;
    return true;
}

/* A varint, then as many bytes as it says. */
static inline bool bytes_take_sized(struct bytes *in, struct bytes *out)
{
    struct bytes rest = *in;
    uint64_t size;

    if (!bytes_take_varint(&rest, &size) || !bytes_take_view(&rest, size, out))
        return false;
    *in = rest;
    return true;
}

size_t varint_size(uint64_t value);

static inline uint8_t *varint_put(uint8_t *out, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

#endif
