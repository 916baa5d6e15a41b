#include "node/restore.h"

#include "engine/stored.h"
#include "log/conflicts.h"
#include "node/row_find.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOTE_SIZE = 64 };

/* One decision on its way. */
struct restoring {
    struct write_back back;
    struct conflict conflict;
    const struct definition *from; /* of the loser */
    struct restore_report *report;
};

void restore_report_release(struct restore_report *report)
{
    buffer_release(&report->key);
}

/* Read the conflict and what its loser needs. Views live as long as back.txn. */
static enum status find_loser(struct restoring *restoring, uint64_t number,
                              struct error *err)
{
    struct write_back *back = &restoring->back;
    struct conflict *conflict = &restoring->conflict;
    struct table table;
    enum status status = conflict_get(back->txn, number, conflict, err);

    if (status == STATUS_NOT_FOUND)
        return error_set(err, status, "there is no conflict %" PRIu64, number);
    if (status == STATUS_OK)
        status = write_back_table(back, conflict->table, err);
    if (status == STATUS_OK)
        status = conflict_get(back->txn, number, conflict, err);
    if (status == STATUS_OK)
        status = tables_find(back->txn, conflict->loser.definition_origin,
                             conflict->loser.definition, &table, err);
    if (status != STATUS_OK)
        return status;
    restoring->from = table.definition;
    restoring->report->table = conflict->table;
    return STATUS_OK;
}

static enum status remember_key(struct restore_report *report, struct bytes key,
                                struct error *err)
{
    buffer_clear(&report->key);
    buffer_put_bytes(&report->key, key);
    return buffer_check(&report->key, err);
}

/* ---- in place of the winner */

static enum status write_live(struct restoring *restoring, enum write_result *result,
                              struct error *err)
{
    struct write_back *back = &restoring->back;
    struct bytes key = restoring->conflict.key;
    struct restore_report *report = restoring->report;
    bool found = false, differs = false;
    enum status status = back->ops->map(
        back, restoring->from, restoring->conflict.loser.image, key, result, err);

    if (status == STATUS_OK && *result == WRITE_DONE)
        status = back->ops->find(back, &found, err);
    if (status != STATUS_OK || *result != WRITE_DONE)
        return status;
    if (!found) {
        report->result = RESTORE_INSERTED;
        return back->ops->insert(back, result, err);
    }
    status = back->ops->update(back, key, &differs, result, err);
    report->result = differs ? RESTORE_WRITTEN : RESTORE_SAME;
    return status;
}

static enum status write_deleted(struct restoring *restoring, enum write_result *result,
                                 struct error *err)
{
    struct write_back *back = &restoring->back;
    bool found = false;
    enum status status =
        back->ops->key(back, restoring->from, restoring->conflict.key, result, err);

    if (status == STATUS_OK && *result == WRITE_DONE)
        status = back->ops->find(back, &found, err);
    if (status != STATUS_OK || *result != WRITE_DONE)
        return status;
    restoring->report->result = found ? RESTORE_DELETED : RESTORE_SAME;
    return found ? back->ops->remove(back, result, err) : STATUS_OK;
}

static enum status finish(struct restoring *restoring, const char *did, struct error *err)
{
    struct restore_report *report = restoring->report;
    char note[NOTE_SIZE];

    if (report->result == RESTORE_SAME)
        return STATUS_OK;
    (void)snprintf(note, sizeof note, "%s %" PRIu64, did, restoring->conflict.number);
    return write_back_commit(&restoring->back, note, buffer_view(&report->key),
                             &report->counts, &report->seq, err);
}

static enum status restore(struct restoring *restoring, uint64_t number,
                           struct error *err)
{
    enum write_result result = WRITE_DONE;
    enum status status = find_loser(restoring, number, err);

    if (status == STATUS_OK)
        status = remember_key(restoring->report, restoring->conflict.key, err);
    if (status == STATUS_OK)
        status = restoring->conflict.loser.live ? write_live(restoring, &result, err)
                                                : write_deleted(restoring, &result, err);
    if (status == STATUS_OK)
        status = write_back_check(result, err);
    return status == STATUS_OK ? finish(restoring, "restored conflict", err) : status;
}

