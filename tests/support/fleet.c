#include "tests/support/fleet.h"

#include "log/conflicts.h"
#include "log/identity.h"
#include "log/store_private.h"
#include "node/node_private.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint32_t fleet_run_rows_min, fleet_walk_steps_min;

static struct error err;

#define MUST(call) cr_assert_eq((call), STATUS_OK, "%s: %s", #call, err.text)

static uint64_t node_now_us(void *data)
{
    const struct fleet_node *node = data;

    return node->now_us;
}

/* ---- making and removing */

static void make_path(char out[FLEET_PATH_MAX], const char *folder, const char *name,
                      const char *end)
{
    int size = snprintf(out, FLEET_PATH_MAX, "%s/%s%s", folder, name, end);

    cr_assert(size > 0 && size < (int)FLEET_PATH_MAX);
}

static int remove_one(const char *path, const struct stat *about, int kind,
                      struct FTW *place)
{
    (void)about;
    (void)kind;
    (void)place;
    return remove(path);
}

static void write_token(struct fleet *fleet, char path[FLEET_PATH_MAX])
{
    char text[TOKEN_TEXT_SIZE];
    FILE *file;

    make_path(path, fleet->folder, "token", "");
    token_text(store_identity(node_store(fleet->nodes[0].node)), text);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert(fprintf(file, "%s\n", text) > 0);
    cr_assert_eq(fclose(file), 0);
}

static void open_application(struct fleet_node *node)
{
    cr_assert_eq(sqlite3_open(node->database, &node->application), SQLITE_OK);
    cr_assert_eq(sqlite3_busy_timeout(node->application, 10000), SQLITE_OK);
    cr_assert_eq(
        sqlite3_exec(node->application, "PRAGMA synchronous = OFF", NULL, NULL, NULL),
        SQLITE_OK);
}

static void open_node(struct fleet_node *node)
{
    MUST(node_open(&node->node, node->store, NODE_WITH_DATABASE, &err));
    if (fleet_run_rows_min > 0)
        node->node->store->run_rows_min = fleet_run_rows_min;
    if (fleet_walk_steps_min > 0)
        node->node->store->walk_steps_min = fleet_walk_steps_min;
    node_set_clock(node->node, &node->clock, CLOCK_MAX_SKEW_US_DEFAULT);
}

/* token: NULL for the founder. */
static void make_node(struct fleet *fleet, size_t i, const char *token)
{
    struct fleet_node *node = &fleet->nodes[i];
    struct init_report report;
    char url[FLEET_PATH_MAX + 8];

    (void)snprintf(url, sizeof url, "sqlite:%s", node->database);
    MUST(node_init(
        &(struct init_options){
            .database = url,
            .store = node->store,
            .name = node->name,
            .join = token,
            .create_tables = token != NULL,
            .clock = &node->clock,
        },
        &report, &err));
    init_report_release(&report);
    open_node(node);
    node->id = store_identity(node_store(node->node))->node;
}

static void prepare_node(struct fleet *fleet, size_t i, int64_t skew_us)
{
    struct fleet_node *node = &fleet->nodes[i];

    (void)snprintf(node->name, sizeof node->name, "%c", (char)('a' + (int)i));
    make_path(node->database, fleet->folder, node->name, ".db");
    make_path(node->store, fleet->folder, node->name, ".store");
    node->now_us = (uint64_t)((int64_t)FLEET_EPOCH_US + skew_us);
    node->clock = (struct wall_clock){node_now_us, node};
}

