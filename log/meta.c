#include "log/late_records.h"

#include <assert.h>

enum { NUMBER_SIZE = 8 };

enum status meta_get_bytes(struct store_txn *txn, enum meta_key key, struct bytes *value,
                           struct error *err)
{
    uint8_t name = (uint8_t)key;
    enum status status = late_get(txn, DBI_META, (struct bytes){&name, 1}, value, err);

    if (status != STATUS_NOT_FOUND)
        return status;
    *value = (struct bytes){NULL, 0};
    return STATUS_OK;
}

enum status meta_put_bytes(struct store_txn *txn, enum meta_key key, struct bytes value,
                           struct error *err)
{
    uint8_t name = (uint8_t)key;

    return late_put(txn, DBI_META, (struct bytes){&name, 1}, value, err);
}

enum status meta_get(struct store_txn *txn, enum meta_key key, uint64_t *value,
                     struct error *err)
{
    struct bytes found;
    enum status status = meta_get_bytes(txn, key, &found, err);

    if (status != STATUS_OK)
        return status;
    if (found.size != 0 && found.size != NUMBER_SIZE)
        return error_set(err, STATUS_CORRUPT, "meta %d is not a number", (int)key);
    *value = found.size == 0 ? 0 : bytes_get(found.data, NUMBER_SIZE);
    return STATUS_OK;
}

enum status meta_put(struct store_txn *txn, enum meta_key key, uint64_t value,
                     struct error *err)
{
    uint8_t number[NUMBER_SIZE];

    bytes_put(number, value, sizeof number);
    return meta_put_bytes(txn, key, (struct bytes){number, sizeof number}, err);
}

enum status meta_get_vector(struct store_txn *txn, enum meta_key key,
                            struct version_vector *vector, struct error *err)
{
    struct version_vector empty;
    struct bytes found;
    enum status status = meta_get_bytes(txn, key, &found, err);

    assert(key == META_VECTOR || key == META_APPLIED_VECTOR);
    if (status != STATUS_OK)
        return status;
    if (found.size == 0) {
        version_vector_init(&empty);
        return version_vector_copy(vector, &empty, err);
    }
    status = version_vector_take(&found, vector, err);
    if (status == STATUS_OK && found.size != 0)
        status = error_set(err, STATUS_CORRUPT, "meta %d has bytes left over", (int)key);
    return status;
}
