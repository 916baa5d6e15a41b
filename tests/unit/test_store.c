#include "log/store_private.h"
#include "tests/support/log_fixture.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static struct log_fixture fixture;
static struct log_node *a;
static struct error err;

static void set_up(void)
{
    log_fixture_open(&fixture, 1);
    a = &fixture.nodes[0];
}

static void tear_down(void)
{
    log_fixture_close(&fixture);
}

TestSuite(store, .init = set_up, .fini = tear_down);

static void put_meta(int key, uint64_t value)
{
    struct store_txn *txn;

    cr_assert_eq(store_begin(a->store, TXN_WRITE, &txn, &err), STATUS_OK, "%s", err.text);
    cr_assert_eq(meta_put(txn, (enum meta_key)key, value, &err), STATUS_OK, "%s",
                 err.text);
    cr_assert_eq(store_commit(txn, &err), STATUS_OK, "%s", err.text);
}

Test(store, keeps_its_identity_across_a_reopen)
{
    log_node_reopen(a);
    cr_expect_eq(store_identity(a->store)->node, 1);
    cr_expect_str_eq(store_identity(a->store)->name, "node 1");
    cr_expect_eq(store_identity(a->store)->incarnation, 1);
}

Test(store, a_new_incarnation_is_remembered)
{
    cr_assert_eq(store_reincarnate(a->store, 77, &err), STATUS_OK, "%s", err.text);
    log_node_reopen(a);
    cr_expect_eq(store_identity(a->store)->incarnation, 77);
}

Test(store, is_not_made_over_another)
{
    cr_expect_eq(store_create(a->folder, &a->identity, &err), STATUS_REFUSED);
    cr_expect(strstr(err.text, "there is a store already") != NULL, "%s", err.text);
    log_node_reopen(a);
}

Test(store, says_where_a_missing_one_should_be_and_what_to_do)
{
    struct store *store;

    cr_expect_eq(store_open(&store, "/nonexistent/store", STORE_READ_ONLY, &err),
                 STATUS_UNAVAILABLE);
    cr_expect_null(store);
    cr_expect(strstr(err.text, "rowferry init") != NULL, "%s", err.text);
}

Test(store, refuses_a_newer_format_by_its_number)
{
    struct store *store;

    put_meta(META_PRIVATE_FORMAT, STORE_FORMAT + 1);
    store_close(a->store);
    a->store = NULL;
    cr_expect_eq(store_open(&store, a->folder, STORE_READ_WRITE, &err),
                 STATUS_UNAVAILABLE);
    cr_expect(strstr(err.text, "format 3") != NULL, "%s", err.text);
}

Test(store, refuses_secrets_that_are_not_its_own)
{
    char path[256];
    struct store *store;
    FILE *file;

    store_close(a->store);
    a->store = NULL;
    (void)snprintf(path, sizeof path, "%s/fleet.key", a->folder);
    file = fopen(path, "w");
    cr_assert_not_null(file);
    (void)fputs("rowferry-fleet-key-1:00ff\n", file);
    (void)fclose(file);
    cr_expect_eq(store_open(&store, a->folder, STORE_READ_WRITE, &err),
                 STATUS_UNAVAILABLE);
    cr_expect(strstr(err.text, "fleet.key") != NULL, "%s", err.text);
}

/* Take the lock in a child and say what it got. */
static int lock_elsewhere(enum store_lock lock)
{
    int answer = -1;
    pid_t child = fork();

    if (child == 0) {
        struct store other = *a->store; /* its folder; descriptors of its own */

        for (int i = 0; i < STORE_LOCKS; i++) {
            other.lock_fd[i] = -1;
            other.lock_count[i] = 0;
        }
        _exit(store_lock(&other, lock, &err));
    }
    cr_assert_eq(waitpid(child, &answer, 0), child);
    return WEXITSTATUS(answer);
}

Test(store, a_lock_keeps_other_processes_out_until_it_is_given_back)
{
    cr_assert_eq(store_lock(a->store, LOCK_APPLY, &err), STATUS_OK);
    cr_assert_eq(store_lock(a->store, LOCK_APPLY, &err), STATUS_OK, "counted");
    cr_expect_eq(lock_elsewhere(LOCK_APPLY), STATUS_REFUSED);
    cr_expect_eq(lock_elsewhere(LOCK_IMPORT), STATUS_OK);
    store_unlock(a->store, LOCK_APPLY);
    cr_expect_eq(lock_elsewhere(LOCK_APPLY), STATUS_REFUSED);
    store_unlock(a->store, LOCK_APPLY);
    cr_expect_eq(lock_elsewhere(LOCK_APPLY), STATUS_OK);
}

struct helper {
    int ready; /* readable when the lock is held */
    int free;  /* write here to have it given back */
    unsigned told;
    pid_t child;
};