void fleet_open(struct fleet *fleet, size_t count, const char *schema,
                const int64_t *skews_us)
{
    char token[FLEET_PATH_MAX];
    bool memory = access("/dev/shm", W_OK) == 0;

    cr_assert(count >= 1 && count <= FLEET_NODES_MAX);
    *fleet = (struct fleet){.count = count};
    make_path(fleet->folder, memory ? "/dev/shm" : "/tmp", "rowferry-fleet-XXXXXX", "");
    cr_assert_not_null(mkdtemp(fleet->folder));
    make_path(fleet->shared, fleet->folder, "shared", "");
    cr_assert_eq(mkdir(fleet->shared, 0700), 0);
    for (size_t i = 0; i < count; i++)
        prepare_node(fleet, i, skews_us != NULL ? skews_us[i] : 0);
    open_application(&fleet->nodes[0]);
    fleet_write(&fleet->nodes[0], schema);
    make_node(fleet, 0, NULL);
    fleet_sync(fleet, &fleet->nodes[0]);
    write_token(fleet, token);
    for (size_t i = 1; i < count; i++) {
        make_node(fleet, i, token);
        fleet_sync(fleet, &fleet->nodes[i]);
        open_application(&fleet->nodes[i]);
    }
    for (size_t i = 0; i + 1 < count; i++)
        fleet_sync(fleet, &fleet->nodes[i]);
}

void fleet_close(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++) {
        cr_assert_eq(sqlite3_close(fleet->nodes[i].application), SQLITE_OK);
        node_close(fleet->nodes[i].node);
    }
    cr_assert_eq(nftw(fleet->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void fleet_set_rules(struct fleet_node *node, const char *lines)
{
    char path[FLEET_PATH_MAX];
    FILE *file;

    make_path(path, node->store, "rowferry.ini", "");
    file = fopen(path, "w");
    cr_assert_not_null(file);
    (void)fputs(lines, file);
    cr_assert_eq(fclose(file), 0);
    node_close(node->node);
    open_node(node);
}

void fleet_pass_time(struct fleet *fleet, uint64_t us)
{
    for (size_t i = 0; i < fleet->count; i++)
        fleet->nodes[i].now_us += us;
}

/* ---- the application */

static void set_time(const char *path, uint64_t us)
{
    struct timespec at = {.tv_sec = (time_t)(us / 1000000),
                          .tv_nsec = (long)(us % 1000000) * 1000};

    cr_assert(utimensat(AT_FDCWD, path, (struct timespec[]){at, at}, 0) == 0 ||
              errno == ENOENT);
}

int fleet_write_try(struct fleet_node *node, const char *sql)
{
    char wal[FLEET_PATH_MAX + 4];
    int rc = sqlite3_exec(node->application, sql, NULL, NULL, NULL);

    if (sqlite3_get_autocommit(node->application) == 0)
        cr_assert_eq(sqlite3_exec(node->application, "ROLLBACK", NULL, NULL, NULL),
                     SQLITE_OK);
    node->written_us = node->now_us;
    (void)snprintf(wal, sizeof wal, "%s-wal", node->database);
    set_time(node->database, node->now_us);
    set_time(wal, node->now_us);
    return rc;
}

void fleet_write(struct fleet_node *node, const char *sql)
{
    cr_assert_eq(fleet_write_try(node, sql), SQLITE_OK, "%s: %s: %s", node->name, sql,
                 sqlite3_errmsg(node->application));
}

const char *fleet_text(struct fleet_node *node, const char *sql)
{
    static char text[65536];
    sqlite3_stmt *statement = NULL;
    size_t used = 0;
    int rc = sqlite3_prepare_v2(node->application, sql, -1, &statement, NULL);

    cr_assert_eq(rc, SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(node->application));
    text[0] = '\0';
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const char *value = (const char *)sqlite3_column_text(statement, i);

            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s",
                                     i > 0       ? "|"
                                     : used == 0 ? ""
                                                 : ";",
                                     value != NULL ? value : "NULL");
            cr_assert_lt(used, sizeof text);
        }
    }
    cr_assert_eq(rc, SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(node->application));
    cr_assert_eq(sqlite3_finalize(statement), SQLITE_OK);
    return text;
}

void fleet_expect(struct fleet *fleet, const char *sql, const char *text)
{
    for (size_t i = 0; i < fleet->count; i++) {
        const char *given = fleet_text(&fleet->nodes[i], sql);

        cr_expect_str_eq(given, text, "%s: %s\n  gives %s\n  not %s",
                         fleet->nodes[i].name, sql, given, text);
    }
}

