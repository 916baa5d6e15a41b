#include "node/meeting.h"

#include "log/rows.h"
#include "log/tables.h"
#include "node/meeting_side.h"
#include "node/table_rows.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

struct meeting {
    struct node *node;
    struct catalog catalog;
    struct store_txn *txn; /* reading */
    bool hold;             /* second pass: say which rows are held */
    bool hold_all;         /* those that differ too */
    uint64_t to_hold;      /* there are so many */
    struct buffer keys; /* of rows to be changed in the store, each with what is held of
                           it where that is neither the winner nor nothing */
    struct buffer rest;
    uint32_t key_count;
    struct progress_step progress;
    diff_row_cb visit; /* NULL: nobody wants to know which rows differ */
    void *data;
    bool stopped;      /* the visitor wants no more */
    bool compare_only; /* count what only this database has, in any table */
    struct diff_counts counts;
};

/* ---- what the store says is held */

static bool is_full(const struct meeting *meeting)
{
    return meeting->key_count >= STEP_CHANGES || meeting->keys.size >= RUN_BYTES;
}

static enum status note_key(struct meeting *meeting, struct bytes key, struct bytes rest,
                            struct error *err)
{
    buffer_put_sized(&meeting->keys, key);
    buffer_put_sized(&meeting->keys, rest);
    meeting->key_count++;
    return buffer_check(&meeting->keys, err);
}

/* The winner has values for columns that are not here. What the database has is of no
 * version, so that the first batch finds the winner newer, and refuses it or not. */
static enum status hold_rest(struct store_txn *txn, uint32_t table, struct bytes key,
                             struct bytes rest, struct error *err)
{
    struct row row;
    enum status status = rows_get(txn, table, key, &row, err);

    if (status != STATUS_OK)
        return status;
    row = (struct row){
        .born = row.born,
        .live = true,
        .definition_origin = row.definition_origin,
        .definition = row.definition,
        .image = rest,
        .key = key,
    };
    return held_put(txn, table, &row, err);
}

static enum status write_key(struct store_txn *txn, uint32_t table, struct bytes key,
                             struct bytes rest, bool held, struct error *err)
{
    if (rest.size > 0)
        return hold_rest(txn, table, key, rest, err);
    return held ? held_delete(txn, table, key, err)
                : held_put(txn, table, &(struct row){.key = key}, err);
}

/* One transaction: these rows are held as their winners, as noted, or not at all. */
static enum status write_keys(struct meeting *meeting, uint32_t table, bool held,
                              struct error *err)
{
    struct bytes keys = buffer_view(&meeting->keys), key, rest;
    struct store_txn *txn = NULL;
    enum status status = store_begin(meeting->node->store, TXN_WRITE, &txn, err);

