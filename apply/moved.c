#include "apply/moved.h"

#include "apply/sqlite_sql.h"

#include <assert.h>
#include <stdlib.h>

enum { BORN_SIZE = 28 };

struct moved {
    struct sqlite_database *database;
    sqlite3_stmt *add, *set, *find, *queued, *after, *clear, *clear_suspects;
    sqlite3_stmt *suspect_add, *suspect_after, *suspect_remove;
    struct buffer views; /* what the last row or suspect points into */
    bool any;
    bool any_suspects;
};

static const char make_sql[] =
    "CREATE TEMP TABLE IF NOT EXISTS rowferry_moved (id INTEGER PRIMARY KEY, tbl INTEGER,"
    " \"key\" BLOB, grp INTEGER, born BLOB, origin INTEGER, was INTEGER, state INTEGER,"
    " kind INTEGER, cons BLOB, blocker INTEGER, blocker_key BLOB,"
    " kind_before INTEGER, since INTEGER, cons_before BLOB, blocker_before INTEGER,"
    " blocker_key_before BLOB, UNIQUE (tbl, \"key\"));"
    "CREATE INDEX IF NOT EXISTS temp.rowferry_queue ON rowferry_moved (grp, born)"
    " WHERE state = 0;"
    "CREATE TEMP TABLE IF NOT EXISTS rowferry_suspect (grp INTEGER, tbl INTEGER,"
    " \"key\" BLOB, PRIMARY KEY (grp, tbl, \"key\")) WITHOUT ROWID";

static const char row_sql[] =
    "SELECT id, tbl, \"key\", grp, born, origin, was, state, kind, cons, blocker,"
    " blocker_key, kind_before, since, cons_before, blocker_before, blocker_key_before"
    " FROM temp.rowferry_moved WHERE ";

static enum status prepare_row(struct moved *moved, const char *condition,
                               sqlite3_stmt **out, struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    sql_put(&sql, row_sql);
    sql_put(&sql, condition);
    status = sql_prepare(moved->database, &sql, out, err);
    buffer_release(&sql);
    return status;
}

static enum status prepare_all(struct moved *moved, struct error *err)
{
    const struct {
        sqlite3_stmt **statement;
        const char *sql;
    } plain[] = {
        {&moved->add,
         "INSERT INTO temp.rowferry_moved (tbl, \"key\", grp, born, origin, was, state, "
         "kind,"
         " kind_before, since, cons_before, blocker_before, blocker_key_before)"
         " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, ?7, ?8, ?9, ?10, ?11)"                          },
        {&moved->set,
         "UPDATE temp.rowferry_moved SET state = ?2, kind = ?3, cons = ?4, blocker = ?5,"
         " blocker_key = ?6 WHERE id = ?1"                                                       },
        {&moved->clear,          "DELETE FROM temp.rowferry_moved"                               },
        {&moved->clear_suspects, "DELETE FROM temp.rowferry_suspect"                             },
        {&moved->suspect_add,    "INSERT OR IGNORE INTO temp.rowferry_suspect"
                              " VALUES (?1, ?2, ?3)"                },
        {&moved->suspect_after,
         "SELECT tbl, \"key\" FROM temp.rowferry_suspect WHERE grp = ?1"
         " AND (tbl, \"key\") > (?2, ?3) ORDER BY tbl, \"key\" LIMIT 1"                          },
        {&moved->suspect_remove, "DELETE FROM temp.rowferry_suspect WHERE grp = ?1"
                                 " AND tbl = ?2 AND \"key\" = ?3"},
    };
    enum status status = STATUS_OK;

    for (size_t i = 0; i < sizeof plain / sizeof *plain && status == STATUS_OK; i++)
        status = sqlite_prepare(moved->database, plain[i].sql, plain[i].statement, err);
    if (status == STATUS_OK)
        status = prepare_row(moved, "tbl = ?1 AND \"key\" = ?2", &moved->find, err);
    if (status == STATUS_OK)
        status = prepare_row(moved, "grp = ?1 AND state = 0 ORDER BY born LIMIT 1",
                             &moved->queued, err);
    if (status == STATUS_OK)
        status = prepare_row(moved, "id > ?1 ORDER BY id LIMIT 1", &moved->after, err);
    return status;
}

enum status moved_open(struct moved **out, struct sqlite_database *database,
                       struct error *err)
{
    struct moved *moved = calloc(1, sizeof *moved);
    enum status status;

    *out = NULL;
    if (moved == NULL)
        return error_set(err, STATUS_NO_MEMORY, "parking: out of memory");
    moved->database = database;
    status = sqlite_execute(database, make_sql, err);
    if (status == STATUS_OK)
        status = prepare_all(moved, err);
    if (status == STATUS_OK)
        status = moved_clear(moved, err);
    if (status != STATUS_OK) {
        moved_close(moved);
        return status;
    }
    *out = moved;
    return STATUS_OK;
}

