/* Where a transaction's rows go when it commits. */
#include "log/layered_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* So many rows of one page make it worth a copy of the page now: what a page costs by
 * itself (copied, written, synced) is a few times what a row costs in a run and once more
 * in the merge. */
enum { DENSE = 4 };

/* A generation is merged in this many commits less than it takes to fill the other;
 * unless that means more pages of the tree a commit, which are anonymous memory. */
enum { MERGE_SPARE = 4, MERGE_PAGES = 8192 };

/* ---- to the tree, or to the run that has the key */

static enum status put_in_tree(struct store_txn *txn, enum store_dbi tree,
                               struct bytes key, struct bytes record, struct error *err)
{
    return record.size > 0 ? store_put(txn, tree, key, record, err)
                           : store_delete(txn, tree, key, err);
}

static enum status put_in_place(struct store_txn *txn, struct layer *layer,
                                const struct memtable_row *row, struct error *err)
{
    enum status status;

    if (row->run == NULL)
        return put_in_tree(txn, layer->dbi, row->key, row->record, err);
    status = runs_replace(&layer->runs, txn, row->run, row->key, row->record, err);
    /* The merge may have passed the key. */
    if (status == STATUS_OK && row->run->generation != layer->runs.active)
        status = put_in_tree(txn, layer->dbi, row->key, row->record, err);
    return status;
}

/* How many rows each page has, by its address. */
struct page_counts {
    struct page_count {
        uintptr_t leaf;
        size_t rows; /* 0: free */
    } * slots;
    size_t mask;
};

static size_t *rows_of(const struct page_counts *counts, uintptr_t leaf)
{
    size_t at = (size_t)(leaf >> PAGE_BITS) * 0x9e3779b1U & counts->mask;

    while (counts->slots[at].rows > 0 && counts->slots[at].leaf != leaf)
        at = (at + 1) & counts->mask;
    counts->slots[at].leaf = leaf;
    return &counts->slots[at].rows;
}

/* Mark the rows that share their page with others. *left: how many do not. */
static enum status mark_dense(const struct memtable *table, bool *dense, size_t *left,
                              struct error *err)
{
    struct page_counts counts = {.mask = 1};

    while (counts.mask < table->count * 2)
        counts.mask = counts.mask * 2 + 1;
    counts.slots = calloc(counts.mask + 1, sizeof *counts.slots);
    if (counts.slots == NULL)
        return error_set(err, STATUS_NO_MEMORY, "write rows: out of memory");
    for (size_t i = 0; i < table->count; i++)
        ++*rows_of(&counts, table->rows[i].leaf);
    *left = 0;
    for (size_t i = 0; i < table->count; i++) {
        dense[i] = *rows_of(&counts, table->rows[i].leaf) >= DENSE;
        *left += !dense[i];
    }
    free(counts.slots);
    return STATUS_OK;
}

/* The records of both layers' runs may have moved. */
static void forget_runs(struct store_txn *txn)
{
    for (size_t i = 0; i < LAYERS; i++)
        if (txn->layers[i] != NULL)
            txn->layers[i]->loaded = false;
}

enum status layered_flush(struct store_txn *txn, struct layer *layer, struct error *err)
{
    struct memtable *table = &layer->memtable;
    bool *dense = calloc(table->count, sizeof *dense);
    size_t left = 0;
    bool as_run;
    enum status status;

    if (dense == NULL)
        return error_set(err, STATUS_NO_MEMORY, "write rows: out of memory");
    memtable_sort(table);
    status = mark_dense(table, dense, &left, err);
    as_run = left >= txn->store->run_rows_min && runs_have_room(&layer->runs);
    for (size_t i = 0; i < table->count && status == STATUS_OK; i++)
        if (!as_run || dense[i])
            status = put_in_place(txn, layer, &table->rows[i], err);
    if (status == STATUS_OK && as_run) {
        const struct run_rows rows = {table->rows, dense, table->count, left};

        status = runs_add(&layer->runs, txn, &rows, err);
        forget_runs(txn);
    }
    free(dense);
    memtable_release(table);
    layer->looked.key_size = 0;
    layer->last_leaf = NO_LEAF;
    return status;
}

/* ---- the merge */

