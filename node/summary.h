/* Where a node stands, and how far behind it knows its peers to be. Reads only. */
#ifndef NODE_SUMMARY_H
#define NODE_SUMMARY_H

#include "log/store.h"

struct summary {
    uint64_t last_seq;
    uint64_t applied;
    uint64_t waiting; /* others' entries that the database has not taken yet */
    uint64_t conflicts;
    uint64_t parked;
    uint64_t quarantined;
    uint64_t repairs;     /* rows that do not show what they should yet: of Postgres */
    uint64_t store_bytes; /* on the disk */
    bool joining;         /* init --join was, the first sync was not */
};

MUST_CHECK enum status summary_read(struct summary *out, struct store_txn *txn,
                                    struct error *err);

/* The fleet's name of the i-th table, from 0, of which this database takes nothing
 * (direction = out, or left out by --tables). Lives as long as the store. NOT_FOUND, a
 * plain answer: there are no more. */
MUST_CHECK enum status summary_untaken(struct store_txn *txn, size_t i, const char **name,
                                       struct error *err);

/* What of this log a peer is not known to hold. */
struct lag {
    bool heard;
    uint64_t heard_us; /* when its newest acknowledgement came */
    uint64_t holds;    /* entries of this log that it has */
    uint64_t entries;
    uint64_t bytes;    /* of their bodies */
    uint64_t since_us; /* when the oldest of them came here; 0: nothing is missing */
};

MUST_CHECK enum status lag_measure(struct lag *out, struct store_txn *txn, uint64_t peer,
                                   struct error *err);

#endif