/* A process that holds the lock until it is told to end. */
static void hold_elsewhere(struct helper *helper, enum store_lock lock)
{
    int ready[2], free_it[2];
    char byte = 0;

    cr_assert(pipe(ready) == 0 && pipe(free_it) == 0);
    helper->child = fork();
    if (helper->child == 0) {
        struct store other = *a->store;

        for (int i = 0; i < STORE_LOCKS; i++)
            other.lock_count[i] = 0;
        byte = store_lock(&other, lock, &err) == STATUS_OK;
        _exit(write(ready[1], &byte, 1) == 1 && read(free_it[0], &byte, 1) == 1 ? 0 : 1);
    }
    helper->ready = ready[0];
    helper->free = free_it[1];
    cr_assert(read(helper->ready, &byte, 1) == 1 && byte == 1);
}

/* The second time that somebody says that he waits, let him have it. */
static void give_it_back(void *data, const struct progress_state *state)
{
    struct helper *helper = data;

    cr_expect(strstr(state->step, "wait for another process") != NULL, "%s", state->step);
    if (++helper->told == 2)
        cr_assert_eq(write(helper->free, "x", 1), 1);
}

Test(store, waits_for_a_lock_and_says_so)
{
    struct helper helper = {0};
    struct progress progress = {give_it_back, &helper};

    hold_elsewhere(&helper, LOCK_APPLY);
    store_set_progress(a->store, &progress);
    store_set_lock_wait(a->store, 60 * UINT64_C(1000000));
    cr_assert_eq(store_lock(a->store, LOCK_APPLY, &err), STATUS_OK, "%s", err.text);
    cr_expect_geq(helper.told, 2);
    store_unlock(a->store, LOCK_APPLY);
    store_set_progress(a->store, NULL);
    cr_assert_eq(waitpid(helper.child, NULL, 0), helper.child);
}

Test(store, waits_for_a_lock_no_longer_than_it_was_told)
{
    struct helper helper = {0};

    hold_elsewhere(&helper, LOCK_APPLY);
    store_set_lock_wait(a->store, 50000);
    cr_assert_eq(store_lock(a->store, LOCK_APPLY, &err), STATUS_REFUSED);
    cr_expect(strstr(err.text, "in use") != NULL, "%s", err.text);
    cr_assert_eq(write(helper.free, "x", 1), 1);
    cr_assert_eq(waitpid(helper.child, NULL, 0), helper.child);
}

Test(store, what_is_aborted_was_never_there)
{
    struct store_txn *txn;
    uint64_t value;

    cr_assert_eq(store_begin(a->store, TXN_WRITE, &txn, &err), STATUS_OK);
    cr_assert_eq(meta_put(txn, META_SEEN, 5, &err), STATUS_OK);
    store_abort(txn);
    cr_assert_eq(store_begin(a->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(meta_get(txn, META_SEEN, &value, &err), STATUS_OK);
    cr_expect_eq(value, 0);
    store_abort(txn);
}

Test(store, a_definition_of_an_aborted_transaction_is_not_remembered)
{
    struct store_txn *txn;
    struct table table;
    struct buffer bytes = {0};
    struct definition changed;

    cr_assert_eq(store_begin(a->store, TXN_WRITE, &txn, &err), STATUS_OK);
    cr_assert_eq(tables_find(txn, 1, 1, &table, &err), STATUS_OK);
    changed = *table.definition;
    changed.number = 2;
    definition_encode(&bytes, &changed);
    cr_assert_eq(tables_add(txn, 1, buffer_view(&bytes), &err), STATUS_OK, "%s",
                 err.text);
    cr_expect_eq(tables_find(txn, 1, 2, &table, &err), STATUS_OK);
    store_abort(txn);
    cr_assert_eq(store_begin(a->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_expect_eq(tables_find(txn, 1, 2, &table, &err), STATUS_NOT_FOUND);
    store_abort(txn);
    buffer_release(&bytes);
}

Test(store, tables_keep_one_id_across_origins_and_definitions)
{
    struct store_txn *txn;
    struct table table;
    uint32_t id, count;
    const char *name;

    cr_assert_eq(store_begin(a->store, TXN_READ, &txn, &err), STATUS_OK);
    cr_assert_eq(tables_id(txn, "item", &id, &err), STATUS_OK);
    cr_expect_eq(id, 1);
    cr_assert_eq(tables_newest(txn, 1, id, &table, &err), STATUS_OK);
    cr_expect_eq(table.definition->number, 1);
    cr_assert_eq(tables_any(txn, id, &table, &err), STATUS_OK);
    cr_assert_eq(tables_name(txn, id, &name, &err), STATUS_OK);
    cr_expect_str_eq(name, "item");
    cr_assert_eq(tables_count(txn, &count, &err), STATUS_OK);
    cr_expect_eq(count, 1);
    cr_expect_eq(tables_id(txn, "nothing", &id, &err), STATUS_NOT_FOUND);
    store_abort(txn);
}

/* ---- no room: files may not grow beyond a limit */

static struct rlimit allowed;

static void limit_files(rlim_t size)
{
    struct rlimit low;

    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &allowed), 0);
    low = allowed;
    low.rlim_cur = size;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
}

static void lift_limit(void)
{
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &allowed), 0);
}

