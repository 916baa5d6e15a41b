/* What appender.c (items, runs, life) and appender_end.c (ending an entry) share. */
#ifndef LOG_APPENDER_PRIVATE_H
#define LOG_APPENDER_PRIVATE_H

#include "log/adoption.h"

#include <sodium.h>

/* A read view is given up after so many uses, so that it pins no old pages for long. */
enum { READ_USES_MAX = 4096 };

/* A group is committed when it has so much. What it dirties is anonymous memory until
 * then: so many pages for rows, a quarter of one for each that may go in a sorted run
 * (store_row_writes()). The more of them, the fewer runs there are to ask. */
enum { GROUP_BYTES = 4 << 20, GROUP_ROW_WRITES = 10000 };

struct contexts {
    struct version_vector before, now, delta;
    struct buffer delta_bytes;
};

struct appender {
    crypto_generichash_state hash; /* of the items so far */
    struct store *store;
    struct store_txn *write; /* the open group of entries; NULL: none */
    struct store_txn *read;
    uint64_t group_bytes;
    /* The entry being made. */
    uint64_t body_size;
    uint64_t run;        /* 0: no part written yet */
    struct buffer items; /* of the whole entry, or since its last part */
    struct buffer encoded;
    /* What ending an entry takes. */
    struct admit_memory memory;
    struct contexts contexts;
    struct buffer header;
    struct append_counts counts;   /* of what is durable */
    struct append_counts in_group; /* of what the open group adds to it */
    uint32_t part_count;
    uint32_t part_first;
    unsigned read_uses;
    enum appender_owner owner;
};

/* The meta key that names the run being written under the appender's lock. */
int appender_run_key(const struct appender *appender);

/* Forget the entry being made. */
void appender_reset(struct appender *appender);

/* Have a write transaction open for the group; commit it. */
MUST_CHECK enum status appender_begin_group(struct appender *appender, struct error *err);
MUST_CHECK enum status appender_commit_group(struct appender *appender,
                                             struct error *err);

/* Write the items at hand as the next part of the run, durably. Entries that were ended
 * before are committed first. */
MUST_CHECK enum status appender_write_part(struct appender *appender, struct error *err);

#endif
