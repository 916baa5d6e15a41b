#include "node/node_private.h"

#include "apply/applier.h"
#include "capture/sqlite_scan.h"
#include "node/foreign_keys.h"
#include "node/meeting.h"
#include "node/numbers.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening and closing */

static enum status find_url(struct node *node, struct error *err)
{
    struct store_txn *txn = NULL;
    struct bytes url = {0};
    enum status status;

    if (node->config.database != NULL) {
        node->url = strdup(node->config.database);
    } else {
        status = store_begin(node->store, TXN_READ, &txn, err);
        if (status == STATUS_OK)
            status = meta_get_bytes(txn, META_DATABASE, &url, err);
        if (status == STATUS_OK && url.size == 0) {
            status = error_set(err, STATUS_REFUSED, "half a store: run its init again");
        }
        if (status == STATUS_OK)
            node->url = strndup((const char *)url.data, url.size);
        store_abort(txn);
        if (status != STATUS_OK)
            return status;
    }
    return node->url != NULL
               ? STATUS_OK
               : error_set(err, STATUS_NO_MEMORY, "open node: out of memory");
}

enum status node_check_owner(uint64_t node, const char *name, uint64_t owner,
                             struct error *err)
{
    char id[NODE_ID_TEXT_SIZE];

    if (owner == 0 || owner == node)
        return STATUS_OK;
    node_id_text(owner, id);
    return error_set(
        err, STATUS_REFUSED,
        "%s: belongs to the store of node %s; if that is given up, make a new "
        "store by `rowferry init --take-over`",
        name, id);
}

enum status node_check_sqlite(const struct node *node, const char *what,
                              struct error *err)
{
    if (node->sqlite != NULL)
        return STATUS_OK;
    return error_set(err, STATUS_USAGE,
                     "%s: %s is not for this kind of database yet, only for SQLite",
                     node->url, what);
}

static enum status check_there(const struct node *node, const struct database_url *url,
                               struct error *err)
{
    if (!database_is_missing(url))
        return STATUS_OK;
    return error_set(err, STATUS_UNAVAILABLE,
                     "%s: no such file: bring the database back, or say where it is in "
                     "%s/rowferry.ini (database = sqlite:PATH)",
                     url->path, store_folder(node->store));
}

static enum status check_open(struct node *node, const struct join_plan *plan,
                              struct error *err)
{
    uint64_t owner = 0;
    enum status status = node->database->ops->owner(node->database, &owner, err);

    if (status != STATUS_OK || (plan->pending && plan->take_over))
        return status;
    return node_check_owner(store_identity(node->store)->node, node->database->name,
                            owner, err);
}

static enum status open_database(struct node *node, bool read_only, struct error *err)
{
    struct database_url url = {0};
    struct join_plan plan;
    enum database_mode mode = DATABASE_WRITE;
    enum status status = join_recall(node->store, &plan, err);

    if (status != STATUS_OK)
        return status;
    if (read_only)
        mode = DATABASE_READ;
    else if (plan.pending && plan.create_tables)
        mode = DATABASE_CREATE;
    status = database_url_read(&url, node->url, err);
    node->config.rules.postgres = url.kind == DATABASE_POSTGRES;
    if (status == STATUS_OK && mode != DATABASE_CREATE)
        status = check_there(node, &url, err);
    if (status == STATUS_OK)
        status = database_open(&node->database, &url, mode, err);
    if (status == STATUS_OK && node->database->ops->adopt != NULL)
        node->database->ops->adopt(node->database, &node->config);
    database_url_release(&url);
    node->sqlite = database_sqlite(node->database);
    return status == STATUS_OK ? check_open(node, &plan, err) : status;
}

static enum status find_foreign_keys(struct node *node, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = foreign_keys_count(txn, &node->config, &node->foreign_keys, err);
    store_abort(txn);
    return status;
}

enum status node_open(struct node **out, const char *store, unsigned flags,
                      struct error *err)
{
    bool read_only = (flags & NODE_READ_ONLY) != 0;
    struct node *node = calloc(1, sizeof *node);
    enum status status;

    *out = NULL;
    if (node == NULL)
        return error_set(err, STATUS_NO_MEMORY, "open node: out of memory");
    config_init(&node->config);
    status = store_open(&node->store, store,
                        read_only ? STORE_READ_ONLY : STORE_READ_WRITE, err);
    if (status == STATUS_OK)
        status = config_read(&node->config, store, err);
    if (status == STATUS_OK)
        status = find_url(node, err);
    if (status == STATUS_OK) {
        store_set_clock(node->store, &wall_clock_system, node->config.max_skew_us);
        store_set_lock_wait(node->store, node->config.lock_wait_us);
        status = find_foreign_keys(node, err);
        if (status == STATUS_OK && (flags & NODE_WITH_DATABASE) != 0)
            status = open_database(node, read_only, err);
    }
    if (status != STATUS_OK) {
        node_close(node);
        return status;
    }
    *out = node;
    return STATUS_OK;
}

