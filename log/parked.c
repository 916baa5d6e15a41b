/* Rows that the database does not show, and why.
 *
 *  `parked`: the fields of log/parked_record.c, whole key sized, checksum 8.
 *  `quarantine`: number 8, not 0; version, since_us 8, message sized, whole key sized,
 * checksum 8.
 *  `repair`: whole key sized, checksum 8. */
#include "log/parked_record.h"
#include "log/row_record.h"

static void parked_encode(struct buffer *out, const struct parked *parked)
{
    parked_fields_put(out, parked);
    buffer_put_sized(out, parked->key);
    record_seal(out);
}

static enum status parked_decode(struct bytes in, struct parked *out, struct error *err)
{
    enum status status = record_check(&in, "a parked row's record", err);

    if (status != STATUS_OK)
        return status;
    *out = (struct parked){0};
    if (!parked_fields_take(&in, out) || !bytes_take_sized(&in, &out->key) ||
        in.size != 0)
        return error_set(err, STATUS_CORRUPT, "a parked row's record does not decode");
    return STATUS_OK;
}

static enum status quarantined_decode(struct bytes in, struct quarantined *out,
                                      struct error *err)
{
    enum status status = record_check(&in, "a quarantined row's record", err);

    if (status != STATUS_OK)
        return status;
    *out = (struct quarantined){0};
    if (!bytes_take(&in, 8, &out->number) || out->number == 0 ||
        !version_take(&in, &out->version) || !bytes_take(&in, 8, &out->since_us) ||
        !bytes_take_sized(&in, &out->message) || !bytes_take_sized(&in, &out->key) ||
        in.size != 0)
        return error_set(err, STATUS_CORRUPT,
                         "a quarantined row's record does not decode");
    return STATUS_OK;
}

static enum status put_sealed(struct store_txn *txn, enum store_dbi dbi, uint32_t table,
                              struct bytes key, struct buffer *record, struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];
    enum status status = buffer_check(record, err);

    if (status == STATUS_OK)
        status = store_put(txn, dbi, row_lmdb_key(lmdb_key, table, key),
                           buffer_view(record), err);
    buffer_release(record);
    return status;
}

enum status parked_get(struct store_txn *txn, uint32_t table, struct bytes key,
                       struct parked *out, struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];
    struct bytes record;
    enum status status =
        store_get(txn, DBI_PARKED, row_lmdb_key(lmdb_key, table, key), &record, err);

    return status == STATUS_OK ? parked_decode(record, out, err) : status;
}

enum status parked_put(struct store_txn *txn, uint32_t table, const struct parked *parked,
                       struct error *err)
{
    struct buffer record = {0};

    parked_encode(&record, parked);
    return put_sealed(txn, DBI_PARKED, table, parked->key, &record, err);
}

enum status parked_delete(struct store_txn *txn, uint32_t table, struct bytes key,
                          struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];

    return store_delete(txn, DBI_PARKED, row_lmdb_key(lmdb_key, table, key), err);
}

enum status quarantine_get(struct store_txn *txn, uint32_t table, struct bytes key,
                           struct quarantined *out, struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];
    struct bytes record;
    enum status status =
        store_get(txn, DBI_QUARANTINE, row_lmdb_key(lmdb_key, table, key), &record, err);

    return status == STATUS_OK ? quarantined_decode(record, out, err) : status;
}

/* *known: there is a record already; else the number is the next. */
static enum status choose_number(struct store_txn *txn, uint32_t table, struct bytes key,
                                 uint64_t *number, bool *known, struct error *err)
{
    struct quarantined before;
    enum status status = quarantine_get(txn, table, key, &before, err);

    *known = status == STATUS_OK;
    if (status == STATUS_OK)
        *number = before.number;
    if (status != STATUS_NOT_FOUND)
        return status;
    status = meta_get(txn, META_LAST_QUARANTINED, number, err);
    ++*number;
    return status;
}

enum status quarantine_put(struct store_txn *txn, uint32_t table,
                           const struct quarantined *row, struct error *err)
{
    struct buffer record = {0};
    uint64_t number = 0;
    bool known = false;
    enum status status = choose_number(txn, table, row->key, &number, &known, err);

    if (status != STATUS_OK)
        return status;
    buffer_put(&record, number, 8);
    version_put(&record, &row->version);
    buffer_put(&record, row->since_us, 8);
    buffer_put_sized(&record, row->message);
    buffer_put_sized(&record, row->key);
    record_seal(&record);
    /* Last: what row views may be the transaction's. */
    status = put_sealed(txn, DBI_QUARANTINE, table, row->key, &record, err);
    return status != STATUS_OK || known
               ? status
               : meta_put(txn, META_LAST_QUARANTINED, number, err);
}

enum status quarantine_delete(struct store_txn *txn, uint32_t table, struct bytes key,
                              struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];

    return store_delete(txn, DBI_QUARANTINE, row_lmdb_key(lmdb_key, table, key), err);
}

enum status repair_put(struct store_txn *txn, uint32_t table, struct bytes key,
                       struct error *err)
{
    struct buffer record = {0};

    buffer_put_sized(&record, key);
    record_seal(&record);
    return put_sealed(txn, DBI_REPAIR, table, key, &record, err);
}

