/* On a connection as an application has it. Its table is locked against other writers
 * before capture is asked once more, so what is decided is decided of what is there; the
 * stream tells the transaction as one of its own, with the note in it. */
#include "node/write_back.h"

#include "apply/postgres_row.h"
#include "apply/postgres_sql.h"
#include "engine/postgres_catalog.h"
#include "engine/postgres_stored.h"
#include "node/node_private.h"

#include <stdlib.h>

static enum status begin(struct write_back *back, struct error *err)
{
    const char *url = postgres_url(database_postgres(back->node->database));
    enum status status = postgres_open(&back->postgres, url, POSTGRES_WRITE, err);

    return status == STATUS_OK ? postgres_begin(back->postgres, err) : status;
}

static enum status lock(struct write_back *back, struct error *err)
{
    const char *name = back->table.definition->local_name;
    struct buffer sql = {0};
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("SET LOCAL lock_timeout = '2s'; LOCK TABLE "));
    buffer_put_bytes(&sql, bytes_of_text(name));
    buffer_put_bytes(&sql, bytes_of_text(" IN SHARE ROW EXCLUSIVE MODE"));
    status = postgres_execute_buffer(back->postgres, &sql, err);
    return status == STATUS_OK ? status : error_wrap(err, status, name);
}

static enum status read_catalog(struct write_back *back, struct error *err)
{
    return postgres_catalog_read(back->postgres, &back->node->config.rules, back->txn,
                                 &back->catalog, err);
}

static enum status open_table(struct write_back *back, struct error *err)
{
    struct store *store = back->node->store;
    struct capture_counts counts = {0};
    uint32_t id = back->table.id;
    enum status status = lock(back, err);

    store_abort(back->txn);
    back->txn = NULL;
    if (status == STATUS_OK)
        status = back->source->ops->capture(back->source, &counts, err);
    if (status == STATUS_OK)
        status = store_begin(store, TXN_READ, &back->txn, err);
    if (status == STATUS_OK)
        status =
            tables_newest(back->txn, store_identity(store)->node, id, &back->table, err);
    back->row.base.definition = back->table.definition;
    back->row.own_path = true; /* as in an application's session */
    return status == STATUS_OK ? postgres_writer_open(&back->row.writer, back->postgres,
                                                      back->table.definition, err)
                               : status;
}

static void end(struct write_back *back)
{
    postgres_writer_close(back->row.writer);
    back->row.writer = NULL;
    postgres_close(back->postgres);
    back->postgres = NULL;
    buffer_release(&back->present);
}

/* ---- the row at hand */

static enum status map(struct write_back *back, const struct definition *from,
                       struct bytes image, struct bytes key, enum write_result *result,
                       struct error *err)
{
    return postgres_writer_map(back->row.writer, from, image, key, result, err);
}

static enum status put_key(struct write_back *back, const struct definition *from,
                           struct bytes key, enum write_result *result, struct error *err)
{
    return postgres_writer_key(back->row.writer, from, key, result, err);
}

static struct value *values(struct write_back *back)
{
    return back->row.writer->values;
}

static enum status find(struct write_back *back, bool *found, struct error *err)
{
    return postgres_row_find(&back->row, found, err);
}

static enum status put_image(struct write_back *back, struct buffer *image,
                             struct error *err)
{
    bool found;

    return postgres_row_image(&back->row, &found, image, err);
}

static enum status insert(struct write_back *back, enum write_result *result,
                          struct error *err)
{
    return postgres_row_insert(&back->row, result, err);
}

static enum status update(struct write_back *back, struct bytes key, bool *differs,
                          enum write_result *result, struct error *err)
{
    struct postgres_writer *writer = back->row.writer;
    bool *which = calloc((size_t)writer->definition->stored_count + 1, sizeof(bool));
    bool found;
    enum status status = STATUS_OK;

