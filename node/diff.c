/* The happy path: with both snapshots taken, every row that counts is copied from the
 * store into node/shown.h; the store is let go; what is shown is found; then each table
 * of the database is read once and each of its rows looked up there. Rows that nobody
 * looked up and that should be shown are missing. */
#include "node/diff.h"

#include "engine/sqlite_catalog.h"
#include "engine/sqlite_settle.h"
#include "log/log_reader.h"
#include "log/plan.h"
#include "log/rows.h"
#include "node/database.h"
#include "node/shown.h"
#include "node/table_rows.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct diff {
    struct database *database;
    const struct diff_options *options;
    struct catalog catalog;
    struct shown *shown;
    diff_row_cb visit;
    void *data;
    bool stopped; /* the visitor wants no more */
    bool pending; /* the next apply decides anew what is parked */
    const struct progress *watcher;
    struct progress_step progress;
    uint64_t loaded; /* rows of the store that count */
    struct diff_counts *counts;
};

static void report(struct diff *diff, const struct diff_row *row)
{
    diff->counts->missing += row->kind == DIFF_MISSING;
    diff->counts->extra += row->kind == DIFF_EXTRA;
    diff->counts->changed += row->kind == DIFF_CHANGED;
    diff->counts->lacking += row->kind == DIFF_LACKING;
    diff->counts->gone += row->rows;
    if (diff->visit != NULL && !diff->visit(diff->data, row))
        diff->stopped = true;
}

/* ---- the store's side */

/* What the store knows beside the rows. */
struct standing {
    uint64_t applied;
    struct bytes out; /* tables of which the database takes nothing; a view */
};

/* The row as the database is to hold it, unless a constraint hides it: the winner when
 * the database has taken it, else what it held before. held: what it holds, when that is
 * not the winner, or NULL. */
static const struct row *row_that_counts(const struct row *winner, const struct row *held,
                                         bool refused, uint64_t applied)
{
    if (held == NULL)
        return winner;
    if (refused || (!winner->local && winner->winner.seq > applied))
        return held;
    /* The same write, with the columns that only this database has. */
    if (held->live && version_compare(&held->version, &winner->version) == 0)
        return held;
    return winner;
}

/* Whether the database was given the row, and its table takes nothing. */
static bool is_untaken(const struct row *winner, const struct row *held, bool out,
                       uint64_t applied)
{
    return out && held != NULL && !winner->local && winner->winner.seq <= applied &&
           (held->live != winner->live ||
            version_compare(&held->version, &winner->version) != 0);
}

/* *row: as the database is to hold it, which is winner or held. */
static enum status weigh_row(struct diff *diff, struct store_txn *txn, uint32_t table,
                             const struct row *winner, const struct standing *standing,
                             struct row *held, const struct row **row, struct error *err)
{
    bool out = plan_out_has(standing->out, table), has_held, untaken, quarantined;
    struct quarantined why;
    enum status status = held_get(txn, table, winner->key, held, err);

    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    has_held = status == STATUS_OK;
    status = quarantine_get(txn, table, winner->key, &why, err);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    quarantined = status == STATUS_OK;
    untaken = !quarantined &&
              is_untaken(winner, has_held ? held : NULL, out, standing->applied);
    diff->counts->quarantined += quarantined;
    diff->counts->untaken += untaken;
    *row = row_that_counts(winner, has_held ? held : NULL, quarantined || untaken,
                           standing->applied);
    progress_add(&diff->progress, 1);
    return STATUS_OK;
}

static enum status find_parked(struct store_txn *txn, uint32_t table, struct bytes key,
                               bool *is_parked, struct error *err)
{
    struct parked parked;
    enum status status = parked_get(txn, table, key, &parked, err);

    *is_parked = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status load_row(struct diff *diff, struct store_txn *txn, size_t place,
                            uint32_t table, const struct row *winner,
                            const struct standing *standing, struct error *err)
{
    struct row held;
    struct table from;
    const struct row *row = NULL;
    bool is_parked = false;
    enum status status = weigh_row(diff, txn, table, winner, standing, &held, &row, err);

    if (status != STATUS_OK || !row->live)
        return status;
    if (diff->pending || shown_lacks(diff->shown, place) != NULL)
        status = find_parked(txn, table, winner->key, &is_parked, err);
    if (status != STATUS_OK)
        return status;
    if (is_parked && shown_lacks(diff->shown, place) != NULL) {
        /* Since nothing was lacking: what would free it can't be found out. */
        diff->counts->parked++;
        return STATUS_OK;
    }
    diff->loaded++;
    status = tables_find(txn, row->definition_origin, row->definition, &from, err);
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_CORRUPT,
                         "definition %u is not in the store: run `rowferry verify`",
                         row->definition);
    }
    if (status != STATUS_OK)
        return status;
    return shown_add(diff->shown, place,
                     &(struct shown_row){.key = winner->key,
                                         .image = row->image,
                                         .definition = from.definition,
                                         .parked = is_parked},
                     &row->born, err);
}

