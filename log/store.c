#include "log/late_records.h"
#include "log/layered.h"
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

const char *const store_dbi_names[DBI_COUNT] = {
    [DBI_META] = "meta",         [DBI_LOG] = "log",       [DBI_PART] = "part",
    [DBI_ORIGIN] = "origin",     [DBI_ROW] = "row",       [DBI_HELD] = "held",
    [DBI_TABLE] = "table",       [DBI_MEMBER] = "member", [DBI_PEER] = "peer",
    [DBI_CONFLICT] = "conflict", [DBI_PARKED] = "parked", [DBI_QUARANTINE] = "quarantine",
    [DBI_REPAIR] = "repair",     [DBI_INTENT] = "intent", [DBI_RUN] = "run",
    [DBI_ROW_A] = "row.a",       [DBI_ROW_B] = "row.b",   [DBI_HELD_A] = "held.a",
    [DBI_HELD_B] = "held.b",
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

static int open_parts(struct store *store, MDB_txn *txn, int from, int to, bool create)
{
    int rc = 0;

    for (int i = from; rc == 0 && i < to; i++)
        rc = mdb_dbi_open(txn, store_dbi_names[i], create ? MDB_CREATE : 0,
                          &store->dbi[i]);
    return rc;
}

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
    if (rc == 0)
        rc = open_parts(store, txn, 0, DBI_SINCE_2, create);
    if (rc == 0)
        rc = open_parts(store, txn, DBI_SINCE_2, DBI_COUNT, create);
    store->has_runs = rc == 0;
    if (rc == MDB_NOTFOUND && store->dbi[DBI_SINCE_2 - 1] != 0)
        rc = 0; /* of format 1 */
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

static enum status count_rows(struct store_txn *txn, enum store_dbi dbi, int key,
                              struct error *err)
{
    uint64_t rows;
    enum status status = store_count(txn, dbi, &rows, err);

    return status == STATUS_OK ? meta_put(txn, (enum meta_key)key, rows, err) : status;
}

/* From format 1; another process may have been here first. */
static enum status raise(struct store *store, struct store_txn *txn, struct error *err)
{
    uint64_t format;
    enum status status = meta_get(txn, (enum meta_key)META_PRIVATE_FORMAT, &format, err);
    int rc;

    if (status != STATUS_OK)
        return status;
    rc = open_parts(store, txn->txn, DBI_SINCE_2, DBI_COUNT, true);
    if (rc != 0)
        return from_lmdb(store, err, rc, "mdb_dbi_open");
    if (format != 1)
        return STATUS_OK;
    status = count_rows(txn, DBI_ROW, META_PRIVATE_ROWS, err);
    if (status == STATUS_OK)
        status = count_rows(txn, DBI_HELD, META_PRIVATE_HELD, err);
    if (status == STATUS_OK)
        status = meta_put(txn, (enum meta_key)META_PRIVATE_FORMAT, STORE_FORMAT, err);
    return status;
}

enum status store_raise_format(struct store *store, struct error *err)
{
    bool settling = store->settling;
    struct store_txn *txn = NULL;
    enum status status;

    store->settling = true; /* later, when there are runs */
    status = store_begin(store, TXN_WRITE, &txn, err);
    store->settling = settling;
    if (status != STATUS_OK)
        return status;
    assert(txn != NULL);
    status = raise(store, txn, err);
    if (status != STATUS_OK) {
        store_abort(txn);
        return status;
    }
    status = store_commit(txn, err);
    store->has_runs = status == STATUS_OK;
    return status;
}

static struct store *allocate(const char *folder, enum store_mode mode)
{
    struct store *store = calloc(1, sizeof *store);

    if (store == NULL)
        return NULL;
    store->mode = mode;
    store->clock = &wall_clock_system;
    store->max_skew_us = CLOCK_MAX_SKEW_US_DEFAULT;
    store->run_rows_min = RUN_ROWS_MIN;
    store->walk_steps_min = WALK_STEPS_MIN;
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
    layered_release(txn);
    free(txn);
}

enum status store_commit(struct store_txn *txn, struct error *err)
{
    struct store *store = txn->store;
    bool write = txn->write;
    enum status status = layered_commit(txn, err);
    int rc;

    if (status == STATUS_OK)
        status = late_records_put(txn, err);
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
