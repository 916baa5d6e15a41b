/* Memory for a thing of many small parts that is given back in one go. */
#ifndef LOG_ARENA_H
#define LOG_ARENA_H

#include <stddef.h>

/* All zeroes is an empty arena. */
struct arena {
    struct arena_chunk *chunks; /* Private. */
};

/* count zeroed items of size bytes each, aligned for anything, that live until the
 * release. NULL when there is no memory. */
void *arena_take(struct arena *arena, size_t count, size_t size);

void arena_init(struct arena *arena);
void arena_release(struct arena *arena);

#endif
