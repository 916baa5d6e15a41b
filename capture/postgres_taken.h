/* Which of a Postgres database's tables are captured: rows of other relations are passed
 * over, whatever the stream tells of them.
 *
 * A table is one of these from the entry on that its first rows came with: what was told
 * of it before is in that entry. They are known by oid, since a table that was dropped
 * and made anew is another one. */
#ifndef CAPTURE_POSTGRES_TAKEN_H
#define CAPTURE_POSTGRES_TAKEN_H

#include "log/appender.h"

struct taken_table {
    uint32_t oid;
    char *name;     /* owned; quote_ident(schema).quote_ident(table), as it was then */
    uint32_t order; /* while it is laid first (postgres_order.h); not kept */
};

/* All zeroes is none. */
struct postgres_taken {
    struct taken_table *list; /* owned */
    size_t count;
    size_t room;
};

void postgres_taken_release(struct postgres_taken *taken);
bool postgres_taken_has(const struct postgres_taken *taken, uint32_t oid);

/* Add one, which is not among them; name is copied. */
MUST_CHECK enum status postgres_taken_add(struct postgres_taken *taken, uint32_t oid,
                                          const char *name, struct error *err);
/* Bring them into the order of their laying. */
void postgres_taken_sort(struct postgres_taken *taken);
/* Take the one at this place out; those behind it move up. */
void postgres_taken_remove(struct postgres_taken *taken, size_t place);

/* '{1,2}', with its NUL: as a parameter for oid[]. */
MUST_CHECK enum status postgres_taken_put_oids(const struct postgres_taken *taken,
                                               struct buffer *out, struct error *err);

/* Replace what is in taken by what the store says. CORRUPT: no such bytes. */
MUST_CHECK enum status postgres_taken_read(struct postgres_taken *taken,
                                           struct store_txn *txn, struct error *err);

/* Write them into the store, of which the first so many count. Those behind count when
 * META_TAKEN_COUNT says so, as one of an entry's updates. */
MUST_CHECK enum status postgres_taken_write(const struct postgres_taken *taken,
                                            size_t counting, struct store *store,
                                            struct error *err);

#endif
