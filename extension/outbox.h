/* The table rowferry_outbox as a recorder writes it. docs/FORMAT.md, "Database".
 *
 * Its statements are prepared when first needed and live until outbox_release(): an open
 * one would keep the host from closing its connection. */
#ifndef EXTENSION_OUTBOX_H
#define EXTENSION_OUTBOX_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct outbox {
    sqlite3 *db;
    sqlite3_stmt *position; /* of rowferry_state */
    sqlite3_stmt *schema;   /* PRAGMA schema_version */
    sqlite3_stmt *insert;
    sqlite3_stmt *last; /* greatest id in a range */
    sqlite3_stmt *take_part;
    int64_t version; /* PRAGMA schema_version */
    int prepared;    /* position, when it was asked, so many times anew; -1: it was not */
};

/* One row to be: a piece of one recorded changeset. */
struct outbox_row {
    bool first;       /* of its transaction */
    bool last;        /* of its changeset */
    bool scan;        /* the transaction changed more than is recorded */
    int64_t position; /* rowferry_state.applied at that moment */
    int64_t stamp_us; /* wall clock, microseconds since 1970 */
    int64_t schema;   /* PRAGMA schema_version */
    const char *note;
    const char *user;
    const void *changes;
    int size;
};

/* The caller's, for outbox_release(), after which it can be used again. */
void outbox_init(struct outbox *outbox, sqlite3 *db);
void outbox_release(struct outbox *outbox);

/* The position and the schema's version of this moment. SQLITE_DONE: the database is not
 * one of rowferry's (yet). */
int outbox_look(struct outbox *outbox, int64_t *position, int64_t *schema);

/* Be told when the transaction that is open ends (extension/session_table.h). */
int outbox_take_part(struct outbox *outbox);

/* Add a row; *id is its number. Makes the table when an older rowferry has left it out.
 */
int outbox_insert(struct outbox *outbox, const struct outbox_row *row, int64_t *id);

/* The greatest id from first to last that is there; 0 when none is. */
int outbox_last(struct outbox *outbox, int64_t first, int64_t last, int64_t *found);

#endif
