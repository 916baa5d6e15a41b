#include "log/run_filter.h"

#include <sodium.h>

enum { BITS_A_KEY = 12, BITS_SET = 6, PLACE_BITS = 9 };

uint64_t run_filter_hash(struct bytes key)
{
    static const uint8_t zeros[crypto_shorthash_KEYBYTES];
    uint8_t hash[crypto_shorthash_BYTES];

    crypto_shorthash(hash, key.data, key.size, zeros);
    return bytes_get(hash, sizeof hash);
}

size_t run_filter_size(uint64_t keys)
{
    uint64_t bits = (uint64_t)RUN_FILTER_BLOCK * 8;

    return (size_t)((keys * BITS_A_KEY + bits - 1) / bits + (keys == 0)) *
           RUN_FILTER_BLOCK;
}

/* Where the block of a key begins, and the places of its bits in it, 9 bits each. */
static size_t block_of(size_t size, uint64_t hash, uint64_t *places)
{
    uint64_t blocks = size / RUN_FILTER_BLOCK;

    *places = (hash * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - BITS_SET * PLACE_BITS);
    return (size_t)(((hash >> 32) * blocks) >> 32) * RUN_FILTER_BLOCK;
}

void run_filter_add(uint8_t *filter, size_t size, uint64_t hash)
{
    uint64_t places;
    uint8_t *block = filter + block_of(size, hash, &places);

    assert(size > 0);
    assert(size % RUN_FILTER_BLOCK == 0);
    for (int i = 0; i < BITS_SET; i++, places >>= PLACE_BITS)
        block[(places & 511) / 8] |= (uint8_t)(1U << places % 8);
}

void run_filter_fetch(struct bytes filter, uint64_t hash)
{
    uint64_t places;

    __builtin_prefetch(filter.data + block_of(filter.size, hash, &places));
}

bool run_filter_may_have(struct bytes filter, uint64_t hash)
{
    uint64_t places;
    const uint8_t *block = filter.data + block_of(filter.size, hash, &places);

    for (int i = 0; i < BITS_SET; i++, places >>= PLACE_BITS)
        if ((block[(places & 511) / 8] >> places % 8 & 1) == 0)
            return false;
    return true;
}
