/* The row index and the held images (DESIGN section 5).
 *
 * The row index equals the log's prefix: (table, key) -> winning version and row, or a
 * tombstone. A held image is what this node's database holds instead, kept only while it
 * is not the winner. All views live until the transaction ends or writes. */
#ifndef LOG_ROWS_H
#define LOG_ROWS_H

#include "log/tables.h"

/* A change's place in this store's log. seq 0: none. */
struct place {
    uint64_t seq;
    uint32_t index;
};

enum { ROW_CO_MAX = 255 };

struct row {
    struct version version;
    struct version
        born; /* of the life that version belongs to; nothing for a tombstone */
    struct place
        winner;        /* of the winning change; in a held record: of that change, or 0 */
    struct place last; /* newest change of this row in the log, won or lost (not held) */
    bool live;         /* else a tombstone (held: absent) */
    bool local;        /* captured here, by this incarnation */
    bool linear; /* version had seen every other change of the row in this log (not held)
                  */
    uint64_t definition_origin; /* image was written under this definition */
    uint32_t definition;
    struct bytes image; /* empty when not live */
    struct bytes key;   /* the whole canonical key */
    uint32_t co_count;  /* absorbed equal writes: versions, see row_co_take() */
    struct bytes co;
};

/* Take the next absorbed version from *co (start with row->co); false at the end. */
bool row_co_take(struct bytes *co, struct version *out);

/* NOT_FOUND is a plain answer (err untouched) from these four. */
MUST_CHECK enum status rows_get(struct store_txn *txn, uint32_t table, struct bytes key,
                                struct row *out, struct error *err);
MUST_CHECK enum status held_get(struct store_txn *txn, uint32_t table, struct bytes key,
                                struct row *out, struct error *err);

/* Where the winner stands and whether it was captured here, and nothing else of the row:
 * for one that was read, and checked, a moment ago. */
MUST_CHECK enum status rows_winner(struct store_txn *txn, uint32_t table,
                                   struct bytes key, uint64_t *seq, bool *local,
                                   struct error *err);

/* Whether the winner is a foreign change at this seq, of this version. The rest of the
 * record is not looked at, nor its checksum: what agrees in all of this is no accident.
 */
MUST_CHECK enum status rows_is_winner(struct store_txn *txn, uint32_t table,
                                      struct bytes key, uint64_t seq,
                                      const struct version *version, bool *is,
                                      struct error *err);

/* What the database holds at the capture position: the held image, else the winner, else
 * nothing (out->live false, version nothing). Never NOT_FOUND. *from_held tells which. */
MUST_CHECK enum status rows_holding(struct store_txn *txn, uint32_t table,
                                    struct bytes key, struct row *out, bool *from_held,
                                    struct error *err);

/* Put or remove a held image. Only capture's merge, import's merge and fold do this. */
MUST_CHECK enum status held_put(struct store_txn *txn, uint32_t table,
                                const struct row *row, struct error *err);
MUST_CHECK enum status held_delete(struct store_txn *txn, uint32_t table,
                                   struct bytes key, struct error *err);

/* Walk the rows (held: false) or held images (held: true) of one table in LMDB key order.
 * The cursor belongs to the transaction: close it first. next: NOT_FOUND at the end. */
struct row_cursor;
MUST_CHECK enum status row_cursor_open(struct row_cursor **out, struct store_txn *txn,
                                       uint32_t table, bool held, struct error *err);

/* Go to the first row whose LMDB key is greater than that of key (resume after a batch).
 */
MUST_CHECK enum status row_cursor_seek_after(struct row_cursor *cursor, struct bytes key,
                                             struct error *err);
MUST_CHECK enum status row_cursor_next(struct row_cursor *cursor, struct row *out,
                                       struct error *err);
void row_cursor_close(struct row_cursor *cursor);

/* ---- parked and quarantined rows: (table, key) -> why the database does not show the
 * winner */