static enum status load_table(struct diff *diff, struct store_txn *txn, size_t place,
                              const struct standing *standing, struct error *err)
{
    const char *name = diff->catalog.definitions[place]->name;
    struct row_cursor *cursor = NULL;
    struct row row;
    uint32_t table;
    enum status status = tables_id(txn, name, &table, err);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* not logged yet: all its rows are uncaptured */
    if (status == STATUS_OK)
        status = row_cursor_open(&cursor, txn, table, false, err);
    while (status == STATUS_OK &&
           (status = row_cursor_next(cursor, &row, err)) == STATUS_OK)
        status = load_row(diff, txn, place, table, &row, standing, err);
    row_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : error_wrap(err, status, name);
}

/* ---- tables of the store that the database has not */

static bool is_in_catalog(const struct diff *diff, const char *name)
{
    for (size_t i = 0; i < diff->catalog.count; i++) {
        if (strcmp(diff->catalog.definitions[i]->name, name) == 0)
            return true;
    }
    return false;
}

/* What keeps the table of that name, which is there, from being replicated. */
static const char *find_obstacle(const struct diff *diff, const char *table)
{
    for (size_t i = 0; i < diff->catalog.skipped_count; i++) {
        if (sqlite3_stricmp(diff->catalog.skipped[i].name, table) == 0)
            return diff->catalog.skipped[i].why;
    }
    return NULL;
}

/* How many of its rows the database would show. */
static enum status count_gone(struct diff *diff, struct store_txn *txn, uint32_t table,
                              const struct standing *standing, uint64_t *rows,
                              struct error *err)
{
    struct row_cursor *cursor = NULL;
    struct row winner, held;
    const struct row *row = NULL;
    enum status status = row_cursor_open(&cursor, txn, table, false, err);

    while (status == STATUS_OK &&
           (status = row_cursor_next(cursor, &winner, err)) == STATUS_OK) {
        bool is_parked = false;

        status = weigh_row(diff, txn, table, &winner, standing, &held, &row, err);
        if (status != STATUS_OK || !row->live)
            continue;
        status = find_parked(txn, table, winner.key, &is_parked, err);
        diff->counts->parked += is_parked;
        *rows += !is_parked;
    }
    row_cursor_close(cursor);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* A table that never was here shows nothing: its rows are quarantined. */
static enum status meet_gone(struct diff *diff, struct store *store,
                             struct store_txn *txn, uint32_t id,
                             const struct standing *standing, struct error *err)
{
    const struct table_rules *rules = diff->options->rules;
    struct diff_row gone = {.kind = DIFF_GONE};
    const char *name = NULL, *here;
    struct table own;
    bool wanted = true;
    enum status status = tables_name(txn, id, &name, err);

    if (status != STATUS_OK || is_in_catalog(diff, name) ||
        plan_out_has(standing->out, id))
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    status = tables_newest(txn, store_identity(store)->node, id, &own, err);
    here =
        status == STATUS_OK ? own.definition->local_name : table_names_here(rules, name);
    if (status == STATUS_OK || status == STATUS_NOT_FOUND)
        status = table_rules_wants(rules, here, &wanted, err);
    if (status == STATUS_OK && wanted)
        status = count_gone(diff, txn, id, standing, &gone.rows, err);
    if (status == STATUS_OK && gone.rows > 0)
        status = tables_any(txn, id, &own, err);
    if (status != STATUS_OK || gone.rows == 0)
        return status == STATUS_OK ? STATUS_OK : error_wrap(err, status, name);
    gone.definition = own.definition;
    gone.why = find_obstacle(diff, here);
    report(diff, &gone);
    return STATUS_OK;
}

static enum status meet_all_gone(struct diff *diff, struct store *store,
                                 struct store_txn *txn, const struct standing *standing,
                                 struct error *err)
{
    uint32_t count = 0;
    enum status status = tables_count(txn, &count, err);

