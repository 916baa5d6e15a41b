/* What was told about one place, so that what stays as it was is told once: the lines of
 * the last visit, and of this one so far. */
#ifndef NODE_TOLD_H
#define NODE_TOLD_H

#include <stdbool.h>
#include <stddef.h>

struct told_lines {
    char **lines; /* owned, as is each */
    size_t count;
    size_t capacity;
};

/* All zero: nothing yet. */
struct told {
    struct told_lines before;
    struct told_lines now;
};

void told_release(struct told *told);

/* Whether the line is new; it is not from now on. Without memory for it, it is. */
bool told_is_news(struct told *told, const char *line);

/* A visit has ended that came so far as to say all it had to. */
void told_end(struct told *told);

#endif
