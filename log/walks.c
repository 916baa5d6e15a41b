#include "log/walks.h"

#include <sodium.h>
#include <stdlib.h>

/* What all rows together keep open: some 16 MiB. */
enum { OPEN_MAX = 1 << 18, OPEN_FIRST = 16, INSERTED_MAX = 32 };

_Static_assert(crypto_shorthash_siphashx24_BYTES == UNSEEN_CLASS_SIZE, "size of a class");
_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == UNSEEN_CLASS_SIZE,
               "size of a key");

/* ---- lists */

enum status unseen_add(struct unseen_list *list, const struct unseen *unseen,
                       struct error *err)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? OPEN_FIRST : list->capacity * 2;
        struct unseen *items = realloc(list->items, capacity * sizeof *items);

        if (items == NULL)
            return error_set(err, STATUS_NO_MEMORY, "merge: out of memory");
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *unseen;
    return STATUS_OK;
}

void unseen_release(struct unseen_list *list)
{
    free(list->items);
    *list = (struct unseen_list){0};
}

static int compare_unseen(const void *a, const void *b)
{
    return version_compare(&((const struct unseen *)a)->version,
                           &((const struct unseen *)b)->version);
}

/* Bring the items from `added` on in among those before. Of few, most are the newest. */
static void sort_in(struct unseen_list *list, size_t added)
{
    if (list->count - added > INSERTED_MAX) {
        qsort(list->items + list->first, list->count - list->first, sizeof *list->items,
              compare_unseen);
        return;
    }
    for (; added < list->count; added++) {
        struct unseen one = list->items[added];
        size_t at = added;

        for (; at > list->first && compare_unseen(&list->items[at - 1], &one) > 0; at--)
            list->items[at] = list->items[at - 1];
        list->items[at] = one;
    }
}

/* ---- walks */

void walk_forget(struct walk *walk)
{
    buffer_release(&walk->key);
    unseen_release(&walk->open);
    version_vector_release(&walk->settled);
    *walk = (struct walk){0};
}

void walks_clear(struct walks *walks)
{
    for (size_t i = 0; walks->slots != NULL && i < WALKS_SLOTS; i++)
        walk_forget(&walks->slots[i]);
}

void walks_init(struct walks *walks)
{
    *walks = (struct walks){0};
    randombytes_buf(walks->hash_key, sizeof walks->hash_key);
}

void walks_release(struct walks *walks)
{
    walks_clear(walks);
    free(walks->slots);
    unseen_release(&walks->found);
}

static struct walk *slot_of(struct walks *walks, uint32_t table, struct bytes key,
                            uint64_t origin)
{
    uint8_t hash[UNSEEN_CLASS_SIZE];

    crypto_shorthash_siphashx24(hash, key.data, key.size, walks->hash_key);
    return &walks->slots[(bytes_get(hash, 8) + table + origin) % WALKS_SLOTS];
}

struct walk *walks_find(struct walks *walks, uint32_t table, struct bytes key,
                        uint64_t origin)
{
    struct walk *walk;

    if (walks->slots == NULL)
        return NULL;
    walk = slot_of(walks, table, key, origin);
    return walk->origin == origin && walk->table == table &&
                   bytes_equal(buffer_view(&walk->key), key)
               ? walk
               : NULL;
}

enum status walks_claim(struct walks *walks, uint32_t table, struct bytes key,
                        uint64_t origin, struct walk **out, struct error *err)
{
    struct walk *walk;

    if (walks->slots == NULL) {
        walks->slots = calloc(WALKS_SLOTS, sizeof *walks->slots);
        if (walks->slots == NULL)
            return error_set(err, STATUS_NO_MEMORY, "merge: out of memory");
    }
    walk = slot_of(walks, table, key, origin);
    walk_forget(walk);
    walk->origin = origin;
    walk->table = table;
    buffer_put_bytes(&walk->key, key);
    *out = walk;
    return buffer_check(&walk->key, err);
}

static size_t open_of_all(const struct walks *walks)
{
    size_t count = 0;

    for (size_t i = 0; i < WALKS_SLOTS; i++)
        count += walks->slots[i].open.capacity;
    return count;
}

enum status walks_keep_found(struct walks *walks, struct walk *walk, struct error *err)
{
    struct unseen_list *found = &walks->found, *open = &walk->open;
    size_t before = open->count;
    enum status status = STATUS_OK;

    if (found->count == 0)
        return STATUS_OK;
    if (open->first == open->count)
        open->first = open->count = before = 0;
    while (status == STATUS_OK && found->count > 0)
        status = unseen_add(open, &found->items[--found->count], err);
    sort_in(open, before);
    if (open_of_all(walks) > OPEN_MAX)
        walks_clear(walks);
    return status;
}

enum status walk_settle(struct walk *walk, const struct version *version,
                        struct error *err)
{
    if (version_vector_get(&walk->settled, version->origin) >= version->origin_seq)
        return STATUS_OK;
    return version_vector_set(&walk->settled, version->origin, version->origin_seq, err);
}

void walks_class(const struct walks *walks, uint64_t definition_origin,
                 uint32_t definition, bool live, struct bytes image,
                 uint8_t out[UNSEEN_CLASS_SIZE])
{
    uint8_t key[UNSEEN_CLASS_SIZE] = {live};

    /* All but the image goes into the key. */
    bytes_put(key + 1, definition, 4);
    bytes_put(key + 8, definition_origin, 8);
    for (size_t i = 0; i < sizeof key; i++)
        key[i] ^= walks->hash_key[i];
    crypto_shorthash_siphashx24(out, image.data, image.size, key);
}
