/* One table under scan: what the database holds against what the store says it holds. */
#ifndef CAPTURE_SCAN_TABLE_H
#define CAPTURE_SCAN_TABLE_H

#include "capture/pending.h"
#include "engine/row_compare.h"
#include "engine/sqlite_database.h"
#include "log/appender.h"

/* What all tables of one scan share. */
struct scan_run {
    struct sqlite_database *database; /* inside a transaction */
    struct appender *appender;
    uint64_t applied;              /* META_APPLIED */
    struct progress_step progress; /* rows of all tables */
    struct buffer key;
    struct buffer image;
    struct buffer before;
    struct buffer gone;      /* keys of rows that are gone, or have kept something, each
                                with its size */
    struct buffer after;     /* key where a walk stands */
    struct pending *pending; /* rows of the entry being made; NULL: no row comes twice */
    bool yields; /* only rows that the fleet has otherwise: sqlite_scan_yield */
};

void scan_run_release(struct scan_run *run);

struct scan_table;

/* table: the own definition as it is logged. It must outlive this, and so must the
 * database. txn: the store as it is; no table outlives a change of the definitions known
 * to it. On success the caller closes it; no transaction is needed. */
MUST_CHECK enum status scan_table_open(struct scan_table **out,
                                       struct sqlite_database *database,
                                       struct store_txn *txn, const struct table *table,
                                       struct error *err);
void scan_table_close(struct scan_table *table);

const struct definition *scan_table_definition(const struct scan_table *table);

/* Room for one row: a value for each stored column. */
struct value *scan_table_values(struct scan_table *table);

/* Add a change for the row in the values, if it differs from what the store says. Where
 * they are absent the row has what it had. NOT_FOUND, a plain answer: it is not known
 * what that is; nothing was added. */
MUST_CHECK enum status scan_table_put(struct scan_table *table, struct scan_run *run,
                                      struct error *err);

/* Add a delete of the row whose key is in the values, if the store says that it is there.
 */
MUST_CHECK enum status scan_table_delete(struct scan_table *table, struct scan_run *run,
                                         struct error *err);

/* Add a change for each row that has kept a value that its winner says nothing of, in a
 * column that another node has by now too. Of the store alone: as of the last capture. */
MUST_CHECK enum status scan_table_kept(struct scan_table *table, struct scan_run *run,
                                       struct error *err);

/* Add a change to the appender's entry for each row that differs. */
MUST_CHECK enum status scan_table_run(struct scan_table *table, struct scan_run *run,
                                      struct error *err);

#endif
