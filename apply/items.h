/* What a batch notes about single rows beside its plan, until it is written as the
 * intent: a TEMP table of a SQLite connection, the batch's own or one beside it, so that
 * any number of rows takes no memory. A later note replaces an earlier one of the same
 * row. Its content lives and dies with that connection's transaction. */
#ifndef APPLY_ITEMS_H
#define APPLY_ITEMS_H

#include "engine/sqlite_database.h"
#include "log/intent.h"

struct items;

/* Make the table, outside of a transaction. On success the caller closes it. */
MUST_CHECK enum status items_open(struct items **out, struct sqlite_database *database,
                                  struct error *err);
void items_close(struct items *items);
MUST_CHECK enum status items_clear(struct items *items, struct error *err);

/* Note QUARANTINED, KEPT or SHOWN. beyond: the row is not in the batch's plan. */
MUST_CHECK enum status items_put(struct items *items, const struct intent_item *item,
                                 bool beyond, struct error *err);
MUST_CHECK enum status items_remove(struct items *items, uint32_t table, struct bytes key,
                                    struct error *err);

/* NOT_FOUND is a plain answer. */
MUST_CHECK enum status items_find(struct items *items, uint32_t table, struct bytes key,
                                  enum intent_item_kind *kind, bool *beyond,
                                  struct error *err);

/* Whether there is any since the last clear. */
bool items_any(const struct items *items);

/* Hand all of them to the writer. */
MUST_CHECK enum status items_write(struct items *items, struct intent_writer *writer,
                                   struct error *err);

#endif
