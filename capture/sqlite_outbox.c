/* Happy path: the rows of one transaction follow each other, the first says so; their
 * changesets are read piece by piece, each row becomes a change, and where the next
 * transaction begins the entry ends.
 *
 * A host that calls rowferry_commit() more than once in a transaction makes several
 * changesets, and a row may be in each: when the second one is met, the entry is dropped
 * and begun again with a memory of its rows (capture/pending.h).
 *
 * A transaction of which anything can't be told is dropped as a whole, and those after it
 * are not read: laid over what the log says, without it, they would be credited with what
 * it changed. */
#include "capture/sqlite_outbox.h"

#include "capture/changeset.h"
#include "engine/sqlite_outbox.h"
#include "engine/sqlite_row.h"

#include <assert.h>
#include <string.h>

enum outbox_column {
    OUTBOX_ID,
    OUTBOX_FORMAT,
    OUTBOX_FIRST,
    OUTBOX_LAST,
    OUTBOX_SCAN,
    OUTBOX_POSITION,
    OUTBOX_STAMP,
    OUTBOX_SCHEMA,
    OUTBOX_NOTE,
    OUTBOX_USER,
    OUTBOX_CHANGES,
};

struct drain {
    struct sqlite_database *database;
    struct scan_schema *schema;
    struct layer_run *run;
    const struct sqlite_outbox_order *order;
    struct sqlite_outbox_result *result;
    sqlite3_stmt *rows;
    struct buffer fields; /* of the entry being made */
    struct buffer note;   /* its parts': the newest that is one */
    struct buffer user;
    uint64_t stamp_us;
    uint64_t newest; /* id of the outbox's last row */
    uint64_t taken;  /* of the transaction's */
    bool same_shape; /* recorded under the schema of now */
    size_t table;    /* of the last change, among schema's */
    bool have_row;   /* rows stands on one */
    bool beyond;     /* rows has left the transaction already */
    bool given;      /* its piece was read */
    bool whole;      /* so far all of the transaction is told */
};

static int64_t column(const struct drain *drain, enum outbox_column which)
{
    return sqlite3_column_int64(drain->rows, (int)which);
}

static enum status step(struct drain *drain, struct error *err)
{
    int rc = sqlite3_step(drain->rows);

    drain->have_row = rc == SQLITE_ROW;
    drain->given = false;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return sqlite_failed(drain->database, "rowferry_outbox", err);
    return STATUS_OK;
}

/* Whether rows stands on a further row of the transaction. */
static bool goes_on(const struct drain *drain)
{
    return drain->have_row && column(drain, OUTBOX_FIRST) == 0;
}

/* ---- rows to changes */

static struct row_layer *find_table(struct drain *drain, const char *name)
{
    const struct scan_schema *schema = drain->schema;

    for (size_t i = 0; i < schema->count; i++) {
        size_t at = (drain->table + i) % schema->count;

        if (schema->tables[at] != NULL &&
            strcmp(schema->catalog.definitions[at]->local_name, name) == 0) {
            drain->table = at;
            return scan_table_layer(schema->tables[at]);
        }
    }
    return NULL;
}

/* Whether a recorded row has the columns that the table has now, or had when others were
 * added behind them since the last capture. */
static bool fits(const struct drain *drain, const struct definition *definition,
                 const struct changeset_row *row)
{
    uint32_t least = drain->same_shape ? definition->column_count
                                       : drain->schema->old_columns[drain->table];

    return least > 0 && changeset_row_fits(row, definition, least);
}

/* Whether a table that is not among those that are replicated was one of them, and has
 * another name now, or is gone. */
static enum status find_gone(struct drain *drain, const char *name, bool *gone,
                             struct error *err)
{
    struct store_txn *txn;
    struct table table;
    uint32_t count = 0;
    enum status status = STATUS_OK;

