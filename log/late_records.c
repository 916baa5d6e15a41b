#include "log/late_records.h"

#include "log/buffer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* What does not fit is put at once. An entry has fewer. */
enum { LATE_MAX = 16, LATE_KEY_MAX = 16 };

struct late_record {
    enum store_dbi dbi;
    size_t key_size;
    uint8_t key[LATE_KEY_MAX];
    struct buffer value;
};

struct late_records {
    size_t count;
    struct late_record records[LATE_MAX];
};

void late_records_close(struct late_records *late)
{
    if (late == NULL)
        return;
    for (size_t i = 0; i < late->count; i++)
        buffer_release(&late->records[i].value);
    free(late);
}

static struct late_record *find(struct late_records *late, enum store_dbi dbi,
                                struct bytes key)
{
    for (size_t i = 0; late != NULL && i < late->count; i++) {
        struct late_record *record = &late->records[i];

        if (record->dbi == dbi && record->key_size == key.size &&
            memcmp(record->key, key.data, key.size) == 0)
            return record;
    }
    return NULL;
}

/* A new record; NULL when there is no room. */
static struct late_record *add(struct late_records *late, enum store_dbi dbi,
                               struct bytes key)
{
    struct late_record *record;

    assert(key.size <= LATE_KEY_MAX);
    if (late->count == LATE_MAX)
        return NULL;
    record = &late->records[late->count++];
    record->dbi = dbi;
    record->key_size = key.size;
    memcpy(record->key, key.data, key.size);
    return record;
}

enum status late_get(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                     struct bytes *value, struct error *err)
{
    const struct late_record *record = find(txn->late, dbi, key);

    if (record == NULL)
        return store_get(txn, dbi, key, value, err);
    *value = buffer_view(&record->value);
    return STATUS_OK;
}

enum status late_put(struct store_txn *txn, enum store_dbi dbi, struct bytes key,
                     struct bytes value, struct error *err)
{
    struct late_record *record;

    assert(txn->write);
    if (txn->late == NULL)
        txn->late = calloc(1, sizeof *txn->late);
    if (txn->late == NULL)
        return error_set(err, STATUS_NO_MEMORY, "write to the store: out of memory");
    record = find(txn->late, dbi, key);
    if (record == NULL)
        record = add(txn->late, dbi, key);
    if (record == NULL)
        return store_put(txn, dbi, key, value, err);
    buffer_clear(&record->value);
    buffer_put_bytes(&record->value, value);
    return buffer_check(&record->value, err);
}

enum status late_records_put(struct store_txn *txn, struct error *err)
{
    enum status status = STATUS_OK;
    size_t count = txn->late == NULL ? 0 : txn->late->count;

    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        const struct late_record *record = &txn->late->records[i];

        status =
            store_put(txn, record->dbi, (struct bytes){record->key, record->key_size},
                      buffer_view(&record->value), err);
    }
    return status;
}
