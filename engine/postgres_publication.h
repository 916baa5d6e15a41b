/* Publications of a Postgres database: which tables its logical decoding tells.
 *
 * Tables are given as quote_ident(schema).quote_ident(table), as local_name has them. */
#ifndef ENGINE_POSTGRES_PUBLICATION_H
#define ENGINE_POSTGRES_PUBLICATION_H

#include "engine/postgres_connection.h"

#include <stdbool.h>
#include <stddef.h>

/* Make a publication of just these tables, with all that happens to their rows. via_root:
 * rows of partitions are told as their root's. No tables: an empty one. It must be there
 * before the slot that reads it. REFUSED: there is one of this name. NOT_FOUND: a table
 * is not there. UNAVAILABLE: the role may not (CREATE on the database, and the tables its
 * own). */
MUST_CHECK enum status postgres_publication_create(struct postgres *postgres,
                                                   const char *name,
                                                   const char *const *tables,
                                                   size_t table_count, bool via_root,
                                                   struct error *err);

/* Publish one more table, if it is not published already. NOT_FOUND: it, or the
 * publication, is not there. UNAVAILABLE: the role may not. */
MUST_CHECK enum status postgres_publication_add(struct postgres *postgres,
                                                const char *name, const char *table,
                                                struct error *err);

/* Check one that somebody else made. NOT_FOUND: there is none. REFUSED: it leaves out one
 * of the tables, rows, columns, or kinds of change; the reason says which, and what to
 * run. */
MUST_CHECK enum status postgres_publication_check(struct postgres *postgres,
                                                  const char *name,
                                                  const char *const *tables,
                                                  size_t table_count, struct error *err);

/* None of this name is fine. */
MUST_CHECK enum status postgres_publication_drop(struct postgres *postgres,
                                                 const char *name, struct error *err);

#endif
