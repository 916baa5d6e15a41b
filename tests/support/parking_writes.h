/* Random writes to the tables of tests/support/parking_schema.h, few enough values that
 * their constraints are met all the time. */
#ifndef TESTS_SUPPORT_PARKING_WRITES_H
#define TESTS_SUPPORT_PARKING_WRITES_H

#include "tests/support/parking_schema.h"

/* One stream of chance, for the whole test. below: not 0. */
void parking_seed(uint64_t seed);
unsigned parking_pick(unsigned below);

/* A transaction of a few statements on the node's application connection; one that the
 * constraints refuse is rolled back. gentle: no OR REPLACE. A second passes. */
void parking_write_somewhere(struct apply_node *node, bool gentle);

#endif
