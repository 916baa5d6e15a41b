/* Where rows of a table in Postgres stay while they are not in it: a TEMP table of their
 * columns, and the table's empty copy (same columns, generated ones too, same checks and
 * defaults, no indexes), through which one row at a time passes so that the server itself
 * refuses it, or evaluates its keys.
 *
 * Both are made in the transaction that first needs them, and end with it: a copy that
 * outlived it would stand in the way of whoever alters the table's types. `id` is the
 * caller's number for the row. What is refused leaves the transaction as it was. */
#ifndef APPLY_POSTGRES_OTHER_H
#define APPLY_POSTGRES_OTHER_H

#include "apply/postgres_schema.h"

/* The copy's name. */
void postgres_other_put_copy(struct buffer *sql, const struct postgres_table *table);

/* Put the writer's row at hand into the copy, alone. *result: DONE or REFUSED. */
MUST_CHECK enum status postgres_other_try(struct postgres_schema *schema,
                                          struct postgres_table *table,
                                          enum write_result *result, struct error *err);
/* Keep the copy's row under id. */
MUST_CHECK enum status postgres_other_keep(struct postgres_schema *schema,
                                           struct postgres_table *table, int64_t id,
                                           struct error *err);
/* Keep a copy of a row of the user's table, the writer's at hand, under id. */
MUST_CHECK enum status postgres_other_take(struct postgres_schema *schema,
                                           struct postgres_table *table, int64_t id,
                                           struct error *err);
/* Put the row kept under id into the copy, alone. */
MUST_CHECK enum status postgres_other_load(struct postgres_schema *schema,
                                           struct postgres_table *table, int64_t id,
                                           enum write_result *result, struct error *err);
/* Insert the row kept under id into the user's table. */
MUST_CHECK enum status postgres_other_place(struct postgres_schema *schema,
                                            struct postgres_table *table, int64_t id,
                                            enum write_result *result, struct error *err);
MUST_CHECK enum status postgres_other_drop(struct postgres_schema *schema,
                                           struct postgres_table *table, int64_t id,
                                           struct error *err);

/* Append the row kept under id, encoded by the table's own definition. */
MUST_CHECK enum status postgres_other_image(struct postgres_schema *schema,
                                            struct postgres_table *table, int64_t id,
                                            struct buffer *image, struct error *err);

#endif
