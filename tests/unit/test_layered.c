/* The layers against a plain array: whatever way a record takes (memtable, run, merge,
 * tree, in place), the newest is found, walked and counted. ROWFERRY_SEED=n runs that
 * seed. */
#include "log/layered.h"
#include "log/run_filter.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 6000, KEY_SIZE = 8, RUN_ROWS = 40, ROUNDS = 700 };

static struct log_fixture fixture;
static struct log_node *node;
static struct store_txn *txn;
static struct error err;

/* By key: a number that its record says, 0 when there is none. As committed, and as the
 * open transaction has it. */
static uint32_t committed[2][KEYS], expected[2][KEYS];
static uint32_t last_number;

struct random {
    uint64_t state;
};

static struct random random_open(void)
{
    const char *seed = getenv("ROWFERRY_SEED");
    uint64_t state = seed != NULL ? strtoull(seed, NULL, 10) : 1;

    (void)fprintf(stderr, "seed %llu\n", (unsigned long long)state);
    return (struct random){state};
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint32_t random_below(struct random *random, uint32_t limit)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) % limit);
}

static void reopen(void)
{
    log_node_reopen(node);
    node->store->run_rows_min = RUN_ROWS;
}

static void set_up(void)
{
    log_fixture_open(&fixture, 1);
    node = &fixture.nodes[0];
    memset(committed, 0, sizeof committed);
    memset(expected, 0, sizeof expected);
    last_number = 0;
    reopen();
}

static void tear_down(void)
{
    log_fixture_close(&fixture);
}

TestSuite(layered, .init = set_up, .fini = tear_down);

static enum store_dbi layer_at(unsigned at)
{
    return at == 0 ? DBI_ROW : DBI_HELD;
}

static struct bytes key_of(uint8_t out[KEY_SIZE], uint32_t key)
{
    bytes_put(out, 1, 4);
    bytes_put(out + 4, key, 4);
    return (struct bytes){out, KEY_SIZE};
}

/* Records of several sizes, so that pages split. */
static void put(unsigned layer, uint32_t key)
{
    uint8_t name[KEY_SIZE], record[200] = {0};
    uint32_t number = ++last_number;

    bytes_put(record, number, 4);
    cr_assert_eq(layered_put(txn, layer_at(layer), key_of(name, key),
                             (struct bytes){record, 4 + number % 190}, &err),
                 STATUS_OK, "%s", err.text);
    expected[layer][key] = number;
}

static void drop(unsigned layer, uint32_t key)
{
    uint8_t name[KEY_SIZE];

    cr_assert_eq(layered_delete(txn, layer_at(layer), key_of(name, key), &err), STATUS_OK,
                 "%s", err.text);
    expected[layer][key] = 0;
}

static uint32_t get(unsigned layer, uint32_t key)
{
    uint8_t name[KEY_SIZE];
    struct bytes record;
    enum status status =
        layered_get(txn, layer_at(layer), key_of(name, key), &record, &err);

    if (status == STATUS_NOT_FOUND)
        return 0;
    cr_assert_eq(status, STATUS_OK, "%s", err.text);
    return (uint32_t)bytes_get(record.data, 4);
}

static void expect_get(unsigned layer, uint32_t key)
{
    cr_assert_eq(get(layer, key), expected[layer][key], "layer %u, key %u: %u, not %u",
                 layer, key, get(layer, key), expected[layer][key]);
}

/* The next key that has a record: tombstones are passed over. */
static enum status next_there(struct run_walk *walk, struct bytes *key,
                              struct bytes *record)
{
    enum status status = run_walk_next(walk, key, record, &err);

    while (status == STATUS_OK && record->size == 0)
        status = run_walk_next(walk, key, record, &err);
    return status;
}

/* By a walk and by the count; the walk begins behind a key, or at the first. */
static void expect_all(unsigned layer, uint32_t behind)
{
    uint8_t name[KEY_SIZE];
    struct bytes start = key_of(name, behind), key, record;
    struct run_walk *walk;
    uint64_t count, there = 0;
    enum status status = layered_walk(txn, layer_at(layer), &walk, &err);

    cr_assert_eq(status, STATUS_OK, "%s", err.text);
    status = run_walk_seek(walk, start, behind > 0, &err);
    cr_assert_eq(status, STATUS_OK);
    for (uint32_t i = behind + (behind > 0); i < KEYS; i++) {
        if (expected[layer][i] == 0)
            continue;
        status = next_there(walk, &key, &record);
        cr_assert_eq(status, STATUS_OK, "key %u", i);
        cr_assert_eq(bytes_get(key.data + 4, 4), i);
        cr_assert_eq(bytes_get(record.data, 4), expected[layer][i], "key %u", i);
    }
    status = next_there(walk, &key, &record);
    cr_assert_eq(status, STATUS_NOT_FOUND);
    layered_walk_end(txn, layer_at(layer), walk);
    for (uint32_t i = 0; i < KEYS; i++)
        there += expected[layer][i] > 0;
    cr_assert_eq(layered_count(txn, layer_at(layer), &count, &err), STATUS_OK);
    cr_assert_eq(count, there);
}

