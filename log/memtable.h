/* The records that a write transaction has put for rows, until its commit brings them to
 * where they belong (log/layered.h): the last one of each key. Pure, in memory. */
#ifndef LOG_MEMTABLE_H
#define LOG_MEMTABLE_H

#include "log/arena.h"
#include "log/bytes.h"
#include "log/error.h"

struct run;

struct memtable_row {
    struct bytes key;
    struct bytes record;   /* empty: a tombstone */
    uint64_t hash;         /* of the key, see run_filter_hash() */
    const struct run *run; /* that has the key already; NULL: the tree, or nothing */
    uintptr_t leaf; /* page that the key is in, or belongs to; 0: behind the last one */
};

struct memtable {
    struct memtable_row *rows; /* owned */
    size_t count;
    size_t capacity;
    uint32_t *slots; /* owned: place in rows + 1, by hash; 0: none */
    size_t slot_count;
    struct arena arena; /* keys and records */
};

/* All zeroes is an empty one. */
void memtable_release(struct memtable *table);

/* The key's row, or NULL. It moves with the next put of a new key. */
struct memtable_row *memtable_find(const struct memtable *table, struct bytes key,
                                   uint64_t hash);

/* Put a key that is not there. Key and record are copied: views of them live until
 * release. NO_MEMORY. */
MUST_CHECK enum status memtable_add(struct memtable *table,
                                    const struct memtable_row *row, struct error *err);
/* Another record for a row that is there; empty: a tombstone. */
MUST_CHECK enum status memtable_replace(struct memtable *table, struct memtable_row *row,
                                        struct bytes record, struct error *err);

/* Bring the rows into the order of their keys. Only release may follow. */
void memtable_sort(struct memtable *table);

#endif
