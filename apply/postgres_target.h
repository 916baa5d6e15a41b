/* The Postgres target (DESIGN sections 6 and 7): batches of sets beside other writers,
 * under the guard; intent before the commit; capture, meeting the batch again in the WAL,
 * folds it (log/echo.h). So the store knows of a batch what capture has passed, and each
 * batch begins with capture. */
#ifndef APPLY_POSTGRES_TARGET_H
#define APPLY_POSTGRES_TARGET_H

#include "apply/target.h"
#include "engine/postgres_connection.h"
#include "engine/table_rules.h"

/* Log what was committed up to now. *logged: the log has grown. */
typedef enum status (*capture_now_cb)(void *data, bool *logged, struct error *err);

struct postgres_target_options {
    const char *url; /* the caller's, outlives the target */
    capture_now_cb capture;
    void *capture_data;
    bool foreign_keys;               /* whether they count */
    const struct table_rules *rules; /* the caller's, outlive the target; NULL: none */
    const uint32_t *slot;            /* as sqlite_target_options has it */
    uint64_t batch_changes_max;      /* 0: default */
};

/* Opens no connection yet. store stays the caller's and outlives the target. On success
 * *out is the caller's. */
MUST_CHECK enum status postgres_target_open(struct target **out, struct store *store,
                                            const struct postgres_target_options *options,
                                            struct error *err);

/* A batch that tries the quarantined row with this number again (0: all of them), though
 * nothing may have changed. */
MUST_CHECK enum status postgres_target_retry(struct target *target, uint64_t number,
                                             struct apply_counts *counts,
                                             struct error *err);

/* Make the database what the log says, whatever it holds and whatever the store believes
 * that it does, with all tables locked. Once it has begun to commit the store has no
 * position of capture (META_LSN). BUSY: somebody holds a table; nothing was changed. */
MUST_CHECK enum status postgres_target_rewrite(struct target *target,
                                               struct apply_counts *counts,
                                               struct error *err);

#endif