static void begin(enum txn_mode mode)
{
    cr_assert_eq(store_begin(node->store, mode, &txn, &err), STATUS_OK, "%s", err.text);
}

static void end(bool commit)
{
    if (commit) {
        cr_assert_eq(store_commit(txn, &err), STATUS_OK, "%s", err.text);
        memcpy(committed, expected, sizeof committed);
    } else {
        store_abort(txn);
        memcpy(expected, committed, sizeof expected);
    }
}

static size_t runs_of(unsigned layer, struct runs *runs)
{
    cr_assert_eq(runs_load(runs, txn, layer_at(layer), &err), STATUS_OK, "%s", err.text);
    return runs->count;
}

/* What a transaction does: a few rows, many at random, many in a row, or mostly removals.
 */
static void change(struct random *random, unsigned layer)
{
    static const unsigned sizes[] = {3, 60, 150, 400};
    unsigned size = sizes[random_below(random, 4)];
    bool in_a_row = random_below(random, 4) == 0, away = random_below(random, 3) == 0;
    uint32_t first = random_below(random, KEYS);

    for (unsigned i = 0; i < size; i++) {
        uint32_t key = in_a_row ? (first + i) % KEYS : random_below(random, KEYS);

        if (random_below(random, 2) == 0)
            expect_get(layer, key);
        if (away ? random_below(random, 8) > 0 : random_below(random, 8) == 0)
            drop(layer, key);
        else
            put(layer, key);
        if (random_below(random, 4) == 0)
            expect_get(layer, key);
        if (random_below(random, 300) == 0)
            expect_all(layer, random_below(random, KEYS));
    }
}

Test(layered, agree_with_a_plain_array)
{
    struct random random = random_open();
    size_t most_runs = 0, merges = 0;
    struct runs runs;

    for (int round = 0; round < ROUNDS; round++) {
        unsigned layer = random_below(&random, 2);

        begin(TXN_WRITE);
        change(&random, layer);
        if (random_below(&random, 4) == 0)
            change(&random, 1 - layer);
        end(random_below(&random, 10) > 0);
        if (random_below(&random, 50) == 0)
            reopen();
        begin(TXN_READ);
        if (runs_of(layer, &runs) > most_runs)
            most_runs = runs.count;
        merges += runs.merging;
        for (int i = 0; i < 20; i++)
            expect_get(layer, random_below(&random, KEYS));
        if (round % 16 == 0)
            expect_all(layer, random_below(&random, 2) * random_below(&random, KEYS));
        end(false);
    }
    cr_expect_gt(most_runs, RUNS_MAX, "both generations were in use");
    cr_expect_gt(merges, 0);
}

/* ---- where rows go */

/* Into an empty tree they go in a row, whatever their keys. */
static void fill(unsigned layer)
{
    begin(TXN_WRITE);
    for (uint32_t key = 0; key < KEYS; key++)
        put(layer, key);
    end(true);
}

Test(layered, many_rows_with_a_page_each_become_one_run)
{
    struct runs runs;

    fill(0);
    begin(TXN_WRITE);
    cr_expect_eq(runs_of(0, &runs), 0, "rows in a row go to the tree");
    for (uint32_t i = 0; i < KEYS; i += 97)
        put(0, i);
    end(true);
    begin(TXN_WRITE);
    cr_assert_eq(runs_of(0, &runs), 1);
    cr_expect_eq(runs.list[0].rows, (KEYS + 96) / 97);
    put(0, 97);
    put(0, 98);
    end(true);
    begin(TXN_READ);
    cr_expect_eq(runs_of(0, &runs), 1, "few rows make no run");
    expect_all(0, 0);
    end(false);
}

/* Not one after another, but many to a page. */
Test(layered, rows_that_share_pages_go_to_the_tree)
{
    struct runs runs;

    fill(0);
    begin(TXN_WRITE);
    for (uint32_t i = 0; i < 1000; i++)
        put(0, i * 7 % 1000);
    end(true);
    begin(TXN_READ);
    cr_expect_eq(runs_of(0, &runs), 0);
    expect_all(0, 0);
    end(false);
}

Test(layered, when_the_last_key_goes_so_do_all_runs)
{
    struct runs runs;

    fill(1);
    for (int i = 0; i < 3; i++) {
        begin(TXN_WRITE);
        for (uint32_t key = 0; key < KEYS; key += 60)
            put(1, key + (uint32_t)i);
        end(true);
    }
    begin(TXN_WRITE);
    cr_expect_gt(runs_of(1, &runs), 0);
    for (uint32_t key = 0; key < KEYS; key++)
        drop(1, key);
    end(true);
    begin(TXN_READ);
    cr_expect_eq(runs_of(1, &runs), 0);
    expect_all(1, 0);
    end(false);
}

/* The merge takes a generation in slices; a row that it has passed changes, and then the
 * generation is dropped. */
