/* One run of a schedule: real nodes do what it says, the oracle says what must come of
 * it. */
#ifndef TESTS_SIMULATION_WORLD_H
#define TESTS_SIMULATION_WORLD_H

#include "tests/simulation/schedule.h"

/* Run it. True: everything was as it must be. Else *report (owned by the caller) says at
 * which operation what differed. tally is added to; *digest (NULL is allowed) stands for
 * all entries, with their nodes' ids and timestamps. */
bool world_run(const struct schedule *schedule, struct tally *tally, uint64_t *digest,
               char **report);

/* Leave out operations as long as the run still fails; at most runs_max runs. */
void world_shrink(struct schedule *schedule, int runs_max);

#endif
