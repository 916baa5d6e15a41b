#include "log/layered_private.h"

#include "log/run_filter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What a put adds to the transaction's quarter pages: of a page of its own, and of a row
 * that is to go with many others. */
enum { OWN_PAGE = 4, SHARED_PAGE = 1 };

/* The transaction's own part of a layer, made when it is first needed. */
static struct layer *layer_of(struct store_txn *txn, enum store_dbi dbi,
                              struct error *err)
{
    struct layer **at = &txn->layers[dbi == DBI_HELD];

    assert(dbi == DBI_ROW || dbi == DBI_HELD);
    if (*at != NULL)
        return *at;
    *at = calloc(1, sizeof **at);
    if (*at == NULL) {
        (void)error_set(err, STATUS_NO_MEMORY, "look a row up: out of memory");
        return NULL;
    }
    (*at)->dbi = dbi;
    (*at)->last_leaf = NO_LEAF;
    return *at;
}

void layered_release(struct store_txn *txn)
{
    for (size_t i = 0; i < LAYERS; i++) {
        if (txn->layers[i] != NULL)
            memtable_release(&txn->layers[i]->memtable);
        free(txn->layers[i]);
        txn->layers[i] = NULL;
    }
}

static enum meta_key count_key(enum store_dbi dbi)
{
    return (enum meta_key)(dbi == DBI_ROW ? META_PRIVATE_ROWS : META_PRIVATE_HELD);
}

enum status layered_put_count(struct store_txn *txn, enum store_dbi layer, uint64_t keys,
                              struct error *err)
{
    return meta_put(txn, count_key(layer), keys, err);
}

/* Of a store of format 1, which is only read. */
static enum status get_plain_count(struct store_txn *txn, struct layer *layer,
                                   struct error *err)
{
    uint64_t format;
    enum status status = meta_get(txn, (enum meta_key)META_PRIVATE_FORMAT, &format, err);

    if (status == STATUS_OK && format > 1) {
        return error_set(err, STATUS_UNAVAILABLE,
                         "%s: another rowferry has just raised the store's format: try "
                         "again",
                         txn->store->folder);
    }
    return status == STATUS_OK ? store_count(txn, layer->dbi, &layer->keys, err) : status;
}

enum status layered_load(struct store_txn *txn, struct layer *layer, struct error *err)
{
    enum status status = STATUS_OK;

    if (!layer->loaded)
        status = runs_load(&layer->runs, txn, layer->dbi, err);
    layer->loaded = status == STATUS_OK;
    if (status == STATUS_OK && !layer->counted) {
        status = txn->store->has_runs
                     ? meta_get(txn, count_key(layer->dbi), &layer->keys, err)
                     : get_plain_count(txn, layer, err);
    }
    if (status == STATUS_OK && !layer->counted)
        layer->last_number = layer->runs.last_number;
    layer->counted = status == STATUS_OK;
    return status;
}

/* ---- looking up */

/* In the tree, and the page of it that the key belongs to: that of the first key that is
 * not below it. */
static enum status look_in_tree(struct store_txn *txn, struct layer *layer,
                                struct bytes key, struct bytes *record, struct error *err)
{
    struct looked *looked = &layer->looked;
    MDB_val k = {key.size, (void *)(uintptr_t)key.data}, v = {0};
    MDB_cursor *cursor = NULL;
    int rc = store_cursor(txn, layer->dbi, &cursor);

    if (rc == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    if (rc != 0 && rc != MDB_NOTFOUND)
        return from_lmdb(txn->store, err, rc, store_dbi_names[layer->dbi]);
    looked->key_size = key.size;
    looked->leaf = rc == 0 ? layered_leaf(k.mv_data) : 0;
    looked->found = rc == 0 && bytes_equal((struct bytes){k.mv_data, k.mv_size}, key);
    if (!looked->found)
        return STATUS_NOT_FOUND;
    *record = (struct bytes){v.mv_data, v.mv_size};
    return STATUS_OK;
}

static enum status look(struct store_txn *txn, struct layer *layer, struct bytes key,
                        struct bytes *record, struct error *err)
{
    struct looked *looked = &layer->looked;
    enum status status = layered_load(txn, layer, err);

    if (status != STATUS_OK)
        return status;
    assert(key.size <= sizeof looked->key);
    memcpy(looked->key, key.data, key.size);
    looked->key_size = 0; /* unless it succeeds */
    looked->row = NULL;
    looked->run = NULL;
    looked->leaf = 0;
    looked->has_hash = layer->memtable.count > 0 || layer->runs.count > 0;
    if (looked->has_hash) {
        looked->hash = run_filter_hash(key);
        looked->row = memtable_find(&layer->memtable, key, looked->hash);
    }
    if (looked->row != NULL) {
        *record = looked->row->record;
    } else {
        status =
            runs_find(&layer->runs, txn, key, looked->hash, &looked->run, record, err);
        if (status == STATUS_NOT_FOUND)
            return look_in_tree(txn, layer, key, record, err);
        if (status != STATUS_OK)
            return status;
        looked->leaf = layered_leaf(record->data);
    }
    looked->key_size = key.size;
    looked->found = record->size > 0;
    return looked->found ? STATUS_OK : STATUS_NOT_FOUND;
}

enum status layered_get(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                        struct bytes *record, struct error *err)
{
    struct layer *layer = layer_of(txn, dbi, err);

