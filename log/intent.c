#include "log/intent_record.h"

#include <assert.h>
#include <stdlib.h>

struct intent_writer {
    struct store *store;
    struct store_txn *txn; /* NULL after a failure */
    struct buffer record;
    size_t bytes; /* in this transaction */
    uint32_t items;
};

/* Remove whatever stands there. */
static enum status clear(struct store_txn *txn, struct error *err)
{
    int rc = mdb_drop(txn->txn, txn->store->dbi[DBI_INTENT], 0);

    return rc == 0 ? STATUS_OK : from_lmdb(txn->store, err, rc, "mdb_drop");
}

enum status intent_writer_open(struct intent_writer **out, struct store *store,
                               struct error *err)
{
    struct intent_writer *writer = calloc(1, sizeof *writer);
    enum status status;

    *out = NULL;
    if (writer == NULL)
        return error_set(err, STATUS_NO_MEMORY, "intent: out of memory");
    writer->store = store;
    status = store_begin(store, TXN_WRITE, &writer->txn, err);
    if (status == STATUS_OK)
        status = clear(writer->txn, err);
    if (status != STATUS_OK) {
        intent_writer_close(writer);
        return status;
    }
    *out = writer;
    return STATUS_OK;
}

void intent_writer_close(struct intent_writer *writer)
{
    if (writer == NULL)
        return;
    store_abort(writer->txn);
    buffer_release(&writer->record);
    free(writer);
}

/* Commit what there is and go on in another transaction. */
static enum status turn(struct intent_writer *writer, struct error *err)
{
    struct store_txn *txn = writer->txn;
    enum status status;

    writer->txn = NULL;
    writer->bytes = 0;
    writer->items = 0;
    status = store_commit(txn, err);
    return status == STATUS_OK ? store_begin(writer->store, TXN_WRITE, &writer->txn, err)
                               : status;
}

enum status intent_writer_add(struct intent_writer *writer,
                              const struct intent_item *item, struct error *err)
{
    uint8_t key[INTENT_ITEM_KEY_MAX];
    enum status status;

    assert(writer->txn != NULL);
    buffer_clear(&writer->record);
    intent_item_encode(&writer->record, item);
    status = buffer_check(&writer->record, err);
    if (status == STATUS_OK) {
        status = store_put(writer->txn, DBI_INTENT,
                           intent_item_key(key, item->table, item->key),
                           buffer_view(&writer->record), err);
    }
    if (status != STATUS_OK)
        return status;
    writer->bytes += writer->record.size;
    writer->items++;
    if (writer->bytes >= RUN_BYTES || writer->items >= STEP_CHANGES)
        return turn(writer, err);
    return STATUS_OK;
}

enum status intent_writer_end(struct intent_writer *writer, const struct intent *intent,
                              struct error *err)
{
    struct store_txn *txn = writer->txn;
    enum status status;

    assert(txn != NULL);
    buffer_clear(&writer->record);
    intent_encode(&writer->record, intent);
    status = buffer_check(&writer->record, err);
    if (status == STATUS_OK)
        status = store_put(txn, DBI_INTENT, intent_header_key(),
                           buffer_view(&writer->record), err);
    if (status == STATUS_OK)
        status = meta_put(txn, META_SEEN, intent->counter - 1, err);
    if (status != STATUS_OK)
        return status;
    writer->txn = NULL;
    return store_commit(txn, err);
}

enum status intent_get(struct store_txn *txn, struct intent *out, struct error *err)
{
    struct bytes record;
    enum status status = store_get(txn, DBI_INTENT, intent_header_key(), &record, err);

    return status == STATUS_OK ? intent_decode(record, out, err) : status;
}

enum status intent_item_find(struct store_txn *txn, uint32_t table, struct bytes key,
                             struct intent_item *out, struct error *err)
{
    uint8_t lmdb_key[INTENT_ITEM_KEY_MAX];
    struct bytes record;
    enum status status =
        store_get(txn, DBI_INTENT, intent_item_key(lmdb_key, table, key), &record, err);

    return status == STATUS_OK ? intent_item_decode(record, out, err) : status;
}

enum status intent_drop(struct store *store, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_WRITE, &txn, err);

    if (status != STATUS_OK)
        return status;
    status = clear(txn, err);
    if (status != STATUS_OK) {
        store_abort(txn);
        return status;
    }
    return store_commit(txn, err);
}
