/* One table under scan: what a SQLite database holds against what the store says it
 * holds. */
#ifndef CAPTURE_SCAN_TABLE_H
#define CAPTURE_SCAN_TABLE_H

#include "capture/row_layer.h"
#include "engine/sqlite_database.h"

struct scan_table;

/* table: the own definition as it is logged. It must outlive this, and so must the
 * database. txn: the store as it is; no table outlives a change of the definitions known
 * to it. On success the caller closes it; no transaction is needed. */
MUST_CHECK enum status scan_table_open(struct scan_table **out,
                                       struct sqlite_database *database,
                                       struct store_txn *txn, const struct table *table,
                                       struct error *err);
void scan_table_close(struct scan_table *table);

/* Where its rows are laid; it lives as long as the table. */
struct row_layer *scan_table_layer(struct scan_table *table);

/* Add a change to the appender's entry for each row that differs. Inside a transaction on
 * the database. */
MUST_CHECK enum status scan_table_run(struct scan_table *table, struct layer_run *run,
                                      struct error *err);

#endif
