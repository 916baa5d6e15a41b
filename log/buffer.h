/* Bytes that grow. A failed allocation sticks: further puts do nothing, and
 * buffer_check() tells once, at the end of an encoder. */
#ifndef LOG_BUFFER_H
#define LOG_BUFFER_H

#include "log/bytes.h"
#include "log/error.h"

struct buffer {
    uint8_t *data; /* owned */
    size_t size;
    size_t capacity;
    bool failed;
};

/* All zeroes is an empty buffer; init does only that. */
void buffer_init(struct buffer *buffer);
void buffer_release(struct buffer *buffer);

/* Forget the content and a failure, keep the memory. */
void buffer_clear(struct buffer *buffer);

/* Cut to size, which is at most buffer->size. */
void buffer_cut(struct buffer *buffer, size_t size);

uint8_t *buffer_grow(struct buffer *buffer, size_t size); /* Private: see reserve */

/* Make room for size more bytes at the end and return where they begin; they are not
 * counted until the caller raises buffer->size. NULL when failed. */
static inline uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    if (!buffer->failed && buffer->data != NULL &&
        size <= buffer->capacity - buffer->size)
        return buffer->data + buffer->size;
    return buffer_grow(buffer, size);
}

static inline void buffer_put(struct buffer *buffer, uint64_t value, size_t size)
{
    uint8_t *out = buffer_reserve(buffer, size);

    if (out == NULL)
        return;
    bytes_put(out, value, size);
    buffer->size += size;
}

static inline void buffer_put_varint(struct buffer *buffer, uint64_t value)
{
    uint8_t *out = buffer_reserve(buffer, VARINT_SIZE_MAX);

    if (out == NULL)
        return;
    buffer->size += (size_t)(varint_put(out, value) - out);
}

static inline void buffer_put_bytes(struct buffer *buffer, struct bytes bytes)
{
    uint8_t *out;

    if (bytes.size == 0)
        return;
    out = buffer_reserve(buffer, bytes.size);
    if (out == NULL)
        return;
    memcpy(out, bytes.data, bytes.size);
    buffer->size += bytes.size;
}

/* A varint of the size, then the bytes. */
static inline void buffer_put_sized(struct buffer *buffer, struct bytes bytes)
{
    buffer_put_varint(buffer, bytes.size);
    buffer_put_bytes(buffer, bytes);
}

static inline struct bytes buffer_view(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}

/* OK, or NO_MEMORY when any put since the last clear failed. */
MUST_CHECK enum status buffer_check(const struct buffer *buffer, struct error *err);

#endif