    for (uint32_t id = 1; status == STATUS_OK && id <= count && !diff->stopped; id++)
        status = meet_gone(diff, store, txn, id, standing, err);
    return status;
}

/* Entries of others that the database has not taken, and whether there are own ones that
 * apply has not met: what they park or free is not decided yet. */
static enum status count_waiting(struct diff *diff, struct store_txn *txn,
                                 uint64_t applied, struct error *err)
{
    const struct diff_options *options = diff->options;
    struct sqlite_database *sqlite = database_sqlite(diff->database);
    struct log_entry entry;
    uint64_t last = 0, known = 0, rules = 0;
    enum status status = meta_get(txn, META_LAST_SEQ, &last, err);

    for (uint64_t seq = applied + 1; status == STATUS_OK && seq <= last; seq++) {
        status = log_get(txn, seq, &entry, err);
        diff->counts->waiting += status == STATUS_OK && !entry.local;
        diff->pending = diff->pending || (status == STATUS_OK && entry.local);
    }
    if (status != STATUS_OK || options->other || sqlite == NULL)
        return status;
    status = meta_get(txn, META_SCHEMA_VERSION, &known, err);
    if (status == STATUS_OK)
        status = sqlite_target_rules(sqlite, options->foreign_keys, options->triggers,
                                     options->rules, &rules, err);
    diff->pending = diff->pending || known != rules;
    return status;
}

/* The database must stand where the store believes it to stand. Postgres does not say how
 * far it is: while there is an intent its batch may be in it. */
static enum status check_state(struct diff *diff, struct store_txn *txn,
                               struct error *err)
{
    struct sqlite_database *sqlite = database_sqlite(diff->database);
    struct sqlite_state state = {0};
    struct intent intent;
    enum status status = STATUS_OK;

    if (sqlite != NULL)
        status = sqlite_state_read(sqlite, &state, err);
    if (sqlite != NULL && status == STATUS_OK)
        status = sqlite_settle_check(txn, &state, err);
    if (status != STATUS_OK)
        return status;
    status = intent_get(txn, &intent, err);
    if (status == STATUS_OK && (sqlite == NULL || intent.counter == state.counter)) {
        return error_set(
            err, STATUS_BUSY,
            "a batch is between its two commits: it is being applied, or was "
            "cut off there and the next `rowferry apply` ends it");
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status load(struct diff *diff, struct store *store, struct error *err)
{
    struct store_txn *txn = NULL;
    struct standing standing = {0};
    struct postgres *asked = NULL;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status != STATUS_OK)
        return status;
    /* The store's snapshot first: what is captured between the two is a local write that
     * this snapshot has not captured. */
    status = diff->database->ops->begin_read(diff->database, err);
    if (status == STATUS_OK && !diff->options->other)
        status = check_state(diff, txn, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_APPLIED, &standing.applied, err);
    if (status == STATUS_OK)
        status = meta_get_bytes(txn, META_OUT, &standing.out, err);
    if (status == STATUS_OK)
        status = count_waiting(diff, txn, standing.applied, err);
    if (status == STATUS_OK)
        status = diff->database->ops->read_catalog(diff->database, diff->options->rules,
                                                   txn, &diff->catalog, err);
    if (status == STATUS_OK && database_postgres(diff->database) != NULL)
        status = database_postgres_asked(diff->database, &asked, err);
    if (status == STATUS_OK)
        status = shown_open(&diff->shown, database_sqlite(diff->database), asked,
                            &diff->catalog, diff->options->foreign_keys, err);
    progress_begin(&diff->progress, diff->watcher,
                   &(struct progress_state){.step = "load", .unit = PROGRESS_ROWS});
    for (size_t i = 0; status == STATUS_OK && i < diff->catalog.count; i++)
        status = load_table(diff, txn, i, &standing, err);
    if (status == STATUS_OK)
        status = meet_all_gone(diff, store, txn, &standing, err);
    store_abort(txn);
    return status;
}

/* ---- the database's side */

struct table_diff {
    struct diff *diff;
    size_t place;
    struct table_rows rows;
};

/* *same: the database's row is as it should be; else it is reported. */
static enum status compare_row(struct table_diff *table, const struct shown_row *should,
                               bool *same, struct error *err)
{
    struct table_rows *rows = &table->rows;
    enum status status = table_rows_compare(rows, should->image, should->definition, err);

    *same = status == STATUS_OK && rows->changed_count == 0;
    if (status == STATUS_OK && rows->changed_count > 0) {
        report(table->diff, &(struct diff_row){.definition = rows->definition,
                                               .key = buffer_view(&rows->key),
                                               .kind = DIFF_CHANGED,
                                               .columns = rows->changed,
                                               .column_count = rows->changed_count});
    }
    return status;
}

static bool is_to_be_there(const struct shown_row *row)
{
    return row->fate == SHOWN_AS_IT_IS || row->fate == SHOWN_REFUSED;
}

/* The row at hand. */
static enum status look_up(struct table_diff *table, struct error *err)
{
    struct diff_row extra = {.definition = table->rows.definition,
                             .key = buffer_view(&table->rows.key),
                             .kind = DIFF_EXTRA};
    struct shown_row should;
    bool is_shown, same;
    enum status status;

