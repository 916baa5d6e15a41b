#include "log/appender_private.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int appender_run_key(const struct appender *appender)
{
    return appender->owner == APPENDER_CAPTURE ? META_PRIVATE_RUN_OF_CAPTURE
                                               : META_PRIVATE_RUN_OF_IMPORT;
}

void appender_reset(struct appender *appender)
{
    buffer_clear(&appender->items);
    appender->part_count = 0;
    appender->part_first = 0;
    appender->body_size = 0;
    appender->run = 0;
    (void)crypto_generichash_init(&appender->hash, NULL, 0, HASH_SIZE);
}

static void end_read(struct appender *appender)
{
    store_abort(appender->read);
    appender->read = NULL;
    appender->read_uses = 0;
}

enum status appender_begin_group(struct appender *appender, struct error *err)
{
    end_read(appender);
    if (appender->write != NULL)
        return STATUS_OK;
    appender->group_bytes = 0;
    return store_begin(appender->store, TXN_WRITE, &appender->write, err);
}

enum status appender_commit_group(struct appender *appender, struct error *err)
{
    struct store_txn *txn = appender->write;
    struct append_counts added = appender->in_group;
    enum status status = STATUS_OK;

    appender->write = NULL;
    appender->in_group = (struct append_counts){0};
    if (txn != NULL)
        status = store_commit(txn, err);
    if (status != STATUS_OK) {
        walks_clear(&appender->memory.walks);
        return status;
    }
    appender->counts.entries += added.entries;
    appender->counts.changes += added.changes;
    appender->counts.conflicts += added.conflicts;
    return STATUS_OK;
}

/* ---- runs */

/* Remove the parts of a run in bounded steps; META of the owner's run is cleared with the
 * last. */
static enum status drop_run_step(struct appender *appender, uint64_t run, bool *more,
                                 struct error *err)
{
    struct store_txn *txn = appender->write;
    uint8_t first[PART_KEY_SIZE];
    struct bytes start = part_key(first, run, 0, PART_ITEMS);
    MDB_val key = {start.size, (void *)(uintptr_t)start.data}, value;
    MDB_cursor *cursor;
    int removed = 0, rc = mdb_cursor_open(txn->txn, txn->store->dbi[DBI_PART], &cursor);

    if (rc != 0)
        return from_lmdb(txn->store, err, rc, "mdb_cursor_open");
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && removed < 16 && bytes_get(key.mv_data, 8) == run) {
        rc = mdb_cursor_del(cursor, 0);
        removed++;
        if (rc == 0)
            rc = mdb_cursor_get(cursor, &key, &value, MDB_GET_CURRENT);
    }
    *more = rc == 0 && removed == 16;
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND && rc != EINVAL)
        return from_lmdb(txn->store, err, rc, "part");
    return *more ? STATUS_OK
                 : meta_put(txn, (enum meta_key)appender_run_key(appender), 0, err);
}

static enum status drop_run(struct appender *appender, uint64_t run, struct error *err)
{
    enum status status = STATUS_OK;
    bool more = true;

    while (status == STATUS_OK && more) {
        status = appender_begin_group(appender, err);
        if (status == STATUS_OK)
            status = drop_run_step(appender, run, &more, err);
        if (status == STATUS_OK)
            status = appender_commit_group(appender, err);
    }
    return status;
}

/* What a dead owner of the same lock left unended. */
static enum status drop_leftover(struct appender *appender, struct error *err)
{
    struct store_txn *txn = NULL;
    uint64_t run = 0;
    enum status status = store_begin(appender->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, (enum meta_key)appender_run_key(appender), &run, err);
    store_abort(txn);
    return status == STATUS_OK && run != 0 ? drop_run(appender, run, err) : status;
}

static enum status begin_run(struct appender *appender, struct error *err)
{
    uint64_t next = 0;
    enum status status = meta_get(appender->write, META_NEXT_RUN, &next, err);

    if (status != STATUS_OK)
        return status;
    appender->run = next == 0 ? 1 : next;
    status = meta_put(appender->write, META_NEXT_RUN, appender->run + 1, err);
    if (status != STATUS_OK)
        return status;
    return meta_put(appender->write, (enum meta_key)appender_run_key(appender),
                    appender->run, err);
}

/* Write the items at hand as the next part of the run, durably. Entries that were ended
 * before are committed first. */
enum status appender_write_part(struct appender *appender, struct error *err)
{
    uint8_t key[PART_KEY_SIZE];
    enum status status = appender_commit_group(appender, err);

    if (status == STATUS_OK)
        status = appender_begin_group(appender, err);
    if (status == STATUS_OK && appender->run == 0)
        status = begin_run(appender, err);
    if (status != STATUS_OK)
        return status;
    buffer_clear(&appender->encoded);
    part_encode(&appender->encoded, appender->part_count, buffer_view(&appender->items));
    status = buffer_check(&appender->encoded, err);
    if (status == STATUS_OK) {
        status = store_put(appender->write, DBI_PART,
                           part_key(key, appender->run, appender->part_first, PART_ITEMS),
                           buffer_view(&appender->encoded), err);
    }
    if (status == STATUS_OK)
        status = appender_commit_group(appender, err);
    appender->part_first += appender->part_count;
    appender->part_count = 0;
    buffer_clear(&appender->items);
    return status;
}

