/* Small records that every entry writes anew (numbers of `meta`, heads of origins), held
 * in memory by a write transaction until it commits: many entries make a transaction,
 * and only the last one's stay. Private to log/. */
#ifndef LOG_LATE_RECORDS_H
#define LOG_LATE_RECORDS_H

#include "log/store_private.h"

/* As store_get and store_put. Of a record that was put late, only these see it before
 * the commit. The view lives until that record is put again or the transaction ends. */
MUST_CHECK enum status late_get(struct store_txn *txn, enum store_dbi dbi,
                                struct bytes key, struct bytes *value, struct error *err);
MUST_CHECK enum status late_put(struct store_txn *txn, enum store_dbi dbi,
                                struct bytes key, struct bytes value, struct error *err);

/* Put what is late: the last thing that a transaction does. */
MUST_CHECK enum status late_records_put(struct store_txn *txn, struct error *err);

/* NULL is allowed. */
void late_records_close(struct late_records *late);

#endif