/* What is left on the disk, in blocks of 4 KiB. */
static fsblkcnt_t blocks_left = 1 << 20;

int __wrap_statvfs(const char *path, struct statvfs *out);
int __wrap_statvfs(const char *path, struct statvfs *out)
{
    (void)path;
    *out = (struct statvfs){.f_frsize = 4096, .f_bavail = blocks_left};
    return 0;
}

static void in_store(char path[256], const char *name)
{
    (void)snprintf(path, 256, "%s/%s", a->folder, name);
}

Test(store, what_finds_no_room_was_never_there)
{
    static const struct {
        const char *when;
        rlim_t room;       /* beyond the file's end */
        fsblkcnt_t blocks; /* that the disk says it has, after that */
        enum status status;
        const char *advice;
    } cases[] = {
        {"nothing can be written",           0,    1 << 20, STATUS_FULL, "free some disk space"},
        {"a write is cut short",             4096, 1 << 20, STATUS_IO,   "check the disk"      },
        {"it is, and the disk is full",      4096, 0,       STATUS_FULL, "free some disk space"},
        {"it is, and the disk is near that", 4096, 200,     STATUS_FULL,
         "free some disk space"                                                                },
    };
    static uint8_t large[1 << 16];
    struct store_txn *txn;
    struct bytes value;
    struct stat file;
    char path[256];

    in_store(path, "data.mdb");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(stat(path, &file), 0);
        cr_assert_eq(store_begin(a->store, TXN_WRITE, &txn, &err), STATUS_OK);
        cr_assert_eq(
            meta_put_bytes(txn, META_JOIN, (struct bytes){large, sizeof large}, &err),
            STATUS_OK);
        limit_files((rlim_t)file.st_size + cases[i].room);
        blocks_left = cases[i].blocks;
        cr_expect_eq(store_commit(txn, &err), cases[i].status, "%s: %s", cases[i].when,
                     err.text);
        lift_limit();
        cr_expect_eq(strncmp(err.text, a->folder, strlen(a->folder)), 0, "%s: %s",
                     cases[i].when, err.text);
        cr_expect_not_null(strstr(err.text, cases[i].advice), "%s: %s", cases[i].when,
                           err.text);
        cr_assert_eq(store_begin(a->store, TXN_READ, &txn, &err), STATUS_OK);
        cr_assert_eq(meta_get_bytes(txn, META_JOIN, &value, &err), STATUS_OK);
        cr_expect_eq(value.size, 0);
        store_abort(txn);
    }
    put_meta(META_SEEN, 5);
    log_node_reopen(a);
    log_write(a, 1, "x", "");
}

Test(store, can_not_be_made_where_there_is_no_room)
{
    struct identity identity = a->identity;
    char path[256], inside[300];
    struct stat file;

    in_store(path, "none/new");
    cr_expect_eq(store_create(path, &identity, &err), STATUS_UNAVAILABLE);
    in_store(path, "data.mdb/new");
    cr_expect_eq(store_create(path, &identity, &err), STATUS_UNAVAILABLE);
    in_store(path, "new");
    for (rlim_t size = 0; size < 1 << 16; size = size * 2 + 1) {
        enum status status;

        limit_files(size);
        status = store_create(path, &identity, &err);
        lift_limit();
        if (status == STATUS_OK)
            break;
        cr_expect(status == STATUS_FULL || (status == STATUS_IO && size >= 4096),
                  "%d in files of %zu bytes: %s", (int)status, (size_t)size, err.text);
        cr_expect_neq(stat(path, &file), 0, "what was made is removed again");
    }
    cr_expect_eq(stat(path, &file), 0);
    for (size_t i = 0; i < 4; i++) {
        static const char *const names[] = {"data.mdb", "lock.mdb", "node.key",
                                            "fleet.key"};

        (void)snprintf(inside, sizeof inside, "%s/%s", path, names[i]);
        (void)unlink(inside);
    }
    (void)rmdir(path);
}

Test(store, secrets_that_are_cut_short_are_no_store)
{
    struct identity identity = a->identity;
    char path[256];

    in_store(path, "new");
    for (rlim_t size = 1; size < 60; size += 13) {
        limit_files(size);
        cr_expect_eq(store_create(path, &identity, &err), STATUS_FULL, "%s", err.text);
        lift_limit();
    }
}