enum parked_kind {
    PARKED_UNIQUE = 1, /* not placed: a placed row born earlier has a unique value */
    PARKED_PARENT_OUTER =
        2, /* no candidate: a parent outside of its group is not shown */
    PARKED_PARENT_INNER =
        3, /* placed (claims its values), hidden by a parent of its group */
};

struct parked {
    enum parked_kind kind;
    struct bytes key;
    struct version born;
    uint64_t since_us;
    struct bytes
        constraint;         /* name of the unique constraint or foreign key, for people */
    uint32_t blocker_table; /* 0: none known */
    struct bytes
        blocker_key; /* holder of the unique value, or the missing parent's key */
    /* The row as this database last showed it, for the columns that only it has; empty:
     * never shown, or nothing to keep. */
    struct bytes shown;
    uint64_t shown_origin; /* of the definition of that image */
    uint32_t shown_definition;
};

struct quarantined {
    uint64_t number; /* from 1, in the order in which they came; put gives it */
    struct bytes key;
    struct version version; /* of the winner that was refused */
    uint64_t since_us;
    struct bytes message; /* the database's own */
};

/* get: NOT_FOUND is a plain answer. */
MUST_CHECK enum status parked_get(struct store_txn *txn, uint32_t table, struct bytes key,
                                  struct parked *out, struct error *err);
MUST_CHECK enum status parked_put(struct store_txn *txn, uint32_t table,
                                  const struct parked *parked, struct error *err);
MUST_CHECK enum status parked_delete(struct store_txn *txn, uint32_t table,
                                     struct bytes key, struct error *err);
MUST_CHECK enum status quarantine_get(struct store_txn *txn, uint32_t table,
                                      struct bytes key, struct quarantined *out,
                                      struct error *err);
/* A row that is there already keeps its number. */
MUST_CHECK enum status quarantine_put(struct store_txn *txn, uint32_t table,
                                      const struct quarantined *row, struct error *err);
MUST_CHECK enum status quarantine_delete(struct store_txn *txn, uint32_t table,
                                         struct bytes key, struct error *err);

/* ---- rows that do not show what they should, and are to be written again (DESIGN
 * section 6): of a target that overwrites nothing that capture has not passed */

MUST_CHECK enum status repair_put(struct store_txn *txn, uint32_t table, struct bytes key,
                                  struct error *err);
MUST_CHECK enum status repair_delete(struct store_txn *txn, uint32_t table,
                                     struct bytes key, struct error *err);
MUST_CHECK enum status repair_count(struct store_txn *txn, uint64_t *count,
                                    struct error *err);

/* Walk all of one kind; table 0: every table. Return false from visit to end the walk
 * early. The visitor must not write. */
typedef bool (*parked_visit_cb)(void *data, uint32_t table, const struct parked *parked);
typedef bool (*quarantine_visit_cb)(void *data, uint32_t table,
                                    const struct quarantined *row);
MUST_CHECK enum status parked_visit(struct store_txn *txn, uint32_t table,
                                    parked_visit_cb visit, void *data, struct error *err);
MUST_CHECK enum status quarantine_visit(struct store_txn *txn, uint32_t table,
                                        quarantine_visit_cb visit, void *data,
                                        struct error *err);
typedef bool (*repair_visit_cb)(void *data, uint32_t table, struct bytes key);
MUST_CHECK enum status repair_visit(struct store_txn *txn, repair_visit_cb visit,
                                    void *data, struct error *err);
/* Those behind a row that was visited, and may be gone. */
MUST_CHECK enum status repair_visit_after(struct store_txn *txn, uint32_t table,
                                          struct bytes key, repair_visit_cb visit,
                                          void *data, struct error *err);
MUST_CHECK enum status parked_count(struct store_txn *txn, uint64_t *count,
                                    struct error *err);
MUST_CHECK enum status quarantine_count(struct store_txn *txn, uint64_t *count,
                                        struct error *err);

#endif
