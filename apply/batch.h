/* One batch on its way into a database: what its steps share, whatever the engine.
 * Everything between the begin and the commit of one write transaction, beside one read
 * transaction on the store.
 *
 * What only an engine can do, it does by struct batch_ops; its own batch begins with a
 * struct batch, its tables and foreign keys with those of batch_schema.h. */
#ifndef APPLY_BATCH_H
#define APPLY_BATCH_H

#include "apply/batch_schema.h"
#include "apply/items.h"
#include "apply/moved.h"
#include "apply/target.h"
#include "apply/write_result.h"
#include "log/plan.h"

struct batch {
    const struct batch_ops *ops;
    struct batch_schema *schema;
    struct store *store;
    struct store_txn *txn; /* reading */
    struct items *items;
    struct moved *moved;
    struct apply_counts *counts;
    struct progress_step *progress;
    struct plan_range range;
    uint64_t only; /* of the quarantined rows try this number again; 0: all */
    uint64_t now_us;
    uint64_t parked; /* rows that are, as the batch begins */
    bool all;    /* something was written here, or the schema changed: look everywhere */
    bool repair; /* the store's holdings say nothing: every row shows its winner */
    bool echoed; /* the database\'s own log tells what was written */
    bool parks;  /* some row becomes parked, or parked otherwise */
    bool displaced; /* a row has lost a place in the group at hand: parked ones may be
                       free of which the store says that others block them */
    bool *changed;  /* owned: groups of which rows came, changed or went */
    struct planned_rows planned; /* what the plan's rows were written by; owned */
    struct buffer out;           /* range.out's */
    struct buffer image, key, keys;
};

/* A row to be written, whether by the plan or beyond it. */
struct batch_row {
    uint32_t table_id;
    struct batch_table *table;     /* NULL: not here */
    const struct definition *from; /* of the image */
    struct bytes key;
    struct bytes image;
    struct version version;
    struct version born;
    bool live;
    bool beyond;  /* the plan does not have it */
    bool brought; /* nor was it refused before: the table takes again */
    bool there;   /* the database has the row now; who writes it finds out */
    bool whole;   /* what is there is not holding's image: set every column */
    const struct row *holding;
};

/* Where a row stands: in the user's table, or alone in the table's empty copy: same
 * columns, generated ones too, same checks, no other rows. */
enum row_place { ROW_IN_TABLE, ROW_IN_COPY };

/* What a batch asks of its engine. Each table has one row at hand: a key, or a key and
 * values. All within the database's transaction; a row that is refused (REFUSED, UNIQUE)
 * leaves it as it was. `id` is the caller's number for a row that is kept. */
struct batch_ops {
    /* Put a row at hand: nothing but a key, which the table can hold; or values by an
     * image, absent where it has none. Views live as long as image's and key's bytes, and
     * until the next row. */
    enum status (*key)(struct batch *batch, struct batch_table *table, struct bytes key,
                       struct error *err);
    enum status (*map)(struct batch *batch, struct batch_table *table,
                       const struct definition *from, struct bytes image,
                       struct bytes key, enum write_result *result, struct error *err);

    /* Fill in absent values at hand from an image of the row. *carried: there were some.
     */
    enum status (*carry)(struct batch *batch, struct batch_table *table,
                         const struct definition *from, struct bytes image,
                         struct bytes key, bool *carried, struct error *err);

    /* Whether the user's table has the row at hand; delete it from there, whatever
     * triggers say. */
    enum status (*find)(struct batch *batch, struct batch_table *table, bool *found,
                        struct error *err);
    enum status (*remove)(struct batch *batch, struct batch_table *table,
                          struct error *err);

    /* Write a row to its table, as the plan does: what stands in its way goes to
     * batch_dispute(), what is refused to batch_refuse(). */
    enum status (*write)(struct batch *batch, const struct batch_row *row,
                         struct error *err);

    /* A row that was kept is in its table for good: note what the store must learn of it,
     * columns that only this table has, or that it is shown although the plan does not
     * say so. */
    enum status (*placed)(struct batch *batch, const struct batch_row *row,
                          struct error *err);

    /* ---- rows that are kept out of their table
     *
     * try_row: put the row at hand into the table's copy, alone. keep: keep the copy's
     * row under id. take: keep a copy of the row at hand as it stands in the user's
     * table. load: put the kept row into the copy, alone. place: insert it into the
     * user's table. drop: forget it. image: append it, encoded by the table's own
     * definition; overwrites the row at hand. */
    enum status (*try_row)(struct batch *batch, struct batch_table *table,
                           enum write_result *result, struct error *err);
    enum status (*keep)(struct batch *batch, struct batch_table *table, int64_t id,
                        struct error *err);
    enum status (*take)(struct batch *batch, struct batch_table *table, int64_t id,
                        struct error *err);
    enum status (*load)(struct batch *batch, struct batch_table *table, int64_t id,
                        enum write_result *result, struct error *err);
    enum status (*place)(struct batch *batch, struct batch_table *table, int64_t id,
                         enum write_result *result, struct error *err);
    enum status (*drop)(struct batch *batch, struct batch_table *table, int64_t id,
                        struct error *err);
    enum status (*image)(struct batch *batch, struct batch_table *table, int64_t id,
                         struct buffer *image, struct error *err);

