/* The loser of a conflict brought back: in place of the winner, or beside it. */
#ifndef NODE_RESTORE_H
#define NODE_RESTORE_H

#include "node/write_back.h"

enum restore_result {
    RESTORE_SAME, /* the database has it so already: nothing was written */
    RESTORE_WRITTEN,
    RESTORE_INSERTED,
    RESTORE_DELETED, /* the loser was a delete */
};

struct restore_report {
    enum restore_result result;
    uint32_t table;
    struct buffer key; /* owned */
    uint64_t seq;      /* of the new change; 0: none */
    struct write_back_counts counts;
};

/* All zero before; also after a failure. */
void restore_report_release(struct restore_report *report);

/* Make the row of conflict `number` what the loser was, as a new change of this node's
 * that has seen the winner. Columns that the loser did not have keep their values.
 * NOT_FOUND: no such conflict. REFUSED: the database refuses the row, or has no such
 * table; nothing was changed. */
MUST_CHECK enum status node_restore(struct node *node, uint64_t number,
                                    struct restore_report *report, struct error *err);

/* Insert the loser, one of two inserts of one key, under a new key: words, one a key
 * column; or, without any, the next free number of a single integer key. report->key is
 * the new one. REFUSED also: the key is taken; no key can be chosen; not such a conflict.
 * USAGE: not as many words as key columns. */
MUST_CHECK enum status node_keep_both(struct node *node, uint64_t number,
                                      const char *const *words, size_t word_count,
                                      struct restore_report *report, struct error *err);

#endif
