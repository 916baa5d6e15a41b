/* What is captured of one table's rows, laid over what the store says the database holds
 * (DESIGN section 5, "Held images"): each row that differs becomes a change, with its
 * values before, its birth, and the winner that it has not seen.
 *
 * Whatever the engine: a source brings the rows, and a comparer that asks it. */
#ifndef CAPTURE_ROW_LAYER_H
#define CAPTURE_ROW_LAYER_H

#include "capture/pending.h"
#include "engine/row_compare.h"
#include "log/appender.h"

/* What all tables of one capture share. All zeroes, then appender and applied, begins
 * one. */
struct layer_run {
    struct appender *appender;     /* its entry is the one that changes are added to */
    uint64_t applied;              /* META_APPLIED */
    struct progress_step progress; /* rows of all tables */
    struct pending *pending;       /* rows of the entry being made; NULL: no row comes
                                      twice */
    bool yields; /* only rows that the fleet has otherwise: source.h, enter */
    /* Private. */
    struct buffer key;
    struct buffer image;
    struct buffer before;
    struct buffer gone;  /* keys of rows that are gone, or have kept something, each with
                            its size */
    struct buffer after; /* key where a walk stands */
};

void layer_run_release(struct layer_run *run);

struct row_layer;

/* table: the own definition as it is logged, which must outlive this. comparer: of it,
 * the layer's from now on, also after a failure. txn: the store as it is; no layer
 * outlives a change of the definitions known to it. On success the caller closes it. */
MUST_CHECK enum status row_layer_open(struct row_layer **out,
                                      struct row_comparer *comparer,
                                      struct store_txn *txn, const struct table *table,
                                      struct error *err);
void row_layer_close(struct row_layer *layer);

const struct definition *row_layer_definition(const struct row_layer *layer);

/* Room for one row: a value for each stored column. The same until the close. */
struct value *row_layer_values(struct row_layer *layer);

/* Give the values from a place on what the columns begin with when they are added.
 * NOT_FOUND, a plain answer: one is no constant. */
MUST_CHECK enum status row_layer_begin(struct row_layer *layer, uint32_t place,
                                       struct error *err);

/* Add a change for the row in the values, if it differs from what the store says. Where
 * they are absent (none of the key's is) the row has what it had. *held: the store said
 * that there is such a row. NOT_FOUND, a plain answer: values are absent and it is not
 * known what they are; nothing was added. */
MUST_CHECK enum status row_layer_put(struct row_layer *layer, struct layer_run *run,
                                     bool *held, struct error *err);

/* Give absent values what the row of another key has, of the store and the entry so far:
 * for a row that moved to a new key. Views live until the next change is added.
 * NOT_FOUND, a plain answer: there is no such row, or it says nothing of a column. */
MUST_CHECK enum status row_layer_fill(struct row_layer *layer, struct layer_run *run,
                                      struct bytes key, struct error *err);

/* Add a delete of the row whose key is in the values, if the store says that it is there.
 */
MUST_CHECK enum status row_layer_delete(struct row_layer *layer, struct layer_run *run,
                                        struct error *err);

/* How many rows the store says the database holds; those of run->pending, which the store
 * does not know yet, do not count. */
MUST_CHECK enum status row_layer_count(struct row_layer *layer, struct layer_run *run,
                                       uint64_t *count, struct error *err);

/* Whether the database has a row of this key. */
typedef enum status (*row_there_cb)(void *data, struct bytes key, bool *there,
                                    struct error *err);

/* Add a delete for each row that the store says is there and the database has not. there
 * NULL: it has none at all (TRUNCATE), also none that the entry itself made before. */
MUST_CHECK enum status row_layer_gone(struct row_layer *layer, struct layer_run *run,
                                      row_there_cb there, void *data, struct error *err);

/* Add a change for each row that has kept a value that its winner says nothing of, in a
 * column that another node has by now too. Of the store alone: as of the last capture. */
MUST_CHECK enum status row_layer_kept(struct row_layer *layer, struct layer_run *run,
                                      struct error *err);

#endif
