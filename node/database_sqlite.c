/* A node's database where it is one of SQLite's: one connection, which source and target
 * share. */
#include "node/database.h"

#include "apply/sqlite_triggers.h"
#include "capture/sqlite_scan.h"
#include "engine/sqlite_catalog.h"
#include "engine/sqlite_dangling.h"
#include "node/node_private.h"
#include "node/own_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct sqlite_house {
    struct database database;
    struct sqlite_database *sqlite;
    struct sqlite_state before;  /* what was there when it was claimed, */
    bool claimed;                /* if it was */
    struct sqlite_own_write own; /* of the transaction in which it enters */
    struct source *source;       /* a view: that the target was opened with */
    enum trigger_mode triggers;
};

static struct sqlite_house *house_of(struct database *database)
{
    assert(database->kind == DATABASE_SQLITE);
    return (struct sqlite_house *)database; /* its first member */
}

struct sqlite_database *database_sqlite(struct database *database)
{
    return database != NULL && database->kind == DATABASE_SQLITE
               ? house_of(database)->sqlite
               : NULL;
}

static void close_house(struct database *database)
{
    struct sqlite_house *house = house_of(database);

    sqlite_database_close(house->sqlite);
    free(house);
}

/* ---- whose it is */

static enum status owner(struct database *database, uint64_t *node, struct error *err)
{
    struct sqlite_state state;
    enum status status = sqlite_state_read(house_of(database)->sqlite, &state, err);

    *node = status == STATUS_OK ? state.store : 0;
    return status;
}

static enum status claim(struct database *database, struct store *store,
                         struct error *err)
{
    struct sqlite_house *house = house_of(database);
    const struct identity *identity = store_identity(store);
    struct sqlite_state state = {
        .store = identity->node,
        .incarnation = identity->incarnation,
    };
    struct sqlite_own_write own = {0};
    enum status status = sqlite_state_read(house->sqlite, &house->before, err);

    house->claimed = status == STATUS_OK;
    if (status == STATUS_OK)
        status = own_state_begin(house->sqlite, store, &own, err);
    if (status == STATUS_OK)
        status = own_state_commit(house->sqlite, store, &own, &state, err);
    sqlite_rollback(house->sqlite);
    return status;
}

static enum status unclaim(struct database *database, struct error *err)
{
    struct sqlite_house *house = house_of(database);
    enum status status;

    if (!house->claimed)
        return STATUS_OK;
    status = sqlite_begin_write(house->sqlite, err);
    if (status == STATUS_OK && house->before.store != 0)
        status = sqlite_state_write(house->sqlite, &house->before, err);
    else if (status == STATUS_OK)
        status =
            sqlite_execute(house->sqlite, "DROP TABLE IF EXISTS rowferry_state", err);
    if (status == STATUS_OK)
        status = sqlite_commit(house->sqlite, err);
    sqlite_rollback(house->sqlite);
    return status;
}

/* ---- what it holds */

static enum status begin_read(struct database *database, struct error *err)
{
    return sqlite_begin_read(house_of(database)->sqlite, err);
}

static void rollback(struct database *database)
{
    sqlite_rollback(house_of(database)->sqlite);
}

static enum status read_catalog(struct database *database,
                                const struct table_rules *rules, struct store_txn *txn,
                                struct catalog *out, struct error *err)
{
    return sqlite_catalog_read(house_of(database)->sqlite, rules, txn, out, err);
}

static enum status read_outsiders(struct database *database,
                                  const struct catalog *catalog, struct outsiders *out,
                                  struct error *err)
{
    return sqlite_outsiders_read(house_of(database)->sqlite, catalog, out, err);
}

static enum status find_broken(struct database *database, const struct catalog *catalog,
                               char **why, struct error *err)
{
    return sqlite_foreign_keys_broken(house_of(database)->sqlite, catalog, why, err);
}

static enum status find_silent(struct database *database, const struct catalog *catalog,
                               enum trigger_mode mode, bool *silent, struct error *err)
{
    return sqlite_triggers_silent(house_of(database)->sqlite, catalog, mode, silent, err);
}

static enum status has_table(struct database *database, const char *table, bool views,
                             bool *has, struct error *err)
{
    return sqlite_has_table(house_of(database)->sqlite, table, views, has, err);
}

static enum status count_statement(struct sqlite_database *sqlite,
                                   const struct definition *definition,
                                   sqlite3_stmt **out, struct error *err)
{
    struct buffer sql = {0};
    const char *link = " WHERE ";
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("SELECT count(*) FROM main."));
    sqlite_put_quoted(&sql, definition->local_name);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].key_position == 0)
            continue;
        buffer_put_bytes(&sql, bytes_of_text(link));
        sqlite_put_quoted(&sql, definition->columns[i].name);
        buffer_put_bytes(&sql, bytes_of_text(" IS NOT NULL"));
        link = " AND ";
    }
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = sqlite_prepare(sqlite, (const char *)sql.data, out, err);
    buffer_release(&sql);
    return status;
}

static enum status count_rows(struct database *database,
                              const struct definition *definition, uint64_t *count,
                              struct error *err)
{
    struct sqlite_database *sqlite = house_of(database)->sqlite;
    sqlite3_stmt *statement = NULL;
    enum status status = count_statement(sqlite, definition, &statement, err);

    if (status == STATUS_OK) {
        if (sqlite3_step(statement) == SQLITE_ROW)
            *count = (uint64_t)sqlite3_column_int64(statement, 0);
        else
            status = sqlite_failed(sqlite, definition->local_name, err);
    }
    (void)sqlite3_finalize(statement);
    return status;
}

