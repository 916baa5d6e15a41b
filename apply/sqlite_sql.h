/* Pieces of SQL about one table. */
#ifndef APPLY_SQLITE_SQL_H
#define APPLY_SQLITE_SQL_H

#include "engine/sqlite_database.h"
#include "log/buffer.h"
#include "log/definition.h"

/* Where a table is: the user's own, or its empty copy (apply/sqlite_scratch.h). */
enum sql_schema { SCHEMA_MAIN, SCHEMA_SCRATCH };

void sql_put(struct buffer *sql, const char *text);

/* schema."table" */
void sql_put_table(struct buffer *sql, enum sql_schema schema,
                   const struct definition *definition);

/* alias."column"; alias: NULL, or a name. */
void sql_put_column(struct buffer *sql, const char *alias, const char *name);

/* The key's column at this place, from 0. */
const struct column *sql_key_column(const struct definition *definition, uint32_t place);

/* " WHERE alias.k = ?N AND …", compared as bytes; parameters from first on. */
void sql_put_key_condition(struct buffer *sql, const struct definition *definition,
                           const char *alias, int first);

/* "alias.k1, alias.k2", in key order. */
void sql_put_key_columns(struct buffer *sql, const struct definition *definition,
                         const char *alias);

/* "c1, c2": the stored columns. */
void sql_put_stored_columns(struct buffer *sql, const struct definition *definition);

/* Whether a column of this type surely stores the value as it is (in UTF-8). */
bool sql_is_stored_as_it_is(const struct column *column, const struct value *value);

/* Append the canonical key of the statement's current row, whose columns from first on
 * are the key's. REFUSED: NULL in it. */
MUST_CHECK enum status sql_take_key(struct buffer *key, sqlite3_stmt *statement,
                                    int first, const struct definition *definition,
                                    struct error *err);

/* Bytes as a blob, never NULL; they outlive the step. Read back: a view until the next
 * one. */
void sql_bind_bytes(sqlite3_stmt *statement, int parameter, struct bytes bytes);
struct bytes sql_column_bytes(sqlite3_stmt *statement, int column);

/* Prepare what sql holds, and empty it. */
MUST_CHECK enum status sql_prepare(struct sqlite_database *database, struct buffer *sql,
                                   sqlite3_stmt **out, struct error *err);
MUST_CHECK enum status sql_execute(struct sqlite_database *database, struct buffer *sql,
                                   struct error *err);

/* Prepare a statement when it is first needed. */
MUST_CHECK enum status sql_prepare_once(struct sqlite_database *database,
                                        const char *text, sqlite3_stmt **statement,
                                        struct error *err);

/* Step a statement that gives no rows, and reset it. */
MUST_CHECK enum status sql_run(struct sqlite_database *database, sqlite3_stmt *statement,
                               const char *what, struct error *err);

#endif
