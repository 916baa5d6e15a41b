#include "apply/items.h"

#include "apply/sqlite_sql.h"

#include <assert.h>
#include <stdlib.h>

struct items {
    struct sqlite_database *database;
    sqlite3_stmt *put, *remove, *find, *clear, *all;
    struct buffer version;
    bool any;
};

static const char make_sql[] =
    "CREATE TEMP TABLE IF NOT EXISTS rowferry_item (tbl INTEGER, \"key\" BLOB, kind "
    "INTEGER,"
    " beyond INTEGER, absent INTEGER, version BLOB, since INTEGER, message BLOB, image "
    "BLOB,"
    " definition INTEGER, origin INTEGER, seq INTEGER, place INTEGER, PRIMARY KEY (tbl, "
    "\"key\")) WITHOUT ROWID";

enum status items_open(struct items **out, struct sqlite_database *database,
                       struct error *err)
{
    struct items *items = calloc(1, sizeof *items);
    enum status status;

    *out = NULL;
    if (items == NULL)
        return error_set(err, STATUS_NO_MEMORY, "batch: out of memory");
    items->database = database;
    status = sqlite_execute(database, make_sql, err);
    if (status == STATUS_OK) {
        status =
            sqlite_prepare(database,
                           "INSERT OR REPLACE INTO temp.rowferry_item VALUES"
                           " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                           &items->put, err);
    }
    if (status == STATUS_OK) {
        status = sqlite_prepare(
            database, "DELETE FROM temp.rowferry_item WHERE tbl = ?1 AND \"key\" = ?2",
            &items->remove, err);
    }
    if (status == STATUS_OK) {
        status = sqlite_prepare(
            database,
            "SELECT kind, beyond FROM temp.rowferry_item WHERE tbl = ?1 AND \"key\" = ?2",
            &items->find, err);
    }
    if (status == STATUS_OK)
        status = sqlite_prepare(database, "DELETE FROM temp.rowferry_item", &items->clear,
                                err);
    if (status == STATUS_OK) {
        status = sqlite_prepare(
            database,
            "SELECT tbl, \"key\", kind, absent, version, since, message,"
            " image, definition, origin, seq, place FROM temp.rowferry_item",
            &items->all, err);
    }
    if (status == STATUS_OK)
        status = items_clear(items, err);
    if (status != STATUS_OK) {
        items_close(items);
        return status;
    }
    *out = items;
    return STATUS_OK;
}

void items_close(struct items *items)
{
    if (items == NULL)
        return;
    (void)sqlite3_finalize(items->put);
    (void)sqlite3_finalize(items->remove);
    (void)sqlite3_finalize(items->find);
    (void)sqlite3_finalize(items->clear);
    (void)sqlite3_finalize(items->all);
    buffer_release(&items->version);
    free(items);
}

enum status items_clear(struct items *items, struct error *err)
{
    items->any = false;
    return sql_run(items->database, items->clear, "clear the batch", err);
}

bool items_any(const struct items *items)
{
    return items->any;
}

static void bind_row(sqlite3_stmt *statement, uint32_t table, struct bytes key)
{
    (void)sqlite3_bind_int64(statement, 1, table);
    sql_bind_bytes(statement, 2, key);
}

enum status items_put(struct items *items, const struct intent_item *item, bool beyond,
                      struct error *err)
{
    enum status status;

    assert(item->kind != INTENT_PARKED);
    buffer_clear(&items->version);
    version_put(&items->version, &item->quarantined.version);
    status = buffer_check(&items->version, err);
    if (status != STATUS_OK)
        return status;
    bind_row(items->put, item->table, item->key);
    (void)sqlite3_bind_int(items->put, 3, (int)item->kind);
    (void)sqlite3_bind_int(items->put, 4, beyond);
    (void)sqlite3_bind_int(items->put, 5, item->absent);
    sql_bind_bytes(items->put, 6, buffer_view(&items->version));
    (void)sqlite3_bind_int64(items->put, 7, (sqlite3_int64)item->quarantined.since_us);
    sql_bind_bytes(items->put, 8, item->quarantined.message);
    sql_bind_bytes(items->put, 9, item->image);
    (void)sqlite3_bind_int64(items->put, 10, item->definition);
    (void)sqlite3_bind_int64(items->put, 11, (sqlite3_int64)item->definition_origin);
    (void)sqlite3_bind_int64(items->put, 12, (sqlite3_int64)item->place.seq);
    (void)sqlite3_bind_int64(items->put, 13, item->place.index);
    items->any = true;
    return sql_run(items->database, items->put, "note a row", err);
}

enum status items_remove(struct items *items, uint32_t table, struct bytes key,
                         struct error *err)
{
    bind_row(items->remove, table, key);
    return sql_run(items->database, items->remove, "note a row", err);
}

enum status items_find(struct items *items, uint32_t table, struct bytes key,
                       enum intent_item_kind *kind, bool *beyond, struct error *err)
{
    enum status status = STATUS_NOT_FOUND;
    int rc;

    if (!items->any)
        return STATUS_NOT_FOUND;
    bind_row(items->find, table, key);
    rc = sqlite3_step(items->find);
    if (rc == SQLITE_ROW) {
        *kind = (enum intent_item_kind)sqlite3_column_int(items->find, 0);
        *beyond = sqlite3_column_int(items->find, 1) != 0;
        status = STATUS_OK;
    } else if (rc != SQLITE_DONE) {
        status = sqlite_failed(items->database, "batch", err);
    }
    (void)sqlite3_reset(items->find);
    return status;
}

static enum status take(sqlite3_stmt *all, struct intent_item *out, struct error *err)
{
    struct bytes version = sql_column_bytes(all, 4);

    *out = (struct intent_item){
        .table = (uint32_t)sqlite3_column_int64(all, 0),
        .key = sql_column_bytes(all, 1),
        .kind = (enum intent_item_kind)sqlite3_column_int(all, 2),
        .absent = sqlite3_column_int(all, 3) != 0,
        .image = sql_column_bytes(all, 7),
        .definition = (uint32_t)sqlite3_column_int64(all, 8),
        .definition_origin = (uint64_t)sqlite3_column_int64(all, 9),
        .place = {(uint64_t)sqlite3_column_int64(all,             10),
                  (uint32_t)sqlite3_column_int64(all, 11)},
        .quarantined = {.since_us = (uint64_t)sqlite3_column_int64(all, 5),
                  .message = sql_column_bytes(all,    6) },
    };
    out->quarantined.key = out->key;
    return version_take(&version, &out->quarantined.version)
               ? STATUS_OK
               : error_set(err, STATUS_CORRUPT, "batch: a note does not decode");
}

enum status items_write(struct items *items, struct intent_writer *writer,
                        struct error *err)
{
    enum status status = STATUS_OK;
    int rc = SQLITE_DONE;

    while (items->any && status == STATUS_OK &&
           (rc = sqlite3_step(items->all)) == SQLITE_ROW) {
        struct intent_item item;

        status = take(items->all, &item, err);
        if (status == STATUS_OK)
            status = intent_writer_add(writer, &item, err);
    }
    if (status == STATUS_OK && rc != SQLITE_DONE)
        status = sqlite_failed(items->database, "batch", err);
    (void)sqlite3_reset(items->all);
    return status;
}
