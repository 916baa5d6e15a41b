#include "node/slot_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void ask(struct slot_state *out, const char *url)
{
    struct postgres *postgres = NULL;
    struct error why = {{0}};
    enum status status = postgres_open(&postgres, url, POSTGRES_READ, &why);

    if (status == STATUS_OK) {
        status = postgres_slot_read(postgres, out->name, &out->slot, &why);
        out->missing = status == STATUS_NOT_FOUND;
        out->known = status == STATUS_OK || out->missing;
    }
    postgres_close(postgres);
    if (out->missing) {
        (void)error_set(&why, status,
                        "it is gone: what was written since is not captured");
    } else if (out->known && out->slot.wal_status == POSTGRES_WAL_LOST) {
        (void)error_set(&why, STATUS_REFUSED,
                        "the server gave it up: what was written since is not captured");
    }
    out->position = lsn_format(out->slot.confirmed_lsn);
    out->trouble = why;
}

/* What is written between two looks that are less than a second apart says nothing. */
enum { LOOK_US_MIN = 1000000 };

static void time_left(struct slot_state *out, uint64_t look_lsn, uint64_t passed_us)
{
    const struct postgres_slot *slot = &out->slot;
    uint64_t end_lsn = slot->restart_lsn + slot->kept_size;
    double rate;

    out->is_timed = slot->is_limited && slot->restart_lsn > 0 && slot->kept_size > 0 &&
                    look_lsn > 0 && end_lsn > look_lsn && passed_us >= LOOK_US_MIN;
    if (!out->is_timed || slot->safe_wal_size <= 0)
        return;
    rate = (double)(end_lsn - look_lsn) / ((double)passed_us / 1e6);
    out->left_seconds = (uint64_t)((double)slot->safe_wal_size / rate);
}

enum status slot_state_read(struct slot_state *out, struct store_txn *txn,
                            const char *url, const char *given, struct error *err)
{
    uint64_t lsn = 0, look_lsn = 0, look_us = 0, now_us = store_now_us(store_of(txn));
    enum status status = meta_get(txn, META_LSN, &lsn, err);

    *out = (struct slot_state){0};
    if (status == STATUS_OK)
        status = meta_get(txn, META_LOOK_LSN, &look_lsn, err);
    if (status == STATUS_OK)
        status = meta_get(txn, META_LOOK_US, &look_us, err);
    if (status != STATUS_OK || lsn == 0)
        return status == STATUS_OK ? STATUS_NOT_FOUND : status;
    (void)snprintf(out->name, sizeof out->name, "rowferry_%016" PRIx64,
                   store_identity(store_of(txn))->node);
    if (given != NULL)
        (void)snprintf(out->name, sizeof out->name, "%s", given);
    ask(out, url);
    if (out->known && !out->missing)
        time_left(out, look_lsn, now_us > look_us ? now_us - look_us : 0);
    return STATUS_OK;
}
