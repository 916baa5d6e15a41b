/* The sub-database `table`:
 *
 *   'D' origin 8 number 4 -> table id 4, definition bytes, checksum 8
 *   'N' name              -> table id 4            (at most NAME_SIZE_MAX bytes of name)
 *   'L' origin 8 id 4     -> number 4              the origin's newest definition of a
 * table 'H' origin 8          -> number 4              the origin's highest number
 */
#include "log/store_private.h"

#include "log/tables.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_SIZE_MAX = 500, ID_SIZE = 4, KEY_SIZE_MAX = 16 };

/* ---- cache: every definition that was asked for, until the store closes */

struct cached {
    uint64_t origin;
    uint32_t number;
    struct table table;
    struct definition *definition; /* owned */
    bool provisional;              /* read in a write transaction that has not ended */
};

struct definition_cache {
    pthread_mutex_t lock;
    struct cached *entries; /* sorted by origin, number */
    size_t count;
    size_t capacity;
    struct definition *
        *retired; /* of aborted transactions: somebody may still look at them */
    size_t retired_count;
    size_t retired_capacity;
};

enum status definition_cache_open(struct definition_cache **out, struct error *err)
{
    struct definition_cache *cache = calloc(1, sizeof *cache);

    *out = NULL;
    if (cache == NULL)
        return error_set(err, STATUS_NO_MEMORY, "definitions: out of memory");
    if (pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return error_set(err, STATUS_NO_MEMORY, "definitions: no mutex");
    }
    *out = cache;
    return STATUS_OK;
}

void definition_cache_close(struct definition_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->count; i++)
        definition_close(cache->entries[i].definition);
    for (size_t i = 0; i < cache->retired_count; i++)
        definition_close(cache->retired[i]);
    (void)pthread_mutex_destroy(&cache->lock);
    free(cache->entries);
    free((void *)cache->retired);
    free(cache);
}

/* Room for one more of both arrays, so that retiring never fails. */
static bool cache_grow(struct definition_cache *cache)
{
    size_t wanted = cache->count + 1;

    if (wanted > cache->capacity) {
        size_t capacity = cache->capacity == 0 ? 16 : cache->capacity * 2;
        struct cached *entries = realloc(cache->entries, capacity * sizeof *entries);

        if (entries == NULL)
            return false;
        cache->entries = entries;
        cache->capacity = capacity;
    }
    wanted = cache->count + cache->retired_count + 1;
    if (wanted > cache->retired_capacity) {
        size_t capacity = wanted * 2;
        struct definition **retired =
            realloc((void *)cache->retired, capacity * sizeof(struct definition *));

        if (retired == NULL)
            return false;
        cache->retired = retired;
        cache->retired_capacity = capacity;
    }
    return true;
}

void definition_cache_settle(struct definition_cache *cache, bool committed)
{
    size_t kept = 0;

    (void)pthread_mutex_lock(&cache->lock);
    for (size_t i = 0; i < cache->count; i++) {
        struct cached entry = cache->entries[i];

        if (entry.provisional && !committed) {
            cache->retired[cache->retired_count++] = entry.definition;
            continue;
        }
        entry.provisional = false;
        cache->entries[kept++] = entry;
    }
    cache->count = kept;
    (void)pthread_mutex_unlock(&cache->lock);
}

