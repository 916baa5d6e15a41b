/* Reading the log: entries by seq, their changes, a row's history, origins' heads. */
#ifndef LOG_LOG_READER_H
#define LOG_LOG_READER_H

#include "log/change.h"
#include "log/rows.h"

/* An entry as this store holds it. Views live until the transaction ends or writes. */
struct log_entry {
    uint64_t seq;
    struct entry_header header;
    struct bytes header_bytes;
    uint8_t hash[HASH_SIZE];
    uint64_t arrived_us; /* this node's wall clock when it entered the log */
    bool local;          /* captured here, by this incarnation */
    bool in_parts;
    uint64_t run;       /* when in_parts */
    struct bytes body;  /* when not in_parts */
    struct bytes notes; /* Private: won bits and previous places, when not in_parts. */
};

/* NOT_FOUND: no such entry (a plain answer). CORRUPT: names the seq. */
MUST_CHECK enum status log_get(struct store_txn *txn, uint64_t seq, struct log_entry *out,
                               struct error *err);

/* The same of an entry that is got with log_get in this transaction before anything is
 * done by it: a faster look, without its checksum. Only seq, local, in_parts, arrived_us
 * and, of the header, what is neither context nor a field are set. */
MUST_CHECK enum status log_peek(struct store_txn *txn, uint64_t seq,
                                struct log_entry *out, struct error *err);

/* seq of an origin's entry; NOT_FOUND is a plain answer. */
MUST_CHECK enum status log_find(struct store_txn *txn, uint64_t origin,
                                uint64_t origin_seq, uint64_t *seq, struct error *err);

/* One change with what this store noted of it. */
struct log_change {
    struct change change;
    uint64_t seq;
    uint32_t index; /* place in the entry */
    struct version version;
    bool won;
    bool local;            /* as its entry */
    struct place previous; /* the row's change before this one in this log */
    struct bytes bytes;    /* its own, an item of the body */
};

/* Walk an entry's changes from index first on, bounded memory. Reused across entries. */
struct change_cursor;
MUST_CHECK enum status change_cursor_open(struct change_cursor **out,
                                          struct store_txn *txn, struct error *err);
MUST_CHECK enum status change_cursor_start(struct change_cursor *cursor, uint64_t seq,
                                           uint32_t first, struct error *err);
/* The same with an entry that was read already, within the transaction. */
MUST_CHECK enum status change_cursor_enter(struct change_cursor *cursor,
                                           const struct log_entry *entry, uint32_t first,
                                           struct error *err);
/* NOT_FOUND at the end of the entry. Views live until the next call. */
MUST_CHECK enum status change_cursor_next(struct change_cursor *cursor,
                                          struct log_change *out, struct error *err);
void change_cursor_close(struct change_cursor *cursor);

/* One change by its place; views live until the transaction ends or writes. */
MUST_CHECK enum status log_change_at(struct store_txn *txn, struct place place,
                                     struct log_change *out, struct error *err);

/* The body in pieces of whole items, as a segment carries it: call with *offset_index = 0
 * and until NOT_FOUND. */
MUST_CHECK enum status log_body_piece(struct store_txn *txn,
                                      const struct log_entry *entry, uint32_t *next_index,
                                      struct bytes *piece, struct error *err);

/* An origin's head: highest origin_seq held, its hash, and the cumulative context there.
 * A zero seq and hash for an origin that is not known. */
struct origin_head {
    uint64_t seq;
    uint8_t hash[HASH_SIZE];
};
MUST_CHECK enum status log_head(struct store_txn *txn, uint64_t origin,
                                struct origin_head *out, struct error *err);

/* The causal context of an origin at its head (own slot included). context is initialised
 * by the caller and replaced. */
MUST_CHECK enum status log_head_context(struct store_txn *txn, uint64_t origin,
                                        struct version_vector *context,
                                        struct error *err);

/* Raise the vector of the entries up to some seq to that of the entries up to `to`, which
 * the log has. CORRUPT: an entry in between is not indexed; vector may be raised in part.
 */
MUST_CHECK enum status log_vector_raise(struct store_txn *txn, uint64_t to,
                                        struct version_vector *vector, struct error *err);

/* Heads signed by their origin: put one; find the newest at or below origin_seq
 * (NOT_FOUND: a plain answer). */
MUST_CHECK enum status log_signature_put(struct store_txn *txn, uint64_t origin,
                                         uint64_t origin_seq,
                                         const uint8_t signature[SIGNATURE_SIZE],
                                         struct error *err);
MUST_CHECK enum status log_signature_find(struct store_txn *txn, uint64_t origin,
                                          uint64_t at_most, uint64_t *origin_seq,
                                          uint8_t signature[SIGNATURE_SIZE],
                                          struct error *err);

/* Members by node id, from entries of kind member. The name view lives as the txn does.
 */
struct member_record {
    struct member member; /* the newest event of that node */
    uint64_t seq;
};
typedef bool (*member_visit_cb)(void *data, const struct member_record *record);
MUST_CHECK enum status members_visit(struct store_txn *txn, member_visit_cb visit,
                                     void *data, struct error *err);
MUST_CHECK enum status member_find(struct store_txn *txn, uint64_t node,
                                   struct member_record *out, struct error *err);

#endif
