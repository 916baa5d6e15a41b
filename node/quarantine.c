#include "node/quarantine.h"

#include "apply/postgres_target.h"
#include "engine/row_compare.h"
#include "log/appender.h"
#include "node/node_private.h"

#include <inttypes.h>

void retry_report_release(struct retry_report *report)
{
    buffer_release(&report->key);
    buffer_release(&report->message);
}

void drop_report_release(struct drop_report *report)
{
    buffer_release(&report->key);
}

/* ---- finding a row by its number */

struct search {
    uint64_t number;
    uint32_t table; /* 0: not found */
    struct buffer *key;
    struct buffer *message; /* NULL: of no interest */
};

static bool look_at(void *data, uint32_t table, const struct quarantined *row)
{
    struct search *search = data;

    if (row->number != search->number)
        return true;
    search->table = table;
    buffer_clear(search->key);
    buffer_put_bytes(search->key, row->key);
    if (search->message != NULL) {
        buffer_clear(search->message);
        buffer_put_bytes(search->message, row->message);
    }
    return false;
}

/* NOT_FOUND is a plain answer. */
static enum status find(struct store_txn *txn, struct search *search, struct error *err)
{
    enum status status = quarantine_visit(txn, 0, look_at, search, err);

    if (status == STATUS_OK)
        status = buffer_check(search->key, err);
    if (status == STATUS_OK && search->message != NULL)
        status = buffer_check(search->message, err);
    return status == STATUS_OK && search->table == 0 ? STATUS_NOT_FOUND : status;
}

static enum status refuse_number(uint64_t number, struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND,
                     "no row %" PRIu64 " is in quarantine; `rowferry quarantine` lists "
                     "them",
                     number);
}

/* ---- retry */

static enum status look_before(struct node *node, uint64_t number,
                               struct retry_report *report, struct error *err)
{
    struct search search = {.number = number, .key = &report->key};
    struct store_txn *txn = NULL;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    report->tried = 1;
    if (status == STATUS_OK && number == 0)
        status = quarantine_count(txn, &report->tried, err);
    else if (status == STATUS_OK)
        status = find(txn, &search, err);
    store_abort(txn);
    report->table = search.table;
    return status == STATUS_NOT_FOUND ? refuse_number(number, err) : status;
}

static enum status look_after(struct node *node, uint64_t number,
                              struct retry_report *report, struct error *err)
{
    struct search search = {
        .number = number, .key = &report->key, .message = &report->message};
    struct store_txn *txn = NULL;
    struct parked parked;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK && number == 0) {
        status = quarantine_count(txn, &report->refused, err);
    } else if (status == STATUS_OK) {
        status = find(txn, &search, err);
        report->refused = status == STATUS_OK;
        if (status == STATUS_NOT_FOUND) {
            status =
                parked_get(txn, report->table, buffer_view(&report->key), &parked, err);
            report->parked = status == STATUS_OK;
            status = status == STATUS_NOT_FOUND ? STATUS_OK : status;
        }
    }
    store_abort(txn);
    return status;
}

enum status node_quarantine_retry(struct node *node, uint64_t number,
                                  struct retry_report *report, struct error *err)
{
    struct target *target = NULL;
    enum status status = write_back_lock(node, err);

    if (status != STATUS_OK)
        return status;
    status = look_before(node, number, report, err);
    if (status == STATUS_OK)
        status = write_back_bring_up(node, &report->counts, err);
    if (status == STATUS_OK)
        status = node_target(node, &target, err);
    if (status == STATUS_OK) {
        status =
            node->sqlite != NULL
                ? sqlite_target_retry(target, number, &report->counts.applied, err)
                : postgres_target_retry(target, number, &report->counts.applied, err);
    }
    /* There the store learns what came of it when capture meets the batch again. */
    if (status == STATUS_OK && node->sqlite == NULL)
        status = node_apply_locked(node, &report->counts.applied, err);
    if (status == STATUS_OK)
        status = look_after(node, number, report, err);
    write_back_unlock(node);
    return status;
}