enum status node_restore(struct node *node, uint64_t number,
                         struct restore_report *report, struct error *err)
{
    struct restoring restoring = {.report = report};
    enum status status = write_back_lock(node, err);

    if (status != STATUS_OK)
        return status;
    status = write_back_begin(&restoring.back, node, &report->counts, err);
    if (status == STATUS_OK)
        status = restore(&restoring, number, err);
    write_back_end(&restoring.back);
    write_back_unlock(node);
    return status;
}

/* ---- beside the winner */

static enum status check_inserts(const struct conflict *conflict, struct error *err)
{
    if (conflict->two_inserts && conflict->loser.live)
        return STATUS_OK;
    return error_set(err, STATUS_REFUSED,
                     "conflict %" PRIu64 " is of one row, not of two rows with one key: "
                     "`rowferry conflicts restore %" PRIu64
                     "` brings the write that lost back in place of the other",
                     conflict->number, conflict->number);
}

static enum status put_key(struct restore_report *report, const struct value *value,
                           struct error *err)
{
    buffer_clear(&report->key);
    return row_key_put(&report->key, value, err);
}

/* The next number that no row has or had, here or in the log. */
static enum status choose_key(struct restoring *restoring, struct value *out,
                              struct error *err)
{
    struct write_back *back = &restoring->back;
    const struct definition *definition = back->table.definition;
    const struct column *column = row_find_key_column(definition, 1);
    struct row row;
    int64_t number = 0;
    enum status status = STATUS_OK;

