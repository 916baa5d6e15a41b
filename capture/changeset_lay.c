/* Happy path: each row of a file is as the store says it was, so it is added to the
 * entry, and at the file's end the entry ends. When one is not, the entry is dropped. */
#include "capture/changeset_lay.h"

#include "capture/row_layer_private.h"
#include "engine/sqlite_row.h"
#include "log/log_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What the store says of a row that a changeset changes. */
enum row_stand {
    STAND_BEFORE, /* it is as before the change */
    STAND_AFTER,  /* as after it */
    STAND_OTHER,  /* neither, or that can't be told */
};

struct laying {
    struct scan_schema *schema;
    struct layer_run *run;
    const struct changeset_order *order;
    const struct changeset_file *file;
    size_t table;     /* of the last row, among schema's */
    uint64_t added;   /* rows of this file */
    uint64_t known;   /* that are as after it */
    char passed[256]; /* the table that was passed over last; cut */
    bool left;        /* it is not to be logged, and why was said */
};

static void say(const struct laying *laying, const char *what, const char *table)
{
    char line[1024];

    if (laying->order->notice == NULL)
        return;
    (void)snprintf(line, sizeof line, "%s: %s%s", laying->file->path, what, table);
    laying->order->notice(laying->order->notice_data, line);
}

/* Say once why the file is not logged. */
static void leave(struct laying *laying, const char *what, const char *table)
{
    if (!laying->left)
        say(laying, what, table);
    laying->left = true;
}

/* Rows of a table follow each other. */
static void pass_over(struct laying *laying, const char *table)
{
    if (strncmp(laying->passed, table, sizeof laying->passed - 1) == 0)
        return;
    (void)snprintf(laying->passed, sizeof laying->passed, "%s", table);
    say(laying, "of a table that is not replicated from here, and passed over: ", table);
}

static struct row_layer *find_table(struct laying *laying, const char *name)
{
    const struct scan_schema *schema = laying->schema;

    for (size_t i = 0; i < schema->count; i++) {
        size_t at = (laying->table + i) % schema->count;

        if (schema->tables[at] != NULL &&
            sqlite3_stricmp(schema->catalog.definitions[at]->local_name, name) == 0) {
            laying->table = at;
            return scan_table_layer(schema->tables[at]);
        }
    }
    return NULL;
}

/* Whether a row has the columns that the table has now, and had at the last capture. */
static bool has_shape(const struct laying *laying, const struct definition *definition,
                      const struct changeset_row *row)
{
    return laying->schema->old_columns[laying->table] == definition->column_count &&
           changeset_row_fits(row, definition, definition->column_count);
}

static void take_values(struct changeset *changeset, const struct changeset_row *row,
                        bool before, struct value *values)
{
    for (int i = 0; i < row->column_count; i++) {
        sqlite_value_take(before ? changeset_before(changeset, i)
                                 : changeset_value(changeset, i),
                          &values[i]);
    }
}

/* Whether a live holding has the values; where they are absent, it has. */
static enum status holds(struct laying *laying, struct row_layer *layer,
                         struct store_txn *txn, const struct row *holding, bool *same,
                         struct error *err)
{
    struct layer_run *run = laying->run;
    const struct definition *definition = NULL;
    struct bytes key = buffer_view(&run->key);
    bool changed = true;
    enum status status = row_layer_held_definition(layer, txn, holding, &definition, err);

    if (status == STATUS_OK)
        status = row_compare_fill(layer->comparer, key, holding->image, definition,
                                  layer->values, err);
    if (status == STATUS_OK) {
        status =
            row_compare_held(layer->comparer, key, holding->image, definition,
                             layer->values, &changed, &run->image, &run->before, err);
    }
    *same = !changed;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status judge_live(struct laying *laying, struct row_layer *layer,
                              struct changeset *changeset,
                              const struct changeset_row *row, struct store_txn *txn,
                              const struct row *holding, enum row_stand *stand,
                              struct error *err)
{
    bool same = false;
    enum status status = STATUS_OK;

