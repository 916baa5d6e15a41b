/* Folding an intent: what the database has committed becomes what the store says it
 * holds.
 *
 * First the items, then the plan's other rows (of a repair: all rows that are held and
 * taken), then the position, in write transactions of bounded size. Each reads a run of
 * rows, copies their keys, and changes them. Between transactions only where to go on is
 * remembered, and nothing of it is kept for a crash: a row that was folded is not planned
 * any more, and an item may be folded twice. */
#include "log/intent_row.h"

#include <assert.h>

enum fold_phase { FOLD_ITEMS, FOLD_PLAN, FOLD_HELD, FOLD_END, FOLD_DONE };

struct fold {
    struct store_txn *txn;
    enum fold_phase phase;
    struct intent intent;
    struct buffer out; /* the intent's */
    bool items;        /* there are some */
    bool exceptions;   /* there were parked or quarantined rows */
    uint32_t rows;     /* done in this transaction */
    size_t bytes;
    struct buffer todo; /* what was read and is to be changed */
    struct buffer scratch;
    struct buffer
        resume;     /* FOLD_ITEMS: the last item's LMDB key; FOLD_HELD: the last key */
    uint32_t table; /* FOLD_HELD: where it stands; 0 before the first */
    struct place place;                 /* FOLD_PLAN: the last change */
    const struct planned_rows *planned; /* NULL: not known, or not any more */
    struct bytes unread;                /* of its rows */
};

static const struct bytes no_record = {NULL, 0};

static bool is_full(const struct fold *fold)
{
    return fold->rows >= STEP_CHANGES || fold->bytes >= RUN_BYTES;
}

/* Note a row that todo has got. */
static void count_row(struct fold *fold, size_t todo_before)
{
    fold->rows++;
    fold->bytes += fold->todo.size - todo_before;
}

static struct intent_fold_txn row_context(struct fold *fold)
{
    return (struct intent_fold_txn){fold->txn, &fold->intent, &fold->scratch};
}

/* ---- items */

/* Copy a run of item records into todo. *ended: there are no more. */
static enum status read_items(struct fold *fold, bool *ended, struct error *err)
{
    static const uint8_t first[] = {1};
    struct bytes start = fold->resume.size > 0 ? buffer_view(&fold->resume)
                                               : (struct bytes){first, sizeof first};
    MDB_val key = {start.size, (void *)(uintptr_t)start.data}, value;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(fold->txn->txn, fold->txn->store->dbi[DBI_INTENT], &cursor);

    if (rc != 0)
        return from_lmdb(fold->txn->store, err, rc, "mdb_cursor_open");
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (rc == 0 && fold->resume.size > 0 &&
        bytes_equal((struct bytes){key.mv_data, key.mv_size}, start))
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    while (rc == 0) {
        size_t before = fold->todo.size;

        buffer_put_sized(&fold->todo, (struct bytes){value.mv_data, value.mv_size});
        count_row(fold, before);
        if (is_full(fold))
            break;
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (rc == 0) {
        buffer_clear(&fold->resume);
        buffer_put_bytes(&fold->resume, (struct bytes){key.mv_data, key.mv_size});
    }
    mdb_cursor_close(cursor);
    *ended = rc == MDB_NOTFOUND;
    return rc != 0 && rc != MDB_NOTFOUND ? from_lmdb(fold->txn->store, err, rc, "intent")
                                         : buffer_check(&fold->resume, err);
}

static enum status change_items(struct fold *fold, struct error *err)
{
    struct bytes todo = buffer_view(&fold->todo), record;
    struct intent_fold_txn context = row_context(fold);
    enum status status = STATUS_OK;

