/* One foreign key, after a set of rows was written beside the server's own check, which
 * does not run in the role of a replica: is there a child without its parent? */
#ifndef APPLY_POSTGRES_CHECKS_H
#define APPLY_POSTGRES_CHECKS_H

#include "apply/postgres_schema.h"

MUST_CHECK enum status postgres_checks_open(struct postgres_foreign *foreign,
                                            struct postgres *postgres, struct error *err);
void postgres_checks_close(struct postgres_foreign *foreign);

/* The set's rows, of the child, were written: *holds: each has its parent, or refers to
 * none; their parents are locked against going away. Not to wait: a parent that somebody
 * holds is as one that is not there. */
MUST_CHECK enum status postgres_checks_parents(struct postgres_foreign *foreign,
                                               const struct postgres_set *set, bool wait,
                                               bool *holds, struct error *err);

/* The set's rows, of the parent, were deleted: *holds: no child refers to them. */
MUST_CHECK enum status postgres_checks_children(struct postgres_foreign *foreign,
                                                const struct postgres_set *set,
                                                bool *holds, struct error *err);

/* The same of all children. */
MUST_CHECK enum status postgres_checks_all(struct postgres_foreign *foreign, bool *holds,
                                           struct error *err);

#endif
