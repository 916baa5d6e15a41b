/* A changeset or patchset of SQLite's session extension, read in pieces. The format is
 * SQLite's own; its library reads it. */
#ifndef CAPTURE_CHANGESET_H
#define CAPTURE_CHANGESET_H

#include "log/bytes.h"
#include "log/definition.h"

#include <sqlite3.h>
#include <stdbool.h>

/* Give the next piece; an empty one ends the changeset. The view lives until the next
 * call. Anything else: final. */
typedef enum status (*changeset_piece_cb)(void *data, struct bytes *piece,
                                          struct error *err);

struct changeset;

/* Nothing is read yet. On success the caller closes it. */
MUST_CHECK enum status changeset_open(struct changeset **out, changeset_piece_cb piece,
                                      void *data, struct error *err);
void changeset_close(struct changeset *changeset);

/* The row that comes next. Views live until the next call. */
struct changeset_row {
    const char *table;
    const unsigned char *key; /* for each column: 0 when it is not in the primary key */
    int column_count;
    int op; /* SQLITE_INSERT, SQLITE_UPDATE, SQLITE_DELETE */
};

/* NOT_FOUND, a plain answer: the changeset has ended. CORRUPT: it is cut, or not a
 * changeset, and the row before it may not be whole either: drop them all. One that ends
 * between two rows can't be told from a whole one. Otherwise what piece returned. */
MUST_CHECK enum status changeset_next(struct changeset *changeset,
                                      struct changeset_row *row, struct error *err);

/* Whether the row has a table's columns, at least the first columns_min of them, and its
 * key. Generated columns never fit: a changeset does not tell them. */
bool changeset_row_fits(const struct changeset_row *row,
                        const struct definition *definition, uint32_t columns_min);

/* A column of the current row: after the change; of a delete, and of an update's key,
 * before it. NULL: an update that leaves the column alone. */
sqlite3_value *changeset_value(struct changeset *changeset, int column);

/* The same before the change. NULL: an insert; an update that leaves the column alone; a
 * patchset, which tells only keys. */
sqlite3_value *changeset_before(struct changeset *changeset, int column);

#endif
