/* Views of bytes, and the integers in them: big-endian, or variable-length.
 *
 * A varint is the unsigned LEB128 of DWARF and protobuf: 7 bits a byte, the low ones
 * first, the top bit set on all but the last; at most 10; shortest form only. */
#ifndef LOG_BYTES_H
#define LOG_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
uint8_t *bytes_put(uint8_t *out, uint64_t value, size_t size);
uint64_t bytes_get(const uint8_t *in, size_t size);

/* Take from the front of *in. False, with *in and the out parameter as they were, when
 * *in is too short (or, for a varint, is not in its shortest form or exceeds 64 bits).
 * Views point into *in. */
bool bytes_take(struct bytes *in, size_t size, uint64_t *value);
bool bytes_take_varint(struct bytes *in, uint64_t *value);
bool bytes_take_view(struct bytes *in, uint64_t size, struct bytes *out);

/* A varint, then as many bytes as it says. */
bool bytes_take_sized(struct bytes *in, struct bytes *out);

size_t varint_size(uint64_t value);
uint8_t *varint_put(uint8_t *out, uint64_t value);

#endif
