#include "capture/row_layer_private.h"

/* Whether the database has a row of its own in the place of the fleet's: when they met it
 * was another one, or it has been logged before as one that yields. What was like the
 * fleet's, but for columns that one of them lacks, is held as the winner, or as a row of
 * no version (node/meeting.c). */
static enum status is_own(struct row_layer *layer, struct store_txn *txn,
                          struct bytes key, bool *own, struct error *err)
{
    struct row held;
    enum status status = held_get(txn, layer->table.id, key, &held, err);

    *own = status == STATUS_OK && (!held.live || !version_is_nothing(&held.version));
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status row_layer_yield(struct row_layer *layer, struct store_txn *txn,
                            struct change *change, bool *wanted, struct error *err)
{
    struct row winner;
    enum status status = is_own(layer, txn, change->key, wanted, err);

    if (status != STATUS_OK || !*wanted)
        return status;
    status = rows_get(txn, layer->table.id, change->key, &winner, err);
    *wanted = status == STATUS_OK && winner.live && !winner.local;
    if (*wanted) {
        change->has_unseen = true;
        change->unseen_origin = winner.version.origin;
        change->unseen_seq = winner.version.origin_seq;
    }
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