void node_close(struct node *node)
{
    if (node == NULL)
        return;
    if (node->target != NULL)
        node->target->ops->close(node->target);
    if (node->source != NULL)
        node->source->ops->close(node->source);
    database_close(node->database);
    store_close(node->store);
    config_release(&node->config);
    free(node->url);
    free(node);
}

struct store *node_store(struct node *node)
{
    return node->store;
}

struct database *node_database(struct node *node)
{
    return node->database;
}

struct sqlite_database *node_sqlite(struct node *node)
{
    return node->sqlite;
}

const char *node_database_url(const struct node *node)
{
    return node->url;
}

const char *node_given_slot(const struct node *node)
{
    return node->config.slot;
}

bool node_foreign_keys(const struct node *node)
{
    return node->foreign_keys;
}

void node_say(struct node *node, const char *format, ...)
{
    va_list arguments;
    char *line = NULL;

    if (node->notice == NULL)
        return;
    va_start(arguments, format);
    if (vasprintf(&line, format, arguments) >= 0)
        node->notice(node->notice_data, line);
    va_end(arguments);
    free(line);
}

void node_on_notice(struct node *node, node_notice_cb notice, void *data)
{
    node->notice = notice;
    node->notice_data = data;
}

void node_set_progress(struct node *node, const struct progress *progress)
{
    store_set_progress(node->store, progress);
}

void node_set_clock(struct node *node, const struct wall_clock *clock,
                    uint64_t max_skew_us)
{
    store_set_clock(node->store, clock, max_skew_us);
}

enum status node_say_rules(struct database *database, const struct table_rules *rules,
                           node_notice_cb notice, void *data, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; notice != NULL && i < rules->count && status == STATUS_OK; i++) {
        char line[800];
        bool has = true;

        status =
            database->ops->has_table(database, rules->list[i].table, false, &has, err);
        (void)snprintf(line, sizeof line,
                       "rowferry.ini: [table %s]: the database has no such table",
                       rules->list[i].table);
        if (status == STATUS_OK && !has)
            notice(data, line);
    }
    return status;
}

/* ---- source and target, on one connection */

static struct database_use use_of(struct node *node)
{
    return (struct database_use){
        .store = node->store,
        .config = &node->config,
        .foreign_keys = node->foreign_keys,
        .slot = node->config.ids == IDS_RANGE ? &node->slot : NULL,
    };
}

enum status node_source(struct node *node, struct source **out, struct error *err)
{
    struct database_use use = use_of(node);
    enum status status = STATUS_OK;

    assert(node->database != NULL);
    if (node->source == NULL)
        status =
            node->database->ops->open_source(node->database, &use, &node->source, err);
    *out = node->source;
    return status;
}

enum status node_target(struct node *node, struct target **out, struct error *err)
{
    struct database_use use = use_of(node);
    struct source *source = NULL;
    struct store_txn *txn = NULL;
    enum status status = node_source(node, &source, err);

    if (status == STATUS_OK && use.slot != NULL) {
        status = store_begin(node->store, TXN_READ, &txn, err);
        if (status == STATUS_OK)
            status = numbers_slot(txn, &node->slot, err);
        store_abort(txn);
    }
    if (status == STATUS_OK && node->target == NULL)
        status = node->database->ops->open_target(node->database, &use, source,
                                                  &node->target, err);
    *out = node->target;
    return status;
}

/* ---- locks */

enum status node_lock(struct node *node, bool import, struct error *err)
{
    enum status status = store_lock(node->store, LOCK_CAPTURE, err);

    if (status != STATUS_OK)
        return status;
    if (import)
        status = store_lock(node->store, LOCK_IMPORT, err);
    if (status != STATUS_OK) {
        store_unlock(node->store, LOCK_CAPTURE);
        return status;
    }
    status = store_lock(node->store, LOCK_APPLY, err);
    if (status != STATUS_OK) {
        if (import)
            store_unlock(node->store, LOCK_IMPORT);
        store_unlock(node->store, LOCK_CAPTURE);
    }
    return status;
}

void node_unlock(struct node *node, bool import)
{
    store_unlock(node->store, LOCK_APPLY);
    if (import)
        store_unlock(node->store, LOCK_IMPORT);
    store_unlock(node->store, LOCK_CAPTURE);
}

/* ---- the two halves */

/* told: and say which can't be kept. */
static enum status keep_numbers(struct node *node, bool told, struct error *err)
{
    struct numbers numbers = {
        .database = node->sqlite,
        .postgres = database_postgres(node->database),
        .store = node->store,
        .config = &node->config,
        .notice = told ? node->notice : NULL,
        .notice_data = node->notice_data,
    };

    return numbers_keep(&numbers, err);
}

