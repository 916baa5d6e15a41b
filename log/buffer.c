#include "log/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MIN = 64 };

void buffer_init(struct buffer *buffer)
{
    *buffer = (struct buffer){0};
}

void buffer_release(struct buffer *buffer)
{
    free(buffer->data);
    buffer_init(buffer);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    buffer->failed = false;
}

void buffer_cut(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->size = size;
}

/* Doubling, so that appending stays linear; the exact need where that would overflow. */
static size_t grown_capacity(const struct buffer *buffer, size_t need)
{
    size_t capacity = buffer->capacity < CAPACITY_MIN ? CAPACITY_MIN : buffer->capacity;

    while (capacity < need) {
        if (capacity > SIZE_MAX / 2)
            return need;
        capacity *= 2;
    }
    return capacity;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    size_t capacity;
    uint8_t *data;

    if (buffer->failed)
        return NULL;
    if (buffer->data != NULL && size <= buffer->capacity - buffer->size)
        return buffer->data + buffer->size;
    if (size > SIZE_MAX - buffer->size) {
        buffer->failed = true;
        return NULL;
    }
    capacity = grown_capacity(buffer, buffer->size + size);
    data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return NULL;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return buffer->data + buffer->size;
}

void buffer_put(struct buffer *buffer, uint64_t value, size_t size)
{
    uint8_t *out = buffer_reserve(buffer, size);

    if (out == NULL)
        return;
    bytes_put(out, value, size);
    buffer->size += size;
}

void buffer_put_varint(struct buffer *buffer, uint64_t value)
{
    uint8_t *out = buffer_reserve(buffer, VARINT_SIZE_MAX);

    if (out == NULL)
        return;
    buffer->size += (size_t)(varint_put(out, value) - out);
}

void buffer_put_bytes(struct buffer *buffer, struct bytes bytes)
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

void buffer_put_sized(struct buffer *buffer, struct bytes bytes)
{
    buffer_put_varint(buffer, bytes.size);
    buffer_put_bytes(buffer, bytes);
}

struct bytes buffer_view(const struct buffer *buffer)
{
    return (struct bytes){buffer->data, buffer->size};
}

enum status buffer_check(const struct buffer *buffer, struct error *err)
{
    if (buffer->failed)
        return error_set(err, STATUS_NO_MEMORY, "out of memory after %zu bytes",
                         buffer->size);
    return STATUS_OK;
}
