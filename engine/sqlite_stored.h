/* What a value becomes when SQLite stores it: asked of SQLite itself, in a database in
 * memory with the same encoding, type and strictness. */
#ifndef ENGINE_SQLITE_STORED_H
#define ENGINE_SQLITE_STORED_H

#include "engine/row_compare.h"
#include "engine/sqlite_database.h"

/* definition: the database's own; it must outlive this. On success the caller closes it.
 * It keeps integers, blobs, and text where the database is in UTF-8: a real is not kept
 * (-0.0 becomes 0.0), nor is a text in UTF-16 that is invalid. Its CONSTRAINT: a STRICT
 * table does not take the value, or it is too large. */
MUST_CHECK enum status sqlite_stored_open(struct stored **out,
                                          struct sqlite_database *database,
                                          const struct definition *definition,
                                          struct error *err);

/* A comparer of rows of a table of SQLite's; as row_comparer_open(). */
MUST_CHECK enum status sqlite_comparer_open(struct row_comparer **out,
                                            struct sqlite_database *database,
                                            const struct definition *definition,
                                            struct error *err);

#endif
