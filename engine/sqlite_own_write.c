#include "engine/sqlite_own_write.h"

#include <assert.h>

enum status sqlite_own_write_before(struct sqlite_database *database,
                                    struct store_txn *txn, struct sqlite_own_write *out,
                                    struct error *err)
{
    uint64_t own_us = 0;
    enum status status = meta_get(txn, META_OWN_MTIME_US, &own_us, err);

    if (status == STATUS_OK)
        status = sqlite_modified_us(database, &out->found_us, err);
    if (status == STATUS_OK)
        status = sqlite_data_version(database, &out->data_version, err);
    out->found_ours = own_us == out->found_us;
    return status;
}

enum status sqlite_own_write_after(struct sqlite_database *database,
                                   const struct sqlite_own_write *own, uint64_t counter,
                                   struct meta_update updates[SQLITE_OWN_WRITE_UPDATES],
                                   size_t *count, struct error *err)
{
    uint64_t left_us = 0;
    int64_t data_version = 0;
    enum status status;

    *count = 0;
    assert(sqlite3_get_autocommit(sqlite_database_handle(database)) != 0);
    /* A reader may hold it back; the next one goes on. */
    (void)sqlite3_wal_checkpoint_v2(sqlite_database_handle(database), "main",
                                    SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    status = sqlite_modified_us(database, &left_us, err);
    if (status == STATUS_OK)
        status = sqlite_data_version(database, &data_version, err);
    if (status != STATUS_OK)
        return status;
    /* Somebody wrote since our commit: that time may be theirs, so it counts as theirs.
     */
    if (data_version != own->data_version)
        left_us = 0;
    updates[(*count)++] = (struct meta_update){META_SEEN, counter};
    updates[(*count)++] = (struct meta_update){META_OWN_MTIME_US, left_us};
    if (!own->found_ours)
        updates[(*count)++] = (struct meta_update){META_APP_MTIME_US, own->found_us};
    return STATUS_OK;
}

enum status sqlite_own_write_put(struct store *store, const struct meta_update *updates,
                                 size_t count, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_WRITE, &txn, err);

    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count && status == STATUS_OK; i++)
        status = meta_put(txn, updates[i].key, updates[i].value, err);
    if (status != STATUS_OK) {
        store_abort(txn);
        return status;
    }
    return store_commit(txn, err);
}

enum status sqlite_written_us(struct sqlite_database *database, struct store_txn *txn,
                              uint64_t now_us, uint64_t *written_us, struct error *err)
{
    uint64_t own_us = 0;
    uint64_t app_us = 0;
    enum status status = sqlite_modified_us(database, written_us, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_OWN_MTIME_US, &own_us, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_APP_MTIME_US, &app_us, err);
    if (status != STATUS_OK)
        return status;
    if (*written_us == own_us && app_us != 0)
        *written_us = app_us;
    if (*written_us > now_us)
        *written_us = now_us;
    return STATUS_OK;
}
