#include "log/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { CHUNK_SIZE = 4096 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t used;
    size_t size;
    max_align_t data[];
};

void arena_init(struct arena *arena)
{
    arena->chunks = NULL;
}

void arena_release(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;

    while (chunk != NULL) {
        struct arena_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
    arena_init(arena);
}

/* Rounded up to the alignment; 0 when there is no such size. */
static size_t aligned_size(size_t count, size_t size)
{
    size_t unit = sizeof(max_align_t);

    if (size != 0 && count > (SIZE_MAX - sizeof(struct arena_chunk) - unit) / size)
        return 0;
    return (count * size / unit + 1) * unit;
}

void *arena_take(struct arena *arena, size_t count, size_t size)
{
    struct arena_chunk *chunk = arena->chunks;
    size_t need = aligned_size(count, size);
    void *memory;

    if (need == 0)
        return NULL;
    if (chunk == NULL || need > chunk->size - chunk->used) {
        size_t room = need > CHUNK_SIZE ? need : CHUNK_SIZE;

        chunk = calloc(1, sizeof *chunk + room);
        if (chunk == NULL)
            return NULL;
        chunk->size = room;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    memory = (unsigned char *)chunk->data + chunk->used;
    chunk->used += need;
    return memory;
}
