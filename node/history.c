#include "node/history.h"

#include "log/conflicts.h"

#include <stdlib.h>

struct places {
    struct place *list; /* owned; newest first */
    size_t count;
    size_t capacity;
};

static bool places_add(struct places *places, struct place place)
{
    struct place *grown;

    if (places->count == places->capacity) {
        places->capacity = places->capacity == 0 ? 64 : 2 * places->capacity;
        grown = realloc(places->list, places->capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        places->list = grown;
    }
    places->list[places->count++] = place;
    return true;
}

/* A row's changes hang together backwards; what was trimmed ends the walk. */
static enum status collect(struct store_txn *txn, struct place last, struct places *out,
                           struct error *err)
{
    struct log_change change;
    enum status status;

    for (struct place at = last; at.seq != 0; at = change.previous) {
        status = log_change_at(txn, at, &change, err);
        if (status == STATUS_NOT_FOUND)
            break;
        if (status != STATUS_OK)
            return status;
        if (!places_add(out, at))
            return error_set(err, STATUS_NO_MEMORY, "history: out of memory");
    }
    return STATUS_OK;
}

/* Who beat it: the record says so, else the winner of the moment when it came. */
static enum status find_beater(struct store_txn *txn, const struct version *winner,
                               struct history_step *step, struct error *err)
{
    struct conflict conflict;
    enum status status =
        conflict_of_loser(txn, &step->change->version, &step->conflict, err);

    if (status == STATUS_NOT_FOUND) {
        step->beaten = !step->change->won;
        step->beater = *winner;
        return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = conflict_get(txn, step->conflict, &conflict, err);
    if (status == STATUS_OK) {
        step->beaten = true;
        step->beater = conflict.winner.version;
    }
    return status;
}

static enum status visit_places(struct store_txn *txn, const struct places *places,
                                const struct version *current, history_visit_cb visit,
                                void *data, struct error *err)
{
    struct version winner = {0};
    struct log_change change;
    struct log_entry entry;
    enum status status = STATUS_OK;

    for (size_t i = places->count; status == STATUS_OK && i > 0; i--) {
        struct history_step step = {.change = &change, .entry = &entry};

        status = log_change_at(txn, places->list[i - 1], &change, err);
        if (status == STATUS_OK)
            status = log_get(txn, change.seq, &entry, err);
        if (status != STATUS_OK)
            break;
        step.current = version_compare(&change.version, current) == 0;
        status = find_beater(txn, &winner, &step, err);
        if (change.won)
            winner = change.version;
        if (status == STATUS_OK && !visit(data, &step))
            break;
    }
    return status;
}

enum status history_walk(struct store_txn *txn, uint32_t table, struct bytes key,
                         history_visit_cb visit, void *data, struct error *err)
{
    struct places places = {0};
    struct row row;
    enum status status = rows_get(txn, table, key, &row, err);

    if (status != STATUS_OK)
        return status;
    status = collect(txn, row.last, &places, err);
    if (status == STATUS_OK)
        status = visit_places(txn, &places, &row.version, visit, data, err);
    free(places.list);
    return status;
}