    while (status == STATUS_OK && bytes_take_sized(&todo, &record)) {
        struct intent_item item;

        status = intent_item_decode(record, &item, err);
        if (status == STATUS_OK)
            status = intent_row_item(&context, &item, err);
    }
    return status;
}

/* ---- the rows without an item */

static enum status has_item(struct fold *fold, uint32_t table, struct bytes key,
                            bool *has, struct error *err)
{
    struct intent_item item;
    enum status status = STATUS_NOT_FOUND;

    if (fold->items)
        status = intent_item_find(fold->txn, table, key, &item, err);
    *has = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* place: of the change that the row shows now; seq 0: the winner's, or what the held
 * record says. */
static void add_row(struct fold *fold, uint32_t table, struct bytes key,
                    struct place place, struct bytes held)
{
    size_t before = fold->todo.size;

    buffer_put(&fold->todo, place.seq, 8);
    buffer_put(&fold->todo, place.index, 4);
    buffer_put(&fold->todo, table, 4);
    buffer_put_sized(&fold->todo, key);
    buffer_put_sized(&fold->todo, held);
    count_row(fold, before);
}

/* Copy a run of the rows that are known to be planned and have no item into todo. */
static enum status read_planned(struct fold *fold, bool *ended, struct error *err)
{
    const struct place none = {0, 0};
    enum status status = STATUS_OK;
    struct bytes key, held;
    uint32_t table;

    *ended = false;
    while (status == STATUS_OK && !is_full(fold) && !*ended) {
        bool excepted;

        *ended = !planned_rows_take(&fold->unread, &table, &key, &held);
        if (*ended)
            break;
        status = has_item(fold, table, key, &excepted, err);
        if (status == STATUS_OK && !excepted)
            add_row(fold, table, key, none, held);
    }
    return status;
}

/* The same by the log. */
static enum status walk_plan(struct fold *fold, bool *ended, struct error *err)
{
    struct plan_range range = {
        .from = fold->intent.from, .to = fold->intent.to, .out = fold->intent.out};
    struct plan_cursor *cursor = NULL;
    const struct place winner = {0, 0};
    struct planned planned;
    enum status status = plan_open(&cursor, fold->txn, range, err);

    if (status == STATUS_OK && fold->place.seq != 0)
        status = plan_seek_after(cursor, fold->place, err);
    while (status == STATUS_OK && !is_full(fold)) {
        bool excepted;

        status = plan_next_shown(cursor, &planned, err);
        if (status != STATUS_OK)
            break;
        fold->place = planned.place;
        status = has_item(fold, planned.table.id, planned.key, &excepted, err);
        if (status == STATUS_OK && !excepted)
            add_row(fold, planned.table.id, planned.key,
                    planned.is_winner ? winner : planned.place, no_record);
    }
    plan_close(cursor);
    *ended = status == STATUS_NOT_FOUND;
    return *ended ? STATUS_OK : status;
}

/* An entry that has come since may have won over what was a winner: then the log is
 * walked from the beginning, and finds what is folded already no more. */
static enum status read_plan(struct fold *fold, bool *ended, struct error *err)
{
    bool hold = false;
    enum status status = fold->intent.echoed
                             ? STATUS_OK
                             : planned_rows_hold(fold->planned, fold->txn, &hold, err);

    if (status != STATUS_OK)
        return status;
    if (!hold)
        fold->planned = NULL;
    return hold ? read_planned(fold, ended, err) : walk_plan(fold, ended, err);
}

/* Copy a run of one table's held rows that have no item into todo. */
static enum status read_held_table(struct fold *fold, bool *ended, struct error *err)
{
    struct row_cursor *cursor = NULL;
    struct row row;
    enum status status = row_cursor_open(&cursor, fold->txn, fold->table, true, err);

    if (status == STATUS_OK && fold->resume.size > 0)
        status = row_cursor_seek_after(cursor, buffer_view(&fold->resume), err);
    while (status == STATUS_OK && !is_full(fold)) {
        bool excepted;

        status = row_cursor_next(cursor, &row, err);
        if (status != STATUS_OK)
            break;
        buffer_clear(&fold->resume);
        buffer_put_bytes(&fold->resume, row.key);
        status = has_item(fold, fold->table, row.key, &excepted, err);
        if (status == STATUS_OK && !excepted)
            add_row(fold, fold->table, row.key, (struct place){0, 0}, no_record);
    }
    row_cursor_close(cursor);
    *ended = status == STATUS_NOT_FOUND;
    return *ended ? buffer_check(&fold->resume, err) : status;
}

static enum status read_held(struct fold *fold, bool *ended, struct error *err)
{
    uint32_t count = 0;
    enum status status = tables_count(fold->txn, &count, err);

    *ended = false;
    while (status == STATUS_OK && !is_full(fold)) {
        bool table_ended = true;

        if (fold->table > 0 && !plan_out_has(fold->intent.out, fold->table))
            status = read_held_table(fold, &table_ended, err);
        if (status != STATUS_OK || !table_ended)
            break;
        *ended = fold->table == count;
        if (*ended)
            break;
        fold->table++;
        buffer_clear(&fold->resume);
    }
    return status;
}

static enum status change_row(const struct intent_fold_txn *context, uint32_t table,
                              struct bytes key, struct place place, struct bytes held,
                              struct error *err)
{
    if (place.seq != 0)
        return intent_row_placed(context, table, key, place, err);
    return held.size > 0 ? held_put_record(context->txn, table, key, held, err)
                         : held_delete(context->txn, table, key, err);
}

static enum status change_rows(struct fold *fold, struct error *err)
{
    struct bytes todo = buffer_view(&fold->todo), key, held;
    struct intent_fold_txn context = row_context(fold);
    enum status status = STATUS_OK;
    uint64_t seq, index, table;

    while (status == STATUS_OK && bytes_take(&todo, 8, &seq) &&
           bytes_take(&todo, 4, &index) && bytes_take(&todo, 4, &table) &&
           bytes_take_sized(&todo, &key) && bytes_take_sized(&todo, &held)) {
        struct place place = {seq, (uint32_t)index};

        if (fold->intent.echoed) {
            status = intent_row_left(&context, (uint32_t)table, key, err);
            continue;
        }
        status = change_row(&context, (uint32_t)table, key, place, held, err);
        if (status == STATUS_OK && (fold->exceptions || fold->intent.repair))
            status = intent_row_freed(&context, (uint32_t)table, key, err);
    }
    return status;
}

/* ---- the end */

static enum status move_vector(struct fold *fold, struct error *err)
{
    struct version_vector vector;
    enum status status;

    if (fold->intent.from == fold->intent.to)
        return STATUS_OK;
    version_vector_init(&vector);
    status = meta_get_vector(fold->txn, META_APPLIED_VECTOR, &vector, err);
    if (status == STATUS_OK)
        status = log_vector_raise(fold->txn, fold->intent.to, &vector, err);
    if (status == STATUS_OK) {
        buffer_clear(&fold->scratch);
        version_vector_put(&fold->scratch, &vector);
        status = buffer_check(&fold->scratch, err);
    }
    if (status == STATUS_OK)
        status = meta_put_bytes(fold->txn, META_APPLIED_VECTOR,
                                buffer_view(&fold->scratch), err);
    version_vector_release(&vector);
    return status;
}

static enum status put_out(struct fold *fold, struct error *err)
{
    struct bytes known;
    enum status status = meta_get_bytes(fold->txn, META_OUT, &known, err);

    if (status != STATUS_OK || bytes_equal(known, fold->intent.out))
        return status;
    return meta_put_bytes(fold->txn, META_OUT, fold->intent.out, err);
}

static enum status end(struct fold *fold, const struct meta_update *updates,
                       size_t update_count, struct error *err)
{
    struct hybrid_clock clock = {0};
    enum status status = move_vector(fold, err);
    int rc;

    if (status == STATUS_OK)
        status = put_out(fold, err);
    if (status == STATUS_OK)
        status = meta_put(fold->txn, META_APPLIED, fold->intent.to, err);
    if (status == STATUS_OK)
        status = meta_get(fold->txn, META_CLOCK, &clock.last_us, err);
    if (status == STATUS_OK && fold->intent.max_stamp_us > clock.last_us) {
        hybrid_clock_observe(&clock, fold->intent.max_stamp_us);
        status = meta_put(fold->txn, META_CLOCK, clock.last_us, err);
    }
    for (size_t i = 0; i < update_count && status == STATUS_OK; i++)
        status = meta_put(fold->txn, updates[i].key, updates[i].value, err);
    if (status != STATUS_OK)
        return status;
    rc = mdb_drop(fold->txn->txn, fold->txn->store->dbi[DBI_INTENT], 0);
    return rc == 0 ? STATUS_OK : from_lmdb(fold->txn->store, err, rc, "mdb_drop");
}

/* ---- steps */

/* What the fold needs to know before its first step. */
static enum status look(struct fold *fold, struct store *store, struct error *err)
{
    uint64_t parked = 0, quarantined = 0, records = 0;
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_READ, &txn, err);

    if (status != STATUS_OK)
        return status;
    status = intent_get(txn, &fold->intent, err);
    if (status == STATUS_NOT_FOUND)
        status = error_set(err, status, "there is no intent to fold");
    if (status == STATUS_OK) {
        buffer_put_bytes(&fold->out, fold->intent.out);
        fold->intent.out = buffer_view(&fold->out);
        status = buffer_check(&fold->out, err);
    }
    if (status == STATUS_OK)
        status = parked_count(txn, &parked, err);
    if (status == STATUS_OK)
        status = quarantine_count(txn, &quarantined, err);
    if (status == STATUS_OK)
        status = store_count(txn, DBI_INTENT, &records, err);
    store_abort(txn);
    fold->exceptions = parked + quarantined > 0;
    fold->items = records > 1;
    return status;
}

/* Read a run and change it. *ended: the phase is over. */
static enum status run(struct fold *fold, bool *ended, struct error *err)
{
    enum status status;

