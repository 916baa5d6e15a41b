/* One batch on its way into a SQLite database: apply/batch.h, and what it asks of SQLite
 * (sqlite_batch_ops). */
#ifndef APPLY_SQLITE_BATCH_H
#define APPLY_SQLITE_BATCH_H

#include "apply/batch.h"
#include "apply/sqlite_schema.h"

enum { REFUSED_MAX = 1000 };

/* A row whose trigger ended the whole transaction: the next try leaves it out. */
struct refused_row {
    uint32_t table;
    struct bytes key;     /* owned */
    struct bytes message; /* owned */
};

struct refused_rows {
    struct refused_row *rows; /* owned */
    size_t count;
};

struct sqlite_batch {
    struct batch base;
    struct sqlite_database *database;
    struct sqlite_schema *schema; /* base's */
    struct refused_rows *refused;
    bool ended; /* a trigger has rolled everything back: try again, without that row */
    bool mend;  /* local writes to tables that only take are undone first */
    bool wants_mend; /* that is what it ended for */
};

extern const struct batch_ops sqlite_batch_ops;

/* What neutral parts hand back is SQLite's own. */
static inline struct sqlite_batch *sqlite_batch_of(struct batch *batch)
{
    return (struct sqlite_batch *)batch;
}

/* Delete and write what the plan says, deletes first. Rows that meet a unique value are
 * left to parking_resolve(), refused ones are noted. CONSTRAINT with batch->ended: see
 * there. */
MUST_CHECK enum status sqlite_batch_write_plan(struct sqlite_batch *batch,
                                               struct error *err);

/* Write one row. As above. */
MUST_CHECK enum status sqlite_batch_write(struct sqlite_batch *batch,
                                          const struct batch_row *row, struct error *err);

/* Note what the store must learn of a row that was written: columns that only this table
 * has, or that it is shown although the plan does not say so. */
MUST_CHECK enum status sqlite_batch_note_written(struct sqlite_batch *batch,
                                                 const struct batch_row *row,
                                                 struct error *err);

/* Delete the row at hand, whatever triggers say. */
MUST_CHECK enum status sqlite_batch_remove(struct sqlite_batch *batch,
                                           struct sqlite_table *table, struct error *err);

/* The row's statement has ended the transaction; err holds the message. Always
 * CONSTRAINT, or what else went wrong. */
enum status sqlite_batch_end(struct sqlite_batch *batch, uint32_t table, struct bytes key,
                             struct error *err);
void refused_rows_release(struct refused_rows *refused);

#endif