    if (row->op != SQLITE_DELETE)
        status = holds(laying, layer, txn, holding, &same, err);
    if (status != STATUS_OK || same) {
        *stand = STAND_AFTER;
        return status;
    }
    if (row->op == SQLITE_INSERT)
        return STATUS_OK;
    take_values(changeset, row, true, layer->values);
    status = holds(laying, layer, txn, holding, &same, err);
    *stand = same ? STAND_BEFORE : STAND_OTHER;
    return status;
}

/* layer->values are those after the change, of a delete those before it. */
static enum status judge(struct laying *laying, struct row_layer *layer,
                         struct changeset *changeset, const struct changeset_row *row,
                         enum row_stand *stand, struct row *holding, struct error *err)
{
    struct layer_run *run = laying->run;
    struct store_txn *txn;
    enum status status;

    *stand = STAND_OTHER;
    buffer_clear(&run->key);
    status = image_key(&run->key, layer->values, layer->table.definition, err);
    if (status == STATUS_OK)
        status = buffer_check(&run->key, err);
    if (status == STATUS_OK)
        status =
            row_layer_holding(layer, run, buffer_view(&run->key), &txn, holding, err);
    if (status != STATUS_OK)
        return status;
    if (holding->live)
        return judge_live(laying, layer, changeset, row, txn, holding, stand, err);
    if (row->op == SQLITE_INSERT)
        *stand = STAND_BEFORE;
    else if (row->op == SQLITE_DELETE)
        *stand = STAND_AFTER;
    return STATUS_OK;
}

/* Whether an entry was made of this very file: own entries that are not older are looked
 * at. */
static enum status is_of_file(struct store_txn *txn, const struct changeset_file *file,
                              uint64_t seq, bool *older, bool *same, struct error *err)
{
    struct log_entry entry;
    struct bytes id;
    enum status status = log_get(txn, seq, &entry, err);

    if (status != STATUS_OK || !entry.local)
        return status;
    *older = entry.header.commit_us < file->time_us;
    *same = entry_field_find(entry.header.fields, FIELD_SOURCE_POSITION, &id) &&
            bytes_equal(id, (struct bytes){file->id, sizeof file->id});
    return status;
}

/* Whether the file was logged before: then its first row has an entry of it. */
static enum status was_logged(struct laying *laying, const struct row_layer *layer,
                              bool *logged, struct error *err)
{
    struct log_change change;
    struct store_txn *txn;
    struct row row;
    bool older = false;
    enum status status = appender_txn(laying->run->appender, &txn, err);

    *logged = false;
    if (status == STATUS_OK)
        status =
            rows_get(txn, layer->table.id, buffer_view(&laying->run->key), &row, err);
    for (struct place at = row.last;
         status == STATUS_OK && at.seq != 0 && !older && !*logged; at = change.previous) {
        status = log_change_at(txn, at, &change, err);
        if (status == STATUS_OK)
            status = is_of_file(txn, laying->file, at.seq, &older, logged, err);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* A row that is as before the change: new, unless the file is not. */
static enum status add_new(struct laying *laying, struct row_layer *layer,
                           struct changeset *changeset, const struct changeset_row *row,
                           struct error *err)
{
    bool logged = false, held;
    enum status status = STATUS_OK;

    if (laying->added == 0)
        status = was_logged(laying, layer, &logged, err);
    if (status != STATUS_OK)
        return status;
    if (logged || laying->file->time_us < laying->order->floor_us) {
        leave(laying,
              logged ? "in the log already"
                     : "older than the last capture, and not what it found; the next "
                       "capture logs what changed",
              "");
        return status;
    }
    laying->added++;
    take_values(changeset, row, false, layer->values);
    if (row->op == SQLITE_DELETE)
        return row_layer_delete(layer, laying->run, err);
    return row_layer_put(layer, laying->run, &held, err);
}

/* A row is not as before the change: something else was, or it has been changed since. */
static enum status leave_unfit(struct laying *laying, const struct row_layer *layer,
                               struct error *err)
{
    bool logged = false;
    enum status status = was_logged(laying, layer, &logged, err);

    if (status == STATUS_OK && logged) {
        leave(laying, "in the log already", "");
    } else if (status == STATUS_OK) {
        leave(laying,
              "not what follows on what the log has; the next capture logs what changed: "
              "table ",
              layer->table.definition->local_name);
    }
    return status;
}

static enum status add_row(void *data, struct changeset *changeset,
                           const struct changeset_row *row, struct error *err)
{
    struct laying *laying = data;
    struct row_layer *layer = find_table(laying, row->table);
    enum row_stand stand = STAND_OTHER;
    struct row holding;
    enum status status;

    if (laying->left)
        return STATUS_OK;
    if (layer == NULL) {
        pass_over(laying, row->table);
        return STATUS_OK;
    }
    if (!has_shape(laying, row_layer_definition(layer), row)) {
        leave(laying,
              "other columns than now; the next capture logs what changed: table ",
              row->table);
        return STATUS_OK;
    }
    take_values(changeset, row, false, layer->values);
    status = judge(laying, layer, changeset, row, &stand, &holding, err);
    if (status == STATUS_OK && stand == STAND_BEFORE)
        status = add_new(laying, layer, changeset, row, err);
    laying->known += status == STATUS_OK && stand == STAND_AFTER;
    if (status == STATUS_OK &&
        (stand == STAND_OTHER || (laying->known > 0 && laying->added > 0)))
        status = leave_unfit(laying, layer, err);
    return status == STATUS_OK ? status : error_wrap(err, status, row->table);
}

static enum status end_entry(struct laying *laying, struct error *err)
{
    struct meta_update updates[] = {
        {META_SEEN,   laying->order->counter},
        {META_OUTBOX, laying->order->outbox }
    };
    struct local_entry entry = {
        .kind = ENTRY_CHANGES,
        .commit_us = laying->file->time_us,
        .updates = updates,
        .update_count = 2,
    };
    struct appender *appender = laying->run->appender;
    struct buffer fields = {0};
    uint64_t seq;
    enum status status;

    entry_field_put(&fields, FIELD_SOURCE_POSITION,
                    (struct bytes){laying->file->id, sizeof laying->file->id});
    status = buffer_check(&fields, err);
    entry.fields = buffer_view(&fields);
    if (status == STATUS_OK)
        status = appender_end_local(appender, &entry, &seq, err);
    buffer_release(&fields);
    return status;
}

/* A file that the same call was given before: it may fit again, and is the same. */
static bool is_repeated(const struct changeset_order *order, size_t place)
{
    const struct changeset_file *files = order->files;

    for (size_t i = 0; i < place; i++)
        if (memcmp(files[i].id, files[place].id, sizeof files[i].id) == 0)
            return true;
    return false;
}

static enum status lay_file(struct laying *laying, struct error *err)
{
    struct store_txn *txn;
    uint64_t node = 0;
    enum status status = appender_txn(laying->run->appender, &txn, err);

    if (status == STATUS_OK) {
        node = store_identity(store_of(txn))->node;
        status = pending_open(&laying->run->pending, node, err);
    }
    if (status == STATUS_OK)
        status = changeset_file_visit(laying->file, add_row, laying, err);
    pending_close(laying->run->pending);
    laying->run->pending = NULL;
    if (status != STATUS_OK || laying->left) {
        appender_drop(laying->run->appender);
        return status;
    }
    if (laying->added > 0)
        return end_entry(laying, err);
    if (laying->known > 0)
        say(laying, "in the log already", "");
    else if (laying->passed[0] == '\0')
        say(laying, "nothing was changed", "");
    return STATUS_OK;
}

enum status changeset_floor(struct store_txn *txn, uint64_t *floor_us, struct error *err)
{
    uint64_t node = store_identity(store_of(txn))->node;
    struct origin_head head;
    struct log_entry entry;
    uint64_t seq = 0;
    enum status status = log_head(txn, node, &head, err);

    *floor_us = 0;
    if (status == STATUS_OK)
        status = log_find(txn, node, head.seq, &seq, err);
    if (status == STATUS_OK)
        status = log_get(txn, seq, &entry, err);
    if (status == STATUS_OK)
        *floor_us =
            entry.header.commit_us != 0 ? entry.header.commit_us : entry.arrived_us;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status changeset_lay(struct scan_schema *schema, struct layer_run *run,
                          const struct changeset_order *order, struct error *err)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; i < order->count && status == STATUS_OK; i++) {
        struct laying laying = {
            .schema = schema, .run = run, .order = order, .file = &order->files[i]};

        if (is_repeated(order, i))
            say(&laying, "in the log already", "");
        else
            status = lay_file(&laying, err);
    }
    return status == STATUS_OK ? appender_commit(run->appender, err) : status;
}
