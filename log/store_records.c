/* A store's records: single ones, and their checksums. */
#include "log/store_private.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

int store_cursor(struct store_txn *txn, enum store_dbi dbi, MDB_cursor **out)
{
    int rc = 0;

    if (txn->cursors[dbi] == NULL)
        rc = mdb_cursor_open(txn->txn, txn->store->dbi[dbi], &txn->cursors[dbi]);
    *out = txn->cursors[dbi];
    return rc;
}

enum status store_get(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                      struct bytes *value, struct error *err)
{
    MDB_val k = {key.size, (void *)(uintptr_t)key.data}, v;
    MDB_cursor *cursor = NULL;
    int rc = store_cursor(txn, dbi, &cursor);

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_KEY);
    if (rc == MDB_NOTFOUND)
        return STATUS_NOT_FOUND;
    if (rc != 0)
        return from_lmdb(txn->store, err, rc, store_dbi_names[dbi]);
    *value = (struct bytes){v.mv_data, v.mv_size};
    return STATUS_OK;
}

/* Those of the row index and the held images are counted in layered.c. */
static bool is_by_row(enum store_dbi dbi)
{
    return dbi == DBI_PARKED || dbi == DBI_QUARANTINE;
}

uint64_t store_row_writes(const struct store_txn *txn)
{
    return txn->row_quarters / 4;
}

enum status store_put(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                      struct bytes value, struct error *err)
{
    MDB_val k = {key.size, (void *)(uintptr_t)key.data};
    MDB_val v = {value.size, (void *)(uintptr_t)value.data};
    MDB_cursor *cursor = NULL;
    int rc = store_cursor(txn, dbi, &cursor);

    assert(txn->write);
    txn->row_quarters += is_by_row(dbi) ? 4 : 0;
    if (rc == 0)
        rc = mdb_cursor_put(cursor, &k, &v, 0);
    return rc == 0 ? STATUS_OK : from_lmdb(txn->store, err, rc, store_dbi_names[dbi]);
}

enum status store_delete(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                         struct error *err)
{
    MDB_val k = {key.size, (void *)(uintptr_t)key.data};
    MDB_cursor *cursor = NULL;
    int rc = store_cursor(txn, dbi, &cursor);

    assert(txn->write);
    if (rc == 0)
        rc = mdb_cursor_get(cursor, &k, NULL, MDB_SET);
    txn->row_quarters += rc == 0 && is_by_row(dbi) ? 4 : 0;
    if (rc == 0)
        rc = mdb_cursor_del(cursor, 0);
    return rc == 0 || rc == MDB_NOTFOUND
               ? STATUS_OK
               : from_lmdb(txn->store, err, rc, store_dbi_names[dbi]);
}

enum status store_count(struct store_txn *txn, enum store_dbi dbi, uint64_t *count,
                        struct error *err)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->txn, txn->store->dbi[dbi], &stat);

    if (rc != 0)
        return from_lmdb(txn->store, err, rc, store_dbi_names[dbi]);
    *count = stat.ms_entries;
    return STATUS_OK;
}

static void record_sum(struct bytes record, uint8_t out[RECORD_CHECK_SIZE])
{
    static const uint8_t key[crypto_shorthash_KEYBYTES];

    crypto_shorthash(out, record.data, record.size, key);
}

void record_seal(struct buffer *record)
{
    uint8_t sum[RECORD_CHECK_SIZE];

    if (record->failed)
        return;
    record_sum(buffer_view(record), sum);
    buffer_put_bytes(record, (struct bytes){sum, sizeof sum});
}

enum status record_check(struct bytes *record, const char *what, struct error *err)
{
    uint8_t sum[RECORD_CHECK_SIZE];

    if (record->size < RECORD_CHECK_SIZE)
        return error_set(err, STATUS_CORRUPT, "%s is cut short", what);
    record->size -= RECORD_CHECK_SIZE;
    record_sum(*record, sum);
    if (memcmp(sum, record->data + record->size, sizeof sum) != 0)
        return error_set(err, STATUS_CORRUPT, "%s does not have its checksum", what);
    return STATUS_OK;
}

enum status record_check_once(struct store_txn *txn, uint64_t name, struct bytes *record,
                              const char *what, struct error *err)
{
    size_t at = name % CHECKED_MAX;
    enum status status;

    assert(name != 0);
    if (txn->checked == NULL)
        txn->checked = calloc(CHECKED_MAX, sizeof *txn->checked);
    if (txn->checked != NULL && txn->checked[at] == name &&
        record->size >= RECORD_CHECK_SIZE) {
        record->size -= RECORD_CHECK_SIZE;
        return STATUS_OK;
    }
    status = record_check(record, what, err);
    if (status == STATUS_OK && txn->checked != NULL)
        txn->checked[at] = name;
    return status;
}

static struct checked {
    uint64_t first, count;
} get_checked(const struct store *store)
{
    uint64_t both = store->checked, mask = (1U << CHECKED_COUNT_BITS) - 1;

    return (struct checked){both >> CHECKED_COUNT_BITS, both & mask};
}

/* A walk begins, or goes on, or something else is looked up in between. */
static void note_checked(struct store *store, uint64_t seq)
{
    struct checked checked = get_checked(store);

    if (seq >> (64 - CHECKED_COUNT_BITS) != 0)
        return;
    if (checked.count > 0 && seq == checked.first + checked.count &&
        checked.count + 1 < 1U << CHECKED_COUNT_BITS)
        store->checked = checked.first << CHECKED_COUNT_BITS | (checked.count + 1);
    else if (checked.count <= 1)
        store->checked = seq << CHECKED_COUNT_BITS | 1;
}

enum status record_check_entry(struct store_txn *txn, uint64_t seq, struct bytes *record,
                               struct error *err)
{
    struct store *store = txn->store;
    struct checked checked = get_checked(store);
    enum status status;

    if (seq - checked.first < checked.count && record->size >= RECORD_CHECK_SIZE) {
        record->size -= RECORD_CHECK_SIZE;
        return STATUS_OK;
    }
    status = record_check_once(txn, seq << 1 | 1, record, "its record", err);
    if (status == STATUS_OK)
        note_checked(store, seq);
    return status;
}
