/* The end of an intent of which nobody can tell whether its batch was committed. */
#include "log/intent_row.h"

struct unknown {
    struct store *store;
    struct intent intent;
    intent_gone_cb gone;
    void *data;
    struct buffer resume; /* the last item's LMDB key */
    struct buffer read;   /* records of items that would have taken a row away */
    struct buffer taken;  /* of these, where the row is not there */
    struct buffer scratch;
    bool ended; /* there are no more items */
};

static bool takes_away(const struct intent_item *item)
{
    return item->kind == INTENT_PARKED ||
           (item->kind == INTENT_QUARANTINED && item->absent);
}

static enum status copy(struct unknown *unknown, struct bytes record, struct error *err)
{
    struct intent_item item;
    enum status status = intent_item_decode(record, &item, err);

    if (status == STATUS_OK && takes_away(&item))
        buffer_put_sized(&unknown->read, record);
    return status;
}

/* Copy a run of items. */
static enum status read_items(struct unknown *unknown, struct store_txn *txn,
                              struct error *err)
{
    static const uint8_t first[] = {1};
    struct bytes start = unknown->resume.size > 0 ? buffer_view(&unknown->resume)
                                                  : (struct bytes){first, sizeof first};
    MDB_val key = {start.size, (void *)(uintptr_t)start.data}, value;
    enum status status = STATUS_OK;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn->txn, txn->store->dbi[DBI_INTENT], &cursor);

    if (rc != 0)
        return from_lmdb(txn->store, err, rc, "mdb_cursor_open");
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (rc == 0 && bytes_equal((struct bytes){key.mv_data, key.mv_size},
                               buffer_view(&unknown->resume)))
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    for (int i = 0; rc == 0 && status == STATUS_OK; i++) {
        status = copy(unknown, (struct bytes){value.mv_data, value.mv_size}, err);
        if (i + 1 == STEP_CHANGES || unknown->read.size >= RUN_BYTES)
            break;
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (rc == 0) {
        buffer_clear(&unknown->resume);
        buffer_put_bytes(&unknown->resume, (struct bytes){key.mv_data, key.mv_size});
        if (status == STATUS_OK)
            status = buffer_check(&unknown->resume, err);
    }
    mdb_cursor_close(cursor);
    unknown->ended = rc == MDB_NOTFOUND;
    return rc != 0 && rc != MDB_NOTFOUND ? from_lmdb(txn->store, err, rc, "intent")
                                         : status;
}

/* Ask the database, in no transaction of the store. */
static enum status ask(struct unknown *unknown, struct error *err)
{
    struct bytes read = buffer_view(&unknown->read), record;
    enum status status = buffer_check(&unknown->read, err);

    buffer_clear(&unknown->taken);
    while (status == STATUS_OK && bytes_take_sized(&read, &record)) {
        struct intent_item item;
        bool gone = false;

        status = intent_item_decode(record, &item, err);
        if (status == STATUS_OK) {
            status = unknown->gone(unknown->data, item.table,
                                   item.kind == INTENT_PARKED ? item.parked.key
                                                              : item.quarantined.key,
                                   &gone, err);
        }
        if (gone)
            buffer_put_sized(&unknown->taken, record);
    }
    return status == STATUS_OK ? buffer_check(&unknown->taken, err) : status;
}

static enum status take(struct unknown *unknown, struct store_txn *txn, struct error *err)
{
    struct intent_fold_txn fold = {txn, &unknown->intent, &unknown->scratch};
    struct bytes taken = buffer_view(&unknown->taken), record;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && bytes_take_sized(&taken, &record)) {
        struct intent_item item;

        status = intent_item_decode(record, &item, err);
        if (status == STATUS_OK)
            status = intent_row_item(&fold, &item, err);
    }
    return status;
}

static enum status step(struct unknown *unknown, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(unknown->store, TXN_READ, &txn, err);

    buffer_clear(&unknown->read);
    if (status == STATUS_OK)
        status = read_items(unknown, txn, err);
    store_abort(txn);
    txn = NULL;
    if (status == STATUS_OK)
        status = ask(unknown, err);
    if (status == STATUS_OK && unknown->taken.size == 0)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = store_begin(unknown->store, TXN_WRITE, &txn, err);
    if (status == STATUS_OK)
        status = take(unknown, txn, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

static enum status find(struct unknown *unknown, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(unknown->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = intent_get(txn, &unknown->intent, err);
    unknown->intent.out = (struct bytes){NULL, 0}; /* a view */
    store_abort(txn);
    return status;
}

enum status intent_drop_unknown(struct store *store, intent_gone_cb gone, void *data,
                                struct error *err)
{
    struct unknown unknown = {.store = store, .gone = gone, .data = data};
    enum status status = find(&unknown, err);

    while (status == STATUS_OK && !unknown.ended)
        status = step(&unknown, err);
    buffer_release(&unknown.resume);
    buffer_release(&unknown.read);
    buffer_release(&unknown.taken);
    buffer_release(&unknown.scratch);
    return status == STATUS_OK || status == STATUS_NOT_FOUND ? intent_drop(store, err)
                                                             : status;
}