/* ---- items */

/* An item stands at the end of items since size before: count it, spill when it is
 * enough. */
static enum status item_added(struct appender *appender, size_t before, struct error *err)
{
    size_t size = appender->items.size - before;
    enum status status = buffer_check(&appender->items, err);

    if (status != STATUS_OK)
        return status;
    if (appender_item_count(appender) == UINT32_MAX)
        return error_set(err, STATUS_REFUSED, "a transaction has over 4 billion changes");
    (void)crypto_generichash_update(&appender->hash, appender->items.data + before, size);
    appender->body_size += size;
    appender->part_count++;
    if (appender->items.size < RUN_BYTES && appender->part_count < STEP_CHANGES)
        return STATUS_OK;
    return appender_write_part(appender, err);
}

enum status appender_add_change(struct appender *appender, const struct change *change,
                                struct error *err)
{
    size_t before = appender->items.size;

    change_put(&appender->items, change);
    return item_added(appender, before, err);
}

enum status appender_add_definition(struct appender *appender,
                                    const struct definition *definition,
                                    struct error *err)
{
    size_t before = appender->items.size;

    buffer_clear(&appender->encoded);
    definition_encode(&appender->encoded, definition);
    buffer_put_sized(&appender->items, buffer_view(&appender->encoded));
    if (buffer_check(&appender->encoded, err) != STATUS_OK)
        return STATUS_NO_MEMORY;
    return item_added(appender, before, err);
}

enum status appender_add_member(struct appender *appender, const struct member *member,
                                struct error *err)
{
    size_t before = appender->items.size;

    buffer_clear(&appender->encoded);
    member_encode(&appender->encoded, member);
    buffer_put_sized(&appender->items, buffer_view(&appender->encoded));
    if (buffer_check(&appender->encoded, err) != STATUS_OK)
        return STATUS_NO_MEMORY;
    return item_added(appender, before, err);
}

enum status appender_add_items(struct appender *appender, struct bytes items,
                               struct error *err)
{
    enum status status = STATUS_OK;

    assert(appender->owner == APPENDER_IMPORT);
    while (status == STATUS_OK && items.size > 0) {
        size_t before = appender->items.size;
        struct bytes item;

        if (!bytes_take_sized(&items, &item))
            return error_set(err, STATUS_CORRUPT, "an entry's items are cut short");
        buffer_put_sized(&appender->items, item);
        status = item_added(appender, before, err);
    }
    return status;
}

uint32_t appender_item_count(const struct appender *appender)
{
    return appender->part_first + appender->part_count;
}

/* ---- life */

enum status appender_open(struct appender **out, struct store *store,
                          enum appender_owner owner, struct error *err)
{
    struct appender *appender = calloc(1, sizeof *appender);
    enum status status;

    *out = NULL;
    if (appender == NULL)
        return error_set(err, STATUS_NO_MEMORY, "append: out of memory");
    appender->store = store;
    appender->owner = owner;
    walks_init(&appender->memory.walks);
    appender_reset(appender);
    status = appender_settle(store, err);
    if (status == STATUS_OK)
        status = drop_leftover(appender, err);
    if (status != STATUS_OK) {
        appender_close(appender);
        return status;
    }
    *out = appender;
    return STATUS_OK;
}

void appender_close(struct appender *appender)
{
    if (appender == NULL)
        return;
    end_read(appender);
    store_abort(appender->write);
    buffer_release(&appender->items);
    buffer_release(&appender->encoded);
    buffer_release(&appender->header);
    version_vector_release(&appender->contexts.before);
    version_vector_release(&appender->contexts.now);
    version_vector_release(&appender->contexts.delta);
    buffer_release(&appender->contexts.delta_bytes);
    admit_memory_release(&appender->memory);
    free(appender);
}

enum status appender_txn(struct appender *appender, struct store_txn **txn,
                         struct error *err)
{
    enum status status = STATUS_OK;

    if (appender->write == NULL) {
        if (appender->read_uses++ >= READ_USES_MAX)
            end_read(appender);
        if (appender->read == NULL)
            status = store_begin(appender->store, TXN_READ, &appender->read, err);
    }
    *txn = appender->write != NULL ? appender->write : appender->read;
    return status;
}

enum status appender_write_txn(struct appender *appender, struct store_txn **txn,
                               struct error *err)
{
    enum status status = appender_begin_group(appender, err);

    *txn = appender->write;
    return status;
}

void appender_drop(struct appender *appender)
{
    /* Parts already written stay until the next open of the same owner. */
    appender_reset(appender);
}

enum status appender_commit(struct appender *appender, struct error *err)
{
    assert(appender_item_count(appender) == 0);
    return appender_commit_group(appender, err);
}

struct append_counts appender_counts(const struct appender *appender)
{
    return appender->counts;
}

enum status appender_settle(struct store *store, struct error *err)
{
    uint64_t conflicts = 0;

    return adoption_settle(store, &conflicts, err);
}
