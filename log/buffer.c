#include "log/buffer.h"

#include <assert.h>
#include <stdlib.h>

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

uint8_t *buffer_grow(struct buffer *buffer, size_t size)
{
    size_t capacity;
    uint8_t *data;

    if (buffer->failed)
        return NULL;
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

enum status buffer_check(const struct buffer *buffer, struct error *err)
{
    if (buffer->failed)
        return error_set(err, STATUS_NO_MEMORY, "out of memory after %zu bytes",
                         buffer->size);
    return STATUS_OK;
}