    return layer == NULL ? STATUS_NO_MEMORY : look(txn, layer, key, record, err);
}

/* What is known of a key already, or is looked up. */
static enum status look_again(struct store_txn *txn, struct layer *layer,
                              struct bytes key, struct error *err)
{
    const struct looked *looked = &layer->looked;
    struct bytes ignored;
    enum status status;

    if (looked->key_size == key.size && memcmp(looked->key, key.data, key.size) == 0)
        return STATUS_OK;
    status = look(txn, layer, key, &ignored, err);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* ---- changing */

/* One after another in one page: the tree is the place for it at once. */
static bool is_at_hand(const struct layer *layer)
{
    return layer->looked.row == NULL && layer->looked.run == NULL &&
           layer->looked.leaf == layer->last_leaf;
}

static void changed(struct store_txn *txn, struct layer *layer)
{
    bool own = is_at_hand(layer) || !runs_have_room(&layer->runs);

    txn->row_quarters += own ? OWN_PAGE : SHARED_PAGE;
    layer->last_leaf = layer->looked.leaf;
    layer->looked.key_size = 0;
}

static enum status keep(struct layer *layer, struct bytes key, struct bytes record,
                        struct error *err)
{
    struct looked *looked = &layer->looked;
    struct memtable_row row = {.key = key,
                               .record = record,
                               .hash = looked->hash,
                               .run = looked->run,
                               .leaf = looked->leaf};

    if (looked->row != NULL)
        return memtable_replace(&layer->memtable, looked->row, record, err);
    if (!looked->has_hash)
        row.hash = run_filter_hash(key);
    return memtable_add(&layer->memtable, &row, err);
}

/* The tree's cursor stands at the record since it was looked up. */
static enum status delete_at_hand(struct store_txn *txn, const struct layer *layer,
                                  struct error *err)
{
    int rc = mdb_cursor_del(txn->cursors[layer->dbi], 0);

    return rc == 0 ? STATUS_OK
                   : from_lmdb(txn->store, err, rc, store_dbi_names[layer->dbi]);
}

/* An empty record: the key's goes, if it has one. */
static enum status change(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                          struct bytes record, struct error *err)
{
    struct layer *layer = layer_of(txn, dbi, err);
    bool comes = record.size > 0, was_there;
    enum status status;

    if (layer == NULL)
        return STATUS_NO_MEMORY;
    assert(txn->write);
    assert(layer->walks == 0);
    status = look_again(txn, layer, key, err);
    was_there = layer->looked.found;
    if (status != STATUS_OK || (!comes && !was_there))
        return status;
    if (!is_at_hand(layer))
        status = keep(layer, key, record, err);
    else if (comes)
        status = store_put(txn, dbi, key, record, err);
    else
        status = delete_at_hand(txn, layer, err);
    layer->more += (int)comes - (int)was_there;
    changed(txn, layer);
    return status;
}

enum status layered_put(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                        struct bytes record, struct error *err)
{
    assert(record.size > 0);
    return change(txn, dbi, key, record, err);
}

enum status layered_delete(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                           struct error *err)
{
    return change(txn, dbi, key, (struct bytes){NULL, 0}, err);
}

/* ---- all of it */

enum status layered_count(struct store_txn *txn, enum store_dbi dbi, uint64_t *count,
                          struct error *err)
{
    struct layer *layer = layer_of(txn, dbi, err);
    enum status status;

    if (layer == NULL)
        return STATUS_NO_MEMORY;
    status = layered_load(txn, layer, err);
    *count = layer->keys + (uint64_t)layer->more;
    return status;
}

enum status layered_walk(struct store_txn *txn, enum store_dbi dbi, struct run_walk **out,
                         struct error *err)
{
    struct layer *layer = layer_of(txn, dbi, err);
    enum status status;

    *out = NULL;
    if (layer == NULL)
        return STATUS_NO_MEMORY;
    status = layered_load(txn, layer, err);
    if (status == STATUS_OK && layer->memtable.count > 0)
        status = layered_flush(txn, layer, err);
    if (status == STATUS_OK)
        status = layered_load(txn, layer, err); /* there may be one run more */
    if (status == STATUS_OK)
        status = run_walk_open(out, txn, &layer->runs, WALK_ALL, err);
    if (status == STATUS_OK)
        layer->walks++;
    return status;
}

void layered_walk_end(struct store_txn *txn, enum store_dbi dbi, struct run_walk *walk)
{
    struct layer *layer = txn->layers[dbi == DBI_HELD];

    if (walk == NULL)
        return;
    assert(layer->walks > 0);
    layer->walks--;
    run_walk_close(walk);
}
