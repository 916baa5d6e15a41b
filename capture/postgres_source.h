/* Capture of Postgres by logical decoding: every committed transaction becomes one entry,
 * in the order of commits, with its commit's own time (DESIGN section 6).
 *
 * What the slot is told to forget is in the log before: META_LSN, the end of the last
 * transaction that was logged (or passed over, having nothing to log), is kept in the
 * same store transaction as the entry. After a crash the server tells again what was not
 * confirmed, and what META_LSN covers is passed over. */
#ifndef CAPTURE_POSTGRES_SOURCE_H
#define CAPTURE_POSTGRES_SOURCE_H

#include "capture/source.h"
#include "engine/postgres_connection.h"
#include "engine/table_rules.h"

struct postgres_source_options {
    const char *slot;
    const char *publication;
    bool slot_is_given; /* it is there, and its administrator's: never made or dropped */
    bool publication_is_given;       /* the same */
    const struct table_rules *rules; /* the caller's, outlive the source; NULL: none */
    uint64_t rows; /* that there are, for the first copy's progress; 0: unknown */
};

/* ops->base makes publication and slot, which are not there yet; the rows are as they
 * were when the slot began, what comes after it the stream tells. When it fails
 * it drops both.
 *
 * postgres (for questions), store and options' texts stay the caller's and must outlive
 * the source. Nothing is asked of the server yet. On success *out is the caller's, for
 * ops->close. */
MUST_CHECK enum status
postgres_source_open(struct source **out, struct postgres *postgres, struct store *store,
                     const struct postgres_source_options *options, struct error *err);

/* One line for the user. */
typedef void (*source_notice_cb)(void *data, const char *line);

/* Before a capture: let tables take part that were made, or are wanted, since the last
 * one; what was written up to then is logged, too. Locks for that are held while others
 * wait: no transaction of this process's is open. What can't be taken now, and a table
 * that is gone, is said (notice; NULL: nothing is). Failures as ops->capture's. */
MUST_CHECK enum status postgres_source_take_tables(struct source *source,
                                                   source_notice_cb notice, void *data,
                                                   struct capture_counts *counts,
                                                   struct error *err);

#endif
