/* The rows of one table of a database, one after another, each to be compared with an
 * image out of the log. Rows with NULL in their key are passed over: they are not
 * replicated. Within the caller's transaction on the database; of a Postgres one that has
 * failed when it is released before the last row, and does nothing else meanwhile. */
#ifndef NODE_TABLE_ROWS_H
#define NODE_TABLE_ROWS_H

#include "engine/postgres_reader.h"
#include "engine/row_compare.h"
#include "node/database.h"

struct table_rows {
    const struct definition *definition; /* the database's own */
    struct buffer key;                   /* of the row at hand: canonical */
    uint32_t *changed; /* owned: indexes into definition->columns, ascending */
    size_t changed_count;
    /* Private. */
    struct sqlite_database *sqlite; /* NULL: Postgres */
    sqlite3_stmt *rows;
    struct postgres_reader *reader;
    struct row_comparer *comparer;
    struct value *values; /* owned: of the row, by image place */
    uint32_t *columns;    /* owned: column of each image place */
    struct buffer image;
    struct buffer before;
};

/* definition must outlive it. To be released whatever comes back. */
MUST_CHECK enum status table_rows_init(struct table_rows *rows, struct database *database,
                                       const struct definition *definition,
                                       struct error *err);
void table_rows_release(struct table_rows *rows);

/* Go to the first row, to the next. NOT_FOUND (a plain answer): there is none. */
MUST_CHECK enum status table_rows_next(struct table_rows *rows, struct error *err);

/* Which columns of the row at hand are not as the image has them, which was written under
 * that definition: changed, of those that the definition has too. */
MUST_CHECK enum status table_rows_compare(struct table_rows *rows, struct bytes image,
                                          const struct definition *written,
                                          struct error *err);

/* rest: of an image that has values for columns which are not here, what a row here can
 * be; else empty. */
MUST_CHECK enum status table_rows_lacking(struct table_rows *rows, struct bytes image,
                                          const struct definition *written,
                                          struct buffer *rest, struct error *err);

#endif
