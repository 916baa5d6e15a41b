/* Every row of every table as it was when the slot began: the first copy, and what a node
 * that joins has beside the fleet's. */
#include "capture/postgres_source_private.h"

#include "engine/postgres_reader.h"
#include "engine/postgres_stored.h"

enum { BASE_ROWS = 10000 }; /* of whole tables that are one entry */

/* One walk over all tables. */
struct snapshot {
    struct postgres_source *self;
    struct postgres *read;  /* its transaction's snapshot it is */
    struct postgres *asked; /* what values become there; outside of the snapshot */
    bool complete;          /* rows that are not there are gone */
    /* Of the table at hand. */
    const struct definition *definition;
    struct row_layer *layer;
    uint64_t matched; /* rows that the store knew of */
};

/* ---- one table */

static enum status open_layer(struct snapshot *snapshot, const struct table *table,
                              struct error *err)
{
    struct row_comparer *comparer = NULL;
    struct stored *stored = NULL;
    struct store_txn *txn;
    enum status status = appender_txn(snapshot->self->run.appender, &txn, err);

    if (status == STATUS_OK)
        status = postgres_stored_open(&stored, snapshot->asked, table->definition, err);
    if (status == STATUS_OK)
        status = row_comparer_open(&comparer, stored, table->definition, err);
    return status == STATUS_OK
               ? row_layer_open(&snapshot->layer, comparer, txn, table, err)
               : status;
}

static enum status lay_rows(struct snapshot *snapshot, struct error *err)
{
    struct layer_run *run = &snapshot->self->run;
    struct postgres_reader *reader = NULL;
    enum status status =
        postgres_reader_open(&reader, snapshot->read, snapshot->definition, err);

    snapshot->matched = 0;
    while (status == STATUS_OK) {
        bool held = false;

        status = postgres_reader_next(reader, row_layer_values(snapshot->layer), err);
        if (status != STATUS_OK)
            break;
        progress_add_sized(&run->progress, postgres_reader_row_size(reader));
        status = row_layer_put(snapshot->layer, run, &held, err);
        snapshot->matched += held;
    }
    postgres_reader_close(reader);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status is_there(void *data, struct bytes key, bool *there, struct error *err)
{
    struct snapshot *snapshot = data;

    return postgres_reader_find(snapshot->read, snapshot->definition, key, there, err);
}

/* Deleted since the rows met the fleet's. */
static enum status lay_gone(struct snapshot *snapshot, struct error *err)
{
    struct layer_run *run = &snapshot->self->run;
    uint64_t count = 0;
    enum status status = row_layer_count(snapshot->layer, run, &count, err);

    if (status != STATUS_OK || count == snapshot->matched)
        return status;
    return row_layer_gone(snapshot->layer, run, is_there, snapshot, err);
}

static enum status lay_table(struct snapshot *snapshot, const struct table *table,
                             struct error *err)
{
    enum status status = open_layer(snapshot, table, err);

    snapshot->definition = table->definition;
    snapshot->self->run.progress.state.part = table->definition->name;
    if (status == STATUS_OK)
        status = lay_rows(snapshot, err);
    if (status == STATUS_OK && snapshot->complete)
        status = lay_gone(snapshot, err);
    row_layer_close(snapshot->layer);
    snapshot->layer = NULL;
    return status == STATUS_OK ? status
                               : error_wrap(err, status, table->definition->name);
}

static enum status lay_definition(struct snapshot *snapshot,
                                  const struct definition *definition, struct error *err)
{
    struct postgres_source *self = snapshot->self;
    struct store_txn *txn;
    struct table table;
    enum status status = appender_txn(self->run.appender, &txn, err);

    if (status == STATUS_OK)
        status = tables_find(txn, store_identity(self->store)->node, definition->number,
                             &table, err);
    return status == STATUS_OK ? lay_table(snapshot, &table, err) : status;
}

/* rows: that there are, 0: unknown. */
static void begin_progress(struct postgres_source *self, uint64_t rows)
{
    progress_begin(
        &self->run.progress, store_progress(self->store),
        &(struct progress_state){.step = "read", .unit = PROGRESS_ROWS, .all = rows});
}

/* ---- all of them */

static enum status lay_tables(struct snapshot *snapshot, struct error *err)
{
    struct postgres_source *self = snapshot->self;
    enum status status = STATUS_OK;

    begin_progress(self, self->options.rows);
    for (size_t i = 0; i < self->catalog.count && status == STATUS_OK; i++) {
        const struct definition *definition = self->catalog.definitions[i];

        if (table_rules_direction(self->options.rules, definition->local_name) !=
            TABLE_IN)
            status = lay_definition(snapshot, definition, err);
    }
    return status;
}

/* End what was added, which may be nothing. */
static enum status end_entry(struct postgres_source *self, struct local_entry entry,
                             struct error *err)
{
    uint64_t seq;
    enum status status;

