/* Mending: a table becomes again what the store says that the database holds of it. For
 * tables whose local writes are not captured (direction = in) when constraints have to be
 * decided, and for those that take nothing in a resync. */
#ifndef APPLY_SQLITE_MEND_H
#define APPLY_SQLITE_MEND_H

#include "apply/sqlite_batch.h"

/* Within the batch, before anything is written to the table. Rows that do not fit are
 * left to the plan, to parking_resolve() and to the quarantine. */
MUST_CHECK enum status sqlite_mend_table(struct sqlite_batch *batch,
                                         struct sqlite_table *table, struct error *err);

/* Mend all tables that only take, and take them for mended. */
MUST_CHECK enum status sqlite_mend_all(struct sqlite_batch *batch, struct error *err);

/* Ask for that, if it was not done: CONSTRAINT, and the batch begins anew. OK: go on. */
MUST_CHECK enum status sqlite_mend_first(struct sqlite_batch *batch, struct error *err);

#endif
