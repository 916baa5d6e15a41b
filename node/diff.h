/* diff: a database against what row index and schema say it shows, computed anew by
 * node/shown.h, never by what apply noted (DESIGN section 9).
 *
 * Reads only: one read transaction on the database for the whole comparison, one on the
 * store until its rows are copied to a temporary file. Bounded memory. */
#ifndef NODE_DIFF_H
#define NODE_DIFF_H

#include "apply/sqlite_target.h"
#include "log/definition.h"
#include "log/store.h"

struct database; /* node/database.h */

struct diff_options {
    bool foreign_keys; /* whether they count */
    enum trigger_mode triggers;
    const struct table_rules *rules; /* as read_catalog's */
    bool other; /* not the store's own database: its rowferry_state does not count */
};

enum diff_kind {
    DIFF_MISSING, /* the database lacks the row */
    DIFF_EXTRA,   /* it has a row that it should not show */
    DIFF_CHANGED,
    DIFF_LACKING, /* no difference, and no row: the table's rows are compared without its
                     constraints, for want of a function, a collation or room for a
                     column, or since only Postgres can compare their values */
    DIFF_GONE,    /* no row: the database has lost the table, or can't have it replicated
                     any more, and with it rows that it showed */
};

/* One row that differs. Views live until the callback returns. */
struct diff_row {
    const struct definition *definition; /* the database's own; GONE: as it was logged */
    struct bytes key;                    /* canonical */
    enum diff_kind kind;
    const uint32_t *columns; /* CHANGED: indexes into definition->columns, ascending */
    size_t column_count;
    const char *why; /* LACKING: SQLite's own words; GONE: what is wrong with the table
                        that is there, NULL: there is none */
    uint64_t rows;   /* GONE: how many it would show, constraints aside */
};

/* Return false to end early: what follows is neither compared nor counted. */
typedef bool (*diff_row_cb)(void *data, const struct diff_row *row);

struct diff_counts {
    bool joining; /* the rows met those of a fleet that is yet to be joined: differing
                     ones are changed, and keep it from that */
    uint64_t only_here; /* when joining: rows to become new writes, no difference */
    uint64_t tables;
    uint64_t rows; /* of the database, compared */
    uint64_t missing;
    uint64_t extra;
    uint64_t changed;
    uint64_t gone;      /* rows of tables that are */
    uint64_t waiting;   /* entries not yet applied; no difference, nor are the next two */
    uint64_t unsettled; /* rows that the next apply parks or releases, since something was
                           captured here, or the rules were changed, after the last one */
    uint64_t parked;    /* live rows that the constraints keep from being shown */
    uint64_t lacking;   /* tables compared without their constraints */
    uint64_t untaken;   /* rows of tables that take nothing: other than the log's */
    uint64_t quarantined; /* compared with what the database held when it refused them */
};

/* Compare. visit may be NULL. DIFFERENT: missing, extra, changed or gone is not 0 (err
 * says how many rows). REFUSED: the database's rowferry_state is not the store's, or one
 * of the two was restored. BUSY: a batch is between its two commits now, or was cut off
 * there: apply ends it. UNAVAILABLE, IO, FULL: the database, or the temporary file. */
MUST_CHECK enum status diff_database(struct store *store, struct database *database,
                                     const struct diff_options *options,
                                     diff_row_cb visit, void *data,
                                     struct diff_counts *counts, struct error *err);

#endif
