/* Rows that do not show what they should, though nothing of the log is left to apply: the
 * guard stopped their batch, or somebody's write has lost since. By state, row by row:
 * what a repair has written, the intent says with the place of its change. */
#include "apply/postgres_batch.h"

#include <stdlib.h>

enum { REPAIRS_MAX = 1000 }; /* in one batch */

struct repairs {
    struct buffer rows; /* table 4, key sized */
    uint32_t count;
    size_t last; /* where the last of them begins */
};

static bool gather(void *data, uint32_t table, struct bytes key)
{
    struct repairs *repairs = data;

    repairs->last = repairs->rows.size;
    buffer_put(&repairs->rows, table, 4);
    buffer_put_sized(&repairs->rows, key);
    return ++repairs->count < REPAIRS_MAX;
}

/* Those that come next, batch after batch, since there may be many that can't be written
 * for long. batch->more: the list goes on behind them. */
static enum status gather_next(struct postgres_batch *batch, struct repairs *repairs,
                               struct error *err)
{
    struct bytes after = batch->repair_from, key;
    uint64_t table;
    enum status status;

    if (bytes_take(&after, 4, &table) && bytes_take_sized(&after, &key)) {
        status = repair_visit_after(batch->base.txn, (uint32_t)table, key, gather,
                                    repairs, err);
    } else {
        status = repair_visit(batch->base.txn, gather, repairs, err);
    }
    batch->more = repairs->count == REPAIRS_MAX;
    buffer_clear(&batch->repair_next);
    if (batch->more && status == STATUS_OK) {
        struct bytes rows = buffer_view(&repairs->rows);

        buffer_put_bytes(&batch->repair_next, (struct bytes){rows.data + repairs->last,
                                                             rows.size - repairs->last});
        status = buffer_check(&batch->repair_next, err);
    }
    return status == STATUS_OK ? buffer_check(&repairs->rows, err) : status;
}

/* Whether the row is to be written now; then *row is what it should show. A later winner
 * comes with its batch; what is parked or refused has its own way back. */
static enum status is_due(struct postgres_batch *batch, uint32_t table, struct bytes key,
                          bool retry, struct row *row, struct row *held, bool *due,
                          struct error *err)
{
    struct quarantined quarantined;
    struct parked parked;
    struct store_txn *txn = batch->base.txn;
    enum status status = rows_get(txn, table, key, row, err);

    *due = false;
    if (status == STATUS_NOT_FOUND)
        row->winner = (struct place){1, 0};
    if (status == STATUS_OK)
        status = held_get(txn, table, key, held, err);
    if (status != STATUS_OK || (!row->local && row->winner.seq > batch->base.range.from))
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    status = parked_get(txn, table, key, &parked, err);
    if (status == STATUS_NOT_FOUND && !retry)
        status = quarantine_get(txn, table, key, &quarantined, err);
    *due = status == STATUS_NOT_FOUND;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Who wrote the row that stays? *swallowed: nobody whom the guard has to stop, so that a
 * trigger, rule or policy keeps the new one out. Of an insert that is not sure: somebody
 * may have made and deleted the same row meanwhile. */
static enum status learn(struct postgres_batch *batch, const struct postgres_set *set,
                         bool *swallowed, struct error *err)
{
    struct buffer sql = {0};
    PGresult *found = NULL;
    bool learned = false;
    enum status status;

    buffer_put_bytes(&sql, bytes_of_text("SELECT t.xmin FROM "));
    buffer_put_bytes(&sql, bytes_of_text(set->writer->definition->local_name));
    buffer_put_bytes(
        &sql, bytes_of_text(" AS t JOIN " POSTGRES_SET_ROWS " u ON " POSTGRES_SET_MATCH));
    buffer_put(&sql, 0, 1);
    status = buffer_check(&sql, err);
    if (status == STATUS_OK)
        status = postgres_set_ask(set, (const char *)sql.data, &found, err);
    *swallowed = set->kind == SET_INSERT && PQntuples(found) == 0;
    for (int i = 0; status == STATUS_OK && i < PQntuples(found); i++) {
        uint32_t xmin = (uint32_t)strtoul(PQgetvalue(found, i, 0), NULL, 10);

        *swallowed = postgres_guard_lets(batch->guard, xmin);
        status = postgres_guard_learn(batch->guard, batch->postgres, xmin, &learned, err);
        batch->learned += learned;
    }
    PQclear(found);
    buffer_release(&sql);
    return status;
}

static enum status note_repaired(struct postgres_batch *batch, uint32_t table,
                                 struct bytes key, const struct row *row,
                                 struct error *err)
{
    struct intent_item item = {
        .kind = INTENT_REPAIRED, .table = table, .key = key, .place = row->winner};

