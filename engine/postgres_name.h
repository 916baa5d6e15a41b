/* Names of Postgres's tables: as the database spells them (a definition's local_name:
 * schema and table, each quoted where SQL needs it), and plain, as people write them.
 * Pure.
 */
#ifndef ENGINE_POSTGRES_NAME_H
#define ENGINE_POSTGRES_NAME_H

#include "log/buffer.h"

/* Append the plain name of a table: schema.table, `public.` left out, without quotes and
 * without a NUL at the end. */
void postgres_put_plain_name(struct buffer *out, const char *local_name);

/* Whether people mean this table: by its plain name, with or without `public.`, or as the
 * database spells it. By case, as Postgres compares names. */
bool postgres_name_is(const char *local_name, const char *said);

#endif
