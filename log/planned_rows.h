/* The rows that a batch has planned, kept in memory from the writing to the fold, so that
 * the fold need not ask for each of them again. At most PLANNED_ROWS_BYTES of them: else,
 * or when anything has entered the log meanwhile, they say nothing, and the fold goes by
 * the log. */
#ifndef LOG_PLANNED_ROWS_H
#define LOG_PLANNED_ROWS_H

#include "log/plan.h"

enum { PLANNED_ROWS_BYTES = 16 << 20 };

struct planned_rows {
    struct buffer rows, record; /* owned */
    uint64_t last_seq;          /* of the log, as the plan saw it */
    bool overflow;
    bool whole; /* begun and ended, and all of the batch's are there */
};

void planned_rows_release(struct planned_rows *rows);

/* Begin anew, for a plan within this transaction; add what plan_next gives; end. */
MUST_CHECK enum status planned_rows_begin(struct planned_rows *rows,
                                          struct store_txn *txn, struct error *err);
void planned_rows_add(struct planned_rows *rows, const struct planned *planned);
void planned_rows_end(struct planned_rows *rows);

/* Whether they are what the log says in this transaction. */
MUST_CHECK enum status planned_rows_hold(const struct planned_rows *rows,
                                         struct store_txn *txn, bool *hold,
                                         struct error *err);

/* The next of them; *rest begins as all of rows->rows. False at the end. held: the record
 * of what the database holds then; empty: that is the winner. */
bool planned_rows_take(struct bytes *rest, uint32_t *table, struct bytes *key,
                       struct bytes *held);

#endif
