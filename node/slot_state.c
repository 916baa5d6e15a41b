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

enum status slot_state_read(struct slot_state *out, struct store_txn *txn,
                            const char *url, struct error *err)
{
    uint64_t lsn = 0;
    enum status status = meta_get(txn, META_LSN, &lsn, err);

    *out = (struct slot_state){0};
    if (status != STATUS_OK || lsn == 0)
        return status == STATUS_OK ? STATUS_NOT_FOUND : status;
    (void)snprintf(out->name, sizeof out->name, "rowferry_%016" PRIx64,
                   store_identity(store_of(txn))->node);
    ask(out, url);
    return STATUS_OK;
}
