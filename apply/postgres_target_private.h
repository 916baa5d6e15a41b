/* What the files of the Postgres target share; nobody else includes this. */
#ifndef APPLY_POSTGRES_TARGET_PRIVATE_H
#define APPLY_POSTGRES_TARGET_PRIVATE_H

#include "apply/postgres_batch.h"
#include "apply/postgres_target.h"

enum { POSTGRES_NARROW_MAX = 20000 };

/* A batch on which the next may follow before it is folded (apply/postgres_ahead.h). */
struct postgres_written {
    uint64_t from, to, counter;
    uint32_t before; /* so many batches were made so, one after the other */
    bool is_plain;   /* else the rest says nothing */
};

struct postgres_target {
    struct target base;
    struct store *store;
    struct postgres_target_options options;
    struct postgres *postgres; /* NULL: to be opened */
    bool replica;              /* triggers and foreign keys are silent */
    struct postgres_guard guard;
    struct sqlite_database *scratch;
    struct items *items;
    struct moved *moved;
    struct postgres_schema schema;
    struct postgres_written written; /* the last batch, as long as it is unseen */
    uint64_t rules;                  /* by which schema was read: META_SCHEMA_VERSION */
    uint64_t generation;             /* of the store's definitions, when it was read */
    uint64_t changes_max;
    uint64_t narrow; /* a batch takes so many changes at most; 0: as many as it likes */
    bool held; /* the last batch left what others hold: the next waits for nothing */
    struct buffer repaired_to; /* the batch's; owned */
    bool tried;                /* there was a batch */
    uint64_t retried; /* rules by which refused rows were tried in this visit, 0: none */
    bool immediate;   /* triggers that wait for the commit run with each statement */
    bool unseen;      /* a batch was committed that capture has yet to meet */
    bool insist;      /* try quarantined rows again, whether anything changed or not */
    uint64_t only;
    struct progress_step progress;
    uint64_t watched_to;
};

/* Schema and options that decide what is refused, as one number: apply looks at refused
 * rows again when it is not META_SCHEMA_VERSION. */
MUST_CHECK enum status postgres_target_rules(struct postgres_target *target,
                                             uint64_t *rules, struct error *err);

/* Fill in a batch that is all zero but for its mode, counts and progress: it reads the
 * store from here on. Forget that again, for a store that capture changes. */
MUST_CHECK enum status postgres_target_prepare(struct postgres_target *target,
                                               struct postgres_batch *batch,
                                               struct error *err);
void postgres_target_forget(struct postgres_batch *batch);

/* Choose the batch's range. */
MUST_CHECK enum status postgres_target_extent(struct postgres_target *target,
                                              struct batch *batch,
                                              struct plan_extent *extent,
                                              struct error *err);

/* The steps of a batch from its begin to its commit that are not its mode's own: the
 * message that marks it; what is done when all is written; the intent, COMMIT, and what
 * the target and the store learn. */
MUST_CHECK enum status postgres_target_mark(struct postgres_target *target,
                                            const struct intent *intent,
                                            struct error *err);
MUST_CHECK enum status postgres_target_conclude(struct postgres_target *target,
                                                struct error *err);
MUST_CHECK enum status postgres_target_end(struct postgres_target *target,
                                           struct postgres_batch *batch,
                                           struct intent *intent, struct error *err);

/* COMMIT. CONSTRAINT: what waited for it refuses the batch, and all is rolled back; call
 * this again for the batch anew: it is smaller, and in the end, when it is but one entry,
 * such triggers run with each statement, so that the row is found. */
MUST_CHECK enum status postgres_target_commit(struct postgres_target *target,
                                              struct postgres_batch *batch,
                                              struct error *err);

/* Have a connection, one that is this node's only writer. A failure leaves none. BUSY:
 * there is another. */
MUST_CHECK enum status postgres_target_connect(struct postgres_target *target,
                                               struct error *err);
/* The schema was read: is there anything in it that would run, and must not?
 * UNAVAILABLE. */
MUST_CHECK enum status postgres_target_check_role(struct postgres_target *target,
                                                  struct error *err);
void postgres_target_disconnect(struct postgres_target *target);

#endif
