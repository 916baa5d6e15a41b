/* What a database shows (DESIGN section 7), from scratch: rows in, and of each whether it
 * is shown, found by putting them in the order of born into tables of the same schema in
 * an unlinked temporary file, so that SQLite itself evaluates unique expressions, partial
 * indexes, collations and affinities; of Postgres's as far as SQLite can tell.
 *
 * Shares nothing with apply's parking, which it is to check. Bounded memory. */
#ifndef NODE_SHOWN_H
#define NODE_SHOWN_H

#include "engine/catalog.h"
#include "engine/postgres_connection.h"
#include "engine/sqlite_database.h"
#include "log/image.h"
#include "log/version.h"

struct shown;

/* catalog: the tables, in whose order they are numbered from 0; like in, a database of
 * the same text encoding; of Postgres's (like NULL) asked says what values become there,
 * a connection in no transaction. All outlive it. On success *out is the
 * caller's, to give back with shown_close(). */
MUST_CHECK enum status shown_open(struct shown **out, struct sqlite_database *like,
                                  struct postgres *asked, const struct catalog *catalog,
                                  bool foreign_keys, struct error *err);
void shown_close(struct shown *shown);

/* What is lacking here to build the table with its constraints, so that all of its rows
 * are shown (SQLite's own words, or ours; live as long as shown does); NULL: nothing. */
const char *shown_lacks(const struct shown *shown, size_t table);

/* What became of an added row. */
enum shown_fate {
    SHOWN_AS_IT_IS,
    SHOWN_TAKEN,        /* a placed row born earlier has one of its unique values */
    SHOWN_ORPHAN_OUTER, /* a parent outside of its group is not shown */
    SHOWN_ORPHAN_INNER, /* placed, hidden since a parent in its group is not shown */
    SHOWN_REFUSED, /* this schema takes no such row (NOT NULL, STRICT, a missing column)
                    */
};

struct shown_row {
    struct bytes key;
    enum shown_fate fate;
    bool seen;   /* shown_mark() was called */
    bool parked; /* as it was added */
    struct bytes image;
    const struct definition *definition;
};

/* A live row, born then: its key, image, definition (that of the image; lives as long as
 * shown does) and whether it is noted as parked, which only comes back. Each key of a
 * table once. */
MUST_CHECK enum status shown_add(struct shown *shown, size_t table,
                                 const struct shown_row *row, const struct version *born,
                                 struct error *err);

/* Once, after the last row: find out which are shown. */
MUST_CHECK enum status shown_settle(struct shown *shown, struct error *err);

/* NOT_FOUND: no such row was added (a plain answer). Views live until the next call. */
MUST_CHECK enum status shown_find(struct shown *shown, size_t table, struct bytes key,
                                  struct shown_row *out, struct error *err);
MUST_CHECK enum status shown_mark(struct shown *shown, size_t table, struct bytes key,
                                  struct error *err);

/* Walk a table's added rows in the order of their keys. Return false to end the walk; the
 * visitor calls nothing of this module. */
typedef bool (*shown_visit_cb)(void *data, const struct shown_row *row);
MUST_CHECK enum status shown_visit(struct shown *shown, size_t table,
                                   shown_visit_cb visit, void *data, struct error *err);

#endif
