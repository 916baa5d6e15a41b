/* The records of `log`, `part` and `origin`: bytes to and from what readers see. Private
 * to log/; the layouts stand in log_record.c. */
#ifndef LOG_LOG_RECORD_H
#define LOG_LOG_RECORD_H

#include "log/log_reader.h"
#include "log/store_private.h"

enum { SEQ_KEY_SIZE = 8, ORIGIN_KEY_SIZE = 16, PART_KEY_SIZE = 13 };

enum part_kind { PART_ITEMS = 0, PART_NOTES = 1 };

struct bytes seq_key(uint8_t out[SEQ_KEY_SIZE], uint64_t seq);
struct bytes origin_key(uint8_t out[ORIGIN_KEY_SIZE], uint64_t origin,
                        uint64_t origin_seq);
struct bytes part_key(uint8_t out[PART_KEY_SIZE], uint64_t run, uint32_t first,
                      enum part_kind kind);

/* body and notes are empty for an entry in parts, run is 0 for one that is not. */
/* A number for each record of `log` and of `part`, none of them 0. */
uint64_t log_record_name(uint64_t seq);
uint64_t part_record_name(uint64_t run, uint32_t first, enum part_kind kind);

void log_record_encode(struct buffer *out, const struct log_entry *entry);
/* txn: NULL, or whose transaction checks each record once. */
MUST_CHECK enum status log_record_decode(struct store_txn *txn, uint64_t seq,
                                         struct bytes record, struct log_entry *out,
                                         struct error *err);

/* What stands at fixed places in a record that is decoded elsewhere; its checksum is not
 * looked at. hash, body, notes and run are not set, and header as by entry_header_peek.
 */
MUST_CHECK enum status log_record_peek(uint64_t seq, struct bytes record,
                                       struct log_entry *out, struct error *err);

/* A part's items with their count; its notes. name: the record's. */
void part_encode(struct buffer *out, uint32_t count, struct bytes items);
MUST_CHECK enum status part_decode(struct store_txn *txn, uint64_t name,
                                   struct bytes record, uint32_t *count,
                                   struct bytes *items, struct error *err);

/* What the merge noted of the changes of an entry or part: a bit each, won or lost, then
 * each row's previous place. */
struct notes {
    struct buffer won;    /* a bit a change, the first in the top bit of the first byte */
    struct buffer places; /* distance varint: 0 none, else seq - previous.seq + 1; then,
                             unless 0, index varint */
    uint32_t count;
};

void notes_release(struct notes *notes);
void notes_clear(struct notes *notes);
void notes_add(struct notes *notes, uint64_t seq, bool won, struct place previous);
MUST_CHECK enum status notes_check(const struct notes *notes, struct error *err);
void notes_encode(struct buffer *out, const struct notes *notes);

/* Reading them back in order. */
struct notes_view {
    struct bytes won;
    struct bytes places;
    uint32_t count;
    uint32_t next;
};
MUST_CHECK enum status notes_open(struct notes_view *view, struct bytes notes,
                                  uint32_t count, struct error *err);
MUST_CHECK enum status notes_next(struct notes_view *view, uint64_t seq, bool *won,
                                  struct place *previous, struct error *err);

MUST_CHECK enum status notes_skip(struct notes_view *view, struct error *err);

/* The previous place of the change that was the nth to be added (from 0). */
MUST_CHECK enum status notes_previous(const struct notes *notes, uint64_t seq,
                                      uint32_t nth, struct place *previous,
                                      struct error *err);

/* An origin's head record: seq 8, hash 32, cumulative context (without its own slot). */
MUST_CHECK enum status head_get(struct store_txn *txn, uint64_t origin,
                                struct origin_head *head, struct bytes *context,
                                struct error *err);
MUST_CHECK enum status head_put(struct store_txn *txn, uint64_t origin,
                                const struct origin_head *head,
                                const struct version_vector *context, struct error *err);

#endif
