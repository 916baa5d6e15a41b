/* What others hold, a row in a transaction that goes on, a table that is being vacuumed
 * or altered: a batch that goes with care waits for none of it. It leaves such rows to
 * the repair (apply/postgres_repair.c), and of locked tables all that foreign keys
 * connect, so that whatever it does write is decided among all that counts. */
#ifndef APPLY_POSTGRES_HELD_H
#define APPLY_POSTGRES_HELD_H

#include "apply/postgres_batch.h"

/* "LOCK TABLE a, b IN MODE": the tables of those components. Whether there are any. */
bool postgres_held_put_lock(struct buffer *sql, const struct postgres_schema *schema,
                            const bool *components, const char *mode);

/* Run a LOCK TABLE in a savepoint. *held: somebody else has one of them. */
MUST_CHECK enum status postgres_held_try(struct postgres_batch *batch, const char *sql,
                                         bool *held, struct error *err);

/* Whether some table that foreign keys connect to this one can't be written now. Else
 * none of them can be locked against it until the batch ends; asked once in a batch. */
MUST_CHECK enum status postgres_held_tables(struct postgres_batch *batch,
                                            struct postgres_table *table, bool *held,
                                            struct error *err);

/* Lock the rows of a set of updates or deletes that nobody else holds: free, by row.
 * *held: how many others are there. */
MUST_CHECK enum status postgres_held_rows(const struct postgres_set *set, bool *free,
                                          uint32_t *held, struct error *err);

#endif
