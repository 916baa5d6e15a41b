#include "capture/sqlite_scan.h"

#include "capture/scan_schema.h"
#include "capture/sqlite_outbox.h"
#include "engine/sqlite_own_write.h"
#include "engine/sqlite_settle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct sqlite_scan {
    struct source source;
    struct sqlite_database *database;
    struct store *store;
    const char *note; /* the caller's; NULL: none */
    const struct table_rules *rules;
    uint64_t rows; /* there are about so many; 0: unknown */
    bool foreign_keys;
    struct scan_schema schema;
    struct layer_run run;
    uint64_t taken; /* of the outbox: id of the last row that is in the log, */
    bool drained;   /* once this scan knows it */
    bool complete; /* a scan ended with everything logged, at data_version, when the store
                      knew so many definitions */
    int64_t data_version;
    uint64_t generation;
};

/* What one scan is to be. */
struct scan_order {
    bool base;        /* the first snapshot */
    bool yields;      /* see source.h, enter */
    const char *note; /* why; NULL: nobody says */
    uint64_t counter; /* of rowferry_state, as read in the same transaction */
    struct changeset_order *changesets; /* instead of a scan; NULL: none */
};

static struct sqlite_scan *scan_of(struct source *source)
{
    return (struct sqlite_scan *)source; /* its first member */
}

/* End what was added as one entry, if anything was. */
static enum status end_entry(struct sqlite_scan *scan, const struct scan_order *order,
                             enum entry_kind kind, uint64_t written_us, struct error *err)
{
    struct meta_update seen[2] = {
        {META_SEEN,   order->counter},
        {META_OUTBOX, scan->taken   }
    };
    bool base = order->base && kind == ENTRY_CHANGES;
    struct local_entry entry = {
        .kind = kind,
        .flags = base || (order->yields && kind == ENTRY_CHANGES) ? ENTRY_BASE : 0,
        .commit_us = base ? 0 : written_us,
        .updates = order->base ? seen + 1 : seen,
        .update_count = (size_t)!order->base + scan->drained,
    };
    struct buffer fields = {0};
    uint64_t seq;
    enum status status;

    if (appender_item_count(scan->run.appender) == 0)
        return STATUS_OK;
    if (order->note != NULL && kind == ENTRY_CHANGES)
        entry_field_put(&fields, FIELD_NOTE, bytes_of_text(order->note));
    status = buffer_check(&fields, err);
    entry.fields = buffer_view(&fields);
    if (status == STATUS_OK)
        status = appender_end_local(scan->run.appender, &entry, &seq, err);
    buffer_release(&fields);
    return status == STATUS_OK ? appender_commit(scan->run.appender, err) : status;
}

/* What was kept is no write of now: its entry follows the last time that is known. */
static enum status tell_kept(struct sqlite_scan *scan, const struct scan_order *order,
                             struct error *err)
{
    struct store_txn *txn;
    uint64_t last_us = 0;
    enum status status = appender_txn(scan->run.appender, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_CLOCK, &last_us, err);
    for (size_t i = 0; i < scan->schema.count && status == STATUS_OK; i++) {
        struct scan_table *table = scan->schema.tables[i];

        if (table != NULL)
            status = row_layer_kept(scan_table_layer(table), &scan->run, err);
    }
    return status == STATUS_OK ? end_entry(scan, order, ENTRY_CHANGES, last_us + 1, err)
                               : status;
}

/* A first snapshot has what the outbox tells, and so have rows that yield. */
static enum status take_outbox(struct sqlite_scan *scan, const struct scan_order *order,
                               struct error *err)
{
    struct sqlite_outbox_order outbox = {order->counter,
                                         scan->schema.catalog.schema_version};
    struct sqlite_outbox_result result = {0};
    enum status status = order->base || order->yields
                             ? sqlite_outbox_newest(scan->database, &result.taken, err)
                             : sqlite_outbox_drain(scan->database, &scan->schema,
                                                   &scan->run, &outbox, &result, err);

    scan->taken = result.taken;
    scan->drained = status == STATUS_OK;
    return status;
}

