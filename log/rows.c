#include "log/layered.h"
#include "log/row_record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static enum status get_row(struct store_txn *txn, enum store_dbi dbi, uint32_t table,
                           struct bytes key, struct row *out, struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];
    struct bytes form = row_lmdb_key(lmdb_key, table, key), record;
    enum status status = layered_get(txn, dbi, form, &record, err);

    if (status != STATUS_OK)
        return status;
    status = row_record_decode(form, record, out, err);
    if (status != STATUS_OK)
        return status;
    if (!bytes_equal(out->key, key))
        return error_set(err, STATUS_CORRUPT,
                         "a row's record is under another row's key");
    out->key = key;
    return STATUS_OK;
}

enum status rows_get(struct store_txn *txn, uint32_t table, struct bytes key,
                     struct row *out, struct error *err)
{
    return get_row(txn, DBI_ROW, table, key, out, err);
}

enum status rows_winner(struct store_txn *txn, uint32_t table, struct bytes key,
                        uint64_t *seq, bool *local, struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];
    struct version version;
    struct bytes record;
    enum status status =
        layered_get(txn, DBI_ROW, row_lmdb_key(lmdb_key, table, key), &record, err);

    return status == STATUS_OK ? row_record_winner(record, &version, seq, local, err)
                               : status;
}

enum status rows_is_winner(struct store_txn *txn, uint32_t table, struct bytes key,
                           uint64_t seq, const struct version *version, bool *is,
                           struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];
    struct version winner;
    struct bytes record;
    uint64_t at;
    bool local;
    enum status status =
        layered_get(txn, DBI_ROW, row_lmdb_key(lmdb_key, table, key), &record, err);

    if (status == STATUS_OK)
        status = row_record_winner(record, &winner, &at, &local, err);
    *is = status == STATUS_OK && at == seq && !local &&
          version_compare(&winner, version) == 0;
    return status;
}

enum status held_get(struct store_txn *txn, uint32_t table, struct bytes key,
                     struct row *out, struct error *err)
{
    return get_row(txn, DBI_HELD, table, key, out, err);
}

enum status rows_holding(struct store_txn *txn, uint32_t table, struct bytes key,
                         struct row *out, bool *from_held, struct error *err)
{
    enum status status = held_get(txn, table, key, out, err);

    *from_held = status == STATUS_OK;
    if (status == STATUS_NOT_FOUND)
        status = rows_get(txn, table, key, out, err);
    if (status != STATUS_NOT_FOUND)
        return status;
    *out = (struct row){.key = key};
    return STATUS_OK;
}

static enum status put_row(struct store_txn *txn, enum store_dbi dbi, uint32_t table,
                           const struct row *row, struct buffer *scratch,
                           struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];
    enum status status;

    buffer_clear(scratch);
    row_record_encode(scratch, row);
    status = buffer_check(scratch, err);
    if (status != STATUS_OK)
        return status;
    return layered_put(txn, dbi, row_lmdb_key(lmdb_key, table, row->key),
                       buffer_view(scratch), err);
}

enum status rows_put(struct store_txn *txn, uint32_t table, const struct row *row,
                     struct buffer *scratch, struct error *err)
{
    return put_row(txn, DBI_ROW, table, row, scratch, err);
}

enum status held_put(struct store_txn *txn, uint32_t table, const struct row *row,
                     struct error *err)
{
    struct buffer scratch = {0};
    struct row held = *row;
    enum status status;

    held.last = (struct place){0, 0};
    held.co = (struct bytes){NULL, 0};
    held.co_count = 0;
    status = put_row(txn, DBI_HELD, table, &held, &scratch, err);
    buffer_release(&scratch);
    return status;
}

enum status held_put_record(struct store_txn *txn, uint32_t table, struct bytes key,
                            struct bytes record, struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];

    return layered_put(txn, DBI_HELD, row_lmdb_key(lmdb_key, table, key), record, err);
}

enum status held_delete(struct store_txn *txn, uint32_t table, struct bytes key,
                        struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];

    return layered_delete(txn, DBI_HELD, row_lmdb_key(lmdb_key, table, key), err);
}

/* ---- walking */

struct row_cursor {
    struct store_txn *txn; /* not owned */
    struct run_walk *walk;
    enum store_dbi layer;
    uint8_t prefix[4];
    bool started;
    uint8_t after[ROW_LMDB_KEY_MAX]; /* where a seek wants to go on */
    size_t after_size;
};

enum status row_cursor_open(struct row_cursor **out, struct store_txn *txn,
                            uint32_t table, bool held, struct error *err)
{
    struct row_cursor *cursor = calloc(1, sizeof *cursor);
    enum status status;

    *out = NULL;
    if (cursor == NULL)
        return error_set(err, STATUS_NO_MEMORY, "walk rows: out of memory");
    cursor->txn = txn;
    cursor->layer = held ? DBI_HELD : DBI_ROW;
    bytes_put(cursor->prefix, table, sizeof cursor->prefix);
    status = layered_walk(txn, cursor->layer, &cursor->walk, err);
    if (status != STATUS_OK) {
        free(cursor);
        return status;
    }
    *out = cursor;
    return STATUS_OK;
}

enum status row_cursor_seek_after(struct row_cursor *cursor, struct bytes key,
                                  struct error *err)
{
    struct bytes form =
        row_lmdb_key(cursor->after, (uint32_t)bytes_get(cursor->prefix, 4), key);

    (void)err;
    assert(!cursor->started);
    cursor->after_size = form.size;
    return STATUS_OK;
}

enum status row_cursor_next(struct row_cursor *cursor, struct row *out, struct error *err)
{
    struct bytes start = {cursor->prefix, sizeof cursor->prefix}, key, record;
    enum status status = STATUS_OK;

    if (cursor->after_size > 0)
        start = (struct bytes){cursor->after, cursor->after_size};
    if (!cursor->started)
        status = run_walk_seek(cursor->walk, start, cursor->after_size > 0, err);
    cursor->started = true;
    do {
        if (status == STATUS_OK)
            status = run_walk_next(cursor->walk, &key, &record, err);
        if (status != STATUS_OK)
            return status;
        if (key.size < sizeof cursor->prefix ||
            memcmp(key.data, cursor->prefix, sizeof cursor->prefix) != 0)
            return STATUS_NOT_FOUND;
    } while (record.size == 0); /* the key has none */
    return row_record_decode(key, record, out, err);
}

void row_cursor_close(struct row_cursor *cursor)
{
    if (cursor == NULL)
        return;
    layered_walk_end(cursor->txn, cursor->layer, cursor->walk);
    free(cursor);
}
