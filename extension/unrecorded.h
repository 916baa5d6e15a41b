/* Tables that a session is to leave alone: rowferry's own and SQLite's, and those with
 * generated columns, with which SQLite's session extension would fail as a whole. */
#ifndef EXTENSION_UNRECORDED_H
#define EXTENSION_UNRECORDED_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct unrecorded_table;

struct unrecorded {
    struct unrecorded_table *tables; /* those that were asked for */
    int count;
    int64_t schema; /* PRAGMA schema_version when they were looked at */
    bool current;   /* it is that of the transaction */
    sqlite3_stmt *version;
};

void unrecorded_release(struct unrecorded *unrecorded);

/* Another transaction may begin, with other tables. Runs no SQL. */
void unrecorded_doubt(struct unrecorded *unrecorded);

/* From a session's callback: runs the kind of SQL that the session itself runs there, a
 * PRAGMA that reads. One that fails leaves the table to the session. */
bool unrecorded_has(struct unrecorded *unrecorded, sqlite3 *db, const char *table);

#endif