    *gone = false;
    if (drain->same_shape || sqlite3_table_column_metadata(
                                 sqlite_database_handle(drain->database), "main", name,
                                 NULL, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK)
        return STATUS_OK;
    status = appender_txn(drain->run->appender, &txn, err);
    if (status == STATUS_OK)
        status = tables_count(txn, &count, err);
    for (uint32_t id = 1; status == STATUS_OK && id <= count && !*gone; id++) {
        status = tables_newest(txn, store_identity(store_of(txn))->node, id, &table, err);
        *gone = status == STATUS_OK && strcmp(table.definition->local_name, name) == 0;
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK;
    }
    return status;
}

static enum status lay_row(struct drain *drain, struct changeset *changeset,
                           const struct changeset_row *row, struct row_layer *layer,
                           struct error *err)
{
    const struct definition *definition = row_layer_definition(layer);
    struct value *values = row_layer_values(layer);
    uint32_t told = (uint32_t)row->column_count;
    bool held;
    enum status status = STATUS_OK;

    if (!fits(drain, definition, row))
        return STATUS_NOT_FOUND;
    for (uint32_t i = 0; i < told; i++)
        sqlite_value_take(changeset_value(changeset, (int)i), &values[i]);
    for (uint32_t i = told; i < definition->stored_count; i++)
        values[i] = (struct value){.type = VALUE_ABSENT};
    if (row->op == SQLITE_DELETE)
        return row_layer_delete(layer, drain->run, err);
    if (row->op == SQLITE_INSERT)
        status = row_layer_begin(layer, told, err);
    return status == STATUS_OK ? row_layer_put(layer, drain->run, &held, err) : status;
}

static enum status add_row(struct drain *drain, struct changeset *changeset,
                           const struct changeset_row *row, struct error *err)
{
    struct row_layer *layer = find_table(drain, row->table);
    bool gone = false;
    enum status status = layer != NULL ? lay_row(drain, changeset, row, layer, err)
                                       : find_gone(drain, row->table, &gone, err);

    if (status == STATUS_NOT_FOUND || gone) {
        drain->whole = false;
        return STATUS_OK;
    }
    return status == STATUS_OK ? status : error_wrap(err, status, row->table);
}

/* The next piece of the changeset that rows stands in. */
static enum status next_piece(void *data, struct bytes *piece, struct error *err)
{
    struct drain *drain = data;
    enum status status = STATUS_OK;

    *piece = (struct bytes){NULL, 0};
    if (drain->given && column(drain, OUTBOX_LAST) != 0)
        return STATUS_OK;
    if (drain->given) {
        status = step(drain, err);
        drain->beyond = !goes_on(drain);
        drain->whole = drain->whole && !drain->beyond;
        if (status != STATUS_OK || drain->beyond)
            return status;
        drain->taken = (uint64_t)column(drain, OUTBOX_ID);
    }
    drain->given = true;
    piece->data = sqlite3_column_blob(drain->rows, OUTBOX_CHANGES);
    piece->size = (size_t)sqlite3_column_bytes(drain->rows, OUTBOX_CHANGES);
    return STATUS_OK;
}

/* Add the changeset that begins with this row; leave rows at its last one. */
static enum status add_changeset(struct drain *drain, struct error *err)
{
    struct changeset *changeset = NULL;
    struct changeset_row row;
    enum status status = changeset_open(&changeset, next_piece, drain, err);

    while (status == STATUS_OK && drain->whole) {
        status = changeset_next(changeset, &row, err);
        if (status == STATUS_OK)
            status = add_row(drain, changeset, &row, err);
    }
    if (status == STATUS_CORRUPT)
        drain->whole =
            false; /* of what the log holds nothing can be: it was read before */
    changeset_close(changeset);
    return status == STATUS_NOT_FOUND || status == STATUS_CORRUPT ? STATUS_OK : status;
}

/* ---- transactions */

/* What a later part says of the transaction counts more. */
static void take_text(struct drain *drain, struct buffer *out, enum outbox_column which)
{
    struct bytes text = {sqlite3_column_text(drain->rows, (int)which), 0};

    text.size = (size_t)sqlite3_column_bytes(drain->rows, (int)which);
    if (text.data == NULL || text.size == 0)
        return;
    buffer_clear(out);
    buffer_put_bytes(out, text);
}

static void take_texts(struct drain *drain)
{
    take_text(drain, &drain->note, OUTBOX_NOTE);
    take_text(drain, &drain->user, OUTBOX_USER);
}

static enum status put_fields(struct drain *drain, struct error *err)
{
    enum status status = buffer_check(&drain->note, err);