    table->diff->counts->rows++;
    progress_add(&table->diff->progress, 1);
    status = shown_find(table->diff->shown, table->place, extra.key, &should, err);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    is_shown = status == STATUS_OK && is_to_be_there(&should);
    /* Not parked yet, when apply has not met what parks it. */
    if (!is_shown &&
        (status == STATUS_NOT_FOUND || !table->diff->pending || should.parked)) {
        report(table->diff, &extra);
        return STATUS_OK;
    }
    status = compare_row(table, &should, &same, err);
    table->diff->counts->unsettled += status == STATUS_OK && same && !is_shown;
    return status == STATUS_OK
               ? shown_mark(table->diff->shown, table->place, extra.key, err)
               : status;
}

static bool report_missing(void *data, const struct shown_row *row)
{
    struct table_diff *table = data;
    struct diff_row missing = {
        .definition = table->rows.definition, .key = row->key, .kind = DIFF_MISSING};

    if (row->seen)
        return true;
    if (!is_to_be_there(row))
        table->diff->counts->parked++;
    else if (table->diff->pending && row->parked) /* not released yet */
        table->diff->counts->unsettled++;
    else
        report(table->diff, &missing);
    return !table->diff->stopped;
}

static enum status compare_table(struct diff *diff, size_t place, struct error *err)
{
    const struct definition *definition = diff->catalog.definitions[place];
    struct table_diff table = {.diff = diff, .place = place};
    struct diff_row lacking = {.definition = definition,
                               .kind = DIFF_LACKING,
                               .why = shown_lacks(diff->shown, place)};
    enum status status = table_rows_init(&table.rows, diff->database, definition, err);

    diff->progress.state.part = definition->name;
    if (status == STATUS_OK && lacking.why != NULL)
        report(diff, &lacking);
    while (status == STATUS_OK && !diff->stopped) {
        status = table_rows_next(&table.rows, err);
        if (status == STATUS_OK)
            status = look_up(&table, err);
    }
    if (status == STATUS_NOT_FOUND)
        status = shown_visit(diff->shown, place, report_missing, &table, err);
    diff->counts->tables++;
    table_rows_release(&table.rows);
    return status == STATUS_OK ? status : error_wrap(err, status, definition->name);
}

/* Find what is shown, and be ready to compare. */
static enum status settle(struct diff *diff, struct error *err)
{
    enum status status;

    progress_begin(&diff->progress, diff->watcher,
                   &(struct progress_state){.step = "settle", .unit = PROGRESS_ROWS});
    status = shown_settle(diff->shown, err);
    progress_begin(&diff->progress, diff->watcher,
                   &(struct progress_state){
                       .step = "compare", .unit = PROGRESS_ROWS, .all = diff->loaded});
    return status;
}

enum status diff_database(struct store *store, struct database *database,
                          const struct diff_options *options, diff_row_cb visit,
                          void *data, struct diff_counts *counts, struct error *err)
{
    struct diff diff = {.database = database,
                        .options = options,
                        .visit = visit,
                        .data = data,
                        .watcher = store_progress(store),
                        .counts = counts};
    uint64_t different;
    enum status status;

    *counts = (struct diff_counts){0};
    status = load(&diff, store, err);
    if (status == STATUS_OK)
        status = settle(&diff, err);
    for (size_t i = 0; status == STATUS_OK && !diff.stopped && i < diff.catalog.count;
         i++)
        status = compare_table(&diff, i, err);
    database->ops->rollback(database);
    shown_close(diff.shown);
    catalog_release(&diff.catalog);
    different = counts->missing + counts->extra + counts->changed + counts->gone;
    if (status != STATUS_OK || different == 0)
        return status;
    return error_set(err, STATUS_DIFFERENT, "%s: %" PRIu64 " row%s not as the log has it",
                     database->name, different, different == 1 ? " is" : "s are");
}
