#include "log/late_records.h"
#include "log/piece_marks.h"
#include "log/store_private.h"

#include "log/appender.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* Address space, not disk: the file grows as it is used. store_begin() doubles it. */
#define MAP_SIZE_FIRST ((size_t)64 << 30)

enum { READERS_MAX = 512 };

static const char *const dbi_names[DBI_COUNT] = {
    [DBI_META] = "meta",         [DBI_LOG] = "log",       [DBI_PART] = "part",
    [DBI_ORIGIN] = "origin",     [DBI_ROW] = "row",       [DBI_HELD] = "held",
    [DBI_TABLE] = "table",       [DBI_MEMBER] = "member", [DBI_PEER] = "peer",
    [DBI_CONFLICT] = "conflict", [DBI_PARKED] = "parked", [DBI_QUARANTINE] = "quarantine",
    [DBI_REPAIR] = "repair",     [DBI_INTENT] = "intent",
};

/* LMDB calls a write that was cut short an input/output error: what was written of it
 * has taken the room that was left. By then there is no more of it than this, also for
 * a user who may not use what is kept for root. */
enum { ROOM_LEFT_MAX = 1 << 20 };

static bool is_out_of_room(const struct store *store)
{
    struct statvfs found;

    return statvfs(store->folder, &found) == 0 &&
           (uint64_t)found.f_bavail * found.f_frsize < ROOM_LEFT_MAX;
}

enum status from_lmdb(const struct store *store, struct error *err, int rc,
                      const char *call)
{
    enum status code = STATUS_IO;

    if (rc == ENOMEM)
        code = STATUS_NO_MEMORY;
    else if (error_is_no_room(rc) || rc == MDB_MAP_FULL ||
             (rc == EIO && is_out_of_room(store)))
        code = STATUS_FULL;
    else if (rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID)
        code = STATUS_CORRUPT;
    else if (rc == EACCES || rc == EPERM || rc == EROFS || rc == ENOENT ||
             rc == MDB_VERSION_MISMATCH)
        code = STATUS_UNAVAILABLE;
    if (code == STATUS_FULL) {
        return error_set(err, code,
                         "%s: no room for the store: free some disk space (%s: %s)",
                         store->folder, call, mdb_strerror(rc));
    }
    return error_set(err, code, "%s: store: %s: %s%s", store->folder, call,
                     mdb_strerror(rc),
                     rc == EIO ? ": check the disk, and try again" : "");
}

/* ---- opening */

static enum status open_environment(struct store *store, bool create, struct error *err)
{
    unsigned flags = MDB_NOTLS | (store->mode == STORE_READ_ONLY ? MDB_RDONLY : 0);
    MDB_txn *txn = NULL;
    int dead, rc;

    if ((rc = mdb_env_create(&store->env)) != 0 ||
        (rc = mdb_env_set_maxdbs(store->env, DBI_COUNT)) != 0 ||
        (rc = mdb_env_set_maxreaders(store->env, READERS_MAX)) != 0 ||
        (rc = mdb_env_set_mapsize(store->env, MAP_SIZE_FIRST)) != 0)
        return from_lmdb(store, err, rc, "mdb_env_create");
    if ((rc = mdb_env_open(store->env, store->folder, flags, 0600)) != 0)
        return from_lmdb(store, err, rc, "mdb_env_open");
    (void)mdb_reader_check(store->env, &dead);
    rc = mdb_txn_begin(store->env, NULL, create ? 0 : MDB_RDONLY, &txn);
    if (rc == MDB_MAP_RESIZED) {
        rc = mdb_env_set_mapsize(store->env, 0);
        if (rc == 0)
            rc = mdb_txn_begin(store->env, NULL, create ? 0 : MDB_RDONLY, &txn);
    }
    for (int i = 0; rc == 0 && i < DBI_COUNT; i++)
        rc = mdb_dbi_open(txn, dbi_names[i], create ? MDB_CREATE : 0, &store->dbi[i]);
    if (rc == MDB_NOTFOUND) {
        mdb_txn_abort(txn);
        return error_set(err, STATUS_UNAVAILABLE, "%s: this is not a store of rowferry's",
                         store->folder);
    }
    if (rc != 0) {
        mdb_txn_abort(txn);
        return from_lmdb(store, err, rc, "mdb_dbi_open");
    }
    rc = mdb_txn_commit(txn);
    return rc == 0 ? STATUS_OK : from_lmdb(store, err, rc, "mdb_txn_commit");
}