static enum status create_table(struct database *database,
                                const struct definition *definition, struct error *err)
{
    struct sqlite_database *sqlite = house_of(database)->sqlite;
    struct error why;
    enum status made, status = sqlite_execute(sqlite, "SAVEPOINT making", err);

    if (status != STATUS_OK)
        return status;
    made = sqlite_create_table(sqlite, definition, err);
    if (made != STATUS_OK && made != STATUS_NOT_FOUND)
        return made;
    why = *err;
    if (made == STATUS_NOT_FOUND)
        status = sqlite_execute(sqlite, "ROLLBACK TO making", err);
    if (status == STATUS_OK)
        status = sqlite_execute(sqlite, "RELEASE making", err);
    if (status != STATUS_OK)
        return status;
    *err = why;
    return made;
}

struct listener {
    database_notice_cb notice;
    void *data;
};

static void say_left_out(void *data, const char *trigger, const char *table,
                         const char *why)
{
    const struct listener *listener = data;
    char *line = NULL;

    if (listener->notice == NULL ||
        asprintf(&line,
                 "trigger %s of table %s is left out, since every write that it fires "
                 "on would fail: %s; make what it lacks here, then the trigger as the "
                 "fleet has it",
                 trigger, table, why) < 0)
        return;
    listener->notice(listener->data, line);
    free(line);
}

static enum status finish_tables(struct database *database,
                                 const struct definition *const *definitions,
                                 uint32_t count, database_notice_cb notice, void *data,
                                 struct error *err)
{
    struct listener listener = {notice, data};

    return sqlite_dangling_drop(house_of(database)->sqlite, definitions, count,
                                say_left_out, &listener, err);
}

/* ---- joining */

static enum status begin_enter(struct database *database, struct store *store,
                               bool take_over, bool *entered, struct error *err)
{
    struct sqlite_house *house = house_of(database);
    uint64_t node = store_identity(store)->node;
    struct sqlite_state state = {0};
    enum status status;

    house->own = (struct sqlite_own_write){0};
    status = own_state_begin(house->sqlite, store, &house->own, err);
    if (status == STATUS_OK)
        status = sqlite_state_read(house->sqlite, &state, err);
    if (status == STATUS_OK && !take_over)
        status = node_check_owner(node, database->name, state.store, err);
    *entered = status == STATUS_OK && state.store == node;
    if (*entered)
        sqlite_rollback(house->sqlite);
    return status;
}

static enum status end_enter(struct database *database, struct store *store,
                             struct error *err)
{
    struct sqlite_house *house = house_of(database);
    struct sqlite_state state = {
        .store = store_identity(store)->node,
        .incarnation = store_identity(store)->incarnation,
    };

    return own_state_commit(house->sqlite, store, &house->own, &state, err);
}

static enum status version(struct database *database, int64_t *out, struct error *err)
{
    return sqlite_data_version(house_of(database)->sqlite, out, err);
}

/* ---- source and target */

static enum status open_source(struct database *database, const struct database_use *use,
                               struct source **out, struct error *err)
{
    struct sqlite_scan_options options = {
        .rules = &use->config->rules,
        .rows = use->rows,
        .foreign_keys = use->foreign_keys,
    };

    return sqlite_scan_open(out, house_of(database)->sqlite, use->store, &options, err);
}

/* The applier's view of capture: apply/ and capture/ do not know each other. */
static enum status capture_for_target(void *data, bool *logged, struct error *err)
{
    struct sqlite_house *house = data;
    enum status status;

    assert(house->source != NULL);
    status = sqlite_scan_locked(house->source, logged, err);
    /* What triggers write in the batch is a local write, through this connection. */
    if (house->triggers == TRIGGERS_ON)
        sqlite_scan_forget(house->source);
    return status;
}

static enum status open_target(struct database *database, const struct database_use *use,
                               struct source *source, struct target **out,
                               struct error *err)
{
    struct sqlite_house *house = house_of(database);
    struct sqlite_target_options options = {
        .capture = capture_for_target,
        .capture_data = house,
        .foreign_keys = use->foreign_keys,
        .batch_changes_max = use->config->batch,
        .triggers = use->config->triggers,
        .rules = &use->config->rules,
        .slot = use->slot,
    };

    house->source = source;
    house->triggers = use->config->triggers;
    return sqlite_target_open(out, house->sqlite, use->store, &options, err);
}

static const struct database_ops sqlite_ops = {
    .close = close_house,
    .owner = owner,
    .claim = claim,
    .unclaim = unclaim,
    .begin_read = begin_read,
    .rollback = rollback,
    .read_catalog = read_catalog,
    .read_outsiders = read_outsiders,
    .find_broken = find_broken,
    .find_silent = find_silent,
    .has_table = has_table,
    .count_rows = count_rows,
    .create_table = create_table,
    .finish_tables = finish_tables,
    .begin_enter = begin_enter,
    .end_enter = end_enter,
    .version = version,
    .open_source = open_source,
    .open_target = open_target,
};

enum status database_sqlite_open(struct database **out, const char *path,
                                 enum database_mode mode, struct error *err)
{
    struct sqlite_house *house = calloc(1, sizeof *house);
    enum status status;

    *out = NULL;
    if (house == NULL)
        return error_set(err, STATUS_NO_MEMORY, "open database: out of memory");
    house->database.ops = &sqlite_ops;
    house->database.kind = DATABASE_SQLITE;
    status = sqlite_database_open(&house->sqlite, path,
                                  mode == DATABASE_CREATE ? SQLITE_DATABASE_CREATE
                                  : mode == DATABASE_READ ? SQLITE_DATABASE_READ
                                                          : SQLITE_DATABASE_WRITE,
                                  SQLITE_BUSY_MS_DEFAULT, err);
    if (status != STATUS_OK) {
        free(house);
        return status;
    }
    house->database.name = sqlite_database_path(house->sqlite);
    *out = &house->database;
    return STATUS_OK;
}