/* Index of the first entry that is not below (origin, number). */
static size_t cache_lower_bound(const struct definition_cache *cache, uint64_t origin,
                                uint32_t number)
{
    size_t low = 0, high = cache->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct cached *entry = &cache->entries[middle];

        if (entry->origin < origin || (entry->origin == origin && entry->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool cache_find(struct definition_cache *cache, uint64_t origin, uint32_t number,
                       struct table *out)
{
    size_t i = cache_lower_bound(cache, origin, number);

    if (i == cache->count || cache->entries[i].origin != origin ||
        cache->entries[i].number != number)
        return false;
    *out = cache->entries[i].table;
    return true;
}

/* ---- keys */

static struct bytes definition_key(uint8_t out[KEY_SIZE_MAX], uint64_t origin,
                                   uint32_t number)
{
    out[0] = 'D';
    bytes_put(bytes_put(out + 1, origin, 8), number, 4);
    return (struct bytes){out, 13};
}

static struct bytes newest_key(uint8_t out[KEY_SIZE_MAX], uint64_t origin, uint32_t id)
{
    out[0] = 'L';
    bytes_put(bytes_put(out + 1, origin, 8), id, 4);
    return (struct bytes){out, 13};
}

static struct bytes highest_key(uint8_t out[KEY_SIZE_MAX], uint64_t origin)
{
    out[0] = 'H';
    bytes_put(out + 1, origin, 8);
    return (struct bytes){out, 9};
}

static struct bytes name_key(uint8_t out[NAME_SIZE_MAX + 1], const char *name)
{
    size_t size = strlen(name);

    assert(size <= NAME_SIZE_MAX);
    out[0] = 'N';
    for (size_t i = 0; i < size; i++)
        out[i + 1] = (uint8_t)name[i];
    return (struct bytes){out, size + 1};
}

static enum status get_number(struct store_txn *txn, struct bytes key, uint32_t *number,
                              struct error *err)
{
    struct bytes value;
    enum status status = store_get(txn, DBI_TABLE, key, &value, err);

    if (status != STATUS_OK)
        return status;
    if (value.size != ID_SIZE)
        return error_set(err, STATUS_CORRUPT, "a number in `table` has a wrong size");
    *number = (uint32_t)bytes_get(value.data, ID_SIZE);
    return STATUS_OK;
}

static enum status put_number(struct store_txn *txn, struct bytes key, uint32_t number,
                              struct error *err)
{
    uint8_t value[ID_SIZE];

    bytes_put(value, number, sizeof value);
    return store_put(txn, DBI_TABLE, key, (struct bytes){value, sizeof value}, err);
}

/* ---- finding */

static enum status load(struct store_txn *txn, uint64_t origin, uint32_t number,
                        struct cached *out, struct error *err)
{
    uint8_t key[KEY_SIZE_MAX];
    struct bytes value;
    uint64_t id = 0;
    enum status status =
        store_get(txn, DBI_TABLE, definition_key(key, origin, number), &value, err);

    if (status == STATUS_OK)
        status = record_check(&value, "a definition in `table`", err);
    if (status == STATUS_OK && !bytes_take(&value, ID_SIZE, &id))
        status = error_set(err, STATUS_CORRUPT, "a definition in `table` is cut short");
    if (status != STATUS_OK)
        return status;
    *out = (struct cached){.origin = origin, .number = number, .provisional = txn->write};
    status = definition_decode(value, &out->definition, err);
    if (status == STATUS_OK)
        out->table = (struct table){(uint32_t)id, out->definition};
    return status;
}

enum status tables_find(struct store_txn *txn, uint64_t origin, uint32_t number,
                        struct table *out, struct error *err)
{
    struct definition_cache *cache = txn->store->cache;
    enum status status = STATUS_OK;
    struct cached found = {0};

    (void)pthread_mutex_lock(&cache->lock);
    if (!cache_find(cache, origin, number, out)) {
        status = cache_grow(cache)
                     ? load(txn, origin, number, &found, err)
                     : error_set(err, STATUS_NO_MEMORY, "definitions: out of memory");
        if (status == STATUS_OK) {
            size_t i = cache_lower_bound(cache, origin, number);

            memmove(cache->entries + i + 1, cache->entries + i,
                    (cache->count - i) * sizeof *cache->entries);
            cache->entries[i] = found;
            cache->count++;
            *out = found.table;
        }
    }
    (void)pthread_mutex_unlock(&cache->lock);
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_NOT_FOUND,
                         "definition %u of node %016llx is not in the log", number,
                         (unsigned long long)origin);
    }
    return status;
}

enum status tables_id(struct store_txn *txn, const char *name, uint32_t *id,
                      struct error *err)
{
    uint8_t key[NAME_SIZE_MAX + 1];

    if (strlen(name) > NAME_SIZE_MAX)
        return STATUS_NOT_FOUND;
    return get_number(txn, name_key(key, name), id, err);
}

enum status tables_newest(struct store_txn *txn, uint64_t origin, uint32_t id,
                          struct table *out, struct error *err)
{
    uint8_t key[KEY_SIZE_MAX];
    uint32_t number = 0;
    enum status status = get_number(txn, newest_key(key, origin, id), &number, err);

    return status == STATUS_OK ? tables_find(txn, origin, number, out, err) : status;
}

enum status tables_highest(struct store_txn *txn, uint64_t origin, uint32_t *number,
                           struct error *err)
{
    uint8_t key[KEY_SIZE_MAX];
    enum status status = get_number(txn, highest_key(key, origin), number, err);

    if (status != STATUS_NOT_FOUND)
        return status;
    *number = 0;
    return STATUS_OK;
}

enum status tables_count(struct store_txn *txn, uint32_t *count, struct error *err)
{
    uint64_t next = 0;
    enum status status = meta_get(txn, META_NEXT_TABLE, &next, err);

    *count = next == 0 ? 0 : (uint32_t)(next - 1);
    return status;
}

enum status tables_others_visit(struct store_txn *txn, uint32_t id, table_visit_cb visit,
                                void *data, struct error *err)
{
    uint64_t origin, own = txn->store->identity.node;
    enum status status = STATUS_OK;
    MDB_val key, value;
    MDB_cursor *cursor;
    uint8_t first = 'L';
    struct table table;
    int rc;

    if ((rc = mdb_cursor_open(txn->txn, txn->store->dbi[DBI_TABLE], &cursor)) != 0)
        return from_lmdb(txn->store, err, rc, "mdb_cursor_open");
    key = (MDB_val){1, &first};
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && key.mv_size == 13 && ((const uint8_t *)key.mv_data)[0] == 'L') {
        const uint8_t *at = key.mv_data;

        origin = bytes_get(at + 1, 8);
        if (origin != own && bytes_get(at + 9, 4) == id) {
            status = tables_newest(txn, origin, id, &table, err);
            if (status != STATUS_OK || !visit(data, &table))
                break;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc != 0 && rc != MDB_NOTFOUND ? from_lmdb(txn->store, err, rc, "table")
                                         : status;
}

static bool take_first(void *data, const struct table *table)
{
    *(struct table *)data = *table;
    return false;
}

enum status tables_others(struct store_txn *txn, uint32_t id, struct table *out,
                          struct error *err)
{
    struct table first = {0};
    enum status status = tables_others_visit(txn, id, take_first, &first, err);

    if (status == STATUS_OK && first.definition == NULL)
        return STATUS_NOT_FOUND;
    if (status == STATUS_OK)
        *out = first;
    return status;
}

enum status tables_any(struct store_txn *txn, uint32_t id, struct table *out,
                       struct error *err)
{
    enum status status = tables_newest(txn, txn->store->identity.node, id, out, err);

    if (status == STATUS_NOT_FOUND)
        status = tables_others(txn, id, out, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_NOT_FOUND, "table %u has no definition", id);
    return status;
}

enum status tables_generation(struct store_txn *txn, uint64_t *generation,
                              struct error *err)
{
    return store_count(txn, DBI_TABLE, generation, err);
}

enum status tables_name(struct store_txn *txn, uint32_t id, const char **name,
                        struct error *err)
{
    struct table table = {0};
    enum status status = tables_any(txn, id, &table, err);

    if (status == STATUS_OK && table.definition != NULL)
        *name = table.definition->name;
    return status;
}

/* ---- adding */

static enum status id_for_name(struct store_txn *txn, const char *name, uint32_t *id,
                               struct error *err)
{
    uint8_t key[NAME_SIZE_MAX + 1];
    uint64_t next = 0;
    enum status status = tables_id(txn, name, id, err);

    if (status != STATUS_NOT_FOUND)
        return status;
    status = meta_get(txn, META_NEXT_TABLE, &next, err);
    if (status == STATUS_OK) {
        *id = next == 0 ? 1 : (uint32_t)next;
        status = meta_put(txn, META_NEXT_TABLE, (uint64_t)*id + 1, err);
    }
    if (status == STATUS_OK)
        status = put_number(txn, name_key(key, name), *id, err);
    return status;
}

enum status tables_add(struct store_txn *txn, uint64_t origin, struct bytes bytes,
                       struct error *err)
{
    struct definition *definition = NULL;
    struct buffer record = {0};
    uint8_t key[KEY_SIZE_MAX];
    uint32_t highest = 0, id = 0;
    enum status status = definition_decode(bytes, &definition, err);

    if (status != STATUS_OK)
        return status;
    status = tables_highest(txn, origin, &highest, err);
    if (status == STATUS_OK && definition->number != highest + 1) {
        status = error_set(err, STATUS_CORRUPT,
                           "definition %u of node %016llx does not follow %u",
                           definition->number, (unsigned long long)origin, highest);
    }
    if (status == STATUS_OK && strlen(definition->name) > NAME_SIZE_MAX)
        status = error_set(err, STATUS_REFUSED, "the table name %.40s… is over %d bytes",
                           definition->name, NAME_SIZE_MAX);
    if (status == STATUS_OK)
        status = id_for_name(txn, definition->name, &id, err);
    if (status == STATUS_OK) {
        buffer_put(&record, id, ID_SIZE);
        buffer_put_bytes(&record, bytes);
        record_seal(&record);
        status = buffer_check(&record, err);
    }
    if (status == STATUS_OK) {
        status =
            store_put(txn, DBI_TABLE, definition_key(key, origin, definition->number),
                      buffer_view(&record), err);
    }
    if (status == STATUS_OK)
        status = put_number(txn, newest_key(key, origin, id), definition->number, err);
    if (status == STATUS_OK)
        status = put_number(txn, highest_key(key, origin), definition->number, err);
    buffer_release(&record);
    definition_close(definition);
    return status;
}
