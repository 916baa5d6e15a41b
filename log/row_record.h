/* The records of `row` and `held`: bytes to and from struct row. Private to log/. */
#ifndef LOG_ROW_RECORD_H
#define LOG_ROW_RECORD_H

#include "log/row_key.h"
#include "log/rows.h"
#include "log/store_private.h"

enum { ROW_LMDB_KEY_MAX = 4 + ROW_KEY_LMDB_MAX };

/* The LMDB key of a row: table id, then the key's LMDB form. */
struct bytes row_lmdb_key(uint8_t out[ROW_LMDB_KEY_MAX], uint32_t table,
                          struct bytes key);

void row_record_encode(struct buffer *out, const struct row *row);

/* lmdb_key is the record's own: a short row key is read from it. Views point into both.
 */
MUST_CHECK enum status row_record_decode(struct bytes lmdb_key, struct bytes record,
                                         struct row *out, struct error *err);

/* The winner's version, its seq and whether it is local, without a look at the rest or
 * the checksum. */
MUST_CHECK enum status row_record_winner(struct bytes record, struct version *version,
                                         uint64_t *seq, bool *local, struct error *err);

/* Put a held image that is encoded already. */
MUST_CHECK enum status held_put_record(struct store_txn *txn, uint32_t table,
                                       struct bytes key, struct bytes record,
                                       struct error *err);

/* Put a row into the index. Only merge does this. */
MUST_CHECK enum status rows_put(struct store_txn *txn, uint32_t table,
                                const struct row *row, struct buffer *scratch,
                                struct error *err);

#endif
