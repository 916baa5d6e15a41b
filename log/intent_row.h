/* Folding one row of an intent: what the database has committed of it becomes what the
 * store says it holds. Private to log/. */
#ifndef LOG_INTENT_ROW_H
#define LOG_INTENT_ROW_H

#include "log/intent_record.h"
#include "log/plan.h"

/* Within a write transaction. intent: the whole one. scratch: any buffer, for use inside.
 */
struct intent_fold_txn {
    struct store_txn *txn;
    const struct intent *intent;
    struct buffer *scratch;
};

/* The database shows the version that it should as of the intent's end. key is a copy. */
MUST_CHECK enum status intent_row_written(const struct intent_fold_txn *fold,
                                          uint32_t table, struct bytes key,
                                          struct error *err);

/* The database shows what the change at a place made of the row. */
MUST_CHECK enum status intent_row_placed(const struct intent_fold_txn *fold,
                                         uint32_t table, struct bytes key,
                                         struct place place, struct error *err);

/* An echo has told what the batch wrote: send the row to repair when the database does
 * not show what it should as of the intent's end, and take it from there when it does.
 * Where there is no row and should be none, nothing was told: that is held from now on.
 */
MUST_CHECK enum status intent_row_left(const struct intent_fold_txn *fold, uint32_t table,
                                       struct bytes key, struct error *err);

/* The row is neither parked nor quarantined any more. */
MUST_CHECK enum status intent_row_freed(const struct intent_fold_txn *fold,
                                        uint32_t table, struct bytes key,
                                        struct error *err);

/* Carry out an item; it is a copy. May be done twice. */
MUST_CHECK enum status intent_row_item(const struct intent_fold_txn *fold,
                                       const struct intent_item *item, struct error *err);

#endif