    if (which == NULL)
        return error_set(err, STATUS_NO_MEMORY, "write back: out of memory");
    buffer_clear(&back->present);
    status = postgres_row_image(&back->row, &found, &back->present, err);
    if (status == STATUS_OK) {
        status =
            postgres_writer_differ(writer, back->table.definition,
                                   buffer_view(&back->present), key, which, differs, err);
    }
    if (status == STATUS_OK && *differs)
        status = postgres_row_update(&back->row, which, result, err);
    free(which);
    return status;
}

static enum status take_away(struct write_back *back, enum write_result *result,
                             struct error *err)
{
    return postgres_row_delete(&back->row, result, err);
}

static enum status open_stored(struct write_back *back, struct stored **out,
                               struct error *err)
{
    return postgres_stored_open(out, back->postgres, back->table.definition, err);
}

/* ---- numbers */

static const struct postgres_column *find_column(const struct write_back *back,
                                                 const struct column *column)
{
    const struct postgres_writer *writer = back->row.writer;

    for (uint32_t i = 0; i < writer->definition->stored_count; i++)
        if (writer->columns[i].column == column)
            return &writer->columns[i];
    return NULL;
}

/* A sequence's next; of a column that has none, what follows the largest. */
static enum status next_number(struct write_back *back, const struct column *column,
                               int64_t *number, struct error *err)
{
    const struct postgres_column *own = find_column(back, column);
    struct buffer sql = {0};
    enum status status = STATUS_OK;

    if ((own == NULL || own->sequence == NULL) && *number > 0) {
        if (*number == INT64_MAX) {
            return error_set(err, STATUS_REFUSED,
                             "%s has used up its numbers: say by --key which one the row "
                             "shall have",
                             back->table.definition->name);
        }
        ++*number;
        return STATUS_OK;
    }
    if (own != NULL && own->sequence != NULL) {
        buffer_put_bytes(&sql, bytes_of_text("SELECT nextval("));
        postgres_put_literal(&sql, own->sequence);
        buffer_put_bytes(&sql, bytes_of_text(")"));
    } else {
        buffer_put_bytes(&sql, bytes_of_text("SELECT greatest(0, max("));
        postgres_put_name(&sql, column->name);
        buffer_put_bytes(&sql, bytes_of_text(")) + 1::bigint FROM "));
        buffer_put_bytes(&sql, bytes_of_text(back->table.definition->local_name));
    }
    status = postgres_number_buffer(back->postgres, &sql, number, err);
    return status == STATUS_CONSTRAINT ? write_back_check(WRITE_REFUSED, err) : status;
}

/* ---- the end */

static enum status put_note(struct write_back *back, const char *note, struct error *err)
{
    const char *parameters[] = {note};
    PGresult *done = NULL;
    enum status status = postgres_query(
        back->postgres, "SELECT pg_logical_emit_message(true, 'rowferry.note', $1::text)",
        1, parameters, &done, err);

    PQclear(done);
    return status;
}

static enum status commit(struct write_back *back, const char *note,
                          struct capture_counts *counts, bool *committed,
                          struct error *err)
{
    enum status status = put_note(back, note, err);

    if (status == STATUS_OK) /* what was left for now runs as it would there, too */
        status = postgres_execute(back->postgres, POSTGRES_OWN_PATH, err);
    if (status == STATUS_OK)
        status = postgres_commit(back->postgres, err);
    if (status == STATUS_CONSTRAINT)
        return write_back_check(WRITE_REFUSED, err);
    *committed = status == STATUS_OK;
    return status == STATUS_OK ? node_capture_locked(back->node, counts, err) : status;
}

/* The server's own log says where the store stands. */
static enum status say(struct write_back *back, struct error *err)
{
    (void)back, (void)err;
    return STATUS_OK;
}

static enum status said(struct write_back *back, struct error *err)
{
    (void)err;
    postgres_rollback(back->postgres);
    return STATUS_OK;
}

const struct write_back_ops write_back_postgres_ops = {
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
