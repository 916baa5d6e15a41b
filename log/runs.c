/* Records of `run`. The layer's is `R` (row) or `H` (held):
 *
 *  1         layer
 *
 *  4         last number   of a run
 *  1         flags         bit 0: the active generation, bit 1: the other is being merged
 *  the rest  position      the last key that was merged
 *  8         checksum
 *
 * and a run's:
 *
 *  1         layer
 *  1         generation    0 or 1: its records are in `row.a` or `row.b`
 *  4         number
 *
 *  8         rows
 *  the rest  filter
 *  8         checksum
 */
#include "log/runs.h"

#include "log/run_filter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { ACTIVE = 1, MERGING = 2, HEAD_KEY_SIZE = 6 };

static uint8_t letter_of(enum store_dbi layer)
{
    assert(layer == DBI_ROW || layer == DBI_HELD);
    return layer == DBI_ROW ? 'R' : 'H';
}

enum store_dbi runs_dbi(enum store_dbi layer, unsigned generation)
{
    enum store_dbi first = layer == DBI_ROW ? DBI_ROW_A : DBI_HELD_A;

    assert(generation < RUN_GENERATIONS);
    return (enum store_dbi)((unsigned)first + generation);
}

struct bytes run_key(uint8_t out[RUN_KEY_MAX], uint32_t number, struct bytes key)
{
    assert(key.size <= RUN_KEY_MAX - 4);
    memcpy(bytes_put(out, number, 4), key.data, key.size);
    return (struct bytes){out, 4 + key.size};
}

/* ---- what there is */

static void set_position(struct runs *runs, struct bytes position)
{
    assert(position.size <= sizeof runs->position);
    runs->position_size = position.size;
    if (position.size > 0)
        memcpy(runs->position, position.data, position.size);
}

static enum status take_layer(struct runs *runs, struct bytes record, struct error *err)
{
    uint64_t number, flags;
    enum status status = record_check(&record, "the record of sorted runs", err);

    if (status != STATUS_OK)
        return status;
    if (!bytes_take(&record, 4, &number) || !bytes_take(&record, 1, &flags) ||
        flags > (ACTIVE | MERGING) || record.size > sizeof runs->position)
        return error_set(err, STATUS_CORRUPT,
                         "the record of sorted runs does not decode");
    runs->last_number = (uint32_t)number;
    runs->active = flags & ACTIVE;
    runs->merging = flags & MERGING;
    set_position(runs, record);
    return STATUS_OK;
}

static enum status take_run(struct runs *runs, struct bytes key, struct bytes record,
                            struct error *err)
{
    struct run run = {.generation = key.data[1],
                      .number = (uint32_t)bytes_get(key.data + 2, 4)};
    size_t at = runs->count;
    enum status status = record_check(&record, "a sorted run's record", err);

    if (status != STATUS_OK)
        return status;
    if (run.generation >= RUN_GENERATIONS || !bytes_take(&record, 8, &run.rows) ||
        record.size == 0 || record.size % RUN_FILTER_BLOCK != 0 ||
        runs->count == sizeof runs->list / sizeof *runs->list)
        return error_set(err, STATUS_CORRUPT, "a sorted run's record does not decode");
    run.filter = record;
    for (; at > 0 && runs->list[at - 1].number < run.number; at--)
        runs->list[at] = runs->list[at - 1];
    runs->list[at] = run;
    runs->count++;
    return STATUS_OK;
}

static enum status take_record(struct runs *runs, struct bytes key, struct bytes record,
                               struct error *err)
{
    if (key.size == 1)
        return take_layer(runs, record, err);
    if (key.size == HEAD_KEY_SIZE)
        return take_run(runs, key, record, err);
    return error_set(err, STATUS_CORRUPT, "a sorted run's key does not decode");
}

enum status runs_load(struct runs *runs, struct store_txn *txn, enum store_dbi layer,
                      struct error *err)
{
    uint8_t letter = letter_of(layer);
    MDB_val key = {1, &letter}, value;
    MDB_cursor *cursor = NULL;
    enum status status = STATUS_OK;
    int rc;

    *runs = (struct runs){.layer = layer};
    if (!txn->store->has_runs)
        return STATUS_OK;
    rc = store_cursor(txn, DBI_RUN, &cursor);
    if (rc == 0)
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && status == STATUS_OK && *(const uint8_t *)key.mv_data == letter) {
        struct bytes record = {value.mv_data, value.mv_size};

        status = take_record(runs, (struct bytes){key.mv_data, key.mv_size}, record, err);
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (rc != 0 && rc != MDB_NOTFOUND)
        return from_lmdb(txn->store, err, rc, store_dbi_names[DBI_RUN]);
    return status;
}

enum status runs_find(const struct runs *runs, struct store_txn *txn, struct bytes key,
                      uint64_t hash, const struct run **found, struct bytes *record,
                      struct error *err)
{
    uint8_t whole[RUN_KEY_MAX];

    for (size_t i = 0; i < runs->count; i++)
        run_filter_fetch(runs->list[i].filter, hash);
    for (size_t i = 0; i < runs->count; i++) {
        const struct run *run = &runs->list[i];
        enum status status;

        if (!run_filter_may_have(run->filter, hash))
            continue;
        status = store_get(txn, runs_dbi(runs->layer, run->generation),
                           run_key(whole, run->number, key), record, err);
        if (status == STATUS_NOT_FOUND)
            continue;
        *found = run;
        return status;
    }
    return STATUS_NOT_FOUND;
}

/* ---- changes */

static enum status put_layer(const struct runs *runs, struct store_txn *txn,
                             struct error *err)
{
    uint8_t letter = letter_of(runs->layer);
    struct buffer record = {0};
    enum status status;

