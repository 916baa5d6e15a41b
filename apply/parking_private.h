/* What the files of parking share; nobody else includes this. */
#ifndef APPLY_PARKING_PRIVATE_H
#define APPLY_PARKING_PRIVATE_H

#include "apply/parking.h"

/* A row that is kept out of its table, to be decided. */
struct decision {
    struct batch_table *table;
    int64_t id;
    struct bytes key;
    struct version born;
    enum moved_was was;
    enum moved_origin origin;
    bool claimed; /* it was hidden, and yet its values were its own */
};

/* Take the row at hand out of its table and queue it; *id: its number among the
 * moved. */
MUST_CHECK enum status parking_take_out(struct batch *batch, struct batch_table *table,
                                        struct bytes key, int64_t *id, struct error *err);

/* The first foreign key of this kind that the row at hand in its table, or the one in its
 * copy, does not satisfy; NULL: none. */
MUST_CHECK enum status parking_find_violated(struct batch *batch,
                                             struct batch_table *table,
                                             enum row_place place, bool inner,
                                             struct batch_foreign **out,
                                             struct error *err);

/* Park the row, which is in the table's copy, for want of a parent. */
MUST_CHECK enum status parking_lacks_parent(struct batch *batch,
                                            const struct decision *decision,
                                            struct batch_foreign *foreign,
                                            enum parked_kind kind, struct error *err);

/* What people call the constraint; lives in batch->image or the definition. */
struct bytes parking_name_foreign(struct batch *batch,
                                  const struct batch_foreign *foreign);

/* Queue the group's parked rows: all of them (whole), or those that may not be what they
 * were: of which what blocked them was touched. None is queued twice. */
MUST_CHECK enum status parking_load_group(struct batch *batch, uint32_t group, bool whole,
                                          struct error *err);

/* Step 2: decide the group's queue. partly: parked rows wait that were left out; when a
 * row loses its place they join. */
MUST_CHECK enum status parking_run_queue(struct batch *batch, uint32_t group, bool partly,
                                         struct error *err);

#endif
