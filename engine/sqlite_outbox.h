/* The table rowferry_outbox: what a recorder (extension/) puts into the user's database
 * and capture takes out of it. docs/FORMAT.md, "Database". */
#ifndef ENGINE_SQLITE_OUTBOX_H
#define ENGINE_SQLITE_OUTBOX_H

enum {
    SQLITE_OUTBOX_FORMAT = 1,
    SQLITE_OUTBOX_PART_SIZE = 1 << 20, /* bytes of a changeset in one row at most */
};

/* Rows are in the order of commits; those of one transaction follow each other. The row
 * of the greatest id stays when the others were taken, so that ids never come back. */
#define SQLITE_OUTBOX_SQL                                                               \
    "CREATE TABLE IF NOT EXISTS main.rowferry_outbox ("                                 \
    "id INTEGER PRIMARY KEY, \"format\" INTEGER NOT NULL, \"first\" INTEGER NOT NULL, " \
    "\"last\" INTEGER NOT NULL, scan INTEGER NOT NULL, position INTEGER NOT NULL, "     \
    "stamp_us INTEGER NOT NULL, \"schema\" INTEGER NOT NULL, note TEXT, user TEXT, "    \
    "changes BLOB NOT NULL)"

#endif
