/* The rows of an entry that is being made, as its changes so far have left them: for a
 * source that may tell of one row twice in a transaction. The store does not know them
 * before the entry ends.
 *
 * A temporary table of the database's connection, so of any size in little memory. */
#ifndef CAPTURE_PENDING_H
#define CAPTURE_PENDING_H

#include "engine/sqlite_database.h"
#include "log/change.h"
#include "log/rows.h"

struct pending;

/* Empty. node: the origin of the entry, whose definitions its changes name. On success
 * the caller closes it; database must outlive it. One at a time. */
MUST_CHECK enum status pending_open(struct pending **out,
                                    struct sqlite_database *database, uint64_t node,
                                    struct error *err);
void pending_close(struct pending *pending);

/* Remember what change leaves of its row. */
MUST_CHECK enum status pending_put(struct pending *pending, const struct table *table,
                                   const struct change *change, struct error *err);

/* As what the database holds: live or not, image and definition. born is nothing (origin
 * and number 0) for a row that the entry itself made. Views live until the next call.
 * NOT_FOUND, a plain answer: the entry has not touched it. */
MUST_CHECK enum status pending_get(struct pending *pending, uint32_t table,
                                   struct bytes key, struct row *out, struct error *err);

#endif
