/* Numbers that are one node's own, where the database counts up by itself
 * (AUTOINCREMENT, sequences): pure.
 *
 * A counter of SQLite's only ever goes up, past whatever number arrives. So the numbers
 * are dealt in rounds: number = round * 2^28 + slot * 2^16 + i. A node gives only numbers
 * of its slot; when a larger one has come, or its block is half used, it goes on in its
 * slot's next block. Two nodes with different slots never give the same number, as long
 * as neither gives more than NUMBER_RANGE_SURE of them between two calls. */
#ifndef ENGINE_NUMBER_RANGE_H
#define ENGINE_NUMBER_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NUMBER_RANGE_SLOTS = 1 << 12,
    NUMBER_RANGE_BLOCK = 1 << 16,
    NUMBER_RANGE_ROUND = NUMBER_RANGE_SLOTS * NUMBER_RANGE_BLOCK,
    NUMBER_RANGE_SURE = NUMBER_RANGE_BLOCK / 2
};

/* The slot of node among the fleet's, in the order in which they joined: its id says, or
 * the next one that no earlier member has. A node that is not among them comes last. So a
 * slot does not change when others join later. */
uint32_t number_range_slot(const uint64_t *nodes, size_t count, uint64_t node);

/* Where the counter must stand, given the largest number that was given or has come (0 or
 * more): at known itself, or before the slot's next block. false: no block is left. */
bool number_range_counter(uint32_t slot, int64_t known, int64_t *counter);

/* Whether it is one of the slot's. */
bool number_range_is_own(uint32_t slot, int64_t number);

#endif
