/* What a batch of entries means for the database: of its changes, those that won at
 * append and whose version is larger than that of what the database holds; of one row the
 * largest; own local entries never (DESIGN section 7). Keeps no set of keys but those of
 * a stretch of bounded length: each row is asked of the row index and the row's history.
 */
#ifndef LOG_PLAN_H
#define LOG_PLAN_H

#include "log/log_reader.h"

/* The batch is the entries from+1 .. to. */
struct plan_range {
    uint64_t from;
    uint64_t to;
    uint64_t written; /* so many entries before it are a batch of which the database has
                         all that was planned, and which is not folded yet: plan_next
                         knows of it, nobody else does. 0: none */
    struct bytes out; /* tables of which the database takes nothing: nothing of theirs is
                         planned. Their ids, 4 bytes each, ascending */
};

/* Whether a list of tables as in plan_range.out has this one; append one to such a list.
 */
bool plan_out_has(struct bytes out, uint32_t table);
void plan_out_put(struct buffer *out, uint32_t table);

struct planned {
    struct table table; /* id, and the definition of the image */
    struct place place;
    struct bytes key;
    uint64_t definition_origin;
    uint32_t definition; /* the origin's number of it */
    struct version version;
    struct version born; /* nothing for a delete */
    bool live;           /* else delete the row */
    bool is_winner; /* else a later entry than the batch's has written the row again */
    struct bytes image;
    struct row holding; /* what the database holds of it now */
    bool holding_from_held;
};

struct plan_cursor;

/* Whether plan_next wants the changes of this table and kind: asked before anything is
 * looked up. */
typedef bool (*plan_wants_cb)(void *data, const struct table *table, bool live);

/* Plan a range within one transaction of the caller's, in which nothing is written until
 * the cursor is closed. */
MUST_CHECK enum status plan_open(struct plan_cursor **out, struct store_txn *txn,
                                 struct plan_range range, struct error *err);
void plan_filter(struct plan_cursor *cursor, plan_wants_cb wants, void *data);

/* Begin again, with the same filter. in_log_order: plan_next gives the rows by their
 * first changes in the batch (of a very large one: in each stretch of it); else those
 * that were there before by key, then inserted ones in log order. That is how it begins.
 */
void plan_restart(struct plan_cursor *cursor, bool in_log_order);

/* Stretches of so many rows instead of PLAN_ROWS_MAX: for tests. Before the first row. */
void plan_stretch(struct plan_cursor *cursor, size_t rows);

/* For plan_next_shown: go on after a place that a walk over the same range gave. */
MUST_CHECK enum status plan_seek_after(struct plan_cursor *cursor, struct place place,
                                       struct error *err);

/* The next change for the fold, in log order: of a row that shows its winner now, or else
 * one whose version is larger than that of what is held. Only table, place, key and
 * is_winner are set. The last one of a row is what plan_next gives. */
MUST_CHECK enum status plan_next_shown(struct plan_cursor *cursor, struct planned *out,
                                       struct error *err);

/* A row as the change at a place made it. key: its key, copied nowhere. */
MUST_CHECK enum status plan_row_of(struct store_txn *txn, struct place place,
                                   struct bytes key, struct row *out, struct error *err);

/* The next row. NOT_FOUND at the end. Views live until the next call. One walk takes
 * plan_next, or plan_next_shown, not both. */
MUST_CHECK enum status plan_next(struct plan_cursor *cursor, struct planned *out,
                                 struct error *err);
void plan_close(struct plan_cursor *cursor);

/* What the plan says of one row. NOT_FOUND is a plain answer: nothing; out->holding is
 * set even then. Views live until the transaction ends or writes. */
MUST_CHECK enum status plan_find(struct store_txn *txn, struct plan_range range,
                                 uint32_t table, struct bytes key, struct planned *out,
                                 struct error *err);

/* The row's largest version among local entries and those up to `to`: what the database
 * shows of it after a batch that ends there, constraints and refusals aside. `last`, co
 * are not set unless *is_winner. NOT_FOUND is a plain answer. Views as above. */
MUST_CHECK enum status plan_row_at(struct store_txn *txn, uint64_t to, uint32_t table,
                                   struct bytes key, struct row *out, bool *is_winner,
                                   struct error *err);

/* How far a batch goes. */
struct plan_extent {
    uint64_t to;           /* == from when there is nothing */
    uint64_t max_stamp_us; /* the largest timestamp among its entries */
    uint64_t changes;      /* foreign ones in them */
    bool local;            /* whether any of them was captured here */
};

/* Whole entries after `from`, at least one, until they hold changes_max foreign changes.
 * What a damaged entry says is believed here: the plan comes by each of them again. */
MUST_CHECK enum status plan_extent(struct store_txn *txn, uint64_t from,
                                   uint64_t changes_max, struct plan_extent *out,
                                   struct error *err);

#endif