    while (status == STATUS_OK && bytes_take_sized(&keys, &key) &&
           bytes_take_sized(&keys, &rest))
        status = write_key(txn, table, key, rest, held, err);
    buffer_clear(&meeting->keys);
    meeting->key_count = 0;
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

/* Copy a run of the table's keys. *after: the last one; *ended: there are no more. */
static enum status read_keys(struct meeting *meeting, uint32_t table,
                             struct buffer *after, bool *ended, struct error *err)
{
    struct row_cursor *cursor = NULL;
    struct store_txn *txn = NULL;
    struct row row;
    enum status status = store_begin(meeting->node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = row_cursor_open(&cursor, txn, table, false, err);
    if (status == STATUS_OK && after->size > 0)
        status = row_cursor_seek_after(cursor, buffer_view(after), err);
    while (status == STATUS_OK && !is_full(meeting)) {
        status = row_cursor_next(cursor, &row, err);
        if (status != STATUS_OK)
            break;
        buffer_clear(after);
        buffer_put_bytes(after, row.key);
        status = note_key(meeting, row.key, (struct bytes){0}, err);
    }
    row_cursor_close(cursor);
    store_abort(txn);
    *ended = status == STATUS_NOT_FOUND;
    return *ended ? buffer_check(after, err) : status;
}

/* A database that has not joined holds nothing of the fleet's. */
static enum status take_back(struct meeting *meeting, struct error *err)
{
    struct store_txn *txn = NULL;
    struct buffer after = {0};
    uint32_t count = 0;
    enum status status = store_begin(meeting->node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = tables_count(txn, &count, err);
    store_abort(txn);
    for (uint32_t table = 1; status == STATUS_OK && table <= count; table++) {
        bool ended = false;

        buffer_clear(&after);
        while (status == STATUS_OK && !ended) {
            status = read_keys(meeting, table, &after, &ended, err);
            if (status == STATUS_OK && meeting->key_count > 0)
                status = write_keys(meeting, table, false, err);
        }
    }
    buffer_release(&after);
    return status;
}

/* ---- row by row */

/* *differs: the fleet has a row of this key that is not as the one at hand. */
static enum status meet_row(struct meeting *meeting, struct table_rows *rows,
                            uint32_t table, bool *differs, struct error *err)
{
    struct bytes key = buffer_view(&rows->key);
    struct table written;
    struct row winner;
    enum status status = rows_get(meeting->txn, table, key, &winner, err);

    *differs = false;
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !winner.live)) {
        meeting->counts.only_here++;
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = tables_find(meeting->txn, winner.definition_origin, winner.definition,
                             &written, err);
    if (status == STATUS_NOT_FOUND) {
        return error_set(err, STATUS_CORRUPT,
                         "definition %u is not in the store: run `rowferry verify`",
                         winner.definition);
    }
    if (status == STATUS_OK)
        status = table_rows_compare(rows, winner.image, written.definition, err);
    buffer_clear(&meeting->rest);
    if (status == STATUS_OK && rows->changed_count == 0)
        status = table_rows_lacking(rows, winner.image, written.definition,
                                    &meeting->rest, err);
    if (status != STATUS_OK)
        return status;
    *differs = rows->changed_count > 0;
    meeting->to_hold += meeting->hold_all || !*differs;
    if (*differs && meeting->visit != NULL) {
        meeting->stopped = !meeting->visit(
            meeting->data, &(struct diff_row){.definition = rows->definition,
                                              .key = key,
                                              .kind = DIFF_CHANGED,
                                              .columns = rows->changed,
                                              .column_count = rows->changed_count});
    }
    return meeting->hold && (meeting->hold_all || !*differs)
               ? note_key(meeting, key, buffer_view(&meeting->rest), err)
               : STATUS_OK;
}

/* One thread has one transaction: reading ends for as long as the store is written. */
static enum status meet_rows(struct meeting *meeting, struct table_rows *rows,
                             uint32_t table, uint64_t *different, struct error *err)
{
    bool differs;
    enum status status = table_rows_next(rows, err);

    while (status == STATUS_OK && !meeting->stopped) {
        if (meeting->txn == NULL)
            status = store_begin(meeting->node->store, TXN_READ, &meeting->txn, err);
        if (status == STATUS_OK)
            status = meet_row(meeting, rows, table, &differs, err);
        if (status == STATUS_OK) {
            *different += differs;
            meeting->counts.rows++;
            progress_add(&meeting->progress, 1);
        }
        if (status == STATUS_OK && is_full(meeting)) {
            store_abort(meeting->txn);
            meeting->txn = NULL;
            status = write_keys(meeting, table, true, err);
        }
        if (status == STATUS_OK)
            status = table_rows_next(rows, err);
    }
    store_abort(meeting->txn);
    meeting->txn = NULL;
    if (status == STATUS_NOT_FOUND)
        status =
            meeting->key_count > 0 ? write_keys(meeting, table, true, err) : STATUS_OK;
    return status;
}

static enum status count_new(struct meeting *meeting, const struct definition *definition,
                             struct error *err)
{
    uint64_t count = 0;
    enum status status = meeting->node->database->ops->count_rows(
        meeting->node->database, definition, &count, err);

    meeting->counts.only_here += count;
    return status;
}

static enum status meet_table(struct meeting *meeting,
                              const struct definition *definition, uint64_t *different,
                              struct error *err)
{
    struct table_rows rows;
    struct store_txn *txn = NULL;
    uint32_t table = 0;
    enum status status = store_begin(meeting->node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = tables_id(txn, definition->name, &table, err);
    store_abort(txn);
    if (status == STATUS_NOT_FOUND) /* the fleet has it not: all its rows are new */
        return meeting->compare_only ? count_new(meeting, definition, err) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    meeting->progress.state.part = definition->name;
    status = table_rows_init(&rows, meeting->node->database, definition, err);
    if (status == STATUS_OK)
        status = meet_rows(meeting, &rows, table, different, err);
    table_rows_release(&rows);
    meeting->counts.tables++;
    return status == STATUS_OK ? status : error_wrap(err, status, definition->name);
}

/* All tables. found may be NULL. */
static enum status meet_tables(struct meeting *meeting, struct differing *found,
                               struct error *err)
{
    enum status status = STATUS_OK;

