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

#endif