    if (definition->key_count != 1 || column == NULL || column->type != FLEET_INTEGER) {
        return error_set(err, STATUS_REFUSED,
                         "the key of %s is not a single integer: say which one the row "
                         "shall have, by --key VALUE for each of its columns",
                         definition->name);
    }
    while (status == STATUS_OK) {
        status = back->ops->next_number(back, column, &number, err);
        if (status != STATUS_OK)
            return status;
        *out = (struct value){.type = VALUE_INTEGER, .integer = number};
        status = put_key(restoring->report, out, err);
        if (status == STATUS_OK)
            status = rows_get(back->txn, back->table.id,
                              buffer_view(&restoring->report->key), &row, err);
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

/* Put values, one a key column, at the writer's hand in place of the loser's. */
static void place_key(struct restoring *restoring, const struct value *key)
{
    const struct definition *definition = restoring->back.table.definition;
    struct value *values = restoring->back.ops->values(&restoring->back);
    uint32_t place = 0;

    assert(key != NULL);
    for (uint32_t i = 0; i < definition->column_count; i++) {
        const struct column *column = &definition->columns[i];

        if (column->generated != GENERATED_NO)
            continue;
        if (column->key_position > 0)
            values[place] = key[column->key_position - 1];
        place++;
    }
}

/* ---- a key that was said */

struct said_key {
    struct value *values; /* owned, one a key column */
    uint8_t **memory;     /* owned, behind them */
    struct stored *stored;
};

static void said_key_release(struct said_key *said, uint32_t count)
{
    stored_close(said->stored);
    for (uint32_t i = 0; said->memory != NULL && i < count; i++)
        free(said->memory[i]);
    free((void *)said->memory);
    free(said->values);
}

/* The word as the column stores it, which is what the row's key will be. */
static enum status read_key_word(struct said_key *said,
                                 const struct definition *definition, uint32_t position,
                                 const char *word, struct buffer *key, struct error *err)
{
    const struct column *column = row_find_key_column(definition, position + 1);
    struct value value, stored;
    uint32_t place;
    enum status status;

    assert(column != NULL);
    place = (uint32_t)definition_image_place(definition,
                                             (uint32_t)(column - definition->columns));
    status = row_find_word(word, column->type, &value, &said->memory[position], err);
    if (status == STATUS_OK)
        status = said->stored->ops->value(said->stored, place, &value, &stored, err);
    if (status == STATUS_CONSTRAINT)
        return write_back_check(WRITE_REFUSED, err);
    if (status != STATUS_OK)
        return status;
    said->values[position] = stored;
    return row_key_put(key, &stored, err);
}

static enum status read_said(struct restoring *restoring, struct said_key *said,
                             const char *const *words, size_t word_count,
                             struct error *err)
{
    struct write_back *back = &restoring->back;
    const struct definition *definition = back->table.definition;
    struct buffer *key = &restoring->report->key;
    struct row row;
    enum status status = STATUS_OK;

    if (word_count != definition->key_count) {
        return error_set(err, STATUS_USAGE,
                         "the key of %s has %u columns: give --key as often, not %zu "
                         "times",
                         definition->name, definition->key_count, word_count);
    }
    said->values = calloc(word_count, sizeof *said->values);
    said->memory = (uint8_t **)calloc(word_count, sizeof *said->memory);
    if (said->values == NULL || said->memory == NULL)
        return error_set(err, STATUS_NO_MEMORY, "keep both: out of memory");
    status = back->ops->open_stored(back, &said->stored, err);
    buffer_clear(key);
    for (uint32_t i = 0; status == STATUS_OK && i < word_count; i++)
        status = read_key_word(said, definition, i, words[i], key, err);
    if (status == STATUS_OK)
        status = rows_get(back->txn, back->table.id, buffer_view(key), &row, err);
    if (status == STATUS_OK && row.live)
        return error_set(err, STATUS_REFUSED, "another row of %s has this key",
                         definition->name);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status insert(struct restoring *restoring, const struct value *key,
                          struct error *err)
{
    struct write_back *back = &restoring->back;
    enum write_result result = WRITE_DONE;
    enum status status =
        back->ops->map(back, restoring->from, restoring->conflict.loser.image,
                       restoring->conflict.key, &result, err);

    if (status == STATUS_OK && result == WRITE_DONE) {
        place_key(restoring, key);
        restoring->report->result = RESTORE_INSERTED;
        status = back->ops->insert(back, &result, err);
    }
    if (status == STATUS_OK)
        status = write_back_check(result, err);
    return status == STATUS_OK ? finish(restoring, "kept both rows of conflict", err)
                               : status;
}

/* The row is written by now: what is not remembered is only said less well. */
static enum status remember_kept(struct store *store, uint64_t number, struct error *err)
{
    struct store_txn *txn = NULL;
    enum status status = store_begin(store, TXN_WRITE, &txn, err);

    if (status == STATUS_OK)
        status = conflict_mark_kept(txn, number, err);
    if (status == STATUS_OK)
        return store_commit(txn, err);
    store_abort(txn);
    return status;
}

static enum status keep_both(struct restoring *restoring, uint64_t number,
                             const char *const *words, size_t word_count,
                             struct error *err)
{
    struct said_key said = {0};
    struct value chosen;
    enum status status = find_loser(restoring, number, err);

    if (status == STATUS_OK)
        status = check_inserts(&restoring->conflict, err);
    if (status == STATUS_OK && word_count == 0) {
        status = choose_key(restoring, &chosen, err);
        if (status == STATUS_OK)
            status = insert(restoring, &chosen, err);
    } else if (status == STATUS_OK) {
        status = read_said(restoring, &said, words, word_count, err);
        if (status == STATUS_OK)
            status = insert(restoring, said.values, err);
        said_key_release(&said, (uint32_t)word_count);
    }
    return status;
}

enum status node_keep_both(struct node *node, uint64_t number, const char *const *words,
                           size_t word_count, struct restore_report *report,
                           struct error *err)
{
    struct restoring restoring = {.report = report};
    enum status status = write_back_lock(node, err);

    if (status != STATUS_OK)
        return status;
    status = write_back_begin(&restoring.back, node, &report->counts, err);
    if (status == STATUS_OK)
        status = keep_both(&restoring, number, words, word_count, err);
    write_back_end(&restoring.back);
    if (status == STATUS_OK)
        status = remember_kept(node_store(node), number, err);
    write_back_unlock(node);
    return status;
}
