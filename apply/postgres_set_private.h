/* What postgres_set.c and postgres_set_sql.c share; nobody else includes this. */
#ifndef APPLY_POSTGRES_SET_PRIVATE_H
#define APPLY_POSTGRES_SET_PRIVATE_H

#include "apply/postgres_set.h"

static inline uint32_t postgres_set_places(const struct postgres_set *set)
{
    return set->writer->definition->stored_count;
}

/* Append the statement, with a NUL: parameters are the arrays of the columns that are
 * sent, by place, then those of the guard. */
void postgres_set_put_statement(struct buffer *sql, const struct postgres_set *set);

/* Append "COPY table (columns) FROM STDIN", with a NUL. */
void postgres_set_put_copy(struct buffer *sql, const struct postgres_set *set);

/* Append a question (postgres_set_ask), with a NUL. */
void postgres_set_put_question(struct buffer *out, const struct postgres_set *set,
                               const char *sql);

#endif
