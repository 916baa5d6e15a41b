/* Tables that a session is to leave alone: rowferry's own and SQLite's, and those with
 * generated columns, with which SQLite's session extension would fail as a whole. */
#ifndef EXTENSION_UNRECORDED_H
#define EXTENSION_UNRECORDED_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct unrecorded {
    char **names; /* of tables with generated columns */
    int count;
    int64_t schema; /* of the database when they were looked for */
};

/* Look for them, unless the schema is the one of the last time. SQLite's codes. */
int unrecorded_read(struct unrecorded *unrecorded, sqlite3 *db, int64_t schema);
void unrecorded_release(struct unrecorded *unrecorded);

/* Runs no SQL. */
bool unrecorded_has(const struct unrecorded *unrecorded, const char *table);

#endif