static enum status scan_tables(struct sqlite_scan *scan, struct error *err)
{
    enum status status = STATUS_OK;

    progress_begin(&scan->run.progress, store_progress(scan->store),
                   &(struct progress_state){
                       .step = "read", .unit = PROGRESS_ROWS, .all = scan->rows});
    for (size_t i = 0; i < scan->schema.count && status == STATUS_OK; i++)
        if (scan->schema.tables[i] != NULL)
            status = scan_table_run(scan->schema.tables[i], &scan->run, err);
    return status;
}

/* The tables as they are, logged; and what recorders tell of them. */
static enum status begin_scan(struct sqlite_scan *scan, const struct scan_order *order,
                              uint64_t *written_us, struct error *err)
{
    struct layer_run *run = &scan->run;
    struct store_txn *txn;
    enum status status =
        appender_open(&run->appender, scan->store, APPENDER_CAPTURE, err);

    scan->drained = false;
    if (status == STATUS_OK)
        status = appender_txn(run->appender, &txn, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &run->applied, err);
    if (status == STATUS_OK && order->changesets != NULL)
        status = changeset_floor(txn, &order->changesets->floor_us, err);
    if (status == STATUS_OK)
        status = sqlite_written_us(scan->database, txn, store_now_us(scan->store),
                                   written_us, err);
    /* Definitions first, and durable: the scan goes on without LMDB's writer. */
    if (status == STATUS_OK)
        status = scan_schema_read(&scan->schema, scan->database, scan->rules,
                                  scan->foreign_keys, run->appender, err);
    /* They must not make the files look older than what was captured. */
    if (order->changesets != NULL && *written_us > order->changesets->files[0].time_us)
        *written_us = order->changesets->files[0].time_us;
    if (status == STATUS_OK)
        status = end_entry(scan, order, ENTRY_TABLES, *written_us, err);
    if (status == STATUS_OK)
        status = scan_schema_open(&scan->schema, scan->database, scan->rules,
                                  run->appender, err);
    if (status == STATUS_OK && !order->base && !order->yields)
        status = tell_kept(scan, order, err);
    return status == STATUS_OK ? take_outbox(scan, order, err) : status;
}

/* Count what is in the log now, whatever came after it. */
static void end_scan(struct sqlite_scan *scan, struct capture_counts *counts)
{
    struct append_counts logged;

    if (scan->run.appender == NULL)
        return;
    logged = appender_counts(scan->run.appender);
    counts->entries += logged.entries;
    counts->changes += logged.changes;
    appender_close(scan->run.appender);
    scan->run.appender = NULL;
}

/* What was read of the outbox is not to be met again, least of all without the rows that
 * are forgotten next; where nothing was different no entry has said so. */
static enum status remember_taken(struct sqlite_scan *scan, struct error *err)
{
    struct meta_update taken = {META_OUTBOX, scan->taken};
    struct store_txn *txn = NULL;
    uint64_t known = 0;
    enum status status = store_begin(scan->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = meta_get(txn, META_OUTBOX, &known, err);
    store_abort(txn);
    return status == STATUS_OK && known != scan->taken
               ? sqlite_own_write_put(scan->store, &taken, 1, err)
               : status;
}

/* Compare and log, in the transaction that is open on the database. */
static enum status scan_within(struct sqlite_scan *scan, const struct scan_order *order,
                               struct capture_counts *counts, struct error *err)
{
    uint64_t written_us = 0;
    enum status status = begin_scan(scan, order, &written_us, err);

