#include "tests/support/failing_memory.h"

#include <stdbool.h>
#include <stddef.h>

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool failing;
static unsigned calls_made;
static unsigned calls_allowed;

void failing_memory_start(unsigned calls)
{
    failing = true;
    calls_made = 0;
    calls_allowed = calls;
}

unsigned failing_memory_stop(void)
{
    failing = false;
    return calls_made;
}

static bool is_allowed(void)
{
    return !failing || calls_made++ < calls_allowed;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_allowed() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *memory, size_t size)
{
    return is_allowed() ? __real_realloc(memory, size) : NULL;
}