    meeting->to_hold = 0;
    meeting->counts = (struct diff_counts){.joining = true};
    progress_begin(&meeting->progress, store_progress(meeting->node->store),
                   &(struct progress_state){.step = "meet", .unit = PROGRESS_ROWS});
    for (size_t i = 0;
         status == STATUS_OK && !meeting->stopped && i < meeting->catalog.count; i++) {
        const struct definition *definition = meeting->catalog.definitions[i];
        uint64_t different = 0;

        /* What such a table holds is nobody else's business, and gives way. */
        if (table_rules_direction(&meeting->node->config.rules, definition->local_name) ==
            TABLE_IN)
            continue;
        status = meet_table(meeting, definition, &different, err);
        meeting->counts.changed += different;
        if (different > 0 && found != NULL)
            differing_add(found, definition->local_name, different);
    }
    return status;
}

/* ---- the whole */

static enum status say(struct node *node, struct bytes said, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(node->store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = meta_put_bytes(txn, META_JOIN, said, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

/* Which of the fleet's tables one is can't be left open: it would be logged as another.
 */
static enum status refuse_doubt(const struct catalog *catalog, struct error *err)
{
    for (size_t i = 0; i < catalog->skipped_count; i++) {
        const struct catalog_skipped *skipped = &catalog->skipped[i];

        if (skipped->ambiguous) {
            return error_set(err, STATUS_REFUSED, "the table %s %s", skipped->name,
                             skipped->why);
        }
    }
    return STATUS_OK;
}

static enum status read_tables(struct meeting *meeting, struct error *err)
{
    struct node *node = meeting->node;
    struct store_txn *txn = NULL;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = node->database->ops->read_catalog(node->database, &node->config.rules,
                                                   txn, &meeting->catalog, err);
    store_abort(txn);
    return status == STATUS_OK ? refuse_doubt(&meeting->catalog, err) : status;
}

static enum status meet(struct meeting *meeting, const struct meeting_terms *terms,
                        struct error *err)
{
    struct differing found = {0};
    enum status status = read_tables(meeting, err);

    if (status == STATUS_OK)
        status = meet_tables(meeting, &found, err);
    if (status == STATUS_OK && meeting->counts.changed > 0)
        status = meeting_take_side(meeting->node, terms, &found, err);
    if (status == STATUS_OK && terms->again)
        status = take_back(meeting, err);
    if (status != STATUS_OK || meeting->to_hold == 0)
        return status;
    status = say(meeting->node, terms->said, err);
    meeting->hold = true;
    return status == STATUS_OK ? meet_tables(meeting, NULL, err) : status;
}

enum status meeting_hold(struct node *node, const struct meeting_terms *terms,
                         struct error *err)
{
    struct meeting meeting = {.node = node, .hold_all = terms->prefer == PREFER_LOCAL};
    enum status status = meet(&meeting, terms, err);

    catalog_release(&meeting.catalog);
    buffer_release(&meeting.keys);
    buffer_release(&meeting.rest);
    return status;
}

/* Before the first row is compared: whether there is anything to compare. */
static enum status check_pending(struct node *node, uint64_t *last_seq, struct error *err)
{
    struct join_plan plan;
    struct store_txn *txn = NULL;
    uint64_t owner = 0;
    enum status status = join_recall(node->store, &plan, err);

    if (status == STATUS_OK)
        status = node->database->ops->owner(node->database, &owner, err);
    if (status == STATUS_OK &&
        (plan.entered || owner == store_identity(node->store)->node)) {
        return error_set(err, STATUS_REFUSED,
                         "this node's first sync was cut off: sync again");
    }
    if (status == STATUS_OK)
        status = store_begin(node->store, TXN_READ, &txn, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_LAST_SEQ, last_seq, err);
    store_abort(txn);
    if (status == STATUS_OK && *last_seq == 0)
        return error_set(err, STATUS_REFUSED, JOIN_NOTHING_YET);
    return status;
}

enum status meeting_diff(struct node *node, diff_row_cb visit, void *data,
                         struct diff_counts *counts, struct error *err)
{
    struct meeting meeting = {
        .node = node, .visit = visit, .data = data, .compare_only = true};
    uint64_t last_seq = 0;
    enum status status = node->database->ops->begin_read(node->database, err);

    *counts = (struct diff_counts){.joining = true};
    if (status == STATUS_OK)
        status = check_pending(node, &last_seq, err);
    if (status == STATUS_OK)
        status = read_tables(&meeting, err);
    if (status == STATUS_OK)
        status = meet_tables(&meeting, NULL, err);
    node->database->ops->rollback(node->database);
    catalog_release(&meeting.catalog);
    buffer_release(&meeting.rest);
    if (status != STATUS_OK)
        return status;
    *counts = meeting.counts;
    counts->waiting = last_seq;
    if (counts->changed == 0)
        return STATUS_OK;
    return error_set(err, STATUS_DIFFERENT,
                     "%s: %" PRIu64 " row%s not as the fleet has %s: make equal or take "
                     "out what is listed, or say init --prefer, and sync again",
                     node->database->name, counts->changed,
                     counts->changed == 1 ? " is" : "s are",
                     counts->changed == 1 ? "it" : "them");
}
