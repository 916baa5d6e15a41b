/* Apply against a plain loop: the same rows, once from the log of another node by the
 * applier, once by one prepared upsert in one transaction of a database beside it. First
 * inserts in the order of their keys, then updates of random rows; entries of 1, 100 and
 * 1000 rows.
 *
 *   bench_apply [FOLDER [ROWS [ROWS-AN-ENTRY...]]]      by default /tmp 1000000 1 100
 * 1000
 *
 * Prints rows/s by wall clock and by CPU, and how much of the plain loop's that is. */
#include "apply/applier.h"
#include "apply/sqlite_target.h"
#include "capture/sqlite_scan.h"
#include "engine/sqlite_database.h"
#include "log/identity.h"
#include "log/image.h"
#include "log/log_reader.h"
#include "log/row_key.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { COLUMNS = 5, TEXT_SIZE = 100 };

static const char schema[] =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INTEGER,"
    " r REAL, note TEXT)";

struct bench_node {
    char database_path[256], store_path[256];
    struct identity identity;
    struct store *store;
    struct sqlite_database *database;
    struct source *source;
};

struct row_values {
    struct value values[COLUMNS];
    char name[32], note[TEXT_SIZE + 1];
};

struct span {
    double wall, cpu;
};

static struct error err;

static void check(enum status status)
{
    if (status == STATUS_OK)
        return;
    (void)fprintf(stderr, "bench_apply: %s\n", err.text);
    exit(1);
}

static void check_sqlite(sqlite3 *handle, int rc)
{
    if (rc == SQLITE_OK || rc == SQLITE_DONE)
        return;
    (void)fprintf(stderr, "bench_apply: %s\n", sqlite3_errmsg(handle));
    exit(1);
}

static struct span now(void)
{
    struct timespec wall;
    struct rusage usage;

    (void)clock_gettime(CLOCK_MONOTONIC, &wall);
    (void)getrusage(RUSAGE_SELF, &usage);
    return (struct span){
        (double)wall.tv_sec + (double)wall.tv_nsec / 1e9,
        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
    };
}

static struct span since(struct span start)
{
    struct span end = now();

    return (struct span){end.wall - start.wall, end.cpu - start.cpu};
}

/* ---- rows */

