/* AUTOINCREMENT counters: a number that any node's row has or had is not given again
 * here. SQLite moves a counter past a row that is inserted; here past those that never
 * are, since they are parked, refused, or were deleted before they came. */
#ifndef APPLY_SQLITE_COUNTERS_H
#define APPLY_SQLITE_COUNTERS_H

#include "apply/sqlite_batch.h"

/* Whether the table has such a counter. */
MUST_CHECK enum status sqlite_counters_find(struct sqlite_database *database,
                                            const struct definition *definition,
                                            bool *counts, struct error *err);

/* A row of the table has, or had, this key. */
MUST_CHECK enum status sqlite_counters_note(struct sqlite_table *table, struct bytes key,
                                            struct error *err);

/* Move the counters past all that was noted, at the end of the batch's writes. */
MUST_CHECK enum status sqlite_counters_move(struct sqlite_batch *batch,
                                            struct error *err);

#endif
