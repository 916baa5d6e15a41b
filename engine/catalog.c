#include "engine/catalog.h"

#include "log/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "catalog: out of memory");
}

void *catalog_grow(void *items, size_t count, size_t size)
{
    if (count != 0 && (count & (count - 1)) != 0)
        return items;
    return realloc(items, (count == 0 ? 1 : 2 * count) * size);
}

const struct definition *catalog_find_local(const struct catalog *catalog,
                                            const char *local_name)
{
    for (size_t i = 0; i < catalog->count; i++)
        if (strcmp(catalog->definitions[i]->local_name, local_name) == 0)
            return catalog->definitions[i];
    return NULL;
}

enum status catalog_add_skipped(struct catalog *catalog, const char *name, char *why,
                                struct error *err)
{
    struct catalog_skipped *grown_skipped =
        catalog_grow(catalog->skipped, catalog->skipped_count, sizeof *grown_skipped);
    char *copy = strdup(name);

    if (grown_skipped != NULL)
        catalog->skipped = grown_skipped;
    if (grown_skipped == NULL || copy == NULL || why == NULL) {
        free(copy);
        free(why);
        return no_memory(err);
    }
    catalog->skipped[catalog->skipped_count++] =
        (struct catalog_skipped){.name = copy, .why = why};
    return STATUS_OK;
}

enum status catalog_add(struct catalog *catalog, struct definition *definition,
                        struct error *err)
{
    struct definition **grown_definitions =
        catalog_grow(catalog->definitions, catalog->count, sizeof(struct definition *));

    assert(catalog->lacks == NULL);
    if (grown_definitions == NULL) {
        definition_close(definition);
        return no_memory(err);
    }
    catalog->definitions = grown_definitions;
    catalog->definitions[catalog->count++] = definition;
    return STATUS_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct definition *const *left = a;
    const struct definition *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

void catalog_sort(struct catalog *catalog)
{
    assert(catalog->lacks == NULL);
    if (catalog->count > 1)
        qsort(catalog->definitions, catalog->count, sizeof(struct definition *), by_name);
}

void catalog_release(struct catalog *catalog)
{
    for (size_t i = 0; i < catalog->count; i++) {
        definition_close(catalog->definitions[i]);
        if (catalog->lacks != NULL)
            free(catalog->lacks[i]);
    }
    free((void *)catalog->lacks);
    for (size_t i = 0; i < catalog->skipped_count; i++) {
        free(catalog->skipped[i].name);
        free(catalog->skipped[i].why);
    }
    free(catalog->definitions);
    free(catalog->skipped);
    *catalog = (struct catalog){0};
}

void catalog_count_foreign_keys(struct catalog *catalog, bool count)
{
    for (size_t i = 0; i < catalog->count; i++)
        for (uint32_t key = 0; key < catalog->definitions[i]->foreign_key_count; key++)
            catalog->definitions[i]->foreign_keys[key].counts = count;
}

void outsiders_release(struct outsiders *outsiders)
{
    struct arena arena = {.chunks = outsiders->memory};

    arena_release(&arena);
    *outsiders = (struct outsiders){0};
}