    buffer_clear(&fold->todo);
    switch (fold->phase) {
    case FOLD_ITEMS:
        status = read_items(fold, ended, err);
        if (status == STATUS_OK)
            status = buffer_check(&fold->todo, err);
        return status == STATUS_OK ? change_items(fold, err) : status;
    case FOLD_PLAN:
        status = read_plan(fold, ended, err);
        break;
    default:
        assert(fold->phase == FOLD_HELD);
        status = read_held(fold, ended, err);
        break;
    }
    if (status == STATUS_OK)
        status = buffer_check(&fold->todo, err);
    return status == STATUS_OK ? change_rows(fold, err) : status;
}

/* As much as one transaction takes. */
static enum status fill_transaction(struct fold *fold, const struct meta_update *updates,
                                    size_t update_count, struct error *err)
{
    enum status status = STATUS_OK;

    fold->rows = 0;
    fold->bytes = 0;
    while (status == STATUS_OK && fold->phase != FOLD_DONE && !is_full(fold)) {
        bool ended = false;

        if (fold->phase == FOLD_END) {
            status = end(fold, updates, update_count, err);
            fold->phase = FOLD_DONE;
            continue;
        }
        status = run(fold, &ended, err);
        if (!ended)
            continue;
        buffer_clear(&fold->resume);
        if (fold->phase == FOLD_ITEMS && !fold->intent.whole)
            fold->phase = fold->intent.repair ? FOLD_HELD : FOLD_PLAN;
        else
            fold->phase = FOLD_END;
    }
    return status;
}

enum status intent_fold(struct store *store, const struct planned_rows *planned,
                        const struct meta_update *updates, size_t update_count,
                        struct error *err)
{
    struct fold fold = {.phase = FOLD_ITEMS, .planned = planned};
    struct progress_step progress;
    enum status status = look(&fold, store, err);

    if (planned != NULL)
        fold.unread = buffer_view(&planned->rows);
    progress_begin(&progress, store->progress,
                   &(struct progress_state){.step = "confirm", .unit = PROGRESS_ROWS});
    while (status == STATUS_OK && fold.phase != FOLD_DONE) {
        status = store_begin(store, TXN_WRITE, &fold.txn, err);
        if (status != STATUS_OK)
            break;
        status = fill_transaction(&fold, updates, update_count, err);
        if (status == STATUS_OK)
            status = store_commit(fold.txn, err);
        else
            store_abort(fold.txn);
        progress_add(&progress, fold.rows);
    }
    buffer_release(&fold.out);
    buffer_release(&fold.todo);
    buffer_release(&fold.scratch);
    buffer_release(&fold.resume);
    return status;
}