void moved_close(struct moved *moved)
{
    if (moved == NULL)
        return;
    (void)sqlite3_finalize(moved->add);
    (void)sqlite3_finalize(moved->set);
    (void)sqlite3_finalize(moved->find);
    (void)sqlite3_finalize(moved->queued);
    (void)sqlite3_finalize(moved->after);
    (void)sqlite3_finalize(moved->clear);
    (void)sqlite3_finalize(moved->clear_suspects);
    (void)sqlite3_finalize(moved->suspect_add);
    (void)sqlite3_finalize(moved->suspect_after);
    (void)sqlite3_finalize(moved->suspect_remove);
    buffer_release(&moved->views);
    free(moved);
}

enum status moved_clear(struct moved *moved, struct error *err)
{
    enum status status =
        sql_run(moved->database, moved->clear_suspects, "clear the batch", err);

    moved->any = false;
    moved->any_suspects = false;
    return status == STATUS_OK
               ? sql_run(moved->database, moved->clear, "clear the batch", err)
               : status;
}

bool moved_any(const struct moved *moved)
{
    return moved->any;
}

bool suspects_any(const struct moved *moved)
{
    return moved->any_suspects;
}

/* ---- rows */

/* A version as bytes that sort as it does. */
static void born_put(uint8_t out[BORN_SIZE], const struct version *born)
{
    out = bytes_put(out, born->stamp_us, 8);
    out = bytes_put(out, born->origin, 8);
    out = bytes_put(out, born->origin_seq, 8);
    bytes_put(out, born->place, 4);
}

static void born_take(struct bytes in, struct version *out)
{
    assert(in.size == BORN_SIZE);
    out->stamp_us = bytes_get(in.data, 8);
    out->origin = bytes_get(in.data + 8, 8);
    out->origin_seq = bytes_get(in.data + 16, 8);
    out->place = (uint32_t)bytes_get(in.data + 24, 4);
}

static void bind_parked(sqlite3_stmt *statement, int first, const struct parked *parked)
{
    sql_bind_bytes(statement, first, parked->constraint);
    (void)sqlite3_bind_int64(statement, first + 1, parked->blocker_table);
    sql_bind_bytes(statement, first + 2, parked->blocker_key);
}

enum status moved_add(struct moved *moved, struct moved_row *row, struct error *err)
{
    uint8_t born[BORN_SIZE];
    enum status status;

    born_put(born, &row->born);
    (void)sqlite3_bind_int64(moved->add, 1, row->table);
    sql_bind_bytes(moved->add, 2, row->key);
    (void)sqlite3_bind_int64(moved->add, 3, row->group);
    sql_bind_bytes(moved->add, 4, (struct bytes){born, sizeof born});
    (void)sqlite3_bind_int(moved->add, 5, (int)row->origin);
    (void)sqlite3_bind_int(moved->add, 6, (int)row->was);
    (void)sqlite3_bind_int(moved->add, 7, (int)row->before.kind);
    (void)sqlite3_bind_int64(moved->add, 8, (sqlite3_int64)row->before.since_us);
    bind_parked(moved->add, 9, &row->before);
    status = sql_run(moved->database, moved->add, "park a row", err);
    row->id = sqlite3_last_insert_rowid(sqlite_database_handle(moved->database));
    moved->any = true;
    return status;
}

enum status moved_set(struct moved *moved, int64_t id, enum moved_state state,
                      const struct parked *parked, struct error *err)
{
    static const struct parked none = {0};

    if (parked == NULL)
        parked = &none;
    (void)sqlite3_bind_int64(moved->set, 1, id);
    (void)sqlite3_bind_int(moved->set, 2, (int)state);
    (void)sqlite3_bind_int(moved->set, 3, (int)parked->kind);
    bind_parked(moved->set, 4, parked);
    return sql_run(moved->database, moved->set, "park a row", err);
}

/* Copy a column; the view is made when all are there, since the buffer may move. */
static size_t keep(struct moved *moved, sqlite3_stmt *statement, int column)
{
    struct bytes bytes = sql_column_bytes(statement, column);

    buffer_put_bytes(&moved->views, bytes);
    return bytes.size;
}

static struct bytes next_view(struct bytes *all, size_t size)
{
    struct bytes view = {all->data, size};

    all->data = size == 0 ? all->data : all->data + size;
    return view;
}

static enum status take(struct moved *moved, sqlite3_stmt *statement,
                        struct moved_row *out, struct error *err)
{
    static const int columns[] = {2, 9, 11, 14, 16};
    struct bytes *const views[] = {&out->key, &out->parked.constraint,
                                   &out->parked.blocker_key, &out->before.constraint,
                                   &out->before.blocker_key};
    size_t sizes[sizeof columns / sizeof *columns];
    struct bytes all;

