#include "engine/number_range.h"

#include <assert.h>

enum { SLOT_BITS = 12, BLOCK_BITS = 16, ROUND_BITS = SLOT_BITS + BLOCK_BITS };

static uint32_t take_slot(bool taken[NUMBER_RANGE_SLOTS], uint64_t node)
{
    uint32_t home = (uint32_t)(node % NUMBER_RANGE_SLOTS);

    for (uint32_t i = 0; i < NUMBER_RANGE_SLOTS; i++) {
        uint32_t slot = (home + i) % NUMBER_RANGE_SLOTS;

        if (!taken[slot]) {
            taken[slot] = true;
            return slot;
        }
    }
    return home; /* more members than slots */
}

uint32_t number_range_slot(const uint64_t *nodes, size_t count, uint64_t node)
{
    bool taken[NUMBER_RANGE_SLOTS] = {false};

    for (size_t i = 0; i < count; i++) {
        uint32_t slot = take_slot(taken, nodes[i]);

        if (nodes[i] == node)
            return slot;
    }
    return take_slot(taken, node);
}

bool number_range_counter(uint32_t slot, int64_t known, int64_t *counter)
{
    uint64_t next, block;

    assert(slot < NUMBER_RANGE_SLOTS);
    assert(known >= 0);
    next = (uint64_t)known + 1;
    *counter = known;
    if ((next >> BLOCK_BITS) % NUMBER_RANGE_SLOTS == slot &&
        next % NUMBER_RANGE_BLOCK <= NUMBER_RANGE_BLOCK - NUMBER_RANGE_SURE &&
        next <= INT64_MAX)
        return true;
    block = (next >> ROUND_BITS << ROUND_BITS) | ((uint64_t)slot << BLOCK_BITS);
    if (block < next)
        block += 1ULL << ROUND_BITS;
    if (block > INT64_MAX)
        return false;
    *counter = (int64_t)block - 1;
    return true;
}

bool number_range_is_own(uint32_t slot, int64_t number)
{
    assert(slot < NUMBER_RANGE_SLOTS);
    return number > 0 &&
           (uint64_t)number / NUMBER_RANGE_BLOCK % NUMBER_RANGE_SLOTS == slot;
}
