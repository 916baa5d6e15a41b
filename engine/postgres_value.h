/* Values of Postgres columns as text, both ways: what the server prints under the
 * settings that engine/postgres_connection.h pins, and what it is sent as a parameter.
 * Pure.
 *
 * Text that was taken and is given back to a column of its type is the same text, but for
 * reals: theirs is the shortest that is the same double. */
#ifndef ENGINE_POSTGRES_VALUE_H
#define ENGINE_POSTGRES_VALUE_H

#include "log/value.h"

/* What a column of this type (not FLEET_ANY) printed; text.data == NULL is NULL. *out's
 * bytes are a view into text or, of a BLOB, into scratch, which is overwritten. TEXT is
 * UTF-8 only as far as the database's encoding is. CORRUPT: the type prints no such text;
 * the message names no column. NO_MEMORY. */
MUST_CHECK enum status postgres_value_take(enum fleet_type type, struct bytes text,
                                           struct buffer *scratch, struct value *out,
                                           struct error *err);

/* The text that a value of whatever node is to a column of this type; text->data == NULL
 * is NULL, which an absent value is, too. *text is a view into value's bytes or into
 * scratch, which is overwritten, or constant; no zero ends it. Whether the server takes
 * it is another matter. CONSTRAINT: there is no such text; the message names no column.
 * NO_MEMORY. */
MUST_CHECK enum status postgres_value_text(const struct value *value,
                                           enum fleet_type type, struct buffer *scratch,
                                           struct bytes *text, struct error *err);

#endif