static uint64_t scramble(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Version round of the row with this id: an update changes n and note. */
static void make_row(struct row_values *row, uint64_t id, uint64_t round)
{
    (void)snprintf(row->name, sizeof row->name, "name of %llu", (unsigned long long)id);
    memset(row->note, 'a' + (int)(scramble(id + round) % 26), TEXT_SIZE);
    row->note[TEXT_SIZE] = '\0';
    row->values[0] = (struct value){.type = VALUE_INTEGER, .integer = (int64_t)id};
    row->values[1] =
        (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text(row->name)};
    row->values[2] = (struct value){
        .type = VALUE_INTEGER, .integer = (int64_t)(scramble(id * 31 + round) % 1000000)};
    row->values[3] = (struct value){.type = VALUE_REAL, .real = (double)id * 1.5 + 0.25};
    row->values[4] =
        (struct value){.type = VALUE_TEXT, .bytes = bytes_of_text(row->note)};
}

static uint64_t row_id(uint64_t at, uint64_t rows, uint64_t round)
{
    return round == 0 ? at + 1 : scramble(at * 7 + round) % rows + 1;
}

/* ---- nodes */

static void open_node(struct bench_node *node, const char *folder, const char *name)
{
    struct sqlite_state state;
    struct capture_counts counts = {0};
    struct appender *appender;
    struct local_entry entry = {.kind = ENTRY_MEMBER, .whole_context = true};
    struct member member = {.event = MEMBER_JOINED,
                            .name = bytes_of_text(name),
                            .engine = MEMBER_SQLITE,
                            .formats_max = 1};
    sqlite3 *handle;
    uint64_t seq;

    (void)snprintf(node->database_path, sizeof node->database_path, "%s/%s.db", folder,
                   name);
    (void)snprintf(node->store_path, sizeof node->store_path, "%s/%s.store", folder,
                   name);
    check_sqlite(NULL, sqlite3_open(node->database_path, &handle));
    check_sqlite(handle, sqlite3_exec(handle, schema, NULL, NULL, NULL));
    (void)sqlite3_close(handle);
    check(identity_make(&node->identity, name, &err));
    check(store_create(node->store_path, &node->identity, &err));
    check(store_open(&node->store, node->store_path, STORE_READ_WRITE, &err));
    member.node = node->identity.node;
    memcpy(member.public_key, node->identity.public_key, PUBLIC_KEY_SIZE);
    check(appender_open(&appender, node->store, APPENDER_CAPTURE, &err));
    check(appender_add_member(appender, &member, &err));
    check(appender_end_local(appender, &entry, &seq, &err));
    check(appender_commit(appender, &err));
    appender_close(appender);
    check(sqlite_database_open(&node->database, node->database_path,
                               SQLITE_DATABASE_WRITE, 0, &err));
    check(sqlite_scan_open(&node->source, node->database, node->store,
                           &(struct sqlite_scan_options){0}, &err));
    check(sqlite_scan_base(node->source, &counts, &err));
    state = (struct sqlite_state){node->identity.node, node->identity.incarnation, 0, 0};
    check(sqlite_begin_write(node->database, &err));
    check(sqlite_state_write(node->database, &state, &err));
    check(sqlite_commit(node->database, &err));
}

static void close_node(struct bench_node *node)
{
    node->source->ops->close(node->source);
    sqlite_database_close(node->database);
    store_close(node->store);
}

/* ---- the log */

static void add_row(struct appender *appender, uint64_t id, uint64_t round,
                    const struct version *born, const struct definition *definition)
{
    static struct buffer key, image;
    struct row_values row;
    struct change change = {.op = round == 0 ? CHANGE_INSERT : CHANGE_UPDATE,
                            .definition = 1,
                            .has_born = round > 0};

    if (round > 0)
        change.born = *born;
    make_row(&row, id, round);
    buffer_clear(&key);
    buffer_clear(&image);
    check(row_key_put(&key, &row.values[0], &err));
    image_encode(&image, row.values, definition);
    change.key = buffer_view(&key);
    change.image = buffer_view(&image);
    check(appender_add_change(appender, &change, &err));
}

/* The node logs rows of a round as its own, so many an entry. */
static void log_round(struct bench_node *node, uint64_t rows, uint64_t an_entry,
                      uint64_t round)
{
    struct appender *appender;
    struct local_entry entry = {.kind = ENTRY_CHANGES};
    struct store_txn *txn;
    struct table table;
    uint64_t seq;

    check(store_begin(node->store, TXN_READ, &txn, &err));
    check(tables_find(txn, node->identity.node, 1, &table, &err));
    store_abort(txn);
    check(appender_open(&appender, node->store, APPENDER_CAPTURE, &err));
    for (uint64_t at = 0; at < rows; at += an_entry) {
        for (uint64_t i = at; i < at + an_entry && i < rows; i++) {
            uint64_t id = row_id(i, rows, round);
            struct version born = {0};
            struct row row;

            if (round > 0) {
                uint8_t key[9] = {0x10};

                bytes_put(key + 1, id ^ (UINT64_C(1) << 63), 8);
                check(appender_txn(appender, &txn, &err));
                check(
                    rows_get(txn, table.id, (struct bytes){key, sizeof key}, &row, &err));
                born = row.born;
            }
            add_row(appender, id, round, &born, table.definition);
        }
        check(appender_end_local(appender, &entry, &seq, &err));
        if (at / 20000 != (at + an_entry) / 20000)
            check(appender_commit(appender, &err));
    }
    check(appender_commit(appender, &err));
    appender_close(appender);
}

static uint64_t last_seq(struct bench_node *node)
{
    struct store_txn *txn;
    uint64_t last;

    check(store_begin(node->store, TXN_READ, &txn, &err));
    check(meta_get(txn, META_LAST_SEQ, &last, &err));
    store_abort(txn);
    return last;
}

/* Import entries first .. last of one into the other. */
static void carry(struct bench_node *from, struct bench_node *to, uint64_t first,
                  uint64_t last)
{
    struct appender *appender;
    struct store_txn *txn;

    check(store_begin(from->store, TXN_READ, &txn, &err));
    check(appender_open(&appender, to->store, APPENDER_IMPORT, &err));
    for (uint64_t seq = first, changes = 0; seq <= last; seq++) {
        struct log_entry entry;
        struct bytes piece;
        uint32_t next = 0;
        uint64_t there;
        enum status status;

        check(log_get(txn, seq, &entry, &err));
        while ((status = log_body_piece(txn, &entry, &next, &piece, &err)) == STATUS_OK)
            check(appender_add_items(appender, piece, &err));
        check(
            appender_end_import(appender, entry.header_bytes, entry.hash, &there, &err));
        changes += entry.header.item_count;
        if (changes >= 20000 || seq == last)
            check(appender_commit(appender, &err));
        if (changes >= 20000)
            changes = 0;
    }
    appender_close(appender);
    store_abort(txn);
}

/* ---- the two ways */

static enum status capture(void *data, bool *logged, struct error *error)
{
    return sqlite_scan_locked(data, logged, error);
}

static struct span apply(struct bench_node *node, uint64_t rows)
{
    struct sqlite_target_options options = {
        .capture = capture, .capture_data = node->source, .foreign_keys = true};
    struct apply_counts counts = {0};
    struct capture_counts captured = {0};
    struct target *target;
    struct span start, took;

    /* The scan before it is not the applier's. */
    check(node->source->ops->capture(node->source, &captured, &err));
    check(sqlite_target_open(&target, node->database, node->store, &options, &err));
    check(store_lock(node->store, LOCK_CAPTURE, &err));
    check(store_lock(node->store, LOCK_APPLY, &err));
    start = now();
    check(applier_run_once(target, &counts, &err));
    took = since(start);
    store_unlock(node->store, LOCK_APPLY);
    store_unlock(node->store, LOCK_CAPTURE);
    target->ops->close(target);
    if (counts.rows == 0 || counts.rows > rows || captured.entries > 0) {
        (void)fprintf(stderr, "bench_apply: %llu rows applied\n",
                      (unsigned long long)counts.rows);
        exit(1);
    }
    return took;
}

static struct span plain(sqlite3 *handle, uint64_t rows, uint64_t round)
{
    struct span start = now();
    sqlite3_stmt *upsert;

    check_sqlite(handle, sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    check_sqlite(
        handle,
        sqlite3_prepare_v2(handle,
                           "INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO"
                           " UPDATE SET name = excluded.name, n = excluded.n,"
                           " r = excluded.r, note = excluded.note",
                           -1, &upsert, NULL));
    for (uint64_t i = 0; i < rows; i++) {
        struct row_values row;

        make_row(&row, row_id(i, rows, round), round);
        (void)sqlite3_bind_int64(upsert, 1, row.values[0].integer);
        (void)sqlite3_bind_text(upsert, 2, row.name, -1, SQLITE_STATIC);
        (void)sqlite3_bind_int64(upsert, 3, row.values[2].integer);
        (void)sqlite3_bind_double(upsert, 4, row.values[3].real);
        (void)sqlite3_bind_text(upsert, 5, row.note, TEXT_SIZE, SQLITE_STATIC);
        check_sqlite(handle, sqlite3_step(upsert));
        (void)sqlite3_reset(upsert);
    }
    (void)sqlite3_finalize(upsert);
    check_sqlite(handle, sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL));
    return since(start);
}

/* ---- runs */

static int remove_one(const char *path, const struct stat *about, int type,
                      struct FTW *walk)
{
    (void)about, (void)type, (void)walk;
    return remove(path);
}

static void run(const char *where, uint64_t rows, uint64_t an_entry)
{
    char folder[128], path[256];
    struct bench_node from = {0}, to = {0};
    uint64_t carried = 1;
    sqlite3 *beside;

    (void)snprintf(folder, sizeof folder, "%.100s/rowferry-bench-XXXXXX", where);
    if (mkdtemp(folder) == NULL) {
        perror(where);
        exit(1);
    }
    (void)snprintf(path, sizeof path, "%s/plain.db", folder);
    check_sqlite(NULL, sqlite3_open(path, &beside));
    check_sqlite(beside, sqlite3_exec(beside, schema, NULL, NULL, NULL));
    open_node(&from, folder, "from");
    open_node(&to, folder, "to");
    for (uint64_t round = 0; round < 2; round++) {
        struct span loop, applied, start = now(), imported;

        log_round(&from, rows, an_entry, round);
        start = now();
        carry(&from, &to, carried, last_seq(&from));
        imported = since(start);
        carried = last_seq(&from) + 1;
        loop = plain(beside, rows, round);
        applied = apply(&to, rows);
        (void)printf("%-7s %4llu an entry: plain %7.0f rows/s, apply %7.0f rows/s: "
                     "%.2f by wall, %.2f by CPU (import %.0f rows/s, by CPU %.0f)\n",
                     round == 0 ? "inserts" : "updates", (unsigned long long)an_entry,
                     (double)rows / loop.wall, (double)rows / applied.wall,
                     loop.wall / applied.wall, loop.cpu / applied.cpu,
                     (double)rows / imported.wall, (double)rows / imported.cpu);
        (void)fflush(stdout);
    }
    close_node(&from);
    close_node(&to);
    (void)sqlite3_close(beside);
    (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(int argc, char **argv)
{
    static const uint64_t usual[] = {1, 100, 1000};
    const char *where = argc > 1 ? argv[1] : "/tmp";
    uint64_t rows = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;

    for (size_t i = 0; argc <= 3 && i < sizeof usual / sizeof *usual; i++)
        run(where, rows, usual[i]);
    for (int i = 3; i < argc; i++)
        run(where, rows, strtoull(argv[i], NULL, 10));
    return 0;
}
