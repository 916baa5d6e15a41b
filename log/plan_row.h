/* What a batch means for one row. Private to log/. */
#ifndef LOG_PLAN_ROW_H
#define LOG_PLAN_ROW_H

#include "log/plan.h"

/* A row as a change of the log made it. */
void plan_row_of_change(const struct log_change *from, bool local, struct row *out);

/* Walk the row's history back from one of its changes: to the newest that won and that
 * the database has or gets by entry `to`. NOT_FOUND is a plain answer. */
MUST_CHECK enum status plan_walk_back(struct store_txn *txn, uint64_t to, struct place at,
                                      struct row *out, struct error *err);

/* Turn the winner into the row's largest version up to `to`. */
MUST_CHECK enum status plan_row_at_position(struct store_txn *txn, uint64_t to,
                                            struct row *row, bool *is_winner,
                                            struct error *err);

/* Set out->holding: what the store says the database holds of a row whose winner is at
 * hand. */
MUST_CHECK enum status plan_holding_of(struct store_txn *txn, uint32_t table,
                                       const struct row *winner, struct planned *out,
                                       struct error *err);

/* Plan that the row be written as it is. */
void plan_take_row(struct planned *out, const struct row *row);

#endif