/* ---- capture, apply, visits */

void fleet_capture(struct fleet_node *node)
{
    struct capture_counts counts;

    MUST(node_capture(node->node, &counts, &err));
}

void fleet_apply(struct fleet_node *node)
{
    struct apply_counts counts;

    MUST(node_apply(node->node, &counts, &err));
}

enum status fleet_sync_try(struct fleet *fleet, struct fleet_node *node,
                           struct visit_report *report, struct error *why)
{
    return node_sync(node->node, fleet->shared, report, why);
}

void fleet_sync(struct fleet *fleet, struct fleet_node *node)
{
    struct visit_report report;

    MUST(fleet_sync_try(fleet, node, &report, &err));
}

bool fleet_export(struct fleet *fleet, struct fleet_node *from,
                  const struct version_vector *base, uint64_t entries_max,
                  char path[FLEET_PATH_MAX], struct version_vector *to)
{
    static const struct version_vector nothing;
    struct segment_counts counts = {0};
    char name[24];
    FILE *file;

    (void)snprintf(name, sizeof name, "%llu", (unsigned long long)++fleet->segments);
    make_path(path, fleet->folder, name, ".segment");
    file = fopen(path, "wb");
    cr_assert_not_null(file);
    MUST(segment_sign_head(node_store(from->node), &err));
    MUST(segment_write(node_store(from->node), base != NULL ? base : &nothing,
                       entries_max, file, to, &counts, &err));
    cr_assert_eq(fclose(file), 0);
    return counts.entries > 0;
}

enum status fleet_import_try(struct fleet_node *node, const char *path, struct error *why)
{
    struct segment_counts counts = {0};

    return node_import(node->node, path, &counts, why);
}

void fleet_send(struct fleet *fleet, struct fleet_node *from, struct fleet_node *to,
                uint64_t entries_max)
{
    struct version_vector has;
    struct version_vector gets;
    char path[FLEET_PATH_MAX];

    version_vector_init(&has);
    version_vector_init(&gets);
    for (;;) {
        fleet_vector(to, &has);
        if (!fleet_export(fleet, from, &has, entries_max, path, &gets))
            break;
        MUST(fleet_import_try(to, path, &err));
        cr_assert_eq(remove(path), 0);
    }
    version_vector_release(&has);
    version_vector_release(&gets);
}

void fleet_meet(struct fleet *fleet, struct fleet_node *a, struct fleet_node *b)
{
    fleet_capture(a);
    fleet_capture(b);
    fleet_send(fleet, a, b, 0);
    fleet_send(fleet, b, a, 0);
    fleet_apply(a);
    fleet_apply(b);
}

/* ---- looking into a store */

static struct store_txn *begin(struct fleet_node *node)
{
    struct store_txn *txn = NULL;

    MUST(store_begin(node_store(node->node), TXN_READ, &txn, &err));
    return txn;
}

void fleet_vector(struct fleet_node *node, struct version_vector *vector)
{
    struct store_txn *txn = begin(node);

    MUST(meta_get_vector(txn, META_VECTOR, vector, &err));
    store_abort(txn);
}

uint64_t fleet_conflicts(struct fleet_node *node)
{
    struct store_txn *txn = begin(node);
    uint64_t count = 0;

    MUST(conflict_count(txn, &count, &err));
    store_abort(txn);
    return count;
}

uint64_t fleet_parked(struct fleet_node *node)
{
    struct store_txn *txn = begin(node);
    uint64_t count = 0;

    MUST(parked_count(txn, &count, &err));
    store_abort(txn);
    return count;
}

uint64_t fleet_meta(struct fleet_node *node, enum meta_key key)
{
    struct store_txn *txn = begin(node);
    uint64_t value = 0;

    MUST(meta_get(txn, key, &value, &err));
    store_abort(txn);
    return value;
}

uint64_t fleet_last_seq(struct fleet_node *node)
{
    return fleet_meta(node, META_LAST_SEQ);
}
