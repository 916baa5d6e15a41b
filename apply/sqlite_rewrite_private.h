/* What rewriting a table from the store needs, for a resync and for mending; nobody else
 * includes this. */
#ifndef APPLY_SQLITE_REWRITE_PRIVATE_H
#define APPLY_SQLITE_REWRITE_PRIVATE_H

#include "apply/sqlite_batch.h"
#include "engine/row_compare.h"

/* One table at work. All zero but for batch, table and mends before the open. */
struct rewrite {
    struct sqlite_batch *batch;
    struct sqlite_table *table; /* NULL: not here */
    bool mends; /* rows that differ are removed too, and written as the store has them */
    struct row_comparer *comparer;
    struct image image;    /* of the database's row */
    struct buffer present; /* its bytes */
    struct buffer changed, before;
};

/* release: also after a failure. */
MUST_CHECK enum status rewrite_init(struct rewrite *rewrite, struct error *err);
void rewrite_release(struct rewrite *rewrite);

/* Count the rows of the table under what is done with them. */
void rewrite_watch(struct rewrite *rewrite, const char *step);

/* Read the database's row: *there, its values and bytes under the own definition. */
MUST_CHECK enum status rewrite_read(struct rewrite *rewrite, struct bytes key,
                                    bool *there, struct error *err);

/* The winner (or tombstone) was refused; err holds the message. What the database has of
 * the row stays, and the store learns what that is. */
MUST_CHECK enum status rewrite_stays(struct rewrite *rewrite, const struct row *winner,
                                     struct error *err);

/* Whether the database's row with this key has to go. */
typedef enum status (*rewrite_goes_cb)(struct rewrite *rewrite, struct bytes key,
                                       bool *goes, struct error *err);

/* Delete every row that has to. */
MUST_CHECK enum status rewrite_remove(struct rewrite *rewrite, rewrite_goes_cb goes,
                                      struct error *err);

#endif
