/* The first copy: every row of every table as it was when the slot began. */
#include "capture/postgres_source_private.h"

#include "engine/postgres_copy.h"
#include "engine/postgres_publication.h"
#include "engine/postgres_slot.h"
#include "engine/postgres_stored.h"
#include "engine/postgres_value.h"

#include <stdlib.h>
#include <string.h>

struct snapshot {
    struct postgres_source *self;
    struct progress_step progress;
    /* Of the table that is copied: by place in an image. */
    const struct definition *definition;
    enum fleet_type *types;
    struct bytes *columns;
    struct buffer *scratch;
    uint32_t count;
    struct buffer line;
};

/* ---- publication and slot */

static enum status publish(struct postgres_source *self, struct error *err)
{
    const char **names = (const char **)calloc(self->catalog.count + 1, sizeof(char *));
    size_t count = 0;
    enum status status;

    if (names == NULL)
        return error_set(err, STATUS_NO_MEMORY, "publication: out of memory");
    for (size_t i = 0; i < self->catalog.count; i++) {
        const char *name = self->catalog.definitions[i]->local_name;

        if (table_rules_direction(self->options.rules, name) != TABLE_IN)
            names[count++] = name;
    }
    status = postgres_publication_create(self->postgres, self->options.publication, names,
                                         count, true, err);
    free((void *)names);
    return status;
}

static enum status see_snapshot(struct postgres *postgres, const char *snapshot,
                                struct error *err)
{
    struct buffer sql = {0};
    enum status status;

    buffer_put_bytes(&sql,
                     bytes_of_text("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                                   "SET TRANSACTION SNAPSHOT "));
    postgres_put_literal(&sql, snapshot);
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = postgres_execute(postgres, (const char *)sql.data, err);
    buffer_release(&sql);
    return status;
}

/* ---- rows */

static void release_table(struct snapshot *snapshot)
{
    for (uint32_t i = 0; snapshot->scratch != NULL && i < snapshot->count; i++)
        buffer_release(&snapshot->scratch[i]);
    free(snapshot->scratch);
    free(snapshot->columns);
    free(snapshot->types);
    snapshot->scratch = NULL;
    snapshot->columns = NULL;
    snapshot->types = NULL;
}

static enum status prepare_table(struct snapshot *snapshot,
                                 const struct definition *definition, struct error *err)
{
    uint32_t place = 0;

    release_table(snapshot);
    snapshot->definition = definition;
    snapshot->count = definition->stored_count;
    snapshot->types = calloc(snapshot->count, sizeof *snapshot->types);
    snapshot->columns = calloc(snapshot->count, sizeof *snapshot->columns);
    snapshot->scratch = calloc(snapshot->count, sizeof *snapshot->scratch);
    if (snapshot->types == NULL || snapshot->columns == NULL || snapshot->scratch == NULL)
        return error_set(err, STATUS_NO_MEMORY, "first copy: out of memory");
    for (uint32_t i = 0; i < definition->column_count; i++)
        if (definition->columns[i].generated == GENERATED_NO)
            snapshot->types[place++] = definition->columns[i].type;
    return STATUS_OK;
}

/* Rows of tables that inherit from one are told as their own; those of partitions as
 * their root's. */
static enum status copy_statement(struct snapshot *snapshot, struct buffer *sql,
                                  struct error *err)
{
    const struct definition *definition = snapshot->definition;
    const char *parameters[] = {definition->local_name};
    PGresult *kind = NULL;
    bool first = true;
    enum status status = postgres_query(
        snapshot->self->postgres, "SELECT relkind FROM pg_class WHERE oid = $1::regclass",
        1, parameters, &kind, err);

    if (status != STATUS_OK)
        return status;
    buffer_put_bytes(sql, bytes_of_text("COPY (SELECT "));
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (definition->columns[i].generated != GENERATED_NO)
            continue;
        if (!first)
            buffer_put_bytes(sql, bytes_of_text(", "));
        postgres_put_name(sql, definition->columns[i].name);
        first = false;
    }
    buffer_put_bytes(
        sql, bytes_of_text(PQntuples(kind) == 1 && PQgetvalue(kind, 0, 0)[0] == 'p'
                               ? " FROM "
                               : " FROM ONLY "));
    buffer_put_bytes(sql, bytes_of_text(definition->local_name));
    buffer_put_bytes(sql, bytes_of_text(") TO STDOUT"));
    buffer_put(sql, 0, 1);
    PQclear(kind);
    return buffer_check(sql, err);
}

static enum status take_line(struct snapshot *snapshot, struct row_layer *layer,
                             struct bytes line, struct error *err)
{
    struct value *values = row_layer_values(layer);
    bool held;
    enum status status = postgres_copy_take(line, snapshot->columns, snapshot->count,
                                            &snapshot->line, err);

    for (uint32_t i = 0; i < snapshot->count && status == STATUS_OK; i++)
        status = postgres_value_take(snapshot->types[i], snapshot->columns[i],
                                     &snapshot->scratch[i], &values[i], err);
    progress_add(&snapshot->progress, 1);
    return status == STATUS_OK ? row_layer_put(layer, &snapshot->self->run, &held, err)
                               : status;
}

static enum status take_lines(struct snapshot *snapshot, struct row_layer *layer,
                              struct error *err)
{
    struct postgres *postgres = snapshot->self->postgres;
    PGconn *handle = postgres_handle(postgres);
    enum status status = STATUS_OK;
    PGresult *result;
    char *line = NULL;
    int size;

