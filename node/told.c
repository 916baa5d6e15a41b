#include "node/told.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MIN = 8 };

static void release_lines(struct told_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->lines[i]);
    free(lines->lines);
    *lines = (struct told_lines){0};
}

void told_release(struct told *told)
{
    release_lines(&told->before);
    release_lines(&told->now);
}

static bool has(const struct told_lines *lines, const char *line)
{
    for (size_t i = 0; i < lines->count; i++)
        if (strcmp(lines->lines[i], line) == 0)
            return true;
    return false;
}

/* What there is no memory for is told once more. */
static void add(struct told_lines *lines, const char *line)
{
    size_t capacity = lines->capacity == 0 ? LINES_MIN : lines->capacity * 2;
    char **longer = lines->lines;
    char *copy = strdup(line);

    if (copy != NULL && lines->count == lines->capacity) {
        longer = realloc(lines->lines, capacity * sizeof *longer);
        if (longer != NULL) {
            lines->lines = longer;
            lines->capacity = capacity;
        }
    }
    if (copy == NULL || longer == NULL) {
        free(copy);
        return;
    }
    lines->lines[lines->count++] = copy;
}

bool told_is_news(struct told *told, const char *line)
{
    bool known = has(&told->before, line);

    if (has(&told->now, line))
        return false;
    add(&told->now, line);
    return !known;
}

void told_end(struct told *told)
{
    release_lines(&told->before);
    told->before = told->now;
    told->now = (struct told_lines){0};
}