/* ---- drop */

struct dropping {
    struct write_back back;
    struct drop_report *report;
    struct row_comparer *comparer;
    struct row winner;             /* views live as long as back.txn */
    const struct definition *from; /* of the winner's image */
    bool found;                    /* the database has a row */
    struct buffer row;             /* as the database has it */
    struct image decoded;          /* the same */
    struct buffer image, before;   /* of the change */
};

/* The winner that was refused, and the row that the database has instead. */
static enum status read_both(struct dropping *dropping, struct error *err)
{
    struct write_back *back = &dropping->back;
    struct bytes key = buffer_view(&dropping->report->key);
    enum write_result result = WRITE_DONE;
    struct table table;
    enum status status =
        rows_get(back->txn, dropping->report->table, key, &dropping->winner, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_CORRUPT, "a quarantined row is not in the log");
    dropping->from = back->table.definition;
    if (status == STATUS_OK && dropping->winner.live) {
        status = tables_find(back->txn, dropping->winner.definition_origin,
                             dropping->winner.definition, &table, err);
        dropping->from = status == STATUS_OK ? table.definition : NULL;
    }
    if (status == STATUS_OK)
        status = back->ops->key(back, dropping->from, key, &result, err);
    if (status == STATUS_OK && result != WRITE_DONE) {
        status = error_set(err, STATUS_REFUSED,
                           "%s: its key is another one in this database, which says "
                           "nothing of the row",
                           back->table.definition->name);
    }
    if (status == STATUS_OK)
        status = back->ops->find(back, &dropping->found, err);
    return status;
}

/* Encode the row that the database has, and find what of the winner differs from it. */
static enum status compare_found(struct dropping *dropping, struct error *err)
{
    struct write_back *back = &dropping->back;
    const struct row *winner = &dropping->winner;
    struct bytes key = buffer_view(&dropping->report->key);
    struct bytes held = winner->live ? winner->image : (struct bytes){NULL, 0};
    bool changed = false;
    enum status status = back->ops->image(back, &dropping->row, err);

    if (status == STATUS_OK)
        status = image_decode(&dropping->decoded, buffer_view(&dropping->row),
                              back->table.definition, key, err);
    if (status == STATUS_OK) {
        status = row_compare_held(dropping->comparer, key, held, dropping->from,
                                  dropping->decoded.values, &changed, &dropping->image,
                                  &dropping->before, err);
    }
    if (status != STATUS_OK || changed)
        return status;
    /* Only in columns that are not here: what is here is the row all the same. */
    buffer_clear(&dropping->before);
    buffer_put_bytes(&dropping->image, buffer_view(&dropping->row));
    return buffer_check(&dropping->image, err);
}

/* The change from the winner to what the database has. */
static enum status compare(struct dropping *dropping, struct change *change,
                           struct error *err)
{
    struct write_back *back = &dropping->back;
    const struct row *winner = &dropping->winner;
    struct bytes key = buffer_view(&dropping->report->key);
    struct stored *stored = NULL;
    enum status status = back->ops->open_stored(back, &stored, err);

    if (status == STATUS_OK)
        status =
            row_comparer_open(&dropping->comparer, stored, back->table.definition, err);

    *change = (struct change){
        .op = CHANGE_DELETE,
        .definition = back->table.definition->number,
        .key = key,
        .has_born = winner->live,
        .born = winner->born,
    };
    if (status == STATUS_OK && dropping->found) {
        change->op = winner->live ? CHANGE_UPDATE : CHANGE_INSERT;
        status = compare_found(dropping, err);
    } else if (status == STATUS_OK && winner->live) {
        status = row_compare_gone(dropping->comparer, key, winner->image, dropping->from,
                                  &dropping->before, err);
    }
    change->image = buffer_view(&dropping->image);
    change->before = buffer_view(&dropping->before);
    return status;
}