    if (status == STATUS_OK)
        status = buffer_check(&drain->user, err);
    buffer_clear(&drain->fields);
    if (status == STATUS_OK && drain->note.size > 0)
        entry_field_put(&drain->fields, FIELD_NOTE, buffer_view(&drain->note));
    if (status == STATUS_OK && drain->user.size > 0)
        entry_field_put(&drain->fields, FIELD_USER, buffer_view(&drain->user));
    return status == STATUS_OK ? buffer_check(&drain->fields, err) : status;
}

/* Look at the first row of a transaction. A position that the database has left behind is
 * not the context that its entry would get. */
static void begin_transaction(struct drain *drain)
{
    drain->beyond = false;
    buffer_clear(&drain->note);
    buffer_clear(&drain->user);
    drain->stamp_us = (uint64_t)column(drain, OUTBOX_STAMP);
    drain->same_shape = column(drain, OUTBOX_SCHEMA) == drain->order->schema_version;
    drain->whole = column(drain, OUTBOX_FIRST) == 1 &&
                   column(drain, OUTBOX_FORMAT) == SQLITE_OUTBOX_FORMAT &&
                   (uint64_t)column(drain, OUTBOX_POSITION) == drain->run->applied;
}

static enum status end_transaction(struct drain *drain, struct error *err)
{
    struct meta_update updates[] = {
        {META_SEEN,   drain->order->counter},
        {META_OUTBOX, drain->taken         }
    };
    struct local_entry entry = {
        .kind = ENTRY_CHANGES,
        .commit_us = drain->stamp_us,
        .updates = updates,
        .update_count = 2,
    };
    struct appender *appender = drain->run->appender;
    uint64_t seq;
    enum status status = put_fields(drain, err);

    drain->result->taken = drain->taken;
    if (status != STATUS_OK || appender_item_count(appender) == 0)
        return status;
    entry.fields = buffer_view(&drain->fields);
    return appender_end_local(appender, &entry, &seq, err);
}

/* Leave the transaction to the scan, with all that came after it. */
static void pass_over(struct drain *drain)
{
    appender_drop(drain->run->appender);
    drain->result->taken = drain->newest;
    drain->result->scan = true;
}

/* Add the transaction that begins with this row; leave rows at the next one's first,
 * unless it is not whole. *again: a second changeset was met, and no memory was kept. */
static enum status add_transaction(struct drain *drain, bool *again, struct error *err)
{
    enum status status = STATUS_OK;

    *again = false;
    begin_transaction(drain);
    do {
        drain->taken = (uint64_t)column(drain, OUTBOX_ID);
        take_texts(drain);
        drain->whole = drain->whole && column(drain, OUTBOX_SCAN) == 0;
        if (drain->whole && sqlite3_column_bytes(drain->rows, OUTBOX_CHANGES) > 0)
            status = add_changeset(drain, err);
        if (status == STATUS_OK && drain->whole && !drain->beyond)
            status = step(drain, err);
        *again = drain->whole && goes_on(drain) && drain->run->pending == NULL;
    } while (status == STATUS_OK && drain->whole && !*again && goes_on(drain));
    if (status == STATUS_OK && !drain->whole) {
        pass_over(drain);
        return STATUS_OK;
    }
    if (status != STATUS_OK || *again)
        appender_drop(drain->run->appender);
    return status == STATUS_OK && !*again ? end_transaction(drain, err) : status;
}

static enum status seek(struct drain *drain, uint64_t id, struct error *err)
{
    (void)sqlite3_reset(drain->rows);
    (void)sqlite3_bind_int64(drain->rows, 1, (sqlite3_int64)id);
    return step(drain, err);
}

/* The same with a memory, from the same row. */
static enum status add_transaction_again(struct drain *drain, uint64_t first,
                                         struct error *err)
{
    struct store_txn *txn;
    uint64_t node = 0;
    bool again = false;
    enum status status = appender_txn(drain->run->appender, &txn, err);

