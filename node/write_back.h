/* A row written into the node's own database as an application would write it: in an
 * ordinary transaction, with triggers and foreign keys, that capture then logs as a
 * change of this node's which has seen all that the log had (DESIGN section 8).
 *
 * begin; tell which table; put the row at the writer's hand and write it; commit. Nothing
 * but commit leaves a trace. The caller holds capture's and apply's locks throughout. */
#ifndef NODE_WRITE_BACK_H
#define NODE_WRITE_BACK_H

#include "apply/sqlite_writer.h"
#include "engine/catalog.h"
#include "log/tables.h"
#include "node/node.h"

struct write_back {
    struct node *node;
    struct source *source;
    struct sqlite_state state;
    bool logged;           /* local writes were, after the database's lock was taken */
    struct store_txn *txn; /* reading; from begin to commit */
    struct catalog catalog;
    struct table table;           /* with this node's own definition */
    struct sqlite_writer *writer; /* of that table */
};

/* What came of it. */
struct write_back_counts {
    struct capture_counts captured; /* before and after */
    struct apply_counts applied;
};

/* Capture and apply what waits, then take the database's write lock. On success and on
 * failure the caller ends. */
MUST_CHECK enum status write_back_begin(struct write_back *back, struct node *node,
                                        struct write_back_counts *counts,
                                        struct error *err);

/* Fill in table and writer. REFUSED: this database does not have it, or does not
 * replicate it, or its writes stay here. */
MUST_CHECK enum status write_back_table(struct write_back *back, uint32_t id,
                                        struct error *err);

/* What the writer's answer means here. REFUSED unless DONE, the reason being the
 * database's, in err. */
MUST_CHECK enum status write_back_check(enum write_result result, struct error *err);

/* Commit, log it with the note, apply what it made room for. *seq: the row's newest
 * entry. key: the row's. REFUSED: the database refuses it (a deferred constraint). */
MUST_CHECK enum status write_back_commit(struct write_back *back, const char *note,
                                         struct bytes key,
                                         struct write_back_counts *counts, uint64_t *seq,
                                         struct error *err);

/* Roll back what was not committed, and give everything back but the locks. */
void write_back_end(struct write_back *back);

/* ---- for those who decide about rows: locks, with a node that has joined */

/* REFUSED: it has not; or another process has one of the locks. */
MUST_CHECK enum status write_back_lock(struct node *node, struct error *err);
void write_back_unlock(struct node *node);

/* Capture and apply what waits. */
MUST_CHECK enum status write_back_bring_up(struct node *node,
                                           struct write_back_counts *counts,
                                           struct error *err);

#endif
