#include "cli/slot_view.h"

#include "cli/json.h"
#include "cli/print.h"
#include "node/slot_state.h"

#include <string.h>

/* Bytes that may still be written. */
static uint64_t left(const struct postgres_slot *slot)
{
    return slot->safe_wal_size > 0 ? (uint64_t)slot->safe_wal_size : 0;
}

static bool is_lost(const struct slot_state *state)
{
    return state->slot.wal_status == POSTGRES_WAL_LOST;
}

static void put(json_t *object, const struct slot_state *state)
{
    const struct postgres_slot *slot = &state->slot;
    json_t *found = json_make_object();

    json_put_text(found, "name", state->name);
    if (state->known) {
        json_put_text(found, "wal_status",
                      state->missing ? "missing"
                                     : postgres_wal_status_text(slot->wal_status));
    }
    if (state->known && !state->missing) {
        json_put_text(found, "position", state->position.text);
        json_put_number(found, "kept", slot->kept_size);
        if (slot->is_limited)
            json_put_number(found, "left", left(slot));
        if (state->is_timed)
            json_put_number(found, "left_seconds", state->left_seconds);
        json_put_bool(found, "active", slot->active_pid != 0);
    }
    if (state->trouble.text[0] != '\0')
        json_put_text(found, "trouble", state->trouble.text);
    json_put(object, "slot", found);
}

/* The position is that of the log; what the server keeps is a line of its own. */
static void print(struct view *view, const struct slot_state *state)
{
    const struct postgres_slot *slot = &state->slot;
    char size[SIZE_TEXT_SIZE], time[SPAN_TEXT_SIZE];

    (void)fprintf(view->out, "slot         %s", state->name);
    if (state->known && !state->missing) {
        (void)fprintf(view->out, " at %s%s", state->position.text,
                      slot->active_pid != 0 ? ", being read" : "");
    }
    (void)fputs("\n             ", view->out);
    if (state->trouble.text[0] != '\0') {
        print_plain(view->out, bytes_of_text(state->trouble.text));
    } else {
        (void)fprintf(view->out, "%s, %s of WAL kept",
                      postgres_wal_status_text(slot->wal_status),
                      size_text(slot->kept_size, size));
        if (slot->is_limited && !is_lost(state)) {
            (void)fprintf(view->out,
                          ", %s left to the limit\n"
                          "             %s until then, as it is written now",
                          size_text(left(slot), size),
                          state->is_timed ? span_text(state->left_seconds * 1000000, time)
                                          : "unknown time");
        }
    }
    (void)fputc('\n', view->out);
}

enum status slot_view(struct view *view, json_t *object, struct error *err)
{
    struct slot_state state;
    enum status status = slot_state_read(&state, view->txn, node_database_url(view->node),
                                         node_given_slot(view->node), err);

    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK && object != NULL)
        put(object, &state);
    else if (status == STATUS_OK)
        print(view, &state);
    return status;
}
