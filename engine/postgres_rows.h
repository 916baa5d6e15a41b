/* What one query says of many tables: rows in the order of the tables' places in the list
 * that was asked about, which is the query's parameter (an array of oids). The texts live
 * as long as the rows. */
#ifndef ENGINE_POSTGRES_ROWS_H
#define ENGINE_POSTGRES_ROWS_H

#include "engine/postgres_connection.h"

#include <stdbool.h>

struct postgres_rows {
    PGresult *result; /* owned; column 0 is the place, from 1 */
    int at;           /* the row that was taken */
};

/* On success the caller releases out; a zeroed one may be released, too. */
MUST_CHECK enum status postgres_rows_query(struct postgres *postgres, const char *sql,
                                           const char *oids, struct postgres_rows *out,
                                           struct error *err);
void postgres_rows_release(struct postgres_rows *rows);

/* Take the next row of the place; places are asked for in ascending order. False: there
 * is none left. */
bool postgres_rows_take(struct postgres_rows *rows, size_t place);

/* How many of the place are left to take. */
uint32_t postgres_rows_left(const struct postgres_rows *rows, size_t place);

/* A field of the row that was taken. NULL, false, 0 and '\0' for NULL. */
const char *postgres_rows_text(const struct postgres_rows *rows, int field);
bool postgres_rows_bool(const struct postgres_rows *rows, int field);
uint32_t postgres_rows_number(const struct postgres_rows *rows, int field);
char postgres_rows_letter(const struct postgres_rows *rows, int field);

#endif
