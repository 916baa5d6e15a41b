/* A library to preload: it counts a program's allocations, its libraries' too, and has
 * memory run out at a given one. What a test sets in the environment:
 *
 *   MEMORY_ONCE=N     the Nth allocation fails, no other
 *   MEMORY_FROM=N     the Nth allocation fails and all that follow
 *   MEMORY_TRACE=FILE a line for each allocation: its number, a hash of its call stack's
 *                     frames in the program itself and of who called there
 *   MEMORY_SHOW=1     the call stack of the first that fails, on standard error
 *
 * The number of a run's last allocation depends on the time of day and on threads, so a
 * number past the end is no error: then nothing fails. Memory that the sanitizers take
 * for themselves does not count. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK_DEPTH = 40, STACK_SKIPPED = 2, EARLY_SIZE = 1 << 20 };

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    void (*free)(void *);
} real;

static atomic_bool started; /* the constructor has run */
static uint64_t once_at, from_at;
static int trace = -1;
static atomic_bool show;
static atomic_uint_fast64_t calls;
static _Thread_local bool inside;
static uintptr_t program_start, program_end;

/* What is asked for before the constructor has run, when AddressSanitizer, which makes
 * itself ready then, can't be asked yet; never given back. */
static _Alignas(16) uint8_t early[EARLY_SIZE];
static atomic_size_t early_size;

static void *take_early(size_t size)
{
    size_t start = atomic_fetch_add(&early_size, (size + 15) & ~(size_t)15);

    if (start + size > sizeof early)
        abort();
    return early + start;
}

static bool is_early(const void *memory)
{
    return (const uint8_t *)memory >= early &&
           (const uint8_t *)memory < early + EARLY_SIZE;
}

static void *find(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL)
        abort();
    return found;
}

static uint64_t number_in(const char *name)
{
    const char *text = getenv(name);

    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

/* The first that is visited is the program. */
static int learn_program(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size, (void)data;
    program_start = UINTPTR_MAX;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        program_start = start < program_start ? start : program_start;
        program_end = start + info->dlpi_phdr[i].p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void start(void)
{
    const char *path = getenv("MEMORY_TRACE");
    void *frame;

    inside = true;
    real.malloc = (void *(*)(size_t))(intptr_t)find("malloc");
    real.calloc = (void *(*)(size_t, size_t))(intptr_t)find("calloc");
    real.realloc = (void *(*)(void *, size_t))(intptr_t)find("realloc");
    real.memalign = (void *(*)(size_t, size_t))(intptr_t)find("memalign");
    real.free = (void (*)(void *))(intptr_t)find("free");
    atomic_store(&started, true);
    atomic_store(&show, getenv("MEMORY_SHOW") != NULL);
    if (path != NULL || atomic_load(&show))
        (void)backtrace(&frame, 1); /* it allocates, the first time */
    if (path != NULL) {
        trace = (int)syscall(SYS_openat, AT_FDCWD, path,
                             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    (void)dl_iterate_phdr(learn_program, NULL);
    once_at = number_in("MEMORY_ONCE");
    from_at = number_in("MEMORY_FROM");
    inside = false;
}

static bool is_of_program(const void *frame)
{
    return (uintptr_t)frame >= program_start && (uintptr_t)frame < program_end;
}

static void write_trace(uint64_t number)
{
    void *frames[STACK_DEPTH];
    uint64_t hash = 14695981039346656037U; /* FNV-1a */
    char line[64];
    int count, size;

    inside = true;
    count = backtrace(frames, STACK_DEPTH);
    for (int i = STACK_SKIPPED; i < count; i++)
        if (i == STACK_SKIPPED || is_of_program(frames[i]))
            hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * 1099511628211U;
    size = snprintf(line, sizeof line, "%llu %llx\n", (unsigned long long)number,
                    (unsigned long long)hash);
    (void)syscall(SYS_write, trace, line, (size_t)size);
    inside = false;
}

static void write_stack(void)
{
    void *frames[STACK_DEPTH];

    inside = true;
    backtrace_symbols_fd(frames, backtrace(frames, STACK_DEPTH), STDERR_FILENO);
    inside = false;
}

/* Whether the next allocation may succeed. */
static bool is_allowed(void)
{
    uint64_t number;

    if (inside)
        return true;
    number = atomic_fetch_add(&calls, 1) + 1;
    if (trace >= 0)
        write_trace(number);
    if (number != once_at && (from_at == 0 || number < from_at))
        return true;
    if (atomic_exchange(&show, false))
        write_stack();
    errno = ENOMEM;
    return false;
}

void *malloc(size_t size)
{
    if (!atomic_load(&started))
        return take_early(size);
    return is_allowed() ? real.malloc(size) : NULL;
}

void *calloc(size_t count, size_t size)
{
    if (!atomic_load(&started))
        return take_early(count * size);
    return is_allowed() ? real.calloc(count, size) : NULL;
}

void *realloc(void *memory, size_t size)
{
    if (!atomic_load(&started) && memory == NULL)
        return take_early(size);
    if (!atomic_load(&started))
        return memmove(take_early(size), memory,
                       size); /* what follows it is early, too */
    if (is_early(memory))
        abort(); /* nobody does that */
    return is_allowed() ? real.realloc(memory, size) : NULL;
}

void *memalign(size_t alignment, size_t size)
{
    return atomic_load(&started) && is_allowed() ? real.memalign(alignment, size) : NULL;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);

    if (memory == NULL)
        return ENOMEM;
    *out = memory;
    return 0;
}

void free(void *memory)
{
    if (memory != NULL && !is_early(memory))
        real.free(memory);
}

/* AddressSanitizer has its own of these, which would not come by here. */
char *strndup(const char *text, size_t size_max)
{
    size_t size = strnlen(text, size_max);
    char *copy = malloc(size + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

char *strdup(const char *text)
{
    return strndup(text, SIZE_MAX);
}
