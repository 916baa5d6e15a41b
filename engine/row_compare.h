/* Which columns of a row really changed: the values that a database holds against an
 * image out of the log. A column counts as changed when it differs from what the image's
 * value becomes when stored here. */
#ifndef ENGINE_ROW_COMPARE_H
#define ENGINE_ROW_COMPARE_H

#include "engine/stored.h"
#include "log/image.h"

struct row_comparer;

/* definition: the database's own; it must outlive the comparer, and held definitions must
 * too (those out of the log do). stored: of the same table, and the comparer's from now
 * on, also after a failure. On success the caller closes it. */
MUST_CHECK enum status row_comparer_open(struct row_comparer **out, struct stored *stored,
                                         const struct definition *definition,
                                         struct error *err);
void row_comparer_close(struct row_comparer *comparer);

/* held: image of what the database should hold (NULL data: no row), under
 * held_definition. row: the values that the database holds, in the own definition's
 * stored columns. *changed: whether any column differs from what held's value becomes
 * when stored here. Then image gets the row's encoded image under the own definition
 * (columns that did not change keep held's value), and before the changed columns with
 * their values before. A column that held lacks is compared with its default, with NULL
 * where that is no constant. */
MUST_CHECK enum status row_compare_held(struct row_comparer *comparer, struct bytes key,
                                        struct bytes held,
                                        const struct definition *held_definition,
                                        const struct value *row, bool *changed,
                                        struct buffer *image, struct buffer *before,
                                        struct error *err);

/* The row is as held says, but winner_definition, under which its winner was written,
 * lacks columns that are here. *kept: whether one of those that shared (by image place)
 * picks has another value than its default. Then image gets the row's encoded image under
 * the own definition, and before these columns with their defaults (NULL where the
 * default is no constant: what it gave here is not known). */
MUST_CHECK enum status row_compare_kept(struct row_comparer *comparer, struct bytes key,
                                        struct bytes held,
                                        const struct definition *held_definition,
                                        const struct definition *winner_definition,
                                        const struct value *row, const bool *shared,
                                        bool *kept, struct buffer *image,
                                        struct buffer *before, struct error *err);

/* Fill the absent values of a row that a changeset tells only in part: with what held
 * has, or the column's default where it has nothing. Key columns are all told. Views live
 * as long as held's bytes and the comparer. NOT_FOUND, a plain answer: neither says what
 * the database has in a column. */
MUST_CHECK enum status row_compare_fill(struct row_comparer *comparer, struct bytes key,
                                        struct bytes held,
                                        const struct definition *held_definition,
                                        struct value *row, struct error *err);

/* What the stored column at place begins with in a row that says nothing of it. A view
 * that lives as long as the comparer. NOT_FOUND, a plain answer: that is no constant. */
MUST_CHECK enum status row_compare_default(struct row_comparer *comparer, uint32_t place,
                                           struct value *out, struct error *err);

/* The row is gone: before gets what held had of the own definition's columns. */
MUST_CHECK enum status row_compare_gone(struct row_comparer *comparer, struct bytes key,
                                        struct bytes held,
                                        const struct definition *held_definition,
                                        struct buffer *before, struct error *err);

/* *lacking: whether an image under a definition has a value, and not NULL, for a column
 * that the own definition lacks, so that no row here can be the image's. Then rest gets
 * the image without such values (absent): what a row here that is equal can be. With row
 * rest gets the values of that row instead, in any case. */
MUST_CHECK enum status row_compare_lacking(struct row_comparer *comparer,
                                           struct bytes key, struct bytes image,
                                           const struct definition *definition,
                                           const struct value *row, bool *lacking,
                                           struct buffer *rest, struct error *err);

#endif
