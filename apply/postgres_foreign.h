/* One foreign key between two replicated tables of Postgres, and what parking asks about
 * it: the server does not check it in the role of a replica. The constraint's own
 * operators and the parent's collations decide, as they do in the server's check; MATCH
 * SIMPLE: a NULL in the child's columns refers to nothing; FULL: only when all are.
 *
 * All within the caller's transaction, with both tables locked. */
#ifndef APPLY_POSTGRES_FOREIGN_H
#define APPLY_POSTGRES_FOREIGN_H

#include "apply/batch.h"
#include "apply/postgres_schema.h"

/* Read what the server says of it, when that was not yet; sets base.inexact. BUSY: it is
 * gone. */
MUST_CHECK enum status postgres_foreign_open(struct postgres_foreign *foreign,
                                             struct postgres *postgres,
                                             struct error *err);
void postgres_foreign_close(struct postgres_foreign *foreign);

/* What was made in a transaction went with it. */
void postgres_foreign_forget(struct postgres_foreign *foreign);

/* ---- pieces of SQL, once it is open
 *
 * child: " OPERATOR(s.=) alias.a", what stands behind the parent's column number i.
 * refers, match: conditions: the child's row under this alias refers to some parent; p is
 * that. lacks: a condition on the child's row under this alias: it refers to a parent,
 * and that is not there. gone: the name of the TEMP table of parents' values that went
 * away, v0, v1, …, which make_gone makes when it was not yet. */
void postgres_foreign_put_child(struct buffer *sql,
                                const struct postgres_foreign *foreign, const char *alias,
                                uint32_t i);
void postgres_foreign_put_refers(struct buffer *sql,
                                 const struct postgres_foreign *foreign,
                                 const char *alias);
void postgres_foreign_put_match(struct buffer *sql,
                                const struct postgres_foreign *foreign,
                                const char *alias);
void postgres_foreign_put_lacks(struct buffer *sql,
                                const struct postgres_foreign *foreign,
                                const char *alias);
void postgres_foreign_put_gone(struct buffer *sql,
                               const struct postgres_foreign *foreign);
MUST_CHECK enum status postgres_foreign_make_gone(struct postgres_foreign *foreign,
                                                  struct error *err);

/* ---- what parking asks: as batch_ops has it (apply/batch.h) */

MUST_CHECK enum status postgres_foreign_holds(struct postgres_foreign *foreign,
                                              bool *holds, bool *sure, struct error *err);
MUST_CHECK enum status postgres_foreign_violated(struct postgres_foreign *foreign,
                                                 enum row_place place, bool *violated,
                                                 struct error *err);
MUST_CHECK enum status postgres_foreign_blocker(struct postgres_foreign *foreign,
                                                struct buffer *key, struct error *err);
MUST_CHECK enum status postgres_foreign_note_gone(struct postgres_foreign *foreign,
                                                  struct error *err);
MUST_CHECK enum status postgres_foreign_forget_gone(struct postgres_foreign *foreign,
                                                    struct error *err);
MUST_CHECK enum status postgres_foreign_next_orphan(struct postgres_foreign *foreign,
                                                    bool all, struct buffer *key,
                                                    struct error *err);
void postgres_foreign_stop(struct postgres_foreign *foreign);

#endif
