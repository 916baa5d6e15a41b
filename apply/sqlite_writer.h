/* Writing rows of one table by prepared statements: a row by its image, whatever
 * definition that was written under. Columns meet by name; what only this database has
 * keeps its value (a new row: gets its default); generated columns are left out; keys are
 * compared as bytes.
 *
 * A row is put at hand first (map, or key), then written. Within the caller's
 * transaction. */
#ifndef APPLY_SQLITE_WRITER_H
#define APPLY_SQLITE_WRITER_H

#include "apply/sqlite_sql.h"
#include "apply/write_result.h"
#include "engine/sqlite_row.h"
#include "log/image.h"

struct sqlite_writer;

/* definition: the database's own; it must outlive the writer. guarded: run each statement
 * in a savepoint, since triggers fire. On success the caller closes it. */
MUST_CHECK enum status sqlite_writer_open(struct sqlite_writer **out,
                                          struct sqlite_database *database,
                                          const struct definition *definition,
                                          bool guarded, struct error *err);
void sqlite_writer_close(struct sqlite_writer *writer);

/* Put a row at hand: values by the own definition's stored columns, VALUE_ABSENT where
 * the image has none. The views live as long as image's and key's bytes and until the
 * next row. *result: DONE, or REFUSED: it has a column that is missing here, or a key
 * that this table can't hold. */
MUST_CHECK enum status sqlite_writer_map(struct sqlite_writer *writer,
                                         const struct definition *from,
                                         struct bytes image, struct bytes key,
                                         enum write_result *result, struct error *err);
/* The same with nothing but the key. from: NULL when the key is known to be this table's.
 */
MUST_CHECK enum status sqlite_writer_key(struct sqlite_writer *writer,
                                         const struct definition *from, struct bytes key,
                                         enum write_result *result, struct error *err);

/* The values at hand, stored_count of them; the caller may fill in absent ones. */
struct value *sqlite_writer_values(struct sqlite_writer *writer);

/* Which columns of the row at hand differ from what the database holds of it: from an
 * image under another definition; or (present) from the row as it stands there, for when
 * triggers may have changed it since; all of them, as if nothing was known. *differs:
 * any. What the row at hand lacks never differs. */
MUST_CHECK enum status sqlite_writer_differ(struct sqlite_writer *writer,
                                            const struct definition *held_from,
                                            struct bytes held, struct bytes key,
                                            bool *differs, struct error *err);
MUST_CHECK enum status sqlite_writer_differ_present(struct sqlite_writer *writer,
                                                    bool *differs, struct error *err);
void sqlite_writer_differ_all(struct sqlite_writer *writer, bool *differs);

/* Write the row at hand. update and delete expect it to be there, insert that its key is
 * not: anything else is IO. update sets the columns that differ; there are some. */
MUST_CHECK enum status sqlite_writer_insert(struct sqlite_writer *writer,
                                            enum sql_schema schema,
                                            enum write_result *result, struct error *err);
MUST_CHECK enum status sqlite_writer_update(struct sqlite_writer *writer,
                                            enum write_result *result, struct error *err);
MUST_CHECK enum status sqlite_writer_delete(struct sqlite_writer *writer,
                                            enum write_result *result, struct error *err);

/* Whether the user's table has the row at hand. */
MUST_CHECK enum status sqlite_writer_find(struct sqlite_writer *writer, bool *found,
                                          struct error *err);

/* Whether images under this definition lack columns that this table stores. */
MUST_CHECK enum status sqlite_writer_lacks(struct sqlite_writer *writer,
                                           const struct definition *from, bool *lacks,
                                           struct error *err);

/* Fill in the absent values at hand from the table's row, and encode the whole under the
 * own definition. */
MUST_CHECK enum status sqlite_writer_complete(struct sqlite_writer *writer,
                                              struct buffer *image, struct error *err);

/* Whether an absent value at hand has a default that is no constant, so that a new row's
 * must be read back. */
MUST_CHECK enum status sqlite_writer_volatile(struct sqlite_writer *writer,
                                              bool *is_volatile, struct error *err);

/* Step a statement that writes exactly one row, and reset it. */
MUST_CHECK enum status sqlite_writer_step(struct sqlite_writer *writer,
                                          sqlite3_stmt *statement, const char *what,
                                          enum write_result *result, struct error *err);

/* Fill in absent values at hand from what the database holds of the row, an image under
 * another definition. *carried: there were some. Its views live as those of map. */
MUST_CHECK enum status sqlite_writer_carry(struct sqlite_writer *writer,
                                           const struct definition *held_from,
                                           struct bytes held, struct bytes key,
                                           bool *carried, struct error *err);

/* "INSERT INTO ", with what keeps the table's own ON CONFLICT clauses from being obeyed.
 */
const char *sqlite_writer_verb(const struct sqlite_writer *writer);

/* Bind the key at hand to parameters from first on. */
MUST_CHECK enum status sqlite_writer_bind_key(struct sqlite_writer *writer,
                                              sqlite3_stmt *statement, int first,
                                              struct error *err);

#endif