    return items_put(batch->base.items, &item, true, err);
}

static enum status write_set(struct postgres_batch *batch, struct postgres_table *table,
                             struct postgres_set *set, struct bytes key,
                             const struct row *row, struct error *err)
{
    uint32_t written = 0, left = batch->left;
    bool swallowed = false;
    enum status status = postgres_batch_run(batch, table, set, &written, err);

    if (status == STATUS_OK && written == 0 && batch->left == left)
        status = learn(batch, set, &swallowed, err);
    /* Where nobody else writes it is sure, and refused. */
    if (status == STATUS_OK && swallowed)
        return postgres_batch_begin_anew(batch, BATCH_LOCKED, err);
    if (status == STATUS_OK && written > 0)
        status = note_repaired(batch, table->base.id, key, row, err);
    batch->repaired += written;
    batch->stopped += written == 0;
    return status;
}

static enum status repair(struct postgres_batch *batch, uint32_t id, struct bytes key,
                          bool retry, struct error *err)
{
    struct postgres_table *table = postgres_schema_find(batch->schema, id);
    enum write_result result = WRITE_DONE;
    struct postgres_set *set = NULL;
    struct row row, held;
    struct table from;
    bool due;
    enum status status = is_due(batch, id, key, retry, &row, &held, &due, err);

    if (status != STATUS_OK || table == NULL || (retry && !due))
        return status;
    if (!due || (!row.live && !held.live)) /* the fold takes it off the list */
        return note_repaired(batch, id, key, &row, err);
    /* What is parked beside it may come free, or it may have to make room. */
    if (batch->mode != BATCH_LOCKED &&
        (table->probed || batch->parks_in[table->component]))
        return postgres_batch_begin_anew(batch, BATCH_LOCKED, err);
    status = postgres_schema_writer(batch->schema, table, err);
    if (status == STATUS_OK)
        status = tables_find(batch->base.txn, row.definition_origin, row.definition,
                             &from, err);
    if (status == STATUS_OK && row.live) {
        status = postgres_writer_map(table->writer, from.definition, row.image, key,
                                     &result, err);
    } else if (status == STATUS_OK) {
        status = postgres_writer_key(table->writer, NULL, key, &result, err);
    }
    if (status == STATUS_OK && result == WRITE_DONE)
        status = postgres_batch_choose_set(batch, table, row.live, &held, &set, err);
    if (status == STATUS_OK && result == WRITE_DONE)
        status = postgres_set_add(set, key, &result, err);
    if (status == STATUS_OK && result != WRITE_DONE)
        return postgres_batch_refuse(batch, id, key, err);
    if (status == STATUS_OK)
        status = write_set(batch, table, set, key, &row, err);
    if (set != NULL)
        postgres_set_clear(set);
    return status;
}

static enum status repair_all(struct postgres_batch *batch, const struct repairs *repairs,
                              bool retry, struct error *err)
{
    struct bytes rest = buffer_view(&repairs->rows), key;
    enum status status = buffer_check(&repairs->rows, err);
    uint64_t table;

    while (status == STATUS_OK && bytes_take(&rest, 4, &table) &&
           bytes_take_sized(&rest, &key))
        status = repair(batch, (uint32_t)table, key, retry, err);
    return status;
}

enum status postgres_batch_repair(struct postgres_batch *batch, struct error *err)
{
    struct repairs repairs = {0};
    enum status status = gather_next(batch, &repairs, err);

    if (status == STATUS_OK)
        status = repair_all(batch, &repairs, false, err);
    buffer_release(&repairs.rows);
    return status;
}

struct refusals {
    struct repairs repairs;
    uint64_t only;
};

static bool gather_refused(void *data, uint32_t table, const struct quarantined *row)
{
    struct refusals *refusals = data;

    return (refusals->only != 0 && row->number != refusals->only) ||
           gather(&refusals->repairs, table, row->key);
}

enum status postgres_batch_retry(struct postgres_batch *batch, struct error *err)
{
    struct refusals refusals = {.only = batch->base.only};
    uint32_t before = batch->repaired;
    enum status status =
        quarantine_visit(batch->base.txn, 0, gather_refused, &refusals, err);

    if (status == STATUS_OK)
        status = repair_all(batch, &refusals.repairs, true, err);
    batch->base.counts->retried += batch->repaired - before;
    buffer_release(&refusals.repairs.rows);
    return status;
}

enum status postgres_batch_try_repairs(struct postgres_batch *batch, struct error *err)
{
    struct repairs repairs = {0};
    struct bytes rest, key;
    uint64_t table;
    enum status status = gather_next(batch, &repairs, err);

    rest = buffer_view(&repairs.rows);
    /* Who blocks a parked row may come with them. */
    batch->base.all = batch->base.all || (rest.size > 0 && batch->base.parked > 0);
    while (status == STATUS_OK && bytes_take(&rest, 4, &table) &&
           bytes_take_sized(&rest, &key))
        status = batch_try(&batch->base, (uint32_t)table, key, false, err);
    buffer_release(&repairs.rows);
    return status;
}