/* One change that has seen the winner: its context does, and `unseen` is not said. */
static enum status log_change(struct dropping *dropping, const struct change *change,
                              struct error *err)
{
    static const char note[] = "kept what the database has in place of a refused row";
    struct meta_update seen = {META_SEEN, dropping->back.state.counter};
    struct local_entry entry = {
        .kind = ENTRY_CHANGES,
        .updates = &seen,
        .update_count = dropping->back.node->sqlite != NULL ? 1 : 0,
    };
    struct appender *appender = NULL;
    struct buffer fields = {0};
    enum status status;

    entry_field_put(&fields, FIELD_NOTE, bytes_of_text(note));
    status = buffer_check(&fields, err);
    entry.fields = buffer_view(&fields);
    if (status == STATUS_OK)
        status =
            appender_open(&appender, dropping->back.node->store, APPENDER_CAPTURE, err);
    if (status == STATUS_OK)
        status = appender_add_change(appender, change, err);
    if (status == STATUS_OK)
        status = appender_end_local(appender, &entry, &dropping->report->seq, err);
    if (status == STATUS_OK)
        status = appender_commit(appender, err);
    appender_close(appender);
    buffer_release(&fields);
    return status;
}

/* Within the table's lock: what is read stays so until it is in the log. */
static enum status drop(struct dropping *dropping, uint64_t number, struct error *err)
{
    struct write_back *back = &dropping->back;
    struct drop_report *report = dropping->report;
    struct search search = {.number = number, .key = &report->key};
    struct change change;
    enum status status = find(back->txn, &search, err);

    report->result = DROP_LEFT;
    if (status == STATUS_OK)
        report->table = search.table;
    if (status == STATUS_OK)
        status = write_back_table(back, search.table, err);
    search.table = 0;
    if (status == STATUS_OK) /* what was only now captured may have ended it */
        status = find(back->txn, &search, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = read_both(dropping, err);
    if (status == STATUS_OK)
        status = compare(dropping, &change, err);
    if (status == STATUS_OK)
        status = back->ops->say(back, err);
    store_abort(back->txn);
    back->txn = NULL;
    if (status == STATUS_OK)
        status = log_change(dropping, &change, err);
    if (status != STATUS_OK)
        return status;
    report->result = dropping->found ? DROP_KEPT : DROP_DELETED;
    return back->ops->said(back, err);
}

static enum status find_first(struct node *node, uint64_t number,
                              struct drop_report *report, struct error *err)
{
    struct search search = {.number = number, .key = &report->key};
    struct store_txn *txn = NULL;
    enum status status = store_begin(node->store, TXN_READ, &txn, err);

    if (status == STATUS_OK)
        status = find(txn, &search, err);
    store_abort(txn);
    report->table = search.table;
    return status == STATUS_NOT_FOUND ? refuse_number(number, err) : status;
}

enum status node_quarantine_drop(struct node *node, uint64_t number,
                                 struct drop_report *report, struct error *err)
{
    struct dropping dropping = {.report = report};
    enum status status = write_back_lock(node, err);

    if (status != STATUS_OK)
        return status;
    image_init(&dropping.decoded);
    status = find_first(node, number, report, err);
    if (status == STATUS_OK) {
        status = write_back_begin(&dropping.back, node, &report->counts, err);
        if (status == STATUS_OK)
            status = drop(&dropping, number, err);
        row_comparer_close(dropping.comparer);
        write_back_end(&dropping.back);
    }
    /* A row that gave up a unique value lets another in. */
    if (status == STATUS_OK)
        status = node_apply_locked(node, &report->counts.applied, err);
    image_release(&dropping.decoded);
    buffer_release(&dropping.row);
    buffer_release(&dropping.image);
    buffer_release(&dropping.before);
    write_back_unlock(node);
    return status;
}