    buffer_put(&record, runs->last_number, 4);
    buffer_put(&record, runs->active | (runs->merging ? MERGING : 0U), 1);
    buffer_put_bytes(&record, (struct bytes){runs->position, runs->position_size});
    record_seal(&record);
    status = buffer_check(&record, err);
    if (status == STATUS_OK)
        status = store_put(txn, DBI_RUN, (struct bytes){&letter, 1}, buffer_view(&record),
                           err);
    buffer_release(&record);
    return status;
}

static struct bytes head_key(uint8_t out[HEAD_KEY_SIZE], const struct runs *runs,
                             const struct run *run)
{
    out[0] = letter_of(runs->layer);
    out[1] = (uint8_t)run->generation;
    bytes_put(out + 2, run->number, 4);
    return (struct bytes){out, HEAD_KEY_SIZE};
}

enum status runs_replace(const struct runs *runs, struct store_txn *txn,
                         const struct run *run, struct bytes key, struct bytes record,
                         struct error *err)
{
    uint8_t whole[RUN_KEY_MAX];

    return store_put(txn, runs_dbi(runs->layer, run->generation),
                     run_key(whole, run->number, key), record, err);
}

static size_t runs_in(const struct runs *runs, unsigned generation)
{
    size_t count = 0;

    for (size_t i = 0; i < runs->count; i++)
        count += runs->list[i].generation == generation;
    return count;
}

bool runs_have_room(const struct runs *runs)
{
    return runs->last_number < UINT32_MAX &&
           (!runs->merging || runs_in(runs, runs->active) < RUNS_MAX);
}

static enum status put_records(const struct run *run, MDB_cursor *cursor,
                               struct store_txn *txn, const struct run_rows *rows,
                               struct buffer *head, struct error *err)
{
    uint8_t whole[RUN_KEY_MAX];
    size_t filter_size = run_filter_size(run->rows);

    for (size_t i = 0; i < rows->count; i++) {
        const struct memtable_row *row = &rows->rows[i];
        struct bytes key = run_key(whole, run->number, row->key);
        MDB_val k = {key.size, (void *)(uintptr_t)key.data};
        MDB_val v = {row->record.size, (void *)(uintptr_t)row->record.data};
        int rc;

        if (rows->skip[i])
            continue;
        rc = mdb_cursor_put(cursor, &k, &v, MDB_APPEND);
        if (rc != 0)
            return from_lmdb(txn->store, err, rc, "a sorted run");
        run_filter_add(head->data + 8, filter_size, row->hash);
    }
    return STATUS_OK;
}

enum status runs_add(struct runs *runs, struct store_txn *txn,
                     const struct run_rows *rows, struct error *err)
{
    uint8_t key[HEAD_KEY_SIZE];
    struct run run = {.rows = rows->left};
    struct buffer head = {0};
    size_t filter_size = run_filter_size(run.rows);
    MDB_cursor *cursor = NULL;
    enum status status;
    int rc;

    assert(runs_have_room(runs));
    if (runs_in(runs, runs->active) == RUNS_MAX) {
        runs->active = 1 - runs->active;
        runs->merging = true;
        runs->position_size = 0;
    }
    run.generation = runs->active;
    run.number = ++runs->last_number;
    rc = store_cursor(txn, runs_dbi(runs->layer, run.generation), &cursor);
    if (rc != 0)
        return from_lmdb(txn->store, err, rc, "mdb_cursor_open");
    buffer_put(&head, run.rows, 8);
    if (buffer_reserve(&head, filter_size) != NULL) {
        memset(head.data + head.size, 0, filter_size);
        head.size += filter_size;
    }
    status = buffer_check(&head, err);
    if (status == STATUS_OK)
        status = put_records(&run, cursor, txn, rows, &head, err);
    record_seal(&head);
    if (status == STATUS_OK)
        status = buffer_check(&head, err);
    if (status == STATUS_OK)
        status =
            store_put(txn, DBI_RUN, head_key(key, runs, &run), buffer_view(&head), err);
    buffer_release(&head);
    return status == STATUS_OK ? put_layer(runs, txn, err) : status;
}

enum status runs_set_position(struct runs *runs, struct store_txn *txn,
                              struct bytes position, struct error *err)
{
    assert(runs->merging);
    set_position(runs, position);
    return put_layer(runs, txn, err);
}

/* The generation's records and heads; the layer's record is the caller's to put. */
static enum status drop_generation(struct runs *runs, struct store_txn *txn,
                                   unsigned generation, struct error *err)
{
    uint8_t key[HEAD_KEY_SIZE];
    enum status status = STATUS_OK;
    int rc;

    for (size_t i = 0; i < runs->count && status == STATUS_OK; i++) {
        const struct run *run = &runs->list[i];

        if (run->generation == generation)
            status = store_delete(txn, DBI_RUN, head_key(key, runs, run), err);
    }
    if (status != STATUS_OK)
        return status;
    rc = mdb_drop(txn->txn, txn->store->dbi[runs_dbi(runs->layer, generation)], 0);
    return rc == 0 ? STATUS_OK : from_lmdb(txn->store, err, rc, "mdb_drop");
}

enum status runs_end_merge(struct runs *runs, struct store_txn *txn, struct error *err)
{
    enum status status = drop_generation(runs, txn, 1 - runs->active, err);

    runs->merging = false;
    runs->position_size = 0;
    return status == STATUS_OK ? put_layer(runs, txn, err) : status;
}

enum status runs_drop(struct runs *runs, struct store_txn *txn, struct error *err)
{
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < RUN_GENERATIONS && status == STATUS_OK; i++)
        status = drop_generation(runs, txn, i, err);
    runs->merging = false;
    runs->position_size = 0;
    return status == STATUS_OK ? put_layer(runs, txn, err) : status;
}
