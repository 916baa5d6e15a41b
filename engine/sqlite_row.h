/* Values of a SQLite table's rows, out and in. */
#ifndef ENGINE_SQLITE_ROW_H
#define ENGINE_SQLITE_ROW_H

#include "engine/sqlite_database.h"
#include "log/value.h"

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

#endif