    if (status == STATUS_OK) {
        node = store_identity(store_of(txn))->node;
        status = pending_open(&drain->run->pending, node, err);
    }
    if (status == STATUS_OK)
        status = seek(drain, first - 1, err);
    if (status == STATUS_OK)
        status = add_transaction(drain, &again, err);
    assert(!again);
    pending_close(drain->run->pending);
    drain->run->pending = NULL;
    return status;
}

static enum status drain_rows(struct drain *drain, struct error *err)
{
    enum status status = seek(drain, drain->result->taken, err);

    while (status == STATUS_OK && drain->have_row && !drain->result->scan) {
        uint64_t first = (uint64_t)column(drain, OUTBOX_ID);
        bool again = false;

        status = add_transaction(drain, &again, err);
        if (status == STATUS_OK && again)
            status = add_transaction_again(drain, first, err);
    }
    if (status == STATUS_OK)
        status = appender_commit(drain->run->appender, err);
    return status;
}

static enum status exists(struct sqlite_database *database, bool *yes, struct error *err)
{
    int64_t count = 0;
    enum status status = sqlite_number(
        database,
        "SELECT count(*) FROM main.sqlite_schema WHERE name = 'rowferry_outbox'", &count,
        err);

    *yes = count > 0;
    return status;
}

enum status sqlite_outbox_drain(struct sqlite_database *database,
                                struct scan_schema *schema, struct layer_run *run,
                                const struct sqlite_outbox_order *order,
                                struct sqlite_outbox_result *result, struct error *err)
{
    struct drain drain = {.database = database,
                          .schema = schema,
                          .run = run,
                          .order = order,
                          .result = result};
    struct store_txn *txn;
    uint64_t newest = 0;
    enum status status = sqlite_outbox_newest(database, &newest, err);

    *result = (struct sqlite_outbox_result){0};
    if (status == STATUS_OK)
        status = appender_txn(run->appender, &txn, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_OUTBOX, &result->taken, err);
    if (status != STATUS_OK || newest == result->taken)
        return status;
    drain.newest = newest;
    if (newest < result->taken) { /* somebody emptied it */
        *result = (struct sqlite_outbox_result){.taken = newest, .scan = true};
        return STATUS_OK;
    }
    status = sqlite_prepare(database,
                            "SELECT id, \"format\", \"first\", \"last\", scan, position,"
                            " stamp_us, \"schema\", note, user, changes"
                            " FROM main.rowferry_outbox WHERE id > ?1 ORDER BY id",
                            &drain.rows, err);
    if (status == STATUS_OK)
        status = drain_rows(&drain, err);
    (void)sqlite3_finalize(drain.rows);
    buffer_release(&drain.fields);
    buffer_release(&drain.note);
    buffer_release(&drain.user);
    return status;
}

enum status sqlite_outbox_newest(struct sqlite_database *database, uint64_t *id,
                                 struct error *err)
{
    int64_t newest = 0;
    bool there = false;
    enum status status = exists(database, &there, err);

    if (status == STATUS_OK && there) {
        status = sqlite_number(database,
                               "SELECT coalesce(max(id), 0) FROM main.rowferry_outbox",
                               &newest, err);
    }
    *id = (uint64_t)newest;
    return status;
}

enum status sqlite_outbox_forget(struct sqlite_database *database, uint64_t id,
                                 struct error *err)
{
    sqlite3_stmt *statement = NULL;
    bool there = false;
    enum status status = exists(database, &there, err);

    if (status != STATUS_OK || !there)
        return status;
    status = sqlite_prepare(database,
                            "DELETE FROM main.rowferry_outbox WHERE id <= ?1 AND"
                            " id < (SELECT max(id) FROM main.rowferry_outbox)",
                            &statement, err);
    if (status != STATUS_OK)
        return status;
    (void)sqlite3_bind_int64(statement, 1, (sqlite3_int64)id);
    if (sqlite3_step(statement) != SQLITE_DONE)
        status = sqlite_failed(database, "rowferry_outbox", err);
    (void)sqlite3_finalize(statement);
    return status;
}