Test(layered, what_changes_behind_a_merge_is_not_lost)
{
    struct runs runs;
    uint32_t at = 0;
    bool was_merging = false;

    fill(0);
    do {
        cr_assert_lt(at, 61);
        begin(TXN_WRITE);
        for (uint32_t key = at; key < KEYS; key += 61)
            put(0, key); /* others each time */
        end(true);
        at++;
        begin(TXN_WRITE);
        (void)runs_of(0, &runs);
        was_merging = was_merging || runs.merging;
        if (runs.merging)
            for (uint32_t key = 0; key < 3; key++)
                put(0, key); /* one of the first keys: the merge is behind it */
        end(true);
        begin(TXN_READ);
        expect_all(0, 0);
        (void)runs_of(0, &runs);
        end(false);
    } while (!was_merging || runs.merging);
}

/* ---- damage, and other formats */

static void flip(enum store_dbi dbi, size_t byte)
{
    uint8_t copy[8192];
    MDB_cursor *cursor;
    MDB_val key, value;
    MDB_txn *raw;

    cr_assert_eq(mdb_txn_begin(node->store->env, NULL, 0, &raw), 0);
    cr_assert_eq(mdb_cursor_open(raw, node->store->dbi[dbi], &cursor), 0);
    cr_assert_eq(mdb_cursor_get(cursor, &key, &value, MDB_LAST), 0);
    cr_assert_leq(value.mv_size, sizeof copy);
    memcpy(copy, value.mv_data, value.mv_size);
    copy[byte % value.mv_size] ^= 0x10;
    value.mv_data = copy;
    cr_assert_eq(mdb_cursor_put(cursor, &key, &value, MDB_CURRENT), 0);
    mdb_cursor_close(cursor);
    cr_assert_eq(mdb_txn_commit(raw), 0);
}

Test(layered, a_changed_filter_is_noticed)
{
    struct runs runs;

    fill(0);
    begin(TXN_WRITE);
    for (uint32_t i = 0; i < KEYS; i += 61)
        put(0, i);
    end(true);
    begin(TXN_READ);
    cr_assert_gt(runs_of(0, &runs), 0);
    end(false);
    for (size_t byte = 0; byte < 300; byte++) {
        flip(DBI_RUN, byte);
        begin(TXN_READ);
        cr_expect_eq(runs_load(&runs, txn, DBI_ROW, &err), STATUS_CORRUPT, "byte %zu",
                     byte);
        end(false);
        flip(DBI_RUN, byte);
    }
}

/* Make it what a rowferry of format 1 would have left. */
static void lower_format(void)
{
    MDB_txn *raw;

    begin(TXN_WRITE);
    cr_assert_eq(meta_put(txn, (enum meta_key)META_PRIVATE_FORMAT, 1, &err), STATUS_OK);
    end(true);
    cr_assert_eq(mdb_txn_begin(node->store->env, NULL, 0, &raw), 0);
    for (int dbi = DBI_SINCE_2; dbi < DBI_COUNT; dbi++)
        cr_assert_eq(mdb_drop(raw, node->store->dbi[dbi], 1), 0);
    cr_assert_eq(mdb_txn_commit(raw), 0);
}

Test(layered, a_store_of_format_1_is_read_and_raised_when_it_is_written)
{
    struct store *reader = NULL;
    uint64_t format;

    fill(0);
    lower_format();
    store_close(node->store);
    cr_assert_eq(store_open(&reader, node->folder, STORE_READ_ONLY, &err), STATUS_OK,
                 "%s", err.text);
    node->store = reader;
    begin(TXN_READ);
    expect_all(0, 0);
    expect_get(0, 17);
    end(false);
    reopen();
    begin(TXN_WRITE);
    cr_assert_eq(meta_get(txn, (enum meta_key)META_PRIVATE_FORMAT, &format, &err),
                 STATUS_OK);
    cr_expect_eq(format, STORE_FORMAT);
    for (uint32_t i = 0; i < KEYS; i += 97)
        put(0, i);
    expect_all(0, 0);
    end(true);
    begin(TXN_READ);
    expect_all(0, 5);
    end(false);
}

Test(layered, a_filter_never_denies_what_was_added)
{
    enum { ADDED = 3000, ASKED = 100000 };
    size_t size = run_filter_size(ADDED), wrong = 0;
    uint8_t *filter = calloc(1, size), key[8];

    cr_assert_not_null(filter);
    for (uint64_t i = 0; i < ADDED; i++) {
        bytes_put(key, i, 8);
        run_filter_add(filter, size, run_filter_hash((struct bytes){key, 8}));
    }
    for (uint64_t i = 0; i < ASKED; i++) {
        bool may;

        bytes_put(key, i, 8);
        may = run_filter_may_have((struct bytes){filter, size},
                                  run_filter_hash((struct bytes){key, 8}));
        if (i < ADDED)
            cr_assert(may, "key %u", (unsigned)i);
        wrong += may;
    }
    cr_expect_lt(wrong - ADDED, (ASKED - ADDED) / 100, "%zu of the others too", wrong);
    free(filter);
}
