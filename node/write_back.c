#include "node/write_back.h"

#include "capture/sqlite_scan.h"
#include "engine/sqlite_catalog.h"
#include "engine/sqlite_settle.h"
#include "node/node_private.h"

#include <string.h>

enum status write_back_lock(struct node *node, struct error *err)
{
    struct join_plan plan;
    enum status status = join_recall(node->store, &plan, err);

    if (status == STATUS_OK && plan.pending)
        return error_set(err, STATUS_REFUSED,
                         "this node has not joined its fleet yet: sync first");
    return status == STATUS_OK ? node_lock(node, false, err) : status;
}

void write_back_unlock(struct node *node)
{
    node_unlock(node, false);
}

/* ---- the transaction */

/* As an application's connection has it, or as rowferry's has. */
static enum status obey_schema(struct node *node, bool obey, struct error *err)
{
    (void)sqlite3_db_config(sqlite_database_handle(node->sqlite),
                            SQLITE_DBCONFIG_ENABLE_TRIGGER, obey ? 1 : 0, NULL);
    return sqlite_execute(node->sqlite,
                          obey && node->foreign_keys ? "PRAGMA foreign_keys = ON"
                                                     : "PRAGMA foreign_keys = OFF",
                          err);
}

enum status write_back_bring_up(struct node *node, struct write_back_counts *counts,
                                struct error *err)
{
    enum status status = node_capture_locked(node, &counts->captured, err);

    return status == STATUS_OK ? node_apply_locked(node, &counts->applied, err) : status;
}

enum status write_back_begin(struct write_back *back, struct node *node,
                             struct write_back_counts *counts, struct error *err)
{
    enum status status;

    *back = (struct write_back){.node = node};
    status = node_check_sqlite(node, "this command", err);
    if (status != STATUS_OK)
        return status;
    status = write_back_bring_up(node, counts, err);
    if (status == STATUS_OK)
        status = node_source(node, &back->source, err);
    if (status == STATUS_OK)
        status = obey_schema(node, true, err);
    if (status == STATUS_OK)
        status = sqlite_settle_begin(node->sqlite, node->store, SQLITE_SETTLE_WRITE,
                                     &back->state, err);
    /* What somebody wrote in between is a write of theirs, not a part of ours. */
    if (status == STATUS_OK)
        status = sqlite_scan_locked(back->source, &back->logged, err);
    return status == STATUS_OK ? store_begin(node->store, TXN_READ, &back->txn, err)
                               : status;
}

static enum status refuse_table(const struct write_back *back, const char *name,
                                struct error *err)
{
    for (size_t i = 0; i < back->catalog.skipped_count; i++) {
        if (strcmp(back->catalog.skipped[i].name, name) == 0)
            return error_set(err, STATUS_REFUSED, "%s is not replicated here: %s", name,
                             back->catalog.skipped[i].why);
    }
    return error_set(err, STATUS_REFUSED,
                     "this database has no table %s, or leaves it out", name);
}

enum status write_back_table(struct write_back *back, uint32_t id, struct error *err)
{
    struct node *node = back->node;
    const char *name = NULL, *local = NULL;
    bool here = false;
    enum status status = tables_name(back->txn, id, &name, err);

    if (status == STATUS_OK)
        status = sqlite_catalog_read(node->sqlite, &node->config.rules, back->txn,
                                     &back->catalog, err);
    for (size_t i = 0; status == STATUS_OK && i < back->catalog.count && !here; i++) {
        here = strcmp(back->catalog.definitions[i]->name, name) == 0;
        local = here ? back->catalog.definitions[i]->local_name : local;
    }
    if (status == STATUS_OK && !here)
        return refuse_table(back, name, err);
    if (status == STATUS_OK &&
        table_rules_direction(&node->config.rules, local) == TABLE_IN) {
        return error_set(
            err, STATUS_REFUSED,
            "%s: this node only takes it (direction = in): decide on another "
            "node",
            name);
    }
    if (status == STATUS_OK)
        status = tables_newest(back->txn, store_identity(node->store)->node, id,
                               &back->table, err);
    return status == STATUS_OK ? sqlite_writer_open(&back->writer, node->sqlite,
                                                    back->table.definition, true, err)
                               : status;
}

enum status write_back_check(enum write_result result, struct error *err)
{
    struct error why = *err;

    return result == WRITE_DONE ? STATUS_OK
                                : error_set(err, STATUS_REFUSED,
                                            "the database refuses it, nothing was "
                                            "changed: %s",
                                            why.text);
}

static void end_reading(struct write_back *back)
{
    store_abort(back->txn);
    back->txn = NULL;
}

/* What was captured under the lock raises the counter in this very transaction. */
static enum status commit(struct write_back *back, struct error *err)
{
    struct sqlite_database *database = back->node->sqlite;
    enum status status = STATUS_OK;

    if (back->logged) {
        back->state.counter++;
        status = sqlite_state_write(database, &back->state, err);
    }
    if (status == STATUS_OK)
        status = sqlite_commit(database, err);
    return status == STATUS_CONSTRAINT ? write_back_check(WRITE_REFUSED, err) : status;
}

static enum status find_seq(struct write_back *back, struct bytes key, uint64_t *seq,
                            struct error *err)
{
    struct row row = {0};
    enum status status = store_begin(back->node->store, TXN_READ, &back->txn, err);

    if (status == STATUS_OK)
        status = rows_get(back->txn, back->table.id, key, &row, err);
    if (status == STATUS_NOT_FOUND)
        status = error_set(err, STATUS_IO, "the row is not in the log");
    *seq = row.last.seq;
    end_reading(back);
    return status;
}

enum status write_back_commit(struct write_back *back, const char *note, struct bytes key,
                              struct write_back_counts *counts, uint64_t *seq,
                              struct error *err)
{
    struct node *node = back->node;
    enum status status;

    end_reading(back);
    status = commit(back, err);
    if (status == STATUS_OK)
        status = obey_schema(node, false, err);
    if (status != STATUS_OK)
        return status;
    sqlite_scan_forget(back->source);
    sqlite_scan_note(back->source, note);
    status = node_capture_locked(node, &counts->captured, err);
    sqlite_scan_note(back->source, NULL);
    if (status == STATUS_OK)
        status = find_seq(back, key, seq, err);
    if (status != STATUS_OK) {
        return error_wrap(err, status,
                          "the row is written, but not in the log yet (the next capture "
                          "takes it)");
    }
    return node_apply_locked(node, &counts->applied, err);
}

void write_back_end(struct write_back *back)
{
    struct error ignored;

    end_reading(back);
    sqlite_writer_close(back->writer);
    back->writer = NULL;
    catalog_release(&back->catalog);
    sqlite_rollback(back->node->sqlite);
    (void)obey_schema(back->node, false, &ignored);
}
