/* What the files of the SQLite target share; nobody else includes this. */
#ifndef APPLY_SQLITE_TARGET_PRIVATE_H
#define APPLY_SQLITE_TARGET_PRIVATE_H

#include "apply/sqlite_batch.h"
#include "apply/sqlite_target.h"
#include "engine/sqlite_own_write.h"

struct sqlite_target {
    struct target base;
    struct sqlite_database *database;
    struct store *store;
    struct sqlite_target_options options;
    struct sqlite_schema schema;
    struct items *items;
    struct moved *moved;
    struct refused_rows refused;
    uint64_t changes_max; /* that the next batch takes */
    uint64_t rules;       /* by which schema was read: META_SCHEMA_VERSION */
    uint64_t generation;  /* of the store's definitions, when it was read */
    bool loaded_here;     /* schema, in the transaction that is open */
    bool attached;
    bool insist;   /* try quarantined rows again, whether anything changed or not */
    uint64_t only; /* then this one; 0: all */
    struct progress_step progress; /* rows, of all batches up to watched_to */
    uint64_t watched_to;
};

/* Make the batch ready for work, and its transaction on the store begin. The database's
 * is open. release: always, afterwards; rolls back what was not committed. */
MUST_CHECK enum status sqlite_target_prepare(struct sqlite_target *target,
                                             struct sqlite_batch *batch,
                                             struct error *err);
void sqlite_target_release(struct sqlite_target *target, struct sqlite_batch *batch);

/* After a failure: what ROLLBACK took away is not there any more. */
void sqlite_target_forget(struct sqlite_target *target);

/* Read the schema when it has changed. */
MUST_CHECK enum status sqlite_target_refresh(struct sqlite_target *target,
                                             struct store_txn *txn, struct error *err);

/* State, intent, COMMIT, fold. */
MUST_CHECK enum status
sqlite_target_finish(struct sqlite_target *target, struct sqlite_batch *batch,
                     const struct sqlite_state *state, const struct intent *intent,
                     const struct sqlite_own_write *own, struct error *err);

/* Write items and parked rows as the intent. */
MUST_CHECK enum status sqlite_target_intend(struct sqlite_batch *batch,
                                            const struct intent *intent,
                                            struct error *err);

#endif
