/* The mark that begins each of our own transactions in Postgres: a transactional logical
 * message, which capture meets in the WAL before the transaction's rows, also when there
 * is none of a published table. Pure. docs/FORMAT.md, "Mark". */
#ifndef ENGINE_POSTGRES_MARK_H
#define ENGINE_POSTGRES_MARK_H

#include "log/buffer.h"

#define POSTGRES_MARK_PREFIX "rowferry"

enum { POSTGRES_MARK_SIZE = 128 };

struct postgres_mark {
    uint64_t node; /* whose store */
    uint64_t from; /* the batch is its entries from+1 .. to */
    uint64_t to;
    uint64_t counter; /* of the intent that says what it did */
};

/* The message's content, with a NUL. */
void postgres_mark_format(char out[POSTGRES_MARK_SIZE], const struct postgres_mark *mark);

/* False: no such content. */
bool postgres_mark_parse(struct bytes content, struct postgres_mark *out);

#endif
