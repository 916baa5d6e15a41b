/* Capture by scan: compare every replicated table with what the store says this database
 * holds, in one read transaction, and log the difference as one entry (DESIGN section 6).
 *
 * Always correct; the cost grows with the tables. Bounded memory. */
#ifndef CAPTURE_SQLITE_SCAN_H
#define CAPTURE_SQLITE_SCAN_H

#include "capture/changeset_lay.h"
#include "capture/source.h"
#include "engine/sqlite_database.h"
#include "engine/table_rules.h"

struct sqlite_scan_options {
    const struct table_rules *rules; /* the caller's, outlive the source; NULL: none */
    uint64_t rows;                   /* that there are, for progress; 0: unknown */
    bool foreign_keys;               /* whether they count: what the definitions say */
};

/* database and store stay the caller's and must outlive the source. On success *out is
 * the caller's, for ops->close. */
MUST_CHECK enum status sqlite_scan_open(struct source **out,
                                        struct sqlite_database *database,
                                        struct store *store,
                                        const struct sqlite_scan_options *options,
                                        struct error *err);

/* ops->base. */
MUST_CHECK enum status sqlite_scan_base(struct source *source,
                                        struct capture_counts *counts, struct error *err);

/* ops->capture's comparison inside the caller's own write transaction on the same
 * connection (the applier's, under its lock). Logs what differs; does not touch the
 * database; the caller raises rowferry_state's counter with its own commit. *logged:
 * whether it logged anything. Returns at once when data_version says that nobody wrote
 * since the last scan here. */
MUST_CHECK enum status sqlite_scan_locked(struct source *source, bool *logged,
                                          struct error *err);

/* Log the transactions that applications hand over as files, in the order in which they
 * were committed, after what is in the outbox; the tables are not compared, so that what
 * was committed after them keeps its own. Locks as ops->capture. notice: a line for each
 * file that is not logged; may be NULL. Every file is checked before anything is logged.
 * REFUSED, UNAVAILABLE: one is damaged, can't be read; see capture/changeset_file.h. */
MUST_CHECK enum status
sqlite_scan_changesets(struct source *source, const char *const *paths, size_t count,
                       changeset_notice_cb notice, void *notice_data,
                       struct capture_counts *counts, struct error *err);

/* Let the next scan look, whatever data_version says: after something was written through
 * this very connection that is not the applier's, or the applier left a value as it was
 * in a column that a winner lacks. */
void sqlite_scan_forget(struct source *source);

/* What the entries of rows that ops->capture logs from now on say why (FIELD_NOTE), with
 * whatever else was written until then. note: NULL for nothing; lives until the next
 * call. */
void sqlite_scan_note(struct source *source, const char *note);

#endif
