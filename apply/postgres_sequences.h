/* Sequences that give numbers to columns (serial, identity) go on behind the numbers that
 * others have given; those that give numbers of this node's own, only behind such ones.
 */
#ifndef APPLY_POSTGRES_SEQUENCES_H
#define APPLY_POSTGRES_SEQUENCES_H

#include "apply/postgres_schema.h"

/* Move those of tables that were written, in the transaction that is open; what the
 * server does may last beyond it. One that may not be moved, or counts down, stays. */
MUST_CHECK enum status postgres_sequences_move(struct postgres_schema *schema,
                                               struct error *err);

#endif
