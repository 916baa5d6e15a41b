/* One row of a table in Postgres at a time, in a transaction that has locked the table:
 * each statement in a savepoint, so that what the server refuses leaves the rest. The row
 * is the one at the writer's hand. */
#ifndef APPLY_POSTGRES_ROW_H
#define APPLY_POSTGRES_ROW_H

#include "apply/postgres_schema.h"

/* Whether the user's table has the row. */
MUST_CHECK enum status postgres_row_find(struct postgres_table *table, bool *found,
                                         struct error *err);

/* Replace image by the row as the table has it, encoded by the own definition. encode:
 * append the first row of a result whose fields are the stored columns. */
MUST_CHECK enum status postgres_row_image(struct postgres_table *table, bool *found,
                                          struct buffer *image, struct error *err);
MUST_CHECK enum status postgres_row_encode(const struct definition *definition,
                                           const PGresult *rows, struct buffer *image,
                                           struct error *err);

/* update sets the columns that differ, by own place, and delete: both expect the row to
 * be there, insert that its key is not: anything else is IO, but UNIQUE of an insert. */
MUST_CHECK enum status postgres_row_insert(struct postgres_table *table,
                                           enum write_result *result, struct error *err);
MUST_CHECK enum status postgres_row_update(struct postgres_table *table,
                                           const bool *differs, enum write_result *result,
                                           struct error *err);
MUST_CHECK enum status postgres_row_delete(struct postgres_table *table,
                                           enum write_result *result, struct error *err);

#endif