    /* ---- constraints
     *
     * Find a row of the user's table that has the value of unique constraint number `at`
     * of the row in the copy, as the engine compares them; the one after `skip` such
     * rows, in any order that lasts while nothing is written. Those from the definition's
     * unique_count on are the table's exclusions, which more than one may meet. *key:
     * cleared, then its key. NOT_FOUND, a plain answer: nobody, or the copy's row has no
     * such value. REFUSED: it has NULL in its key, so it is not the fleet's. */
    enum status (*holder)(struct batch *batch, struct batch_table *table, uint32_t at,
                          uint32_t skip, struct buffer *key, struct error *err);

    /* Whether the child's row at hand, by its values, has its parent, or refers to none.
     * Not *sure: they may be stored as others, and *holds is false. */
    enum status (*holds)(struct batch *batch, struct batch_foreign *foreign, bool *holds,
                         bool *sure, struct error *err);

    /* Whether the child's row, that at hand in the user's table or the copy's, lacks its
     * parent. A row that is not there lacks nothing. */
    enum status (*violated)(struct batch *batch, struct batch_foreign *foreign,
                            enum row_place place, bool *violated, struct error *err);

    /* Append the key of the parent that the row in the child's copy refers to, where the
     * foreign key is the parent's key; else nothing. (Inexact: the parent's may differ.)
     */
    enum status (*blocker)(struct batch *batch, struct batch_foreign *foreign,
                           struct buffer *key, struct error *err);

    /* The parent's row at hand is about to go, or to change what children refer to:
     * remember, and raise foreign->gone. Forget all of them. */
    enum status (*note_gone)(struct batch *batch, struct batch_foreign *foreign,
                             struct error *err);
    enum status (*forget_gone)(struct batch *batch, struct batch_foreign *foreign,
                               struct error *err);

    /* Step through the children that lack a parent: of those noted as gone, or (all) of
     * the whole table; the key of each is appended to *key. NOT_FOUND at the end. Neither
     * table is written until then, or until stop. */
    enum status (*next_orphan)(struct batch *batch, struct batch_foreign *foreign,
                               bool all, struct buffer *key, struct error *err);
    void (*stop)(struct batch *batch, struct batch_foreign *foreign);

    /* ---- the batch
     *
     * mend_first: constraints are about to be decided: tables whose local writes are not
     * captured must be as the store says. Else (CONSTRAINT) the batch begins anew.
     * end: a row's statement has ended the transaction (WRITE_ENDED), err holds the
     * message: CONSTRAINT and the batch begins anew without it, or what else went wrong.
     */
    enum status (*mend_first)(struct batch *batch, struct error *err);
    enum status (*end)(struct batch *batch, uint32_t table, struct bytes key,
                       struct error *err);
};

/* Give back what the struct owns. */
void batch_release(struct batch *batch);

/* ---- rows that a write met something with
 *
 * The row is at hand, with its values; row->there is known.
 *
 * dispute: it has a unique value that another one holds: keep it out of its table until
 * parking_resolve(). refuse: the database does not take it (message in err), what it
 * holds of it stays. suspect: it was written; remember it if a parent may be missing. */
MUST_CHECK enum status batch_dispute(struct batch *batch, const struct batch_row *row,
                                     struct error *err);
MUST_CHECK enum status batch_refuse(struct batch *batch, const struct batch_row *row,
                                    struct error *err);
MUST_CHECK enum status batch_suspect(struct batch *batch, const struct batch_row *row,
                                     struct error *err);

/* ---- rows beyond the plan */

/* Write what the row should show, unless the plan has: it was refused before, or
 * (brought) not taken. */
MUST_CHECK enum status batch_try(struct batch *batch, uint32_t table, struct bytes key,
                                 bool brought, struct error *err);

/* Try the quarantined rows again: batch->only. */
MUST_CHECK enum status batch_retry(struct batch *batch, struct error *err);

/* ---- notes for the store */

/* Note that the database refuses the row; err holds its message. absent: the old row is
 * gone. */
MUST_CHECK enum status batch_note_refused(struct batch *batch, uint32_t table,
                                          struct bytes key, const struct version *version,
                                          bool beyond, bool absent, struct error *err);

/* The same of a winner that a repair could not write, while the database has this image
 * (its definition and bytes) of the row. */
MUST_CHECK enum status batch_note_stays(struct batch *batch, uint32_t table,
                                        const struct row *winner, const struct row *stays,
                                        struct error *err);

/* Children of the row at hand are to be looked for: it goes away, or (changes) what
 * children refer to beyond its key may change. */
MUST_CHECK enum status batch_note_gone(struct batch *batch, struct batch_table *table,
                                       struct error *err);
MUST_CHECK enum status batch_note_changing(struct batch *batch, struct batch_table *table,
                                           struct error *err);

/* ---- what the store says */

/* Fill in absent values at hand, of a row that the database does not show, from what it
 * was when it was parked; or of any row from what the store says that the database holds
 * or held of it. *carried: there were some. */
MUST_CHECK enum status batch_carry_parked(struct batch *batch, struct batch_table *table,
                                          const struct parked *parked, struct bytes key,
                                          bool *carried, struct error *err);
MUST_CHECK enum status batch_carry(struct batch *batch, const struct batch_row *row,
                                   bool *carried, struct error *err);

/* Fill in was, and before: whether the database showed the row, or why not. */
MUST_CHECK enum status batch_was(struct batch *batch, uint32_t table, struct bytes key,
                                 bool shown, struct moved_row *out, struct error *err);

/* What the store says of a row that constraints have taken in hand. born and origin; was
 * and before (views of the store). */
MUST_CHECK enum status batch_describe(struct batch *batch, struct batch_table *table,
                                      struct bytes key, struct moved_row *out,
                                      struct error *err);

#endif
