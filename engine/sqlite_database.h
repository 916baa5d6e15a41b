/* A user's SQLite database: connection, transactions, modification times, rowferry's
 * state.
 *
 * One connection, one thread at a time. foreign_keys and triggers are off on it unless a
 * caller says otherwise; it never changes journal mode, page size or any persistent
 * setting. Waits busy_ms for other writers, then BUSY. */
#ifndef ENGINE_SQLITE_DATABASE_H
#define ENGINE_SQLITE_DATABASE_H

#include "log/error.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct sqlite_database;

enum sqlite_open_mode {
    SQLITE_DATABASE_READ,
    SQLITE_DATABASE_WRITE,
    SQLITE_DATABASE_CREATE
};

enum { SQLITE_BUSY_MS_DEFAULT = 10000 };

/* Open path. CREATE makes a missing file. UNAVAILABLE: missing, unreadable, not a
 * database, or one that may only be read (unless by READ). On success *out is the
 * caller's, for sqlite_database_close(). */
MUST_CHECK enum status sqlite_database_open(struct sqlite_database **out,
                                            const char *path, enum sqlite_open_mode mode,
                                            int busy_ms, struct error *err);
/* An empty one that goes with its close, in memory up to its cache_size and then in an
 * unnamed file. */
MUST_CHECK enum status sqlite_scratch_open(struct sqlite_database **out,
                                           struct error *err);
/* An empty one in memory, for what only SQLite itself can answer. */
MUST_CHECK enum status sqlite_memory_open(struct sqlite_database **out,
                                          struct error *err);

void sqlite_database_close(struct sqlite_database *database);
sqlite3 *sqlite_database_handle(struct sqlite_database *database);
const char *sqlite_database_path(const struct sqlite_database *database);

/* Turn the connection's last failure into a code: BUSY/LOCKED -> BUSY, FULL -> FULL,
 * CONSTRAINT*, MISMATCH and TOOBIG -> CONSTRAINT, CORRUPT/NOTADB -> CORRUPT,
 * CANTOPEN/READONLY/PERM/AUTH
 * -> UNAVAILABLE, NOMEM -> NO_MEMORY, else IO. The text is "what: SQLite's message"; for
 * BUSY it is the database's path and what to do. */
enum status sqlite_failed(struct sqlite_database *database, const char *what,
                          struct error *err);
/* Put the database's path before the reason, unless that names it (BUSY); return status.
 */
enum status sqlite_wrap(struct sqlite_database *database, enum status status,
                        struct error *err);

MUST_CHECK enum status sqlite_execute(struct sqlite_database *database, const char *sql,
                                      struct error *err);
/* Prepare one statement (persistent). On success the caller finalizes it. */
MUST_CHECK enum status sqlite_prepare(struct sqlite_database *database, const char *sql,
                                      sqlite3_stmt **out, struct error *err);
/* The first column of the first row, which there must be, as an integer. */
MUST_CHECK enum status sqlite_number(struct sqlite_database *database, const char *sql,
                                     int64_t *number, struct error *err);

/* BEGIN + first read (a real snapshot); BEGIN IMMEDIATE; end. A failed commit has rolled
 * back (after IO it may be on disk all the same: rowferry_state tells). rollback never
 * fails and may be called when nothing is open. */
MUST_CHECK enum status sqlite_begin_read(struct sqlite_database *database,
                                         struct error *err);
MUST_CHECK enum status sqlite_begin_write(struct sqlite_database *database,
                                          struct error *err);
MUST_CHECK enum status sqlite_commit(struct sqlite_database *database, struct error *err);
void sqlite_rollback(struct sqlite_database *database);

/* PRAGMA data_version: changes when another connection committed. Own commits do not
 * count. */
MUST_CHECK enum status sqlite_data_version(struct sqlite_database *database,
                                           int64_t *version, struct error *err);
MUST_CHECK enum status sqlite_schema_version(struct sqlite_database *database,
                                             int64_t *version, struct error *err);

/* Latest modification time of the database file and its -wal, microseconds since 1970. */
MUST_CHECK enum status sqlite_modified_us(struct sqlite_database *database,
                                          uint64_t *modified_us, struct error *err);

/* Append "name" with inner quotes doubled. */
struct buffer;
void sqlite_put_quoted(struct buffer *sql, const char *name);

/* ---- rowferry_state: one row in the user's database */

struct sqlite_state {
    uint64_t store; /* node id; 0: no state there */
    uint64_t incarnation;
    uint64_t applied; /* the store's seq that the database has taken */
    uint64_t counter;
};

/* All zero when there is no such table or row. CORRUPT when it is not ours in shape.
 * UNAVAILABLE: of a newer format. */
MUST_CHECK enum status sqlite_state_read(struct sqlite_database *database,
                                         struct sqlite_state *out, struct error *err);
/* Make the table when missing, and set the row. Inside the caller's write transaction. */
MUST_CHECK enum status sqlite_state_write(struct sqlite_database *database,
                                          const struct sqlite_state *state,
                                          struct error *err);

/* "PRAGMA encoding" of the database, as a literal: UTF-8, UTF-16le, UTF-16be. */
MUST_CHECK enum status sqlite_encoding(struct sqlite_database *database, const char **out,
                                       struct error *err);

/* Give to, which is still empty, the encoding of from. */
MUST_CHECK enum status sqlite_copy_encoding(struct sqlite_database *from,
                                            struct sqlite_database *to,
                                            struct error *err);

#endif
