#include "capture/postgres_taken.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status no_memory(struct error *err)
{
    return error_set(err, STATUS_NO_MEMORY, "captured tables: out of memory");
}

void postgres_taken_release(struct postgres_taken *taken)
{
    for (size_t i = 0; i < taken->count; i++)
        free(taken->list[i].name);
    free(taken->list);
    *taken = (struct postgres_taken){0};
}

bool postgres_taken_has(const struct postgres_taken *taken, uint32_t oid)
{
    for (size_t i = 0; i < taken->count; i++)
        if (taken->list[i].oid == oid)
            return true;
    return false;
}

static enum status add(struct postgres_taken *taken, uint32_t oid, struct bytes name,
                       struct error *err)
{
    char *copy = strndup(name.size == 0 ? "" : (const char *)name.data, name.size);

    if (copy != NULL && taken->count == taken->room) {
        size_t room = taken->room == 0 ? 16 : taken->room * 2;
        struct taken_table *list = realloc(taken->list, room * sizeof *list);

        if (list == NULL) {
            free(copy);
            return no_memory(err);
        }
        taken->list = list;
        taken->room = room;
    }
    if (copy == NULL)
        return no_memory(err);
    taken->list[taken->count++] = (struct taken_table){oid, copy, 0};
    return STATUS_OK;
}

enum status postgres_taken_add(struct postgres_taken *taken, uint32_t oid,
                               const char *name, struct error *err)
{
    return add(taken, oid, bytes_of_text(name), err);
}

static int compare(const void *a, const void *b)
{
    const struct taken_table *one = a, *other = b;

    if (one->order != other->order)
        return one->order < other->order ? -1 : 1;
    return one->oid < other->oid ? -1 : one->oid > other->oid;
}

void postgres_taken_sort(struct postgres_taken *taken)
{
    if (taken->count > 1)
        qsort(taken->list, taken->count, sizeof *taken->list, compare);
}

void postgres_taken_remove(struct postgres_taken *taken, size_t place)
{
    free(taken->list[place].name);
    taken->count--;
    memmove(&taken->list[place], &taken->list[place + 1],
            (taken->count - place) * sizeof *taken->list);
}

enum status postgres_taken_put_oids(const struct postgres_taken *taken,
                                    struct buffer *out, struct error *err)
{
    char text[32];

    buffer_put(out, '{', 1);
    for (size_t i = 0; i < taken->count; i++) {
        (void)snprintf(text, sizeof text, "%s%" PRIu32, i == 0 ? "" : ",",
                       taken->list[i].oid);
        buffer_put_bytes(out, bytes_of_text(text));
    }
    buffer_put(out, '}', 1);
    buffer_put(out, 0, 1);
    return buffer_check(out, err);
}

/* META_TAKEN, one after another:
 *
 *   size  field
 *   4     oid
 *   1..   size of the name, a varint, and the name */
enum status postgres_taken_read(struct postgres_taken *taken, struct store_txn *txn,
                                struct error *err)
{
    uint64_t count = 0, oid = 0;
    struct bytes bytes, name;
    enum status status = meta_get(txn, META_TAKEN_COUNT, &count, err);

    postgres_taken_release(taken);
    if (status == STATUS_OK)
        status = meta_get_bytes(txn, META_TAKEN, &bytes, err);
    for (uint64_t i = 0; status == STATUS_OK && i < count; i++) {
        if (!bytes_take(&bytes, 4, &oid) || !bytes_take_sized(&bytes, &name))
            return error_set(err, STATUS_CORRUPT,
                             "the list of captured tables ends early");
        status = add(taken, (uint32_t)oid, name, err);
    }
    return status;
}

enum status postgres_taken_write(const struct postgres_taken *taken, size_t counting,
                                 struct store *store, struct error *err)
{
    struct store_txn *txn = NULL;
    struct buffer bytes = {0};
    enum status status;

    for (size_t i = 0; i < taken->count; i++) {
        buffer_put(&bytes, taken->list[i].oid, 4);
        buffer_put_sized(&bytes, bytes_of_text(taken->list[i].name));
    }
    status = buffer_check(&bytes, err);
    if (status == STATUS_OK)
        status = store_begin(store, TXN_WRITE, &txn, err);
    if (status == STATUS_OK)
        status = meta_put_bytes(txn, META_TAKEN, buffer_view(&bytes), err);
    if (status == STATUS_OK)
        status = meta_put(txn, META_TAKEN_COUNT, counting, err);
    buffer_release(&bytes);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}