enum status node_capture_locked(struct node *node, struct capture_counts *counts,
                                struct error *err)
{
    struct source *source = NULL;
    enum status status = node_source(node, &source, err);

    if (status == STATUS_OK && node->database->ops->take_tables != NULL)
        status = node->database->ops->take_tables(node->database, source, node->notice,
                                                  node->notice_data, counts, err);
    if (status == STATUS_OK)
        status = source->ops->capture(source, counts, err);
    return status == STATUS_OK ? keep_numbers(node, true, err) : status;
}

/* What triggers wrote to other rows than those that came is a local write, of now. */
static enum status capture_triggers(struct node *node, struct target *target,
                                    struct apply_counts *counts, struct error *err)
{
    struct capture_counts captured = {0};
    enum status status;

    sqlite_scan_forget(node->source); /* it went through this connection */
    status = node_capture_locked(node, &captured, err);
    if (status != STATUS_OK || captured.entries == 0)
        return status;
    counts->captured += captured.entries;
    return applier_run_once(target, counts, err);
}

enum status node_apply_locked(struct node *node, struct apply_counts *counts,
                              struct error *err)
{
    struct target *target = NULL;
    uint64_t kept = counts->kept, rows = counts->rows;
    enum status status = node_target(node, &target, err);

    if (status == STATUS_OK)
        status = applier_run_once(target, counts, err);
    if (counts->kept != kept &&
        node->sqlite != NULL) /* capture tells, if another node has the column too */
        sqlite_scan_forget(node->source);
    if (status == STATUS_OK && node->config.triggers == TRIGGERS_ON &&
        counts->rows != rows)
        status = capture_triggers(node, target, counts, err);
    if (status == STATUS_OK && node->sqlite == NULL) /* tables that joining has made */
        status = keep_numbers(node, false, err);
    return status;
}

/* Take the locks for one half; joining takes that of import too. */
static enum status begin_half(struct node *node, bool *import, struct error *err)
{
    struct join_plan plan;
    uint64_t conflicts = 0;
    enum status status = join_recall(node->store, &plan, err);

    if (status != STATUS_OK)
        return status;
    *import = plan.pending;
    status = node_lock(node, *import, err);
    if (status != STATUS_OK)
        return status;
    status = join_finish(node, &conflicts, err);
    if (status == STATUS_OK)
        status = node_say_rules(node->database, &node->config.rules, node->notice,
                                node->notice_data, err);
    if (status != STATUS_OK)
        node_unlock(node, *import);
    return status;
}

enum status node_capture(struct node *node, struct capture_counts *counts,
                         struct error *err)
{
    bool import = false;
    enum status status;

    *counts = (struct capture_counts){0};
    status = begin_half(node, &import, err);
    if (status != STATUS_OK)
        return status;
    status = node_capture_locked(node, counts, err);
    node_unlock(node, import);
    return status;
}

enum status node_capture_changesets(struct node *node, const char *const *paths,
                                    size_t count, struct capture_counts *counts,
                                    struct error *err)
{
    struct source *source = NULL;
    bool import = false;
    enum status status;

    *counts = (struct capture_counts){0};
    status = begin_half(node, &import, err);
    if (status != STATUS_OK)
        return status;
    status = node_check_sqlite(node, "capture --changeset", err);
    if (status == STATUS_OK)
        status = node_source(node, &source, err);
    if (status == STATUS_OK)
        status = sqlite_scan_changesets(source, paths, count, node->notice,
                                        node->notice_data, counts, err);
    node_unlock(node, import);
    return status;
}

enum status node_apply(struct node *node, struct apply_counts *counts, struct error *err)
{
    bool import = false;
    enum status status;

    *counts = (struct apply_counts){0};
    status = begin_half(node, &import, err);
    if (status != STATUS_OK)
        return status;
    status = node_apply_locked(node, counts, err);
    node_unlock(node, import);
    return status;
}

/* ---- comparing */

enum status node_diff(struct node *node, const char *path, diff_row_cb visit, void *data,
                      struct diff_counts *counts, struct error *err)
{
    struct diff_options options = {
        .foreign_keys = node->foreign_keys,
        .triggers = node->config.triggers,
        .rules = &node->config.rules,
        .other = path != NULL,
    };
    struct database *database = node->database;
    struct join_plan plan;
    enum status status = join_recall(node->store, &plan, err);

    if (status == STATUS_OK && plan.pending && path == NULL)
        return meeting_diff(node, visit, data, counts, err);
    if (status == STATUS_OK && plan.pending)
        return error_set(err, STATUS_REFUSED,
                         "this node has not joined its fleet yet: sync first");
    if (status == STATUS_OK && path != NULL)
        status = database_sqlite_open(&database, path, DATABASE_READ, err);
    assert(status != STATUS_OK || database != NULL);
    if (status == STATUS_OK)
        status = diff_database(node->store, database, &options, visit, data, counts, err);
    if (path != NULL)
        database_close(database);
    return status;
}
