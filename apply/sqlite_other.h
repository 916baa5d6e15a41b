/* Where rows of a table stay while they are not in it: a TEMP table of their columns, and
 * the table's empty copy (same columns, generated ones too, same checks, another schema),
 * through which one row at a time passes so that the engine itself refuses it, or
 * evaluates its keys.
 *
 * All within the caller's transaction. `id` is the caller's number for the row. */
#ifndef APPLY_SQLITE_OTHER_H
#define APPLY_SQLITE_OTHER_H

#include "apply/sqlite_schema.h"

/* Attach the schema of the copies; once a connection, outside of a transaction. */
MUST_CHECK enum status sqlite_other_attach(struct sqlite_database *database,
                                           struct error *err);
void sqlite_other_detach(struct sqlite_database *database);

/* Drop what was made for a schema that is no more. */
MUST_CHECK enum status sqlite_other_drop_all(struct sqlite_database *database,
                                             struct error *err);

/* Put the writer's row at hand into the copy, alone. *result: DONE or REFUSED. */
MUST_CHECK enum status sqlite_other_try(struct sqlite_schema *schema,
                                        struct sqlite_table *table,
                                        enum write_result *result, struct error *err);
/* Keep the copy's row under id. */
MUST_CHECK enum status sqlite_other_keep(struct sqlite_schema *schema,
                                         struct sqlite_table *table, int64_t id,
                                         struct error *err);
/* Keep a copy of a row of the user's table, the writer's at hand, under id. */
MUST_CHECK enum status sqlite_other_take(struct sqlite_schema *schema,
                                         struct sqlite_table *table, int64_t id,
                                         struct error *err);
/* Put the row kept under id into the copy, alone. */
MUST_CHECK enum status sqlite_other_load(struct sqlite_schema *schema,
                                         struct sqlite_table *table, int64_t id,
                                         enum write_result *result, struct error *err);
/* Insert the row kept under id into the user's table. */
MUST_CHECK enum status sqlite_other_place(struct sqlite_schema *schema,
                                          struct sqlite_table *table, int64_t id,
                                          enum write_result *result, struct error *err);
MUST_CHECK enum status sqlite_other_drop(struct sqlite_schema *schema,
                                         struct sqlite_table *table, int64_t id,
                                         struct error *err);

/* Encode the row kept under id, by the table's own definition. Overwrites the writer's
 * row at hand. */
MUST_CHECK enum status sqlite_other_image(struct sqlite_schema *schema,
                                          struct sqlite_table *table, int64_t id,
                                          struct buffer *image, struct error *err);

/* Empty the table's places; free its statements. */
MUST_CHECK enum status sqlite_other_clear(struct sqlite_schema *schema,
                                          struct sqlite_table *table, struct error *err);
void sqlite_other_forget(struct sqlite_table *table);

#endif
