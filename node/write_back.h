/* A row written into the node's own database as an application would write it: in an
 * ordinary transaction, with triggers and foreign keys, that capture then logs as a
 * change of this node's which has seen all that the log had (DESIGN section 8).
 *
 * begin; tell which table; put the row at hand and write it; commit. Nothing but commit
 * leaves a trace. The caller holds capture's and apply's locks throughout.
 *
 * What depends on the engine is in write_back_sqlite.c and write_back_postgres.c. */
#ifndef NODE_WRITE_BACK_H
#define NODE_WRITE_BACK_H

#include "apply/postgres_schema.h"
#include "apply/sqlite_writer.h"
#include "engine/catalog.h"
#include "engine/sqlite_own_write.h"
#include "log/tables.h"
#include "node/node.h"

struct write_back {
    const struct write_back_ops *ops;
    struct node *node;
    struct source *source;
    struct store_txn *txn; /* reading; from begin to commit; the table opens it anew */
    struct catalog catalog;
    struct table table; /* with this node's own definition */
    /* SQLite's. */
    struct sqlite_state state;
    struct sqlite_own_write own;
    bool logged; /* local writes were, after the database's lock was taken */
    struct sqlite_writer *writer;
    /* Postgres's. */
    struct postgres *postgres; /* an application's connection, in a transaction */
    struct postgres_table row; /* no more than writing one takes */
    struct buffer present;
};

/* What the calls below, and those who decide, ask of the engine. One row is at hand,
 * within the transaction. */
struct write_back_ops {
    /* Begin the transaction; nobody else writes the table from when it is open, and what
     * they wrote before is in the log. end: roll back what was not committed. */
    enum status (*begin)(struct write_back *back, struct error *err);
    enum status (*read_catalog)(struct write_back *back, struct error *err);
    enum status (*open_table)(struct write_back *back, struct error *err);
    void (*end)(struct write_back *back);

    /* As sqlite_writer.h says of functions with these names. image: appended, of the row
     * as the table has it. update: unless it is so already; key: the row's. */
    enum status (*map)(struct write_back *back, const struct definition *from,
                       struct bytes image, struct bytes key, enum write_result *result,
                       struct error *err);
    enum status (*key)(struct write_back *back, const struct definition *from,
                       struct bytes key, enum write_result *result, struct error *err);
    struct value *(*values)(struct write_back *back);
    enum status (*find)(struct write_back *back, bool *found, struct error *err);
    enum status (*image)(struct write_back *back, struct buffer *image,
                         struct error *err);
    enum status (*insert)(struct write_back *back, enum write_result *result,
                          struct error *err);
    enum status (*update)(struct write_back *back, struct bytes key, bool *differs,
                          enum write_result *result, struct error *err);
    enum status (*remove)(struct write_back *back, enum write_result *result,
                          struct error *err);

    /* What values become in the table. *out is the caller's. */
    enum status (*open_stored)(struct write_back *back, struct stored **out,
                               struct error *err);
    /* The next number for a key's column that the database has not given, after *number,
     * which is 0 at first. REFUSED: there is none. */
    enum status (*next_number)(struct write_back *back, const struct column *column,
                               int64_t *number, struct error *err);

    /* Commit what was written, with a note for its entry, and capture it. */
    enum status (*commit)(struct write_back *back, const char *note,
                          struct capture_counts *counts, bool *committed,
                          struct error *err);
    /* Before and after something is logged of what the table has. */
    enum status (*say)(struct write_back *back, struct error *err);
    enum status (*said)(struct write_back *back, struct error *err);
};

extern const struct write_back_ops write_back_sqlite_ops, write_back_postgres_ops;

/* What came of it. */
struct write_back_counts {
    struct capture_counts captured; /* before and after */
    struct apply_counts applied;
};

/* Capture and apply what waits, then begin the transaction. On success and on
 * failure the caller ends. */
MUST_CHECK enum status write_back_begin(struct write_back *back, struct node *node,
                                        struct write_back_counts *counts,
                                        struct error *err);

/* Fill in table. What was read from txn is no more. REFUSED: this database does not have
 * it, or does not replicate it, or its writes stay here. */
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