    if (appender_item_count(self->run.appender) == 0) {
        return entry.update_count == 0
                   ? STATUS_OK
                   : postgres_run_keep(self, entry.updates, entry.update_count, err);
    }
    entry.kind = ENTRY_CHANGES;
    status = appender_end_local(self->run.appender, &entry, &seq, err);
    return status == STATUS_OK ? appender_commit(self->run.appender, err) : status;
}

/* The same; the stream goes on from start; NULL: that is still to be said. */
static enum status end_rows(struct postgres_source *self, struct local_entry entry,
                            const struct postgres_start *start, struct error *err)
{
    struct meta_update updates[4];

    if (start != NULL) {
        updates[0] = (struct meta_update){META_LSN, start->lsn};
        updates[1] = (struct meta_update){META_SYSTEM, start->server.system};
        updates[2] = (struct meta_update){META_TIMELINE, start->server.timeline};
        updates[3] = (struct meta_update){META_TAKEN_COUNT, self->taken.count};
        entry.updates = updates;
        entry.update_count = 4;
    }
    return end_entry(self, entry, err);
}

/* ---- one that came later */

enum status postgres_source_lay_table(struct postgres_source *self, struct postgres *read,
                                      const struct table *table,
                                      const struct meta_update *updates,
                                      size_t update_count, struct error *err)
{
    struct snapshot snapshot = {
        .self = self, .read = read, .asked = self->postgres, .complete = true};
    struct local_entry entry = {.commit_us = store_now_us(self->store),
                                .updates = updates,
                                .update_count = update_count};
    enum status status;

    begin_progress(self, 0);
    status = lay_table(&snapshot, table, err);
    return status == STATUS_OK ? end_entry(self, entry, err) : status;
}

/* ---- the founder's */

/* From here on the store says that so many of the taken tables are in the log. */
static enum status end_tables(struct snapshot *snapshot, size_t count,
                              struct postgres_start *start, struct error *err)
{
    struct postgres_source *self = snapshot->self;
    struct meta_update updates[] = {
        {META_LSN,         start->lsn            },
        {META_SYSTEM,      start->server.system  },
        {META_TIMELINE,    start->server.timeline},
        {META_TAKEN_COUNT, count                 },
    };
    struct local_entry entry = {
        .flags = ENTRY_BASE, .updates = updates, .update_count = 4};
    enum status status = end_entry(self, entry, err);

    if (status == STATUS_OK)
        self->kept = start->lsn;
    return status;
}

/* Tables in a circle of references are one entry: each has parents of the others. */
static bool may_end_behind(const struct postgres_taken *taken, size_t i)
{
    return i + 1 < taken->count && taken->list[i].order != taken->list[i + 1].order;
}

/* In the order of self->taken, an entry for some tables each, so that whoever is killed
 * can go on behind them. The store has no rows that they could differ from: nothing is
 * asked. */
static enum status lay_taken(struct snapshot *snapshot, struct postgres_start *start,
                             struct error *err)
{
    struct postgres_source *self = snapshot->self;
    enum status status = STATUS_OK;

    begin_progress(self, self->options.rows);
    for (size_t i = 0; i < self->taken.count && status == STATUS_OK; i++) {
        const char *name = self->taken.list[i].name;

        status = lay_definition(snapshot, catalog_find_local(&self->catalog, name), err);
        if (status == STATUS_OK && may_end_behind(&self->taken, i) &&
            appender_item_count(self->run.appender) >= BASE_ROWS)
            status = end_tables(snapshot, i + 1, start, err);
    }
    return status == STATUS_OK ? end_tables(snapshot, self->taken.count, start, err)
                               : status;
}

static enum status copy_all(struct postgres_source *self, struct error *err)
{
    struct snapshot snapshot = {
        .self = self, .read = self->postgres, .asked = self->postgres};
    struct postgres_start start;
    enum status status = postgres_source_start(self, &start, err);

    if (status == STATUS_OK)
        status = lay_taken(&snapshot, &start, err);
    postgres_rollback(self->postgres);
    return status;
}

/* What the last table said that can't be taken yet. */
static void keep_notice(void *data, const char *text)
{
    struct error *waits = data;

    (void)error_set(waits, STATUS_BUSY, "%s", text);
}

/* Tables that an init before this one did not come to are as those that come later. */
static enum status copy_rest(struct postgres_source *self, struct capture_counts *counts,
                             struct error *err)
{
    struct error waits = {0};
    enum status status =
        postgres_source_take_tables(&self->source, keep_notice, &waits, counts, err);

    if (status == STATUS_OK && self->looked.waits != 0)
        *err = waits;
    return status == STATUS_OK && self->looked.waits != 0 ? STATUS_BUSY : status;
}

/* A slot that nobody reads keeps WAL for ever, unless what it was made for goes on. */
static enum status give_up(struct postgres_source *self, enum status status,
                           struct error *err)
{
    struct error ignored;

    if (status == STATUS_OK)
        return status;
    if (self->kept != 0) {
        return error_wrap(err, status,
                          "what was copied stays, and with it a slot that keeps WAL, for "
                          "the same init to go on");
    }
    if (postgres_source_forsake(self, &ignored) != STATUS_OK)
        (void)error_wrap(err, status,
                         "a slot may be left, which the next try takes over");
    return status;
}

enum status postgres_source_base(struct source *source, struct capture_counts *counts,
                                 struct error *err)
{
    struct postgres_source *self = postgres_source_of(source);
    enum status status = postgres_run_open(self, err);
    bool begun = status == STATUS_OK && self->kept != 0;

