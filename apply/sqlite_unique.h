/* Who stands in a row's way: rows of the user's table that have one of its unique values,
 * as the engine itself compares them (collations, partial and expression indexes). */
#ifndef APPLY_SQLITE_UNIQUE_H
#define APPLY_SQLITE_UNIQUE_H

#include "apply/sqlite_schema.h"

/* Find the holder of the value of unique constraint number `at` that the one row in the
 * table's empty copy has. NOT_FOUND, a plain answer: nobody, or it has none. *key:
 * cleared, then the holder's. REFUSED: the holder has NULL in its key. */
MUST_CHECK enum status sqlite_unique_holder(struct sqlite_schema *schema,
                                            struct sqlite_table *table, uint32_t at,
                                            struct buffer *key, struct error *err);

void sqlite_uniques_close(struct sqlite_table *table);

#endif
