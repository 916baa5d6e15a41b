/* What a value becomes when this engine stores it in a column: asked of SQLite itself, in
 * a database in memory with the same encoding, type and strictness. */
#ifndef ENGINE_SQLITE_STORED_H
#define ENGINE_SQLITE_STORED_H

#include "engine/sqlite_database.h"
#include "log/definition.h"

struct sqlite_stored;

/* definition: the database's own; it must outlive this. On success the caller closes it.
 */
MUST_CHECK enum status sqlite_stored_open(struct sqlite_stored **out,
                                          struct sqlite_database *database,
                                          const struct definition *definition,
                                          struct error *err);
void sqlite_stored_close(struct sqlite_stored *stored);

/* Whether a value of this type that is still of this type when stored, in whatever
 * column, is the same value. (A real is not: -0.0 becomes 0.0; a text in UTF-16 is not
 * when it is invalid.) */
bool sqlite_stored_keeps(const struct sqlite_stored *stored, enum value_type type);

/* What value becomes in the stored column at this image place. *out lives until the next
 * call for the same column. CONSTRAINT: a STRICT table does not take it, or it is too
 * large. */
MUST_CHECK enum status sqlite_stored_value(struct sqlite_stored *stored, uint32_t place,
                                           const struct value *value, struct value *out,
                                           struct error *err);

/* The column's default. NOT_FOUND, a plain answer: it is not a constant. Lives until the
 * close. */
MUST_CHECK enum status sqlite_stored_default(struct sqlite_stored *stored, uint32_t place,
                                             struct value *out, struct error *err);

#endif
