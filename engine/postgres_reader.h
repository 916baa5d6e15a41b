/* The rows of one table of a Postgres database, one after another, as the caller's
 * transaction sees them; by COPY, so that memory is bounded by a row.
 *
 * While a reader is open its connection does nothing else: what comparing rows has to ask
 * of the server goes through another one. */
#ifndef ENGINE_POSTGRES_READER_H
#define ENGINE_POSTGRES_READER_H

#include "engine/postgres_connection.h"
#include "log/definition.h"

#include <stdbool.h>

struct postgres_reader;

/* Begin to read. Rows of tables that inherit from this one are not among its own, those
 * of partitions are. definition must outlive it. On success *out is the caller's. */
MUST_CHECK enum status postgres_reader_open(struct postgres_reader **out,
                                            struct postgres *postgres,
                                            const struct definition *definition,
                                            struct error *err);

/* Before the last row was read it breaks off, and the transaction has failed: only its
 * end is left. NULL is allowed. */
void postgres_reader_close(struct postgres_reader *reader);

/* Take the next row: a value for each stored column, views until the next call.
 * NOT_FOUND, a plain answer: there is none left; the connection is free again. */
MUST_CHECK enum status postgres_reader_next(struct postgres_reader *reader,
                                            struct value *values, struct error *err);

/* Bytes in which the server sent the row that was taken last. */
size_t postgres_reader_row_size(const struct postgres_reader *reader);

/* *there: whether the table has a row of exactly this key, as the open transaction sees
 * it. Whatever the columns' types do not take is the key of no row. */
MUST_CHECK enum status postgres_reader_find(struct postgres *postgres,
                                            const struct definition *definition,
                                            struct bytes key, bool *there,
                                            struct error *err);

#endif
