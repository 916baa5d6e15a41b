/* What row_layer.c, row_layer_gone.c, row_layer_kept.c and row_layer_yield.c share, and
 * changeset_lay.c, which looks before it lays. */
#ifndef CAPTURE_ROW_LAYER_PRIVATE_H
#define CAPTURE_ROW_LAYER_PRIVATE_H

#include "capture/row_layer.h"

struct row_layer {
    struct table table;
    struct row_comparer *comparer;
    struct value *values; /* of the current row */
    bool *shared;         /* by image place: another node has the column */
    const struct definition *held_definition; /* the last one asked for */
    uint64_t held_origin;
    uint32_t held_number;
};

/* Find which columns other nodes have by now. */
MUST_CHECK enum status row_layer_find_shared(struct row_layer *layer,
                                             struct store_txn *txn, struct error *err);

/* The definition of a live holding's image. Lives as long as the store. */
MUST_CHECK enum status row_layer_held_definition(struct row_layer *layer,
                                                 struct store_txn *txn,
                                                 const struct row *holding,
                                                 const struct definition **out,
                                                 struct error *err);

/* Of a change of a yielding capture: make it one that loses to the fleet's row. *wanted:
 * there is one. */
MUST_CHECK enum status row_layer_yield(struct row_layer *layer, struct store_txn *txn,
                                       struct change *change, bool *wanted,
                                       struct error *err);

/* What the database held of a row before the change that is to be added. */
MUST_CHECK enum status row_layer_holding(struct row_layer *layer, struct layer_run *run,
                                         struct bytes key, struct store_txn **txn,
                                         struct row *out, struct error *err);

/* Add the delete of a row whose live holding this is. */
MUST_CHECK enum status row_layer_add_delete(struct row_layer *layer,
                                            struct layer_run *run, struct store_txn *txn,
                                            struct bytes key, const struct row *holding,
                                            struct error *err);

/* Add a change, with what its row's holding says of it. */
MUST_CHECK enum status row_layer_add(struct row_layer *layer, struct layer_run *run,
                                     struct store_txn *txn, struct change *change,
                                     const struct row *holding, struct error *err);

#endif
