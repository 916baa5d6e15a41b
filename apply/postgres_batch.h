/* One batch on its way into Postgres: everything between the begin and the commit of one
 * transaction. Rows go in sets (apply/postgres_set.h), and beside other writers: what
 * they have written since capture passed is left alone, and comes to repair.
 *
 * A batch begins as fast as can be; where a statement is refused, or waits too long, it
 * begins anew with care, each set in a savepoint, so that the row to blame is found, or
 * left to who holds it (postgres_held.h); where constraints are to be decided it begins
 * anew with its tables locked against all others. */
#ifndef APPLY_POSTGRES_BATCH_H
#define APPLY_POSTGRES_BATCH_H

#include "apply/batch.h"
#include "apply/postgres_schema.h"

enum batch_mode { BATCH_FAST, BATCH_CAREFUL, BATCH_LOCKED };

struct postgres_batch {
    struct batch base;
    struct postgres *postgres;
    struct postgres_schema *schema;
    struct postgres_guard *guard;
    enum batch_mode mode;
    enum batch_mode need;     /* with CONSTRAINT: begin anew in this mode */
    bool *parks_in;           /* owned; by component: rows of it are parked */
    bool whole;               /* every row of the plan was written */
    bool again;               /* with CONSTRAINT: begin anew from the first mode on */
    uint64_t changes;         /* in its entries */
    size_t bytes;             /* in the sets at hand */
    struct bytes repair_from; /* repairs begin behind this row: table 4, key sized; empty:
                                 with the first; the target's */
    struct buffer repair_next; /* the same for the next batch, when this one is made */
    bool more;                 /* there are some behind those that were tried */
    uint32_t repaired;         /* repairs that were written, */
    uint32_t stopped;          /* and that were not */
    uint32_t learned;          /* of these: they may be next time */
    uint32_t left;             /* rows, or tables, that others hold */
    struct buffer note;
};

static inline struct postgres_batch *postgres_batch_of(struct batch *batch)
{
    return (struct postgres_batch *)batch; /* its first member */
}

/* With care: how long it waits for somebody who is about to insert the same row. */
#define POSTGRES_SHORT_WAIT "SET LOCAL lock_timeout = '100ms'"

/* Write what the plan says, deletes first. CONSTRAINT with need above mode: see there.
 * Rows that the server does not take are noted. */
MUST_CHECK enum status postgres_batch_write_plan(struct postgres_batch *batch,
                                                 struct error *err);

/* Look at the foreign keys of which some child may lack its parent. As above. */
MUST_CHECK enum status postgres_batch_check(struct postgres_batch *batch,
                                            struct error *err);

/* Write rows that do not show what they should, some of them (apply/postgres_repair.c):
 * one that somebody has written since stays. As above. */
MUST_CHECK enum status postgres_batch_repair(struct postgres_batch *batch,
                                             struct error *err);

/* With the tables locked: lock those of the batch, of rows to repair, retry and bring,
 * and whatever foreign keys connect to them, against all other writers. Those that others
 * hold are left, with what is connected to them. Then write the rows to repair, as
 * parking does. */
MUST_CHECK enum status postgres_lock_tables(struct postgres_batch *batch,
                                            struct error *err);
/* Lock all tables. BUSY: others hold some. */
MUST_CHECK enum status postgres_lock_all(struct postgres_batch *batch, struct error *err);
MUST_CHECK enum status postgres_batch_try_repairs(struct postgres_batch *batch,
                                                  struct error *err);

/* Try quarantined rows again: batch->only. As above. */
MUST_CHECK enum status postgres_batch_retry(struct postgres_batch *batch,
                                            struct error *err);

/* Always CONSTRAINT: the batch begins anew in a mode that takes more time. */
enum status postgres_batch_begin_anew(struct postgres_batch *batch, enum batch_mode need,
                                      struct error *err);

/* ---- shared with apply/postgres_repair.c */

/* The set that the row at the writer's hand belongs to: of all values that it has, or of
 * those that are not held already. live false: a delete. NULL with the tables locked: it
 * goes alone, as no update can make it what it is to be. */
MUST_CHECK enum status postgres_batch_choose_set(struct postgres_batch *batch,
                                                 struct postgres_table *table, bool live,
                                                 const struct row *holding,
                                                 struct postgres_set **out,
                                                 struct error *err);

/* Run what is in the set, which has some. *written: how many rows. */
MUST_CHECK enum status postgres_batch_run(struct postgres_batch *batch,
                                          struct postgres_table *table,
                                          struct postgres_set *set, uint32_t *written,
                                          struct error *err);

/* Note that the database does not take the row; err holds the message. */
MUST_CHECK enum status postgres_batch_refuse(struct postgres_batch *batch, uint32_t table,
                                             struct bytes key, struct error *err);

void postgres_batch_release(struct postgres_batch *batch);

#endif
