/* What scan_table.c, scan_gone.c, scan_kept.c and scan_yield.c share. */
#ifndef CAPTURE_SCAN_TABLE_PRIVATE_H
#define CAPTURE_SCAN_TABLE_PRIVATE_H

#include "capture/scan_table.h"

struct scan_table {
    struct table table;
    struct row_comparer *comparer;
    sqlite3_stmt *select;
    sqlite3_stmt *probe;
    const struct column **key_columns; /* by place in the key */
    uint32_t *key_places;              /* by place in the key: place in an image */
    struct value *values;              /* of the current row */
    bool *shared;                      /* by image place: another node has the column */
    struct buffer *scratch;            /* one a key column */
    uint64_t matched;                  /* rows of the database that the store knew of */
    const struct definition *held_definition; /* the last one asked for */
    uint64_t held_origin;
    uint32_t held_number;
};

/* Add changes for the rows that the store says are there and the database has not. After
 * the rows that are there. */
MUST_CHECK enum status scan_gone(struct scan_table *table, struct scan_run *run,
                                 struct error *err);

/* Find which columns other nodes have by now. */
MUST_CHECK enum status scan_kept_open(struct scan_table *table, struct store_txn *txn,
                                      struct error *err);

/* The definition of a live holding's image. Lives as long as the store. */
MUST_CHECK enum status scan_held_definition(struct scan_table *table,
                                            struct store_txn *txn,
                                            const struct row *holding,
                                            const struct definition **out,
                                            struct error *err);

/* Of a change of a yielding scan: make it one that loses to the fleet's row. *wanted:
 * there is one. */
MUST_CHECK enum status scan_yield(struct scan_table *table, struct store_txn *txn,
                                  struct change *change, bool *wanted, struct error *err);

/* What the database held of a row before the change that is to be added. */
MUST_CHECK enum status scan_holding(struct scan_table *table, struct scan_run *run,
                                    struct bytes key, struct store_txn **txn,
                                    struct row *out, struct error *err);

/* Add the delete of a row whose live holding this is. */
MUST_CHECK enum status scan_add_delete(struct scan_table *table, struct scan_run *run,
                                       struct store_txn *txn, struct bytes key,
                                       const struct row *holding, struct error *err);

/* Add a change, with what its row's holding says of it. */
MUST_CHECK enum status scan_add(struct scan_table *table, struct scan_run *run,
                                struct store_txn *txn, struct change *change,
                                const struct row *holding, struct error *err);

#endif
