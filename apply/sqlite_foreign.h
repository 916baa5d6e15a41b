/* One foreign key between two replicated tables, and what apply asks about it: SQLite
 * does not check it here (its actions would run). The parent's collation and affinity
 * decide, as they do in SQLite's own check; a NULL in the child's columns refers to
 * nothing. */
#ifndef APPLY_SQLITE_FOREIGN_H
#define APPLY_SQLITE_FOREIGN_H

#include "apply/batch_schema.h"
#include "apply/sqlite_sql.h"
#include "engine/sqlite_row.h"

struct sqlite_foreign {
    struct batch_foreign base;
    struct sqlite_database *database;
    uint32_t *places; /* owned: the child's columns as own image places; UINT32_MAX:
                         generated */
    bool gone_made;   /* the TEMP table of parents' values that went away */
    sqlite3_stmt *probe, *violated_main, *violated_scratch, *note, *forget;
    sqlite3_stmt *orphans, *all_orphans;
};

/* What neutral parts hand back is SQLite's own. */
static inline struct sqlite_foreign *sqlite_foreign_of(struct batch_foreign *foreign)
{
    return (struct sqlite_foreign *)foreign;
}

/* base.child, base.parent and base.number are known. */
MUST_CHECK enum status sqlite_foreign_open(struct sqlite_foreign *foreign,
                                           struct error *err);
void sqlite_foreign_release(struct sqlite_foreign *foreign);

/* Whether a row of the child with these values has its parent. Not *sure: the values may
 * be stored as others, and *holds is false. */
MUST_CHECK enum status sqlite_foreign_holds(struct sqlite_foreign *foreign,
                                            const struct value *values, bool *holds,
                                            bool *sure, struct error *err);

/* Whether the child's row lacks its parent: the row at hand of the child's writer in the
 * user's table (SCHEMA_MAIN), or the one row in its empty copy. A row that is not there
 * lacks nothing. */
MUST_CHECK enum status sqlite_foreign_violated(struct sqlite_foreign *foreign,
                                               enum sql_schema schema, bool *violated,
                                               struct error *err);

/* The parent's row at hand is about to go, or to change what children refer to. */
MUST_CHECK enum status sqlite_foreign_note_gone(struct sqlite_foreign *foreign,
                                                struct error *err);

/* Step through the children that lack a parent: of those noted as gone, or (all) of the
 * whole table. The key of each is appended to *key. NOT_FOUND at the end. Neither table
 * may be written until then, or until stop. */
MUST_CHECK enum status sqlite_foreign_next_orphan(struct sqlite_foreign *foreign,
                                                  bool all, struct buffer *key,
                                                  struct error *err);
void sqlite_foreign_stop(struct sqlite_foreign *foreign);
MUST_CHECK enum status sqlite_foreign_forget_gone(struct sqlite_foreign *foreign,
                                                  struct error *err);

/* Add to *count the child's rows that referred to a parent noted as gone and have none
 * now, but for those that count for a key behind this one in next_of_child. */
MUST_CHECK enum status sqlite_foreign_count_orphans(struct sqlite_foreign *foreign,
                                                    uint64_t *count, struct error *err);

/* Append the key of the parent that the row in the child's empty copy refers to, where
 * the foreign key is the parent's key; else nothing. (Inexact: the parent's may differ.)
 */
MUST_CHECK enum status sqlite_foreign_blocker(struct sqlite_foreign *foreign,
                                              struct buffer *key, struct error *err);

#endif
