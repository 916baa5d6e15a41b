#include "log/run_walk.h"

#include <assert.h>
#include <stdlib.h>

/* One run, or the tree: a cursor that stands at its next record. */
struct source {
    MDB_cursor *cursor;
    uint32_t number;  /* of the run; 0: the tree */
    struct bytes key; /* without the run's number */
    struct bytes record;
};

struct run_walk {
    const struct store *store; /* not owned */
    bool emitted;              /* the first source's key was given out */
    size_t count;              /* of sources that have a record: a heap */
    size_t opened;
    struct source *heap[RUN_GENERATIONS * RUNS_MAX + 1];
    struct source sources[RUN_GENERATIONS * RUNS_MAX + 1];
};

static enum status add_source(struct run_walk *walk, struct store_txn *txn,
                              enum store_dbi dbi, uint32_t number, struct error *err)
{
    struct source *source = &walk->sources[walk->opened];
    int rc = mdb_cursor_open(txn->txn, txn->store->dbi[dbi], &source->cursor);

    if (rc != 0)
        return from_lmdb(walk->store, err, rc, "mdb_cursor_open");
    source->number = number;
    walk->opened++;
    return STATUS_OK;
}

enum status run_walk_open(struct run_walk **out, struct store_txn *txn,
                          const struct runs *runs, enum walk_what what, struct error *err)
{
    struct run_walk *walk = calloc(1, sizeof *walk);
    enum status status = STATUS_OK;

    *out = NULL;
    if (walk == NULL)
        return error_set(err, STATUS_NO_MEMORY, "walk rows: out of memory");
    walk->store = txn->store;
    for (size_t i = 0; i < runs->count && status == STATUS_OK; i++) {
        const struct run *run = &runs->list[i];

        if (what == WALK_ALL || run->generation != runs->active)
            status = add_source(walk, txn, runs_dbi(runs->layer, run->generation),
                                run->number, err);
    }
    if (status == STATUS_OK && what == WALK_ALL)
        status = add_source(walk, txn, runs->layer, 0, err);
    if (status != STATUS_OK) {
        run_walk_close(walk);
        return status;
    }
    *out = walk;
    return STATUS_OK;
}

void run_walk_close(struct run_walk *walk)
{
    if (walk == NULL)
        return;
    for (size_t i = 0; i < walk->opened; i++)
        mdb_cursor_close(walk->sources[i].cursor);
    free(walk);
}

/* Take over what the cursor found. *there: it is a record of the source's. */
static enum status take(struct run_walk *walk, struct source *source, int rc, MDB_val key,
                        MDB_val value, bool *there, struct error *err)
{
    *there = false;
    if (rc == MDB_NOTFOUND)
        return STATUS_OK;
    if (rc != 0)
        return from_lmdb(walk->store, err, rc, "rows");
    source->key = (struct bytes){key.mv_data, key.mv_size};
    source->record = (struct bytes){value.mv_data, value.mv_size};
    if (source->number > 0) {
        uint64_t number;

        if (!bytes_take(&source->key, 4, &number))
            return error_set(err, STATUS_CORRUPT, "a sorted run's key does not decode");
        if (number != source->number)
            return STATUS_OK;
    }
    *there = true;
    return STATUS_OK;
}

/* Whether one comes before the other: by key, and of one key the newest first. */
static bool comes_first(const struct source *one, const struct source *other)
{
    int order = bytes_compare(one->key, other->key);

    return order != 0 ? order < 0 : one->number > other->number;
}

static void sift_down(struct run_walk *walk, size_t at)
{
    struct source *moving = walk->heap[at];

    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= walk->count)
            break;
        if (child + 1 < walk->count &&
            comes_first(walk->heap[child + 1], walk->heap[child]))
            child++;
        if (!comes_first(walk->heap[child], moving))
            break;
        walk->heap[at] = walk->heap[child];
        at = child;
    }
    walk->heap[at] = moving;
}

static enum status seek_source(struct run_walk *walk, struct source *source,
                               struct bytes start, bool behind, bool *there,
                               struct error *err)
{
    uint8_t whole[RUN_KEY_MAX];
    struct bytes wanted =
        source->number > 0 ? run_key(whole, source->number, start) : start;
    MDB_val key = {wanted.size, (void *)(uintptr_t)wanted.data}, value = {0};
    int rc = mdb_cursor_get(source->cursor, &key, &value, MDB_SET_RANGE);

    if (rc == 0 && behind &&
        bytes_equal((struct bytes){key.mv_data, key.mv_size}, wanted))
        rc = mdb_cursor_get(source->cursor, &key, &value, MDB_NEXT);
    return take(walk, source, rc, key, value, there, err);
}

enum status run_walk_seek(struct run_walk *walk, struct bytes start, bool behind,
                          struct error *err)
{
    enum status status = STATUS_OK;

    assert(walk->count == 0);
    assert(start.size > 0);
    for (size_t i = 0; i < walk->opened && status == STATUS_OK; i++) {
        bool there;

        status = seek_source(walk, &walk->sources[i], start, behind, &there, err);
        if (status == STATUS_OK && there)
            walk->heap[walk->count++] = &walk->sources[i];
    }
    for (size_t i = walk->count / 2; i-- > 0;)
        sift_down(walk, i);
    return status;
}

/* The first source goes on. */
static enum status advance(struct run_walk *walk, struct error *err)
{
    struct source *source = walk->heap[0];
    MDB_val key = {0}, value = {0};
    int rc = mdb_cursor_get(source->cursor, &key, &value, MDB_NEXT);
    bool there;
    enum status status = take(walk, source, rc, key, value, &there, err);

    if (status != STATUS_OK)
        return status;
    if (!there)
        walk->heap[0] = walk->heap[--walk->count];
    if (walk->count > 0)
        sift_down(walk, 0);
    return STATUS_OK;
}

enum status run_walk_next(struct run_walk *walk, struct bytes *key, struct bytes *record,
                          struct error *err)
{
    enum status status = STATUS_OK;

    if (walk->emitted) {
        struct bytes last = walk->heap[0]->key;

        do
            status = advance(walk, err);
        while (status == STATUS_OK && walk->count > 0 && walk->opened > 1 &&
               bytes_equal(walk->heap[0]->key, last));
        walk->emitted = false;
    }
    if (status == STATUS_OK && walk->count == 0)
        return STATUS_NOT_FOUND;
    if (status != STATUS_OK)
        return status;
    *key = walk->heap[0]->key;
    *record = walk->heap[0]->record;
    walk->emitted = true;
    return STATUS_OK;
}