static struct store *allocate(const char *folder, enum store_mode mode)
{
    struct store *store = calloc(1, sizeof *store);

    if (store == NULL)
        return NULL;
    store->mode = mode;
    store->clock = &wall_clock_system;
    store->max_skew_us = CLOCK_MAX_SKEW_US_DEFAULT;
    for (int i = 0; i < STORE_LOCKS; i++)
        store->lock_fd[i] = -1;
    store->folder = strdup(folder);
    if (store->folder == NULL) {
        free(store);
        return NULL;
    }
    return store;
}

enum status store_allocate(struct store **out, const char *folder, enum store_mode mode,
                           bool create, struct error *err)
{
    enum status status;
    struct store *store = allocate(folder, mode);

    *out = NULL;
    if (store == NULL)
        return error_set(err, STATUS_NO_MEMORY, "open store: out of memory");
    if (sodium_init() < 0) {
        store_close(store);
        return error_set(err, STATUS_IO, "libsodium has no source of randomness");
    }
    status = definition_cache_open(&store->cache, err);
    if (status == STATUS_OK)
        status = open_environment(store, create, err);
    if (status != STATUS_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return STATUS_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    assert(store->open_txns == 0);
    for (int i = 0; i < STORE_LOCKS; i++) {
        while (store->lock_count[i] > 0)
            store_unlock(store, (enum store_lock)i);
    }
    definition_cache_close(store->cache);
    if (store->env != NULL)
        mdb_env_close(store->env);
    sodium_memzero(&store->identity, sizeof store->identity);
    free(store->folder);
    free(store);
}

const struct identity *store_identity(const struct store *store)
{
    return &store->identity;
}

const char *store_folder(const struct store *store)
{
    return store->folder;
}

void store_set_clock(struct store *store, const struct wall_clock *clock,
                     uint64_t max_skew_us)
{
    store->clock = clock;
    store->max_skew_us = max_skew_us;
}

uint64_t store_now_us(const struct store *store)
{
    return store->clock->now_us(store->clock->data);
}

uint64_t store_max_skew_us(const struct store *store)
{
    return store->max_skew_us;
}

void store_set_progress(struct store *store, const struct progress *progress)
{
    store->progress = progress;
}

const struct progress *store_progress(const struct store *store)
{
    return store->progress;
}

/* ---- transactions */

/* Double the map when three quarters are in use. Only when no transaction of this process
 * is open: pointers would move. */
static enum status grow_map(struct store *store, struct error *err)
{
    MDB_envinfo info;
    MDB_stat stat;
    int rc;

    if (store->open_txns > 0)
        return STATUS_OK;
    if ((rc = mdb_env_info(store->env, &info)) != 0 ||
        (rc = mdb_env_stat(store->env, &stat)) != 0)
        return from_lmdb(store, err, rc, "mdb_env_info");
    if (info.me_last_pgno * stat.ms_psize < info.me_mapsize / 4 * 3)
        return STATUS_OK;
    rc = mdb_env_set_mapsize(store->env, info.me_mapsize * 2);
    return rc == 0 ? STATUS_OK : from_lmdb(store, err, rc, "mdb_env_set_mapsize");
}

static enum status begin(struct store *store, enum txn_mode mode, struct store_txn **out,
                         struct error *err)
{
    struct store_txn *txn = calloc(1, sizeof *txn);
    unsigned flags = mode == TXN_READ ? MDB_RDONLY : 0;
    int rc;

    *out = NULL;
    if (txn == NULL)
        return error_set(err, STATUS_NO_MEMORY, "begin transaction: out of memory");
    rc = mdb_txn_begin(store->env, NULL, flags, &txn->txn);
    if (rc == MDB_MAP_RESIZED && store->open_txns == 0) {
        rc = mdb_env_set_mapsize(store->env, 0);
        if (rc == 0)
            rc = mdb_txn_begin(store->env, NULL, flags, &txn->txn);
    }
    if (rc != 0) {
        free(txn);
        return from_lmdb(store, err, rc, "mdb_txn_begin");
    }
    txn->store = store;
    txn->write = mode == TXN_WRITE;
    if (!txn->write)
        store->checked = 0;
    store->open_txns++;
    *out = txn;
    return STATUS_OK;
}

enum status store_begin(struct store *store, enum txn_mode mode, struct store_txn **out,
                        struct error *err)
{
    enum status status;
    struct bytes adoption;

    *out = NULL;
    if (mode == TXN_READ)
        return begin(store, mode, out, err);
    assert(store->mode == STORE_READ_WRITE);
    status = grow_map(store, err);
    if (status == STATUS_OK)
        status = begin(store, mode, out, err);
    if (status != STATUS_OK || store->settling)
        return status;
    status = meta_get_bytes(*out, META_ADOPTION, &adoption, err);
    if (status == STATUS_OK && adoption.size == 0)
        return STATUS_OK;
    store_abort(*out);
    *out = NULL;
    if (status == STATUS_OK)
        status = appender_settle(store, err);
    return status == STATUS_OK ? begin(store, mode, out, err) : status;
}

/* Give back a transaction that has ended: one that could write took its cursors along. */
static void release(struct store_txn *txn)
{
    for (int i = 0; i < DBI_COUNT; i++)
        if (!txn->write && txn->cursors[i] != NULL)
            mdb_cursor_close(txn->cursors[i]);
    free(txn->checked);
    piece_marks_release(txn->marks);
    late_records_close(txn->late);
    free(txn);
}

enum status store_commit(struct store_txn *txn, struct error *err)
{
    struct store *store = txn->store;
    bool write = txn->write;
    enum status status = late_records_put(txn, err);
    int rc;

    if (status != STATUS_OK) {
        store_abort(txn);
        return status;
    }
    rc = mdb_txn_commit(txn->txn); /* frees it, whatever it returns */
    release(txn);
    store->open_txns--;
    if (write)
        definition_cache_settle(store->cache, rc == 0);
    return rc == 0 ? STATUS_OK : from_lmdb(store, err, rc, "mdb_txn_commit");
}

void store_abort(struct store_txn *txn)
{
    struct store *store;

    if (txn == NULL)
        return;
    store = txn->store;
    mdb_txn_abort(txn->txn);
    store->open_txns--;
    if (txn->write)
        definition_cache_settle(store->cache, false);
    release(txn);
}

struct store *store_of(const struct store_txn *txn)
{
    return txn->store;
}

/* ---- records */

/* The transaction's own cursor: the next key is often in the leaf of the last one. LMDB
 * moves it along with what is written by other ways. */
static int cursor_of(struct store_txn *txn, enum store_dbi dbi, MDB_cursor **out)
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
    int rc = cursor_of(txn, dbi, &cursor);

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_KEY);
    if (rc == MDB_NOTFOUND)
        return STATUS_NOT_FOUND;
    if (rc != 0)
        return from_lmdb(txn->store, err, rc, dbi_names[dbi]);
    *value = (struct bytes){v.mv_data, v.mv_size};
    return STATUS_OK;
}

