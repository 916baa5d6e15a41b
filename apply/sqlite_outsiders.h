/* Rows of tables that are not replicated and whose parents apply deletes: nothing is done
 * to them, they are counted. Costs nothing where there is no such table. */
#ifndef APPLY_SQLITE_OUTSIDERS_H
#define APPLY_SQLITE_OUTSIDERS_H

#include "apply/sqlite_batch.h"

/* Read which they are, once the schema's tables and foreign keys are known. Afterwards
 * parents that go are noted for them as for any child. */
MUST_CHECK enum status sqlite_outsiders_open(struct sqlite_schema *schema,
                                             struct error *err);
void sqlite_outsiders_close(struct sqlite_schema *schema);

/* At a batch's end: how many of their rows have lost a parent in it, each counted once.
 * Tables that can't be read without their application's functions count nothing. */
MUST_CHECK enum status sqlite_outsiders_count(struct sqlite_batch *batch,
                                              struct error *err);

#endif
