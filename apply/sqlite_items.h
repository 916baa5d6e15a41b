/* What a batch notes about single rows beside its plan, until it is written as the
 * intent: a TEMP table, so that any number of rows takes no memory. A later note replaces
 * an earlier one of the same row. Its content lives and dies with the database's
 * transaction. */
#ifndef APPLY_SQLITE_ITEMS_H
#define APPLY_SQLITE_ITEMS_H

#include "engine/sqlite_database.h"
#include "log/intent.h"

struct sqlite_items;

/* Make the table, outside of a transaction. On success the caller closes it. */
MUST_CHECK enum status sqlite_items_open(struct sqlite_items **out,
                                         struct sqlite_database *database,
                                         struct error *err);
void sqlite_items_close(struct sqlite_items *items);
MUST_CHECK enum status sqlite_items_clear(struct sqlite_items *items, struct error *err);

/* Note QUARANTINED, KEPT or SHOWN. beyond: the row is not in the batch's plan. */
MUST_CHECK enum status sqlite_items_put(struct sqlite_items *items,
                                        const struct intent_item *item, bool beyond,
                                        struct error *err);
MUST_CHECK enum status sqlite_items_remove(struct sqlite_items *items, uint32_t table,
                                           struct bytes key, struct error *err);

/* NOT_FOUND is a plain answer. */
MUST_CHECK enum status sqlite_items_find(struct sqlite_items *items, uint32_t table,
                                         struct bytes key, enum intent_item_kind *kind,
                                         bool *beyond, struct error *err);

/* Whether there is any since the last clear. */
bool sqlite_items_any(const struct sqlite_items *items);

/* Hand all of them to the writer. */
MUST_CHECK enum status sqlite_items_write(struct sqlite_items *items,
                                          struct intent_writer *writer,
                                          struct error *err);

#endif