static bool is_by_row(enum store_dbi dbi)
{
    return dbi == DBI_ROW || dbi == DBI_HELD || dbi == DBI_PARKED ||
           dbi == DBI_QUARANTINE;
}

uint64_t store_row_writes(const struct store_txn *txn)
{
    return txn->row_writes;
}

enum status store_put(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                      struct bytes value, struct error *err)
{
    MDB_val k = {key.size, (void *)(uintptr_t)key.data};
    MDB_val v = {value.size, (void *)(uintptr_t)value.data};
    MDB_cursor *cursor = NULL;
    int rc = cursor_of(txn, dbi, &cursor);

    assert(txn->write);
    txn->row_writes += is_by_row(dbi);
    if (rc == 0)
        rc = mdb_cursor_put(cursor, &k, &v, 0);
    return rc == 0 ? STATUS_OK : from_lmdb(txn->store, err, rc, dbi_names[dbi]);
}

enum status store_delete(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                         struct error *err)
{
    MDB_val k = {key.size, (void *)(uintptr_t)key.data};
    MDB_cursor *cursor = NULL;
    int rc = cursor_of(txn, dbi, &cursor);

    assert(txn->write);
    if (rc == 0)
        rc = mdb_cursor_get(cursor, &k, NULL, MDB_SET);
    txn->row_writes += rc == 0 && is_by_row(dbi);
    if (rc == 0)
        rc = mdb_cursor_del(cursor, 0);
    return rc == 0 || rc == MDB_NOTFOUND ? STATUS_OK
                                         : from_lmdb(txn->store, err, rc, dbi_names[dbi]);
}

enum status store_count(struct store_txn *txn, enum store_dbi dbi, uint64_t *count,
                        struct error *err)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->txn, txn->store->dbi[dbi], &stat);

    if (rc != 0)
        return from_lmdb(txn->store, err, rc, dbi_names[dbi]);
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