    if (status == STATUS_OK)
        status = scan_tables(scan, err);
    if (status == STATUS_OK)
        status = end_entry(scan, order, ENTRY_CHANGES, written_us, err);
    end_scan(scan, counts);
    return status == STATUS_OK ? remember_taken(scan, err) : status;
}

static enum status read_generation(struct sqlite_scan *scan, uint64_t *generation,
                                   struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(scan->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = tables_generation(txn, generation, err);
    store_abort(txn);
    return status;
}

/* The same, unless nobody else has committed since the last scan, and no definition has
 * come: with one, what was kept may have to be told (row_layer_kept.c). */
static enum status scan_if_written(struct sqlite_scan *scan,
                                   const struct scan_order *order,
                                   struct capture_counts *counts, struct error *err)
{
    int64_t data_version = 0;
    uint64_t generation = 0;
    enum status status = sqlite_data_version(scan->database, &data_version, err);

    if (status == STATUS_OK)
        status = read_generation(scan, &generation, err);
    if (status != STATUS_OK || (scan->complete && scan->data_version == data_version &&
                                scan->generation == generation))
        return status;
    scan->complete = false;
    status = scan_within(scan, order, counts, err);
    if (status != STATUS_OK)
        return sqlite_wrap(scan->database, status, err);
    scan->complete = true;
    scan->data_version = data_version;
    scan->generation = generation;
    return STATUS_OK;
}

/* Raise the counter in the open write transaction, commit, remember it. */
static enum status raise_within(struct sqlite_scan *scan, struct sqlite_state state,
                                struct error *err)
{
    struct meta_update updates[SQLITE_OWN_WRITE_UPDATES];
    struct sqlite_own_write own = {0};
    struct store_txn *txn = NULL;
    size_t count = 0;
    enum status status = store_begin(scan->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = sqlite_own_write_before(scan->database, txn, &own, err);
    store_abort(txn);
    state.counter++;
    if (status == STATUS_OK)
        status = sqlite_outbox_forget(scan->database, scan->taken, err);
    if (status == STATUS_OK)
        status = sqlite_state_write(scan->database, &state, err);
    if (status == STATUS_OK)
        status = sqlite_commit(scan->database, err);
    if (status == STATUS_OK)
        status = sqlite_own_write_after(scan->database, &own, state.counter, updates,
                                        &count, err);
    if (status == STATUS_OK)
        status = sqlite_own_write_put(scan->store, updates, count, err);
    return status;
}

/* What was captured is in the log already. A writer in the way only means that the
 * database does not say so: the store has seen the counter as it is. */
static enum status raise_counter(struct sqlite_scan *scan,
                                 const struct sqlite_state *state, struct error *err)
{
    enum status status = sqlite_begin_write(scan->database, err);

    if (status == STATUS_OK)
        status = raise_within(scan, *state, err);
    sqlite_rollback(scan->database);
    return status == STATUS_BUSY ? STATUS_OK : status;
}

static enum status capture_as(struct sqlite_scan *scan, struct scan_order order,
                              struct capture_counts *counts, struct error *err)
{
    struct sqlite_state state;
    uint64_t entries = counts->entries;
    enum status status =
        sqlite_settle_begin(scan->database, scan->store, SQLITE_SETTLE_READ, &state, err);

    if (status != STATUS_OK)
        return status;
    order.counter = state.counter;
    status = scan_if_written(scan, &order, counts, err);
    sqlite_rollback(scan->database);
    if (status == STATUS_OK && counts->entries != entries)
        status = raise_counter(scan, &state, err);
    return status;
}

/* In the transaction that is open on the database. */
static enum status lay_within(struct sqlite_scan *scan, const struct scan_order *order,
                              struct capture_counts *counts, struct error *err)
{
    uint64_t written_us = 0;
    enum status status = begin_scan(scan, order, &written_us, err);

    order->changesets->outbox = scan->taken;
    if (status == STATUS_OK)
        status = changeset_lay(&scan->schema, &scan->run, order->changesets, err);
    end_scan(scan, counts);
    return status == STATUS_OK ? remember_taken(scan, err) : status;
}

static enum status lay(struct sqlite_scan *scan, struct changeset_order *changesets,
                       struct capture_counts *counts, struct error *err)
{
    struct scan_order order = {.changesets = changesets};
    struct sqlite_state state;
    enum status status =
        sqlite_settle_begin(scan->database, scan->store, SQLITE_SETTLE_READ, &state, err);

    if (status != STATUS_OK)
        return status;
    order.counter = state.counter;
    changesets->counter = state.counter;
    status = lay_within(scan, &order, counts, err);
    sqlite_rollback(scan->database);
    if (status == STATUS_OK && counts->entries > 0)
        status = raise_counter(scan, &state, err);
    return status;
}

enum status sqlite_scan_changesets(struct source *source, const char *const *paths,
                                   size_t count, changeset_notice_cb notice,
                                   void *notice_data, struct capture_counts *counts,
                                   struct error *err)
{
    struct sqlite_scan *scan = scan_of(source);
    struct changeset_file *files = calloc(count, sizeof *files);
    struct changeset_order order = {
        .files = files, .count = count, .notice = notice, .notice_data = notice_data};
    uint64_t now_us = store_now_us(scan->store);
    enum status status = STATUS_OK;

    assert(count > 0);
    *counts = (struct capture_counts){0};
    if (files == NULL)
        return error_set(err, STATUS_NO_MEMORY, "changesets: out of memory");
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = changeset_file_check(&files[i], paths[i], err);
        if (files[i].time_us > now_us)
            files[i].time_us = now_us;
    }
    if (status == STATUS_OK)
        status = lay(scan, &order, counts, err);
    free(files);
    return status;
}

static enum status capture(struct source *source, struct capture_counts *counts,
                           struct error *err)
{
    struct sqlite_scan *scan = scan_of(source);

    return capture_as(scan, (struct scan_order){.note = scan->note}, counts, err);
}

/* What does not yield is for the next capture. */
static enum status enter(struct source *source, bool yields,
                         struct capture_counts *counts, struct error *err)
{
    struct sqlite_scan *scan = scan_of(source);
    enum status status;

    if (!yields)
        return STATUS_OK;
    scan->complete = false;
    scan->run.yields = true;
    status = capture_as(scan, (struct scan_order){.yields = true}, counts, err);
    scan->run.yields = false;
    scan->complete = false;
    return status;
}

static void close_scan(struct source *source)
{
    struct sqlite_scan *scan;

    if (source == NULL)
        return;
    scan = scan_of(source);
    assert(scan->run.appender == NULL);
    scan_schema_release(&scan->schema);
    layer_run_release(&scan->run);
    free(scan);
}

static const struct source_ops scan_ops = {
    .capture = capture, .base = sqlite_scan_base, .enter = enter, .close = close_scan};

enum status sqlite_scan_open(struct source **out, struct sqlite_database *database,
                             struct store *store,
                             const struct sqlite_scan_options *options, struct error *err)
{
    struct sqlite_scan *scan = calloc(1, sizeof *scan);

    *out = NULL;
    if (scan == NULL)
        return error_set(err, STATUS_NO_MEMORY, "scan: out of memory");
    scan->rules = options->rules;
    scan->source.ops = &scan_ops;
    scan->database = database;
    scan->store = store;
    scan->foreign_keys = options->foreign_keys;
    scan->rows = options->rows;
    *out = &scan->source;
    return STATUS_OK;
}

enum status sqlite_scan_base(struct source *source, struct capture_counts *counts,
                             struct error *err)
{
    struct sqlite_scan *scan = scan_of(source);
    struct scan_order order = {.base = true};
    enum status status = sqlite_begin_read(scan->database, err);

    if (status != STATUS_OK)
        return status;
    status = scan_if_written(scan, &order, counts, err);
    sqlite_rollback(scan->database);
    return status;
}

enum status sqlite_scan_locked(struct source *source, bool *logged, struct error *err)
{
    struct sqlite_scan *scan = scan_of(source);
    struct capture_counts counts = {0};
    struct sqlite_state state;
    enum status status;

    assert(sqlite3_get_autocommit(sqlite_database_handle(scan->database)) == 0);
    *logged = false;
    status = sqlite_state_read(scan->database, &state, err); /* may roll back, failing */
    if (status != STATUS_OK)
        return status;
    status = scan_if_written(scan, &(struct scan_order){.counter = state.counter},
                             &counts, err);
    *logged = counts.entries > 0;
    if (status == STATUS_OK && *logged)
        status = sqlite_outbox_forget(scan->database, scan->taken, err);
    return status;
}

void sqlite_scan_forget(struct source *source)
{
    scan_of(source)->complete = false;
}

void sqlite_scan_note(struct source *source, const char *note)
{
    scan_of(source)->note = note;
}