    if (status == STATUS_OK && !begun)
        status = copy_all(self, err);
    postgres_run_close(self, counts);
    if (begun)
        status = copy_rest(self, counts, err);
    return give_up(self, status, err);
}

/* ---- a joiner's */

/* Whether the row of an intent is not in the snapshot. */
static enum status is_gone(void *data, uint32_t id, struct bytes key, bool *gone,
                           struct error *err)
{
    struct postgres_source *self = data;
    struct store_txn *txn = NULL;
    struct table table;
    bool there = false;
    enum status status = store_begin(self->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = tables_newest(txn, store_identity(self->store)->node, id, &table, err);
    if (status == STATUS_OK)
        status = postgres_reader_find(self->postgres, table.definition, key, &there, err);
    store_abort(txn);
    *gone = !there;
    return status;
}

/* The slot that would have told whether the last batch was committed is no more. */
static enum status end_batch(struct postgres_source *self, struct error *err)
{
    enum status status = postgres_run_yield(self, err);

    if (status == STATUS_OK)
        status = intent_drop_unknown(self->store, is_gone, self, err);
    return status == STATUS_OK ? postgres_run_resume(self, err) : status;
}

static enum status lay_all(struct postgres_source *self, struct postgres *asked,
                           bool yields, struct error *err)
{
    struct snapshot snapshot = {.self = self, .read = self->postgres, .asked = asked};
    struct local_entry entry = {.commit_us = store_now_us(self->store)};
    struct postgres_start start;
    enum status status = postgres_source_start(self, &start, err);

    if (status == STATUS_OK)
        status = end_batch(self, err);
    if (status == STATUS_OK && yields) {
        entry.flags = ENTRY_BASE;
        self->run.yields = true;
        status = lay_tables(&snapshot, err);
        self->run.yields = false;
        if (status == STATUS_OK)
            status = end_rows(self, entry, NULL, err);
        entry.flags = 0;
    }
    snapshot.complete = true;
    if (status == STATUS_OK)
        status = lay_tables(&snapshot, err);
    if (status == STATUS_OK)
        status = end_rows(self, entry, &start, err);
    postgres_rollback(self->postgres);
    return status;
}

/* The run is open, and closed on return. */
static enum status enter(struct postgres_source *self, bool yields,
                         struct capture_counts *counts, struct error *err)
{
    struct postgres *asked = NULL;
    enum status status =
        postgres_open(&asked, postgres_url(self->postgres), POSTGRES_READ, err);

    if (status == STATUS_OK)
        status = lay_all(self, asked, yields, err);
    postgres_run_close(self, counts);
    postgres_close(asked);
    /* With a position there is still the slot that it is of. */
    return self->kept == 0 ? give_up(self, status, err) : status;
}

/* The position comes with the last of the rows: whoever finds one has entered, and who
 * finds none begins anew with another slot, which has all that was written meanwhile
 * behind it. What an earlier try logged differs from nothing any more. */
enum status postgres_source_enter(struct source *source, bool yields,
                                  struct capture_counts *counts, struct error *err)
{
    struct postgres_source *self = postgres_source_of(source);
    enum status status = postgres_run_open(self, err);

    if (status != STATUS_OK || self->kept != 0) {
        postgres_run_close(self, counts);
        return status;
    }
    return enter(self, yields, counts, err);
}

/* ---- begun anew */

/* The tables are logged first: a row here is encoded by what this node calls it. */
static enum status log_schema(struct postgres_source *self, struct capture_counts *counts,
                              struct error *err)
{
    enum status status = postgres_run_open(self, err);

    if (status == STATUS_OK)
        status = postgres_source_schema(self, err);
    postgres_run_close(self, counts);
    return status;
}

/* What the old slot tells is nothing to whom the database is wrong. */
static enum status prepare(struct postgres_source *self, source_rewrite_cb rewrite,
                           void *data, struct capture_counts *counts, struct error *err)
{
    enum status status;

    if (rewrite == NULL) {
        status = self->source.ops->capture(&self->source, counts, err);
        return status == STATUS_REFUSED ? STATUS_OK : status;
    }
    status = log_schema(self, counts, err);
    return status == STATUS_OK ? rewrite(data, err) : status;
}

enum status postgres_source_resync(struct source *source, source_rewrite_cb rewrite,
                                   void *data, struct capture_counts *counts,
                                   struct error *err)
{
    struct postgres_source *self = postgres_source_of(source);
    enum status status = prepare(self, rewrite, data, counts, err);

    postgres_source_close_stream(self);
    if (status != STATUS_OK)
        return status;
    status = postgres_run_open(self, err);
    if (status == STATUS_OK)
        return enter(self, false, counts, err);
    postgres_run_close(self, counts);
    return status;
}
