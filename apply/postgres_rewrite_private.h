/* What the two files of a rewrite share: the comparison of each table with the store, and
 * what is done about what it finds. Nobody else includes this. */
#ifndef APPLY_POSTGRES_REWRITE_PRIVATE_H
#define APPLY_POSTGRES_REWRITE_PRIVATE_H

#include "apply/postgres_locked.h"
#include "engine/row_compare.h"

/* What is to be done with a row: the groups of rewrite.found. */
enum rewrite_found { FOUND_DIFFERS, FOUND_STRANGE };

struct postgres_rewrite {
    struct postgres_batch *batch;
    struct postgres *asked; /* what values become there; outside of the transaction */
    struct moved *found;    /* rows that differ; its suspects only */
    /* Of the table at hand. */
    struct postgres_table *table;
    struct row_comparer *comparer;
    struct value *values;
    uint64_t matched; /* rows that should be there, and are */
    struct buffer key, image, before;
};

/* Look at every row of every table, and of the store: found gets those that are not as
 * they should be. Nothing is written. release: also after a failure. */
MUST_CHECK enum status postgres_rewrite_compare(struct postgres_rewrite *rewrite,
                                                struct error *err);
void postgres_rewrite_release(struct postgres_rewrite *rewrite);

/* What the database should have of a row: the winner; of a table that takes nothing, what
 * the store says that it held. NOT_FOUND, a plain answer: nothing. */
MUST_CHECK enum status postgres_rewrite_wanted(struct postgres_rewrite *rewrite,
                                               uint32_t table, struct bytes key,
                                               struct row *out, struct error *err);

#endif
