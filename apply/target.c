#include "apply/target.h"

void apply_counts_add(struct apply_counts *to, const struct apply_counts *more)
{
    to->entries += more->entries;
    to->rows += more->rows;
    to->removed += more->removed;
    to->parked += more->parked;
    to->evicted += more->evicted;
    to->released += more->released;
    to->quarantined += more->quarantined;
    to->retried += more->retried;
    to->parked_by_parent += more->parked_by_parent;
    to->orphaned += more->orphaned;
    to->captured += more->captured;
    to->kept += more->kept;
}