enum status repair_delete(struct store_txn *txn, uint32_t table, struct bytes key,
                          struct error *err)
{
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];

    return store_delete(txn, DBI_REPAIR, row_lmdb_key(lmdb_key, table, key), err);
}

/* ---- walking */

/* Decode and hand over one record; *go_on is the visitor's answer. */
typedef enum status (*visit_record_cb)(void *data, uint32_t table, struct bytes record,
                                       bool *go_on, struct error *err);

/* From the first LMDB key that is not before `from`. table 0: to the end. */
static enum status visit_from(struct store_txn *txn, enum store_dbi dbi,
                              struct bytes from, uint32_t table,
                              visit_record_cb visit_record, void *data, struct error *err)
{
    enum status status = STATUS_OK;
    MDB_val key = {from.size, (void *)(uintptr_t)from.data}, value;
    MDB_cursor *cursor;
    bool go_on = true;
    int rc = mdb_cursor_open(txn->txn, txn->store->dbi[dbi], &cursor);

    if (rc != 0)
        return from_lmdb(txn->store, err, rc, "mdb_cursor_open");
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && status == STATUS_OK && go_on) {
        uint32_t id = (uint32_t)bytes_get(key.mv_data, 4);

        if (table != 0 && id != table)
            break;
        status = visit_record(data, id, (struct bytes){value.mv_data, value.mv_size},
                              &go_on, err);
        if (status == STATUS_OK && go_on)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (status == STATUS_OK && rc != 0 && rc != MDB_NOTFOUND)
        status = from_lmdb(txn->store, err, rc, "mdb_cursor_get");
    return status;
}

static enum status visit(struct store_txn *txn, enum store_dbi dbi, uint32_t table,
                         visit_record_cb visit_record, void *data, struct error *err)
{
    uint8_t first[4];

    bytes_put(first, table, sizeof first);
    return visit_from(txn, dbi, (struct bytes){first, sizeof first}, table, visit_record,
                      data, err);
}

struct parked_visitor {
    parked_visit_cb visit;
    void *data;
};

static enum status visit_parked(void *data, uint32_t table, struct bytes record,
                                bool *go_on, struct error *err)
{
    struct parked_visitor *visitor = data;
    struct parked parked;
    enum status status = parked_decode(record, &parked, err);

    if (status == STATUS_OK)
        *go_on = visitor->visit(visitor->data, table, &parked);
    return status;
}

enum status parked_visit(struct store_txn *txn, uint32_t table, parked_visit_cb visit_one,
                         void *data, struct error *err)
{
    struct parked_visitor visitor = {visit_one, data};

    return visit(txn, DBI_PARKED, table, visit_parked, &visitor, err);
}

struct quarantine_visitor {
    quarantine_visit_cb visit;
    void *data;
};

static enum status visit_quarantined(void *data, uint32_t table, struct bytes record,
                                     bool *go_on, struct error *err)
{
    struct quarantine_visitor *visitor = data;
    struct quarantined row;
    enum status status = quarantined_decode(record, &row, err);

    if (status == STATUS_OK)
        *go_on = visitor->visit(visitor->data, table, &row);
    return status;
}

enum status quarantine_visit(struct store_txn *txn, uint32_t table,
                             quarantine_visit_cb visit_one, void *data, struct error *err)
{
    struct quarantine_visitor visitor = {visit_one, data};

    return visit(txn, DBI_QUARANTINE, table, visit_quarantined, &visitor, err);
}

struct repair_visitor {
    repair_visit_cb visit;
    void *data;
    uint32_t table; /* 0: none is to be passed over */
    struct bytes key;
};

static enum status visit_repair(void *data, uint32_t table, struct bytes record,
                                bool *go_on, struct error *err)
{
    struct repair_visitor *visitor = data;
    struct bytes key;
    enum status status = record_check(&record, "a record of a row to repair", err);

    if (status != STATUS_OK)
        return status;
    if (!bytes_take_sized(&record, &key) || record.size != 0)
        return error_set(err, STATUS_CORRUPT,
                         "a record of a row to repair does not decode");
    if (table != visitor->table || !bytes_equal(key, visitor->key))
        *go_on = visitor->visit(visitor->data, table, key);
    return STATUS_OK;
}

enum status repair_visit(struct store_txn *txn, repair_visit_cb visit_one, void *data,
                         struct error *err)
{
    struct repair_visitor visitor = {
        visit_one, data, 0, {NULL, 0}
    };

    return visit(txn, DBI_REPAIR, 0, visit_repair, &visitor, err);
}

enum status repair_visit_after(struct store_txn *txn, uint32_t table, struct bytes key,
                               repair_visit_cb visit_one, void *data, struct error *err)
{
    struct repair_visitor visitor = {visit_one, data, table, key};
    uint8_t lmdb_key[ROW_LMDB_KEY_MAX];

    return visit_from(txn, DBI_REPAIR, row_lmdb_key(lmdb_key, table, key), 0,
                      visit_repair, &visitor, err);
}

enum status repair_count(struct store_txn *txn, uint64_t *count, struct error *err)
{
    return store_count(txn, DBI_REPAIR, count, err);
}

enum status parked_count(struct store_txn *txn, uint64_t *count, struct error *err)
{
    return store_count(txn, DBI_PARKED, count, err);
}

enum status quarantine_count(struct store_txn *txn, uint64_t *count, struct error *err)
{
    return store_count(txn, DBI_QUARANTINE, count, err);
}
