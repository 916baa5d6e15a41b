/* Rows of a SQLite table as values, and values as SQLite would store them. */
#ifndef ENGINE_SQLITE_ROW_H
#define ENGINE_SQLITE_ROW_H

#include "engine/sqlite_database.h"
#include "log/image.h"

/* A value of the statement's current row. Views live until the next step. NO_MEMORY: a
 * text could not be converted. */
MUST_CHECK enum status sqlite_column_value(sqlite3_stmt *statement, int column,
                                           struct value *out, struct error *err);

/* The same of a changeset's value. Views live as long as it. NULL, for a column that the
 * changeset does not tell: absent. */
void sqlite_value_take(sqlite3_value *value, struct value *out);

/* Bind (SQLITE_STATIC: the value outlives the step). ABSENT binds NULL; typed text binds
 * as text. */
MUST_CHECK enum status sqlite_bind_value(struct sqlite_database *database,
                                         sqlite3_stmt *statement, int parameter,
                                         const struct value *value, struct error *err);

/* Which columns of what the database holds really changed. */
struct sqlite_comparer;

/* definition: the database's own; it must outlive the comparer, and held definitions must
 * too (those out of the log do). On success the caller closes it. */
MUST_CHECK enum status sqlite_comparer_open(struct sqlite_comparer **out,
                                            struct sqlite_database *database,
                                            const struct definition *definition,
                                            struct error *err);
void sqlite_comparer_close(struct sqlite_comparer *comparer);

/* held: image of what the database should hold (NULL data: no row), under
 * held_definition. row: the values that the database holds, in the own definition's
 * stored columns. *changed: whether any column differs from what held's value becomes
 * when stored here. Then image gets the row's encoded image under the own definition
 * (columns that did not change keep held's value), and before the changed columns with
 * their values before. A column that held lacks is compared with its default, with NULL
 * where that is no constant. */
MUST_CHECK enum status sqlite_compare_row(struct sqlite_comparer *comparer,
                                          struct bytes key, struct bytes held,
                                          const struct definition *held_definition,
                                          const struct value *row, bool *changed,
                                          struct buffer *image, struct buffer *before,
                                          struct error *err);

/* The row is as held says, but winner_definition, under which its winner was written,
 * lacks columns that are here. *kept: whether one of those that shared (by image place)
 * picks has another value than its default. Then image gets the row's encoded image under
 * the own definition, and before these columns with their defaults (NULL where the
 * default is no constant: what it gave here is not known). */
MUST_CHECK enum status sqlite_compare_kept(struct sqlite_comparer *comparer,
                                           struct bytes key, struct bytes held,
                                           const struct definition *held_definition,
                                           const struct definition *winner_definition,
                                           const struct value *row, const bool *shared,
                                           bool *kept, struct buffer *image,
                                           struct buffer *before, struct error *err);

/* Fill the absent values of a row that a changeset tells only in part: with what held
 * has, or the column's default where it has nothing. Key columns are all told. Views live
 * as long as held's bytes and the comparer. NOT_FOUND, a plain answer: neither says what
 * the database has in a column. */
MUST_CHECK enum status sqlite_compare_fill(struct sqlite_comparer *comparer,
                                           struct bytes key, struct bytes held,
                                           const struct definition *held_definition,
                                           struct value *row, struct error *err);

/* The row is gone: before gets what held had of the own definition's columns. */
MUST_CHECK enum status sqlite_compare_gone(struct sqlite_comparer *comparer,
                                           struct bytes key, struct bytes held,
                                           const struct definition *held_definition,
                                           struct buffer *before, struct error *err);

/* *lacking: whether an image under a definition has a value, and not NULL, for a column
 * that the own definition lacks, so that no row here can be the image's. Then rest gets
 * the image without such values (absent): what a row here that is equal can be. With row
 * rest gets the values of that row instead, in any case. */
MUST_CHECK enum status sqlite_compare_lacking(struct sqlite_comparer *comparer,
                                              struct bytes key, struct bytes image,
                                              const struct definition *definition,
                                              const struct value *row, bool *lacking,
                                              struct buffer *rest, struct error *err);

#endif
