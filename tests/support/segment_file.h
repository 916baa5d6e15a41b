/* Segments as a test handles them: written from and read into the stores of a
 * log_fixture, taken apart into records, and forged by a member who does not keep to the
 * rules. */
#ifndef TESTS_SUPPORT_SEGMENT_FILE_H
#define TESTS_SUPPORT_SEGMENT_FILE_H

#include "log/segment.h"
#include "log/segment_format.h"
#include "tests/support/log_fixture.h"

/* All that `to` lacks of `from` (NULL: of everything), at most so many entries (0: all).
 * Release it. Empty when there is nothing. */
struct buffer segment_of(struct log_node *from, struct log_node *to, uint64_t most);

/* Import bytes called "x". counts, err: as segment_import() leaves them. */
enum status segment_into(struct log_node *node, struct bytes segment,
                         struct segment_counts *counts, struct error *err);

/* Import and expect success; the entries that entered. */
uint64_t segment_take(struct log_node *node, struct bytes segment);

/* Import and expect: REFUSED for this reason, the text in it, and a store as it was. */
void segment_refuse(struct log_node *node, struct bytes segment, enum refusal refusal,
                    const char *text);

/* Whether both logs hold the same entries. */
bool logs_equal(struct log_node *a, struct log_node *b);

/* The store of `to` becomes a copy of that of `from`, which must not be in use: a backup,
 * or its return. */
void log_node_copy(struct log_node *from, struct log_node *to);

/* ---- records */

enum { FORGED_RECORDS_MAX = 64 };

struct forged {
    struct identity identity; /* whose fleet's key seals it */
    struct {
        enum segment_record_type type;
        struct buffer payload;
    } records[FORGED_RECORDS_MAX];
    size_t count;
};

/* Take a segment apart; put the records together again. Release both. */
void forged_read(struct forged *forged, const struct identity *identity,
                 struct bytes segment);
struct buffer forged_write(const struct forged *forged);
void forged_release(struct forged *forged);

/* Append a record; insert it before another one; the place of the nth of a type (from 0).
 */
void forged_add(struct forged *forged, enum segment_record_type type,
                struct bytes payload);
void forged_swap(struct forged *forged, size_t a, size_t b);
void forged_remove(struct forged *forged, size_t place);
size_t forged_find(const struct forged *forged, enum segment_record_type type,
                   size_t nth);

/* A segment of one entry by its origin's node, which signs it rightly: whatever header
 * and body say. previous: the chain's hash before it. */
void forged_entry(struct forged *forged, const struct identity *identity,
                  const struct entry_header *header, struct bytes body,
                  const uint8_t previous[HASH_SIZE]);

#endif
