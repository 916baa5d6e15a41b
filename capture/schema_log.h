/* A catalog, whatever its engine, into the log: definitions that are new or changed. */
#ifndef CAPTURE_SCHEMA_LOG_H
#define CAPTURE_SCHEMA_LOG_H

#include "engine/catalog.h"
#include "log/appender.h"
#include "log/tables.h"

/* Number every definition of the catalog: as it is logged, or with the next number when
 * it is to be; then it is added to the appender's entry. old_columns, one for each:
 * how many of its columns, from the first, are those of the last capture, when all others
 * were added behind them; 0: it is new, or they are not. A table that is gone from the
 * catalog is left alone: its rows were not deleted, they have nowhere to be; the fleet
 * keeps them. */
MUST_CHECK enum status schema_log_put(struct catalog *catalog, uint32_t *old_columns,
                                      struct appender *appender, struct error *err);

/* Number one definition with the next number, and add it to the appender's entry. */
MUST_CHECK enum status schema_log_add(struct definition *definition,
                                      struct appender *appender, struct error *err);

/* A numbered definition as it is logged, after the entry has ended. Lives as long as the
 * store. */
MUST_CHECK enum status schema_log_find(struct store_txn *txn,
                                       const struct definition *definition,
                                       struct table *out, struct error *err);

#endif