    *out = (struct moved_row){
        .id = sqlite3_column_int64(statement, 0),
        .table = (uint32_t)sqlite3_column_int64(statement, 1),
        .group = (uint32_t)sqlite3_column_int64(statement, 3),
        .origin = (enum moved_origin)sqlite3_column_int(statement, 5),
        .was = (enum moved_was)sqlite3_column_int(statement, 6),
        .state = (enum moved_state)sqlite3_column_int(statement, 7),
        .parked = {.kind = (enum parked_kind)sqlite3_column_int(statement, 8),
                   .blocker_table = (uint32_t)sqlite3_column_int64(statement, 10)},
        .before = { .kind = (enum parked_kind)sqlite3_column_int(statement, 12),
                   .since_us = (uint64_t)sqlite3_column_int64(statement, 13),
                   .blocker_table = (uint32_t)sqlite3_column_int64(statement, 15)},
    };
    born_take(sql_column_bytes(statement, 4), &out->born);
    buffer_clear(&moved->views);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        sizes[i] = keep(moved, statement, columns[i]);
    all = buffer_view(&moved->views);
    for (size_t i = 0; i < sizeof columns / sizeof *columns && !moved->views.failed; i++)
        *views[i] = next_view(&all, sizes[i]);
    return buffer_check(&moved->views, err);
}

static enum status get(struct moved *moved, sqlite3_stmt *statement,
                       struct moved_row *out, struct error *err)
{
    int rc = sqlite3_step(statement);
    enum status status = rc == SQLITE_ROW ? take(moved, statement, out, err)
                         : rc == SQLITE_DONE
                             ? STATUS_NOT_FOUND
                             : sqlite_failed(moved->database, "parking", err);

    (void)sqlite3_reset(statement);
    return status;
}

enum status moved_find(struct moved *moved, uint32_t table, struct bytes key,
                       struct moved_row *out, struct error *err)
{
    if (!moved->any)
        return STATUS_NOT_FOUND;
    (void)sqlite3_bind_int64(moved->find, 1, table);
    sql_bind_bytes(moved->find, 2, key);
    return get(moved, moved->find, out, err);
}

enum status moved_queued(struct moved *moved, uint32_t group, struct moved_row *out,
                         struct error *err)
{
    if (!moved->any)
        return STATUS_NOT_FOUND;
    (void)sqlite3_bind_int64(moved->queued, 1, group);
    return get(moved, moved->queued, out, err);
}

enum status moved_after(struct moved *moved, int64_t id, struct moved_row *out,
                        struct error *err)
{
    if (!moved->any)
        return STATUS_NOT_FOUND;
    (void)sqlite3_bind_int64(moved->after, 1, id);
    return get(moved, moved->after, out, err);
}

/* ---- suspects */

static void bind_suspect(sqlite3_stmt *statement, uint32_t group,
                         const struct suspect *suspect)
{
    (void)sqlite3_bind_int64(statement, 1, group);
    (void)sqlite3_bind_int64(statement, 2, suspect->table);
    sql_bind_bytes(statement, 3, suspect->key);
}

enum status suspects_add(struct moved *moved, uint32_t group,
                         const struct suspect *suspect, struct error *err)
{
    bind_suspect(moved->suspect_add, group, suspect);
    moved->any_suspects = true;
    return sql_run(moved->database, moved->suspect_add, "look for parents", err);
}

enum status suspects_after(struct moved *moved, uint32_t group,
                           const struct suspect *after, struct suspect *out,
                           struct error *err)
{
    enum status status = STATUS_OK;
    int rc;

    if (!moved->any_suspects)
        return STATUS_NOT_FOUND;
    bind_suspect(moved->suspect_after, group, after);
    rc = sqlite3_step(moved->suspect_after);
    if (rc == SQLITE_ROW) {
        out->table = (uint32_t)sqlite3_column_int64(moved->suspect_after, 0);
        buffer_clear(&moved->views);
        (void)keep(moved, moved->suspect_after, 1);
        out->key = buffer_view(&moved->views);
        status = buffer_check(&moved->views, err);
    } else {
        status = rc == SQLITE_DONE ? STATUS_NOT_FOUND
                                   : sqlite_failed(moved->database, "parents", err);
    }
    (void)sqlite3_reset(moved->suspect_after);
    return status;
}

enum status suspects_remove(struct moved *moved, uint32_t group,
                            const struct suspect *suspect, struct error *err)
{
    bind_suspect(moved->suspect_remove, group, suspect);
    return sql_run(moved->database, moved->suspect_remove, "look for parents", err);
}
