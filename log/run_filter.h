/* A blocked Bloom filter over the keys of a sorted run: it never denies a key that was
 * added, and seldom (one time in some two hundred) does not deny one that was not. Pure.
 *
 * Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters (2007). A key
 * has six bits in one block of 64 bytes; the block follows from the upper half of the
 * key's hash, the bits from a product of it (docs/FORMAT.md, "Store"). */
#ifndef LOG_RUN_FILTER_H
#define LOG_RUN_FILTER_H

#include "log/bytes.h"

enum { RUN_FILTER_BLOCK = 64 };

/* SipHash-2-4 with a key of zeros, as an integer of 8 bytes, big-endian. */
uint64_t run_filter_hash(struct bytes key);

/* Bytes of a filter for so many keys: at least one block, whole blocks. */
size_t run_filter_size(uint64_t keys);

/* filter: size bytes, zeroes at first. */
void run_filter_add(uint8_t *filter, size_t size, uint64_t hash);

/* Say that run_filter_may_have() is to follow, so that the block comes from memory
 * meanwhile. */
void run_filter_fetch(struct bytes filter, uint64_t hash);

bool run_filter_may_have(struct bytes filter, uint64_t hash);

#endif
