/* The SQLite target (DESIGN section 7): batches under the write lock, moving unique
 * values, parking, quarantine, triggers; intent before the commit, fold after it. */
#ifndef APPLY_SQLITE_TARGET_H
#define APPLY_SQLITE_TARGET_H

#include "apply/target.h"
#include "engine/sqlite_database.h"
#include "engine/table_names.h"

/* Log what was written locally and not yet captured; called inside the target's write
 * transaction on the same connection. *logged: the log has grown: plan anew. */
typedef enum status (*capture_locked_cb)(void *data, bool *logged, struct error *err);

enum trigger_mode { TRIGGERS_AUTO, TRIGGERS_OFF, TRIGGERS_ON };

struct sqlite_target_options {
    capture_locked_cb capture; /* NULL: nobody else writes (tests) */
    void *capture_data;
    bool foreign_keys; /* whether they count (rowferry.ini, found clean at init) */
    enum trigger_mode triggers;
    const struct table_rules *rules; /* the caller's, outlive the target; NULL: none */
    const uint32_t *slot;            /* whose numbers AUTOINCREMENT gives here, see
                                        engine/number_range.h; the caller's, who may change it
                                        between            batches; NULL: no such thing */
    uint64_t batch_changes_max;      /* 0: default */
};

/* database and store stay the caller's and outlive the target. */
MUST_CHECK enum status sqlite_target_open(struct target **out,
                                          struct sqlite_database *database,
                                          struct store *store,
                                          const struct sqlite_target_options *options,
                                          struct error *err);

/* Schema and options that decide what is refused, parked or taken, as one number: apply
 * looks at every row again when it is not META_SCHEMA_VERSION. */
MUST_CHECK enum status sqlite_target_rules(struct sqlite_database *database,
                                           bool foreign_keys, enum trigger_mode triggers,
                                           const struct table_rules *table_rules,
                                           uint64_t *rules, struct error *err);

/* A batch that tries the quarantined row with this number again (0: all of them), though
 * nothing may have changed. */
MUST_CHECK enum status sqlite_target_retry(struct target *target, uint64_t number,
                                           struct apply_counts *counts,
                                           struct error *err);

/* resync --prefer log: write every row that differs from what row index and schema say,
 * as a repair, marked as ours, in one transaction with the state of this incarnation,
 * which the store gets when all is written and nothing committed yet. After a failure it
 * may have it although the database has not. */
MUST_CHECK enum status sqlite_target_rewrite(struct target *target, uint64_t incarnation,
                                             struct apply_counts *counts,
                                             struct error *err);

#endif
