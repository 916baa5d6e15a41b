/* AUTOINCREMENT counters: a number that any node's row has or had is not given again
 * here. SQLite moves a counter past a row that is inserted; here past those that never
 * are, since they are parked, refused, or were deleted before they came. And where this
 * node has numbers of its own (engine/number_range.h), the next is one of them. */
#ifndef APPLY_SQLITE_COUNTERS_H
#define APPLY_SQLITE_COUNTERS_H

#include "apply/sqlite_batch.h"

/* The key's column, if it has such a counter; NULL: it has none. */
MUST_CHECK enum status sqlite_counters_find(struct sqlite_database *database,
                                            const struct definition *definition,
                                            const struct column **column,
                                            struct error *err);

/* A row of the table has, or had, this key. */
MUST_CHECK enum status sqlite_counters_note(struct sqlite_table *table, struct bytes key,
                                            struct error *err);

/* Move the counters past all that was noted, at the end of the batch's writes. */
MUST_CHECK enum status sqlite_counters_move(struct sqlite_batch *batch,
                                            struct error *err);

/* The largest number that the table has or had, as far as the database knows; 0 or more.
 */
MUST_CHECK enum status sqlite_counters_largest(struct sqlite_database *database,
                                               const struct definition *definition,
                                               const struct column *column,
                                               int64_t *largest, struct error *err);

/* Let the table's next number be the one after `counter`, or a larger one, within the
 * caller's write transaction. */
MUST_CHECK enum status sqlite_counters_set(struct sqlite_database *database,
                                           const struct definition *definition,
                                           int64_t counter, struct error *err);

#endif
