/* Segments: the only thing that travels. Consecutive entries of a store's log, in its
 * order, compressed (zstd) and sealed (libsodium secretstream) under the fleet key; the
 * same bytes in a file, a pipe, a request and a message. Layout in segment_format.h and
 * docs/FORMAT.md. */
#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include "log/acknowledgement.h"
#include "log/sealing.h"
#include "log/segment_ranges.h"

#include <stdio.h>

enum { SEGMENT_FORMAT = 1 };

/* Sign the chain's own head if it is not yet (DESIGN section 5). Writes to the store. */
MUST_CHECK enum status segment_sign_head(struct store *store, struct error *err);

struct segment_counts {
    uint64_t entries;
    uint64_t changes;
    uint64_t bytes;
    uint64_t conflicts;   /* import */
    uint64_t waiting;     /* import: entries left for the next visit (skew) */
    enum refusal refusal; /* import: why, when it is REFUSED */
};

/* Whether the store has something that `from` does not cover and that may be sent, at
 * most up to entries_max entries (0: no limit; a little more where an origin has no
 * signed head before), each origin ending at a signed head. ranges (initialised) are
 * replaced; empty when there is nothing. */
MUST_CHECK enum status segment_plan(struct store *store,
                                    const struct version_vector *from,
                                    uint64_t entries_max, struct segment_ranges *ranges,
                                    struct error *err);

/* Write to file (open for writing, positioned) what segment_plan() says, in one read
 * transaction. to (initialised) becomes the vector that a reader with `from` then has.
 * counts->entries 0: nothing to send and nothing was written. Flushes stdio, does not
 * fsync. FULL, IO: of the file. */
MUST_CHECK enum status segment_write(struct store *store,
                                     const struct version_vector *from,
                                     uint64_t entries_max, FILE *file,
                                     struct version_vector *to,
                                     struct segment_counts *counts, struct error *err);

/* The same; ranges (initialised) become what the segment holds. */
MUST_CHECK enum status
segment_write_ranges(struct store *store, const struct version_vector *from,
                     uint64_t entries_max, FILE *file, struct segment_ranges *ranges,
                     struct segment_counts *counts, struct error *err);

/* What a segment says it holds (opens its first frames only; that the rest is there and
 * right is not checked). ranges are initialised by the caller and replaced. REFUSED: as
 * import. */
MUST_CHECK enum status segment_read_ranges(const struct identity *identity, FILE *file,
                                           const char *name,
                                           struct segment_ranges *ranges,
                                           enum refusal *refusal, struct error *err);

/* The same, and decrypt it to its end: it is whole and nobody has altered it. */
MUST_CHECK enum status segment_read_whole(const struct identity *identity, FILE *file,
                                          const char *name, struct segment_ranges *ranges,
                                          enum refusal *refusal, struct error *err);

/* Verify a seekable segment to its final tag, decode every entry; then import: entry by
 * entry, a repeat changes nothing. name is for messages. The caller holds LOCK_IMPORT.
 * REFUSED, and counts->refusal says why: damaged, cut, foreign (another fleet), altered,
 * of a future format (named), a fork, a missing range (which range of which node),
 * timestamps too far ahead (node and skew; the entries before it are in;
 * counts->waiting). NOT_FOUND never. What was refused before import left the store as it
 * was. */
MUST_CHECK enum status segment_import(struct store *store, FILE *file, const char *name,
                                      struct segment_counts *counts, struct error *err);

#endif
