/* One batch on its way into a SQLite database: what its steps share. Everything between
 * the begin and the commit of one write transaction, beside one read transaction on the
 * store. */
#ifndef APPLY_SQLITE_BATCH_H
#define APPLY_SQLITE_BATCH_H

#include "apply/sqlite_items.h"
#include "apply/sqlite_moved.h"
#include "apply/sqlite_schema.h"
#include "log/plan.h"

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
    struct sqlite_database *database;
    struct store *store;
    struct store_txn *txn; /* reading */
    struct sqlite_schema *schema;
    struct sqlite_items *items;
    struct sqlite_moved *moved;
    struct refused_rows *refused;
    struct apply_counts *counts;
    struct progress_step *progress;
    struct plan_range range;
    uint64_t only; /* of the quarantined rows try this number again; 0: all */
    uint64_t now_us;
    uint64_t parked; /* rows that are, as the batch begins */
    bool foreign_keys;
    bool all;    /* something was written here, or the schema changed: look everywhere */
    bool repair; /* the store's holdings say nothing: every row shows its winner */
    bool ended;  /* a trigger has rolled everything back: try again, without that row */
    bool mend;   /* local writes to tables that only take are undone first */
    bool wants_mend; /* that is what it ended for */
    bool parks;      /* some row becomes parked, or parked otherwise */
    bool displaced;  /* a row has lost a place in the group at hand: parked ones may be
                        free of which the store says that others block them */
    bool *changed;   /* owned: groups of which rows came, changed or went */
    struct planned_rows planned; /* what write_plan went by; owned */
    struct buffer out;           /* range.out's */
    struct buffer image, key, keys;
};

/* A row to be written, whether by the plan or beyond it. */
struct batch_row {
    uint32_t table_id;
    struct sqlite_table *table;    /* NULL: not here */
    const struct definition *from; /* of the image */
    struct bytes key;
    struct bytes image;
    struct version version;
    struct version born;
    bool live;
    bool beyond;  /* the plan does not have it */
    bool brought; /* nor was it refused before: the table takes again */
    bool there;   /* the database has the row now; sqlite_batch_write() finds out */
    bool whole;   /* what is there is not holding's image: set every column */
    const struct row *holding;
};

/* Delete and write what the plan says, deletes first. Rows that meet a unique value are
 * left to sqlite_parking_resolve(), refused ones are noted. CONSTRAINT with batch->ended:
 * see there. */
MUST_CHECK enum status sqlite_batch_write_plan(struct sqlite_batch *batch,
                                               struct error *err);

/* Write what the row should show, unless the plan has: it was refused before, or
 * (brought) not taken. As above. */
MUST_CHECK enum status sqlite_batch_try(struct sqlite_batch *batch, uint32_t table,
                                        struct bytes key, bool brought,
                                        struct error *err);

/* Try the quarantined rows again. As above. */
MUST_CHECK enum status sqlite_batch_retry(struct sqlite_batch *batch, struct error *err);

/* Write one row. As above. */
MUST_CHECK enum status sqlite_batch_write(struct sqlite_batch *batch,
                                          const struct batch_row *row, struct error *err);

/* Note what the store must learn of a row that was written: columns that only this table
 * has, or that it is shown although the plan does not say so. */
MUST_CHECK enum status sqlite_batch_note_written(struct sqlite_batch *batch,
                                                 const struct batch_row *row,
                                                 struct error *err);

/* Fill in absent values at hand, of a row that the database does not show, from what it
 * was when it was parked. *carried: there were some. */
MUST_CHECK enum status sqlite_batch_carry_parked(struct sqlite_batch *batch,
                                                 struct sqlite_table *table,
                                                 const struct parked *parked,
                                                 struct bytes key, bool *carried,
                                                 struct error *err);
MUST_CHECK enum status sqlite_batch_carry(struct sqlite_batch *batch,
                                          const struct batch_row *row, bool *carried,
                                          struct error *err);

/* Note that the database refuses the row; err holds its message. absent: the old row is
 * gone. */
MUST_CHECK enum status sqlite_batch_note_refused(struct sqlite_batch *batch,
                                                 uint32_t table, struct bytes key,
                                                 const struct version *version,
                                                 bool beyond, bool absent,
                                                 struct error *err);

/* The same of a winner that a repair could not write, while the database has this image
 * (its definition and bytes) of the row. */
MUST_CHECK enum status sqlite_batch_note_stays(struct sqlite_batch *batch, uint32_t table,
                                               const struct row *winner,
                                               const struct row *stays,
                                               struct error *err);

/* A row that was refused before is again: keep the message of today. */
MUST_CHECK enum status sqlite_batch_note_again(struct sqlite_batch *batch,
                                               const struct batch_row *row,
                                               struct error *err);

/* The row's statement has ended the transaction; err holds the message. Always
 * CONSTRAINT, or what else went wrong. */
enum status sqlite_batch_end(struct sqlite_batch *batch, uint32_t table, struct bytes key,
                             struct error *err);
void refused_rows_release(struct refused_rows *refused);

/* Children of the writer's row at hand are to be looked for: it goes away. */
MUST_CHECK enum status sqlite_batch_note_gone(struct sqlite_batch *batch,
                                              struct sqlite_table *table,
                                              struct error *err);

/* Fill in was, and before: whether the database showed the row, or why not. */
MUST_CHECK enum status sqlite_batch_was(struct sqlite_batch *batch, uint32_t table,
                                        struct bytes key, bool shown,
                                        struct moved_row *out, struct error *err);

/* Delete the writer's row at hand, whatever triggers say. */
MUST_CHECK enum status sqlite_batch_remove(struct sqlite_batch *batch,
                                           struct sqlite_table *table, struct error *err);

/* What the store says of a row that constraints have taken in hand. born and origin; was
 * and before (views of the store). */
MUST_CHECK enum status sqlite_batch_describe(struct sqlite_batch *batch,
                                             struct sqlite_table *table, struct bytes key,
                                             struct moved_row *out, struct error *err);

#endif
