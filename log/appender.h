/* The only way into the log: entries are appended and merged, captured or imported.
 *
 * Small entries go several to a transaction (group commit); above RUN_BYTES the changes
 * of one entry are written as parts of a run, in transactions of their own, invisible
 * until the entry is adopted and merged in steps (DESIGN section 5). The appender owns
 * the one open write transaction of its thread from the first call after a commit to the
 * next. */
#ifndef LOG_APPENDER_H
#define LOG_APPENDER_H

#include "log/change.h"
#include "log/rows.h"

enum {
    RUN_BYTES = 1 << 20, /* a part of a run, a step of a merge */
    STEP_CHANGES = 5000, /* changes in one step at most */
};

/* The lock under which it runs; the caller holds it. */
enum appender_owner { APPENDER_CAPTURE, APPENDER_IMPORT };

struct appender;

/* Drop what a dead owner of the same lock left unended, settle a pending adoption.
 * On success *out is the caller's, to give back with close (which drops what was not
 * committed). */
MUST_CHECK enum status appender_open(struct appender **out, struct store *store,
                                     enum appender_owner owner, struct error *err);
void appender_close(struct appender *appender);

/* The transaction to read from while making changes (holding images, tables). It changes
 * with every add and end: ask again. */
MUST_CHECK enum status appender_txn(struct appender *appender, struct store_txn **txn,
                                    struct error *err);

/* The same to write in, what an echo tells: it becomes durable with the group. */
MUST_CHECK enum status appender_write_txn(struct appender *appender,
                                          struct store_txn **txn, struct error *err);

/* Add one item to the entry being made. item: encoded by change_put (kind changes), or
 * definition / member bytes with their size prefix. Copied. FULL, IO: close the appender.
 */
MUST_CHECK enum status appender_add_change(struct appender *appender,
                                           const struct change *change,
                                           struct error *err);
MUST_CHECK enum status appender_add_definition(struct appender *appender,
                                               const struct definition *definition,
                                               struct error *err);
MUST_CHECK enum status appender_add_member(struct appender *appender,
                                           const struct member *member,
                                           struct error *err);

/* Add whole items of an imported body, as they came: ends at an item's end. Import only.
 */
MUST_CHECK enum status appender_add_items(struct appender *appender, struct bytes items,
                                          struct error *err);

/* How many items the entry being made has. */
uint32_t appender_item_count(const struct appender *appender);

/* Meta values that become true with this entry, in the same transaction. */
struct meta_update {
    enum meta_key key;
    uint64_t value;
};

struct local_entry {
    enum entry_kind kind;
    uint8_t flags;       /* ENTRY_BASE: timestamp 0, empty context */
    uint64_t commit_us;  /* the source's commit time; 0: now */
    struct bytes fields; /* encoded optional fields */
    bool whole_context; /* member joined: context is the whole vector, not the applied one
                         */
    const struct meta_update *updates;
    size_t update_count;
};

/* End the entry as a new one of this node: the next origin_seq, a timestamp by the hybrid
 * clock, the context of the applied position, the chain's next hash. *seq is its number.
 * It is merged at once; durable after appender_commit(). */
MUST_CHECK enum status appender_end_local(struct appender *appender,
                                          const struct local_entry *entry, uint64_t *seq,
                                          struct error *err);

/* End the entry as one of another node's (or one's own that came back). header: its
 * bytes; context: the origin's cumulative context at it. The caller has checked the
 * chain. REFUSED: the body's hash or counts are not the header's, or origin_seq is not
 * the next. */
MUST_CHECK enum status appender_end_import(struct appender *appender, struct bytes header,
                                           const uint8_t hash[HASH_SIZE], uint64_t *seq,
                                           struct error *err);

/* Forget the items added since the last end. */
void appender_drop(struct appender *appender);

/* Make all ended entries durable. */
MUST_CHECK enum status appender_commit(struct appender *appender, struct error *err);

/* What this appender has made durable since open, for the last line of a command. */
struct append_counts {
    uint64_t entries;
    uint64_t changes;
    uint64_t conflicts;
};
struct append_counts appender_counts(const struct appender *appender);

/* Finish a pending adoption, if there is one. Called by store_begin for every writer. */
MUST_CHECK enum status appender_settle(struct store *store, struct error *err);

#endif
