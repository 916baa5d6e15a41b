#include "node/write_back.h"

#include "capture/sqlite_scan.h"
#include "engine/sqlite_catalog.h"
#include "engine/sqlite_settle.h"
#include "engine/sqlite_stored.h"
#include "node/node_private.h"
#include "node/own_state.h"

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

/* The whole database's lock. */
static enum status begin(struct write_back *back, struct error *err)
{
    struct node *node = back->node;
    enum status status = obey_schema(node, true, err);

    if (status == STATUS_OK)
        status = sqlite_settle_begin(node->sqlite, node->store, SQLITE_SETTLE_WRITE,
                                     &back->state, err);
    /* What somebody wrote in between is a write of theirs, not a part of ours. */
    return status == STATUS_OK ? sqlite_scan_locked(back->source, &back->logged, err)
                               : status;
}

static enum status read_catalog(struct write_back *back, struct error *err)
{
    return sqlite_catalog_read(back->node->sqlite, &back->node->config.rules, back->txn,
                               &back->catalog, err);
}

static enum status open_table(struct write_back *back, struct error *err)
{
    return sqlite_writer_open(&back->writer, back->node->sqlite, back->table.definition,
                              true, err);
}

static void end(struct write_back *back)
{
    struct error ignored;

    sqlite_writer_close(back->writer);
    back->writer = NULL;
    sqlite_rollback(back->node->sqlite);
    (void)obey_schema(back->node, false, &ignored);
}

/* ---- the row at hand */

static enum status map(struct write_back *back, const struct definition *from,
                       struct bytes image, struct bytes key, enum write_result *result,
                       struct error *err)
{
    return sqlite_writer_map(back->writer, from, image, key, result, err);
}

static enum status put_key(struct write_back *back, const struct definition *from,
                           struct bytes key, enum write_result *result, struct error *err)
{
    return sqlite_writer_key(back->writer, from, key, result, err);
}

static struct value *values(struct write_back *back)
{
    return sqlite_writer_values(back->writer);
}

static enum status find(struct write_back *back, bool *found, struct error *err)
{
    return sqlite_writer_find(back->writer, found, err);
}

static enum status put_image(struct write_back *back, struct buffer *image,
                             struct error *err)
{
    return sqlite_writer_complete(back->writer, image, err);
}

static enum status insert(struct write_back *back, enum write_result *result,
                          struct error *err)
{
    return sqlite_writer_insert(back->writer, SCHEMA_MAIN, result, err);
}

static enum status update(struct write_back *back, struct bytes key, bool *differs,
                          enum write_result *result, struct error *err)
{
    enum status status = sqlite_writer_differ_present(back->writer, differs, err);

    (void)key;
    return status == STATUS_OK && *differs
               ? sqlite_writer_update(back->writer, result, err)
               : status;
}

static enum status take_away(struct write_back *back, enum write_result *result,
                             struct error *err)
{
    return sqlite_writer_delete(back->writer, result, err);
}

static enum status open_stored(struct write_back *back, struct stored **out,
                               struct error *err)
{
    return sqlite_stored_open(out, back->node->sqlite, back->table.definition, err);
}

/* The largest number that the key column has, and that AUTOINCREMENT has given. */
static enum status largest_number(struct write_back *back, const struct column *column,
                                  int64_t *largest, struct error *err)
{
    struct sqlite_database *database = back->node->sqlite;
    const char *table = back->table.definition->local_name;
    static const char has_sequence[] =
        "SELECT count(*) FROM main.sqlite_schema WHERE name = 'sqlite_sequence'";
    int64_t counts = 0, given = 0;
    char *sql = sqlite3_mprintf("SELECT coalesce(max(\"%w\"), 0) FROM main.\"%w\""
                                " WHERE typeof(\"%w\") = 'integer'",
                                column->name, table, column->name);
    char *sequence = sqlite3_mprintf("SELECT coalesce(max(seq), 0) FROM"
                                     " main.sqlite_sequence WHERE name = %Q",
                                     table);
    enum status status = STATUS_OK;

    if (sql == NULL || sequence == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "keep both: out of memory");
    if (status == STATUS_OK)
        status = sqlite_number(database, sql, largest, err);
    if (status == STATUS_OK)
        status = sqlite_number(database, has_sequence, &counts, err);
    if (status == STATUS_OK && counts > 0)
        status = sqlite_number(database, sequence, &given, err);
    sqlite3_free(sequence);
    sqlite3_free(sql);
    if (status == STATUS_OK && given > *largest)
        *largest = given;
    return status;
}

static enum status next_number(struct write_back *back, const struct column *column,
                               int64_t *number, struct error *err)
{
    enum status status =
        *number == 0 ? largest_number(back, column, number, err) : STATUS_OK;

    if (status != STATUS_OK)
        return status;
    if (*number == INT64_MAX) {
        return error_set(err, STATUS_REFUSED,
                         "%s has used up its numbers: say by --key which one the row "
                         "shall have",
                         back->table.definition->name);
    }
    ++*number;
    return STATUS_OK;
}

/* ---- the end */

/* What was captured under the lock raises the counter in this very transaction. */
static enum status commit_transaction(struct write_back *back, struct error *err)
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

static enum status commit(struct write_back *back, const char *note,
                          struct capture_counts *counts, bool *committed,
                          struct error *err)
{
    enum status status = commit_transaction(back, err);

    if (status == STATUS_OK)
        status = obey_schema(back->node, false, err);
    if (status != STATUS_OK)
        return status;
    *committed = true;
    sqlite_scan_forget(back->source);
    sqlite_scan_note(back->source, note);
    status = node_capture_locked(back->node, counts, err);
    sqlite_scan_note(back->source, NULL);
    return status;
}

static enum status say(struct write_back *back, struct error *err)
{
    return sqlite_own_write_before(back->node->sqlite, back->txn, &back->own, err);
}

static enum status said(struct write_back *back, struct error *err)
{
    struct sqlite_state state = back->state;

    state.counter++;
    return own_state_commit(back->node->sqlite, back->node->store, &back->own, &state,
                            err);
}

const struct write_back_ops write_back_sqlite_ops = {
    .begin = begin,
    .read_catalog = read_catalog,
    .open_table = open_table,
    .end = end,
    .map = map,
    .key = put_key,
    .values = values,
    .find = find,
    .image = put_image,
    .insert = insert,
    .update = update,
    .remove = take_away,
    .open_stored = open_stored,
    .next_number = next_number,
    .commit = commit,
    .say = say,
    .said = said,
};
