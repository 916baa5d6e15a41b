/* What the files of node/ share about a node; nobody else includes this. */
#ifndef NODE_NODE_PRIVATE_H
#define NODE_NODE_PRIVATE_H

#include "node/config.h"
#include "node/database.h"
#include "node/node.h"

struct node {
    struct store *store;
    struct config config;
    char *url;                      /* the database's */
    struct database *database;      /* NULL: opened without */
    struct sqlite_database *sqlite; /* the same where it is one of SQLite's, else NULL */
    bool foreign_keys;              /* whether they count */
    struct source
        *source; /* opened when first needed: joining makes tables before that */
    struct target *target;
    uint32_t slot; /* of this node's own numbers, if it has some (node/numbers.h) */
    node_notice_cb notice;
    void *notice_data;
    bool (*stopped)(void *data); /* NULL: nobody stops it */
    void *stopped_data;
};

MUST_CHECK enum status node_source(struct node *node, struct source **out,
                                   struct error *err);
MUST_CHECK enum status node_target(struct node *node, struct target **out,
                                   struct error *err);

/* Tell the user one line; what it says stays true when nobody listens. */
void node_say(struct node *node, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Take the locks of a visit: capture, import, apply, in this order; or all but import. */
MUST_CHECK enum status node_lock(struct node *node, bool import, struct error *err);
void node_unlock(struct node *node, bool import);

/* Capture, apply: the caller holds the locks; the node has joined. */
MUST_CHECK enum status
node_capture_locked(struct node *node, struct capture_counts *counts, struct error *err);
MUST_CHECK enum status node_apply_locked(struct node *node, struct apply_counts *counts,
                                         struct error *err);

/* REFUSED: the database, of this name, belongs to another store than node's. owner 0: to
 * none. */
MUST_CHECK enum status node_check_owner(uint64_t node, const char *name, uint64_t owner,
                                        struct error *err);

/* Whether what only SQLite can do so far can be done. what: the command. USAGE: not with
 * this kind of database. */
MUST_CHECK enum status node_check_sqlite(const struct node *node, const char *what,
                                         struct error *err);

/* Say which rules are for tables that are not there. notice: may be NULL. */
MUST_CHECK enum status node_say_rules(struct database *database,
                                      const struct table_rules *rules,
                                      node_notice_cb notice, void *data,
                                      struct error *err);

/* A visit's four steps, with all locks; counts are added to report. When it is stopped it
 * leaves the steps that are left. */
MUST_CHECK enum status node_visit(struct node *node, const char *target,
                                  struct visit_report *report, struct error *err);

/* Put the target's name before the failure's text, unless it begins so. */
void node_name_target(struct error *err, enum status status, const char *target);

void node_add_segments(struct segment_counts *sum, const struct segment_counts *more);

/* ---- joining (join.c) */

#define JOIN_NOTHING_YET                                                              \
    "this node has not joined its fleet yet, and nothing of the fleet is here: sync " \
    "with a place where a member has been"

struct join_plan {
    bool pending; /* init --join was, the first sync was not */
    bool create_tables;
    bool take_over;
    bool met;     /* an earlier try has said which rows the database holds */
    bool entered; /* and has ended that */
    enum join_prefer prefer;
};

MUST_CHECK enum status join_remember(struct store *store, const struct join_plan *plan,
                                     struct error *err);
MUST_CHECK enum status join_recall(struct store *store, struct join_plan *plan,
                                   struct error *err);

/* Make this node a member, if it is yet to join: tables, rowferry_state, its member
 * entry, its definitions. Killed in the middle, the next call goes on. The caller holds
 * all locks. *conflicts is added to: rows of its own that gave way. REFUSED: the
 * founder's entries are not in the log yet; rows are not as the fleet has them. */
MUST_CHECK enum status join_finish(struct node *node, uint64_t *conflicts,
                                   struct error *err);

/* Log this node's own member entry. The caller holds LOCK_CAPTURE. */
MUST_CHECK enum status join_log_member(struct store *store, enum database_kind kind,
                                       bool whole_context, struct error *err);

#endif
