#include "capture/pending_rows.h"

#include <assert.h>
#include <stdlib.h>

enum { CAPACITY_FIRST = 64, SLOTS_A_ROW = 2 };

void pending_rows_release(struct pending_rows *rows)
{
    free(rows->rows);
    free(rows->slots);
    buffer_release(&rows->bytes);
    *rows = (struct pending_rows){0};
}

static uint64_t hash_of(uint32_t table, struct bytes key)
{
    uint64_t hash = 0xcbf29ce484222325U ^ table;

    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ key.data[i]) * 0x100000001b3U;
    return hash ^ hash >> 32; /* the low bits choose the slot */
}

static uint32_t slot_after(const struct pending_rows *rows, uint32_t slot)
{
    return (slot + 1) & (rows->slot_count - 1);
}

static uint32_t slot_first(const struct pending_rows *rows, uint64_t hash)
{
    return (uint32_t)(hash & (rows->slot_count - 1));
}

static void take_slot(struct pending_rows *rows, uint32_t index)
{
    uint32_t slot = slot_first(rows, rows->rows[index].hash);

    while (rows->slots[slot] != 0)
        slot = slot_after(rows, slot);
    rows->slots[slot] = index + 1;
}

/* Most entries are small, and the table may have grown with a large one. */
void pending_rows_clear(struct pending_rows *rows)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t slot = slot_first(rows, rows->rows[i].hash);

        for (; rows->slots[slot] != 0; slot = slot_after(rows, slot))
            rows->slots[slot] = 0;
    }
    rows->count = 0;
    buffer_clear(&rows->bytes);
}

struct bytes pending_row_key(const struct pending_rows *rows,
                             const struct pending_row *row)
{
    return (struct bytes){rows->bytes.data + row->at, row->key_size};
}

struct bytes pending_row_image(const struct pending_rows *rows,
                               const struct pending_row *row)
{
    return (struct bytes){rows->bytes.data + row->at + row->key_size, row->image_size};
}

static struct pending_row *find(const struct pending_rows *rows, uint32_t table,
                                struct bytes key, uint64_t hash)
{
    uint32_t slot;

    if (rows->count == 0)
        return NULL;
    slot = slot_first(rows, hash);
    for (; rows->slots[slot] != 0; slot = slot_after(rows, slot)) {
        struct pending_row *row = &rows->rows[rows->slots[slot] - 1];

        if (row->hash == hash && row->table == table &&
            bytes_equal(pending_row_key(rows, row), key))
            return row;
    }
    return NULL;
}

const struct pending_row *pending_rows_find(const struct pending_rows *rows,
                                            uint32_t table, struct bytes key)
{
    return rows->count == 0 ? NULL : find(rows, table, key, hash_of(table, key));
}

static enum status grow(struct pending_rows *rows, struct error *err)
{
    uint32_t capacity = rows->capacity == 0 ? CAPACITY_FIRST : rows->capacity * 2;
    struct pending_row *grown = realloc(rows->rows, capacity * sizeof *grown);
    uint32_t *slots = calloc((size_t)capacity * SLOTS_A_ROW, sizeof *slots);

    if (grown != NULL)
        rows->rows = grown;
    if (grown == NULL || slots == NULL) {
        free(slots);
        return error_set(err, STATUS_NO_MEMORY, "rows of an entry: out of memory");
    }
    free(rows->slots);
    rows->slots = slots;
    rows->capacity = capacity;
    rows->slot_count = capacity * SLOTS_A_ROW;
    for (uint32_t i = 0; i < rows->count; i++)
        take_slot(rows, i);
    return STATUS_OK;
}

enum status pending_rows_put(struct pending_rows *rows, uint32_t table,
                             const struct change *change, struct error *err)
{
    uint64_t hash = hash_of(table, change->key);
    struct pending_row *row = find(rows, table, change->key, hash);
    size_t size = rows->bytes.size + ((size_t)rows->count + 1) * sizeof *row;
    size_t at = rows->bytes.size;
    enum status status = STATUS_OK;

    assert(change->key.size > 0);
    if (change->key.size > PENDING_ROWS_BYTES_MAX ||
        change->image.size > PENDING_ROWS_BYTES_MAX ||
        size + change->key.size + change->image.size > PENDING_ROWS_BYTES_MAX)
        return error_set(err, STATUS_FULL, "rows of an entry: no room left in memory");
    buffer_put_bytes(&rows->bytes, change->key);
    buffer_put_bytes(&rows->bytes, change->image);
    status = buffer_check(&rows->bytes, err);
    if (status == STATUS_OK && row == NULL && rows->count == rows->capacity)
        status = grow(rows, err);
    if (status != STATUS_OK)
        return status;
    if (row == NULL) {
        row = &rows->rows[rows->count];
        row->hash = hash;
        take_slot(rows, rows->count++);
    }
    *row = (struct pending_row){
        .hash = hash,
        .table = table,
        .definition = change->definition,
        .born = change->born,
        .live = change->op != CHANGE_DELETE,
        .at = at,
        .key_size = change->key.size,
        .image_size = change->image.size,
    };
    return STATUS_OK;
}
