/* An echo: a batch of our own, seen again by capture in the database's log (DESIGN
 * section 6, "The race"). Each row that it tells is one that the batch has written, and
 * so what the database holds from here on; whatever of the plan it does not tell, the
 * fold of the batch's intent finds (log/intent.h).
 *
 * Between the plan and the commit local writes may have been captured, so the version
 * that was written is asked of the log: the row's largest foreign change in the batch
 * that won, or the one that the intent names. */
#ifndef LOG_ECHO_H
#define LOG_ECHO_H

#include "log/intent.h"

struct echo_row {
    uint32_t table;
    struct row row; /* what was written; its views are the log's and the key's */
    bool is_winner;
    bool settled; /* an item of the intent says all of it: nothing is to be held */
};

/* What the batch has written of a row. NOT_FOUND is a plain answer: nothing, so that
 * somebody else has, as a trigger may. Views live until the transaction ends or writes.
 */
MUST_CHECK enum status echo_find(struct store_txn *txn, const struct intent *intent,
                                 uint32_t table, struct bytes key, struct echo_row *out,
                                 struct error *err);

/* The database holds it. image: unless it is empty, what the row became there, under this
 * node's definition of that number, where that has columns that the written image lacks.
 * scratch: any buffer. The row's views are no more. */
MUST_CHECK enum status echo_hold(struct store_txn *txn, const struct intent *intent,
                                 const struct echo_row *row, struct bytes image,
                                 uint32_t definition, struct buffer *scratch,
                                 struct error *err);

/* The row went away for the time being: the batch writes it again. */
MUST_CHECK enum status echo_gone(struct store_txn *txn, const struct echo_row *row,
                                 struct error *err);

#endif