    while ((size = PQgetCopyData(handle, &line, 0)) > 0) {
        if (status == STATUS_OK)
            status = take_line(snapshot, layer,
                               (struct bytes){(const uint8_t *)line, (size_t)size}, err);
        PQfreemem(line);
    }
    if (size == -2 && status == STATUS_OK)
        status = postgres_failed(postgres, NULL, "COPY", err);
    while ((result = PQgetResult(handle)) != NULL) {
        if (PQresultStatus(result) != PGRES_COMMAND_OK && status == STATUS_OK)
            status = postgres_failed(postgres, result, "COPY", err);
        PQclear(result);
    }
    return status;
}

static enum status copy_table(struct snapshot *snapshot, const struct table *table,
                              struct error *err)
{
    struct postgres_source *self = snapshot->self;
    struct row_comparer *comparer = NULL;
    struct row_layer *layer = NULL;
    struct stored *stored = NULL;
    struct buffer sql = {0};
    struct store_txn *txn;
    PGresult *result;
    enum status status = prepare_table(snapshot, table->definition, err);

    snapshot->progress.state.part = table->definition->name;
    if (status == STATUS_OK)
        status = appender_txn(self->run.appender, &txn, err);
    if (status == STATUS_OK)
        status = postgres_stored_open(&stored, self->postgres, table->definition, err);
    if (status == STATUS_OK)
        status = row_comparer_open(&comparer, stored, table->definition, err);
    if (status == STATUS_OK)
        status = row_layer_open(&layer, comparer, txn, table, err);
    if (status == STATUS_OK)
        status = copy_statement(snapshot, &sql, err);
    if (status == STATUS_OK) {
        result = PQexec(postgres_handle(self->postgres), (const char *)sql.data);
        if (PQresultStatus(result) != PGRES_COPY_OUT)
            status =
                postgres_failed(self->postgres, result, table->definition->name, err);
        PQclear(result);
    }
    if (status == STATUS_OK)
        status = take_lines(snapshot, layer, err);
    buffer_release(&sql);
    row_layer_close(layer);
    return status == STATUS_OK ? status
                               : error_wrap(err, status, table->definition->name);
}

static enum status copy_tables(struct postgres_source *self, struct error *err)
{
    struct snapshot snapshot = {.self = self};
    uint64_t node = store_identity(self->store)->node;
    enum status status = STATUS_OK;

    progress_begin(&snapshot.progress, store_progress(self->store),
                   &(struct progress_state){
                       .step = "read", .unit = PROGRESS_ROWS, .all = self->options.rows});
    for (size_t i = 0; i < self->catalog.count && status == STATUS_OK; i++) {
        const struct definition *definition = self->catalog.definitions[i];
        struct store_txn *txn;
        struct table table;

        if (table_rules_direction(self->options.rules, definition->local_name) ==
            TABLE_IN)
            continue;
        status = appender_txn(self->run.appender, &txn, err);
        if (status == STATUS_OK)
            status = tables_find(txn, node, definition->number, &table, err);
        if (status == STATUS_OK)
            status = copy_table(&snapshot, &table, err);
    }
    release_table(&snapshot);
    buffer_release(&snapshot.line);
    return status;
}

/* ---- all of it */

static enum status end_base(struct postgres_source *self, uint64_t lsn, uint64_t system,
                            struct error *err)
{
    struct meta_update updates[] = {
        {META_LSN,    lsn   },
        {META_SYSTEM, system}
    };
    struct local_entry entry = {
        .kind = ENTRY_CHANGES,
        .flags = ENTRY_BASE,
        .updates = updates,
        .update_count = 2,
    };
    uint64_t seq;
    enum status status;

    if (appender_item_count(self->run.appender) == 0)
        return postgres_run_keep(self, updates, 2, err);
    status = appender_end_local(self->run.appender, &entry, &seq, err);
    return status == STATUS_OK ? appender_commit(self->run.appender, err) : status;
}

/* The store is new: what has its slot's name is an init's that died. */
static enum status drop_left(struct postgres_source *self, struct error *err)
{
    enum status status = postgres_slot_drop(self->postgres, self->options.slot, err);

    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status =
            postgres_publication_drop(self->postgres, self->options.publication, err);
    return status;
}

static enum status copy_from(struct postgres_source *self, struct postgres *walsender,
                             struct error *err)
{
    struct postgres_slot_start start;
    struct postgres_system system;
    enum status status = postgres_identify_system(walsender, &system, err);

    if (status == STATUS_OK)
        status = postgres_source_schema(self, err);
    if (status == STATUS_OK)
        status = drop_left(self, err);
    if (status == STATUS_OK)
        status = publish(self, err);
    if (status == STATUS_OK)
        status = postgres_slot_create(walsender, self->options.slot, &start, err);
    if (status == STATUS_OK)
        status = see_snapshot(self->postgres, start.snapshot, err);
    if (status == STATUS_OK)
        status = copy_tables(self, err);
    if (status == STATUS_OK)
        status = end_base(self, start.lsn, system.identifier, err);
    postgres_rollback(self->postgres);
    return status;
}

enum status postgres_source_base(struct source *source, struct capture_counts *counts,
                                 struct error *err)
{
    struct postgres_source *self = postgres_source_of(source);
    struct postgres *walsender = NULL;
    struct error ignored;
    enum status status = postgres_run_open(self, err);

    if (status == STATUS_OK)
        status = postgres_open(&walsender, postgres_url(self->postgres),
                               POSTGRES_REPLICATION, err);
    if (status == STATUS_OK)
        status = copy_from(self, walsender, err);
    postgres_run_close(self, counts);
    postgres_close(walsender);
    if (status != STATUS_OK && drop_left(self, &ignored) != STATUS_OK)
        (void)error_wrap(err, status,
                         "a slot may be left, which the same init takes over");
    return status;
}
