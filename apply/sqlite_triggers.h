/* Which tables' triggers may fire when rows are applied. */
#ifndef APPLY_SQLITE_TRIGGERS_H
#define APPLY_SQLITE_TRIGGERS_H

#include "apply/sqlite_schema.h"

/* Set table->fires: TRIGGERS_ON: it has triggers; OFF: never; AUTO: each of its triggers
 * writes, and only tables that are not replicated (so that full-text indexes and caches
 * are kept, and nothing is done twice). Within a transaction; leaves triggers off. */
MUST_CHECK enum status sqlite_triggers_classify(struct sqlite_schema *schema,
                                                struct sqlite_table *table,
                                                enum trigger_mode mode,
                                                struct error *err);

/* The tables of a catalog whose triggers will not fire when rows are applied in this
 * mode: silent[i] for definitions[i]. Within a transaction; leaves triggers off. */
MUST_CHECK enum status sqlite_triggers_silent(struct sqlite_database *database,
                                              const struct catalog *catalog,
                                              enum trigger_mode mode, bool *silent,
                                              struct error *err);

#endif
