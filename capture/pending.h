/* The rows of an entry that is being made, as its changes so far have left them: for a
 * source that may tell of one row twice in a transaction. The store does not know them
 * before the entry ends.
 *
 * In memory up to a bound (capture/pending_rows.h), beyond it in a temporary database of
 * its own: so of any size in little memory, and at hardly any cost where entries are
 * small. */
#ifndef CAPTURE_PENDING_H
#define CAPTURE_PENDING_H

#include "log/change.h"
#include "log/rows.h"

struct pending;

/* Empty. node: the origin of the entry, whose definitions its changes name. On success
 * the caller closes it. */
MUST_CHECK enum status pending_open(struct pending **out, uint64_t node,
                                    struct error *err);
void pending_close(struct pending *pending);

/* Forget all rows, for another entry. */
MUST_CHECK enum status pending_clear(struct pending *pending, struct error *err);

/* Remember what change leaves of its row. */
MUST_CHECK enum status pending_put(struct pending *pending, const struct table *table,
                                   const struct change *change, struct error *err);

/* As what the database holds: live or not, image and definition. born is nothing (origin
 * and number 0) for a row that the entry itself made. Views live until the next call.
 * NOT_FOUND, a plain answer: the entry has not touched it. */
MUST_CHECK enum status pending_get(struct pending *pending, uint32_t table,
                                   struct bytes key, struct row *out, struct error *err);

/* The key of the table's next row that the entry leaves there, after one in the order of
 * keys' bytes (empty: the first). A view, until the next call. NOT_FOUND, a plain answer:
 * there is none. */
MUST_CHECK enum status pending_next(struct pending *pending, uint32_t table,
                                    struct bytes after, struct bytes *key,
                                    struct error *err);

#endif