static uint64_t rows_to_merge(const struct runs *runs)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < runs->count; i++)
        if (runs->list[i].generation != runs->active)
            rows += runs->list[i].rows;
    return rows / (RUNS_MAX - MERGE_SPARE) + 1;
}

/* The page that the tree's cursor stands in, after a put. */
static uintptr_t leaf_at_hand(struct store_txn *txn, enum store_dbi tree)
{
    MDB_val key = {0}, value;
    MDB_cursor *cursor = NULL;

    if (store_cursor(txn, tree, &cursor) != 0 ||
        mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT) != 0)
        return 0;
    return layered_leaf(key.mv_data);
}

static enum status merge_rows(struct store_txn *txn, struct layer *layer,
                              struct run_walk *walk, struct buffer *position, bool *ended,
                              struct error *err)
{
    uint64_t left = rows_to_merge(&layer->runs), pages = 0;
    uintptr_t last = 0;
    enum status status = STATUS_OK;

    for (; left > 0 && pages < MERGE_PAGES && status == STATUS_OK; left--) {
        struct bytes key, record;
        uintptr_t leaf;

        status = run_walk_next(walk, &key, &record, err);
        if (status != STATUS_OK)
            break;
        buffer_clear(position);
        buffer_put_bytes(position, key);
        status = put_in_tree(txn, layer->dbi, key, record, err);
        leaf = leaf_at_hand(txn, layer->dbi);
        pages += leaf != last;
        last = leaf;
    }
    *ended = status == STATUS_NOT_FOUND;
    if (*ended)
        return STATUS_OK;
    return status == STATUS_OK ? buffer_check(position, err) : status;
}

/* Bring some more of the generation that is being merged into the tree. */
static enum status merge_some(struct store_txn *txn, struct layer *layer,
                              struct error *err)
{
    static const uint8_t first[1];
    struct bytes from = {layer->runs.position, layer->runs.position_size};
    struct run_walk *walk = NULL;
    struct buffer position = {0};
    bool ended = false;
    enum status status = run_walk_open(&walk, txn, &layer->runs, WALK_MERGING, err);

    if (status == STATUS_OK)
        status = run_walk_seek(walk, from.size > 0 ? from : (struct bytes){first, 1},
                               true, err);
    if (status == STATUS_OK)
        status = merge_rows(txn, layer, walk, &position, &ended, err);
    run_walk_close(walk);
    if (status == STATUS_OK) {
        status = ended
                     ? runs_end_merge(&layer->runs, txn, err)
                     : runs_set_position(&layer->runs, txn, buffer_view(&position), err);
    }
    forget_runs(txn);
    buffer_release(&position);
    return status;
}

/* ---- the commit */

/* Nothing is left, as of held images when all is applied. */
static enum status drop_all(struct store_txn *txn, struct layer *layer, struct error *err)
{
    enum status status = runs_drop(&layer->runs, txn, err);
    int rc;

    if (status != STATUS_OK)
        return status;
    forget_runs(txn);
    memtable_release(&layer->memtable);
    rc = mdb_drop(txn->txn, txn->store->dbi[layer->dbi], 0);
    return rc == 0 ? STATUS_OK : from_lmdb(txn->store, err, rc, "mdb_drop");
}

static enum status commit_layer(struct store_txn *txn, struct layer *layer,
                                struct error *err)
{
    enum status status = layered_load(txn, layer, err);
    uint64_t keys = layer->keys + (uint64_t)layer->more;

    if (status == STATUS_OK && layer->more != 0)
        status = layered_put_count(txn, layer->dbi, keys, err);
    if (status == STATUS_OK && keys == 0 && layer->runs.count > 0)
        return drop_all(txn, layer, err);
    if (status == STATUS_OK && layer->memtable.count > 0)
        status = layered_flush(txn, layer, err);
    if (status == STATUS_OK)
        status = layered_load(txn, layer, err);
    if (status == STATUS_OK && layer->runs.last_number != layer->last_number &&
        layer->runs.merging)
        status = merge_some(txn, layer, err);
    return status;
}

enum status layered_commit(struct store_txn *txn, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < LAYERS; i++)
        if (txn->write && txn->layers[i] != NULL && status == STATUS_OK)
            status = commit_layer(txn, txn->layers[i], err);
    return status;
}
