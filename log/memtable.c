#include "log/memtable.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_FIRST = 64 };

void memtable_release(struct memtable *table)
{
    free(table->rows);
    free(table->slots);
    arena_release(&table->arena);
    *table = (struct memtable){0};
}

/* Where a key of this hash is, or is to be: slot_count is a power of two. */
static size_t slot_of(const struct memtable *table, struct bytes key, uint64_t hash)
{
    size_t mask = table->slot_count - 1, at = (size_t)hash & mask;

    while (table->slots[at] != 0) {
        const struct memtable_row *row = &table->rows[table->slots[at] - 1];

        if (row->hash == hash && bytes_equal(row->key, key))
            break;
        at = (at + 1) & mask;
    }
    return at;
}

struct memtable_row *memtable_find(const struct memtable *table, struct bytes key,
                                   uint64_t hash)
{
    uint32_t place;

    if (table->count == 0)
        return NULL;
    place = table->slots[slot_of(table, key, hash)];
    return place == 0 ? NULL : &table->rows[place - 1];
}

/* Twice the room, and twice as many slots as rows have room. */
static enum status grow(struct memtable *table, struct error *err)
{
    size_t capacity = table->capacity == 0 ? ROWS_FIRST : table->capacity * 2;
    struct memtable_row *rows = realloc(table->rows, capacity * sizeof *rows);
    uint32_t *slots;

    if (rows == NULL)
        return error_set(err, STATUS_NO_MEMORY, "put a row: out of memory");
    table->rows = rows;
    slots = calloc(capacity * 2, sizeof *slots);
    if (slots == NULL)
        return error_set(err, STATUS_NO_MEMORY, "put a row: out of memory");
    free(table->slots);
    table->slots = slots;
    table->slot_count = capacity * 2;
    table->capacity = capacity;
    for (size_t i = 0; i < table->count; i++)
        slots[slot_of(table, rows[i].key, rows[i].hash)] = (uint32_t)i + 1;
    return STATUS_OK;
}

static enum status keep(struct memtable *table, struct bytes bytes, struct bytes *out,
                        struct error *err)
{
    uint8_t *memory;

    *out = (struct bytes){NULL, 0};
    if (bytes.size == 0)
        return STATUS_OK;
    memory = arena_take(&table->arena, 1, bytes.size);
    if (memory == NULL)
        return error_set(err, STATUS_NO_MEMORY, "put a row: out of memory");
    memcpy(memory, bytes.data, bytes.size);
    *out = (struct bytes){memory, bytes.size};
    return STATUS_OK;
}

enum status memtable_add(struct memtable *table, const struct memtable_row *row,
                         struct error *err)
{
    struct memtable_row own = *row;
    enum status status = table->count == table->capacity ? grow(table, err) : STATUS_OK;

    if (status == STATUS_OK)
        status = keep(table, row->key, &own.key, err);
    if (status == STATUS_OK)
        status = keep(table, row->record, &own.record, err);
    if (status != STATUS_OK)
        return status;
    table->rows[table->count++] = own;
    table->slots[slot_of(table, own.key, own.hash)] = (uint32_t)table->count;
    return STATUS_OK;
}

enum status memtable_replace(struct memtable *table, struct memtable_row *row,
                             struct bytes record, struct error *err)
{
    struct bytes kept;
    enum status status = keep(table, record, &kept, err);

    if (status == STATUS_OK)
        row->record = kept;
    return status;
}

static int by_key(const void *a, const void *b)
{
    const struct memtable_row *one = a, *other = b;

    return bytes_compare(one->key, other->key);
}

void memtable_sort(struct memtable *table)
{
    size_t sorted = 1;

    while (sorted < table->count &&
           bytes_compare(table->rows[sorted - 1].key, table->rows[sorted].key) < 0)
        sorted++;
    if (sorted < table->count)
        qsort(table->rows, table->count, sizeof *table->rows, by_key);
}
