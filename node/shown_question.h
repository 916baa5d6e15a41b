/* What only Postgres can evaluate of a table's unique indexes, expressions and
 * conditions, asked of it row by row: each answer is a column of the scratch table. */
#ifndef NODE_SHOWN_QUESTION_H
#define NODE_SHOWN_QUESTION_H

#include "engine/postgres_connection.h"
#include "engine/stored.h"
#include "log/buffer.h"
#include "log/definition.h"

struct shown_question;

/* Whether values of the type are equal exactly when what row_key_canonical() makes of
 * them is. A time with its zone is equal to no other text of it. */
bool shown_is_comparable(enum fleet_type type, const char *collation);

/* uniques: of the definition's, those (by index) that are to be asked about. *lacking:
 * the index of one whose answers can't be compared, or that Postgres does not evaluate
 * so; then *out is NULL. All outlive it. On success *out is the caller's. */
MUST_CHECK enum status shown_question_open(struct shown_question **out,
                                           struct postgres *asked, struct stored *stored,
                                           const struct definition *definition,
                                           const uint32_t *uniques, uint32_t count,
                                           int64_t *lacking, struct error *err);
void shown_question_close(struct shown_question *question); /* NULL is allowed */

/* How many answers there are: columns "rowferry term 0" and on. */
uint32_t shown_question_count(const struct shown_question *question);

/* Append the scratch table's columns, each after a comma; the statements that make the
 * unique indexes over them, on the table of this quoted name, with names of their own by
 * its number. */
void shown_question_put_columns(const struct shown_question *question,
                                struct buffer *sql);
void shown_question_put_indexes(const struct shown_question *question, size_t number,
                                struct bytes table, struct buffer *sql);

/* Ask about a row: values of the definition's stored columns, absent ones begin as the
 * table has them. *answers: so many, views until the next call. CONSTRAINT: Postgres
 * takes no such row. */
MUST_CHECK enum status shown_question_ask(struct shown_question *question,
                                          const struct value *row,
                                          const struct value **answers,
                                          struct error *err);

#endif
